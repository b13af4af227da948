import { expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { AttError } from "../src/att/error.ts";
import { NO_SECURITY } from "../src/att/security.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { ClosedError } from "../src/core/error.ts";
import { type GattPeer, GattServer, gapService, gattService, type LocalCharacteristic, type LocalService } from "../src/gatt/index.ts";
import { BONDED, type GattPair } from "./support/gatt-pair.ts";
import { ask, raw, serverWith, text } from "./support/raw-client.ts";

// Small print: what a fault in the server changed and no scenario noticed.

test("robust caching: declarations may be read in any range by a client that is not aware, other types may not", () => {
  const server = new GattServer();
  server.addService(gattService());
  const battery = server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"], value: hex("64") }] });
  server.addService({ uuid: 0x1810, includes: [battery], characteristics: [] });
  for (const [request, answer] of [
    ["080900ffff0328", "09070a00020b00192a"],
    ["080900ffff0228", "09080d0009000b000f18"],
    ["080900ffff192a", "0108090012"],
    ["0801000f00192a", "0108010012"],
    ["080100ffff192a", "09030b0064"],
    ["0a0b00", "010a0b0012"],
    ["0c0b000000", "010c0b0012"],
    ["0e0b000b00", "010e0b0012"],
    ["200b000b00", "01200b0012"],
    ["120b0000", "01120b0012"],
    ["160b000000", "01160b0012"],
    ["1801", "19"],
  ] as const) {
    using pair = raw(server);
    ask(pair, "12060001");
    server.removeService(server.addService({ uuid: 0x1811, characteristics: [] }));
    expect(ask(pair, request), request).toEqual([answer]);
  }
});

test("which database a client knows is stored on a link that is encrypted with the bond's key, and on no other", () => {
  const server = new GattServer();
  server.addService(gattService());
  for (const security of [NO_SECURITY, { ...NO_SECURITY, bonded: true }, { ...BONDED, bonded: false }, BONDED]) {
    const hashes: string[] = [];
    using pair = raw(server, { peer: { onDatabaseHash: (hash) => hashes.push(hash) } });
    pair.secure(security);
    server.removeService(server.addService({ uuid: 0x1810, characteristics: [] }));
    ask(pair, "080100ffff2a2b", "0a0300"); // the hash makes aware
    expect(hashes.length > 0, JSON.stringify(security)).toBe(security === BONDED);
  }
});

test("a subscription handler that rejects after it was given up does not undo what the client has written since", async () => {
  let reject: ((error: unknown) => void) | undefined;
  let calls = 0;
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["notify", "indicate"],
    onSubscription: () => (calls++ === 0 ? new Promise<void>((_, no) => (reject = no)) : undefined),
  });
  using pair = raw(server);
  ask(pair, "1204000100");
  await delay(pair.clock, 29_000);
  expect(ask(pair, "1204000200")).toEqual(["13"]);
  reject?.(new AttError(0x80));
  await delay(pair.clock, 1);
  expect(ask(pair, "0a0400")).toEqual(["0b0200"]);
});

test("a subscription handler hears of indications", () => {
  const states: unknown[] = [];
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["notify", "indicate"],
    onSubscription: (_peer, state) => void states.push(state),
  });
  using pair = raw(server);
  ask(pair, "1204000200", "1204000300", "1204000000");
  expect(states).toEqual([
    { notify: false, indicate: true, restored: false },
    { notify: true, indicate: true, restored: false },
    { notify: false, indicate: false, restored: false },
  ]);
});

test("what a command handler that was given up says later is not told again", async () => {
  let reject: ((error: unknown) => void) | undefined;
  const write = (): Promise<void> => new Promise((_, no) => (reject = no));
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["write-without-response"], write }));
  ask(pair, "52030001");
  await delay(pair.clock, 29_000);
  expect(pair.log).toHaveLength(1);
  reject?.(new Error("too late"));
  await delay(pair.clock, 1);
  expect(pair.log).toHaveLength(1);
});

test("a service is held by those that include it and by no other", () => {
  const server = new GattServer();
  const first = server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"] }] });
  const second = server.addService({ uuid: 0x1810, handle: 0x0101, characteristics: [{ uuid: 0x2a19, properties: ["read"] }] });
  const holder = server.addService({ uuid: 0x1811, includes: [second], characteristics: [] });
  server.removeService(first); // its handles share octets with those of the included one
  expect(() => server.removeService(second)).toThrow(/included by the one at handle 260/);
  server.removeService(holder);
  server.removeService(second);
  expect(server.services).toEqual([]);
});

test("the Database Hash covers declarations with their values, of other descriptors the types, of values nothing", () => {
  const hashOf = (description: string, value: string, properties: "read" | "write" = "read"): string => {
    const server = serverWith({
      uuid: 0x2a19,
      properties: [properties, "notify"],
      value: hex(value),
      description,
      descriptors: [{ uuid: 0x2904, value: hex(value) }],
    });
    return toHex(server.databaseHash);
  };
  expect(hashOf("one", "01")).toBe(hashOf("two", "02"));
  expect(hashOf("one", "01")).not.toBe(hashOf("one", "01", "write"));
});

test("services that do not fit one answer come with the next", () => {
  const server = new GattServer();
  for (let uuid = 0x1810; uuid < 0x1815; uuid++) server.addService({ uuid, characteristics: [] });
  using pair = raw(server);
  expect(ask(pair, "100100ffff0028", "100400ffff0028")).toEqual([
    "1106010001001018020002001118030003001218",
    "110604000400131805000500 1418".replace(" ", ""),
  ]);
});

test("a notification goes to all subscribers, to one of them where it is said, known by its identity", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify", "indicate"] });
  const [characteristic] = server.services[0]!.characteristics;
  using one: GattPair = raw(server, { peer: { id: "one" } });
  using two: GattPair = raw(server, { peer: { id: "two" } });
  for (const pair of [one, two]) ask(pair, "1204000300");
  const sent = (): string[][] => [one, two].map((pair) => pair.serverChannel.sent.slice(1).map(toHex));
  await characteristic!.notify(Uint8Array.of(1));
  await characteristic!.notify(Uint8Array.of(2), { to: { ...two.session.peer, id: "two" } as GattPeer });
  await characteristic!.notify(Uint8Array.of(3), { to: one.session.peer });
  expect(sent()).toEqual([
    ["1b030001", "1b030003"],
    ["1b030001", "1b030002"],
  ]);
  // One of them is gone: the failure is told, and the other has its value.
  two.serverChannel.writable = false;
  const both = characteristic!.notify(Uint8Array.of(4));
  two.serverChannel.close(new ClosedError("gone"));
  await expect(both).rejects.toMatchObject({ code: "ERR_CLOSED" });
  expect(sent()[0]!.at(-1)).toBe("1b030004");
  expect(characteristic!.tryNotify(Uint8Array.of(5))).toBe(true);
  expect(sent()[0]!.at(-1)).toBe("1b030005");
});

test("a name may be given as octets, which need not be UTF-8", () => {
  const server = new GattServer();
  server.addService(gapService({ name: () => Uint8Array.of(0x41, 0xff, 0x00) }));
  using pair = raw(server);
  expect(ask(pair, "0a0300")).toEqual(["0b41ff00"]);
});

test("a name that is asked for is asked at every read, and told where it is written", () => {
  let name = "first";
  const written: string[] = [];
  const server = new GattServer();
  server.addService(gapService({ name: () => name, onNameWritten: (text) => written.push(text) }));
  using pair = raw(server);
  expect(ask(pair, "0a0300")).toEqual([`0b${toHex(text("first"))}`]);
  name = "second";
  expect(ask(pair, "0a0300", `120300${toHex(text("third"))}`, "0a0300")).toEqual([
    `0b${toHex(text("second"))}`,
    "13",
    `0b${toHex(text("second"))}`,
  ]);
  expect(written).toEqual(["third"]);
});

test("a single value may be written where it has a handler, and null is none", () => {
  const server = new GattServer();
  const written: string[] = [];
  const handle = server.add({ uuid: 0x2a29, value: text("a"), write: (value) => void written.push(toHex(value)) });
  using pair = raw(server);
  expect(ask(pair, `12${toHex(Uint8Array.of(handle, 0))}05`)).toEqual(["13"]);
  expect(written).toEqual(["05"]);
  expect(() => server.add(null as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("a handler that closes the server and then answers as if nothing had happened is answered for once", () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read"],
    read: () => {
      server.close();
      return Uint8Array.of(1);
    },
  });
  using pair = raw(server);
  expect(ask(pair, "0a0300", "0a0300")).toEqual(["010a03000e", "010a000006"]);
});

test("searches end with their last handle, which belongs to them", () => {
  const server = new GattServer();
  for (let i = 0; i < 2; i++)
    server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"], value: hex("64") }] });
  using pair = raw(server);
  expect(ask(pair, "0601000300 00280f18", "060100040000280f18")).toEqual(["0701000300", "0701000300 04000600".replace(" ", "")]);
  expect(ask(pair, "1001000300 0028", "1001000400 0028")).toEqual(["110601000300 0f18".replace(" ", ""), "1106010003000f18040006000f18"]);
  expect(ask(pair, "0801000300 192a", "0803000300192a", "0801000200192a")).toEqual(["0903030064", "0903030064", "010801000a"]);
  expect(ask(pair, "0403000300", "0401000200")).toEqual(["050103001 92a".replace(" ", ""), "0501010000280200 0328".replace(" ", "")]);
});

test("a set of handles of odd length is Invalid PDU", () => {
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read"], value: hex("64") }));
  expect(ask(pair, "0e0300030000", "200300030000")).toEqual(["010e000004", "0120000004"]);
});

test("a stored value that changes in the middle of a long read is given as it is", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read"], value: new Uint8Array(30).fill(1) });
  using pair = raw(server);
  ask(pair, "0a0300");
  server.services[0]!.characteristics[0]!.value = new Uint8Array(30).fill(2);
  expect(ask(pair, "0c03001600")).toEqual([`0d${"02".repeat(8)}`]);
});

test("commands that cannot be served are no fault of the program", () => {
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["write-without-response"], maxLength: 1, write: () => {} }));
  expect(ask(pair, "52ff0001", "5203000102", "52020001", "5203", "52", "d203000102")).toEqual([]);
  expect(pair.log).toEqual([]);
});

test("the GATT service: its server features, and values that a program gives itself", () => {
  const server = new GattServer();
  server.addService(gattService({ serviceChanged: false, robustCaching: false, serverFeatures: true }));
  server.addService({
    uuid: 0x1801,
    characteristics: [
      { uuid: 0x2b2a, properties: ["read"], value: hex("05") },
      { uuid: 0x2b29, properties: ["read"], read: () => hex("06") },
    ],
  });
  server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2b29, properties: ["read", "write"], value: hex("07") }] });
  using pair = raw(server);
  expect(ask(pair, "080100ffff3a2b", "0a0600", "0a0800", "0a0b00")).toEqual(["0903030000", "0b05", "0b06", "0b07"]);
});

test("services are listed by their handles, and the room at the end is used when numbers run out", () => {
  const server = new GattServer();
  const add = (uuid: number, handle?: number) => server.addService({ uuid, characteristics: [], ...(handle !== undefined && { handle }) });
  add(0x1810, 9);
  add(0x1811, 2);
  expect(server.services.map(({ handle }) => handle)).toEqual([2, 9]);
  server.removeService(add(0x1812, 0xffff));
  server.addService({ uuid: 0x1813, characteristics: Array.from({ length: 3 }, () => ({ uuid: 0x2a19, properties: ["read"] as const })) });
  expect(server.services.map(({ handle }) => handle)).toEqual([2, 9, 10]);
  expect(add(0x1814).handle).toBe(1);
});

test("a value that a handler gives is not found by what is stored", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read"], value: hex("64"), read: () => hex("65") });
  using pair = raw(server);
  expect(ask(pair, "060100ffff192a64", "060100ffff192a65")).toEqual(["010601000a", "010601000a"]);
  expect(server.services[0]!.characteristics[0]!.properties).toEqual(["read"]);
});

test("an included service is one that is there, from its first handle to its last", () => {
  const server = new GattServer();
  const { uuid, handle, endHandle } = server.addService({ uuid: 0x180f, characteristics: [] });
  for (const other of [
    { uuid, handle, endHandle: endHandle + 1 },
    { uuid, handle: handle + 1, endHandle },
  ])
    expect(() => server.addService({ uuid: 0x1810, includes: [other], characteristics: [] })).toThrow(/not in the database/);
});

test("the last handle is used", () => {
  const server = new GattServer();
  server.addService({ uuid: 0x180f, handle: 0xfffb, characteristics: [] });
  const service = server.addService({ uuid: 0x1810, characteristics: [{ uuid: 0x2a19, properties: ["notify"], value: hex("64") }] });
  expect([service.handle, service.endHandle]).toEqual([0xfffc, 0xffff]);
  using pair = raw(server);
  expect(ask(pair, "12ffff0100", "0affff")).toEqual(["13", "0b0100"]);
  service.characteristics[0]!.tryNotify(Uint8Array.of(1));
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1bfeff01");
});

test("handles above 255 are read in a set too", async () => {
  const server = new GattServer();
  server.addService({ uuid: 0x180f, handle: 0x0101, characteristics: [{ uuid: 0x2a19, properties: ["read"], value: hex("64") }] });
  using pair = raw(server);
  ask(pair, "0e03010301");
  await delay(pair.clock, 1);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["0f6464"]);
});

test("what a characteristic of another service has held keeps its order", async () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["write", "notify"],
    write: async () => {
      const own = server.services[0]!.characteristics[0]!;
      void own.notify(Uint8Array.of(1));
      void other.notify(Uint8Array.of(2));
      await delay(pair.clock, 50);
      await other.notify(Uint8Array.of(3));
      await free.notify(Uint8Array.of(4));
      await delay(pair.clock, 50);
    },
  });
  const [other, free] = [0x2a1b, 0x2a1c].map(
    (uuid) => server.addService({ uuid: 0x1810, characteristics: [{ uuid, properties: ["notify"] }] }).characteristics[0]!,
  ) as [LocalCharacteristic, LocalCharacteristic];
  using pair: GattPair = raw(server);
  ask(pair, "1204000100", "1208000100", "120c000100", "12030001");
  await delay(pair.clock, 200);
  expect(pair.serverChannel.sent.slice(3).map(toHex)).toEqual(["1b0b0004", "13", "1b030001", "1b070002", "1b070003"]);
});

test("what the handler of a prepared write notifies leaves after the response", async () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["write", "notify"],
    write: async () => {
      await delay(pair.clock, 50);
      await server.services[0]!.characteristics[0]!.notify(Uint8Array.of(1));
      await delay(pair.clock, 50);
    },
  });
  using pair: GattPair = raw(server);
  ask(pair, "1204000100", "160300000001", "1801");
  await delay(pair.clock, 200);
  expect(pair.serverChannel.sent.slice(2).map(toHex)).toEqual(["19", "1b030001"]);
});

test("indications that a handler sends are confirmed, or taken back by whoever left, after the response", async () => {
  const outcomes: string[] = [];
  const abort = new AbortController();
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["write", "indicate"],
    write: () => {
      const [characteristic] = server.services[0]!.characteristics;
      void characteristic!.indicate(Uint8Array.of(1)).then(() => outcomes.push("confirmed"));
      characteristic!.indicate(Uint8Array.of(2), { signal: abort.signal }).catch(() => outcomes.push("left"));
      void characteristic!.indicate(Uint8Array.of(3)).then(() => outcomes.push("confirmed"));
    },
  });
  using pair = raw(server);
  ask(pair, "1204000200", "12030001");
  abort.abort(new ClosedError("enough"));
  await delay(pair.clock, 1);
  ask(pair, "1e");
  await delay(pair.clock, 1);
  ask(pair, "1e");
  await delay(pair.clock, 1);
  expect(pair.serverChannel.sent.slice(2).map(toHex)).toEqual(["1d030001", "1d030003"]);
  expect(outcomes).toEqual(["left", "confirmed", "confirmed"]);
});

test("several values that a handler sends, or that do not fit, go one by one", async () => {
  const server = new GattServer();
  const service: LocalService = server.addService({
    uuid: 0x180f,
    characteristics: [
      { uuid: 0x2a19, properties: ["write", "notify"], write: () => pair.session.notifyMultiple(values(1)) },
      { uuid: 0x2a1a, properties: ["notify"] },
    ],
  });
  server.addService({ uuid: 0x1801, characteristics: [{ uuid: 0x2b29, properties: ["read", "write"] }] });
  const values = (length: number) => service.characteristics.map((characteristic) => ({ characteristic, value: new Uint8Array(length) }));
  using pair: GattPair = raw(server);
  ask(pair, "1204000100", "1207000100", "120a0004");
  const sent = (): string[] => pair.serverChannel.sent.slice(3).map(toHex);
  ask(pair, "12030001");
  await delay(pair.clock, 1);
  expect(sent()).toEqual(["13", "1b030000", "1b060000"]);
  await pair.session.notifyMultiple(values(7)); // 1 + 2 * (4 + 7) octets, which is all of 23
  expect(sent().at(-1)).toBe(`23${`03000700${"00".repeat(7)}`}${`06000700${"00".repeat(7)}`}`);
  await pair.session.notifyMultiple(values(8));
  expect(sent().slice(-2)).toEqual([`1b0300${"00".repeat(8)}`, `1b0600${"00".repeat(8)}`]);
});

test("reserved bits of Client Supported Features are not kept, so that a client can leave them out again (Vol 3 Part G 7.2)", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read"] });
  server.addService({ uuid: 0x1801, characteristics: [{ uuid: 0x2b29, properties: ["read", "write"] }] });
  using pair = raw(server);
  expect(ask(pair, "120600fc", "0a0600", "12060003", "0a0600")).toEqual(["13", "0b04", "0112060013", "0b04"]);
  expect(ask(pair, "120600f7", "0a0600", "12060007")).toEqual(["13", "0b07", "13"]);
});

test("of several values those of characteristics that the client has not enabled are left out", async () => {
  const server = serverWith(...[0x2a19, 0x2a1a, 0x2a1b].map((uuid) => ({ uuid, properties: ["notify"] as const })));
  server.addService({ uuid: 0x1801, characteristics: [{ uuid: 0x2b29, properties: ["read", "write"] }] });
  using pair = raw(server);
  ask(pair, "1204000100", "120a000100", "120d0004");
  const values = server.services[0]!.characteristics.map((characteristic, i) => ({ characteristic, value: Uint8Array.of(i) }));
  await pair.session.notifyMultiple(values);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("23030001000009000100 02".replace(" ", ""));
});
