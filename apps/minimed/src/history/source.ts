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
  /** What was asked for, both included. Where that was all from a number on: what this page tells of, from a record to a record. */
  readonly first: number;
  readonly last: number;
  /** By sequence number, ascending. Fewer than asked for where the pump has gaps; more where it recorded on meanwhile. */
  readonly records: readonly ReceivedRecord[];
  /** Where all from a number on was asked for: the pump said that nothing follows. */
  readonly isLast?: boolean | undefined;
}

export interface HistoryRange extends OperationOptions {
  /** Sequence numbers, both included. */
  readonly first: number;
  /** undefined: all from `first` on, oldest first, in one question. */
  readonly last?: number | undefined;
  /** How many numbers, or records, a page has at most: 1 to 1000, 400 by default. */
  readonly pageSize?: number | undefined;
  /** "newest" (default with `last`) begins with the last page, "oldest" with the first; within a page records always ascend. */
  readonly order?: "newest" | "oldest" | undefined;
}

/** Where history is read from: a session with a pump, or what stands for one. */
export interface HistorySource {
  /** undefined where the pump has no records, or no history. */
  historyBounds(options?: OperationOptions): Promise<HistoryBounds | undefined>;
  /**
   * Pages of a range, or of all from a number on. What comes between two pages is free for other reads. Where all was asked for, pages have so many
   * records, not numbers, and their numbers only ever ascend; when they end without an error nothing follows.
   *
   * @throws {PumpError} ERR_PUMP_REFUSED the pump is not asked for all from a number on, or gives something else: a range can be asked for ·
   * ERR_PUMP_PROTOCOL its numbers fell, so that it may have begun to count anew · why the session ended · {TimeoutError} · `signal.reason`
   */
  history(range: HistoryRange): AsyncGenerator<HistoryPage, void>;
}
