import { ArgumentError } from "../core/error.ts";
import type { CaptureEncoder } from "./encoder.ts";
import { CaptureError } from "./error.ts";
import { PcapngLinkType } from "./pcapng-blocks.ts";
import { type Interface, packetRecord } from "./pcapng-interface.ts";
import { Pieces } from "./pieces.ts";
import { type AnyCaptureRecord, type CaptureRecord, type MonitorRecord, viewOf } from "./record.ts";

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MICROSECONDS = 0xa1b2_c3d4;
const NANOSECONDS = 0xa1b2_3c4d;
/** An HCI packet has at most 5 + 65,535 octets, a pseudo header 4; a longer record is a damaged length. */
const LONGEST_RECORD = 0x1_0014;
const READABLE: ReadonlySet<number> = new Set(Object.values(PcapngLinkType));

/** How the file's numbers are to be read; `undefined` for no classic pcap file. Of fewer than four octets: whether it may become one. */
function orderOf(octets: Uint8Array): { readonly littleEndian: boolean; readonly isNano: boolean } | undefined {
  if (octets.length < 4) return undefined;
  const view = viewOf(octets);
  for (const littleEndian of [false, true]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === MICROSECONDS || magic === NANOSECONDS) return { littleEndian, isNano: magic === NANOSECONDS };
  }
  return undefined;
}

/** Whether a file that begins so may be classic pcap. */
export function isPcapStart(octets: Uint8Array): boolean {
  if (octets.length >= 4) return orderOf(octets) !== undefined;
  const starts = [
    [0xa1, 0xb2],
    [0xd4, 0xc3, 0xb2],
    [0x4d, 0x3c, 0xb2],
  ];
  return starts.some((start) => octets.subarray(0, start.length).every((octet, i) => octet === start[i]));
}

/**
 * Reads a classic pcap file in pieces of any size: either byte order, microseconds and nanoseconds, Bluetooth link types 187, 201 and 254.
 * Holds at most one unfinished record (64 KiB) besides the piece. The format does not tell of packets that were lost.
 */
export class PcapReader {
  readonly drops = 0;
  readonly #pieces = new Pieces();
  #order: { readonly littleEndian: boolean; readonly isNano: boolean } | undefined;
  #origin: Interface | undefined;
  #records = 0;
  #failed: CaptureError | undefined;

  /**
   * Yields every record that `chunk` completes.
   *
   * @throws {CaptureError} not a pcap file, another version or network, or a length that cannot be
   */
  *push(chunk: Uint8Array): Generator<AnyCaptureRecord, void> {
    if (this.#failed) throw this.#failed;
    this.#pieces.add(chunk);
    if (!this.#origin && !this.#readHeader()) return this.#pieces.release();
    for (;;) {
      const record = this.#readRecord(this.#origin!);
      if (record === "incomplete") break;
      if (record) yield record;
    }
    this.#pieces.release();
  }

  /** Says that the file is over. @throws {CaptureError} it ended inside its header or a record */
  end(): void {
    if (this.#failed) throw this.#failed;
    const { length, offset } = this.#pieces;
    if (!this.#origin) this.#fail("not-a-capture", `not a pcap capture: ${length} octets, its header has ${FILE_HEADER}`);
    if (length === 0) return;
    const needed = RECORD_HEADER + (length < RECORD_HEADER ? 0 : this.#pieces.uint32(8, this.#order!.littleEndian));
    this.#fail("truncated", `the capture ends inside record ${this.#records + 1} at offset ${offset}: ${length} of ${needed} octets`);
  }

  #fail(reason: CaptureError["reason"], problem: string): never {
    this.#failed = new CaptureError(reason, problem, { offset: this.#pieces.offset, records: this.#records });
    throw this.#failed;
  }

  #readHeader(): boolean {
    const { rest } = this.#pieces;
    if (!isPcapStart(rest)) this.#fail("not-a-capture", "not a pcap capture: it does not begin with its magic number");
    if (rest.length < FILE_HEADER) return false;
    const order = orderOf(rest)!;
    const view = viewOf(rest);
    const major = view.getUint16(4, order.littleEndian);
    if (major !== 2) this.#fail("unsupported", `pcap version ${major}: only version 2 is understood`);
    const linkType = view.getUint32(20, order.littleEndian) & 0xffff; // above it: octets of a frame check sequence
    if (!READABLE.has(linkType)) this.#fail("unsupported", `pcap link type ${linkType}: only ${[...READABLE].join(", ")} are understood`);
    this.#order = order;
    this.#origin = {
      linkType,
      isReadable: true,
      snapLength: 0,
      index: undefined,
      timeMs: () => 0, // the records have it in seconds and their fraction
      drops: 0,
      aclDirection: "controller-to-host",
    };
    this.#pieces.take(FILE_HEADER);
    return true;
  }

  #readRecord(origin: Interface): AnyCaptureRecord | undefined | "incomplete" {
    const pieces = this.#pieces;
    if (pieces.length < RECORD_HEADER) return "incomplete";
    const { littleEndian, isNano } = this.#order!;
    const length = pieces.uint32(8, littleEndian);
    if (length > LONGEST_RECORD)
      this.#fail(
        "damaged",
        `record ${this.#records + 1} at offset ${pieces.offset} claims ${length} octets of a packet: the capture is damaged`,
      );
    const end = RECORD_HEADER + length;
    if (pieces.length < end) return "incomplete";
    const fraction = pieces.uint32(4, littleEndian);
    const timeMs = (pieces.uint32(0, littleEndian) * 1_000_000 + (isNano ? Math.floor(fraction / 1000) : fraction)) / 1000;
    const originalLength = Math.max(length, pieces.uint32(12, littleEndian));
    const record = packetRecord(origin, pieces, RECORD_HEADER, end, { originalLength, direction: undefined, timeMs, drops: 0 });
    pieces.take(end);
    this.#records++;
    return record;
  }
}

/** Classic pcap: HCI packets of one adapter with their directions (link type 201), or the Linux monitor (254). It cannot say what is missing. */
export class PcapEncoder implements CaptureEncoder {
  readonly #linkType: number;
  #adapter: { readonly index: number | undefined } | undefined;

  constructor(content: "hci" | "monitor") {
    this.#linkType = content === "monitor" ? PcapngLinkType.LinuxMonitor : PcapngLinkType.HciH4WithPhdr;
  }

  header(): Uint8Array {
    const header = new Uint8Array(FILE_HEADER);
    const view = viewOf(header);
    view.setUint32(0, MICROSECONDS, true);
    view.setUint16(4, 2, true);
    view.setUint16(6, 4, true);
    view.setUint32(16, LONGEST_RECORD, true); // packets are not cut
    view.setUint32(20, this.#linkType, true);
    return header;
  }

  /** Handles are an adapter's own: packets of two in one stream would be taken for one link that never was. */
  packet(record: CaptureRecord): Uint8Array {
    this.#adapter ??= { index: record.index };
    if (record.index !== this.#adapter.index)
      throw new ArgumentError('packets of two adapters: a pcap file holds HCI packets of one; write pcapng, or content "monitor"');
    const { direction, packet, originalLength } = record;
    return encodeRecord(record, packet, originalLength, (view) => view.setUint32(0, direction === "controller-to-host" ? 1 : 0));
  }

  monitor({ index, opcode, payload, originalLength = payload.length, timeMs }: MonitorRecord): Uint8Array {
    return encodeRecord({ timeMs }, payload, originalLength, (view) => {
      view.setUint16(0, index);
      view.setUint16(2, opcode);
    });
  }

  trailer(): undefined {
    return undefined;
  }
}

/** @param pseudoHeader writes the four octets, big-endian, in front of the data */
function encodeRecord(
  { timeMs }: { readonly timeMs: number },
  data: Uint8Array,
  originalLength: number,
  pseudoHeader: (view: DataView) => void,
): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER + 4 + data.length);
  const view = viewOf(bytes);
  const time = Math.max(0, Math.round(timeMs * 1000)); // there is no time before 1970
  view.setUint32(0, Math.floor(time / 1_000_000), true);
  view.setUint32(4, time % 1_000_000, true);
  view.setUint32(8, 4 + data.length, true);
  view.setUint32(12, 4 + originalLength, true);
  pseudoHeader(viewOf(bytes.subarray(RECORD_HEADER)));
  bytes.set(data, RECORD_HEADER + 4);
  return bytes;
}
