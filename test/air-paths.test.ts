import { expect, test } from "vitest";
import {
  Disconnect,
  DisconnectionComplete,
  EventCode,
  LeConnectionComplete,
  LeCreateConnection,
  PacketType,
  ReadBdAddr,
} from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import type { RawHost } from "./support/raw-host.ts";
import { advertise, connectedPair, createConnection, makeAir, makeHost } from "./support/raw-pair.ts";

const skewed = { pathSkewMs: 10 };

/** Events that made a link or ended one, and data, in the order in which the host got them. */
function watch(host: RawHost): string[] {
  const seen: string[] = [];
  const { onPacket } = host.transport;
  host.transport.onPacket = (packet) => {
    if (packet[0] === PacketType.AclData) seen.push(`data ${packet[5]}`);
    else if (packet[1] === EventCode.DisconnectionComplete) seen.push("end");
    else if (packet[1] === 0x3e && packet[3] === 0x01) seen.push("link");
    onPacket?.(packet);
  };
  return seen;
}

/** A link on which the peripheral talks at once, up to its end. */
async function talk(seed: number, pathSkewMs: number): Promise<string[]> {
  const { air, clock } = makeAir({ seed });
  const { host: central } = await makeHost(air, { name: "central", pathSkewMs });
  const { host: peripheral, controller } = await makeHost(air, { name: "peripheral" });
  const seen = watch(central);
  await advertise(peripheral, { interval: 32 });
  const atPeripheral = peripheral.event(LeConnectionComplete);
  await central.command(LeCreateConnection, createConnection(controller.address, { interval: 6 }));
  const { connectionHandle } = await atPeripheral;
  for (let i = 0; i < 5; i++) peripheral.sendAcl(connectionHandle, Uint8Array.of(i));
  await clock.advance(100);
  for (let i = 5; i < 9; i++) peripheral.sendAcl(connectionHandle, Uint8Array.of(i));
  await clock.advance(9);
  await peripheral.command(Disconnect, { connectionHandle, reason: 0x13 });
  await clock.advance(200);
  air[Symbol.dispose]();
  return seen;
}

test("without a skew the events and the data of a controller come in one order", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const seen = await talk(seed, 0);
    expect(seen[0]).toBe("link");
    expect(seen.at(-1)).toBe("end");
  }
});

test("pathSkewMs: data overtakes the event of its link, and the event of the end overtakes data; each keeps its own order", async () => {
  const orders = await Promise.all(Array.from({ length: 24 }, (_, seed) => talk(seed, 20)));
  expect(orders.some((seen) => seen.indexOf("link") > seen.indexOf("data 0"))).toBe(true);
  expect(orders.some((seen) => seen.indexOf("link") < seen.indexOf("data 0"))).toBe(true);
  expect(orders.some((seen) => seen.indexOf("end") < seen.length - 1)).toBe(true);
  for (const seen of orders) {
    const data = seen.filter((what) => what.startsWith("data"));
    expect(data).toEqual([...data].sort());
    expect(data.length).toBeGreaterThanOrEqual(5);
    expect(seen.filter((what) => !what.startsWith("data"))).toEqual(["link", "end"]);
  }
});

test("pathSkewMs: the same seed skews in the same way, another seed and another name in others", async () => {
  const [first, again, other] = [await talk(3, 10), await talk(3, 10), await talk(4, 10)];
  expect(again).toEqual(first);
  const at = async (seed: number, name: string): Promise<number> => {
    const { air, clock } = makeAir({ seed });
    const { host } = await makeHost(air, { name, pathSkewMs: 1000 });
    await host.command(ReadBdAddr, {});
    air[Symbol.dispose]();
    return clock.now();
  };
  expect(new Set([await at(1, "one"), await at(2, "one"), await at(1, "two")]).size).toBe(3);
  expect(other).toBeDefined();
});

test("pathSkewMs: from host to controller too, a command overtakes data", async () => {
  const arrived = new Set<number>();
  for (let seed = 0; seed < 12; seed++) {
    const { central, peripheral, handles, clock, air } = await connectedPair({ seed, interval: 6, central: skewed });
    central.sendAcl(handles.central, Uint8Array.of(1));
    void central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
    await clock.advance(500);
    arrived.add(peripheral.acl.length);
    expect(peripheral.all(DisconnectionComplete)).toMatchObject([{ reason: 0x13 }]);
    air[Symbol.dispose]();
  }
  expect(arrived).toEqual(new Set([0, 1]));
});

test("pathSkewMs: nothing of an old host reaches the next one", async () => {
  const { air, clock } = makeAir();
  const { controller, host } = await makeHost(air, { pathSkewMs: 1000 });
  void host.command(ReadBdAddr, {}).catch(() => undefined);
  await clock.advance(1);
  await host.transport[Symbol.asyncDispose]();
  const packets: Uint8Array[] = [];
  controller.transport.onPacket = (packet) => void packets.push(packet);
  await clock.advance(5000);
  expect(packets).toEqual([]);
  air[Symbol.dispose]();
});

test.each([-1, 1001, 0.5, Number.NaN])("pathSkewMs %d is refused", (pathSkewMs) => {
  const { air } = makeAir();
  const { air: simulated } = new SimulatedAir();
  expect(() => new SimulatedAir({ controller: { pathSkewMs } }).addController()).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  air[Symbol.dispose]();
  simulated[Symbol.dispose]();
});

test("a hook delays a packet and those behind it on its way, not those of another way", async () => {
  const { central, peripheral, handles, clock, air, centralController } = await connectedPair({ interval: 6 });
  const start = clock.now();
  let count = 0;
  using _hook = centralController.onHciPacket(({ direction, packet }) =>
    direction === "to-host" && packet[0] === PacketType.AclData && count++ === 0 ? { delayMs: 50 } : undefined,
  );
  for (let i = 0; i < 3; i++) peripheral.sendAcl(handles.peripheral, Uint8Array.of(i));
  await clock.advance(30);
  expect(central.acl).toEqual([]);
  expect((await central.command(ReadBdAddr, {})).status).toBe(0);
  expect(clock.now() - start).toBeLessThan(50);
  await clock.advance(100);
  expect(central.acl.map(({ data }) => data[0])).toEqual([0, 1, 2]);
  expect(new Set(central.acl.map(({ timeMs }) => timeMs)).size).toBe(1);
  expect(air.trace.text()).toMatch(/hci central < 02\S+ delayed/);
  air[Symbol.dispose]();
});

test("a hook lets later packets pass the one that it delays", async () => {
  const { central, peripheral, handles, clock, air, peripheralController } = await connectedPair({ interval: 6 });
  let count = 0;
  using _hook = peripheralController.onHciPacket(({ direction, packet }) =>
    direction === "to-controller" && packet[0] === PacketType.AclData && count++ === 0 ? { delayMs: 50, isOvertaken: true } : undefined,
  );
  for (let i = 0; i < 3; i++) peripheral.sendAcl(handles.peripheral, Uint8Array.of(i));
  await clock.advance(200);
  expect(central.acl.map(({ data }) => data[0])).toEqual([1, 2, 0]);
  air[Symbol.dispose]();
});

test.each([{ delayMs: -1 }, { delayMs: Number.NaN }, { delayMs: "5" }, 7])("a hook that answers %o is told so", async (answer) => {
  const { air } = makeAir();
  const { controller, host } = await makeHost(air);
  using _hook = controller.onHciPacket(() => answer as never);
  const thrown = new Promise<unknown>((resolve) => void process.once("uncaughtException", resolve));
  void host.command(ReadBdAddr, {}).catch(() => undefined);
  expect(await thrown).toMatchObject({ code: "ERR_ARGUMENT" });
  air[Symbol.dispose]();
});

test("an advertisement that waits for its connection to end is over when the controller fails", async () => {
  await using air = new SimulatedAir({ seed: 2 });
  const sensor = await air.device({ name: "sensor" });
  const phone = await air.device({ name: "phone" });
  const advertising = await sensor.advertise({ restart: "disconnected" });
  await phone.connect(sensor.address);
  const [link] = sensor.links;
  air.controllerOf(sensor).transport.send(Uint8Array.of(PacketType.AclData, 1, 0xf0, 0, 0)); // a Hardware Error
  await link!.closed;
  expect(advertising.active).toBe(false);
  await expect(advertising.connections().next()).rejects.toMatchObject({ code: "ERR_CONTROLLER" });
});
