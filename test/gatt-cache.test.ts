// Databases of peers that outlive the link: what is believed, of whom, and what is not.
import { describe, expect, test } from "vitest";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { LogLevel } from "../src/core/logger.ts";
import {
  type CachedDatabase,
  type CharacteristicDefinition,
  clientCache,
  type GattCache,
  GattServer,
  gattService,
  MemoryGattCache,
  type ServiceDefinition,
} from "../src/gatt/index.ts";
import { PDU_OFFSET } from "../src/l2cap/channel.ts";
import type { PairingPolicy } from "../src/smp/index.ts";
import { BONDED, createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { code } from "./support/gatt-script.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const level: CharacteristicDefinition = { uuid: 0x2a19, properties: ["read", "notify"], value: hex("64") };
const battery: ServiceDefinition = { uuid: 0x180f, characteristics: [level] };

function serverWith(...services: ServiceDefinition[]): GattServer {
  const server = new GattServer();
  for (const service of services) server.addService(service);
  return server;
}

/** A store that can be looked into, and that fails where it is told to. */
class Store implements GattCache {
  readonly entries = new Map<string, CachedDatabase>();
  fails: "load" | "save" | "delete" | undefined;
  async load(key: string): Promise<CachedDatabase | undefined> {
    if (this.fails === "load") throw new Error("unreadable");
    return this.entries.get(key);
  }
  async save(key: string, database: CachedDatabase): Promise<void> {
    if (this.fails === "save") throw new Error("disk full");
    this.entries.set(key, JSON.parse(JSON.stringify(database)) as CachedDatabase);
  }
  async delete(key: string): Promise<void> {
    if (this.fails === "delete") throw new Error("disk full");
    this.entries.delete(key);
  }
}

interface Terms {
  readonly server: GattServer;
  readonly store: GattCache;
  /** The bond that the link has proved. */
  readonly bond?: string;
  readonly identity?: string;
  readonly authenticated?: boolean;
  readonly stored?: Record<number, number>;
}

/** One connection; what a bonded server keeps of its client is in `stored`. */
function link({ server, store, bond, identity = "peer 1", authenticated = true, stored = {} }: Terms): GattPair {
  const pair: GattPair = createGattPair({
    server,
    logLevel: LogLevel.Info,
    client: {
      cache: clientCache({ store, peer: () => (bond !== undefined && pair.clientBearer.security.bonded ? { identity, bond } : undefined) }),
    },
    peer: {
      id: identity,
      bonded: bond !== undefined,
      storedCccd: stored,
      onCccdChanged: (handle, value) => {
        stored[handle] = value;
      },
    },
  });
  if (bond !== undefined) pair.secure({ ...BONDED, authenticated });
  return pair;
}

/** Uses the peer's battery; gives the requests that it took. */
async function use(pair: GattPair, expected = "64"): Promise<string[]> {
  const from = pair.clientChannel.sent.length;
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  expect(toHex(await characteristic.read())).toBe(expected);
  await characteristic.descriptors();
  const requests = pair.clientChannel.sent.slice(from).map(toHex);
  await pair.clock.advance(100);
  return requests;
}

const isDiscovery = (pdu: string): boolean =>
  ["04", "06", "10"].includes(pdu.slice(0, 2)) || (pdu.startsWith("08") && !pdu.endsWith("2a2b"));
const HASH_READ = "080100ffff2a2b";

describe("a peer with a Database Hash", () => {
  test("is believed after one read of the hash, on the next link and at another device with the same", async () => {
    const store = new MemoryGattCache();
    const server = serverWith(gattService(), battery);
    using first = link({ server, store });
    expect((await use(first)).filter(isDiscovery).length).toBeGreaterThan(3);
    expect(store.size).toBe(1);
    using second = link({ server, store });
    expect(await use(second)).toEqual([HASH_READ, expect.stringMatching(/^0a/)]);
    using other = link({ server: serverWith(gattService(), battery), store });
    expect(await use(other)).toEqual([HASH_READ, expect.stringMatching(/^0a/)]);
  });

  test("is discovered where the hash is another one", async () => {
    const store = new Store();
    using first = link({ server: serverWith(gattService(), battery), store });
    await use(first);
    using other = link({ server: serverWith(gattService(), { ...battery, handle: 0x40 }), store });
    const requests = await use(other);
    expect(requests[0]).toBe(HASH_READ);
    expect(requests.some(isDiscovery)).toBe(true);
    expect(store.entries.size).toBe(2);
  });

  test("that is not that of its database is not kept", async () => {
    const store = new Store();
    const liar = (): GattServer =>
      serverWith({ uuid: 0x1801, characteristics: [{ uuid: 0x2b2a, properties: ["read"], value: new Uint8Array(16).fill(7) }] }, battery);
    using first = link({ server: liar(), store });
    await use(first);
    expect(store.entries.size).toBe(0);
    expect(first.log.join()).toContain("Database Hash is not that of its database");
    using second = link({ server: liar(), store });
    expect((await use(second)).some(isDiscovery)).toBe(true);
  });

  test("that it does not give, or gives in another length, is none", async () => {
    for (const characteristic of [
      { uuid: 0x2b2a, properties: ["read"] as const, value: hex("0102") },
      { uuid: 0x2b2a, properties: ["read"] as const, readable: false },
    ]) {
      const store = new Store();
      using pair = link({ server: serverWith({ uuid: 0x1801, characteristics: [characteristic] }, battery), store });
      await use(pair);
      expect(store.entries.size).toBe(0);
    }
  });
});

test("a peer without hash and without a bond is asked on every link, and once on each", async () => {
  const store = new Store();
  for (let i = 0; i < 2; i++) {
    using pair = link({ server: serverWith(battery), store });
    expect((await use(pair)).some(isDiscovery)).toBe(true);
    expect((await use(pair)).filter(isDiscovery)).toEqual([]);
  }
  expect(store.entries.size).toBe(0);
});

describe("a bonded peer that says when its services change", () => {
  const simple = gattService({ robustCaching: false });

  test("is believed without a request", async () => {
    const store = new Store();
    const server = serverWith(simple, battery);
    const stored = {};
    using first = link({ server, store, bond: "1", stored });
    await use(first);
    expect(store.entries.get("peer:peer 1")).toMatchObject({ bond: "1", watched: true, trust: 2 });
    using second = link({ server, store, bond: "1", stored });
    expect(await use(second)).toEqual([expect.stringMatching(/^0a/)]);
    await second.client.services();
    expect((await (await second.client.service(0x1801)).characteristics()).length).toBe(1);
    expect(second.clientChannel.sent).toHaveLength(1);
  });

  test("until it says so, on a later link, to the first who listens", async () => {
    const store = new Store();
    const server = serverWith(simple, battery);
    const stored = {};
    using first = link({ server, store, bond: "1", stored });
    await use(first);
    first[Symbol.dispose]();
    using second = link({ server, store, bond: "1", stored });
    const characteristic = await second.client.characteristic(0x180f, 0x2a19);
    server.removeService(server.service(0x180f)!);
    server.addService({ ...battery, handle: 0x30, characteristics: [{ ...level, value: hex("33") }] });
    expect(await code(characteristic.read())).toBe("ERR_GATT_CHANGED");
    expect(await use(second, "33")).toEqual([expect.stringMatching(/^0a/)]);
    second[Symbol.dispose]();
    using third = link({ server, store, bond: "1", stored });
    expect(await use(third, "33")).toEqual([expect.stringMatching(/^0a/)]);
  });

  test("is not believed where it has said so before anybody asked: no old handle is used", async () => {
    const store = new Store();
    const server = serverWith(simple, battery);
    const stored: Record<number, number> = {};
    using first = link({ server, store, bond: "1", stored });
    await use(first);
    first[Symbol.dispose]();
    using second = link({ server, store, bond: "1", stored });
    server.removeService(server.service(0x180f)!);
    server.addService({ ...battery, handle: 0x30, characteristics: [{ ...level, value: hex("33") }] });
    await second.clock.advance(100);
    expect(store.entries.has("peer:peer 1")).toBe(false);
    expect((await use(second, "33")).some(isDiscovery)).toBe(true);
  });

  test("is asked by hash or anew where the bond is another one, or it was not asked to tell", async () => {
    const store = new Store();
    const server = serverWith(simple, battery);
    using first = link({ server, store, bond: "1" });
    await use(first);
    using second = link({ server, store, bond: "2" });
    expect((await use(second)).some(isDiscovery)).toBe(true);
    expect(store.entries.get("peer:peer 1")).toMatchObject({ bond: "2", watched: true });
    store.entries.set("peer:peer 1", { ...store.entries.get("peer:peer 1")!, watched: false });
    using third = link({ server, store, bond: "2" });
    expect((await use(third)).some(isDiscovery)).toBe(true);
    using stranger = link({ server, store }); // nobody has proved to be the peer
    expect((await use(stranger)).some(isDiscovery)).toBe(true);
  });

  test("without Service Changed is asked each time", async () => {
    const store = new Store();
    using first = link({ server: serverWith(battery), store, bond: "1" });
    await use(first);
    expect(store.entries.get("peer:peer 1")).toMatchObject({ watched: false });
    using second = link({ server: serverWith(battery), store, bond: "1" });
    expect((await use(second)).some(isDiscovery)).toBe(true);
  });

  test("that pairs in the midst of the link: what was learned in the clear is not taken for the bonded peer's", async () => {
    const store = new Store();
    const server = serverWith(simple, battery);
    const stored = {};
    using first = link({ server, store, bond: "1", stored });
    first.secure({ encrypted: false, authenticated: false, secureConnections: false, keySize: 0, bonded: false });
    await use(first);
    expect(store.entries.size).toBe(0);
    first.secure(BONDED);
    await first.clock.advance(100);
    expect(store.entries.size).toBe(0);
    expect(stored).toEqual({ 4: 2 }); // but it was asked to tell of changes
    await first.client.services({ refresh: true }); // asked for again, now that it is the peer
    await first.clock.advance(100);
    expect(store.entries.get("peer:peer 1")).toMatchObject({ watched: true, trust: 2 });
    first[Symbol.dispose]();
    using second = link({ server, store, bond: "1", stored });
    expect(await use(second)).toEqual([expect.stringMatching(/^0a/)]);
  });

  test.each(["cold", "warm"])(
    "that changes before any request of a %s link: never is another attribute's value taken for the wanted one",
    async (state) => {
      const other = "9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11";
      for (let at = 0, isReached = true; isReached; at++) {
        isReached = false;
        const store = new Store();
        const server = serverWith(simple, battery);
        const stored = {};
        if (state === "warm") {
          using before = link({ server, store, bond: "1", stored });
          await use(before);
        }
        using pair = link({ server, store, bond: "1", stored });
        let requests = 0;
        pair.clientChannel.filter = () => {
          if (isReached || requests++ < at) return true;
          isReached = true;
          server.removeService(server.service(0x180f)!);
          server.addService({ uuid: other, characteristics: [{ ...level, value: hex("99") }] }); // where the battery was
          server.addService({ ...battery, handle: 0x30, characteristics: [{ ...level, value: hex("33") }] });
          return true;
        };
        let seen: string;
        try {
          seen = toHex(await (await pair.client.characteristic(0x180f, 0x2a19)).read());
        } catch (error) {
          seen = (error as { code: string }).code;
        }
        expect(["64", "33", "ERR_GATT_CHANGED", "ERR_GATT_NOT_FOUND", "ERR_ATT"], `at ${at}`).toContain(seen);
        if (!isReached) break;
        await pair.clock.advance(100);
        await use(pair, "33");
        pair[Symbol.dispose]();
        using next = link({ server, store, bond: "1", stored });
        await use(next, "33");
      }
    },
  );

  test("that says so while the store is being read is not believed", async () => {
    const store = new Store();
    const server = serverWith(simple, battery);
    const stored = {};
    using first = link({ server, store, bond: "1", stored });
    await use(first);
    first[Symbol.dispose]();
    using second = link({ server, store, bond: "1", stored });
    const load = store.load.bind(store);
    store.load = async (key) => {
      const entry = await load(key);
      second.clientChannel.receive(hex("1d030001000f00"));
      return entry;
    };
    expect((await use(second)).some(isDiscovery)).toBe(true);
  });
});

describe("what one peer tells is not believed of one that is trusted more", () => {
  const server = (): GattServer => serverWith(gattService(), battery);
  test.each<[string, Partial<Terms>, Partial<Terms>, boolean]>([
    ["no bond, of one without", {}, {}, true],
    ["no bond, of a bonded one", {}, { bond: "1", authenticated: false }, false],
    ["a bond, of one without", { bond: "1", authenticated: false }, {}, true],
    ["a bond, of another bonded one", { bond: "1", authenticated: false }, { bond: "2", identity: "peer 2", authenticated: false }, true],
    ["a bond, of an authenticated one", { bond: "1", authenticated: false }, { bond: "2", identity: "peer 2" }, false],
    ["an authenticated bond, of another", { bond: "1" }, { bond: "2", identity: "peer 2" }, true],
  ])("learned with %s: %j %j", async (_, from, to, isBelieved) => {
    const store = new Store();
    using first = link({ server: server(), store, ...from });
    await use(first);
    using second = link({ server: server(), store, ...to });
    expect((await use(second)).filter(isDiscovery).length === 0).toBe(isBelieved);
  });

  test("nor does it take the place of what was learned of one trusted more", async () => {
    const store = new Store();
    using first = link({ server: server(), store, bond: "1" });
    await use(first);
    const [key] = [...store.entries.keys()].filter((each) => each.startsWith("hash:"));
    store.entries.get(key!);
    const before = store.entries.get(key!);
    store.entries.set("peer:peer 1", { ...store.entries.get("peer:peer 1")!, hash: "00".repeat(16) });
    using second = link({ server: server(), store });
    await use(second);
    expect(store.entries.get(key!)).toEqual(before);
  });

  test("two databases with one hash: neither is kept", async () => {
    const store = new Store();
    using first = link({ server: server(), store });
    await use(first);
    const [key, entry] = [...store.entries][0]!;
    const [, service] = entry.description.services;
    const forged = { services: [{ ...service!, handle: 1, endHandle: 0xffff, characteristics: [] }] };
    store.entries.set(key, { ...entry, description: forged });
    using second = link({ server: server(), store });
    expect((await use(second)).some(isDiscovery)).toBe(true); // the forged one has not that hash
    expect(store.entries.has(key)).toBe(false);
  });
});

describe("robust caching", () => {
  test("after Database Out Of Sync the hash is read: nothing changed, and the request is made again", async () => {
    const server = serverWith(gattService(), battery);
    const store = new Store();
    using pair = link({ server, store, bond: "1" });
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    await pair.clock.advance(100);
    pair.serverChannel.filter = (pdu) => pdu[0] !== 0x1d;
    server.removeService(server.addService({ uuid: 0x1810, handle: 0x80, characteristics: [] }));
    const from = pair.clientChannel.sent.length;
    expect(toHex(await characteristic.read())).toBe("64");
    const value = toHex(Uint8Array.of(0x0a, characteristic.valueHandle, 0));
    expect(pair.clientChannel.sent.slice(from).map(toHex)).toEqual([value, HASH_READ, value]);
  });

  test("Service Changed is believed more than a hash that is the same: the range is asked for again", async () => {
    const server = serverWith(gattService(), battery);
    using pair = link({ server, store: new Store(), bond: "1" });
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    await pair.clock.advance(100);
    const from = pair.clientChannel.sent.length;
    const { handle, endHandle } = characteristic.service;
    pair.clientChannel.receive(Uint8Array.of(0x1d, 3, 0, handle, 0, endHandle, 0));
    expect(toHex(await characteristic.read())).toBe("64");
    const asked = pair.clientChannel.sent.slice(from).map(toHex);
    expect(asked.filter((pdu) => pdu.startsWith("10")).map((pdu) => pdu.slice(2, 4))).toEqual([
      toHex(Uint8Array.of(handle)),
      toHex(Uint8Array.of(handle)),
    ]);
    expect(await characteristic.descriptors()).toHaveLength(1);
  });

  test("while something is in doubt nothing of it is kept", async () => {
    const server = serverWith(gattService(), battery);
    const store = new Store();
    using pair = link({ server, store, bond: "1" });
    await pair.client.characteristic(0x180f, 0x2a19);
    await pair.clock.advance(100);
    pair.clientChannel.filter = (pdu) => pdu[0] !== 0x10; // it does not say what became of it
    pair.clientChannel.receive(hex("1d030001000f00"));
    void pair.client.watchServiceChanged({ timeoutMs: 1000 }).catch(() => undefined);
    await pair.clock.advance(2000);
    expect(store.entries.has("peer:peer 1")).toBe(false);
  });

  test("and where it is another one, what moved says so, and what is kept is the new one", async () => {
    const server = serverWith(gattService(), battery);
    const store = new Store();
    const stored = {};
    using pair = link({ server, store, bond: "1", stored });
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    await pair.clock.advance(100);
    pair.serverChannel.filter = (pdu) => pdu[0] !== 0x1d;
    server.removeService(server.service(0x180f)!);
    server.addService({ ...battery, handle: 0x50 });
    expect(await code(characteristic.read())).toBe("ERR_GATT_CHANGED");
    await pair.clock.advance(100);
    expect(store.entries.get("peer:peer 1")!.hash).toBe(toHex(server.databaseHash));
    expect(store.entries.get("peer:peer 1")!.description.services.at(-1)).toMatchObject({ handle: 0x50 });
  });
});

describe("a store", () => {
  test("that cannot be read, or written, is logged, and nothing else", async () => {
    for (const fails of ["load", "save", "delete"] as const) {
      const store = new Store();
      store.fails = fails;
      const server = serverWith(gattService(), battery);
      using pair = link({ server, store, bond: "1" });
      await use(pair);
      await pair.client.services({ refresh: true });
      await use(pair);
      expect(pair.log.join()).toMatch(
        fails === "load" ? /is not used: .*unreadable/ : fails === "save" ? /not be kept: .*disk full/ : /not be forgotten: .*disk full/,
      );
    }
  });

  test.each<[string, unknown]>([
    ["text", "x"],
    ["nothing", null],
    ["no description", { trust: 2, hash: "00".repeat(16) }],
    ["an unknown name", { trust: 2, description: { services: [] }, x: 1 }],
    ["trust of another kind", { trust: 3, description: { services: [] } }],
    ["a hash of another length", { trust: 2, hash: "00", description: { services: [] } }],
    ["a bond of another kind", { trust: 2, bond: 1, description: { services: [] } }],
    ["a flag of another kind", { trust: 2, watched: "yes", description: { services: [] } }],
    [
      "handles that overlap",
      { trust: 2, bond: "1", watched: true, description: { services: [{ uuid: "180f", handle: 0, endHandle: 1 }] } },
    ],
  ])("that gives %s is not believed", async (_, entry) => {
    const store = new Store();
    store.entries.set("peer:peer 1", entry as CachedDatabase);
    using pair = link({ server: serverWith(battery), store, bond: "1" });
    expect((await use(pair)).some(isDiscovery)).toBe(true);
    expect(pair.log.join()).toContain("the cache of peers' databases is not used");
  });

  test("is not filled by a peer that has more attributes than any real one", async () => {
    const store = new Store();
    const characteristics = Array.from({ length: 700 }, () => level);
    using pair = link({ server: serverWith(gattService(), { uuid: 0x180f, characteristics }), store });
    await use(pair);
    expect(store.entries.size).toBe(0);
  });

  test("nor by one with few characteristics and very many descriptors", async () => {
    const store = new Store();
    const descriptors = Array.from({ length: 2000 }, () => ({ uuid: 0x2901, value: hex("41") }));
    const server = serverWith(gattService(), { uuid: 0x180f, characteristics: [{ ...level, descriptors }] });
    using pair = link({ server, store });
    await use(pair);
    expect(store.entries.size).toBe(0);
  });

  test("in memory forgets the oldest", async () => {
    const store = new MemoryGattCache({ maxEntries: 2 });
    const entry: CachedDatabase = { trust: 0, description: { services: [] } };
    for (const key of ["a", "b", "a", "c"]) await store.save(key, entry);
    expect([await store.load("a"), await store.load("b"), await store.load("c"), store.size]).toEqual([entry, undefined, entry, 2]);
    await store.delete("a");
    expect(store.size).toBe(1);
    expect(() => new MemoryGattCache({ maxEntries: 0 })).toThrow(/maxEntries/);
    expect(() => new MemoryGattCache({ most: 1 } as never)).toThrow(/unknown option/);
  });
});

test("a peer that contradicts itself is asked piece by piece, and not kept", async () => {
  const store = new Store();
  using pair = link({ server: serverWith(gattService(), battery), store });
  pair.clientChannel.filter = (pdu) => {
    if (toHex(pdu.subarray(0, 1)) !== "04") return true;
    pair.clientChannel.receive(Uint8Array.of(1, 4, pdu[1]!, pdu[2]!, 0x0e));
    return false;
  };
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  expect(toHex(await characteristic.read())).toBe("64");
  expect(store.entries.size).toBe(0);
});

test("everything is there at once: services, includes, descriptors, as they were discovered", async () => {
  const store = new MemoryGattCache();
  const make = (): GattServer => {
    const server = serverWith(gattService());
    const included = server.addService({ ...battery, primary: false });
    server.addService({
      uuid: "9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11",
      includes: [included],
      characteristics: [{ uuid: 0x2a1a, properties: ["write", "reliable-write"], description: "x" }],
    });
    return server;
  };
  const look = async ({ client }: GattPair): Promise<unknown> =>
    await Promise.all(
      (await client.services()).map(async (service) => [
        service.uuid.text,
        service.handle,
        service.endHandle,
        await Promise.all(
          (await service.characteristics()).map(async (one) => [
            one.uuid.text,
            one.properties,
            one.endHandle,
            (await one.descriptors()).map((d) => [d.uuid.text, d.handle]),
          ]),
        ),
        (await service.includedServices()).map(({ uuid, handle, endHandle, primary }) => [uuid.text, handle, endHandle, primary]),
      ]),
    );
  const plain = await look(createGattPair({ server: make() }));
  using first = link({ server: make(), store });
  expect(await look(first)).toEqual(plain);
  await first.clock.advance(10);
  using second = link({ server: make(), store });
  expect(await look(second)).toEqual(plain);
  expect(second.clientChannel.sent.map(toHex)).toEqual([HASH_READ]);
});

test("devices: a bonded peer's database is there on the next link, until it changes while nobody is connected", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const gattCache = new MemoryGattCache();
  const pairing: Partial<PairingPolicy> = {};
  const pair = await air.connectedPair({ central: { gattCache, pairing }, peripheral: { pairing } });
  const { device: central } = pair.central;
  const { device: peripheral } = pair.peripheral;
  peripheral.gattServer.addService(battery);
  await pair.central.connection.pair();
  await pair.central.connection.gatt.characteristic(0x180f, 0x2a19);
  await air.advance(2000);
  await pair.central.connection.disconnect();
  await air.advance(1000);
  const again = async (): Promise<{ discoveries: number; value: string }> => {
    const shown = await peripheral.advertise();
    const connection = await central.connect(peripheral.identity);
    await shown.connection();
    let discoveries = 0;
    const { channel } = connection.att;
    const send = channel.sendFrame.bind(channel);
    channel.sendFrame = (frame) => {
      if ([0x04, 0x06, 0x10].includes(frame[PDU_OFFSET]!)) discoveries++;
      send(frame);
    };
    await air.advance(1000);
    const value = toHex(await (await connection.gatt.characteristic(0x180f, 0x2a19)).read());
    await air.advance(2000);
    await connection.disconnect();
    await air.advance(1000);
    return { discoveries, value };
  };
  expect(await again()).toEqual({ discoveries: 0, value: "64" });
  peripheral.gattServer.removeService(peripheral.gattServer.service(0x180f)!);
  peripheral.gattServer.addService({ uuid: 0x1810, characteristics: [level, level] });
  peripheral.gattServer.addService({ ...battery, characteristics: [{ ...level, value: hex("21") }] });
  const changed = await again();
  expect([changed.discoveries > 0, changed.value]).toEqual([true, "21"]);
  expect(await again()).toEqual({ discoveries: 0, value: "21" });
});
