import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { DisconnectedError } from "../../hci/error.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryLinks, type MemoryLinksOptions } from "../links/memory.ts";
import { decodeMessage, encodeMessage, type McumgrMessage } from "../protocol/message.ts";
import { RequestTable } from "./requests.ts";

function setUp(options: MemoryLinksOptions = {}, window = 3) {
  const clock = new VirtualClock();
  const { client, server, cut } = createMemoryLinks({ clock, delayMs: 1, ...options });
  const table = new RequestTable(clock);
  table.attach(client);
  table.window = window;
  const asked: McumgrMessage[] = [];
  server.onMessage = (octets) => asked.push(decodeMessage(octets));
  const ask = (n: number, options: { signal?: AbortSignal; timeoutMs?: number; resendAfterMs?: number[] } = {}) =>
    table.ask(encodeMessage({ op: 0, group: 64, command: 1, sequence: 0 }, { n }), `request ${n}`, { timeoutMs: 100, ...options });
  const answer = (i: number, header: Partial<McumgrMessage["header"]> = {}) =>
    server.send(encodeMessage({ ...asked[i]!.header, op: 1, ...header }, { answer: asked[i]!.payload.n ?? null }));
  return { clock, table, asked, ask, answer, server, client, cut };
}
const outcome = async (promise: Promise<{ octets: Uint8Array }>) =>
  promise.then(
    ({ octets }) => decodeMessage(octets).payload.answer,
    (error: unknown) => (error as { code?: string }).code ?? error,
  );

test("answers are matched by sequence, in whatever order they come; no more than the window are outstanding", async () => {
  const at = setUp();
  const all = [0, 1, 2, 3, 4].map((n) => outcome(at.ask(n)));
  await at.clock.advance(5);
  expect([at.asked.length, at.table.waiting]).toEqual([3, 2]);
  await at.answer(2);
  await at.answer(0);
  await at.clock.advance(5);
  expect(at.asked.map(({ header }) => header.sequence)).toEqual([0, 1, 2, 3, 4]);
  for (const i of [4, 3, 1]) await at.answer(i);
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
  expect(at.table.outstanding).toBe(0);
});

test("what was not asked for is dropped: wrong sequence, group or command, requests, too short, twice", async () => {
  const at = setUp();
  const one = outcome(at.ask(1));
  await at.clock.advance(2);
  for (const header of [{ sequence: 9 }, { group: 65 }, { command: 2 }, { op: 0 }, { op: 2 }])
    await at.server.send(encodeMessage({ ...at.asked[0]!.header, op: 1, ...header }, { answer: "of another" }));
  await at.server.send(new Uint8Array(3));
  await at.answer(0);
  await at.answer(0);
  expect(await one).toBe(1);
  await at.clock.advance(5);
  expect(at.table.dropped).toBe(7);
});

test("a request without an answer fails in its time, by its name; the late answer is nobody's", async () => {
  const at = setUp({}, 1);
  const late = at.ask(1);
  await expect(late).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "request 1", timeoutMs: 100 });
  expect(at.clock.now()).toBe(100);
  const next = outcome(at.ask(2));
  await at.clock.advance(2);
  await at.answer(0); // late
  await at.clock.advance(2);
  await at.answer(1);
  expect(await next).toBe(2);
});

test("time counts from when the link has taken the request", async () => {
  const at = setUp({ octetsPerSecond: 10 }); // a message of 12 octets takes 1200 ms
  await expect(at.ask(1)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect(at.clock.now()).toBe(1300);
});

test("sequences go round; neither outstanding nor given up ones are used again", async () => {
  const at = setUp({}, 2);
  const first = outcome(at.ask(0, { timeoutMs: Number.POSITIVE_INFINITY }));
  await expect(at.ask(1)).rejects.toThrow("request 1");
  for (let n = 2; n < 600; n++) {
    const asked = outcome(at.ask(n));
    await at.clock.advance(2);
    await at.answer(n);
    expect(await asked).toBe(n);
  }
  const used = at.asked.slice(2).map(({ header }) => header.sequence);
  expect(used).not.toContain(0);
  expect(used).not.toContain(1);
  expect(used.slice(0, 300)).toEqual(Array.from({ length: 300 }, (_, i) => 2 + (i % 254)));
  await at.answer(0);
  expect(await first).toBe(0);
});

test("a server that never answers does not use the sequences up", async () => {
  const at = setUp({}, 8);
  for (let n = 0; n < 50; n++) await Promise.all(Array.from({ length: 8 }, (_, i) => outcome(at.ask(8 * n + i))));
  expect([at.asked.length, at.table.outstanding]).toEqual([400, 0]);
});

test("a lost link rejects what is pending and what waits, with its own reason", async () => {
  const at = setUp({}, 1);
  const all = [at.ask(1), at.ask(2)].map((promise) => promise.catch((error: unknown) => error));
  await at.clock.advance(1);
  const reason = new DisconnectedError(0x08);
  at.table.detach(reason);
  expect(await Promise.all(all)).toEqual([reason, reason]);
  expect([at.table.outstanding, at.table.waiting]).toEqual([0, 0]);
});

test("who gives up while waiting is not sent; who gives up later keeps the server's buffer until it answers", async () => {
  const at = setUp({}, 1);
  const [one, two] = [new AbortController(), new AbortController()];
  const first = outcome(at.ask(1, { signal: one.signal }));
  const second = outcome(at.ask(2, { signal: two.signal }));
  const third = outcome(at.ask(3));
  await at.clock.advance(5);
  two.abort("two");
  one.abort("one");
  expect(await Promise.all([first, second])).toEqual(["one", "two"]);
  await at.clock.advance(5);
  expect(at.asked.map(({ payload }) => payload.n)).toEqual([1]);
  await at.answer(0);
  await at.clock.advance(5);
  expect(at.asked.map(({ payload }) => payload.n)).toEqual([1, 3]);
  await at.answer(1);
  expect(await third).toBe(3);
  await expect(at.ask(4, { signal: one.signal })).rejects.toBe("one");
});

test("where the answer never comes the buffer is taken to be free after the request's time", async () => {
  const at = setUp({}, 1);
  const one = new AbortController();
  const first = outcome(at.ask(1, { signal: one.signal }));
  await at.clock.advance(5);
  one.abort("one");
  await first;
  const second = outcome(at.ask(2));
  await at.clock.advance(110);
  await at.answer(1);
  expect(await second).toBe(2);
});

test("a request that may come twice is sent again with the same sequence, and any answer counts", async () => {
  const at = setUp({ loss: (octets) => octets[1] === 99 }, 1);
  const asked = outcome(at.ask(1, { resendAfterMs: [30, 60] }));
  await at.clock.advance(65);
  expect(at.asked.map(({ header }) => header.sequence)).toEqual([0, 0, 0]);
  await at.answer(1);
  expect(await asked).toBe(1);
});

test("it is not sent again where the server has no buffer for it", async () => {
  const at = setUp({}, 2);
  const both = [at.ask(1, { resendAfterMs: [30] }), at.ask(2)].map(outcome);
  await at.clock.advance(50);
  expect(at.asked.length).toBe(2);
  await at.answer(0);
  await at.answer(1);
  expect(await Promise.all(both)).toEqual([1, 2]);
});

test("after a request without an answer the link forgets what it has of a message, unless it may be another's", async () => {
  const at = setUp({}, 2);
  let forgotten = 0;
  at.client.resynchronise = () => void forgotten++;
  const all = [at.ask(1, { timeoutMs: 50 }), at.ask(2, { timeoutMs: 100 })].map(outcome);
  await at.clock.advance(70);
  expect(forgotten).toBe(0);
  expect(await Promise.all(all)).toEqual(["ERR_TIMEOUT", "ERR_TIMEOUT"]);
  expect(forgotten).toBe(1);
});

test("what comes over a link that was left is nobody's", async () => {
  const at = setUp();
  const late = at.client.onMessage!;
  const asked = outcome(at.ask(1));
  at.table.detach(new DisconnectedError(0x08));
  expect(await asked).toBe("ERR_DISCONNECTED");
  expect(at.client.onMessage).toBeUndefined();
  const other = createMemoryLinks({ clock: at.clock });
  at.table.attach(other.client);
  const next = outcome(at.ask(2, { timeoutMs: 20 }));
  await at.clock.advance(1);
  late(encodeMessage({ op: 1, group: 64, command: 1, sequence: 1 }, { answer: 9 }));
  expect(await next).toBe("ERR_TIMEOUT");
});

test("a link is told who waits, and has half a minute to take a message; what it throws is the caller's", async () => {
  const at = setUp();
  const handed: unknown[] = [];
  const failure = new DisconnectedError(0x08);
  const send = (_message: Uint8Array, options: unknown) => {
    handed.push(options);
    throw failure;
  };
  at.table.attach({ send, resynchronise: () => undefined } as unknown as McumgrLink);
  const { signal } = new AbortController();
  await expect(at.ask(1, { signal })).rejects.toBe(failure);
  await expect(at.ask(2)).rejects.toBe(failure);
  expect(handed).toEqual([{ timeoutMs: 30_000, signal }, { timeoutMs: 30_000 }]);
  expect((handed[0] as { signal: unknown }).signal).toBe(signal);
  expect([at.table.outstanding, at.table.waiting]).toEqual([0, 0]);
});

test("a message over the link's limit is the caller's error, and nothing stays behind", async () => {
  const at = setUp({ limit: 10 });
  await expect(at.ask(1)).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG" });
  expect(at.table.outstanding).toBe(0);
});
