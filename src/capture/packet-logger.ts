import { PacketType } from "../hci/transport.ts";
import { CaptureError } from "./error.ts";
import { Pieces } from "./pieces.ts";
import { type AnyCaptureRecord, type CaptureDirection, MonitorOpcode, NO_INDEX, viewOf } from "./record.ts";

/** Length, which counts what follows it; seconds and microseconds since 1970; kind of record. */
const HEADER = 13;
const COUNTED_HEADER = HEADER - 4;
/** An HCI packet without its H4 type has at most 4 + 65,535 octets; a longer record is a damaged length. */
const LONGEST_RECORD = COUNTED_HEADER + 0x1_0003;

const TO = "host-to-controller";
const FROM = "controller-to-host";
/** Kinds of record that hold an HCI packet. */
const PACKETS: ReadonlyMap<number, readonly [type: number, direction: CaptureDirection]> = new Map([
  [0x00, [PacketType.Command, TO]],
  [0x01, [PacketType.Event, FROM]],
  [0x02, [PacketType.AclData, TO]],
  [0x03, [PacketType.AclData, FROM]],
  [0x08, [PacketType.SynchronousData, TO]],
  [0x09, [PacketType.SynchronousData, FROM]],
]);
/** Those that hold text: of the system log, the kernel, errors, power and notes. */
const TEXTS: ReadonlySet<number> = new Set([0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc]);
/** Those that are passed over: the link manager's traffic, configurations and controllers that come. */
const OTHERS: ReadonlySet<number> = new Set([0x0a, 0x0b, 0xfd, 0xfe]);
const isKind = (kind: number): boolean => PACKETS.has(kind) || TEXTS.has(kind) || OTHERS.has(kind);

/**
 * Whether a file may be one of PacketLogger, which begins with a record right away. Lengths have 17 bits at most, so that either the first
 * octets or the last of the four are zero: big-endian in older files, little-endian in newer ones.
 */
export function packetLoggerOrder(octets: Uint8Array): "big" | "little" | "undecided" | undefined {
  const could = (["big", "little"] as const).filter((order) => couldBe(octets, order === "little"));
  if (octets.length < HEADER) return could.length > 0 ? "undecided" : undefined;
  return could[0];
}

function couldBe(octets: Uint8Array, littleEndian: boolean): boolean {
  if (octets.length >= 1 && !littleEndian && octets[0] !== 0) return false;
  if (octets.length < 4) return true;
  const view = viewOf(octets);
  const length = view.getUint32(0, littleEndian);
  if (length < COUNTED_HEADER || length > LONGEST_RECORD) return false;
  if (octets.length < HEADER) return true;
  return view.getUint32(8, littleEndian) < 1_000_000 && isKind(octets[12]!);
}

/**
 * Reads a file of Apple's PacketLogger (`.pklg`) in pieces of any size, in either byte order. Texts of the system come as records of the
 * monitor, System Note. Holds at most one unfinished record (64 KiB) besides the piece.
 */
export class PacketLoggerReader {
  readonly drops = 0;
  readonly #pieces = new Pieces();
  #littleEndian: boolean | undefined;
  #records = 0;
  #failed: CaptureError | undefined;

  /** Yields every record that `chunk` completes. @throws {CaptureError} not such a file, or a length that cannot be */
  *push(chunk: Uint8Array): Generator<AnyCaptureRecord, void> {
    if (this.#failed) throw this.#failed;
    this.#pieces.add(chunk);
    if (this.#littleEndian === undefined) {
      const order = packetLoggerOrder(this.#pieces.rest);
      if (order === undefined) this.#fail("not-a-capture", "not a PacketLogger capture: its first record cannot be");
      if (order === "undecided") return this.#pieces.release();
      this.#littleEndian = order === "little";
    }
    for (;;) {
      const record = this.#readRecord(this.#littleEndian);
      if (record === "incomplete") break;
      if (record) yield record;
    }
    this.#pieces.release();
  }

  /** Says that the file is over. @throws {CaptureError} it ended inside a record */
  end(): void {
    if (this.#failed) throw this.#failed;
    const { length, offset } = this.#pieces;
    if (this.#littleEndian === undefined)
      this.#fail("not-a-capture", `not a PacketLogger capture: ${length} octets, the head of a record has ${HEADER}`);
    if (length === 0) return;
    const needed = length < 4 ? HEADER : 4 + this.#pieces.uint32(0, this.#littleEndian);
    this.#fail("truncated", `the capture ends inside record ${this.#records + 1} at offset ${offset}: ${length} of ${needed} octets`);
  }

  #fail(reason: CaptureError["reason"], problem: string): never {
    this.#failed = new CaptureError(reason, problem, { offset: this.#pieces.offset, records: this.#records });
    throw this.#failed;
  }

  #readRecord(littleEndian: boolean): AnyCaptureRecord | undefined | "incomplete" {
    const pieces = this.#pieces;
    if (pieces.length < 4) return "incomplete";
    const length = pieces.uint32(0, littleEndian);
    if (length < COUNTED_HEADER || length > LONGEST_RECORD)
      this.#fail("damaged", `record ${this.#records + 1} at offset ${pieces.offset} claims a length of ${length}: the capture is damaged`);
    const end = 4 + length;
    if (pieces.length < end) return "incomplete";
    const timeMs = (pieces.uint32(4, littleEndian) * 1_000_000 + pieces.uint32(8, littleEndian)) / 1000;
    const record = readRecord(pieces, end, timeMs);
    pieces.take(end);
    this.#records++;
    return record;
  }
}

function readRecord(pieces: Pieces, end: number, timeMs: number): AnyCaptureRecord | undefined {
  const kind = pieces.uint8(12);
  const known = PACKETS.get(kind);
  if (known) {
    const packet = pieces.packet(known[0], HEADER, end);
    return { direction: known[1], packet, timeMs, originalLength: packet.length, drops: 0 };
  }
  if (!TEXTS.has(kind)) return undefined;
  return { opcode: MonitorOpcode.SystemNote, index: NO_INDEX, payload: pieces.slice(HEADER, end), timeMs };
}
