import type { Link } from "./host.ts";

/** What an application does with what it gets; each is a program that an application writer would write with that host. */
export type Application =
  /** Looks at the first octet of the manufacturer data of each report. */
  | "manufacturer data"
  /** Looks at the advertiser's address and name too. */
  | "all"
  /** As the two before, of one discovery for an advertisement and its scan response. */
  | "merged"
  | "merged, all"
  /** Looks at the length of each notified value. */
  | "values";

/** How packets come: the same arrays again and again, arrays of their own, or what Node's sockets give, which lie in a pool. */
export type Form = "the same arrays" | "fresh arrays" | "fresh Buffers";

export interface Received {
  readonly name: string;
  readonly goal?: string;
  readonly application: Application;
  readonly form: Form;
  /** Of one item. */
  readonly packetsPerItem: number;
  /** Whole items. */
  packets(link: Link): Uint8Array[];
}

export interface Written {
  readonly name: string;
  readonly goal?: string;
  readonly write: "with response" | "without response";
}

export type Workload = Received | Written;

/** Where applications put what they look at, so that the compiler cannot drop their work. */
export const seen = { octets: 0, items: 0 };

export const SERVICE = 0x180d;
export const CHARACTERISTIC = 0x2a37;
export const VALUE = new Uint8Array(20).fill(7);

const REPORTS = { application: "manufacturer data", form: "the same arrays", packetsPerItem: 1, packets: () => reports(0x03) } as const;
const PAIRS = { application: "manufacturer data", form: "the same arrays", packetsPerItem: 2, packets: () => pairs(1) } as const;
/** More than a filter of duplicates remembers. */
const VERSIONS = 32;
const CHANGING = { ...PAIRS, packets: () => pairs(VERSIONS) } as const;
const notified = (length: number, fragment: number) => ({
  application: "values" as const,
  form: "the same arrays" as const,
  packetsPerItem: Math.ceil((length + 7) / fragment),
  packets: ({ connectionHandle, valueHandle }: Link) => notifications(connectionHandle, valueHandle, length, fragment),
});
const [SHORT, LONG, FRAGMENTED] = [notified(20, 251), notified(244, 251), notified(244, 27)];

export const WORKLOADS: readonly Workload[] = [
  { ...REPORTS, name: "reports of 31 octets, manufacturer data read", goal: "20 ×" },
  { ...PAIRS, name: "pairs of advertisement and scan response", goal: "10 ×" },
  { ...SHORT, name: "notifications of 20 octets", goal: "20 ×" },
  { ...LONG, name: "notifications of 244 octets", goal: "15 ×" },
  { ...FRAGMENTED, name: "notifications of 244 octets in ten fragments", goal: "6 ×" },
  { write: "with response", name: "writes of 20 octets with response", goal: "10 ×" },
  { write: "without response", name: "writes of 20 octets without response", goal: "14 ×" },
];

/** The same with packets of other makes, and with applications that look at more: where the first are fast by luck, these are not. */
export const VARIATIONS: readonly Workload[] = [
  { ...REPORTS, form: "fresh arrays", name: "reports, fresh arrays" },
  { ...REPORTS, form: "fresh Buffers", name: "reports, fresh Buffers" },
  { ...REPORTS, application: "all", name: "reports, address, name and manufacturer data read" },
  { ...REPORTS, packets: () => reports(0x03, 0x33), name: "reports of ADV_NONCONN_IND, no scan response known" },
  { ...REPORTS, packets: () => reports(0x00, 0x34), name: "reports of ADV_IND, no scan response known" },
  { ...REPORTS, packets: () => reports(0x02, 0x35), name: "reports of ADV_SCAN_IND, no scan response known" },
  { ...PAIRS, form: "fresh Buffers", name: "pairs, fresh Buffers" },
  { ...PAIRS, application: "all", name: "pairs, address, name and manufacturer data read" },
  { ...CHANGING, name: "pairs that change" },
  { ...CHANGING, application: "merged", name: "pairs that change, merged to one" },
  { ...CHANGING, application: "merged, all", form: "fresh arrays", name: "pairs that change, merged to one, all read" },
  { ...SHORT, form: "fresh arrays", name: "notifications of 20 octets, fresh arrays" },
  { ...SHORT, form: "fresh Buffers", name: "notifications of 20 octets, fresh Buffers" },
  { ...LONG, form: "fresh arrays", name: "notifications of 244 octets, fresh arrays" },
  { ...LONG, form: "fresh Buffers", name: "notifications of 244 octets, fresh Buffers" },
  { ...FRAGMENTED, form: "fresh arrays", name: "ten fragments, fresh arrays" },
  { ...FRAGMENTED, form: "fresh Buffers", name: "ten fragments, fresh Buffers" },
];

/** Octets of a legacy report before its data: packet type, event, length, subevent, count, kind, address kind, address, length. */
const DATA_OFFSET = 14;

export function report(kind: number, advertiser: number, data: readonly number[]): Uint8Array {
  const packet = new Uint8Array(DATA_OFFSET + data.length + 1);
  packet.set([0x04, 0x3e, data.length + 12, 0x02, 1, kind, 0x01, advertiser, 0x22, 0x33, 0x44, 0x55, 0xc0, data.length]);
  packet.set(data, DATA_OFFSET);
  packet[packet.length - 1] = 0xc4;
  return packet;
}

/** Flags, complete name "Jell", a service, and manufacturer data: 31 octets. The last one of the data is `last`. */
export const advertisingData = (last: number): number[] => [
  ...[2, 0x01, 0x06, 5, 0x09, 0x4a, 0x65, 0x6c, 0x6c, 3, 0x03, 0x0d, 0x18],
  ...[17, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, last],
];

/**
 * 256 legacy reports of as many advertisers, each an event with 31 octets of data.
 *
 * @param kind 0x03, ADV_NONCONN_IND, is of those whom nobody can ask for more
 * @param group an octet of the address; 0x22 is of those of the pairs, whose last scan response is shown with each report once it was heard
 */
function reports(kind: number, group = 0x22): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => {
    const packet = report(kind, i, advertisingData(i));
    packet[8] = group;
    return packet;
  });
}

/**
 * Of each of 256 advertisers a scannable advertisement of 31 octets and its scan response of 29.
 *
 * @param versions how many there are of each, in turn, the data of one unlike that of the one before
 */
function pairs(versions: number): Uint8Array[] {
  return Array.from({ length: 256 * versions }, (_, i) => [
    report(0x00, i & 0xff, advertisingData((i + (i >> 8)) & 0xff)),
    report(0x04, i & 0xff, [2, 0x0a, 4, 25, 0xff, 0xfe, 0xff, ...Array.from({ length: 22 }, (__, k) => (k + i + (i >> 8)) & 0xff)]),
  ]).flat();
}

/** ACL data packets with one notification each, of `length` octets, in fragments of at most `fragment` octets. */
export function notifications(connectionHandle: number, valueHandle: number, length: number, fragment: number): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => {
    const pdu = new Uint8Array(7 + length).fill(i);
    pdu.set([(length + 3) & 0xff, (length + 3) >> 8, 4, 0, 0x1b, valueHandle & 0xff, valueHandle >> 8]);
    return fragments(connectionHandle, pdu, fragment);
  }).flat();
}

function fragments(handle: number, pdu: Uint8Array, longest: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < pdu.length; at += longest) {
    const piece = pdu.subarray(at, at + longest);
    packets.push(Uint8Array.of(0x02, handle & 0xff, (handle >> 8) | (at === 0 ? 0x20 : 0x10), piece.length, 0, ...piece));
  }
  return packets;
}
