import { concat } from "../bytes/index.ts";
import { CaptureError } from "./error.ts";
import { BlockType, BYTE_ORDER_MAGIC, block, Option, options, PcapngLinkType, padded, readOptions, words } from "./pcapng-blocks.ts";
import { type Interface, interfaceOf, packetRecord } from "./pcapng-interface.ts";
import { Pieces } from "./pieces.ts";
import { type AnyCaptureRecord, type MonitorRecord, microseconds, viewOf, type WrittenRecord } from "./record.ts";

const MICROSECONDS = 6;
const INBOUND = 1;
const OUTBOUND = 2;

/** Section header and the one interface, in front of the first packet. */
export function encodePcapngHeader(linkType: number = PcapngLinkType.HciH4WithPhdr): Uint8Array {
  const program = new TextEncoder().encode("jelling");
  const section = block(
    BlockType.SectionHeader,
    words([32, BYTE_ORDER_MAGIC], [16, 1], [16, 0], [64, -1n]), // version 1.0, length of the section not known
    options([Option.ShbUserAppl, program]),
  );
  return concat(section, encodePcapngInterface(linkType));
}

/** One more interface, numbered in the order in which they are described. @param name for one of several adapters: "hci1" */
export function encodePcapngInterface(linkType: number, name?: string): Uint8Array {
  const resolution: readonly [number, Uint8Array] = [Option.IfTsResol, Uint8Array.of(MICROSECONDS)];
  return block(
    BlockType.InterfaceDescription,
    words([16, linkType], [16, 0], [32, 0]), // packets are not cut
    name === undefined ? options(resolution) : options([Option.IfName, new TextEncoder().encode(name)], resolution),
  );
}

/** A packet of an interface of link type 201: the direction, then H4. */
export function encodePcapngRecord(
  { direction, packet, timeMs, originalLength = packet.length, comment }: WrittenRecord,
  interfaceNumber = 0,
): Uint8Array {
  const data = new Uint8Array(4 + packet.length);
  const received = direction === "controller-to-host";
  viewOf(data).setUint32(0, received ? 1 : 0);
  data.set(packet, 4);
  const flags = options(...commentOption(comment), [Option.EpbFlags, words([32, received ? INBOUND : OUTBOUND])]);
  return enhancedPacket(data, { originalLength: 4 + originalLength, timeMs, interfaceNumber, further: flags });
}

/** A record of an interface of link type 254: adapter and kind of record, then the payload. */
export function encodePcapngMonitorRecord(record: MonitorRecord): Uint8Array {
  const { index, opcode, payload, timeMs, originalLength = payload.length, comment } = record;
  const data = new Uint8Array(4 + payload.length);
  const view = viewOf(data);
  view.setUint16(0, index);
  view.setUint16(2, opcode);
  data.set(payload, 4);
  return enhancedPacket(data, {
    originalLength: 4 + originalLength,
    timeMs,
    interfaceNumber: 0,
    further: comment ? options(...commentOption(comment)) : new Uint8Array(0),
  });
}

/** An option's length has 16 bits. */
const LONGEST_COMMENT = 0xffff;

function commentOption(comment: string | undefined): [number, Uint8Array][] {
  if (!comment) return [];
  const octets = new Uint8Array(LONGEST_COMMENT);
  return [[Option.Comment, octets.subarray(0, new TextEncoder().encodeInto(comment, octets).written)]];
}

function enhancedPacket(
  data: Uint8Array,
  about: { originalLength: number; timeMs: number; interfaceNumber: number; further: Uint8Array },
): Uint8Array {
  const lengths = words([32, data.length], [32, about.originalLength]);
  return block(BlockType.EnhancedPacket, interfaceAndTime(about.interfaceNumber, about.timeMs), lengths, data, about.further);
}

/** What is said of the first interface at the end: packets that did not get into the file. */
export function encodePcapngStatistics({ drops, timeMs }: { drops: number; timeMs: number }): Uint8Array {
  return block(BlockType.InterfaceStatistics, interfaceAndTime(0, timeMs), options([Option.IsbIfDrop, words([64, drops])]));
}

/** The time's upper half comes first; there is no time before 1970. */
function interfaceAndTime(interfaceNumber: number, timeMs: number): Uint8Array {
  const time = microseconds(Math.max(0, timeMs));
  return words([32, interfaceNumber], [32, time >> 32n], [32, time & 0xffff_ffffn]);
}

/** The longest block that is held; one of a Bluetooth packet has 64 KiB and its options. */
const LONGEST_BLOCK = 0x10_0000;
/** Interfaces of a section; a capture of more is damaged, or made to fill the memory. */
export const MOST_INTERFACES = 1024;

/** Type and length of a block are before its body. */
const BODY = 8;
/** Of an Enhanced Packet Block: behind the interface and the time are two lengths, then the data. */
const PACKET_LENGTH_AT = BODY + 12;
const PACKET_DATA_AT = BODY + 20;

const KNOWN_BLOCKS: ReadonlySet<number> = new Set(Object.values(BlockType));
const LEAST_LENGTHS: Readonly<Record<number, number>> = {
  [BlockType.SectionHeader]: 28,
  [BlockType.InterfaceDescription]: 20,
  [BlockType.SimplePacket]: 16,
  [BlockType.InterfaceStatistics]: 24,
  [BlockType.EnhancedPacket]: 32,
};

/**
 * Reads a pcapng file in pieces of any size: either byte order, several sections, interfaces of Bluetooth link types 187, 201 and 254.
 * Packets of other interfaces and blocks of other kinds are passed over. Holds at most one unfinished block (1 MiB) besides the piece.
 */
export class PcapngReader {
  readonly #pieces = new Pieces();
  #littleEndian = true;
  #inSection = false;
  #interfaces: Interface[] = [];
  /** Octets of a block that is passed over which are still to come, and the length it claims. */
  #passing: { left: number; total: number } | undefined;
  #records = 0;
  #lostBetween = 0;
  /** By the last statistics of each interface. */
  #lostByStatistics = 0;
  /** Losses of the sections before this one. */
  #lostBefore = 0;
  #lastMs = 0;
  #foreign: number | undefined;
  #readable = false;
  #failed: CaptureError | undefined;

  /** Packets lost by the capturing program, as far as the file has said by now. */
  get drops(): number {
    return this.#lostBefore + this.#sectionDrops();
  }

  /**
   * Yields every record that `chunk` completes.
   *
   * @throws {CaptureError} not a pcapng file, another version, or a length that cannot be
   */
  *push(chunk: Uint8Array): Generator<AnyCaptureRecord, void> {
    if (this.#failed) throw this.#failed;
    this.#pieces.add(chunk);
    for (;;) {
      if (this.#passing) {
        if (!this.#pass(this.#passing)) break;
        continue;
      }
      const found = this.#block();
      if (found === "incomplete") break;
      if (found) yield found;
    }
    this.#pieces.release();
  }

  /** Says that the file is over. @throws {CaptureError} it ended inside a block, or has packets of other networks only */
  end(): void {
    if (this.#failed) throw this.#failed;
    const { length, offset } = this.#pieces;
    if (!this.#inSection) this.#fail("not-a-capture", `not a pcapng capture: ${length} octets, its header has 28`);
    if (this.#passing || length > 0)
      this.#fail("truncated", `the capture ends inside the block after record ${this.#records} at offset ${offset}`);
    if (!this.#readable && this.#foreign !== undefined)
      this.#fail("unsupported", `pcapng link type ${this.#foreign}: only ${Object.values(PcapngLinkType).join(", ")} are understood`);
  }

  #fail(reason: CaptureError["reason"], problem: string): never {
    this.#failed = new CaptureError(reason, problem, { offset: this.#pieces.offset, records: this.#records });
    throw this.#failed;
  }

  #damaged(problem: string): never {
    this.#fail("damaged", `the block after record ${this.#records} at offset ${this.#pieces.offset} ${problem}: the capture is damaged`);
  }

  /** Takes octets of a block nobody reads. @returns whether it is over */
  #pass(passing: { left: number; total: number }): boolean {
    const pieces = this.#pieces;
    const length = Math.min(passing.left, pieces.length);
    pieces.take(length);
    passing.left -= length;
    if (passing.left > 0 || pieces.length < 4) return false;
    this.#checkTrailer(pieces.uint32(0, this.#littleEndian), passing.total);
    pieces.take(4);
    this.#passing = undefined;
    return true;
  }

  #checkTrailer(length: number, total: number): void {
    if (length !== total) this.#damaged(`begins with length ${total} and ends with ${length}`);
  }

  /** `undefined` is a block that is no packet. */
  #block(): AnyCaptureRecord | undefined | "incomplete" {
    const pieces = this.#pieces;
    if (!this.#inSection && !isSectionStart(pieces.rest))
      this.#fail("not-a-capture", "not a pcapng capture: it begins with no section header");
    if (pieces.length < 12) return "incomplete";
    if (pieces.uint32(0) === BlockType.SectionHeader) this.#takeByteOrder(); // the type is the same in both
    const type = pieces.uint32(0, this.#littleEndian);
    const total = pieces.uint32(4, this.#littleEndian);
    if (total % 4 !== 0 || total < (LEAST_LENGTHS[type] ?? 12)) this.#damaged(`claims a length of ${total}`);
    if (!KNOWN_BLOCKS.has(type) || this.#isForeignPacket(type)) {
      pieces.take(8);
      this.#passing = { left: total - 12, total };
      return undefined;
    }
    if (total > LONGEST_BLOCK) this.#damaged(`claims a length of ${total}`);
    if (pieces.length < total) return "incomplete";
    this.#checkTrailer(pieces.uint32(total - 4, this.#littleEndian), total);
    const record = this.#read(type, total - 4);
    pieces.take(total);
    return record;
  }

  #takeByteOrder(): void {
    const magic = this.#pieces.uint32(8);
    if (magic !== BYTE_ORDER_MAGIC && this.#pieces.uint32(8, true) !== BYTE_ORDER_MAGIC)
      this.#damaged("is a section header of no byte order");
    this.#littleEndian = magic !== BYTE_ORDER_MAGIC;
  }

  #isForeignPacket(type: number): boolean {
    if (type === BlockType.SimplePacket) return this.#interfaces[0] !== undefined && !this.#interfaces[0].isReadable;
    if (type !== BlockType.EnhancedPacket) return false;
    const origin = this.#interfaces[this.#pieces.uint32(8, this.#littleEndian)];
    return origin !== undefined && !origin.isReadable;
  }

  /** @param end of the block's body, which begins behind its type and length */
  #read(type: number, end: number): AnyCaptureRecord | undefined {
    switch (type) {
      case BlockType.EnhancedPacket:
        return this.#enhancedPacket(end);
      case BlockType.SimplePacket:
        return this.#simplePacket(end);
      case BlockType.SectionHeader:
        return this.#section(this.#pieces.slice(BODY, end));
      case BlockType.InterfaceDescription:
        return this.#interface(this.#pieces.slice(BODY, end));
      default:
        return this.#statistics(this.#pieces.slice(BODY, end));
    }
  }

  #section(body: Uint8Array): undefined {
    const major = viewOf(body).getUint16(4, this.#littleEndian);
    if (major !== 1) this.#fail("unsupported", `pcapng version ${major}: only version 1 is understood`);
    this.#lostBefore += this.#sectionDrops();
    this.#lostBetween = 0;
    this.#lostByStatistics = 0;
    this.#interfaces = [];
    this.#inSection = true;
  }

  #options(octets: Uint8Array): ReadonlyMap<number, Uint8Array> {
    return readOptions(octets, this.#littleEndian) ?? this.#damaged("has an option that is longer than the block");
  }

  #interface(body: Uint8Array): undefined {
    if (this.#interfaces.length === MOST_INTERFACES) this.#damaged(`is interface ${MOST_INTERFACES + 1}`);
    const view = viewOf(body);
    const added = interfaceOf(
      {
        linkType: view.getUint16(0, this.#littleEndian),
        snapLength: view.getUint32(4, this.#littleEndian),
        options: this.#options(body.subarray(8)),
        littleEndian: this.#littleEndian,
      },
      this.#interfaces,
    );
    if (added.isReadable) this.#readable = true;
    else this.#foreign ??= added.linkType;
    this.#interfaces.push(added);
  }

  #origin(number: number): Interface {
    return this.#interfaces[number] ?? this.#damaged(`names interface ${number} of ${this.#interfaces.length}`);
  }

  #statistics(body: Uint8Array): undefined {
    const view = viewOf(body);
    const origin = this.#origin(view.getUint32(0, this.#littleEndian));
    const drops = this.#options(body.subarray(12)).get(Option.IsbIfDrop);
    if (drops?.length !== 8 || !origin.isReadable) return;
    origin.drops = Number(viewOf(drops).getBigUint64(0, this.#littleEndian));
    // Added anew: of a difference to a number that no file should have, a part would stay behind.
    this.#lostByStatistics = this.#interfaces.reduce((sum, each) => sum + each.drops, 0);
  }

  #enhancedPacket(end: number): AnyCaptureRecord | undefined {
    const pieces = this.#pieces;
    const littleEndian = this.#littleEndian;
    const origin = this.#origin(pieces.uint32(BODY, littleEndian));
    const length = pieces.uint32(PACKET_LENGTH_AT, littleEndian);
    const optionsAt = PACKET_DATA_AT + padded(length);
    if (optionsAt > end || length > LONGEST_BLOCK) this.#damaged(`claims ${length} octets of a packet`);
    this.#lastMs = origin.timeMs(pieces.uint32(BODY + 4, littleEndian), pieces.uint32(BODY + 8, littleEndian));
    const originalLength = Math.max(length, pieces.uint32(PACKET_LENGTH_AT + 4, littleEndian));
    let flags = 0;
    let comment: string | undefined;
    for (let at = optionsAt; at + 4 <= end; ) {
      const code = pieces.uint16(at, littleEndian);
      const size = pieces.uint16(at + 2, littleEndian);
      if (code === Option.EndOfOptions) break;
      const value = at + 4;
      at = value + padded(size);
      if (value + size > end) this.#damaged("has an option that is longer than the block");
      if (code === Option.EpbFlags && size === 4) flags = pieces.uint32(value, littleEndian);
      else if (code === Option.EpbDropCount && size === 8) this.#lostBetween += this.#uint64(value);
      else if (code === Option.Comment) comment = new TextDecoder().decode(pieces.slice(value, value + size));
    }
    return this.#packet(origin, PACKET_DATA_AT, PACKET_DATA_AT + length, { originalLength, flags, comment });
  }

  #uint64(at: number): number {
    const [first, second] = [this.#pieces.uint32(at, this.#littleEndian), this.#pieces.uint32(at + 4, this.#littleEndian)];
    return this.#littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second;
  }

  /** Belongs to the first interface; has no time of its own, so that of the packet before is told. */
  #simplePacket(end: number): AnyCaptureRecord | undefined {
    const origin = this.#origin(0);
    const originalLength = this.#pieces.uint32(BODY, this.#littleEndian);
    const length = Math.min(originalLength, origin.snapLength || originalLength);
    const from = BODY + 4;
    if (from + padded(length) > end || length > LONGEST_BLOCK) this.#damaged(`claims ${length} octets of a packet`);
    return this.#packet(origin, from, from + length, { originalLength, flags: 0, comment: undefined });
  }

  #packet(
    origin: Interface,
    from: number,
    to: number,
    { originalLength, flags, comment }: { originalLength: number; flags: number; comment: string | undefined },
  ): AnyCaptureRecord | undefined {
    this.#records++;
    const way = flags & 0b11;
    const record = packetRecord(origin, this.#pieces, from, to, {
      originalLength,
      direction: way === INBOUND ? "controller-to-host" : way === OUTBOUND ? "host-to-controller" : undefined,
      timeMs: this.#lastMs,
      drops: this.drops,
    });
    return record && comment !== undefined ? { ...record, comment } : record;
  }

  /** Some programs count the packets lost before each, some at the end, some do both. */
  #sectionDrops(): number {
    return Math.max(this.#lostBetween, this.#lostByStatistics);
  }
}

/** Whether a file that begins so may be pcapng: the type of a section header reads the same in both byte orders. */
export function isSectionStart(octets: Uint8Array): boolean {
  const start = [0x0a, 0x0d, 0x0d, 0x0a];
  return octets.subarray(0, 4).every((octet, i) => octet === start[i]);
}
