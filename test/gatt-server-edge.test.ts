import { describe, expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { ArgumentError } from "../src/core/error.ts";
import { GattServer, gapService, gattService, hasProperty, propertyBits } from "../src/gatt/index.ts";
import { ask, raw, serverWith } from "./support/raw-client.ts";

// What a program gives to the server is checked in kind, range and name: a mistyped word must not become a default.

const octets = (length: number): Uint8Array => new Uint8Array(length);

describe("a definition that is mistyped is refused, and nothing is added", () => {
  test.each<[string, object, RegExp]>([
    ["text as a value", { value: "hi" }, /value: expected a Uint8Array, got a string/],
    ["an array as a value", { value: [1, 2] }, /value: expected a Uint8Array, got an array/],
    ["a DataView as a value", { value: new DataView(new ArrayBuffer(2)) }, /value: expected a Uint8Array/],
    ["a value of 600 octets", { value: octets(600) }, /value: expected 0 to 512 octets, got 600/],
    ["a value longer than maxLength", { value: octets(5), maxLength: 4 }, /value: expected 0 to 4 octets, got 5/],
    ["maxLength 513", { maxLength: 513 }, /maxLength/],
    ["maxLength -1", { maxLength: -1 }, /maxLength/],
    ["maxLength as text", { maxLength: "4" }, /maxLength/],
    ["maxLength NaN", { maxLength: Number.NaN }, /maxLength/],
    ["a property that is none", { properties: ["notifyy"] }, /characteristic 2a19: characteristic property: expected .*"notify"/],
    ["a property of Object's", { properties: ["constructor"] }, /property: expected/],
    ["properties as a word", { properties: "read" }, /properties: expected an array, got a string/],
    ["no properties", { properties: undefined }, /properties: expected an array, got undefined/],
    ["a handler's name mistyped", { onRead: () => octets(1) }, /unknown option "onRead"/],
    ["a handler's name in other case", { Write: () => {} }, /unknown option "Write", did you mean "write"\?/],
    ["a handler that is none", { read: octets(1) }, /read: expected a function/],
    ["a write handler that is none", { write: "store" }, /write: expected a function/],
    ["a subscription handler that is none", { onSubscription: true }, /onSubscription: expected a function/],
    ["fixedLength as a number", { value: octets(1), fixedLength: 1 }, /fixedLength: expected true or false/],
    ["fixedLength without a value", { fixedLength: true }, /fixedLength needs a value/],
    ["a permission that is no word", { permissions: { read: "encrypt" } }, /permission to read: expected "open", "encrypted"/],
    ["an empty permission", { permissions: { write: "" } }, /permission to write: expected "open"/],
    ["a permission as a flag", { permissions: { read: true } }, /permission to read: expected an object/],
    ["no permission", { permissions: { read: null } }, /permission to read: expected an object/],
    ["a permission's name mistyped", { permissions: { reed: "encrypted" } }, /permissions: unknown option "reed", did you mean "read"\?/],
    ["a word for all permissions", { permissions: "encrypted" }, /permissions: expected an object/],
    ["a requirement's name mistyped", { permissions: { read: { encryption: true } } }, /unknown option "encryption"/],
    ["a requirement that is no flag", { permissions: { read: { encrypted: "yes" } } }, /encrypted: expected true or false/],
    ["a key size out of range", { permissions: { write: { minKeySize: 17 } } }, /minKeySize: expected a whole number from 7 to 16, got 17/],
    ["a key size too small", { permissions: { subscribe: { minKeySize: 6 } } }, /subscribe: minKeySize/],
    ["a description that is no text", { description: 5 }, /description: expected text, got 5/],
    ["a description that is too long", { description: "ä".repeat(257) }, /description: expected at most 512 octets of UTF-8, got 514/],
    ["descriptors that are no list", { descriptors: { uuid: 0x2901 } }, /descriptors: expected an array/],
    ["a descriptor that is none", { descriptors: [0x2901] }, /descriptor: expected an object of options, got 10497/],
    ["a descriptor's name mistyped", { descriptors: [{ uuid: 0x2901, writeable: true }] }, /did you mean "writable"\?/],
    ["a descriptor's flag", { descriptors: [{ uuid: 0x2901, writable: "no" }] }, /descriptor 2901: writable: expected true or false/],
    ["a descriptor's value", { descriptors: [{ uuid: 0x2901, value: "hi" }] }, /descriptor 2901: value: expected a Uint8Array/],
    ["a descriptor's permission", { descriptors: [{ uuid: 0x2901, permissions: { write: "x" } }] }, /permission to write/],
    ["a UUID that is none", { uuid: {} }, /UUID: expected text, a number or a Uuid/],
    ["no UUID", { uuid: undefined }, /UUID: expected text, a number or a Uuid, got undefined/],
  ])("%s", (_name, definition, message) => {
    const server = new GattServer();
    const characteristic = { uuid: 0x2a19, properties: ["read", "write"], ...definition } as never;
    const add = (): unknown => server.addService({ uuid: 0x180f, characteristics: [characteristic] });
    expect(add).toThrow(ArgumentError);
    expect(add).toThrow(message);
    expect(server.services).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /service: expected a definition/],
    ["null", null, /service: expected an object/],
    ["a number", 0x180f, /service: expected an object of options, got 6159/],
    ["no characteristics", { uuid: 0x180f }, /characteristics: expected an array, got undefined/],
    ["characteristics that are no list", { uuid: 0x180f, characteristics: {} }, /characteristics: expected an array/],
    [
      "a characteristic that is none",
      { uuid: 0x180f, characteristics: [undefined] },
      /characteristic: expected a definition, got undefined/,
    ],
    ["a name mistyped", { uuid: 0x180f, characteristics: [], primry: true }, /unknown option "primry", did you mean "primary"\?/],
    ["primary as text", { uuid: 0x180f, characteristics: [], primary: "no" }, /primary: expected true or false/],
    ["includes that are no list", { uuid: 0x180f, characteristics: [], includes: "180a" }, /includes: expected an array/],
    ["an included UUID", { uuid: 0x180f, characteristics: [], includes: [0x180a] }, /expected an included service/],
    ["an included nothing", { uuid: 0x180f, characteristics: [], includes: [null] }, /expected an included service/],
    ["a handle as text", { uuid: 0x180f, characteristics: [], handle: "9" }, /service handle 9/],
    ["handle 0", { uuid: 0x180f, characteristics: [], handle: 0 }, /service handle 0/],
  ])("%s as a service", (_name, definition, message) => {
    const server = new GattServer();
    expect(() => server.addService(definition as never)).toThrow(ArgumentError);
    expect(() => server.addService(definition as never)).toThrow(message);
    expect(server.services).toEqual([]);
  });

  test.each<[unknown, RegExp]>([
    [undefined, /value: expected a definition/],
    [5, /value: expected an object/],
    [{ uuid: 0x2a29, value: "Jelling" }, /characteristic 2a29: value: expected a Uint8Array/],
    [{ uuid: 0x2a29, val: octets(1) }, /unknown option "val", did you mean "value"\?/],
    [{ uuid: 0x2a29, properties: ["red"] }, /property: expected/],
  ])("%j as a single value", (definition, message) => {
    const server = new GattServer();
    expect(() => server.add(definition as never)).toThrow(message);
    expect(server.services).toEqual([]);
  });

  test("options of the standard services", () => {
    const preferred = { intervalMin: 24, intervalMax: 40, latency: 0, timeout: 400 };
    for (const [options, message] of [
      [undefined, /expected options with a name/],
      [{}, /device name: expected text/],
      [{ name: 5 }, /device name: expected text, got 5/],
      [{ name: "ä".repeat(125) }, /at most 248 octets/],
      [{ name: "a", onWritten: () => {} }, /unknown option "onWritten", did you mean "onNameWritten"\?/],
      [{ name: "a", onNameWritten: true }, /onNameWritten: expected a function/],
      [{ name: "a", appearance: 0x10000 }, /appearance: expected a whole number from 0 to 65535/],
      [{ name: "a", centralAddressResolution: 1 }, /centralAddressResolution: expected true or false/],
      [{ name: "a", preferredConnectionParameters: { ...preferred, timeout: 70_000 } }, /timeout: expected/],
      [{ name: "a", preferredConnectionParameters: { ...preferred, interval: 6 } }, /unknown option "interval"/],
      [{ name: "a", preferredConnectionParameters: { intervalMin: 6 } }, /intervalMax: expected a whole number/],
    ] as const)
      expect(() => gapService(options as never), JSON.stringify(options)).toThrow(message);
    expect(() => gattService({ robustCatching: false } as never)).toThrow(
      /unknown option "robustCatching", did you mean "robustCaching"\?/,
    );
    expect(() => gattService({ robustCaching: 0 } as never)).toThrow(/robustCaching: expected true or false/);
    expect(gattService({ serverFeatures: true }).characteristics).toHaveLength(4);
    expect(gapService({ name: "ä".repeat(124) }).characteristics).toHaveLength(2);
  });
});

test("what is right is taken: every word, every requirement, the longest values", () => {
  const server = new GattServer();
  const service = server.addService({
    uuid: "180f",
    primary: false,
    includes: [],
    characteristics: [
      {
        uuid: 0x2a19,
        properties: ["read", "write", "notify"],
        value: octets(512),
        maxLength: 512,
        permissions: { read: "open", write: { encrypted: true, minKeySize: 7 }, subscribe: { minKeySize: 16, authorized: false } },
        description: "ä".repeat(256),
        descriptors: [{ uuid: 0x2910, value: octets(0), maxLength: 0, writable: false }],
      },
      { uuid: 0x2a1a, properties: [], permissions: { read: "authenticated", write: "authorized", subscribe: undefined } },
    ],
  });
  expect(service.characteristics).toHaveLength(2);
});

test("a requirement is what it was when the service was added", () => {
  const requirement = { encrypted: true };
  const server = serverWith({ uuid: 0x2a19, properties: ["read"], permissions: { read: requirement } });
  requirement.encrypted = false;
  using pair = raw(server);
  expect(ask(pair, "0a0300")).toEqual(["010a030005"]);
});

test("words for properties are checked wherever they are taken", () => {
  expect(propertyBits(["read", "reliable-write"])).toBe(0x182);
  expect(() => propertyBits(["reed" as never])).toThrow(ArgumentError);
  expect(hasProperty(0x02, "read")).toBe(true);
  expect(hasProperty(0x02, "write")).toBe(false);
  expect(() => hasProperty(0x02, "reed" as never)).toThrow(/property: expected/);
  const [characteristic] = serverWith({ uuid: 0x2a19, properties: ["read"] }).services[0]!.characteristics;
  expect(() => characteristic!.has("toString" as never)).toThrow(ArgumentError);
});

describe("what a program sends", () => {
  function subscribed() {
    const server = serverWith(
      { uuid: 0x2a19, properties: ["notify", "indicate"] },
      { uuid: 0x2a1a, properties: ["read"], value: octets(2), fixedLength: true },
      { uuid: 0x2a1b, properties: ["read"], maxLength: 3 },
    );
    const pair = raw(server);
    ask(pair, "1204000300");
    const [characteristic, fixed, short] = server.services[0]!.characteristics;
    return { pair, characteristic: characteristic!, fixed: fixed!, short: short! };
  }

  test.each<[string, unknown]>([
    ["an array of numbers", [7, 300]],
    ["text", "hello"],
    ["nothing", undefined],
    ["a DataView", new DataView(new ArrayBuffer(1))],
    ["16-bit numbers", new Uint16Array(2)],
    ["513 octets", new Uint8Array(513)],
  ])("%s is refused, be there a subscriber or not", async (_name, value) => {
    const { pair, characteristic } = subscribed();
    using _ = pair;
    for (const subscriber of [true, false]) {
      const before = pair.serverChannel.sent.length;
      await expect(characteristic.notify(value as never)).rejects.toThrow(ArgumentError);
      await expect(characteristic.indicate(value as never)).rejects.toThrow(/indicate: value: expected/);
      expect(() => characteristic.tryNotify(value as never)).toThrow(/tryNotify: value: expected/);
      await expect(pair.session.notifyMultiple([{ characteristic, value: value as never }])).rejects.toThrow(ArgumentError);
      expect(() => {
        characteristic.value = value as never;
      }).toThrow(/value of characteristic 2a19: expected/);
      expect(pair.serverChannel.sent).toHaveLength(before);
      if (subscriber) ask(pair, "1204000000");
    }
  });

  test("mistyped options and handlers are refused", async () => {
    const { pair, characteristic } = subscribed();
    using _ = pair;
    await expect(characteristic.notify(octets(1), { timeout: 5 } as never)).rejects.toThrow(
      /notify: unknown option "timeout", did you mean "timeoutMs"\?/,
    );
    await expect(characteristic.indicate(octets(1), { peer: pair.session.peer } as never)).rejects.toThrow(
      /indicate: unknown option "peer"/,
    );
    await expect(characteristic.notify(octets(1), 5 as never)).rejects.toThrow(ArgumentError);
    expect(() => {
      characteristic.onSubscription = "x" as never;
    }).toThrow(/onSubscription: expected a function/);
    expect(pair.serverChannel.sent).toHaveLength(1);
  });

  test("the longest value, and an empty one, are taken; as much is sent as the MTU allows", async () => {
    const { pair, characteristic } = subscribed();
    using _ = pair;
    await characteristic.notify(octets(512), { to: pair.session.peer, timeoutMs: 1000 });
    expect(characteristic.tryNotify(octets(0))).toBe(true);
    expect(pair.serverChannel.sent.slice(1).map(({ length }) => length)).toEqual([23, 3]);
    await delay(pair.clock, 1);
  });

  test("a stored value keeps to its length, and is a copy", () => {
    const { pair, characteristic, fixed, short } = subscribed();
    using _ = pair;
    for (const length of [0, 1, 3])
      expect(() => {
        fixed.value = octets(length);
      }).toThrow(/expected 2 octets/);
    fixed.value = Uint8Array.of(1, 2);
    expect(() => {
      short.value = octets(4);
    }).toThrow(/expected 0 to 3 octets, got 4/);
    const value = Uint8Array.of(1);
    characteristic.value = value;
    value[0] = 9;
    expect(characteristic.value).toEqual(Uint8Array.of(1));
    expect(ask(pair, "0a0600")).toEqual(["0b0102"]);
  });
});
