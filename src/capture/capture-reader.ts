import { BTSNOOP_IDENTIFICATION, BtsnoopReader } from "./btsnoop.ts";
import { CaptureError } from "./error.ts";
import { PacketLoggerReader, packetLoggerOrder } from "./packet-logger.ts";
import { isPcapStart, PcapReader } from "./pcap.ts";
import { isSectionStart, PcapngReader } from "./pcapng.ts";
import { Pieces } from "./pieces.ts";
import type { AnyCaptureRecord } from "./record.ts";

/** The formats that a capture is written in. */
export type CaptureFormat = "btsnoop" | "pcapng" | "pcap";
/** Those that one is read in: "pklg" is that of Apple's PacketLogger. */
export type ReadableFormat = CaptureFormat | "pklg";

type FormatReader = Pick<BtsnoopReader, "push" | "end" | "drops">;

const READERS: Readonly<Record<ReadableFormat, new () => FormatReader>> = {
  btsnoop: BtsnoopReader,
  pcapng: PcapngReader,
  pcap: PcapReader,
  pklg: PacketLoggerReader,
};

/** The format of a file that begins so; "undecided" as long as it may become one. */
function formatOf(octets: Uint8Array): ReadableFormat | "undecided" | undefined {
  const magic = BTSNOOP_IDENTIFICATION;
  if (magic.subarray(0, octets.length).every((octet, i) => octet === octets[i]))
    return octets.length < magic.length ? "undecided" : "btsnoop";
  if (isSectionStart(octets)) return octets.length < 4 ? "undecided" : "pcapng";
  if (isPcapStart(octets)) return octets.length < 4 ? "undecided" : "pcap";
  const order = packetLoggerOrder(octets);
  return order === "big" || order === "little" ? "pklg" : order;
}

/** Reads a capture of any format in pieces of any size; its first octets tell which it is. Memory is bounded, as that of the readers is. */
export class CaptureReader {
  readonly #pieces = new Pieces();
  #format: ReadableFormat | undefined;
  #reader: FormatReader | undefined;
  #failed: CaptureError | undefined;

  /** What kind of file it is, once that is known. */
  get format(): ReadableFormat | undefined {
    return this.#format;
  }

  /** Packets lost by the capturing program, as far as the file has said by now. */
  get drops(): number {
    return this.#reader?.drops ?? 0;
  }

  /**
   * Yields every record that `chunk` completes.
   *
   * @throws {CaptureError} no capture, something in it that is not understood, or a length that cannot be
   */
  *push(chunk: Uint8Array): Generator<AnyCaptureRecord, void> {
    if (this.#reader) {
      yield* this.#reader.push(chunk);
      return;
    }
    if (this.#failed) throw this.#failed;
    this.#pieces.add(chunk);
    const { rest } = this.#pieces;
    const format = formatOf(rest);
    if (format === undefined) this.#notACapture("it begins as none of btsnoop, pcapng, pcap and pklg does");
    if (format === "undecided") {
      this.#pieces.release();
      return;
    }
    this.#format = format;
    this.#reader = new READERS[format]();
    this.#pieces.take(rest.length);
    this.#pieces.release();
    yield* this.#reader.push(rest);
  }

  /** Says that the file is over. @throws {CaptureError} it ended where it must not */
  end(): void {
    if (this.#failed) throw this.#failed;
    if (!this.#reader) this.#notACapture(`it has ${this.#pieces.length} octets`);
    this.#reader.end();
  }

  #notACapture(why: string): never {
    this.#failed = new CaptureError("not-a-capture", `not a capture: ${why}`, { offset: 0, records: 0 });
    throw this.#failed;
  }
}

/** All records of a whole file in memory. @throws {CaptureError} see CaptureReader */
export function readCapture(file: Uint8Array): AnyCaptureRecord[] {
  const reader = new CaptureReader();
  const records = [...reader.push(file)];
  reader.end();
  return records;
}
