import { ArgumentError } from "../core/error.ts";
import { PacketType } from "../hci/transport.ts";
import { CaptureError } from "./error.ts";
import { monitored } from "./monitored.ts";
import { Pieces } from "./pieces.ts";
import {
  type AnyCaptureRecord,
  type CaptureDirection,
  type CaptureRecord,
  isMonitorRecord,
  type MonitorRecord,
  microseconds,
  viewOf,
  type WrittenRecord,
} from "./record.ts";

/** Data link types of a btsnoop file that are read; HciUart and LinuxMonitor are written. */
export const BtsnoopDatalink = Object.freeze({ Hci: 1001, HciUart: 1002, LinuxMonitor: 2001 });

/** "btsnoop\0" */
export const BTSNOOP_IDENTIFICATION: Uint8Array = Uint8Array.of(0x62, 0x74, 0x73, 0x6e, 0x6f, 0x6f, 0x70, 0);
const VERSION = 1;
const FILE_HEADER = 16;
const RECORD_HEADER = 24;
// Microseconds are counted from midnight, January 1st, 0 AD; this many are between it and 1970-01-01.
const UNIX_EPOCH_US = 0x00dc_ddb3_0f2f_8000n;
const UNIX_EPOCH_HIGH = Number(UNIX_EPOCH_US >> 32n);
const UNIX_EPOCH_LOW = Number(UNIX_EPOCH_US & 0xffff_ffffn);
/** An HCI packet has at most 5 + 65,535 octets; a longer record is a damaged length. */
const LONGEST_RECORD = 0x1_0010;

const FLAG_RECEIVED = 1;
const FLAG_COMMAND_OR_EVENT = 2;

/** The 16 octets in front of the first record: version 1, and what the records are. */
export function encodeBtsnoopHeader(datalink: number = BtsnoopDatalink.HciUart): Uint8Array {
  const header = new Uint8Array(FILE_HEADER);
  header.set(BTSNOOP_IDENTIFICATION);
  const view = new DataView(header.buffer);
  view.setUint32(8, VERSION);
  view.setUint32(12, datalink);
  return header;
}

/** One record of H4 packets, its 24 octets of header included. */
export function encodeBtsnoopRecord(record: WrittenRecord): Uint8Array {
  const { packet, originalLength = packet.length } = record;
  if (packet.length === 0) throw new ArgumentError(`a packet of no octets: expected 1 to ${LONGEST_RECORD}`);
  const isControl = packet[0] === PacketType.Command || packet[0] === PacketType.Event;
  const flags = (record.direction === "controller-to-host" ? FLAG_RECEIVED : 0) | (isControl ? FLAG_COMMAND_OR_EVENT : 0);
  return encodeRecord(packet, originalLength, flags, record);
}

/** One record of a file of the Linux monitor: adapter and kind of record stand in the flags. */
export function encodeBtsnoopMonitorRecord(record: MonitorRecord): Uint8Array {
  const { opcode, index, payload, originalLength = payload.length } = record;
  return encodeRecord(payload, originalLength, ((index << 16) | (opcode & 0xffff)) >>> 0, record);
}

function encodeRecord(
  octets: Uint8Array,
  originalLength: number,
  flags: number,
  { timeMs, drops = 0 }: { timeMs: number; drops?: number | undefined },
): Uint8Array {
  if (octets.length > LONGEST_RECORD) throw new ArgumentError(`a packet of ${octets.length} octets: expected at most ${LONGEST_RECORD}`);
  const bytes = new Uint8Array(RECORD_HEADER + octets.length);
  const header = viewOf(bytes);
  header.setUint32(0, originalLength);
  header.setUint32(4, octets.length);
  header.setUint32(8, flags);
  header.setUint32(12, drops >>> 0);
  header.setBigInt64(16, microseconds(timeMs) + UNIX_EPOCH_US);
  bytes.set(octets, RECORD_HEADER);
  return bytes;
}

/**
 * Reads a btsnoop file in pieces of any size. Holds at most one unfinished record (64 KiB) besides the piece it was given.
 * Understands H4 files, files without the H4 type (1001) and those of the Linux monitor (2001), whose HCI packets come as packets and whose
 * other records as they are.
 */
export class BtsnoopReader {
  readonly #pieces = new Pieces();
  #datalink: number | undefined;
  #records = 0;
  #drops = 0;
  #failed: CaptureError | undefined;

  /** Data link type of the file, once its header was read. */
  get datalink(): number | undefined {
    return this.#datalink;
  }

  /** Packets lost by the capturing program, as far as the file has said by now. */
  get drops(): number {
    return this.#drops;
  }

  /**
   * Yields every record that `chunk` completes.
   *
   * @throws {CaptureError} not a btsnoop file, a version or data link that is not understood, or a length that cannot be
   */
  *push(chunk: Uint8Array): Generator<AnyCaptureRecord, void> {
    if (this.#failed) throw this.#failed;
    this.#pieces.add(chunk);
    if (this.#datalink === undefined && !this.#readHeader()) return this.#pieces.release();
    for (;;) {
      const record = this.#readRecord();
      if (record === "incomplete") break;
      if (record) yield record;
    }
    this.#pieces.release();
  }

  /** Says that the file is over. @throws {CaptureError} it ended inside its header or a record */
  end(): void {
    if (this.#failed) throw this.#failed;
    const { length, offset } = this.#pieces;
    if (this.#datalink === undefined) this.#fail("not-a-capture", `not a btsnoop capture: ${length} octets, its header has ${FILE_HEADER}`);
    if (length > 0) {
      const needed = length < RECORD_HEADER ? RECORD_HEADER : RECORD_HEADER + this.#pieces.uint32(4);
      this.#fail("truncated", `the capture ends inside record ${this.#records + 1} at offset ${offset}: ${length} of ${needed} octets`);
    }
  }

  #fail(reason: CaptureError["reason"], problem: string): never {
    this.#failed = new CaptureError(reason, problem, { offset: this.#pieces.offset, records: this.#records });
    throw this.#failed;
  }

  #readHeader(): boolean {
    const pieces = this.#pieces;
    const known = Math.min(pieces.length, BTSNOOP_IDENTIFICATION.length);
    for (let i = 0; i < known; i++) {
      if (pieces.uint8(i) !== BTSNOOP_IDENTIFICATION[i])
        this.#fail("not-a-capture", 'not a btsnoop capture: it does not begin with "btsnoop"');
    }
    if (pieces.length < FILE_HEADER) return false;
    const version = pieces.uint32(8);
    if (version !== VERSION) this.#fail("unsupported", `btsnoop version ${version}: only version ${VERSION} is understood`);
    const datalink = pieces.uint32(12);
    if (!Object.values<number>(BtsnoopDatalink).includes(datalink))
      this.#fail("unsupported", `btsnoop data link ${datalink}: only ${Object.values(BtsnoopDatalink).join(", ")} are understood`);
    this.#datalink = datalink;
    this.#pieces.take(FILE_HEADER);
    return true;
  }

  /** `undefined` is a record that holds nothing. */
  #readRecord(): AnyCaptureRecord | undefined | "incomplete" {
    const pieces = this.#pieces;
    if (pieces.length < RECORD_HEADER) return "incomplete";
    const originalLength = pieces.uint32(0);
    const length = pieces.uint32(4);
    if (length > LONGEST_RECORD || length > originalLength) this.#damaged(length, originalLength);
    const end = RECORD_HEADER + length;
    if (pieces.length < end) return "incomplete";
    this.#drops = pieces.uint32(12);
    const record = this.#record(pieces.uint32(8), originalLength, end);
    pieces.take(end);
    this.#records++;
    return record;
  }

  #record(flags: number, originalLength: number, end: number): AnyCaptureRecord | undefined {
    const pieces = this.#pieces;
    const timeMs = ((pieces.int32(16) - UNIX_EPOCH_HIGH) * 0x1_0000_0000 + (pieces.uint32(20) - UNIX_EPOCH_LOW)) / 1000;
    const drops = this.#drops;
    if (this.#datalink === BtsnoopDatalink.LinuxMonitor)
      return monitored(pieces, RECORD_HEADER, end, { opcode: flags & 0xffff, index: flags >>> 16, timeMs, originalLength, drops });
    const direction: CaptureDirection = flags & FLAG_RECEIVED ? "controller-to-host" : "host-to-controller";
    if (this.#datalink === BtsnoopDatalink.HciUart) {
      if (end === RECORD_HEADER) return undefined;
      return { direction, packet: pieces.slice(RECORD_HEADER, end), timeMs, drops, originalLength };
    }
    const control = direction === "controller-to-host" ? PacketType.Event : PacketType.Command;
    const type = flags & FLAG_COMMAND_OR_EVENT ? control : PacketType.AclData;
    return { direction, packet: pieces.packet(type, RECORD_HEADER, end), timeMs, drops, originalLength: originalLength + 1 };
  }

  #damaged(length: number, originalLength: number): never {
    const { offset } = this.#pieces;
    this.#fail(
      "damaged",
      `record ${this.#records + 1} at offset ${offset} claims ${length} octets of a packet of ${originalLength}: the capture is damaged`,
    );
  }
}

/** The HCI packets of a whole file in memory. @throws {CaptureError} see BtsnoopReader */
export function readBtsnoop(file: Uint8Array): CaptureRecord[] {
  const reader = new BtsnoopReader();
  const records = [...reader.push(file)].filter((record): record is CaptureRecord => !isMonitorRecord(record));
  reader.end();
  return records;
}
