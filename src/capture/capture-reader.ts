import { BTSNOOP_IDENTIFICATION, BtsnoopReader } from "./btsnoop.ts";
import { CaptureError } from "./error.ts";
import { isSectionStart, PcapngReader } from "./pcapng.ts";
import { Pieces } from "./pieces.ts";
import type { AnyCaptureRecord } from "./record.ts";

/** The formats of a capture file. */
export type CaptureFormat = "btsnoop" | "pcapng";

/** Reads a capture of either format in pieces of any size; its first octets tell which it is. Memory is bounded, as that of the readers is. */
export class CaptureReader {
  readonly #pieces = new Pieces();
  #reader: BtsnoopReader | PcapngReader | undefined;
  #failed: CaptureError | undefined;

  /** What kind of file it is, once that is known. */
  get format(): CaptureFormat | undefined {
    return this.#reader && (this.#reader instanceof BtsnoopReader ? "btsnoop" : "pcapng");
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
    const isBtsnoop = BTSNOOP_IDENTIFICATION.subarray(0, rest.length).every((octet, i) => octet === rest[i]);
    const isPcapng = isSectionStart(rest);
    if (!isBtsnoop && !isPcapng) this.#notACapture("it begins as neither btsnoop nor pcapng does");
    if (rest.length < BTSNOOP_IDENTIFICATION.length) {
      this.#pieces.release();
      return;
    }
    this.#reader = isBtsnoop ? new BtsnoopReader() : new PcapngReader();
    this.#pieces.take(rest.length);
    this.#pieces.release();
    yield* this.#reader.push(rest);
  }

  /** Says that the file is over. @throws {CaptureError} it ended where it must not */
  end(): void {
    if (this.#failed) throw this.#failed;
    if (!this.#reader) this.#notACapture(`it has ${this.#pieces.rest.length} octets`);
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
