import type { AnyCaptureRecord, CaptureRecord, MonitorRecord } from "./record.ts";

/** How a format writes; times are since 1970. One for each file: it may have to remember what the file has said. */
export interface CaptureEncoder {
  header(): Uint8Array;
  /** @throws {ArgumentError} a packet of another adapter, where the format cannot tell them apart */
  packet(record: CaptureRecord): Uint8Array;
  monitor(record: MonitorRecord): Uint8Array;
  /** The record is in the file: what was said with it need not be said again. */
  accepted?(record: Pick<AnyCaptureRecord, "index">): void;
  /** What ends a file that lacks packets. */
  trailer(lost: { drops: number; timeMs: number }): Uint8Array | undefined;
}
