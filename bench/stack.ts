import { Air } from "../src/air/index.ts";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Controller } from "../src/controller/index.ts";
import { SeededRandom } from "../src/core/index.ts";
import { type Connection, Device } from "../src/device/index.ts";
import type { LocalCharacteristic, RemoteCharacteristic } from "../src/gatt/index.ts";
import { encodeEvent, type HciTransport, NumberOfCompletedPackets, PacketType } from "../src/hci/index.ts";
import type { Row } from "./harness.ts";
import { advertisingReports, inject, notifications } from "./hci.ts";

/** The boundary between a host and its controller, where packets are put in and taken out once a scenario stands. */
class Tap implements HciTransport {
  readonly info: HciTransport["info"];
  onWritable: (() => void) | undefined;
  onPacket: ((packet: Uint8Array) => void) | undefined;
  onClose: HciTransport["onClose"];
  /** Takes what the host sends in the controller's place. */
  sink: ((packet: Uint8Array) => void) | undefined;
  readonly #inner: HciTransport;

  constructor(inner: HciTransport) {
    this.#inner = inner;
    this.info = inner.info;
    inner.onPacket = (packet) => this.onPacket?.(packet);
    inner.onClose = (reason) => this.onClose?.(reason);
  }
  send(packet: Uint8Array): void {
    if (this.sink) this.sink(packet);
    else this.#inner.send(packet);
  }
  get writable(): boolean {
    return this.#inner.writable;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#inner[Symbol.asyncDispose]());
  }
}

const SERVICE = 0x180d;
const CHARACTERISTIC = 0x2a37;
const VALUE = new Uint8Array(20).fill(7);

interface Member {
  readonly device: Device;
  readonly tap: Tap;
}

async function join(air: Air, name: string): Promise<Member> {
  const tap = new Tap(new Controller({ air, name }).transport);
  const device = await Device.open(tap, { clock: air.clock, random: new SeededRandom(1, name), name });
  device.gattServer.addService({
    uuid: SERVICE,
    characteristics: [{ uuid: CHARACTERISTIC, properties: ["read", "write", "notify"], value: VALUE }],
  });
  return { device, tap };
}

interface Pair {
  readonly central: Member;
  readonly peripheral: Member;
  /** The central's view of the link, and the peripheral's. */
  readonly connection: Connection;
  readonly far: Connection;
  readonly remote: RemoteCharacteristic;
  readonly local: LocalCharacteristic;
}

async function connect(air: Air, central: Member, peripheral: Member): Promise<Pair> {
  const arriving = new Promise<Connection>((resolve) => peripheral.device.onConnection(resolve));
  await peripheral.device.advertise({ data: { name: "bench" }, intervalMs: 20 });
  const connection = await central.device.connect(peripheral.device.address, { timeoutMs: 60_000 });
  const remote = await connection.gatt.characteristic(SERVICE, CHARACTERISTIC);
  const local = peripheral.device.gattServer.characteristic(SERVICE, CHARACTERISTIC)!;
  await delay(air.clock, 1000); // procedures that start by themselves are over
  return { central, peripheral, connection, far: await arriving, remote, local };
}

export async function instantPair(): Promise<Pair> {
  return await pairIn("instant");
}

async function pairIn(mode: "radio" | "instant"): Promise<Pair> {
  const air = new Air({ clock: new VirtualClock(), seed: 1, mode, traceCapacity: 0 });
  return await connect(air, await join(air, "central"), await join(air, "peripheral"));
}

const seen = { octets: 0 };

/** Simulated time, not work: two devices that do nothing must not be what is measured. */
async function crowd(): Promise<VirtualClock> {
  const clock = new VirtualClock();
  const air = new Air({ clock, seed: 1, traceCapacity: 0, pathLossExponent: 2 });
  for (let i = 0; i < 20; i++) {
    const pair = await connect(air, await join(air, `central ${i}`), await join(air, `peripheral ${i}`));
    await pair.remote.subscribe((value) => {
      seen.octets += value.length;
    });
    const beat = (): void => {
      pair.local.tryNotify(VALUE);
      clock.setTimer(1000, "beat", beat);
    };
    beat();
  }
  for (let i = 0; i < 50; i++) {
    const { device } = await join(air, `advertiser ${i}`);
    await device.advertise({ data: { name: `a${i}` }, intervalMs: 100, connectable: false });
  }
  for (let i = 0; i < 10; i++) {
    const { device } = await join(air, `scanner ${i}`);
    await device.startScan({ active: false, duplicates: "report", intervalMs: 100, windowMs: 50 }, ({ rssiDbm }) => {
      seen.octets += rssiDbm ?? 0;
    });
  }
  return clock;
}

export const stackRows: readonly Row[] = [
  {
    name: "device: reports to a scan callback",
    unit: "reports",
    ceiling: "ceiling: reports through the transport",
    prepare: async () => {
      const { central, connection } = await instantPair();
      await connection.disconnect();
      await central.device.startScan({ active: false, duplicates: "report" }, ({ rssiDbm }) => {
        seen.octets += rssiDbm ?? 0;
      });
      return inject((packet) => central.tap.onPacket!(packet), advertisingReports());
    },
  },
  {
    name: "device: reports, address and name looked at",
    unit: "reports",
    prepare: async () => {
      const { central, connection } = await instantPair();
      await connection.disconnect();
      await central.device.startScan({ active: false, duplicates: "report" }, ({ address, name }) => {
        seen.octets += address.bytes[0]! + (name?.length ?? 0);
      });
      return inject((packet) => central.tap.onPacket!(packet), advertisingReports());
    },
  },
  {
    name: "device: reports, manufacturer data read",
    unit: "reports",
    ceiling: "ceiling: reports through the transport",
    prepare: async () => {
      const { central, connection } = await instantPair();
      await connection.disconnect();
      await central.device.startScan({ active: false, duplicates: "report" }, ({ manufacturerData }) => {
        for (const { companyIdentifier, data } of manufacturerData) seen.octets += companyIdentifier + data[0]!;
      });
      return inject((packet) => central.tap.onPacket!(packet), advertisingReports());
    },
  },
  {
    name: "device: notifications to a subscriber",
    unit: "notifications",
    ceiling: "ceiling: ACL data through the transport",
    prepare: async () => {
      const { central, connection, remote } = await instantPair();
      await remote.subscribe((value) => {
        seen.octets += value[0]!;
      });
      const packets = notifications(connection.handle);
      for (const packet of packets) packet.set([remote.valueHandle & 0xff, remote.valueHandle >> 8], 10);
      return inject((packet) => central.tap.onPacket!(packet), packets);
    },
  },
  {
    name: "device: notifications sent",
    unit: "notifications",
    ceiling: "ceiling: frames made and sent",
    prepare: async () => {
      const { peripheral, far, remote, local } = await instantPair();
      await remote.subscribe(() => {});
      const report = encodeEvent(NumberOfCompletedPackets, { handles: [{ connectionHandle: far.handle, numCompletedPackets: 4 }] });
      let held = 0;
      peripheral.tap.sink = (packet) => {
        if (packet[0] !== PacketType.AclData || ++held < 4) return;
        held = 0;
        peripheral.tap.onPacket!(report);
      };
      return async (count) => {
        for (let i = 0; i < count; i++) if (!local.tryNotify(VALUE)) await local.notify(VALUE);
      };
    },
  },
  {
    name: "device: write and response, two hosts",
    unit: "round trips",
    prepare: async () => {
      const { remote } = await instantPair();
      return async (count) => {
        for (let i = 0; i < count; i++) await remote.write(VALUE);
      };
    },
  },
  ...(["instant", "radio"] as const).map(
    (mode): Row => ({
      name: `air: write round trip, ${mode} mode`,
      unit: "round trips",
      ceiling: `air: packet there and back, ${mode} mode`,
      goal: mode === "instant" ? "3.5 µs" : "12 µs",
      prepare: async () => {
        const { remote } = await pairIn(mode);
        return async (count) => {
          for (let i = 0; i < count; i++) await remote.write(VALUE);
        };
      },
    }),
  ),
  {
    name: "air: 100 devices",
    unit: "simulated seconds",
    prepare: async () => {
      const clock = await crowd();
      return (count) => clock.advance(count * 1000);
    },
  },
];
