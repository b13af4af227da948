import { describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/index.ts";
import { ConsoleLink, createBleOpener, createMemoryPorts, McumgrClient } from "../src/mcumgr/index.ts";
import { SimulatedAir, SimulatedMcumgrDevice, serveOverGatt, serveOverLine } from "../src/testing/index.ts";
import { UPGRADE as image, upgradeByHand as upgrade } from "./support/mcumgr-upgrade.ts";

// The simulated device where others reach it in simulated time: on the air and on a line. Real ports: mcumgr-simulated-ports.test.ts.

describe("on the air", () => {
  test.each([true, false])("reassembly %s: an upgrade, whose reset ends the connection", async (reassembly) => {
    await using air = new SimulatedAir({ seed: 3 });
    const host = await air.device({ name: "server", att: { mtu: 247 } });
    await using device = new SimulatedMcumgrDevice({ clock: air.clock, eraseMsPerSector: 1 });
    await using _served = await serveOverGatt(device, host, { reassembly, name: "Sensor 12" });
    const central = await air.device({ name: "central" });
    await using client = await McumgrClient.open(createBleOpener(central, "Sensor 12"), { clock: air.clock });
    // Without reassembly a message that is longer than a write comes to nothing, and the client finds that out.
    if (reassembly) expect(client.limits.messageLimit).toBe(2475);
    else expect(client.limits.messageLimit).toBeLessThanOrEqual(244);
    await upgrade(client, device);
    expect(device.record.filter(({ kind }) => kind === "off")).toHaveLength(1);
  });

  test("found by its service, gone while nothing runs, back with the application", async () => {
    await using air = new SimulatedAir({ seed: 4 });
    const host = await air.device({ name: "server" });
    await using device = new SimulatedMcumgrDevice({ clock: air.clock });
    await using _served = await serveOverGatt(device, host);
    const central = await air.device({ name: "central" });
    const open = createBleOpener(central, undefined);
    await using client = await McumgrClient.open(open, { clock: air.clock });
    expect(await client.os.echo({ d: "here" })).toEqual({ r: "here" });
    device.powerCut();
    await air.advance(1000);
    expect(client.isConnected).toBe(false);
    expect(host.links).toEqual([]);
    void device.powerOn();
    await client.reconnect({ timeoutMs: 30_000 });
    expect(await client.os.echo({ d: "back" })).toEqual({ r: "back" });
  });
});

describe("on a line", () => {
  test("an upgrade with noise between lines, which is told from them", async () => {
    const clock = new VirtualClock();
    const line = createMemoryPorts({ clock, octetsPerSecond: 92_160 });
    await using device = new SimulatedMcumgrDevice({ clock, bufSize: 1024 });
    await using _served = serveOverLine(device, line.server);
    let heard = "";
    const link = new ConsoleLink(line.client, { clock, onConsole: (text) => (heard += new TextDecoder().decode(text)) });
    await using client = await McumgrClient.open(async () => link, { clock });
    device.inject({ kind: "noise", text: "[00:00:01] <inf> app: alive\r\n" }, { on: "image.upload", skip: 3, times: 2 });
    await client.uploadImage(image);
    expect(heard).toBe("[00:00:01] <inf> app: alive\r\n".repeat(2));
    expect(client.limits.messageLimit).toBe(1020);
    expect(device.counters.lost).toBe(0);
  });

  test("a server of few lines loses longer messages, and the client makes do with shorter ones", async () => {
    const clock = new VirtualClock();
    const line = createMemoryPorts({ clock });
    await using device = new SimulatedMcumgrDevice({ clock, bufSize: 384 });
    await using _served = serveOverLine(device, line.server, { longestMessage: 169 });
    const link = new ConsoleLink(line.client, { clock });
    await using client = await McumgrClient.open(async () => link, { clock });
    await client.uploadImage(image);
    expect(device.slot(0, 1).isSound).toBe(true);
  });
});

test("options are checked", async () => {
  await using device = new SimulatedMcumgrDevice();
  const { server } = createMemoryPorts();
  expect(() => serveOverLine(device, server, { framing: "lines" as never })).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  await using air = new SimulatedAir({ seed: 5 });
  const host = await air.device();
  await expect(serveOverGatt(device, host, { reasembly: true } as never)).rejects.toThrow(/did you mean "reassembly"/);
});
