import { toHex } from "jelling/bytes";
import { type LocalDateTime, secondsBetween } from "../data/date-time.ts";
import type { HistoryRecord } from "../history/record.ts";
import type { HistoryPage, ReceivedRecord } from "../history/source.ts";
import { columnsOf, PARSER_VERSION, shiftOf } from "./columns.ts";
import { type NumberRange, runsOf, without } from "./ranges.ts";
import type { SqlDatabase, SqlValue } from "./sqlite.ts";
import { applyMeasurement, type ClockMeasurement, passOnInstants, passOnLoss, type Reference } from "./times.ts";

/** A number came with other octets than it has in the store: the pump counts anew. Nothing of the page was stored. */
export class NumberingRestarted extends Error {}

/** What is known beside the records of a page. */
export interface PageContext {
  readonly receivedMs: number;
  readonly sync: number | null;
  readonly measurement: ClockMeasurement | undefined;
  /** Newest number of the pump: what holds it may be timed by the measurement. */
  readonly newest: number;
}

interface ReferenceRow {
  readonly seq: number;
  readonly reason: string;
  readonly local_s: number | null;
  readonly since_s: number;
  readonly lost: number;
  readonly utc_s: number | null;
}

const EPOCH: LocalDateTime = Object.freeze({ year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 });
/** The display's time as if it were UTC. */
export const localSeconds = (local: LocalDateTime): number => secondsBetween(EPOCH, local);

const INSERT_RECORD = `INSERT INTO record (pump, segment, seq, type, offset_s, raw, received_ms, sync, parser, problem, shift_s, reference_seq,
  local_s, at_ms, amount, amount2, number, number2, word, word2) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const UPDATE_TIMES = `UPDATE record SET reference_seq = ?1, local_s = ?2 + shift_s, at_ms = coalesce(at_ms, (?3 + shift_s) * 1000)
  WHERE pump = ?4 AND segment = ?5 AND seq BETWEEN ?1 AND ?6 AND (reference_seq IS NULL OR at_ms IS NULL OR ?7)`;
const REFERENCES = "SELECT seq, reason, local_s, since_s, lost, utc_s FROM reference WHERE pump = ? AND segment = ?";

const text = (word: string | number | undefined): string | null => (word === undefined ? null : String(word));

/** Puts the records of one pump into their tables. Every method runs inside a transaction of its caller. */
export class RecordWriter {
  readonly #db: SqlDatabase;
  readonly #pump: number;

  constructor(db: SqlDatabase, pump: number) {
    this.#db = db;
    this.#pump = pump;
  }

  /**
   * Stores what is new of a page, and notes what the pump no longer has of it.
   *
   * @returns how many records were new
   * @throws {NumberingRestarted}
   */
  addPage(segment: number, page: HistoryPage, context: PageContext): number {
    const received = this.#distinct(page.records);
    const seqs = received.map(({ record }) => record.sequenceNumber);
    const [lowest, highest] = [Math.min(page.first, seqs[0] ?? page.first), Math.max(page.last, seqs.at(-1) ?? page.last)];
    const stored = this.#stored(segment, lowest, highest);
    const fresh = received.filter(({ bytes, record }) => {
      const before = stored.get(record.sequenceNumber);
      if (before !== undefined && before !== toHex(bytes)) throw new NumberingRestarted();
      return before === undefined;
    });
    const freshSeqs = fresh.map(({ record }) => record.sequenceNumber);
    this.#fillGaps(segment, freshSeqs);
    const there = runsOf([...stored.keys(), ...freshSeqs].sort((a, b) => a - b));
    for (const gone of without(page, there)) this.#noteGap(segment, gone, context.receivedMs);
    const runs = [...(page.first <= page.last ? [{ first: page.first, last: page.last }] : []), ...runsOf(freshSeqs)];
    for (const run of runs) this.#cover(segment, run);
    const intervals = new Map(runs.map((run) => this.#intervalOf(segment, run.first)).map((interval) => [interval.first, interval]));
    for (const interval of intervals.values()) {
      const within = fresh.filter(({ record }) => record.sequenceNumber >= interval.first && record.sequenceNumber <= interval.last);
      const span = { first: Math.max(lowest, interval.first), last: Math.min(highest, interval.last) };
      this.#settle(segment, interval, span, within, context);
    }
    return fresh.length;
  }

  /** Whether one of these is stored with other octets; undefined: none is stored. @param records by number, ascending */
  hasOther(segment: number, records: readonly ReceivedRecord[]): boolean | undefined {
    const [first, last] = [records[0]?.record.sequenceNumber, records.at(-1)?.record.sequenceNumber];
    if (first === undefined || last === undefined) return undefined;
    const stored = this.#stored(segment, first, last);
    const known = records.filter(({ record }) => stored.has(record.sequenceNumber));
    if (known.length === 0) return undefined;
    return known.some(({ bytes, record }) => stored.get(record.sequenceNumber) !== toHex(bytes));
  }

  /** Gives instants to what is stored, where the clock was measured only now. */
  applyClock(segment: number, context: PageContext): void {
    const interval = this.#db.get<NumberRange>(
      "SELECT first, last FROM covered WHERE pump = ? AND segment = ? ORDER BY first DESC LIMIT 1",
      this.#pump,
      segment,
    );
    // Behind what is not here the clock may have been set.
    if (!interval || interval.last < context.newest) return;
    const newest = this.#db.get<ReferenceRow>(`${REFERENCES} ORDER BY seq DESC LIMIT 1`, this.#pump, segment);
    // Another reference may lie between it and the newest records, where numbers are missing.
    if (newest?.utc_s === null && newest.seq >= interval.first)
      this.#settle(segment, interval, { first: newest.seq, last: newest.seq }, [], context);
  }

  /** Decodes records anew whose columns another version of the decoder has made. Their times stay. Number of them that were. */
  reparse(decode: (raw: Uint8Array) => HistoryRecord, limit: number): number {
    const rows = this.#db.all<{ id: number; raw: Uint8Array }>(
      "SELECT id, raw FROM record WHERE pump = ? AND parser <> ? ORDER BY id LIMIT ?",
      this.#pump,
      PARSER_VERSION,
      limit,
    );
    for (const { id, raw } of rows) {
      const record = decode(raw);
      this.#db.run(
        "UPDATE record SET parser = ?, problem = ?, amount = ?, amount2 = ?, number = ?, number2 = ?, word = ?, word2 = ? WHERE id = ?",
        PARSER_VERSION,
        record.problem?.problem ?? null,
        ...columnValues(record),
        id,
      );
    }
    return rows.length;
  }

  /** By number, each once. */
  #distinct(records: readonly ReceivedRecord[]): ReceivedRecord[] {
    const bySeq = new Map<number, ReceivedRecord>();
    for (const received of records) {
      const other = bySeq.get(received.record.sequenceNumber);
      if (other && toHex(other.bytes) !== toHex(received.bytes)) throw new NumberingRestarted();
      bySeq.set(received.record.sequenceNumber, received);
    }
    return [...bySeq.values()].sort((a, b) => a.record.sequenceNumber - b.record.sequenceNumber);
  }

  #stored(segment: number, first: number, last: number): Map<number, string> {
    const rows = this.#db.all<{ seq: number; raw: Uint8Array }>(
      "SELECT seq, raw FROM record WHERE pump = ? AND segment = ? AND seq BETWEEN ? AND ?",
      this.#pump,
      segment,
      first,
      last,
    );
    return new Map(rows.map(({ seq, raw }) => [seq, toHex(raw)]));
  }

  /** The range of covered numbers that one of them is in. */
  #intervalOf(segment: number, seq: number): NumberRange {
    return this.#db.get<NumberRange>(
      "SELECT first, last FROM covered WHERE pump = ? AND segment = ? AND first <= ? ORDER BY first DESC LIMIT 1",
      this.#pump,
      segment,
      seq,
    )!;
  }

  /** Adds a range to those that need not be asked for again. */
  #cover(segment: number, { first, last }: NumberRange): void {
    const touching = this.#db.all<NumberRange>(
      "SELECT first, last FROM covered WHERE pump = ? AND segment = ? AND first <= ? AND last >= ?",
      this.#pump,
      segment,
      last + 1,
      first - 1,
    );
    const whole = {
      first: Math.min(first, ...touching.map((range) => range.first)),
      last: Math.max(last, ...touching.map((range) => range.last)),
    };
    for (const range of touching)
      this.#db.run("DELETE FROM covered WHERE pump = ? AND segment = ? AND first = ?", this.#pump, segment, range.first);
    this.#db.run("INSERT INTO covered (pump, segment, first, last) VALUES (?, ?, ?, ?)", this.#pump, segment, whole.first, whole.last);
  }

  /** What is noted already is not noted twice: a later page may begin in the midst of it. */
  #noteGap(segment: number, gap: NumberRange, notedMs: number): void {
    const noted = this.#db.all<NumberRange>(
      "SELECT first, last FROM gap WHERE pump = ? AND segment = ? AND first <= ? AND last >= ? ORDER BY first",
      this.#pump,
      segment,
      gap.last,
      gap.first,
    );
    for (const { first, last } of without(gap, noted))
      this.#db.run(
        "INSERT INTO gap (pump, segment, first, last, noted_ms) VALUES (?, ?, ?, ?, ?)",
        this.#pump,
        segment,
        first,
        last,
        notedMs,
      );
  }

  /** What was gone and has come all the same is no gap. */
  #fillGaps(segment: number, seqs: readonly number[]): void {
    const [first, last] = [seqs[0], seqs.at(-1)];
    if (first === undefined || last === undefined) return;
    const gaps = this.#db.all<NumberRange & { noted_ms: number }>(
      "SELECT first, last, noted_ms FROM gap WHERE pump = ? AND segment = ? AND first <= ? AND last >= ?",
      this.#pump,
      segment,
      last,
      first,
    );
    for (const gap of gaps) {
      this.#db.run("DELETE FROM gap WHERE pump = ? AND segment = ? AND first = ?", this.#pump, segment, gap.first);
      for (const left of without(gap, runsOf(seqs))) this.#noteGap(segment, left, gap.noted_ms);
    }
  }

  /** Stores new records of a run of numbers without holes, with their times, and gives times to neighbours that have waited for them. */
  #settle(segment: number, interval: NumberRange, span: NumberRange, fresh: readonly ReceivedRecord[], context: PageContext): void {
    const freshReferences = fresh.flatMap(({ record }) => referenceOf(record) ?? []);
    const freshSeqs = new Set(freshReferences.map(({ seq }) => seq));
    let references = this.#neighbours(segment, interval, span, freshReferences);
    const outer = references.length > 0 && this.#hasUnknownOutside(segment, interval, references[0]!.seq, references.at(-1)!.seq);
    const last = references.at(-1);
    const lostBefore = last?.lost;
    passOnLoss(references);
    // What changes at the edge goes on beyond it, and what was before a loss is dated by what its user did later.
    if (outer || (last && last.lost !== lostBefore) || references.some(({ reason }) => reason === "date_time_loss"))
      references = this.#all(segment, interval, freshReferences);
    const before = new Map(references.map(({ seq, lost, utcS }) => [seq, { lost, utcS }]));
    passOnLoss(references);
    const isWhole = (from: number, to: number): boolean =>
      this.#db.get("SELECT 1 FROM gap WHERE pump = ? AND segment = ? AND first < ? AND last > ? LIMIT 1", this.#pump, segment, to, from) ===
      undefined;
    passOnInstants(references, isWhole);
    if (context.measurement && interval.last >= context.newest && this.#isNewest(segment, references.at(-1))) {
      applyMeasurement(references, context.measurement, (seq) => freshSeqs.has(seq), this.knownDifferenceS());
      passOnInstants(references, isWhole);
    }
    const changed = references.filter(({ seq, lost, utcS }) => {
      const was = before.get(seq)!;
      return freshSeqs.has(seq) || was.lost !== lost || was.utcS !== utcS;
    });
    for (const reference of changed) this.#saveReference(segment, reference);
    const touched = new Set([...changed, ...references.filter(({ seq }) => seq < span.first).slice(-1)]);
    for (const reference of touched) this.#timeFrom(segment, interval, reference, before.get(reference.seq)!.lost !== reference.lost);
    this.#insert(segment, fresh, references, context);
  }

  #insert(segment: number, fresh: readonly ReceivedRecord[], references: readonly Reference[], context: PageContext): void {
    let next = 0;
    for (const { bytes, record } of fresh) {
      while (next < references.length && references[next]!.seq <= record.sequenceNumber) next++;
      const reference = references[next - 1];
      const shiftS = shiftOf(record);
      const isFact = reference?.localS !== undefined && !reference.lost;
      this.#db.run(
        INSERT_RECORD,
        this.#pump,
        segment,
        record.sequenceNumber,
        record.eventType,
        record.relativeOffsetSeconds,
        bytes,
        context.receivedMs,
        context.sync,
        PARSER_VERSION,
        record.problem?.problem ?? null,
        shiftS,
        reference?.seq ?? null,
        isFact ? reference.localS! + shiftS : null,
        reference?.utcS === undefined ? null : (reference.utcS + shiftS) * 1000,
        ...columnValues(record),
      );
    }
  }

  /** Of the span, and the next one on each side of it. */
  #neighbours(segment: number, interval: NumberRange, span: NumberRange, fresh: readonly Reference[]): Reference[] {
    const rows = [
      ...this.#rows("AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1", segment, interval.first, span.first - 1),
      ...this.#rows("AND seq BETWEEN ? AND ? ORDER BY seq", segment, span.first, span.last),
      ...this.#rows("AND seq BETWEEN ? AND ? ORDER BY seq LIMIT 1", segment, span.last + 1, interval.last),
    ];
    return [...rows, ...fresh].sort((a, b) => a.seq - b.seq);
  }

  #all(segment: number, interval: NumberRange, fresh: readonly Reference[]): Reference[] {
    const rows = this.#rows("AND seq BETWEEN ? AND ? ORDER BY seq", segment, interval.first, interval.last);
    return [...rows, ...fresh].sort((a, b) => a.seq - b.seq);
  }

  #rows(where: string, segment: number, first: number, last: number): Reference[] {
    return this.#db
      .all<ReferenceRow>(`${REFERENCES} ${where}`, this.#pump, segment, first, last)
      .map(({ seq, reason, local_s, since_s, lost, utc_s }) => ({
        seq,
        reason,
        localS: local_s ?? undefined,
        sinceS: since_s,
        lost: lost !== 0,
        utcS: utc_s ?? undefined,
      }));
  }

  #hasUnknownOutside(segment: number, interval: NumberRange, first: number, last: number): boolean {
    const unknown = (from: number, to: number): boolean =>
      this.#db.get(
        "SELECT 1 FROM reference WHERE pump = ? AND segment = ? AND utc_s IS NULL AND seq BETWEEN ? AND ? LIMIT 1",
        this.#pump,
        segment,
        from,
        to,
      ) !== undefined;
    return unknown(interval.first, first - 1) || unknown(last + 1, interval.last);
  }

  #isNewest(segment: number, reference: Reference | undefined): boolean {
    if (!reference) return false;
    const beyond = "SELECT 1 FROM reference WHERE pump = ? AND segment = ? AND seq > ? LIMIT 1";
    return this.#db.get(beyond, this.#pump, segment, reference.seq) === undefined;
  }

  /** How far the display was ahead of UTC, by the newest record that has an instant. */
  knownDifferenceS(): number | undefined {
    return this.#db.get<{ difference: number }>(
      `SELECT local_s - utc_s AS difference FROM reference
       WHERE pump = ? AND utc_s IS NOT NULL AND local_s IS NOT NULL AND NOT lost ORDER BY segment DESC, seq DESC LIMIT 1`,
      this.#pump,
    )?.difference;
  }

  #saveReference(segment: number, { seq, reason, localS, sinceS, lost, utcS }: Reference): void {
    this.#db.run(
      "INSERT OR REPLACE INTO reference (pump, segment, seq, reason, local_s, since_s, lost, utc_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      this.#pump,
      segment,
      seq,
      reason,
      localS ?? null,
      sinceS,
      lost ? 1 : 0,
      utcS ?? null,
    );
  }

  /** Gives stored records behind a reference the times that they lack. */
  #timeFrom(segment: number, interval: NumberRange, { seq, localS, lost, utcS }: Reference, isLossNew: boolean): void {
    const next = this.#db.get<{ seq: number }>(
      "SELECT seq FROM reference WHERE pump = ? AND segment = ? AND seq > ? ORDER BY seq LIMIT 1",
      this.#pump,
      segment,
      seq,
    );
    const to = Math.min(interval.last, (next?.seq ?? Number.POSITIVE_INFINITY) - 1);
    this.#db.run(UPDATE_TIMES, seq, lost ? null : (localS ?? null), utcS ?? null, this.#pump, segment, to, isLossNew ? 1 : 0);
  }
}

function columnValues(record: HistoryRecord): SqlValue[] {
  const { amount, amount2, number, number2, word, word2 } = columnsOf(record);
  return [amount ?? null, amount2 ?? null, number ?? null, number2 ?? null, text(word), text(word2)];
}

function referenceOf({ data, sequenceNumber, relativeOffsetSeconds }: HistoryRecord): Reference | undefined {
  if (data?.name !== "ngp_reference_time") return undefined;
  return {
    seq: sequenceNumber,
    reason: String(data.reason),
    localS: data.local && localSeconds(data.local),
    sinceS: relativeOffsetSeconds,
    lost: data.reason === "date_time_loss",
    utcS: undefined,
  };
}
