import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { DisconnectedError } from "../../hci/error.ts";
import { createMemoryLinks } from "./memory.ts";

const message = (value: number, length = 9): Uint8Array => new Uint8Array(length).fill(value);

test("what one end sends the other gets, copied, in order", async () => {
  const { client, server } = createMemoryLinks();
  const got: Uint8Array[] = [];
  server.onMessage = (octets) => got.push(octets);
  const sent = message(1);
  await client.send(sent);
  sent.fill(9);
  await client.send(message(2));
  await Promise.resolve();
  expect(got).toEqual([message(1), message(2)]);
});

test("delay and rate take the clock's time, and a message never overtakes the one before", async () => {
  const clock = new VirtualClock();
  const { client, server } = createMemoryLinks({ clock, octetsPerSecond: 1000, delayMs: (octets) => (octets[0] === 1 ? 100 : 1) });
  const log: string[] = [];
  server.onMessage = (octets) => log.push(`${octets[0]} at ${clock.now()}`);
  const first = client.send(message(1, 10)).then(() => log.push(`first has left at ${clock.now()}`));
  await client.send(message(2, 20));
  log.push(`second has left at ${clock.now()}`);
  await first;
  await clock.advance(200);
  expect(log).toEqual(["first has left at 10", "second has left at 30", "1 at 110", "2 at 110"]);
});

test("loss takes its share, the same each time, or what a function names", async () => {
  const clock = new VirtualClock();
  const arrived = async (loss: number | ((octets: Uint8Array) => boolean)): Promise<number[]> => {
    const { client, server } = createMemoryLinks({ clock, loss });
    expect(client.isLossy).toBe(true);
    const got: number[] = [];
    server.onMessage = (octets) => got.push(octets[0]!);
    for (let i = 0; i < 100; i++) await client.send(message(i));
    await clock.advance(1);
    return got;
  };
  const got = await arrived(0.3);
  expect(got.length).toBeGreaterThan(50);
  expect(got.length).toBeLessThan(90);
  expect(await arrived(0.3)).toEqual(got);
  expect(await arrived((octets) => octets[0]! > 2)).toEqual([0, 1, 2]);
});

test("a message over the limit is refused before it is sent; the limits are told", async () => {
  const { client } = createMemoryLinks({ limit: 400, provenLimit: 20 });
  await expect(client.send(message(1, 401))).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", length: 401, limit: 400 });
  expect([client.provenLimit, client.messageLimit(undefined)]).toEqual([20, 20]);
  expect([client.messageLimit({ bufSize: 384, bufCount: 4 }), client.messageLimit({ bufSize: 2475, bufCount: 4 })]).toEqual([384, 400]);
});

test("messages that come before onMessage is set wait for it, the latest ones only", async () => {
  const clock = new VirtualClock();
  const { client, server } = createMemoryLinks({ clock });
  for (let i = 0; i < 70; i++) await client.send(message(i));
  await clock.advance(1);
  const got: number[] = [];
  server.onMessage = (octets) => got.push(octets[0]!);
  expect(got).toEqual(Array.from({ length: 64 }, (_, i) => i + 6));
});

test("messages wait on where a receiver is taken away", async () => {
  const { client, server } = createMemoryLinks();
  await client.send(message(1));
  await Promise.resolve();
  server.onMessage = undefined;
  const got: number[] = [];
  server.onMessage = (octets) => got.push(octets[0]!);
  expect(got).toEqual([1]);
  server.onMessage = undefined;
  await client.send(message(2));
  await Promise.resolve();
  expect(got).toEqual([1]);
  server.onMessage = (octets) => got.push(octets[0]!);
  expect(got).toEqual([1, 2]);
});

test("an end that has closed hears nothing more, not even of its own end; disposing again does no harm", async () => {
  const clock = new VirtualClock();
  const { client, server } = createMemoryLinks({ clock, delayMs: 5 });
  const told: string[] = [];
  client.onClose = () => told.push("close");
  client.onMessage = () => told.push("message");
  await server.send(message(1));
  await client[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  client.onClose = () => told.push("late close");
  await clock.advance(100);
  client.onMessage = () => told.push("late message");
  expect(told).toEqual([]);
  await expect(client.send(message(1))).rejects.toMatchObject({ message: "the link to the server at the other end was closed" });
  await expect(server.send(message(1))).rejects.toMatchObject({ message: "the link was closed by the other side" });
});

test("closing one end tells the other, and nobody waits on", async () => {
  const clock = new VirtualClock();
  const { client, server } = createMemoryLinks({ clock, octetsPerSecond: 10 });
  const told: string[] = [];
  client.onClose = (reason) => told.push(reason.code);
  server.onClose = () => told.push("server");
  const waiting = expect(client.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await server[Symbol.asyncDispose]();
  await waiting;
  expect(told).toEqual(["ERR_CLOSED"]);
  await expect(server.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await client[Symbol.asyncDispose]();
});

test("a cut ends both with its reason, and what was on its way is lost", async () => {
  const clock = new VirtualClock();
  const { client, server, cut } = createMemoryLinks({ clock, delayMs: 5 });
  const told: unknown[] = [];
  server.onMessage = () => told.push("message");
  server.onClose = (reason) => told.push(reason);
  await client.send(message(1));
  const reason = new DisconnectedError(0x08);
  cut(reason);
  client.onClose = (late) => told.push(late);
  await clock.advance(10);
  expect(told).toEqual([reason, reason]);
  await expect(client.send(message(1))).rejects.toBe(reason);
});

test("signal and time limit end the waiting", async () => {
  const clock = new VirtualClock();
  const { client } = createMemoryLinks({ clock, octetsPerSecond: 1 });
  const waiting = new AbortController();
  const aborted = expect(client.send(message(1), { signal: waiting.signal })).rejects.toBe("enough");
  waiting.abort("enough");
  await aborted;
  await expect(client.send(message(1), { signal: waiting.signal })).rejects.toBe("enough");
  await expect(client.send(message(1), { timeoutMs: 10 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
});

test("a callback that throws harms nobody else", async () => {
  const { client, server } = createMemoryLinks();
  const uncaught: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => uncaught.push(error));
  const got: number[] = [];
  server.onMessage = (octets) => {
    got.push(octets[0]!);
    if (octets[0] === 1) throw new Error("program");
  };
  await client.send(message(1));
  await client.send(message(2));
  await new Promise((resolve) => setImmediate(resolve));
  for (const listener of listeners) process.on("uncaughtException", listener);
  expect(got).toEqual([1, 2]);
  expect(uncaught).toEqual([new Error("program")]);
});

test("wrong options are refused", () => {
  expect(() => createMemoryLinks({ los: 1 } as object)).toThrow(/did you mean "loss"/);
  expect(() => createMemoryLinks({ loss: 2 })).toThrow(/share from 0 to 1/);
  expect(() => createMemoryLinks({ limit: 7 })).toThrow(/8 to/);
  expect(() => createMemoryLinks({ octetsPerSecond: 0 })).toThrow(/more than 0/);
  for (const octetsPerSecond of [-1, Number.NaN, "9600" as never])
    expect(() => createMemoryLinks({ octetsPerSecond })).toThrow(/more than 0/);
  for (const loss of [-0.1, 1.1, Number.NaN, "0.5" as never]) expect(() => createMemoryLinks({ loss })).toThrow(/loss/);
  for (const delayMs of [-1, Number.NaN, "1" as never]) expect(() => createMemoryLinks({ delayMs })).toThrow(/delayMs/);
  for (const provenLimit of [7, 401]) expect(() => createMemoryLinks({ limit: 400, provenLimit })).toThrow(/provenLimit/);
  expect(() => createMemoryLinks({ limit: 65_544 })).toThrow(/limit/);
  for (const options of [{ loss: 1 }, { loss: 0 }, { limit: 8 }, { limit: 65_543 }, { limit: 400, provenLimit: 400 }, { delayMs: 0 }])
    expect(() => createMemoryLinks(options)).not.toThrow();
  expect([createMemoryLinks({ loss: 0 }).client.isLossy, createMemoryLinks({ loss: 0.1 }).client.isLossy]).toEqual([false, true]);
});
