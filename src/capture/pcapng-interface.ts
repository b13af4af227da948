import { PacketType } from "../hci/transport.ts";
import { Option, PcapngLinkType } from "./pcapng-blocks.ts";
import { type AnyCaptureRecord, type CaptureDirection, hciPacketOf, viewOf } from "./record.ts";

/** An interface of a section: what its packets are, and how its time counts. */
export interface Interface {
  readonly linkType: number;
  readonly isReadable: boolean;
  /** Octets kept of a packet; 0 for all. */
  readonly snapLength: number;
  /** Number of the adapter, where the file tells several apart. */
  readonly index: number | undefined;
  /** Milliseconds since 1970 of a time stamp. */
  timeMs(stamp: bigint): number;
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
  const resolution = options.get(Option.IfTsResol)?.[0] ?? 6;
  const exponent = BigInt(resolution & 0x7f);
  const perSecond = resolution & 0x80 ? 1n << exponent : 10n ** exponent;
  const offset = options.get(Option.IfTsOffset);
  const offsetSeconds = offset?.length === 8 ? viewOf(offset).getBigInt64(0, littleEndian) : 0n;
  return {
    linkType,
    isReadable,
    snapLength,
    index: isReadable && linkType !== PcapngLinkType.LinuxMonitor ? indexOf(options.get(Option.IfName), others) : undefined,
    timeMs: (stamp) => Number((stamp * 1_000_000n) / perSecond + offsetSeconds * 1_000_000n) / 1000,
    drops: 0,
    aclDirection: "controller-to-host",
  };
}

/** The number in the interface's name (hci0, bluetooth0); without one the first interface is of no numbered adapter. */
function indexOf(name: Uint8Array | undefined, others: readonly Interface[]): number | undefined {
  const number = /^(?:hci|bluetooth)(\d{1,4})$/.exec(new TextDecoder().decode(name))?.[1];
  if (number !== undefined) return Number(number);
  const before = others.filter(({ isReadable }) => isReadable).length;
  return before > 0 ? before : undefined;
}

interface PacketData {
  readonly data: Uint8Array;
  readonly originalLength: number;
  /** By the packet's flags. */
  readonly direction: CaptureDirection | undefined;
  readonly timeMs: number;
  readonly drops: number;
}

/** What a packet of the interface is; `undefined` where it is too short to be anything. */
export function packetRecord(
  origin: Interface,
  { data, originalLength, direction, timeMs, drops }: PacketData,
): AnyCaptureRecord | undefined {
  const about = { timeMs, drops };
  if (origin.linkType === PcapngLinkType.HciH4) {
    if (data.length === 0) return undefined;
    return { direction: direction ?? usualDirection(origin, data), packet: data.slice(), index: origin.index, ...about, originalLength };
  }
  if (data.length < 4) return undefined;
  const view = viewOf(data);
  const payload = data.slice(4);
  if (origin.linkType === PcapngLinkType.LinuxMonitor) {
    const record = { opcode: view.getUint16(2), index: view.getUint16(0), payload, ...about, originalLength: originalLength - 4 };
    return hciPacketOf(record) ?? record;
  }
  if (payload.length === 0) return undefined;
  const stated: CaptureDirection = view.getUint32(0) & 1 ? "controller-to-host" : "host-to-controller";
  return { direction: stated, packet: payload, index: origin.index, ...about, originalLength: originalLength - 4 };
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
