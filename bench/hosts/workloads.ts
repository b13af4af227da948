/**
 * The same packets for every host: what a controller says to it, and what its application then looks at. Each workload is a program that
 * an application writer would write with that host.
 */
export const WORKLOADS = [
  "reports of 31 octets, manufacturer data read",
  "pairs of advertisement and scan response, merged",
  "notifications of 20 octets",
  "notifications of 244 octets",
  "notifications of 244 octets in ten fragments",
  "writes of 20 octets with response",
  "writes of 20 octets without response",
] as const;

export type Workload = (typeof WORKLOADS)[number];

/** One host with a link to a peer, its packets in the hands of the measurement. */
export interface Host {
  readonly name: string;
  /** Does the work `count` times. */
  readonly works: Readonly<Record<Workload, (count: number) => void | Promise<void>>>;
}

/** Where applications put what they look at, so that the compiler cannot drop their work. */
export const seen = { octets: 0, items: 0 };

export const SERVICE = 0x180d;
export const CHARACTERISTIC = 0x2a37;
export const VALUE = new Uint8Array(20).fill(7);

/** The workloads of packets that come in, which are the same program for every host: what it does with them it does in its listeners. */
export function received(
  link: { readonly connectionHandle: number; readonly valueHandle: number },
  toHost: (packet: Uint8Array) => void,
): Omit<Host["works"], `writes${string}`> {
  const inject = (packets: readonly Uint8Array[], perItem = 1) => {
    let at = 0;
    return (count: number): void => {
      for (let i = count * perItem; i > 0; i--) {
        toHost(packets[at]!);
        if (++at === packets.length) at = 0;
      }
    };
  };
  const values = (length: number, fragment: number): Uint8Array[] =>
    notifications(link.connectionHandle, link.valueHandle, length, fragment);
  return {
    "reports of 31 octets, manufacturer data read": inject(reports()),
    "pairs of advertisement and scan response, merged": inject(pairs(), 2),
    "notifications of 20 octets": inject(values(20, 251)),
    "notifications of 244 octets": inject(values(244, 251)),
    "notifications of 244 octets in ten fragments": inject(values(244, 27), 10),
  };
}

/** Octets of a legacy report before its data: packet type, event, length, subevent, count, kind, address kind, address, length. */
const DATA_OFFSET = 14;

function report(kind: number, advertiser: number, data: readonly number[]): Uint8Array {
  const packet = new Uint8Array(DATA_OFFSET + data.length + 1);
  packet.set([0x04, 0x3e, data.length + 12, 0x02, 1, kind, 0x01, advertiser, 0x22, 0x33, 0x44, 0x55, 0xc0, data.length]);
  packet.set(data, DATA_OFFSET);
  packet[packet.length - 1] = 0xc4;
  return packet;
}

/** Flags, complete name "Jell", a service, and manufacturer data: 31 octets. The last one of the data is `last`. */
const advertisingData = (last: number): number[] => [
  ...[2, 0x01, 0x06, 5, 0x09, 0x4a, 0x65, 0x6c, 0x6c, 3, 0x03, 0x0d, 0x18],
  ...[17, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, last],
];

/** 256 legacy reports of as many advertisers that nobody can ask for more: each is one event of 31 octets of data. */
export function reports(): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => report(0x03, i, advertisingData(i)));
}

/** 256 pairs of a scannable advertisement of 31 octets and its scan response of 29. */
export function pairs(): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => [
    report(0x00, i, advertisingData(i)),
    report(0x04, i, [2, 0x0a, 4, 25, 0xff, 0xfe, 0xff, ...Array.from({ length: 22 }, (__, k) => k + i), 0].slice(0, 29)),
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
