import { VirtualClock } from "../src/async/index.ts";
import { encodeMessage, McumgrClient } from "../src/mcumgr/index.ts";
import { createBleOpener } from "../src/mcumgr/links/ble-opener.ts";
import { ConsoleLink } from "../src/mcumgr/links/console-link.ts";
import { serveMcumgrOverGatt } from "../src/mcumgr/links/gatt-server.ts";
import type { McumgrLink, OpenMcumgrLink } from "../src/mcumgr/links/link.ts";
import { createMemoryPorts } from "../src/mcumgr/links/memory-port.ts";
import { createImage, SimulatedAir, SimulatedMcumgrDevice } from "../src/testing/index.ts";
import type { Row, Simulated } from "./harness.ts";

const IMAGE = createImage({ version: "2.0.0", bodySize: 256 * 1024 - 72 });

interface Bench extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly open: OpenMcumgrLink;
  /** Octets that a message has. */
  readonly messageLength: number;
}
/** Both ends of a link. @param serve takes the server's end */
type MakeBench = (serve: (link: McumgrLink) => void, clock: VirtualClock) => Promise<Bench>;

/** A radio link whose server has such buffers. */
const radio =
  (options: { mtu: number; isFast: boolean; bufSize: number }): MakeBench =>
  async (serve, clock) => {
    const { mtu, isFast, bufSize } = options;
    const air = new SimulatedAir({ seed: 1, clock, traceCapacity: 0 });
    const controller = isFast ? {} : { features: { dataLength: false, le2M: false } };
    const central = await air.device({ name: "central", controller });
    const peripheral = await air.device({ name: "sensor", controller });
    serveMcumgrOverGatt(peripheral, { onLink: serve });
    await peripheral.advertise({ data: { name: "sensor" }, policy: { att: { mtu } } });
    const open = createBleOpener(central, "sensor", { connect: { intervalMs: 15, policy: { att: { mtu } } } });
    return { clock, open, messageLength: bufSize, [Symbol.asyncDispose]: () => air[Symbol.asyncDispose]() };
  };

/** A line with the console's framing, ten bits an octet. */
const serial =
  (baudRate: number, bufSize: number): MakeBench =>
  async (serve, clock) => {
    const ports = createMemoryPorts({ clock, octetsPerSecond: baudRate / 10 });
    serve(new ConsoleLink(ports.server, { layout: "server", clock, sizing: { bufSize } }));
    const link = new ConsoleLink(ports.client, { clock });
    return { clock, open: async () => link, messageLength: bufSize - 4, [Symbol.asyncDispose]: () => link[Symbol.asyncDispose]() };
  };

/** Octets a second of an upload. */
async function upload(make: MakeBench, buffers: { bufSize: number; bufCount: number }, window?: number): Promise<number> {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, ...buffers });
  await using bench = await make((link) => void device.attach(link), clock);
  await using client = await McumgrClient.open(bench.open, { clock, window });
  const startMs = clock.now();
  await client.uploadImage(IMAGE);
  return (IMAGE.length * 1000) / (clock.now() - startMs);
}

/** Octets a second that the link carries of messages that nobody answers. */
async function carry(make: MakeBench): Promise<number> {
  const clock = new VirtualClock();
  let arrived = 0;
  await using bench = await make((link) => {
    link.onMessage = (message) => {
      arrived += message.length;
    };
  }, clock);
  await using link = await bench.open();
  const empty = encodeMessage({ op: 2, group: 1, command: 1, sequence: 0 }, { data: new Uint8Array(0) });
  const message = encodeMessage(
    { op: 2, group: 1, command: 1, sequence: 0 },
    { data: new Uint8Array(bench.messageLength - empty.length - 2) },
  );
  const startMs = clock.now();
  const count = Math.ceil(IMAGE.length / message.length);
  for (let i = 0; i < count; i++) await link.send(message);
  while (arrived < count * message.length) await clock.advance(1);
  return (arrived * 1000) / (clock.now() - startMs);
}

function row(name: string, make: MakeBench, buffers: { bufSize: number; bufCount: number }): Row {
  return {
    name: `mcumgr: ${name}`,
    unit: "octets",
    async simulate(): Promise<Simulated> {
      const limit = await carry(make);
      const oneAtATime = await upload(make, buffers, 1);
      const start = process.cpuUsage();
      const rate = await upload(make, buffers);
      const { user, system } = process.cpuUsage(start);
      return { rate, oneAtATime, limit, cpuSeconds: (user + system) / 1e6 };
    },
  };
}

/** Uploads of 256 KiB, in simulated time: from the call to its end. */
export const mcumgrRows: readonly Row[] = [
  row("LE 2M, MTU 498, 4 buffers of 2475", radio({ mtu: 498, isFast: true, bufSize: 2475 }), { bufSize: 2475, bufCount: 4 }),
  row("LE 1M, 27 octets, MTU 23, 1 buffer", radio({ mtu: 23, isFast: false, bufSize: 2475 }), { bufSize: 2475, bufCount: 1 }),
  row("serial 115,200 baud, 4 buffers of 2475", serial(115_200, 2475), { bufSize: 2475, bufCount: 4 }),
  row("serial 115,200 baud, 4 buffers of 384", serial(115_200, 384), { bufSize: 384, bufCount: 4 }),
];
