import { decodeHistoryRecord, type HistoryRecord } from "../history/record.ts";
import type { Viewed } from "./event-views.ts";
import { localText } from "./live-writer.ts";
import type { SqlValue } from "./sqlite.ts";
import type { RecordRef } from "./view.ts";

const BATCH = 500;

/** A record as it is kept. */
export interface StoredRecord {
  readonly ref: RecordRef;
  /** Header and event data as the pump sent them. */
  readonly bytes: Uint8Array;
  readonly record: HistoryRecord;
  /** UTC of what the record is about: its sample, where it has one. undefined: not known yet. */
  readonly atMs: number | undefined;
  /** As the pump's display told time; undefined where it is not known, or the clock was lost. */
  readonly local: string | undefined;
  readonly receivedMs: number;
}

export interface StoredRecordRange {
  readonly segment?: number | undefined;
  /** Sequence numbers, both included. */
  readonly first?: number | undefined;
  readonly last?: number | undefined;
  /** UTC: from then on, and before then. Records without a time are left out where one of them is given. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Event types, as numbers. */
  readonly types?: readonly number[] | undefined;
}

interface Row {
  readonly segment: number;
  readonly seq: number;
  readonly raw: Uint8Array;
  readonly at_ms: number | null;
  readonly local_s: number | null;
  readonly received_ms: number;
}

/** In parts, so that neither memory nor a statement is held while the program does something else with each. */
export function* storedRecords({ db, pump, hash }: Viewed, range: StoredRecordRange): IterableIterator<StoredRecord> {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const demand = (condition: string, value: number | undefined): void => {
    if (value === undefined) return;
    conditions.push(` AND ${condition}`);
    values.push(value);
  };
  demand("segment = ?", range.segment);
  demand("seq >= ?", range.first);
  demand("seq <= ?", range.last);
  demand("at_ms >= ?", range.fromMs);
  demand("at_ms < ?", range.toMs);
  if (range.types) {
    conditions.push(` AND type IN (${range.types.map(() => "?").join(", ")})`);
    values.push(...range.types);
  }
  let [segment, seq] = [-1, -1];
  while (true) {
    const rows = db.all<Row>(
      `SELECT segment, seq, raw, at_ms, local_s, received_ms FROM record WHERE pump = ? AND (segment, seq) > (?, ?)${conditions.join("")}
       ORDER BY segment, seq LIMIT ${BATCH}`,
      pump,
      segment,
      seq,
      ...values,
    );
    for (const row of rows)
      yield {
        ref: { pump: hash, segment: row.segment, sequenceNumber: row.seq },
        bytes: row.raw,
        record: decodeHistoryRecord(row.raw, { e2e: false }),
        atMs: row.at_ms ?? undefined,
        local: row.local_s === null ? undefined : localText(row.local_s),
        receivedMs: row.received_ms,
      };
    const last = rows.at(-1);
    if (!last || rows.length < BATCH) return;
    [segment, seq] = [last.segment, last.seq];
  }
}
