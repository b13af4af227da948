// Services that change while a client holds objects of them: what is as it was stays valid, what is not says so.
import { describe, expect, test } from "vitest";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { type CharacteristicDefinition, GattServer, gattService, type LocalService, type ServiceDefinition } from "../src/gatt/index.ts";
import { createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { code, sent } from "./support/gatt-script.ts";

const level: CharacteristicDefinition = {
  uuid: 0x2a19,
  properties: ["read", "notify"],
  value: hex("64"),
  descriptors: [{ uuid: 0x2901, value: hex("41") }],
};
const other: CharacteristicDefinition = { uuid: 0x2a1a, properties: ["read", "write"], value: hex("07") };
const battery: ServiceDefinition = { uuid: 0x180f, handle: 0x20, endHandle: 0x3f, characteristics: [level, other] };

interface Scene extends Disposable {
  readonly pair: GattPair;
  readonly server: GattServer;
  /** Takes the battery's place, in one change. */
  become(...services: ServiceDefinition[]): void;
}

async function scene(watch = true): Promise<Scene> {
  const server = new GattServer();
  server.addService(gattService({ robustCaching: watch }));
  let current: LocalService[] = [server.addService(battery)];
  server.addService({ uuid: 0x180a, handle: 0x80, characteristics: [{ uuid: 0x2a24, properties: ["read"], value: hex("01") }] });
  const pair = createGattPair({ server });
  await pair.client.watchServiceChanged();
  return {
    pair,
    server,
    become: (...services) => {
      for (const service of current) server.removeService(service);
      current = services.map((service) => server.addService(service));
    },
    [Symbol.dispose]: () => pair[Symbol.dispose](),
  };
}

test("a characteristic that did not move stays the same object, though its service grew; the rest of the database is not asked for", async () => {
  using it = await scene();
  const { client } = it.pair;
  const services = await client.services();
  const [first, second] = await services[1]!.characteristics();
  const [model] = await services[2]!.characteristics();
  const from = it.pair.clientChannel.sent.length;
  it.become({
    ...battery,
    endHandle: 0x4f,
    characteristics: [level, { ...other, value: hex("08") }, { uuid: 0x2a1b, properties: ["read"] }],
  });
  expect(toHex(await second!.read())).toBe("08");
  expect(toHex(await first!.read())).toBe("64");
  expect(toHex(await model!.read())).toBe("01");
  expect(services[1]!.endHandle).toBe(0x4f);
  expect(second!.endHandle).toBeLessThan(0x4f);
  const after = await services[1]!.characteristics();
  expect([after[0] === first, after[1] === second, after.length]).toEqual([true, true, 3]);
  expect((await client.services())[1]).toBe(services[1]);
  for (const pdu of it.pair.clientChannel.sent.slice(from).filter((each) => each[0] === 0x10 || each[0] === 0x08)) {
    expect(pdu[1]).toBeGreaterThanOrEqual(0x20);
    expect(pdu[3]).toBeLessThan(0x80);
  }
});

test.each<[string, ServiceDefinition[], { uuid: string; movedTo: number | undefined }, RegExp]>([
  ["gone", [], { uuid: "2a1a", movedTo: undefined }, /is gone/],
  ["gone from its service", [{ ...battery, characteristics: [level] }], { uuid: "2a1a", movedTo: undefined }, /is gone/],
  ["moved in it", [{ ...battery, characteristics: [{ ...other, handle: 0x30 }] }], { uuid: "2a1a", movedTo: 0x30 }, /moved to handle 48/],
  ["moved with it", [{ ...battery, handle: 0x28 }], { uuid: "2a1a", movedTo: 0x2d }, /moved to handle 45/],
  [
    "another one by its properties",
    [{ ...battery, characteristics: [level, { ...other, properties: ["read"] }] }],
    { uuid: "2a1a", movedTo: 0x25 },
    /is another one now/,
  ],
  [
    "another one by its value's place",
    [{ ...battery, characteristics: [level, { ...other, valueHandle: 0x27 }] }],
    { uuid: "2a1a", movedTo: 0x25 },
    /is another one now/,
  ],
  ["in a service of another type", [{ ...battery, uuid: 0x1810 }], { uuid: "2a1a", movedTo: undefined }, /is gone/],
])("a characteristic that is %s says so", async (_, services, error, message) => {
  using it = await scene();
  const characteristic = await it.pair.client.characteristic(0x180f, 0x2a1a);
  expect(characteristic.handle).toBe(0x25);
  it.become(...services);
  const operations = [
    () => characteristic.read(),
    () => characteristic.write(hex("00")),
    () => characteristic.descriptors(),
    () => characteristic.writeWithoutResponse(hex("00")),
  ];
  for (const operation of operations) {
    const rejected = expect(operation()).rejects;
    await rejected.toMatchObject({ code: "ERR_GATT_CHANGED", handle: 0x25, ...error });
  }
  await expect(characteristic.read()).rejects.toThrow(message);
  expect(sent(it.pair, 0x12).filter((pdu) => pdu.startsWith("1226"))).toEqual([]);
});

test("a service that moved says where to", async () => {
  using it = await scene();
  const service = await it.pair.client.service(0x180f);
  it.become({ ...battery, handle: 0x28 });
  await expect(service.characteristics()).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", uuid: "180f", handle: 0x20, movedTo: 0x28 });
  expect((await it.pair.client.service(0x180f)).handle).toBe(0x28);
});

describe("descriptors", () => {
  test("that did not move stay the same objects; one that is gone says so", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const [configuration, description] = await characteristic.descriptors();
    it.become({ ...battery, characteristics: [{ ...level, descriptors: [{ uuid: 0x2901, value: hex("42") }] }, other] });
    expect(toHex(await description!.read())).toBe("42");
    expect(await characteristic.descriptors()).toEqual([configuration, description]);
    expect((await characteristic.descriptors())[1]).toBe(description);
    it.become({ ...battery, characteristics: [{ ...level, descriptors: [] }] });
    await expect(description!.read()).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", uuid: "2901", movedTo: undefined });
    await expect(description!.write(hex("00"))).rejects.toMatchObject({ code: "ERR_GATT_CHANGED" });
    expect(toHex(await configuration!.read())).toBe("0000");
    it.become();
    await expect(configuration!.read()).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", uuid: "2a19" });
  });
});

describe("subscriptions", () => {
  test("are made again, and nothing of them is lost", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const values: string[] = [];
    const ended: unknown[] = [];
    await characteristic.subscribe((value) => values.push(toHex(value)), { onEnd: (reason) => ended.push(reason) });
    const cccd = sent(it.pair, 0x12).at(-1);
    it.become(battery);
    it.pair.clientChannel.receive(hex("1b220055")); // what came before the server forgot it
    expect(values).toEqual([]);
    await it.pair.clock.advance(100);
    expect(values).toEqual(["55"]);
    expect(sent(it.pair, 0x12).slice(-1)).toEqual([cccd]);
    await it.server.characteristic(0x180f, 0x2a19)!.notify(hex("56"));
    await it.pair.clock.advance(10);
    expect([values, ended]).toEqual([["55", "56"], []]);
  });

  test("are made again where their configuration stands now", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const values: string[] = [];
    await characteristic.subscribe((value) => values.push(toHex(value)));
    it.become({ ...battery, characteristics: [{ ...level, descriptors: [{ uuid: 0x2901 }, { uuid: 0x2902 }] }] });
    await it.pair.clock.advance(100);
    expect(sent(it.pair, 0x12).slice(-2)).toEqual(["1223000100", "1224000100"]);
    await it.server.characteristic(0x180f, 0x2a19)!.notify(hex("57"));
    await it.pair.clock.advance(10);
    expect(values).toEqual(["57"]);
  });

  test("of what is gone end with what became of it, and what was kept is not delivered", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const told: unknown[] = [];
    await characteristic.subscribe((value) => told.push(value), { onEnd: (reason) => told.push(reason) });
    const loop = characteristic.notifications();
    const next = loop.next();
    it.become({ ...battery, handle: 0x28 });
    it.pair.clientChannel.receive(hex("1b220055"));
    await expect(next).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", movedTo: 0x29 });
    expect(told).toEqual([expect.objectContaining({ code: "ERR_GATT_CHANGED", uuid: "2a19", handle: 0x21, movedTo: 0x29 })]);
    await expect(characteristic.subscribe(() => undefined)).rejects.toMatchObject({ code: "ERR_GATT_CHANGED" });
  });

  test("end where the peer does not say what became of them", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const ended: unknown[] = [];
    await characteristic.subscribe(() => undefined, { onEnd: (reason) => ended.push(reason) });
    it.pair.clientChannel.filter = (pdu) => pdu[0] !== 0x10;
    it.become(battery);
    await it.pair.clock.advance(31_000);
    expect(ended).toEqual([expect.objectContaining({ code: expect.stringMatching(/ERR_(ATT_)?TIMEOUT|ERR_ATT_BEARER_CLOSED/) })]);
  });

  test("that the peer refuses now end with its refusal", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const ended: unknown[] = [];
    await characteristic.subscribe(() => undefined, { onEnd: (reason) => ended.push(reason) });
    it.become({ ...battery, characteristics: [{ ...level, permissions: { subscribe: "encrypted" } }, other] });
    await it.pair.clock.advance(100);
    expect(ended).toEqual([expect.objectContaining({ code: "ERR_ATT", errorCode: 0x05 })]);
    const values: string[] = [];
    it.become(battery);
    await characteristic.subscribe((value) => values.push(toHex(value))); // and may be had again
    await it.server.characteristic(0x180f, 0x2a19)!.notify(hex("58"));
    await it.pair.clock.advance(10);
    expect(values).toEqual(["58"]);
  });

  test("keep the newest 64 values while nobody knows whose they are", async () => {
    using it = await scene();
    const characteristic = await it.pair.client.characteristic(0x180f, 0x2a19);
    const values: number[] = [];
    await characteristic.subscribe((value) => values.push(value[0]!));
    it.become(battery);
    for (let i = 0; i < 70; i++) it.pair.clientChannel.receive(Uint8Array.of(0x1b, 0x22, 0, i));
    await it.pair.clock.advance(100);
    expect(values).toEqual(Array.from({ length: 64 }, (_, i) => i + 6));
  });
});

test("a command that must leave now says that it cannot, until the range was asked for", async () => {
  using it = await scene();
  const characteristic = await it.pair.client.characteristic(0x180f, 0x2a1a);
  expect(characteristic.tryWriteWithoutResponse(hex("01"))).toBe(true);
  it.become(battery);
  await it.pair.clock.advance(10);
  expect(() => characteristic.tryWriteWithoutResponse(hex("01"))).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  await characteristic.writeWithoutResponse(hex("01"));
  expect(characteristic.tryWriteWithoutResponse(hex("01"))).toBe(true);
});

test("robust caching: what the peer refuses as out of sync is made again where nothing of it changed", async () => {
  using it = await scene();
  const { client, session } = it.pair;
  const characteristic = await client.characteristic(0x180f, 0x2a1a);
  it.pair.serverChannel.filter = (pdu) => pdu[0] !== 0x1d; // the indication is lost
  it.become(battery);
  expect(toHex(await characteristic.read())).toBe("07");
  expect(sent(it.pair, 0x0a).filter((pdu) => pdu === "0a2600")).toHaveLength(2);
  expect(session.clientFeatures & 1).toBe(1);
  it.become({ ...battery, handle: 0x28 });
  await expect(characteristic.write(hex("01"))).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", movedTo: 0x2d });
});

test("requests that wait when the peer says that its services changed do not reach what has their handles now", async () => {
  using it = await scene();
  const { client } = it.pair;
  const characteristic = await client.characteristic(0x180f, 0x2a1a);
  const written: string[] = [];
  it.pair.serverChannel.filter = (pdu) => pdu[0] !== 0x1d;
  const trap = (value: Uint8Array): void => void written.push(toHex(value));
  const read = characteristic.read();
  it.become({
    ...battery,
    characteristics: [other, { uuid: 0x2a1b, handle: 0x25, properties: ["read", "write"], write: trap, value: hex("00") }],
  });
  const outcomes = [code(characteristic.write(hex("01"))), code(characteristic.write(hex("02"))), code(read)];
  expect(await Promise.all(outcomes)).toEqual(["ERR_GATT_CHANGED", "ERR_GATT_CHANGED", "ERR_GATT_CHANGED"]);
  expect(written).toEqual([]);
});

test("nor those that wait when Service Changed comes", async () => {
  using it = await scene(false);
  const { client } = it.pair;
  const characteristic = await client.characteristic(0x180f, 0x2a1a);
  const written: string[] = [];
  it.pair.server.pause();
  const asked = client.read(0x03); // occupies the bearer
  const writes = [code(characteristic.write(hex("01"))), code(characteristic.write(new Uint8Array(100)))];
  await it.pair.clock.advance(10);
  it.become({
    ...battery,
    characteristics: [{ uuid: 0x2a1b, handle: 0x25, properties: ["write"], write: (value) => void written.push(toHex(value)) }],
  });
  await it.pair.clock.advance(10);
  it.pair.server.resume();
  await asked.catch(() => undefined);
  expect(await Promise.all(writes)).toEqual(["ERR_GATT_CHANGED", "ERR_GATT_CHANGED"]);
  expect(written).toEqual([]);
});

test("one change is told once, however many requests it refuses; the next one again", async () => {
  using it = await scene();
  const { client } = it.pair;
  const characteristic = await client.characteristic(0x180f, 0x2a1a);
  const changes: unknown[] = [];
  client.onServiceChanged((change) => changes.push(change));
  it.pair.serverChannel.filter = (pdu) => pdu[0] !== 0x1d;
  for (let i = 1; i <= 2; i++) {
    it.become(battery);
    expect(await Promise.all([characteristic.read(), characteristic.read(), characteristic.read()])).toEqual([
      hex("07"),
      hex("07"),
      hex("07"),
    ]);
    await it.pair.clock.advance(100);
    expect(changes).toEqual(Array(i).fill({ startHandle: 1, endHandle: 0xffff }));
  }
});

test("two changes while nobody asks are asked for together, and nothing outside of them", async () => {
  using it = await scene();
  const service = await it.pair.client.service(0x180f);
  const before = await it.pair.client.services();
  const from = it.pair.clientChannel.sent.length;
  const handle = (await it.pair.client.service(0x1801)).handle;
  it.become({ ...battery, uuid: 0x1810, handle: 0x30, endHandle: 0x34, characteristics: [] });
  it.server.addService({ uuid: 0x1811, handle: 0x60, characteristics: [] });
  await it.pair.clock.advance(100);
  const after = await it.pair.client.services();
  expect(after.map(({ uuid, primary }) => [uuid.text, primary])).toEqual([
    ["1801", true],
    ["1810", true],
    ["1811", true],
    ["180a", true],
  ]);
  expect([after[0] === before[0], after[3] === before[2], handle]).toEqual([true, true, 1]);
  expect(
    it.pair.clientChannel.sent
      .slice(from)
      .filter((pdu) => pdu[0] === 0x10)
      .map(toHex),
  ).toEqual(["10200060000028"]);
  await expect(service.characteristics()).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", movedTo: undefined });
});

test("by handle nothing is made again: it may be something else now", async () => {
  using it = await scene();
  it.pair.serverChannel.filter = (pdu) => pdu[0] !== 0x1d;
  it.become(battery);
  expect(await code(it.pair.client.read(0x26))).toBe("ERR_ATT");
  expect(toHex(await it.pair.client.read(0x26))).toBe("07");
});

test("a peer that cannot be asked for a range: what it touched is gone, and all is asked for again", async () => {
  using it = await scene();
  const characteristic = await it.pair.client.characteristic(0x180f, 0x2a1a);
  it.become(battery);
  it.pair.clientChannel.filter = (pdu) => {
    if (pdu[0] !== 0x10 || pdu[1] !== 0x20) return true;
    it.pair.clientChannel.receive(hex("0110200006"));
    return false;
  };
  expect(await code(characteristic.read())).toBe("ERR_GATT_CHANGED");
  expect(toHex(await (await it.pair.client.characteristic(0x180f, 0x2a1a)).read())).toBe("07");
});

test("a secondary service stays as well, and is asked for as such", async () => {
  const server = new GattServer();
  server.addService(gattService());
  const secondary = (): LocalService =>
    server.addService({
      uuid: 0x180f,
      primary: false,
      handle: 0x20,
      characteristics: [{ uuid: 0x2a19, properties: ["read"], value: hex("64") }],
    });
  const first = secondary();
  const include = (included: LocalService): LocalService =>
    server.addService({ uuid: 0x1810, handle: 0x10, includes: [included], characteristics: [] });
  const including = include(first);
  using pair = createGattPair({ server });
  await pair.client.watchServiceChanged();
  const service = await pair.client.service(0x1810);
  const [included] = await service.includedServices();
  const [characteristic] = await included!.characteristics();
  server.removeService(including);
  server.removeService(first);
  include(secondary());
  expect(toHex(await characteristic!.read())).toBe("64");
  expect((await service.includedServices())[0]).toBe(included);
  server.removeService(server.service(0x1810)!);
  server.removeService(server.service(0x180f)!);
  include(server.addService({ uuid: 0x180f, primary: false, handle: 0x28, characteristics: [] }));
  await pair.clock.advance(10);
  await expect(characteristic!.read()).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", movedTo: undefined });
  expect((await pair.client.services()).map(({ uuid }) => uuid.text)).toEqual(["1801", "1810"]); // what is included is none of them
  expect((await service.includedServices()).map(({ handle, primary }) => [handle, primary])).toEqual([[0x28, false]]);
});
