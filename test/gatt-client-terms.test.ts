// The terms of whoever asks: one time limit for the whole operation, an own signal, and an end that waits for nobody.
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import type { OperationOptions } from "../src/async/pending.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { StateError } from "../src/core/error.ts";
import type { RemoteCharacteristic } from "../src/gatt/index.ts";
import { createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { battery, code, range, scripted, sent, serverWith } from "./support/gatt-script.ts";

describe("a time limit", () => {
  const slow = (options: Parameters<typeof createGattPair>[0] = {}): GattPair =>
    scripted(
      (request) => {
        if (request.startsWith("0a")) return `0b${"11".repeat(22)}`;
        if (request.startsWith("0c")) return `0d${"11".repeat(22)}`;
        if (request.startsWith("16")) return `17${request.slice(2)}`;
        if (request.startsWith("10")) return `1106${request.slice(2, 6)}${request.slice(2, 6)}0f18`;
        if (request.startsWith("12")) return "13";
        if (request.startsWith("18")) return "19";
        return battery(request);
      },
      { ...options, clientPolicy: { exchangeMtu: "never" } },
      100,
    );

  const operations: [string, (pair: GattPair, options: OperationOptions) => Promise<unknown>][] = [
    ["a read of 512 octets", ({ client }, options) => client.read(3, options)],
    ["the same from an offset", ({ client }, options) => client.readLong(3, { offset: 5, ...options })],
    ["a long write", ({ client }, options) => client.write(3, range(512), options)],
    ["a long write at an offset", ({ client }, options) => client.writeLong(3, range(400), { offset: 9, ...options })],
    [
      "a reliable write",
      ({ client }, options) =>
        client.reliableWrite(
          [
            { handle: 3, value: range(200) },
            { handle: 5, value: range(9) },
          ],
          options,
        ),
    ],
    ["a discovery of services", ({ client }, options) => client.services(options)],
    ["a discovery of a characteristic", ({ client }, options) => client.characteristic(0x180f, 0x2a19, options)],
    ["a service and its Service Changed", ({ client }, options) => client.watchServiceChanged(options)],
    ["reading by type", ({ client }, options) => client.readByUuid(0x2a19, options)],
  ];

  test.each(operations)("bounds %s as a whole", async (_name, run) => {
    using pair = slow();
    const beginMs = pair.clock.now();
    const outcome = run(pair, { timeoutMs: 150 });
    await expect(outcome).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 150 });
    expect(pair.clock.now() - beginMs).toBe(150);
    await delay(pair.clock, 5000);
    expect(pair.clientBearer.pending).toBe(0);
    expect(pair.clock.pending).toEqual([]);
  });

  test("bounds a subscription with all that it discovers", async () => {
    using pair = slow();
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    const beginMs = pair.clock.now();
    await expect(characteristic.subscribe(() => {}, { timeoutMs: 150 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 150 });
    expect(pair.clock.now() - beginMs).toBe(150);
    await characteristic.subscribe(() => {}, { timeoutMs: 1000 });
    expect(sent(pair, 0x12).at(-1)).toBe("1204000100");
    const descriptor = (await characteristic.descriptors({ timeoutMs: 1000 }))[0]!;
    await expect(descriptor.read({ timeoutMs: 150 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 150 });
  });

  test("bounds an elevation in between", async () => {
    using pair: GattPair = createGattPair({
      server: serverWith({ uuid: 0x2a19, properties: ["read"], value: hex("01"), permissions: { read: "encrypted" } }),
      client: { elevate: (_demand, { signal }) => delay(pair.clock, 60_000, { signal }) },
    });
    const beginMs = pair.clock.now();
    await expect(pair.client.read(3, { timeoutMs: 150 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 150 });
    expect(pair.clock.now() - beginMs).toBe(150);
    expect(pair.clock.pending).toEqual([]);
  });

  test("bounds the wait for others' turns", async () => {
    using pair = slow();
    const first = code(pair.client.write(3, range(400)));
    await expect(pair.client.write(3, range(100), { timeoutMs: 150 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 150 });
    expect(await first).toBe("done");
  });

  test("that does not pass leaves nothing behind; a signal serves any number of operations", async () => {
    using pair = slow();
    const { signal } = new AbortController();
    const reads = Array.from({ length: 20 }, () => pair.client.read(3, { signal, timeoutMs: 1_000_000 }));
    await delay(pair.clock, 1);
    expect(getEventListeners(signal, "abort").length).toBeLessThanOrEqual(1);
    await Promise.all(reads);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(pair.clock.pending).toEqual([]);
  });

  test("a signal that has aborted before is told at once, and nothing is sent", async () => {
    using pair = slow();
    const signal = AbortSignal.abort(new Error("before"));
    for (const [, run] of operations) expect(await code(run(pair, { signal, timeoutMs: 100 }))).toBe("before");
    for (const [, run] of operations) expect(await code(run(pair, { signal }))).toBe("before");
    expect(pair.clientChannel.sent).toEqual([]);
  });
});

describe("leaving a loop", () => {
  /** A peer that answers everything until the first notification, and nothing afterwards. */
  async function silent(): Promise<GattPair & { characteristic: RemoteCharacteristic }> {
    const state = { isSilent: false };
    const pair = scripted((request) => (state.isSilent ? undefined : request.startsWith("12") ? "13" : battery(request)));
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    await characteristic.descriptors();
    pair.clock.setTimer(50, "notification", () => {
      state.isSilent = true;
      pair.clientChannel.receive(hex("1b030007"));
    });
    return Object.assign(pair, { characteristic });
  }

  test("by break does not wait for a peer that has fallen silent", async () => {
    using pair = await silent();
    const beginMs = pair.clock.now();
    for await (const value of pair.characteristic.notifications()) {
      expect(toHex(value)).toBe("07");
      break;
    }
    expect(pair.clock.now() - beginMs).toBe(50);
    await delay(pair.clock, 1);
    expect(sent(pair, 0x12)).toEqual(["1204000100", "1204000000"]);
    await delay(pair.clock, 60_000);
    expect(pair.clock.pending).toEqual([]);
  });

  test("by its signal does not either, nor disposing a subscription", async () => {
    using pair = await silent();
    const abort = new AbortController();
    const flow = pair.characteristic.notifications({ signal: abort.signal });
    expect(toHex((await flow.next()).value!)).toBe("07");
    const next = flow.next();
    abort.abort(new Error("enough"));
    const beginMs = pair.clock.now();
    await expect(next).rejects.toThrow("enough");
    expect(await flow.next()).toEqual({ value: undefined, done: true });
    {
      await using _ = flow;
    }
    expect(pair.clock.now()).toBe(beginMs);
  });

  test("a subscription is disposed at once; unsubscribe waits, as long as it is told to", async () => {
    using pair = await silent();
    const values: string[] = [];
    const first = await pair.characteristic.subscribe((value) => values.push(toHex(value)));
    const second = await pair.characteristic.subscribe((value) => values.push(toHex(value)));
    await delay(pair.clock, 100);
    const beginMs = pair.clock.now();
    await first[Symbol.asyncDispose]();
    expect(pair.clock.now()).toBe(beginMs);
    pair.clientChannel.receive(hex("1b030008"));
    expect(values).toEqual(["07", "07", "08"]);
    await expect(second.unsubscribe({ timeoutMs: 200 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 200 });
    pair.clientChannel.receive(hex("1b030009"));
    expect(values).toHaveLength(3);
  });

  test("return ends a next that waits, and a loop that is over stays over", async () => {
    using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify"] }) });
    const flow = (await pair.client.characteristic(0x180f, 0x2a19)).notifications();
    const waiting = flow.next();
    await delay(pair.clock, 1);
    await flow.return();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(await flow.next()).toEqual({ value: undefined, done: true });
    const unused = (await pair.client.characteristic(0x180f, 0x2a19)).notifications();
    await unused.return();
    expect(await unused.next()).toEqual({ value: undefined, done: true });
    await expect(unused.throw(new Error("mine"))).rejects.toThrow("mine");
    await delay(pair.clock, 1);
    expect(sent(pair, 0x12)).toEqual(["1204000100", "1204000000"]);
  });

  test("return while it begins leaves nothing subscribed", async () => {
    using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify"] }) });
    const flow = (await pair.client.characteristic(0x180f, 0x2a19)).notifications();
    const first = flow.next();
    await flow.return();
    expect(await first).toEqual({ value: undefined, done: true });
    await delay(pair.clock, 1);
    expect(pair.server.characteristic(0x180f, 0x2a19)!.subscribers).toEqual([]);
  });

  test("two that wait for the beginning are both served; a failure is told once", async () => {
    using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify"], permissions: { subscribe: "encrypted" } }) });
    const flow = (await pair.client.characteristic(0x180f, 0x2a19)).notifications();
    const both = [flow.next(), flow.next()];
    expect(await Promise.all([code(both[0]!), both[1]])).toEqual(["ERR_ATT", { value: undefined, done: true }]);
  });
});

describe("callbacks that throw", () => {
  let rejected: unknown[];
  const onUncaught = (error: unknown): void => void rejected.push(error);
  let others: NodeJS.UncaughtExceptionListener[];
  beforeEach(() => {
    rejected = [];
    others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", onUncaught);
  });
  afterEach(() => {
    process.off("uncaughtException", onUncaught);
    for (const other of others) process.on("uncaughtException", other);
  });

  test("harm neither their neighbours nor the link, at a value and at the end", async () => {
    using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify", "read"], value: hex("01") }) });
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    const seen: string[] = [];
    const fault = (what: string) => (): never => {
      throw new Error(what);
    };
    await characteristic.subscribe(fault("value"), { onEnd: fault("end") });
    await characteristic.subscribe((value) => seen.push(toHex(value)), { onEnd: () => seen.push("end") });
    pair.client.onValue(fault("watch"));
    pair.clientChannel.receive(hex("1b030007"));
    expect(seen).toEqual(["07"]);
    expect(await characteristic.read()).toEqual(hex("01"));
    pair.clientChannel.close(new StateError("lost"));
    expect(seen).toEqual(["07", "end"]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejected.map((error) => (error as Error).message).sort()).toEqual(["end", "value", "watch"]);
  });
});
