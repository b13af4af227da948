import { PacketType } from "../hci/transport.ts";
import { monitored } from "./monitored.ts";
import { Option, PcapngLinkType } from "./pcapng-blocks.ts";
import type { Pieces } from "./pieces.ts";
import { type AnyCaptureRecord, type CaptureDirection, viewOf } from "./record.ts";

/** An interface of a section: what its packets are, and how its time counts. */
export interface Interface {
  readonly linkType: number;
  readonly isReadable: boolean;
  /** Octets kept of a packet; 0 for all. */
  readonly snapLength: number;
  /** Number of the adapter, where the file tells several apart. */
  readonly index: number | undefined;
  /** Milliseconds since 1970 of a time stamp, in its two halves. */
  timeMs(high: number, low: number): number;
  /** Packets lost, by the interface's last statistics. */
  drops: number;
  /** Where the last ACL packet that began a frame went; its continuations go the same way. */
  aclDirection: CaptureDirection;
}

const READABLE: ReadonlySet<number> = new Set(Object.values(PcapngLinkType));

/**
 * @param description fields and options of its block
 * @param others interfaces of the section before it
 */
export function interfaceOf(
  description: {
    readonly linkType: number;
    readonly snapLength: number;
    readonly options: ReadonlyMap<number, Uint8Array>;
    readonly littleEndian: boolean;
  },
  others: readonly Interface[],
): Interface {
  const { linkType, snapLength, options, littleEndian } = description;
  const isReadable = READABLE.has(linkType);
  return {
    linkType,
    isReadable,
    snapLength,
    index: isReadable && linkType !== PcapngLinkType.LinuxMonitor ? indexOf(options.get(Option.IfName), others) : undefined,
    timeMs: timeOf(options, littleEndian),
    drops: 0,
    aclDirection: "controller-to-host",
  };
}

const MICROSECONDS = 6;
const NANOSECONDS = 9;

/** How the interface's time stamps are read. */
function timeOf(options: ReadonlyMap<number, Uint8Array>, littleEndian: boolean): Interface["timeMs"] {
  const resolution = options.get(Option.IfTsResol)?.[0] ?? MICROSECONDS;
  const exponent = BigInt(resolution & 0x7f);
  const perSecond = resolution & 0x80 ? 1n << exponent : 10n ** exponent;
  const offset = options.get(Option.IfTsOffset);
  const offsetSeconds = offset?.length === 8 ? viewOf(offset).getBigInt64(0, littleEndian) : 0n;
  const anyTime = (high: number, low: number): number => {
    const stamp = (BigInt(high) << 32n) | BigInt(low);
    return Number((stamp * 1_000_000n) / perSecond + offsetSeconds * 1_000_000n) / 1000;
  };
  if (offsetSeconds !== 0n) return anyTime;
  // What programs write: numbers of 53 bits hold these, and take a hundredth of the time.
  if (resolution === MICROSECONDS) return (high, low) => (high < 0x20_0000 ? (high * 0x1_0000_0000 + low) / 1000 : anyTime(high, low));
  if (resolution === NANOSECONDS)
    return (high, low) => (high < 0x2000_0000 ? (high * 4_294_967 + Math.floor((high * 296 + low) / 1000)) / 1000 : anyTime(high, low));
  return anyTime;
}

/** The number in the interface's name (hci0, bluetooth0); without one the first interface is of no numbered adapter. */
function indexOf(name: Uint8Array | undefined, others: readonly Interface[]): number | undefined {
  const number = /^(?:hci|bluetooth)(\d{1,4})$/.exec(new TextDecoder().decode(name))?.[1];
  if (number !== undefined) return Number(number);
  const before = others.filter(({ isReadable }) => isReadable).length;
  return before > 0 ? before : undefined;
}

interface PacketData {
  readonly originalLength: number;
  /** By the packet's flags. */
  readonly direction: CaptureDirection | undefined;
  readonly timeMs: number;
  readonly drops: number;
}

/** What a packet of the interface is whose data lie between `from` and `to`; `undefined` where it is too short to be anything. */
export function packetRecord(
  origin: Interface,
  pieces: Pieces,
  from: number,
  to: number,
  { originalLength, direction, timeMs, drops }: PacketData,
): AnyCaptureRecord | undefined {
  const { linkType, index } = origin;
  if (linkType === PcapngLinkType.HciH4) {
    if (to === from) return undefined;
    const packet = pieces.slice(from, to);
    return { direction: direction ?? usualDirection(origin, packet), packet, index, timeMs, drops, originalLength };
  }
  const payload = from + 4;
  if (payload > to) return undefined;
  if (linkType === PcapngLinkType.LinuxMonitor) {
    const [number, opcode] = [pieces.uint16(from), pieces.uint16(from + 2)];
    return monitored(pieces, payload, to, { opcode, index: number, timeMs, drops, originalLength: originalLength - 4 });
  }
  if (payload === to) return undefined;
  const stated: CaptureDirection = pieces.uint32(from) & 1 ? "controller-to-host" : "host-to-controller";
  return { direction: stated, packet: pieces.slice(payload, to), index, timeMs, drops, originalLength: originalLength - 4 };
}

/**
 * H4 without a direction: commands and events have one only. Of data, frames that begin with boundary flag 0b00 come from an LE host and
 * all others from a controller, which must not send that (Vol 4 Part E 5.4.2).
 */
function usualDirection(origin: Interface, packet: Uint8Array): CaptureDirection {
  if (packet[0] === PacketType.Command) return "host-to-controller";
  if (packet[0] !== PacketType.AclData) return "controller-to-host";
  const boundary = ((packet[2] ?? 0) >> 4) & 0b11;
  if (boundary !== 0b01) origin.aclDirection = boundary === 0b00 ? "host-to-controller" : "controller-to-host";
  return origin.aclDirection;
}
