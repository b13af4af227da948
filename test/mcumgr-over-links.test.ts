import { expect, test } from "vitest";
import { VirtualClock } from "../src/async/index.ts";
import { ConsoleLink, createBleOpener, createMemoryPorts, McumgrClient, RawLink, serveMcumgrOverGatt } from "../src/mcumgr/index.ts";
import { createImage, SimulatedAir, SimulatedMcumgrDevice } from "../src/testing/index.ts";

// The client and the simulated device, each over the links that real ones use: uploads at the speed of the line, and resets.

test.each([
  // Ten pairs of packets fit 15 ms, and eight fit 11.25 ms: 495 octets of a message each two.
  { intervalMs: 15, limit: 165 },
  { intervalMs: 11.25, limit: 176 },
])(
  "BLE at $intervalMs ms: an upload has 95 % of the $limit kB/s that the radio can carry, and a reset is survived",
  async ({ intervalMs, limit }) => {
    await using air = new SimulatedAir({ seed: 10 });
    const server = await air.device({ name: "server", att: { mtu: 498 } });
    await using device = new SimulatedMcumgrDevice({ clock: air.clock });
    serveMcumgrOverGatt(server, { onLink: (link) => void device.attach(link), limit: 2475 });
    const advertise = () => server.advertise({ intervalMs: 30, data: { name: "Sensor" } });
    server.on("connection", ({ closed }) => void closed.then(() => (server.ended ? undefined : advertise().catch(() => undefined))));
    await advertise();
    const central = await air.device({ name: "central" });
    const open = createBleOpener(central, "Sensor", { connect: { intervalMs } });
    await using client = await McumgrClient.open(open, { clock: air.clock });
    await air.advance(500); // LE 2M
    const image = createImage({ bodySize: 256 * 1024, version: "2.0.0" });
    const begunMs = air.clock.now();
    await client.uploadImage(image);
    expect(image.length / (air.clock.now() - begunMs)).toBeGreaterThan(0.95 * limit);
    expect([device.counters.lost, device.counters.noBuffer]).toEqual([0, 0]);
    await client.reset();
    await client.reconnect({ timeoutMs: 60_000 });
    expect(await client.os.echo({ d: "again" })).toMatchObject({ r: "again" });
  },
);

test.each(["console", "raw"] as const)(
  "a line of 115,200 baud, %s framing: an upload has 95 percent of what it can carry",
  async (framing) => {
    const clock = new VirtualClock();
    const line = createMemoryPorts({ clock, octetsPerSecond: 11_520 });
    await using device = new SimulatedMcumgrDevice({ clock, bufSize: 2048, bufCount: 4 });
    const served = framing === "console" ? new ConsoleLink(line.server, { clock, layout: "server" }) : new RawLink(line.server, { clock });
    device.attach(served, { survivesReset: true });
    const link = framing === "console" ? new ConsoleLink(line.client, { clock }) : new RawLink(line.client, { clock });
    await using client = await McumgrClient.open(async () => link, { clock });
    const image = createImage({ bodySize: 256 * 1024, version: "2.0.0" });
    const begunMs = clock.now();
    await client.uploadImage(image);
    // 26 octets of a message are not the image's; as lines it takes 2801 octets for 2044.
    const limit = framing === "console" ? 11.52 * ((2044 - 26) / 2801) : 11.52 * ((2048 - 26) / 2048);
    expect(image.length / (clock.now() - begunMs)).toBeGreaterThan(0.95 * limit);
  },
);
