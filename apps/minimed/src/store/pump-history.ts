import type { LatestGlucose } from "../connector/reading.ts";
import type { HistoryRecord } from "../history/record.ts";
import { decodeHistoryRecord } from "../history/record.ts";
import type { HistoryPage, ReceivedRecord } from "../history/source.ts";
import type { PumpState, WallClock } from "../live/state.ts";
import { bolusEvents } from "./bolus-view.ts";
import {
  alertEvents,
  basalChanges,
  bloodGlucoseEvents,
  clockChanges,
  loopTransitions,
  mealEvents,
  microBolusEvents,
  sensorStarts,
  statusPoints,
  suspensions,
  type Viewed,
} from "./event-views.ts";
import { glucosePoints, newestGlucoseMs } from "./glucose-view.ts";
import { LiveWriter, presentDifference } from "./live-writer.ts";
import type { Witness } from "./numbering.ts";
import type { NumberRange } from "./ranges.ts";
import { type PageContext, RecordWriter } from "./record-writer.ts";
import { type SeenRange, type SegmentStart, Segments } from "./segments.ts";
import { spanOf } from "./span.ts";
import type { SqlDatabase } from "./sqlite.ts";
import { type StoredRecord, type StoredRecordRange, storedRecords } from "./stored-records.ts";
import { type ClockMeasurement, checkMeasurement } from "./times.ts";
import type {
  AlertEvent,
  BasalChange,
  BloodGlucose,
  BolusEvent,
  ClockChange,
  GlucosePoint,
  LoopTransitionEvent,
  MealEvent,
  MicroBolus,
  SensorStart,
  SequenceGap,
  StatusPoint,
  Suspension,
  TherapyView,
  TimeRange,
} from "./view.ts";

/** Result of a sync that came to its end. */
export const DONE = "done";
const REPARSE_BATCH = 2000;
/** Numbers of some hours, each of which begins with a reference. */
const NEWEST_NUMBERS = 128;
const UNDATED_WITNESSES = 4;

/** What a history stands on. */
export interface PumpHistoryParts {
  readonly db: SqlDatabase;
  /** Row of the pump. */
  readonly pump: number;
  readonly hash: string;
  readonly label: string;
  readonly wallClock: WallClock;
  /** Runs a change of the database as a whole. @throws {PumpStoreError} it is to be read only */
  change<T>(act: () => T): T;
}

/** One pump's history: what views tell of it, and how more comes into it. */
export class PumpHistory implements TherapyView {
  /** Salted hash of the pump's serial number, 16 hexadecimal digits. */
  readonly pump: string;
  /** For people: a serial number with its digits hidden but the last. */
  readonly label: string;
  readonly #parts: PumpHistoryParts;
  readonly #viewed: Viewed;
  readonly #records: RecordWriter;
  readonly #segments: Segments;
  readonly #live: LiveWriter;
  #isSyncing = false;

  /** Made by the store. */
  constructor(parts: PumpHistoryParts) {
    this.#parts = parts;
    this.pump = parts.hash;
    this.label = parts.label;
    this.#viewed = { db: parts.db, pump: parts.pump, hash: parts.hash };
    this.#records = new RecordWriter(parts.db, parts.pump);
    this.#segments = new Segments(parts.db, parts.pump);
    this.#live = new LiveWriter(parts.db, parts.pump);
  }

  glucose(range: TimeRange): GlucosePoint[] {
    return glucosePoints(this.#parts.db, this.#parts.pump, this.pump, range);
  }
  boluses(range: TimeRange): BolusEvent[] {
    return bolusEvents(this.#parts.db, this.#parts.pump, this.pump, range);
  }
  microBoluses(range: TimeRange): MicroBolus[] {
    return microBolusEvents(this.#viewed, range);
  }
  basal(range: TimeRange): BasalChange[] {
    return basalChanges(this.#viewed, range);
  }
  meals(range: TimeRange): MealEvent[] {
    return mealEvents(this.#viewed, range);
  }
  bloodGlucose(range: TimeRange): BloodGlucose[] {
    return bloodGlucoseEvents(this.#viewed, range);
  }
  alerts(range: TimeRange): AlertEvent[] {
    return alertEvents(this.#viewed, range);
  }
  suspensions(range: TimeRange): Suspension[] {
    return suspensions(this.#viewed, range);
  }
  loopTransitions(range: TimeRange): LoopTransitionEvent[] {
    return loopTransitions(this.#viewed, range);
  }
  clockChanges(range: TimeRange): ClockChange[] {
    return clockChanges(this.#viewed, range);
  }
  sensorStarts(range: TimeRange): SensorStart[] {
    return sensorStarts(this.#viewed, range);
  }
  status(range: TimeRange): StatusPoint[] {
    return statusPoints(this.#viewed, range);
  }
  gaps(): SequenceGap[] {
    return this.#segments.gaps();
  }
  get newestMs(): number | undefined {
    return newestGlucoseMs(this.#parts.db, this.#parts.pump);
  }

  get span(): TimeRange | undefined {
    return spanOf(this.#parts.db, this.#parts.pump);
  }

  /** Records of any type, decoded from their octets, ascending by segment and number; those without a time too, unless a time is asked for. */
  records(range: StoredRecordRange = {}): IterableIterator<StoredRecord> {
    return storedRecords(this.#viewed, range);
  }

  /** Number of records stored. */
  get recordCount(): number {
    return Number(
      this.#parts.db.get<{ count: number }>("SELECT count(*) AS count FROM record WHERE pump = ?", this.#parts.pump)?.count ?? 0,
    );
  }

  /** A link to the pump came up. @param atMs UTC, by default now @throws {PumpStoreError} */
  beginLink(atMs: number = this.#parts.wallClock()): void {
    this.#change(() => {
      this.#live.beginLink(Math.round(atMs));
      this.#seen(atMs);
    });
  }

  /** It is down. @param reason a word or a sentence; names no person's device @throws {PumpStoreError} */
  endLink(reason: string, atMs: number = this.#parts.wallClock()): void {
    this.#change(() => {
      this.#live.endLink(Math.round(atMs), reason);
      this.#seen(atMs);
    });
  }

  /**
   * How far the pump's display was ahead of UTC. Records are dated by it.
   *
   * @throws {PumpStoreError} · {ArgumentError}
   */
  recordClock(measurement: ClockMeasurement): void {
    checkMeasurement("recordClock", measurement);
    this.#change(() => this.#live.saveClock(measurement));
  }

  /**
   * A live value, or that there was none; each sample once, however often it is read.
   *
   * @param epochMs to be added to its times for UTC, as in a pump's state
   * @throws {PumpStoreError}
   */
  recordReading(latest: LatestGlucose, epochMs: number): void {
    if (latest.kind === "no-sensor") return;
    this.#change(() => {
      const differenceS = presentDifference(this.#live.measurement(), this.#records.knownDifferenceS());
      this.#live.saveReading(latest, epochMs, differenceS, undefined);
    });
  }

  /** All that a state holds of glucose, sensor, clock and pump: what is known already changes nothing. @throws {PumpStoreError} */
  recordStatus(state: PumpState): void {
    this.#change(() => this.#live.saveState(state, this.#records.knownDifferenceS()));
  }

  /** Makes the decoded forms anew where an older version of this program made them. Number of records that were. @throws {PumpStoreError} */
  reparse(): number {
    let total = 0;
    for (let count = REPARSE_BATCH; count === REPARSE_BATCH; total += count)
      count = this.#change(() => this.#records.reparse(decodeKept, REPARSE_BATCH));
    return total;
  }

  #change<T>(act: () => T): T {
    return this.#parts.change(act);
  }

  #seen(atMs: number): void {
    this.#parts.db.run("UPDATE pump SET last_seen_ms = max(last_seen_ms, ?) WHERE id = ?", Math.round(atMs), this.#parts.pump);
  }

  // What a sync does, each as a whole.

  /** @internal False: a sync is under way. */
  beginSync(): boolean {
    if (this.#isSyncing) return false;
    this.#isSyncing = true;
    return true;
  }
  /** @internal */
  endSync(): void {
    this.#isSyncing = false;
  }
  /** @internal */
  nowMs(): number {
    return Math.round(this.#parts.wallClock());
  }
  /** @internal */
  get path(): string {
    return this.#parts.db.path;
  }
  /** @internal */
  measurement(): ClockMeasurement | undefined {
    return this.#live.measurement();
  }
  /** @internal */
  beginRun(): number {
    return this.#change(() => {
      this.#seen(this.nowMs());
      this.#parts.db.run("INSERT INTO sync_run (pump, start_ms, records, pages) VALUES (?, ?, 0, 0)", this.#parts.pump, this.nowMs());
      return Number(this.#parts.db.get<{ id: number }>("SELECT last_insert_rowid() AS id")!.id);
    });
  }
  /** @internal */
  endRun(run: number, result: string): void {
    this.#change(() => {
      this.#parts.db.run("UPDATE sync_run SET end_ms = ?, result = ? WHERE id = ?", this.nowMs(), result, run);
      if (result === DONE) this.#segments.forgetPages();
    });
  }
  /** @internal Segment that the pump's numbers belong to now, with its bounds noted. */
  enterSegment(run: number, bounds: SeenRange, restarted: boolean): number {
    return this.#change(() => {
      const current = this.#segments.current();
      const startedBy: SegmentStart = current === undefined ? "first_sight" : "sequence_restarted";
      const segment = current === undefined || restarted ? this.#segments.start(startedBy, this.nowMs()) : current;
      this.#segments.saveBounds(segment, bounds);
      this.#parts.db.run(
        "UPDATE sync_run SET segment = ?, first_seq = coalesce(?, first_seq), last_seq = ? WHERE id = ?",
        segment,
        bounds.first ?? null,
        bounds.last,
        run,
      );
      return segment;
    });
  }
  /** @internal */
  currentSegment(): number | undefined {
    return this.#segments.current();
  }
  /** @internal */
  highest(segment: number): number | undefined {
    return this.#segments.highest(segment);
  }
  /** @internal A record by which to see whether the pump still counts as it did: a reference, which has a date, where there is one. */
  witness(segment: number, { first, last }: NumberRange): Witness | undefined {
    const { db, pump } = this.#parts;
    const dated = db.get<{ seq: number }>(
      "SELECT seq FROM reference WHERE pump = ? AND segment = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1",
      pump,
      segment,
      first,
      last,
    );
    return db.get<Witness>(
      "SELECT seq, raw FROM record WHERE pump = ? AND segment = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1",
      pump,
      segment,
      dated?.seq ?? first,
      dated?.seq ?? last,
    );
  }
  /**
   * @internal The record from which on a sync asks for what is new: the newest reference where it is among the newest records; else so many before the
   * newest that it is no chance if all are the same.
   */
  newestWitness(segment: number): Witness | undefined {
    const { db, pump } = this.#parts;
    const highest = this.highest(segment);
    if (highest === undefined) return undefined;
    const dated = db.get<Witness>(
      `SELECT r.seq, r.raw FROM reference f JOIN record r ON r.pump = f.pump AND r.segment = f.segment AND r.seq = f.seq
       WHERE f.pump = ? AND f.segment = ? AND f.seq >= ? ORDER BY f.seq DESC LIMIT 1`,
      pump,
      segment,
      highest - NEWEST_NUMBERS,
    );
    const newest = "SELECT seq, raw FROM record WHERE pump = ? AND segment = ? ORDER BY seq DESC LIMIT ?";
    return dated ?? db.all<Witness>(newest, pump, segment, UNDATED_WITNESSES).at(-1);
  }
  /** @internal Whether one of these is stored with other octets; undefined: none is stored. */
  hasOther(segment: number, records: readonly ReceivedRecord[]): boolean | undefined {
    return this.#records.hasOther(segment, records);
  }
  /** @internal So many records of a segment the pump had at one time, at least. */
  mostHeld(segment: number): number {
    const { db, pump } = this.#parts;
    const counts = "SELECT count(*) AS count FROM record WHERE pump = ? AND segment = ? GROUP BY sync";
    return Number(db.get<{ most: number | null }>(`SELECT max(count) AS most FROM (${counts})`, pump, segment)?.most ?? 0);
  }
  /** @internal */
  hasHoles(segment: number): boolean {
    return this.#segments.hasHoles(segment);
  }
  /** @internal */
  missing(segment: number, range: NumberRange): NumberRange[] {
    return this.#segments.missing(segment, range);
  }
  /** @internal Records that were new. */
  addPage(segment: number, run: number, page: HistoryPage, context: Omit<PageContext, "sync" | "receivedMs">): number {
    return this.#change(() => {
      const added = this.#records.addPage(segment, page, { ...context, sync: run, receivedMs: this.nowMs() });
      this.#segments.addPage(segment, run, page);
      this.#parts.db.run("UPDATE sync_run SET records = records + ?, pages = pages + 1 WHERE id = ?", added, run);
      return added;
    });
  }
  /** @internal */
  applyClock(segment: number, measurement: ClockMeasurement, newest: number): void {
    this.#change(() => this.#records.applyClock(segment, { measurement, newest, receivedMs: this.nowMs(), sync: null }));
  }
  /** @internal */
  dropTwins(segment: number, successor: number): void {
    this.#change(() => this.#segments.dropTwins(segment, successor, this.nowMs()));
  }
}

/** Octets are kept without counter and CRC. */
export function decodeKept(raw: Uint8Array): HistoryRecord {
  return decodeHistoryRecord(raw, { e2e: false });
}
