import { VirtualClock } from "../src/async/index.ts";
import { openMgmt } from "../src/mgmt/index.ts";
import { decodePacket, encodeEvent, events } from "../src/mgmt-protocol/index.ts";
import { SimulatedKernel } from "../src/testing/index.ts";
import type { KernelSocket } from "../src/transport/index.ts";
import type { Row } from "./harness.ts";

/** 256 Device Found of as many devices, with 31 octets of data each. */
function devicesFound(): Uint8Array[] {
  const eirData = Uint8Array.of(2, 1, 6, 5, 9, 0x4a, 0x65, 0x6c, 0x6c, 3, 3, 0x0d, 0x18, 17, 0xff, 0xff, 0xff, ...new Uint8Array(14));
  return Array.from({ length: 256 }, (_, i) => {
    const address = `C0:11:22:33:44:${i.toString(16).padStart(2, "0")}`;
    return encodeEvent(events.deviceFound, 0, { address, addressType: "LERandom", rssi: -60, flags: 0, eirData });
  });
}

/** Where readers put a number, so that the compiler cannot drop their work. */
const sink = { rssi: 0 };

/** A socket whose packets come from the row. */
function injected(): KernelSocket {
  return {
    info: { spec: "mgmt", remedy: "" },
    onPacket: undefined,
    onClose: undefined,
    write: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The same event by hand: what a program that knows nothing else would write, checks and names left out. */
function decodeByHand(packet: Uint8Array): { address: string; addressType: number; rssi: number; flags: number; eirData: Uint8Array } {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const octets: string[] = [];
  for (let i = 11; i >= 6; i--) octets.push(packet[i]!.toString(16).padStart(2, "0").toUpperCase());
  return {
    address: octets.join(":"),
    addressType: packet[12]!,
    rssi: view.getInt8(13),
    flags: view.getUint32(14, true),
    eirData: packet.slice(20, 20 + view.getUint16(18, true)),
  };
}

const BY_HAND = "ceiling: mgmt events decoded by hand";

export const mgmtRows: readonly Row[] = [
  {
    name: BY_HAND,
    unit: "events",
    prepare: async () => {
      const packets = devicesFound();
      return (count) => {
        for (let i = 0; i < count; i++) sink.rssi += decodeByHand(packets[i & 255]!).rssi;
      };
    },
  },
  {
    name: "mgmt: packets decoded",
    goal: "100 %",
    unit: "events",
    ceiling: BY_HAND,
    prepare: async () => {
      const packets = devicesFound();
      return (count) => {
        for (let i = 0; i < count; i++) sink.rssi += decodePacket(packets[i & 255]!).index;
      };
    },
  },
  {
    name: "mgmt: events to a listener",
    unit: "events",
    ceiling: BY_HAND,
    prepare: async () => {
      const socket = injected();
      const mgmt = await openMgmt({ socket });
      mgmt.on("deviceFound", ({ rssi }) => {
        sink.rssi += rssi;
      });
      const packets = devicesFound();
      return (count) => {
        for (let i = 0; i < count; i++) socket.onPacket!(packets[i & 255]!);
      };
    },
  },
  {
    name: "mgmt: events read one by one",
    unit: "events",
    ceiling: BY_HAND,
    prepare: async () => {
      const socket = injected();
      const mgmt = await openMgmt({ socket });
      const reader = mgmt.events("deviceFound", { capacity: 256 });
      const packets = devicesFound();
      return async (count) => {
        for (let i = 0; i < count; i += 256) {
          for (const packet of packets) socket.onPacket!(packet);
          while (reader.size > 0) {
            const { value } = await reader.next();
            sink.rssi += value.rssi;
          }
        }
      };
    },
  },
  {
    name: "mgmt: events past a reader that is too slow",
    unit: "events",
    ceiling: BY_HAND,
    prepare: async () => {
      const socket = injected();
      const mgmt = await openMgmt({ socket });
      mgmt.events("deviceFound");
      const packets = devicesFound();
      return (count) => {
        for (let i = 0; i < count; i++) socket.onPacket!(packets[i & 255]!);
      };
    },
  },
  {
    name: "mgmt: command and reply, simulated kernel",
    unit: "round trips",
    prepare: async () => {
      const clock = new VirtualClock({ auto: false });
      const kernel = new SimulatedKernel({ clock });
      const mgmt = await openMgmt({ socket: kernel.openSocket(), clock });
      return async (count) => {
        for (let i = 0; i < count; i++) sink.rssi += (await mgmt.readControllerInformation(0)).currentSettings;
      };
    },
  },
  {
    name: "mgmt: eight commands and replies at once",
    unit: "round trips",
    prepare: async () => {
      const clock = new VirtualClock({ auto: false });
      const kernel = new SimulatedKernel({ clock, controllers: Array.from({ length: 8 }, () => ({})) });
      const mgmt = await openMgmt({ socket: kernel.openSocket(), clock });
      const indexes = [0, 1, 2, 3, 4, 5, 6, 7];
      return async (count) => {
        for (let i = 0; i < count; i += 8) {
          const answers = await Promise.all(indexes.map((index) => mgmt.getPhyConfiguration(index)));
          sink.rssi += answers[0]!.selectedPhys;
        }
      };
    },
  },
];
