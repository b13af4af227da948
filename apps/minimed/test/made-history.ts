import { encodeFloat, encodeSfloat, equalBytes, Writer } from "jelling/bytes";
import { addSeconds, dateTimeBytes, formatLocal, type LocalDateTime, parseLocal } from "../src/data/date-time.ts";
import { PumpError } from "../src/error.ts";
import { decodeHistoryRecord } from "../src/history/record.ts";
import type { HistoryBounds, HistoryPage, HistoryRange, HistorySource, ReceivedRecord } from "../src/history/source.ts";

export const PERIODIC = 0x3c;
export const SET = 0x33;
export const LOST = 0x55;

/** Writes a pump's history, record by record, as time passes. */
export class HistoryMaker {
  readonly records: ReceivedRecord[] = [];
  #seq: number;
  #local: LocalDateTime;
  #sinceS = 0;
  /** Seconds since it began, which nobody sets. */
  elapsedS = 0;

  constructor({ first = 1, local = "2031-03-02T00:00:00" }: { first?: number; local?: string } = {}) {
    this.#seq = first;
    this.#local = parseLocal(local);
  }

  get local(): string {
    return formatLocal(this.#local);
  }
  get next(): number {
    return this.#seq;
  }

  pass(seconds: number): this {
    this.#local = addSeconds(this.#local, seconds);
    this.#sinceS += seconds;
    this.elapsedS += seconds;
    return this;
  }
  /** Numbers that the pump leaves out. */
  skip(count: number): this {
    this.#seq += count;
    return this;
  }

  record(type: number, data: Uint8Array | readonly number[], offsetS = this.#sinceS): this {
    const writer = new Writer();
    writer.u16(type);
    writer.u32(this.#seq++);
    writer.u16(offsetS);
    writer.bytes(Uint8Array.from(data));
    const bytes = writer.finish();
    this.records.push({ bytes, record: decodeHistoryRecord(bytes, { e2e: false }) });
    return this;
  }

  reference(reason: number = PERIODIC, local?: string): this {
    if (local !== undefined) this.#local = parseLocal(local);
    this.record(0xf00e, [reason, ...dateTimeBytes(this.#local)]);
    this.#sinceS = 0;
    return this;
  }
  /** The user sets the clock. */
  setClock(local: string): this {
    return this.reference(SET, local);
  }
  /** The battery was out: counter and clock begin anew. */
  loseClock(): this {
    this.#local = parseLocal("2000-01-01T00:00:00");
    this.record(0xf00e, [LOST, ...dateTimeBytes(this.#local)], 0);
    this.#sinceS = 0;
    return this;
  }
  context({ rate, stopped, temporary }: { rate?: number; stopped?: number; temporary?: [type: number, value: number] } = {}): this {
    const writer = new Writer();
    writer.u8(1 | (rate === undefined ? 0 : 2) | (stopped === undefined ? 0 : 8) | (temporary ? 16 : 0));
    if (rate !== undefined) writer.u32(encodeFloat(rate));
    if (stopped !== undefined) writer.u8(stopped);
    if (temporary) {
      writer.u8(temporary[0]);
      writer.u32(encodeFloat(temporary[1]));
    }
    return this.record(0xf004, writer.finish());
  }
  /** Glucose, or a code; of a sample that is `ageMin` old. */
  glucose(word: number, ageMin = 0): this {
    const writer = new Writer();
    writer.i16(Math.floor(this.#sinceS / 60) - ageMin);
    writer.u16(word);
    writer.u16(2400 + (this.#seq % 100));
    writer.i16(1);
    return this.record(0xf00c, writer.finish());
  }
  fingerstick(type: 0xf007 | 0xf008 | 0xf009, mgdl: number, ageMin = 0): this {
    const writer = new Writer();
    writer.i16(Math.floor(this.#sinceS / 60) - ageMin);
    writer.u16(encodeSfloat(Number(`${mgdl}e-5`)));
    return this.record(type, writer.finish());
  }
  bolusPart1(type: 90 | 105, { id, kind = 51, fast = 0, extended = 0, minutes = 0 }: BolusWords): this {
    const writer = new Writer();
    writer.u16(id);
    writer.u8(kind);
    writer.u32(encodeFloat(fast));
    writer.u32(encodeFloat(extended));
    writer.u16(minutes);
    return this.record(type, writer.finish());
  }
  programmed(words: BolusWords & { activation?: number }): this {
    return this.bolusPart1(90, words).record(102, [4, words.activation ?? 51]);
  }
  delivered(words: BolusWords & { activation?: number; end?: number; startOffsetS?: number }): this {
    const writer = new Writer();
    writer.u8(3);
    writer.u32(words.startOffsetS ?? 0);
    writer.u8(words.activation ?? 51);
    writer.u8(words.end ?? 51);
    return this.bolusPart1(105, words).record(150, writer.finish());
  }
  microBolus(number: number, iu: number): this {
    const writer = new Writer();
    writer.u8(number);
    writer.u32(encodeFloat(iu));
    return this.record(0xf001, writer.finish());
  }
  basalRate(from: number, to: number): this {
    const writer = new Writer();
    writer.u8(1);
    writer.u32(encodeFloat(from));
    writer.u32(encodeFloat(to));
    writer.u8(51);
    return this.record(153, writer.finish());
  }
  meal(grams: number): this {
    const writer = new Writer();
    writer.u16(encodeSfloat(grams));
    return this.record(0xf005, writer.finish());
  }
  stop(reason: number): this {
    return this.record(0xf00a, [reason]);
  }
  restart(reason: number): this {
    return this.record(0xf00b, [reason]);
  }
  loop(transition: number): this {
    return this.record(0xf002, [transition]);
  }
  alert(instance: number, code: number): this {
    const writer = new Writer();
    writer.u8(0);
    writer.u16(instance);
    writer.u16(0xf000 | code);
    writer.u8(51);
    writer.u32(0);
    return this.record(0xf010, writer.finish());
  }
  clearAlert(instance: number): this {
    const writer = new Writer();
    writer.u16(0);
    writer.u16(instance);
    return this.record(0xf00f, writer.finish());
  }

  /** An hour of everyday: fourteen records. */
  hour(): this {
    this.reference().context({ rate: 0.8 });
    for (let i = 0; i < 12; i++) this.pass(300).glucose(80 + ((this.#local.day * 31 + this.#local.hour * 17 + this.#seq * 7) % 120), 1);
    return this;
  }
  /** About `count` records of everyday. */
  days(count: number): this {
    for (let id = 0; this.records.length < count; id++) {
      this.hour();
      if (id % 4 === 0)
        this.programmed({ id: id & 0xffff, fast: 2.5 })
          .meal(45)
          .pass(120)
          .delivered({ id: id & 0xffff, fast: 2.5 });
    }
    return this;
  }
}

export interface BolusWords {
  readonly id: number;
  readonly kind?: number;
  readonly fast?: number;
  readonly extended?: number;
  readonly minutes?: number;
}

/** A pump's side of a sync, in memory. */
export class MadeSource implements HistorySource {
  records: readonly ReceivedRecord[];
  /** Number ranges of the pages that were given. */
  readonly asked: { readonly first: number; readonly last: number }[] = [];
  /** Questions: a stream and a range are one each, bounds three. */
  questions = 0;
  boundsAsked = 0;
  /** Called before each page; may throw, or change the records. */
  onTransfer: ((first: number, last: number, transfers: number) => void | Promise<void>) | undefined;
  /** What it says where it is asked for all from a number on. */
  refusal: Error | undefined;
  readonly pageSize: number;

  constructor(records: readonly ReceivedRecord[], { pageSize = 400 }: { pageSize?: number } = {}) {
    this.records = records;
    this.pageSize = pageSize;
  }

  async historyBounds(): Promise<HistoryBounds | undefined> {
    this.boundsAsked++;
    this.questions += 3;
    const [first, last] = [this.records[0], this.records.at(-1)];
    return first && last && { count: this.records.length, first: first.record.sequenceNumber, last: last.record.sequenceNumber };
  }

  async *history(range: HistoryRange): AsyncGenerator<HistoryPage, void> {
    const { first, last, pageSize = this.pageSize, order = "newest", signal } = range;
    this.questions++;
    if (last === undefined) {
      yield* this.#stream(first, pageSize, signal);
      return;
    }
    const pages: { first: number; last: number }[] = [];
    if (order === "newest")
      for (let to = last; to >= first; to -= pageSize) pages.push({ first: Math.max(first, to - pageSize + 1), last: to });
    else for (let from = first; from <= last; from += pageSize) pages.push({ first: from, last: Math.min(last, from + pageSize - 1) });
    for (const page of pages) {
      signal?.throwIfAborted();
      await this.onTransfer?.(page.first, page.last, this.asked.length);
      this.asked.push(page);
      yield { ...page, records: this.#between(page.first, page.last) };
    }
  }

  /** All from a number on. Begins the numbering anew meanwhile, its numbers fall. */
  async *#stream(from: number, pageSize: number, signal: AbortSignal | undefined): AsyncGenerator<HistoryPage, void> {
    if (this.refusal) throw this.refusal;
    let before: ReceivedRecord | undefined;
    let present = this.records;
    for (let next = from; ; ) {
      signal?.throwIfAborted();
      const [head] = this.#between(next, Number.POSITIVE_INFINITY);
      if (!head) return;
      const first = before ? next : head.record.sequenceNumber;
      await this.onTransfer?.(first, this.#page(next, pageSize).at(-1)!.record.sequenceNumber, this.asked.length);
      if (before && this.records !== present) {
        const isSame = ({ bytes }: ReceivedRecord, i: number): boolean => equalBytes(bytes, given[i]?.bytes ?? new Uint8Array());
        const given = this.#between(from, before.record.sequenceNumber);
        if (!present.filter(({ record }) => record.sequenceNumber >= from && record.sequenceNumber < next).every(isSame))
          throw new PumpError("ERR_PUMP_PROTOCOL", "The pump's records do not ascend.");
      }
      present = this.records;
      const records = this.#page(next, pageSize);
      before = records.at(-1);
      if (!before) return;
      const last = before.record.sequenceNumber;
      this.asked.push({ first: Math.min(first, records[0]!.record.sequenceNumber), last });
      yield { first: this.asked.at(-1)!.first, last, records, isLast: before === this.records.at(-1) };
      next = last + 1;
    }
  }

  #page(from: number, pageSize: number): ReceivedRecord[] {
    const at = this.#firstFrom(from);
    return this.records.slice(at, at + pageSize);
  }

  /** Records ascend by number. */
  #between(first: number, last: number): ReceivedRecord[] {
    return this.records.slice(this.#firstFrom(first), this.#firstFrom(last + 1));
  }

  #firstFrom(seq: number): number {
    let [low, high] = [0, this.records.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.records[middle]!.record.sequenceNumber < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
