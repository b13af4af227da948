import { concat, fromHex, toHex } from "../../src/bytes/index.ts";
import { NO_SECURITY } from "../../src/core/link-security.ts";
import { encodeEvent, NumberOfCompletedPackets } from "../../src/hci/index.ts";
import { L2cap, type L2capLink, type L2capListeners, type LinkOwner } from "../../src/l2cap/index.ts";
import { type OpenedHci, openScriptedHci } from "./scripted-hci.ts";

const HANDLE = 0x40;

export interface L2capPeer extends OpenedHci {
  readonly link: L2capLink;
  readonly channels: L2capLink["channels"];
  readonly listeners: L2capListeners;
  /** The peer's PDU arrives: octets, or hexadecimal. */
  readonly receive: (channelId: number, pdu: string | Uint8Array) => void;
  /** PDUs sent since the last call, in hexadecimal, the channel in front; the controller reports them as completed. */
  readonly sent: () => string[];
  /** The controller reports so many packets as completed. */
  readonly complete: (count: number) => void;
}

/** A link whose peer is the test, PDU by PDU. Packets to the controller hold 1024 octets, link layer packets 251. */
export async function openL2capPeer(options: { owner?: Partial<LinkOwner>; buffers?: number } = {}): Promise<L2capPeer> {
  const opened = await openScriptedHci((controller) => controller.buffers(1024, options.buffers ?? 64));
  const l2cap = new L2cap(opened.hci);
  const link = l2cap.open({ handle: HANDLE, role: "central" });
  link.setTxOctets(251);
  if (options.owner)
    link.bind({
      connection: "the connection",
      security: () => NO_SECURITY,
      hasKey: () => false,
      demand: () => ({}),
      elevate: (demand) => Promise.reject(demand.refusal ?? new Error("not enough")),
      ...options.owner,
    });
  const complete = (numCompletedPackets: number): void =>
    opened.controller.send(encodeEvent(NumberOfCompletedPackets, { handles: [{ connectionHandle: HANDLE, numCompletedPackets }] }));
  return {
    ...opened,
    link,
    channels: link.channels,
    listeners: l2cap.listeners,
    complete,
    receive: (channelId, pdu) => {
      const octets = typeof pdu === "string" ? fromHex(pdu) : pdu;
      const size = octets.length + 4;
      const header = [2, HANDLE, 0x20, size & 0xff, size >> 8, octets.length & 0xff, octets.length >> 8, channelId & 0xff, channelId >> 8];
      opened.controller.send(concat(Uint8Array.from(header), octets));
    },
    sent: () => {
      const packets: Uint8Array[] = [];
      for (;;) {
        const more = opened.controller.acl.splice(0);
        if (more.length === 0) break;
        packets.push(...more);
        complete(more.length);
      }
      for (const packet of packets) {
        const [acl, l2cap] = [3, 5].map((at) => packet[at]! | (packet[at + 1]! << 8));
        if (acl !== packet.length - 5 || l2cap !== packet.length - 9) throw new Error(`lengths that lie: ${toHex(packet)}`);
      }
      return packets.map((packet) => `${packet[7]!.toString(16)} ${toHex(packet.subarray(9))}`);
    },
  };
}

/** Numbers of two octets each, least significant first, in hexadecimal. */
export const words = (...values: number[]): string => values.map((value) => toHex(Uint8Array.of(value & 0xff, value >> 8))).join("");

/** A whole signalling packet in hexadecimal. */
export const signal = (code: number, identifier: number, ...values: number[]): string =>
  toHex(Uint8Array.of(code, identifier, values.length * 2, 0)) + words(...values);
