import { localText } from "./live-writer.ts";
import type { SqlDatabase } from "./sqlite.ts";
import type { EventTime, RecordRef, TimeRange } from "./view.ts";

/** A record of the history with its instant, decoded. What is in which column: columns.ts. */
export interface EventRow {
  readonly segment: number;
  readonly seq: number;
  readonly type: number;
  readonly offset_s: number;
  readonly at_ms: number;
  readonly local_s: number | null;
  readonly amount: number | null;
  readonly amount2: number | null;
  readonly number: number | null;
  readonly number2: number | null;
  readonly word: string | null;
  readonly word2: string | null;
}

export const EventType = Object.freeze({
  BolusProgrammed1: 90,
  BolusProgrammed2: 102,
  BolusDelivered1: 105,
  BolusDelivered2: 150,
  BasalRateChanged: 153,
  MicroBolus: 61441,
  LoopTransition: 61442,
  TherapyContext: 61444,
  Meal: 61445,
  BloodGlucose: 61447,
  CalibrationAccepted: 61448,
  CalibrationRejected: 61449,
  DeliveryStopped: 61450,
  DeliveryRestarted: 61451,
  ReferenceTime: 61454,
  AnnunciationCleared: 61455,
  Annunciation: 61456,
});

/** Records of some types, ascending by time, and of one time by number. */
export function eventRows(db: SqlDatabase, pump: number, types: readonly number[], { fromMs, toMs }: TimeRange): EventRow[] {
  const rows = types.flatMap((type) =>
    db.all<EventRow>(
      `SELECT segment, seq, type, offset_s, at_ms, local_s, amount, amount2, number, number2, word, word2 FROM record
       WHERE pump = ? AND type = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, segment, seq`,
      pump,
      type,
      fromMs,
      toMs,
    ),
  );
  return types.length === 1 ? rows : rows.sort((a, b) => a.at_ms - b.at_ms || a.segment - b.segment || a.seq - b.seq);
}

export function timed(hash: string, row: EventRow): EventTime & { readonly ref: RecordRef } {
  return {
    ref: { pump: hash, segment: row.segment, sequenceNumber: row.seq },
    atMs: row.at_ms,
    local: row.local_s === null ? undefined : localText(row.local_s),
  };
}
