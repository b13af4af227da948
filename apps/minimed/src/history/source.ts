import type { OperationOptions } from "jelling/async";
import type { HistoryRecord } from "./record.ts";

/** A record of a pump's history as it came, and what it says. */
export interface ReceivedRecord {
  /** Header and event data as decrypted, without the counter and CRC of a protected service. What is kept for ever is this. */
  readonly bytes: Uint8Array;
  readonly record: HistoryRecord;
}

/** What a pump holds of its history. */
export interface HistoryBounds {
  readonly count: number;
  /** Sequence numbers, both included. */
  readonly first: number;
  readonly last: number;
}

/** The records of a range of sequence numbers, as one transfer brought them. */
export interface HistoryPage {
  /** What was asked for, both included. */
  readonly first: number;
  readonly last: number;
  /** By sequence number, ascending. Fewer than asked for where the pump has gaps; more where it recorded on meanwhile. */
  readonly records: readonly ReceivedRecord[];
}

export interface HistoryRange extends OperationOptions {
  /** Sequence numbers, both included. */
  readonly first: number;
  readonly last: number;
  /** How many numbers one transfer asks for: 1 to 1000, 400 by default. */
  readonly pageSize?: number | undefined;
  /** "newest" (default) begins with the last page, "oldest" with the first; within a page records always ascend. */
  readonly order?: "newest" | "oldest" | undefined;
}

/** Where history is read from: a session with a pump, or what stands for one. */
export interface HistorySource {
  /** undefined where the pump has no records, or no history. */
  historyBounds(options?: OperationOptions): Promise<HistoryBounds | undefined>;
  /** Pages of a range. What comes between two pages is free for other reads. @throws why the session ended · {TimeoutError} · `signal.reason` */
  history(range: HistoryRange): AsyncGenerator<HistoryPage, void>;
}
