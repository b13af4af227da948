import { SystemClock, VirtualClock } from "../src/async/index.ts";
import { AttBearer } from "../src/att/index.ts";
import { Address } from "../src/core/index.ts";
import { GattClient, GattServer } from "../src/gatt/index.ts";
import { PDU_OFFSET, type PduChannel } from "../src/l2cap/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import type { Row, Simulated } from "./harness.ts";

/** A channel whose frames go straight to its peer, or nowhere: what is measured is the Attribute Protocol alone. */
class BareChannel implements PduChannel {
  onPdu: PduChannel["onPdu"];
  onClose: PduChannel["onClose"];
  readonly writable = true;
  readonly idle = true;
  readonly waiting = 0;
  peer: BareChannel | undefined;

  allocate(length: number): Uint8Array {
    return new Uint8Array(PDU_OFFSET + length);
  }
  sendFrame(frame: Uint8Array): void {
    this.peer?.onPdu?.(frame, PDU_OFFSET, frame.length);
  }
  send(pdu: Uint8Array): void {
    const frame = this.allocate(pdu.length);
    frame.set(pdu, PDU_OFFSET);
    this.sendFrame(frame);
  }
  whenWritable(): Promise<void> {
    return Promise.resolve();
  }
  whenSent(): Promise<void> {
    return Promise.resolve();
  }
}

/** Where receivers put an octet, so that the compiler cannot drop their work. */
const seen = { octets: 0 };
const VALUE = new Uint8Array(20).fill(7);

async function openPair() {
  const clock = new SystemClock();
  const [near, far] = [new BareChannel(), new BareChannel()];
  near.peer = far;
  far.peer = near;
  const client = new GattClient(new AttBearer(near, { clock }));
  const server = new GattServer();
  server.addService({ uuid: 0x180d, characteristics: [{ uuid: 0x2a37, properties: ["read", "write", "notify"], value: VALUE }] });
  server.attach(new AttBearer(far, { clock }), { id: "bench", address: Address.from("C0:00:00:00:00:01/random") });
  const remote = await client.characteristic(0x180d, 0x2a37);
  return { near, far, remote, local: server.characteristic(0x180d, 0x2a37)! };
}

const INTERVAL_MS = 30;
const BEARERS = 5;
const SIMULATED_MS = 10_000;

/** Octets of an encrypted packet on LE 1M beside its payload, and of L2CAP's headers in that; each packet waits 150 µs. */
const packetUs = (octets: number): number => (14 + 6 + octets) * 8 + 150;
/** Requests of 3 octets and answers of 1 + VALUE, packet upon packet. */
const READS_LIMIT = 1e6 / (packetUs(3) + packetUs(1 + VALUE.length));

/** Reads a second of simulated time, always twelve under way, with so many enhanced bearers beside the one that every link has. */
async function readsOnAir(eatt: number | "accept"): Promise<number> {
  const clock = new VirtualClock();
  await using air = new SimulatedAir({ seed: 1, clock, traceCapacity: 0 });
  const { central, peripheral } = await air.connectedPair({ central: { policy: { eatt } }, connect: { intervalMs: INTERVAL_MS } });
  const service = peripheral.device.gattServer.addService({
    uuid: 0x180d,
    characteristics: Array.from({ length: 12 }, (_, i) => ({ uuid: 0xff00 + i, properties: ["read"] as const, value: VALUE })),
  });
  await central.connection.pair();
  await clock.advance(2000); // the bearers are open
  let reads = 0;
  const isOver = new AbortController();
  const again = async (handle: number): Promise<void> => {
    for (; !isOver.signal.aborted; reads++) await central.gatt.read(handle);
  };
  const loops = service.characteristics.map(({ valueHandle }) => again(valueHandle));
  await clock.advance(1000);
  reads = 0;
  await clock.advance(SIMULATED_MS);
  const rate = (reads * 1000) / SIMULATED_MS;
  isOver.abort();
  await Promise.all(loops);
  return rate;
}

/** The Attribute Protocol and GATT on a channel of nothing. */
export const gattRows: readonly Row[] = [
  {
    name: "gatt: notifications to a subscriber",
    unit: "notifications",
    prepare: async () => {
      const { near, remote } = await openPair();
      await remote.subscribe((value) => {
        seen.octets += value[0]!;
      });
      const frames = Array.from({ length: 256 }, (_, i) => {
        const frame = near.allocate(23).fill(i);
        frame.set([0x1b, remote.valueHandle & 0xff, remote.valueHandle >> 8], PDU_OFFSET);
        return frame;
      });
      return (count) => {
        for (let i = 0; i < count; i++) {
          const frame = frames[i & 0xff]!;
          near.onPdu!(frame, PDU_OFFSET, frame.length);
        }
      };
    },
  },
  {
    name: "gatt: notifications sent",
    unit: "notifications",
    prepare: async () => {
      const { far, remote, local } = await openPair();
      await remote.subscribe(() => {});
      far.peer = undefined;
      return (count) => {
        for (let i = 0; i < count; i++) local.tryNotify(VALUE);
      };
    },
  },
  {
    name: "gatt: notifications sent, awaited",
    unit: "notifications",
    prepare: async () => {
      const { far, remote, local } = await openPair();
      await remote.subscribe(() => {});
      far.peer = undefined;
      return async (count) => {
        for (let i = 0; i < count; i++) await local.notify(VALUE);
      };
    },
  },
  {
    name: "gatt: write and response",
    unit: "round trips",
    prepare: async () => {
      const { remote } = await openPair();
      return async (count) => {
        for (let i = 0; i < count; i++) await remote.write(VALUE);
      };
    },
  },
  {
    name: "gatt: read",
    unit: "round trips",
    prepare: async () => {
      const { remote } = await openPair();
      return async (count) => {
        for (let i = 0; i < count; i++) seen.octets += (await remote.read())[0]!;
      };
    },
  },
  {
    name: `gatt: reads over ${BEARERS} enhanced bearers, ${INTERVAL_MS} ms`,
    unit: "reads",
    simulate: async (): Promise<Simulated> => {
      const start = process.cpuUsage();
      const rate = await readsOnAir(BEARERS);
      const { user, system } = process.cpuUsage(start);
      return { rate, oneAtATime: await readsOnAir("accept"), limit: READS_LIMIT, cpuSeconds: (user + system) / 1e6 };
    },
  },
];
