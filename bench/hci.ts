import { DisconnectionComplete, encodeEvent, NumberOfCompletedPackets } from "../src/hci/index.ts";
import { L2cap, type L2capLink, PDU_OFFSET } from "../src/l2cap/index.ts";
import { createTransportPair } from "../src/transport/memory-pipe.ts";
import { type OpenedHci, openScriptedHci } from "../test/support/scripted-hci.ts";
import type { Row } from "./harness.ts";

export const HANDLE = 0x40;
/** Notifications of 20 octets: ATT opcode, handle, value. */
const PDU_LENGTH = 23;

/** 256 legacy advertising reports of as many advertisers: connectable, 31 octets of data. Each is one event. */
export function advertisingReports(): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => {
    const packet = new Uint8Array(46);
    packet.set([0x04, 0x3e, 43, 0x02, 1, 0x00, 0x01, i, 0x22, 0x33, 0x44, 0x55, 0xc0, 31]);
    packet.set([2, 0x01, 0x06, 5, 0x09, 0x4a, 0x65, 0x6c, 0x6c, 3, 0x03, 0x0d, 0x18, 17, 0xff, 0xff, 0xff], 14);
    packet[45] = 0xc4;
    return packet;
  });
}

/** 256 ACL data packets with a notification of 20 octets of attribute 3 each. */
export function notifications(handle: number): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => {
    const packet = new Uint8Array(9 + PDU_LENGTH).fill(i);
    packet.set([0x02, handle & 0xff, (handle >> 8) | 0x20, PDU_LENGTH + 4, 0, PDU_LENGTH, 0, 4, 0, 0x1b, 3, 0]);
    return packet;
  });
}

/** Injects `packets` in turn at the controller's end. */
export function inject(send: (packet: Uint8Array) => void, packets: readonly Uint8Array[]): (count: number) => void {
  const mask = packets.length - 1;
  return (count) => {
    for (let i = 0; i < count; i++) send(packets[i & mask]!);
  };
}

/** A sink at the controller's end that reports packets as completed, eight at a time, as a fast controller would. */
export function acknowledge(opened: OpenedHci, handle: number): void {
  const { transport } = opened.controller;
  const report = encodeEvent(NumberOfCompletedPackets, { handles: [{ connectionHandle: handle, numCompletedPackets: 8 }] });
  let held = 0;
  transport.onPacket = (packet) => {
    if (packet[0] !== 0x02 || ++held < 8) return;
    held = 0;
    transport.send(report);
  };
}

async function openLink(): Promise<OpenedHci & { link: L2capLink }> {
  const opened = await openScriptedHci((controller) => controller.buffers(251, 16));
  return { ...opened, link: new L2cap(opened.hci).open({ handle: HANDLE, role: "central" }) };
}

/** Where receivers put an octet, so that the compiler cannot drop their work. */
const sink = { octets: 0 };

/** What the transport alone does with the same packets: no host, a receiver that looks at one octet. */
function ceiling(name: string, unit: string, packets: () => Uint8Array[]): Row {
  return {
    name,
    unit,
    prepare: async () => {
      const [host, controller] = createTransportPair();
      host.onPacket = (packet) => {
        sink.octets += packet[packet.length - 1]!;
      };
      return inject((packet) => controller.send(packet), packets());
    },
  };
}

export const hciRows: readonly Row[] = [
  ceiling("ceiling: reports through the transport", "reports", advertisingReports),
  {
    name: "hci: advertising reports",
    unit: "reports",
    ceiling: "ceiling: reports through the transport",
    prepare: async () => {
      const { hci, controller } = await openScriptedHci();
      hci.on(DisconnectionComplete, () => {}); // as a device has, so that looking for handlers is not for free
      hci.onAdvertisingReport = (packet, _offset, end) => {
        sink.octets += packet[end - 1]!;
      };
      return inject((packet) => controller.transport.send(packet), advertisingReports());
    },
  },
  ceiling("ceiling: ACL data through the transport", "PDUs", () => notifications(HANDLE)),
  {
    name: "l2cap: PDUs received",
    unit: "PDUs",
    ceiling: "ceiling: ACL data through the transport",
    prepare: async () => {
      const { link, controller } = await openLink();
      link.att.onPdu = (bytes, _offset, end) => {
        sink.octets += bytes[end - 1]!;
      };
      return inject((packet) => controller.transport.send(packet), notifications(HANDLE));
    },
  },
  {
    name: "ceiling: frames made and sent",
    unit: "PDUs",
    prepare: async () => {
      const [host, controller] = createTransportPair();
      controller.onPacket = (packet) => {
        sink.octets += packet[packet.length - 1]!;
      };
      return (count) => {
        for (let i = 0; i < count; i++) {
          const frame = new Uint8Array(PDU_OFFSET + PDU_LENGTH);
          frame[PDU_OFFSET] = 0x1b;
          host.send(frame);
        }
      };
    },
  },
  {
    name: "l2cap: PDUs sent",
    unit: "PDUs",
    ceiling: "ceiling: frames made and sent",
    prepare: async () => {
      const opened = await openLink();
      acknowledge(opened, HANDLE);
      const { att } = opened.link;
      return (count) => {
        for (let i = 0; i < count; i++) {
          const frame = att.allocate(PDU_LENGTH);
          frame[PDU_OFFSET] = 0x1b;
          att.sendFrame(frame);
        }
      };
    },
  },
  {
    name: "l2cap: PDUs of 247 octets sent",
    unit: "PDUs",
    prepare: async () => {
      const opened = await openLink();
      acknowledge(opened, HANDLE);
      const { att } = opened.link;
      return (count) => {
        for (let i = 0; i < count; i++) {
          const frame = att.allocate(247);
          frame[PDU_OFFSET] = 0x1b;
          att.sendFrame(frame);
        }
      };
    },
  },
];
