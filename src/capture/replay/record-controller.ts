import { type Clock, SystemClock } from "../../async/index.ts";
import { checkInteger, checkOptions, optionNames } from "../../core/index.ts";
import { CapturedTransport } from "../../device/capture.ts";
import { checkTransport, type HciTransport } from "../../hci/transport.ts";
import { readCapture } from "../capture-reader.ts";
import { CaptureWriter, type CaptureWriterOptions, MemorySink } from "../capture-writer.ts";
import { type CaptureRecord, isMonitorRecord } from "../record.ts";

export interface RecordControllerOptions extends Pick<CaptureWriterOptions, "epochMs" | "secrets" | "anonymous" | "format"> {
  /** Stamps the packets. Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Octets that are kept; packets beyond are counted in `dropped`. Default 64 MiB. */
  readonly capacity?: number | undefined;
}

const OPTIONS = optionNames<RecordControllerOptions>({
  clock: true,
  capacity: true,
  epochMs: true,
  secrets: true,
  anonymous: true,
  format: true,
});
const CAPACITY = 64 * 1024 * 1024;

/** A controller, and what it and its host have said to each other by now. */
export interface RecordedController {
  /** Open the device on this one. */
  readonly transport: HciTransport;
  /** The packets so far. */
  readonly records: readonly CaptureRecord[];
  /** Packets that did not fit. */
  readonly dropped: number;
  /** The packets so far as a capture file: for `replayTransport`, `jelling decode`, Wireshark. */
  file(): Uint8Array;
}

/**
 * Keeps a session with a controller in memory, to be played back by `replayTransport` or written to a file. Keys become zeros unless
 * `secrets` is set: a session that pairs is played back only with them.
 *
 * @throws {ArgumentError} no transport, or unknown options
 */
export function recordController(transport: HciTransport, options: RecordControllerOptions = {}): RecordedController {
  checkTransport("recordController", transport);
  checkOptions("recordController", options, OPTIONS);
  const { clock = new SystemClock(), capacity = CAPACITY, ...writing } = options;
  const sink = new MemorySink(checkInteger("recordController: capacity", capacity, 1, Number.MAX_SAFE_INTEGER));
  const writer = new CaptureWriter(sink, writing);
  return {
    transport: new CapturedTransport(transport, writer.write, clock),
    get records() {
      return readCapture(sink.bytes()).filter((record): record is CaptureRecord => !isMonitorRecord(record));
    },
    get dropped() {
      return writer.dropped;
    },
    file: () => sink.bytes(),
  };
}
