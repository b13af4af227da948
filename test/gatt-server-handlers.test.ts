import { expect, test, vi } from "vitest";
import { delay } from "../src/async/clock.ts";
import { AttError } from "../src/att/error.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { type CharacteristicDefinition, type GattRequest, GattServer, gapService, gattService } from "../src/gatt/index.ts";
import type { GattPair } from "./support/gatt-pair.ts";
import { ask, raw, serverWith, text } from "./support/raw-client.ts";

// Handlers get whole values, and are called once; what they do after they were answered for has no effect.

/** A characteristic that writes down what its handler gets. */
function recorder(definition: Partial<CharacteristicDefinition> = {}) {
  const written: string[] = [];
  const write = (value: Uint8Array, { operation, offset }: GattRequest): void =>
    void written.push(`${operation} ${offset} ${toHex(value)}`);
  const characteristic: CharacteristicDefinition = { uuid: 0x2a19, properties: ["read", "write"], write, ...definition };
  return { written, characteristic };
}

// --- parts of a value -------------------------------------------------------------------------------------------------------------

test("a prepared write at offset 2 into the device name changes what it covers, and one behind the end is Invalid Offset", () => {
  const names: string[] = [];
  const server = new GattServer();
  server.addService(gapService({ name: "Hello", onNameWritten: (name) => names.push(name) }));
  using pair = raw(server);
  ask(pair, `1603000200${toHex(text("XY"))}`);
  expect(ask(pair, "1801", "0a0300")).toEqual(["19", `0b${toHex(text("HeXYo"))}`]);
  expect(ask(pair, `1603006400${toHex(text("XY"))}`, "1801").at(-1)).toBe("0118030007");
  expect(ask(pair, `1603000500${toHex(text("!"))}`, "1801").at(-1)).toBe("19"); // the end itself is no mistake
  expect(ask(pair, `1603000000${toHex(text("Bob"))}`, "1801").at(-1)).toBe("19"); // from the start: all of it
  expect(names).toEqual(["HeXYo", "HeXYo!", "Bob"]);
});

test.each<[string, string[], string | undefined, string]>([
  ["in order", ["0000aabb", "0200ccdd"], "execute 0 aabbccdd", "19"],
  ["out of order", ["0200ccdd", "0000aabb"], "execute 0 aabbccdd55", "19"],
  ["overlapping, the later one on top", ["0000aabbcc", "0100dd"], "execute 0 aaddcc", "19"],
  ["the start twice, the second shorter", ["0000aabbcc", "0000ee"], "execute 0 eebbcc", "19"],
  ["in the middle only", ["0300ff"], "execute 0 112233ff55", "19"],
  ["beyond the end", ["0400ffff"], "execute 0 11223344ffff", "19"],
  ["with a gap", ["0000aa", "0200cc"], undefined, "0118030007"],
  ["behind the end", ["0600ff"], undefined, "0118030007"],
  ["too long", ["0400ffffffffff"], undefined, "011803000d"],
])("parts %s", (_name, parts, expected, answer) => {
  const { written, characteristic } = recorder({ value: hex("1122334455"), maxLength: 8 });
  using pair = raw(serverWith(characteristic));
  for (const part of parts) ask(pair, `160300${part}`);
  expect(ask(pair, "1801")).toEqual([answer]);
  expect(written).toEqual(expected === undefined ? [] : [expected]);
});

test("interleaved parts of two attributes call each handler once, in the order in which they were named first", () => {
  const calls: string[] = [];
  const define = (uuid: number, name: string): CharacteristicDefinition => ({
    uuid,
    properties: ["write"],
    write: (value) => void calls.push(`${name} ${toHex(value)}`),
  });
  using pair = raw(serverWith(define(0x2a18, "first"), define(0x2a19, "second")));
  ask(pair, "1605000000 0a0b", "1603000000 0102", "1800"); // cancelled
  ask(pair, "1605000000 0a0b", "1603000000 0102", "1605000200 0c", "1603000200 03", "1801");
  expect(calls).toEqual(["second 0a0b0c", "first 010203"]);
});

test("what a read handler gives is what the parts are merged into, now or later, and only where it matters", async () => {
  let reads = 0;
  const { written, characteristic } = recorder({
    read: async () => {
      reads++;
      await delay(pair.clock, 10);
      return hex("010203");
    },
    value: hex("ffffff"), // a read handler goes before
  });
  using pair: GattPair = raw(serverWith(characteristic));
  ask(pair, "1603000000aa", "1801");
  expect([written, reads]).toEqual([["execute 0 aa"], 0]);
  ask(pair, "1603000100bb", "1801");
  await delay(pair.clock, 20);
  expect(written.at(-1)).toBe("execute 0 01bb03");
  expect(pair.serverChannel.sent.at(-1)).toEqual(hex("19"));
});

test("a stored value is what the parts are merged into, though reads are answered by a handler", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read", "write"], value: hex("010203"), read: () => hex("ff") });
  using pair = raw(server);
  expect(ask(pair, "1603000200aa", "1801").at(-1)).toBe("19");
  expect(toHex(server.services[0]!.characteristics[0]!.value)).toBe("0102aa");
});

test("where a read handler refuses, or gives no octets, the parts have nothing to be merged into", async () => {
  const refusing = recorder({ read: () => Promise.reject(new AttError(0x81)) });
  const broken = recorder({ uuid: 0x2a1a, read: () => "text" as never });
  using pair = raw(serverWith(refusing.characteristic, broken.characteristic));
  expect(ask(pair, "1605000100bb", "1801").at(-1)).toBe("011805000e");
  ask(pair, "1603000100bb", "1801");
  await delay(pair.clock, 1);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("0118030081");
  expect([...refusing.written, ...broken.written]).toEqual([]);
});

test("a shorter write to a value of fixed length changes its beginning, for a handler as for a stored value", () => {
  const handled = recorder({
    value: hex("01020304"),
    fixedLength: true,
    properties: ["read", "write", "write-without-response"],
  });
  const stored: CharacteristicDefinition = { uuid: 0x2a1a, properties: ["read", "write"], value: hex("01020304"), fixedLength: true };
  using pair = raw(serverWith(handled.characteristic, stored));
  ask(pair, "120300aa", "520300bb", "1603000000cc", "1801", "120300aabbccdd");
  expect(handled.written).toEqual(["write 0 aa020304", "command 0 bb020304", "execute 0 cc020304", "write 0 aabbccdd"]);
  expect(ask(pair, "120500aa", "1605000000bb", "1801", "0a0500").slice(-2)).toEqual(["19", "0bbb020304"]);
  expect(ask(pair, "120500aabbccddee", "1605000300ffff", "1801").filter((pdu) => pdu.endsWith("0d"))).toHaveLength(2);
});

test("the two octets of a CCCD may come in two parts", () => {
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["notify"] }));
  expect(ask(pair, "160400000001", "160400010000", "1801").at(-1)).toBe("19");
  expect(ask(pair, "0a0400")).toEqual(["0b0100"]);
  expect(ask(pair, "160400010000", "1801", "0a0400").slice(-2)).toEqual(["19", "0b0100"]);
  expect(ask(pair, "160400020000", "1801").at(-1)).toBe("011804000d");
  expect(ask(pair, "160400030000", "1801").at(-1)).toBe("0118040007");
});

test("Client Supported Features: empty, with a bit cleared, and in parts", () => {
  const server = new GattServer();
  server.addService(gattService());
  using pair = raw(server);
  expect(ask(pair, "120600", "12060005", "12060004", "12060007", "0a0600")).toEqual(["011206000d", "13", "0112060013", "13", "0b07"]);
  expect(ask(pair, "160600000007", "160600010000", "1801", "0a0600").slice(-2)).toEqual(["19", "0b07"]);
});

// --- several handlers in one execution --------------------------------------------------------------------------------------------

test("stored values change when all handlers have agreed, with what was written meanwhile kept", async () => {
  const server = serverWith(
    { uuid: 0x2a18, properties: ["read", "write"], value: hex("010203") },
    { uuid: 0x2a19, properties: ["write"], write: () => delay(pair.clock, 100) },
  );
  using pair: GattPair = raw(server);
  ask(pair, "1603000100ff", "160500000001", "1801");
  await delay(pair.clock, 50);
  const [stored] = server.services[0]!.characteristics;
  expect(toHex(stored!.value)).toBe("010203");
  stored!.value = hex("a1a2a3");
  await delay(pair.clock, 100);
  expect(toHex(stored!.value)).toBe("a1ffa3");
  // A value that became too short for the part is not stretched.
  ask(pair, "1603000200ff", "160500000001", "1801");
  stored!.value = hex("aa");
  await delay(pair.clock, 150);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("0118030007");
  expect(toHex(stored!.value)).toBe("aa");
});

test("a handler that never answers ends the execution: none after it is called, and no stored value changes", async () => {
  const { written, characteristic } = recorder({ uuid: 0x2a1a });
  let release: (() => void) | undefined;
  const server = serverWith(
    { uuid: 0x2a18, properties: ["read", "write"], value: hex("00") },
    { uuid: 0x2a19, properties: ["write"], write: () => new Promise<void>((resolve) => (release = resolve)) },
    characteristic,
  );
  using pair = raw(server);
  ask(pair, "1603000000ff", "160500000001", "160700000001", "1801");
  await delay(pair.clock, 29_000);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("011800000e");
  release?.();
  await delay(pair.clock, 1);
  expect(written).toEqual([]);
  expect(pair.log).toHaveLength(1); // that it took too long, and nothing after that
  expect(ask(pair, "0a0300")).toEqual(["0b00"]);
});

// --- kinds of fault ---------------------------------------------------------------------------------------------------------------

test.each<[string, () => unknown]>([
  ["text", () => "hello"],
  ["an array", () => [1, 2]],
  ["nothing", () => undefined],
  ["16-bit numbers", () => new Uint16Array(4)],
  ["513 octets", () => new Uint8Array(513)],
  ["a promise of text", async () => "hello"],
  [
    "an exception",
    () => {
      throw new Error("a bug");
    },
  ],
])("a read handler that gives %s is answered for with Unlikely Error, whatever asked for it", async (_name, read) => {
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read"], read: read as never }, { uuid: 0x2a1a, properties: ["read"] }));
  for (const request of ["0a0300", "0c03000100", "080100ffff192a", "0e05000300", "2003000500"]) {
    ask(pair, request);
    await delay(pair.clock, 1);
    expect(toHex(pair.serverChannel.sent.at(-1)!), request).toBe(`01${request.slice(0, 2)}03000e`);
  }
  expect(pair.log).toHaveLength(5);
});

test("a read of 512 octets is whole", () => {
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read"], read: () => new Uint8Array(512).fill(9) }));
  let parts = "";
  for (let offset = 0; offset < 512; offset += 22)
    parts += ask(pair, `0c0300${toHex(Uint8Array.of(offset & 0xff, offset >> 8))}`)[0]!.slice(2);
  expect(parts).toBe("09".repeat(512));
});

test("a command handler that throws harms nothing, and is told as the program's fault", () => {
  let count = 0;
  const write = (): void => {
    count++;
    throw count === 1 ? new Error("a bug") : new AttError(0x80);
  };
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["write-without-response"], write }));
  expect(ask(pair, "52030001", "52030002", "52030003")).toEqual([]);
  expect(count).toBe(3);
  expect(pair.log).toEqual(["test: a GATT handler failed: Error: a bug"]);
});

test("callbacks after the response run once it has left; at once when it has left already; never when the access was given up", async () => {
  const order: string[] = [];
  const requests: GattRequest[] = [];
  const write = (value: Uint8Array, request: GattRequest): void | Promise<void> => {
    requests.push(request);
    request.afterResponse(() => order.push(`after ${pair.serverChannel.sent.length}`));
    expect(() => request.afterResponse("soon" as never)).toThrow(/afterResponse: expected a function/);
    order.push("handler");
    if (value[0] === 2) return new Promise(() => {});
  };
  using pair: GattPair = raw(serverWith({ uuid: 0x2a19, properties: ["write", "write-without-response"], write }));
  ask(pair, "12030001");
  expect(order).toEqual(["handler", "after 1"]);
  requests[0]!.afterResponse(() => order.push("late"));
  expect(order.at(-1)).toBe("late");
  ask(pair, "52030001");
  expect(order.slice(-2)).toEqual(["handler", "after 1"]);
  ask(pair, "12030002");
  await delay(pair.clock, 30_000);
  requests.at(-1)!.afterResponse(() => order.push("never"));
  expect(requests.at(-1)!.signal.reason).toMatchObject({ code: "ERR_TIMEOUT" }); // asked for after the end
  expect(order.at(-1)).toBe("handler");
});

test("a command handler that never answers is given up after 29 s, told, and the next one runs", async () => {
  const { written, characteristic } = recorder({ properties: ["write-without-response"] });
  let signal: AbortSignal | undefined;
  const write: CharacteristicDefinition["write"] = (value, request) => {
    characteristic.write!(value, request) as undefined;
    signal ??= request.signal;
    if (value[0] === 1) return new Promise(() => {});
  };
  using pair = raw(serverWith({ ...characteristic, write }));
  ask(pair, "52030001", "52030002");
  await delay(pair.clock, 28_999);
  expect(written).toEqual(["command 0 01"]);
  await delay(pair.clock, 1);
  expect(signal?.reason).toMatchObject({ code: "ERR_TIMEOUT" });
  expect(written).toEqual(["command 0 01", "command 0 02"]);
  expect(pair.log.join()).toContain("did not finish");
});

// --- the end of the server --------------------------------------------------------------------------------------------------------

test.each([false, true])(
  "closing the server under a handler refuses its request and leaves the bearer free; it answers later: %s",
  async (answers) => {
    let answer: ((value: Uint8Array) => void) | undefined;
    const read = (): Promise<Uint8Array> => new Promise((resolve) => (answer = resolve));
    using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read"], read }));
    ask(pair, "0a0300");
    pair.server.close();
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["010a03000e"]);
    expect(ask(pair, "0a0300", "02b800")).toEqual(["010a000006", expect.stringMatching(/^03/)]);
    if (answers) answer?.(Uint8Array.of(1));
    await delay(pair.clock, 1);
    expect(pair.serverChannel.sent).toHaveLength(3);
    expect(pair.clock.pending).toEqual([]);
    // Another server may take over.
    const next = serverWith({ uuid: 0x2a19, properties: ["read"], value: Uint8Array.of(5) });
    next.attach(pair.serverBearer, pair.session.peer);
    expect(ask(pair, "0a0300")).toEqual(["0b05"]);
  },
);

test("closing the server answers the request that came while it was paused, and those behind it", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read"], value: Uint8Array.of(5) });
  server.pause();
  using pair = raw(server);
  expect(ask(pair, "0a0300", "0a0400")).toEqual([]);
  server.close();
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["010a00000e", "010a000006"]);
});

test("a handler that closes the server itself has its request refused, once", async () => {
  for (const later of [false, true]) {
    const server = serverWith({
      uuid: 0x2a19,
      properties: ["write", "read"],
      write: async () => {
        if (later) await delay(pair.clock, 10);
        server.close();
      },
      read: () => {
        server.close();
        throw new Error("closing");
      },
    });
    using pair: GattPair = raw(server);
    ask(pair, later ? "12030001" : "0a0300");
    await delay(pair.clock, 20);
    expect(pair.serverChannel.sent.map(toHex)).toEqual([later ? "011203000e" : "010a03000e"]);
    expect(server.sessions).toEqual([]);
  }
});

test("closing the server settles what its handlers sent, and what they do afterwards reaches nobody", async () => {
  const outcomes: string[] = [];
  const onSubscription = vi.fn(() => delay(pair.clock, 100).then(() => Promise.reject(new AttError(0x80))));
  const server = serverWith(
    {
      uuid: 0x2a19,
      properties: ["write", "notify", "indicate"],
      write: async () => {
        const [characteristic] = server.services[0]!.characteristics;
        characteristic!.indicate(Uint8Array.of(1)).catch((error: { code: string }) => outcomes.push(error.code));
        expect(characteristic!.tryNotify(Uint8Array.of(2))).toBe(true);
        await delay(pair.clock, 100);
        await characteristic!.notify(Uint8Array.of(3)).then(() => outcomes.push("to nobody"));
      },
    },
    { uuid: 0x2a1a, properties: ["notify"], onSubscription },
  );
  using pair: GattPair = raw(server);
  ask(pair, "1204000300", "12030001");
  server.close();
  await delay(pair.clock, 200);
  expect(outcomes).toEqual(["ERR_CLOSED", "to nobody"]);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["13", "011203000e"]);
  // A subscription whose handler refuses after the end does not come back to life.
  server.attach(pair.serverBearer, pair.session.peer);
  const before = pair.serverChannel.sent.length;
  ask(pair, "1207000100");
  server.close();
  await delay(pair.clock, 200);
  expect(onSubscription).toHaveBeenCalledTimes(1);
  expect(server.services[0]!.characteristics[1]!.subscribers).toEqual([]);
  expect(pair.serverChannel.sent.slice(before).map(toHex)).toEqual(["011207000e"]);
});

test("a subscription that is being changed when the server closes is gone, and not what it was before", async () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["notify", "indicate"],
    onSubscription: (_peer, { indicate }) => (indicate ? new Promise<void>(() => {}) : undefined),
  });
  using pair = raw(server);
  ask(pair, "1204000100", "1204000200");
  server.close();
  expect(server.services[0]!.characteristics[0]!.subscribers).toEqual([]);
});

test("a subscription whose handler never answers is refused after 29 s and not in force; what the handler says later changes nothing", async () => {
  let reject: ((error: unknown) => void) | undefined;
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["notify"],
    onSubscription: (_peer, { notify }) => (notify ? new Promise<void>((_, no) => (reject = no)) : undefined),
  });
  using pair = raw(server);
  const [characteristic] = server.services[0]!.characteristics;
  ask(pair, "1204000100");
  expect(characteristic!.subscribers).toHaveLength(1);
  await delay(pair.clock, 29_000);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["011204000e"]);
  expect(characteristic!.subscribers).toEqual([]);
  expect(ask(pair, "0a0400")).toEqual(["0b0000"]);
  reject?.(new AttError(0x80));
  await delay(pair.clock, 1);
  expect(pair.serverChannel.sent).toHaveLength(2);
});

test("an indication that waits for its handler's response keeps its own time limit and signal", async () => {
  const outcomes: string[] = [];
  const abort = new AbortController();
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["write", "indicate"],
    write: async () => {
      const [characteristic] = server.services[0]!.characteristics;
      const note = (error: { code: string; name: string }): number => outcomes.push(error.name === "AbortError" ? error.name : error.code);
      characteristic!.indicate(Uint8Array.of(1), { timeoutMs: 50 }).catch(note);
      characteristic!.indicate(Uint8Array.of(2), { timeoutMs: 150 }).catch(note);
      characteristic!.indicate(Uint8Array.of(3), { signal: abort.signal }).catch(note);
      await delay(pair.clock, 100);
    },
  });
  using pair: GattPair = raw(server);
  ask(pair, "1204000200", "12030001");
  await delay(pair.clock, 60);
  abort.abort(new DOMException("enough", "AbortError"));
  await delay(pair.clock, 50);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["13", "13", "1d030002"]);
  await delay(pair.clock, 50); // 150 ms from the call on, not from when it left
  expect(outcomes).toEqual(["ERR_TIMEOUT", "AbortError", "ERR_TIMEOUT"]);
});

test("more than a handler may send before its response is refused, and not kept", async () => {
  const refused: string[] = [];
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["write", "notify", "indicate"],
    write: () => {
      const [characteristic] = server.services[0]!.characteristics;
      const note = (error: { code: string }): number => refused.push(error.code);
      for (let i = 0; i < 255; i++) expect(characteristic!.tryNotify(Uint8Array.of(i))).toBe(true);
      characteristic!.notify(Uint8Array.of(255)).catch(note);
      expect(characteristic!.tryNotify(Uint8Array.of(0))).toBe(false);
      characteristic!.notify(Uint8Array.of(0)).catch(note);
      characteristic!.indicate(Uint8Array.of(0)).catch(note);
    },
  });
  using pair = raw(server);
  ask(pair, "1204000300", "12030001");
  await delay(pair.clock, 1);
  expect(refused).toEqual(["ERR_STATE", "ERR_STATE"]);
  expect(pair.serverChannel.sent.slice(2).map((pdu) => pdu[3])).toEqual(Array.from({ length: 256 }, (_, i) => i));
});
