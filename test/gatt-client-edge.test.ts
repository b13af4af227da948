// Arguments that are checked before anything is sent, and the second way where a peer lacks the first.
import { beforeEach, describe, expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { GattServer, propertyBits, type RemoteCharacteristic } from "../src/gatt/index.ts";
import { createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { battery, code, range, scripted, sent, serverWith } from "./support/gatt-script.ts";

describe("arguments", () => {
  const pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["read", "write", "notify"], value: hex("01") }) });
  const { client } = pair;
  const any = (value: unknown): never => value as never;
  let characteristic: RemoteCharacteristic;
  beforeEach(async () => {
    characteristic = await client.characteristic(0x180f, 0x2a19);
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ["a string as octets", () => client.write(3, any("hello")), /value: expected a Uint8Array, got a string/],
    ["an array as octets", () => characteristic.write(any([1, 2])), /expected a Uint8Array, got an array/],
    ["no octets", () => client.writeWithoutResponse(3, any(undefined)), /expected a Uint8Array, got undefined/],
    ["a string as octets of a long write", () => client.writeLong(3, any("hello")), /expected a Uint8Array/],
    ["a string in a reliable write", () => client.reliableWrite([{ handle: 3, value: any("x") }]), /expected a Uint8Array/],
    ["a reliable write of one object", () => client.reliableWrite(any({ handle: 3, value: hex("01") })), /expected an array/],
    [
      "a reliable write of nothing known",
      () => client.reliableWrite(any([{ handel: 3 }])),
      /unknown option "handel", did you mean "handle"/,
    ],
    ["a reliable write with a hole", () => client.reliableWrite(any([undefined])), /expected a handle and a value/],
    ["513 octets", () => client.write(3, new Uint8Array(513)), /value of 513 octets: .* at most 512/],
    ["an offset that wraps", () => client.readLong(3, { offset: 70_000 }), /offset: expected a whole number from 0 to 512, got 70000/],
    ["an offset of NaN", () => client.readLong(3, { offset: Number.NaN }), /got NaN/],
    ["a negative offset", () => client.readLong(3, { offset: -1 }), /got -1/],
    ["a fraction of an offset", () => client.writeLong(3, hex("01"), { offset: 1.5 }), /got 1.5/],
    ["an offset in words", () => client.writeLong(3, hex("01"), { offset: any("1") }), /offset: .* got a string/],
    ["octets beyond 512", () => client.writeLong(3, range(2), { offset: 511 }), /value of 513 octets/],
    ["handle 0", () => client.read(0), /attribute handle: .* from 1 to 65535, got 0/],
    ["handle 65536", () => client.write(0x10000, hex("01")), /attribute handle/],
    ["a handle of NaN", () => client.read(Number.NaN), /attribute handle/],
    ["a handle in words", () => client.read(any("3")), /attribute handle/],
    ["handle 0 among several", () => client.readMultiple([3, 0]), /attribute handle/],
    ["one handle as several", () => client.readMultiple([3]), /at least 2/],
    ["a number as handles", () => client.readMultipleVariable(any(3)), /expected an array/],
    ["a range that begins at 0", () => client.readByUuid(0x2a19, { startHandle: 0 }), /startHandle/],
    ["a range beyond the end", () => client.readByUuid(0x2a19, { endHandle: 0x10000 }), /endHandle/],
    ["a range backwards", () => client.readByUuid(0x2a19, { startHandle: 9, endHandle: 8 }), /smaller one first/],
    ["no UUID", () => client.service(any(undefined)), /UUID: expected text/],
    ["an object as UUID", () => client.characteristic(0x180f, any({})), /UUID/],
    ["an unknown option", () => client.read(3, any({ timeoutMS: 5 })), /read: unknown option "timeoutMS", did you mean "timeoutMs"/],
    [
      "an unknown option of a discovery",
      () => client.services(any({ uid: 0x180f })),
      /services: unknown option "uid", did you mean "uuid"/,
    ],
    ["an unknown option of a characteristic", () => characteristic.read(any({ sginal: 1 })), /did you mean "signal"/],
    ["an unknown option of a subscription", () => characteristic.subscribe(() => {}, any({ king: "notify" })), /did you mean "kind"/],
    ["an unknown option of a loop", () => characteristic.notifications(any({ capacty: 1 })).next(), /did you mean "capacity"/],
    ["options in words", () => client.read(3, any("fast")), /expected an object of options/],
    ["a time in words", () => client.read(3, { timeoutMs: any("5") }), /timeoutMs: expected a number/],
    ["a time of NaN", () => client.read(3, { timeoutMs: Number.NaN }), /timeoutMs/],
    ["a negative time", () => client.read(3, { timeoutMs: -1 }), /timeoutMs/],
    ["a controller as signal", () => client.read(3, { signal: any(new AbortController()) }), /signal: expected an AbortSignal/],
    ["an unknown demand", () => client.read(3, { security: any({ encrypt: true }) }), /did you mean "encrypted"/],
    ["a key size that is none", () => client.read(3, { security: { minKeySize: 3 } }), /minKeySize/],
    ["no callback", () => characteristic.subscribe(any(undefined)), /callback: expected a function/],
    ["an unknown kind", () => characteristic.subscribe(() => {}, { kind: any("both") }), /kind: expected "notify", "indicate"/],
    ["an end that is no function", () => characteristic.subscribe(() => {}, { onEnd: any("end") }), /onEnd: expected a function/],
    ["no room", () => characteristic.notifications({ capacity: 0 }).next(), /capacity/],
    ["an unknown property", async () => characteristic.has(any("notifyy")), /characteristic property/],
    ["an unknown property of a definition", async () => propertyBits([any("notifyy")]), /characteristic property/],
    ["no handler of values", async () => client.onValue(any(undefined)), /handler: expected a function/],
    ["no handler of changes", async () => client.onServiceChanged(any({})), /handler: expected a function/],
    ["a string to send at once", async () => client.tryWriteWithoutResponse(3, any("x")), /expected a Uint8Array/],
    ["too much to send at once", async () => characteristic.tryWriteWithoutResponse(range(600)), /at most/],
    ["handle 0 to send at once", async () => client.tryWriteWithoutResponse(0, hex("01")), /attribute handle/],
    ["a time to send at once", async () => client.tryWriteWithoutResponse(3, hex("01"), any({ timeoutMs: 1 })), /unknown option/],
  ])("%s: refused, and nothing is sent", async (_name, run, message) => {
    const before = pair.clientChannel.sent.length;
    const outcome = await run().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringMatching(message) });
    expect(pair.clientChannel.sent).toHaveLength(before);
  });
});

test.each([
  ["a write", "1399", (client: GattPair["client"]) => client.write(3, hex("01"))],
  ["an execution", "1999", (client: GattPair["client"]) => client.writeLong(3, hex("01"))],
])("an answer to %s with octets that nothing reads is the peer's fault", async (_name, answer, run) => {
  using pair = scripted((request) => (request.startsWith("16") ? `17${request.slice(2)}` : answer));
  await expect(run(pair.client)).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL", message: expect.stringContaining("1 unread octets") });
});

describe("second ways", () => {
  test("a service declared by a 16-bit UUID in 16 octets is found, and the rest with it", async () => {
    const long = "fb349b5f8000008000100000" + "10ff0000";
    using pair = scripted((request) => {
      if (request.startsWith("06")) return "010601000a";
      if (request.startsWith("100100")) return `1114 0100 0500 ${long}`;
      return `0110${request.slice(2, 6)}0a`;
    });
    const service = await pair.client.service("ff10");
    expect([service.uuid.text, service.handle, service.endHandle]).toEqual(["ff10", 1, 5]);
    expect((await pair.client.services())[0]).toBe(service);
    await expect(pair.client.service("ff11")).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND" });
    expect(pair.clientChannel.sent.map((pdu) => toHex(pdu).slice(0, 10))).toEqual(["060100ffff", "100100ffff", "100600ffff"]);
  });

  test("a vendor's UUID has one form: what is not found is not there", async () => {
    using pair = scripted(() => "010601000a");
    await expect(pair.client.service("6e400001-b5a3-f393-e0a9-e50e24dcca9e")).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND" });
    expect(pair.clientChannel.sent).toHaveLength(1);
  });

  test("a peer without Find By Type Value is asked for all services", async () => {
    using pair = scripted((request) => {
      if (request.startsWith("06")) return "0106010006";
      if (request.startsWith("100100")) return "1106 0100 0500 0f18";
      return `0110${request.slice(2, 6)}0a`;
    });
    expect((await pair.client.service(0x180f)).endHandle).toBe(5);
    using failing = scripted(() => "010601000e");
    await expect(failing.client.service(0x180f)).rejects.toMatchObject({ errorCode: 0x0e });
  });

  test("a value whose type is declared in 16 octets is read by its short UUID", async () => {
    using pair = scripted((request) => {
      if (request === "080100ffff192a") return "010801000a";
      if (request.startsWith("080100ffff") && request.endsWith("192a0000")) return "0903 0700 64";
      return `0108${request.slice(2, 6)}0a`;
    });
    expect(await pair.client.readByUuid(0x2a19)).toEqual([{ handle: 7, value: hex("64") }]);
  });

  test("reading begins with a Read Request, at an offset too: short values have no parts for some peers", async () => {
    using pair = scripted((request) => (request === "0a0300" ? "0b01020304" : "010c03000b"));
    expect(await pair.client.readLong(3)).toEqual(hex("01020304"));
    expect(await pair.client.readLong(3, { offset: 1 })).toEqual(hex("020304"));
    expect(await pair.client.readLong(3, { offset: 4 })).toEqual(hex(""));
    await expect(pair.client.readLong(3, { offset: 5 })).rejects.toMatchObject({ code: "ERR_ATT", errorCode: 7 });
    expect(sent(pair, 0x0c)).toEqual([]);
    await expect(pair.client.readLong(3, { offset: 22 })).rejects.toMatchObject({ errorCode: 0x0b });
    expect(sent(pair, 0x0c)).toEqual(["0c03001600"]);
  });

  test.each([0, 1, 21, 22, 23, 44, 100, 246, 247, 511, 512])("a value of 512 octets from offset %i", async (offset) => {
    for (const exchangeMtu of ["on-demand", "as-needed", "auto"] as const) {
      const server = new GattServer();
      const handle = server.add({ uuid: 0x2a29, value: range(512) });
      using pair = createGattPair({ server, clientPolicy: { exchangeMtu } });
      expect(await pair.client.readLong(handle, { offset })).toEqual(range(512).subarray(offset));
    }
  });

  test("a part that was made before the MTU grew is not taken for the end of the value", async () => {
    using pair = scripted(() => undefined);
    const value = pair.client.read(3);
    pair.clientChannel.receive(hex("02f700")); // the peer exchanges, and answers what it was asked before
    pair.clientChannel.receive(hex(`0b${"11".repeat(22)}`));
    await delay(pair.clock, 1);
    expect(toHex(pair.clientChannel.sent.at(-1)!)).toBe("0c03001600");
    pair.clientChannel.receive(hex("0d2233"));
    expect(await value).toHaveLength(24);
  });

  test.each([
    ["a write", ({ client }: GattPair) => client.write(3, range(100))],
    ["a write without response", ({ client }: GattPair) => client.writeWithoutResponse(3, range(100))],
    ["a long write", ({ client }: GattPair) => client.writeLong(3, range(100))],
    ["a reliable write", ({ client }: GattPair) => client.reliableWrite([{ handle: 3, value: range(100) }])],
    ["a read", ({ client }: GattPair) => client.read(3)],
  ])("%s that needs it exchanges the MTU first, once; the policy may say otherwise", async (name, run) => {
    const server = (): GattServer =>
      serverWith({ uuid: 0x2a19, properties: ["read", "write", "write-without-response"], value: range(100), maxLength: 512 });
    using pair = createGattPair({ server: server() });
    await pair.client.write(3, range(20));
    await pair.client.read(3);
    expect(sent(pair, 0x02)).toEqual([]);
    await pair.client.write(3, range(100));
    expect(sent(pair, 0x02)).toEqual(["02f700"]);
    await run(pair);
    expect(sent(pair, 0x02)).toHaveLength(1);

    using fresh = createGattPair({ server: server() });
    await run(fresh);
    expect(sent(fresh, 0x02)).toHaveLength(1);
    for (const exchangeMtu of ["never", "on-demand"] as const) {
      using pump = createGattPair({ server: server(), clientPolicy: { exchangeMtu, maxTxPdu: 23 } });
      expect(await code(run(pump))).toBe(name === "a write without response" ? "ERR_ARGUMENT" : "done");
      expect(sent(pump, 0x02)).toEqual([]);
      expect(Math.max(...pump.clientChannel.sent.map((pdu) => pdu.length), 0)).toBeLessThanOrEqual(23);
    }
  });

  test("where our own PDUs may not grow, a write does not ask for it", async () => {
    using pair = createGattPair({
      server: serverWith({ uuid: 0x2a19, properties: ["write"], value: hex("00"), maxLength: 512 }),
      clientPolicy: { maxTxPdu: 23 },
    });
    await pair.client.write(3, range(100));
    expect(sent(pair, 0x02)).toEqual([]);
  });

  test.each(["09080200000005000f18", "09080200060005000f18", "09070200060007000f", "090a02000600070011223344"])(
    "an include declaration of %s is the peer's fault",
    async (declaration) => {
      using pair = scripted((request) => (request.startsWith("080100") ? declaration : battery(request)));
      const service = await pair.client.service(0x180f);
      await expect(service.includedServices()).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
      expect(sent(pair, 0x0a)).toEqual([]);
    },
  );

  test("an include declaration of one handle is none's", async () => {
    using pair = scripted((request) => {
      if (request.startsWith("080100")) return "0908 0200 0700 0700 0f18";
      return battery(request);
    });
    const [included] = await (await pair.client.service(0x180f)).includedServices();
    expect([included!.handle, included!.endHandle]).toEqual([7, 7]);
  });

  test("a vendor's type is read in its one form, and a value of just the room there is fits", async () => {
    using pair = scripted((request) => `0108${request.slice(2, 6)}0a`);
    expect(await pair.client.readByUuid("6e400001-b5a3-f393-e0a9-e50e24dcca9e")).toEqual([]);
    expect(pair.clientChannel.sent).toHaveLength(1);
    using room = createGattPair({
      server: serverWith({ uuid: 0x2a19, properties: ["write-without-response"], value: hex("00") }),
      clientPolicy: { exchangeMtu: "never" },
    });
    await room.client.writeWithoutResponse(3, range(20));
    expect(room.client.tryWriteWithoutResponse(3, range(20))).toBe(true);
    expect(() => room.client.tryWriteWithoutResponse(3, range(21))).toThrow(/at most 20/);
    expect(await code(room.client.writeWithoutResponse(3, range(21)))).toBe("ERR_ARGUMENT");
  });
});

describe("peers that contradict themselves", () => {
  test.each([
    ["behind the next declaration", "0907 0200 3a 0700 192a 0500 02 0600 1a2a"],
    ["where the next declaration is", "0907 0200 3a 0500 192a 0500 02 0600 1a2a"],
    ["where the next one has its own", "0907 0200 3a 0600 192a 0500 02 0600 1a2a"],
  ])("a characteristic whose value is %s is the peer's fault", async (_name, declarations) => {
    using pair = scripted((request) => (request.startsWith("080100") ? declarations : battery(request)));
    const service = await pair.client.service(0x180f);
    await expect(service.characteristics()).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
    expect(pair.clientBearer.pending).toBe(0);
  });

  test("more values than were asked for are nobody's", async () => {
    using pair = scripted(() => "21 0100 aa 0100 bb 0100 cc");
    await expect(pair.client.readMultipleVariable([3, 5])).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
    using fewer = scripted(() => "21 0100 aa");
    expect(await fewer.client.readMultipleVariable([3, 5])).toEqual([hex("aa")]);
  });

  /** Two services, the first of which includes the second as `include` says, and a CCCD in the second. */
  const including = (include: string): GattPair =>
    scripted((request) => {
      if (request.startsWith("10")) return request.startsWith("100100") ? "1106 0100 0500 0018 0600 0a00 0f18" : "011011000a";
      if (request.startsWith("080100") && request.endsWith("0228")) return include;
      if (request.startsWith("080600")) return "0907 0700 3a 0800 192a";
      if (request.startsWith("040900")) return "0501 0900 0229";
      if (request.startsWith("12")) return "13";
      if (request.startsWith("0a")) return `010a${request.slice(2, 6)}02`;
      return `01${request.slice(0, 6)}0a`;
    });

  test.each(["0908 0200 0600 0800 0f18", "0908 0200 0600 ffff 0f18"])(
    "an include of %s does not take a primary service, nor its subscriptions, for another one",
    async (include) => {
      using pair = including(include);
      const [first, second] = await pair.client.services();
      const ends: unknown[] = [];
      const [characteristic] = await second!.characteristics();
      await characteristic!.subscribe(() => {}, { onEnd: (reason) => ends.push(reason) });
      const [included] = await first!.includedServices();
      expect(included).toBe(second);
      expect(ends).toEqual([]);
      expect((await pair.client.services()).map(({ endHandle }) => endHandle)).toEqual([5, 10]);
    },
  );

  test("an include of another type at a primary service's handle is the peer's fault", async () => {
    using pair = including("0908 0200 0600 0a00 0a18");
    const [first, second] = await pair.client.services();
    await expect(first!.includedServices()).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
    expect(await pair.client.services()).toContain(second);
  });
});

describe("descriptors", () => {
  /** A characteristic with a description at 4 and its CCCD at 5. Its services have changed, which it tells whoever reads its value. */
  const described = (): GattPair =>
    scripted((request) => {
      if (request.startsWith("040400")) return "0501 0400 0129 0500 0229";
      if (request === "0a0300") return "010a030012";
      if (request.startsWith("12")) return "13";
      if (request.startsWith("0a0400")) return "0b6869";
      if (request.startsWith("10")) return `0110${request.slice(2, 6)}0a`; // afterwards there is nothing
      return battery(request);
    });

  test("one is found by its type and read, and the configuration is written where it is", async () => {
    using pair = described();
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    const description = await characteristic.descriptor(0x2901);
    expect([description.handle, toHex(await description.read())]).toEqual([4, "6869"]);
    expect(await code(characteristic.descriptor(0x2904))).toBe("ERR_GATT_NOT_FOUND");
    await characteristic.subscribe(() => {});
    expect(sent(pair, 0x12)).toEqual(["1205000100"]);
  });

  test("a service that changed while they waited to be asked for has none", async () => {
    using pair = described();
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    const read = code(pair.client.read(3)); // answered with Database Out Of Sync
    const descriptors = code(characteristic.descriptors());
    expect(await read).toBe("ERR_ATT");
    expect(await descriptors).toBe("ERR_GATT_CHANGED");
  });

  test("a loop in an `await using` is left with its block", async () => {
    using pair = described();
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    {
      await using flow = characteristic.notifications();
      void flow.next();
      await delay(pair.clock, 1);
    }
    await delay(pair.clock, 1);
    expect(sent(pair, 0x12)).toEqual(["1205000100", "1205000000"]);
  });
});
