import { ArgumentError } from "../core/error.ts";
import { PacketType } from "../hci/transport.ts";
import { CaptureError } from "./error.ts";

export type CaptureDirection = "host-to-controller" | "controller-to-host";

/** One HCI packet of a capture. */
export interface CaptureRecord {
  readonly direction: CaptureDirection;
  /** H4 packet type, then the packet. */
  readonly packet: Uint8Array;
  /** Milliseconds since 1970-01-01 UTC; the file keeps microseconds. */
  readonly timeMs: number;
  /** Octets of the packet on the wire, the H4 type included; more than `packet.length` where the capture was cut short. */
  readonly originalLength: number;
  /** Packets lost by the capturing program since it began. */
  readonly drops: number;
}

/** Data link types of a btsnoop file that are read; HciUart is the one that is written. */
export const BtsnoopDatalink = Object.freeze({ Hci: 1001, HciUart: 1002, LinuxMonitor: 2001 });

const IDENTIFICATION = Uint8Array.of(0x62, 0x74, 0x73, 0x6e, 0x6f, 0x6f, 0x70, 0); // "btsnoop\0"
const VERSION = 1;
const FILE_HEADER = 16;
const RECORD_HEADER = 24;
// Microseconds are counted from midnight, January 1st, 0 AD; this many are between it and 1970-01-01.
const UNIX_EPOCH_US = 0x00dc_ddb3_0f2f_8000n;
/** An HCI packet has at most 5 + 65,535 octets; a longer record is a damaged length. */
const LONGEST_RECORD = 0x1_0010;

const FLAG_RECEIVED = 1;
const FLAG_COMMAND_OR_EVENT = 2;

/** The 16 octets in front of the first record: version 1, H4 packets. */
export function encodeBtsnoopHeader(): Uint8Array {
  const header = new Uint8Array(FILE_HEADER);
  header.set(IDENTIFICATION);
  const view = new DataView(header.buffer);
  view.setUint32(8, VERSION);
  view.setUint32(12, BtsnoopDatalink.HciUart);
  return header;
}

/** One record, its 24 octets of header included. */
export function encodeBtsnoopRecord(record: Omit<CaptureRecord, "originalLength" | "drops"> & { drops?: number }): Uint8Array {
  const { packet } = record;
  if (packet.length === 0 || packet.length > LONGEST_RECORD)
    throw new ArgumentError(`a packet of ${packet.length} octets: expected 1 to ${LONGEST_RECORD}`);
  const bytes = new Uint8Array(RECORD_HEADER + packet.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, packet.length);
  view.setUint32(4, packet.length);
  const isControl = packet[0] === PacketType.Command || packet[0] === PacketType.Event;
  view.setUint32(8, (record.direction === "controller-to-host" ? FLAG_RECEIVED : 0) | (isControl ? FLAG_COMMAND_OR_EVENT : 0));
  view.setUint32(12, (record.drops ?? 0) >>> 0);
  view.setBigInt64(16, BigInt(Math.round(record.timeMs * 1000)) + UNIX_EPOCH_US);
  bytes.set(packet, RECORD_HEADER);
  return bytes;
}

/**
 * Reads a btsnoop file in pieces of any size. Holds at most one unfinished record (64 KiB) besides the piece it was given.
 * Understands H4 files, files without the H4 type (1001) and those of the Linux monitor (2001), whose other messages are skipped.
 */
export class BtsnoopReader {
  #rest: Uint8Array = new Uint8Array(0);
  /** Offset of `#rest[0]` in the file. */
  #offset = 0;
  #datalink: number | undefined;
  #records = 0;
  #failed: CaptureError | undefined;

  /** Data link type of the file, once its header was read. */
  get datalink(): number | undefined {
    return this.#datalink;
  }

  /**
   * Yields every record that `chunk` completes.
   *
   * @throws {CaptureError} not a btsnoop file, a version or data link that is not understood, or a length that cannot be
   */
  *push(chunk: Uint8Array): Generator<CaptureRecord, void> {
    if (this.#failed) throw this.#failed;
    // A Buffer's slice() would be a view of it, and the packets would change with the caller's buffer.
    const octets = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    if (this.#rest.length === 0) this.#rest = octets;
    else {
      const joined = new Uint8Array(this.#rest.length + octets.length);
      joined.set(this.#rest);
      joined.set(octets, this.#rest.length);
      this.#rest = joined;
    }
    if (this.#datalink === undefined && !this.#readHeader()) return;
    for (;;) {
      const record = this.#readRecord();
      if (record === "incomplete") break;
      if (record) yield record;
    }
    this.#rest = this.#rest.slice(); // let go of the caller's buffer
  }

  /** Says that the file is over. @throws {CaptureError} it ended inside its header or a record */
  end(): void {
    if (this.#failed) throw this.#failed;
    if (this.#datalink === undefined)
      this.#fail("not-a-capture", `not a btsnoop capture: ${this.#rest.length} octets, its header has ${FILE_HEADER}`);
    if (this.#rest.length > 0) {
      const { length } = this.#rest;
      const needed = length < RECORD_HEADER ? RECORD_HEADER : RECORD_HEADER + view(this.#rest).getUint32(4);
      this.#fail(
        "truncated",
        `the capture ends inside record ${this.#records + 1} at offset ${this.#offset}: ${length} of ${needed} octets`,
      );
    }
  }

  #fail(reason: CaptureError["reason"], problem: string): never {
    this.#failed = new CaptureError(reason, problem, { offset: this.#offset, records: this.#records });
    throw this.#failed;
  }

  #advance(length: number): void {
    this.#rest = this.#rest.subarray(length);
    this.#offset += length;
  }

  #readHeader(): boolean {
    const known = Math.min(this.#rest.length, IDENTIFICATION.length);
    for (let i = 0; i < known; i++) {
      if (this.#rest[i] !== IDENTIFICATION[i]) this.#fail("not-a-capture", 'not a btsnoop capture: it does not begin with "btsnoop"');
    }
    if (this.#rest.length < FILE_HEADER) return false;
    const header = view(this.#rest);
    const version = header.getUint32(8);
    if (version !== VERSION) this.#fail("unsupported", `btsnoop version ${version}: only version ${VERSION} is understood`);
    const datalink = header.getUint32(12);
    if (!Object.values<number>(BtsnoopDatalink).includes(datalink))
      this.#fail("unsupported", `btsnoop data link ${datalink}: only ${Object.values(BtsnoopDatalink).join(", ")} are understood`);
    this.#datalink = datalink;
    this.#advance(FILE_HEADER);
    return true;
  }

  /** `undefined` is a record of no HCI packet. */
  #readRecord(): CaptureRecord | undefined | "incomplete" {
    if (this.#rest.length < RECORD_HEADER) return "incomplete";
    const header = view(this.#rest);
    const originalLength = header.getUint32(0);
    const length = header.getUint32(4);
    if (length > LONGEST_RECORD || length > originalLength)
      this.#fail(
        "damaged",
        `record ${this.#records + 1} at offset ${this.#offset} claims ${length} octets of a packet of ${originalLength}: the capture is damaged`,
      );
    if (this.#rest.length < RECORD_HEADER + length) return "incomplete";
    const flags = header.getUint32(8);
    const payload = this.#rest.subarray(RECORD_HEADER, RECORD_HEADER + length);
    const framed = this.#frame(flags, payload);
    const record = framed && {
      ...framed,
      timeMs: Number(header.getBigInt64(16) - UNIX_EPOCH_US) / 1000,
      originalLength: originalLength - length + framed.packet.length,
      drops: header.getUint32(12),
    };
    this.#advance(RECORD_HEADER + length);
    this.#records++;
    return record;
  }

  #frame(flags: number, payload: Uint8Array): Pick<CaptureRecord, "direction" | "packet"> | undefined {
    const direction = flags & FLAG_RECEIVED ? "controller-to-host" : "host-to-controller";
    switch (this.#datalink) {
      case BtsnoopDatalink.HciUart:
        return payload.length > 0 ? { direction, packet: payload.slice() } : undefined;
      case BtsnoopDatalink.Hci: {
        const control = direction === "controller-to-host" ? PacketType.Event : PacketType.Command;
        return { direction, packet: withType(flags & FLAG_COMMAND_OR_EVENT ? control : PacketType.AclData, payload) };
      }
      default: {
        const monitored = MONITOR_OPCODES[flags & 0xffff];
        return monitored && { direction: monitored[1], packet: withType(monitored[0], payload) };
      }
    }
  }
}

const TO = "host-to-controller";
const FROM = "controller-to-host";
/** Message types of the Linux monitor that carry an HCI packet; the upper half of the flags is the adapter's number. */
const MONITOR_OPCODES: Readonly<Record<number, readonly [type: number, direction: CaptureDirection]>> = {
  2: [PacketType.Command, TO],
  3: [PacketType.Event, FROM],
  4: [PacketType.AclData, TO],
  5: [PacketType.AclData, FROM],
  6: [PacketType.SynchronousData, TO],
  7: [PacketType.SynchronousData, FROM],
  18: [PacketType.IsoData, TO],
  19: [PacketType.IsoData, FROM],
};

function withType(type: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(1 + payload.length);
  packet[0] = type;
  packet.set(payload, 1);
  return packet;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** All records of a whole file in memory. @throws {CaptureError} see BtsnoopReader */
export function readBtsnoop(file: Uint8Array): CaptureRecord[] {
  const reader = new BtsnoopReader();
  const records = [...reader.push(file)];
  reader.end();
  return records;
}
