import { expect, test } from "vitest";
import { openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { ClosedError } from "../../core/error.ts";
import type { CreditBasedChannel, ListenOptions } from "../index.ts";

const ask = (identifier: number, cid: number, spsm = 0x80): string => signal(0x14, identifier, spsm, cid, 50, 30, 3);
const result = (line: string | undefined): number => Number.parseInt(line!.slice(-4, -2), 16);

async function listening(options: ListenOptions = {}) {
  const peer = await openL2capPeer();
  return { ...peer, listener: peer.listeners.listen(0x80, options) };
}

test("channels come by a loop, in order, each to one loop; leaving it ends nothing", async () => {
  const { listener, receive } = await listening();
  receive(5, ask(1, 0x60));
  receive(5, ask(2, 0x61));
  const cids: number[] = [];
  for await (const channel of listener) {
    cids.push(channel.remoteCid);
    if (cids.length === 2) break;
  }
  const loops = [listener[Symbol.asyncIterator]().next(), listener[Symbol.asyncIterator]().next()];
  receive(5, ask(3, 0x62));
  receive(5, ask(4, 0x63));
  expect(cids).toEqual([0x60, 0x61]);
  expect((await Promise.all(loops)).map(({ value }) => value!.remoteCid)).toEqual([0x62, 0x63]);
});

test("a loop that is left while it waits takes no channel with it", async () => {
  const { listener, receive, sent } = await listening({ backlog: 1 });
  const [left, other] = [listener[Symbol.asyncIterator](), listener[Symbol.asyncIterator]()];
  const [waiting, taken] = [left.next(), other.next()];
  expect(await left.return!()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
  for (let i = 0; i < 3; i++) receive(5, ask(1 + i, 0x60 + i));
  expect((await taken).value!.remoteCid).toBe(0x60);
  expect(sent().map(result)).toEqual([0, 0, 4]); // who has left makes no room
  expect(await left.next()).toEqual({ done: true, value: undefined });
  expect((await other.next()).value!.remoteCid).toBe(0x61);
});

test("take gives one channel, which came before or comes in time; each goes to one taker", async () => {
  const { listener, receive, clock } = await listening();
  receive(5, ask(1, 0x60));
  expect((await listener.take({ timeoutMs: 1 })).remoteCid).toBe(0x60);
  const [first, second] = [listener.take(), listener.take({ timeoutMs: 1000 })];
  receive(5, ask(2, 0x61));
  receive(5, ask(3, 0x62));
  expect([(await first).remoteCid, (await second).remoteCid]).toEqual([0x61, 0x62]);
  expect(clock.pending).toEqual([]);
});

test("who gives up taking takes no channel with it, at the last moment either", async () => {
  const { listener, receive, clock } = await listening();
  const abort = new AbortController();
  const late = listener.take({ timeoutMs: 1000 });
  const given = listener.take({ signal: abort.signal });
  const outcomes = Promise.all([
    expect(late).rejects.toMatchObject({ code: "ERR_TIMEOUT", message: "waiting for a channel did not finish within 1000 ms" }),
    expect(given).rejects.toThrow("given up"),
  ]);
  await clock.advance(1000);
  abort.abort(new Error("given up"));
  receive(5, ask(1, 0x60));
  await outcomes;
  expect((await listener.take()).remoteCid).toBe(0x60);
  const other = new AbortController();
  const inTime = listener.take({ signal: other.signal });
  receive(5, ask(2, 0x61));
  other.abort(new Error("too late"));
  expect((await inTime).remoteCid).toBe(0x61);
  await expect(listener.take({ signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
  await expect(listener.take({ timeoutMs: -1 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(listener.take({ timeout: 1 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("take fails with the end of the listener, before it and after", async () => {
  const { listener } = await listening();
  const waiting = expect(listener.take()).rejects.toMatchObject({
    code: "ERR_STATE",
    message: "no more channels come: nothing listens to SPSM 0x80 any more",
  });
  listener[Symbol.dispose]();
  await waiting;
  await expect(listener.take()).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("who ends the listener at the first channel of a request gets no more of them: they are closed", async () => {
  const { listener, receive, sent, channels } = await listening();
  const got: CreditBasedChannel[] = [];
  listener.onChannel = (channel) => {
    got.push(channel);
    listener[Symbol.dispose]();
  };
  receive(5, signal(0x17, 9, 0x80, 70, 64, 1, 0x70, 0x71, 0x72));
  expect(sent().slice(1)).toEqual([`5 ${signal(0x06, 1, 0x71, 0x41)}`, `5 ${signal(0x06, 2, 0x72, 0x42)}`]);
  expect([channels.channels, listener.channels]).toEqual([got, got]);
});

test("onChannel gets those that wait when it is set; what it throws is the program's fault", async () => {
  const { listener, receive, sent } = await listening();
  receive(5, ask(1, 0x60));
  const got: CreditBasedChannel[] = [];
  listener.onChannel = (channel) => void got.push(channel);
  expect(got).toHaveLength(1);
  listener.onChannel = () => {
    throw new Error("channel");
  };
  expect(await uncaughtDuring(() => receive(5, ask(2, 0x61)))).toEqual([new Error("channel")]);
  expect(sent().map(result)).toEqual([0, 0]);
  expect(() => {
    listener.onChannel = 1 as never;
  }).toThrow("onChannel: expected a function");
});

test("the backlog is bounded; who waits in a loop makes room", async () => {
  const { listener, receive, sent } = await listening({ backlog: 2 });
  const loop = listener[Symbol.asyncIterator]();
  const waiting = loop.next();
  for (let i = 0; i < 4; i++) receive(5, ask(1 + i, 0x60 + i));
  expect(sent().map(result)).toEqual([0, 0, 0, 4]);
  expect((await waiting).value!.remoteCid).toBe(0x60);
  await loop.next();
  const loops = [loop.next(), loop.next(), loop.next()];
  await loops[0];
  receive(5, signal(0x17, 9, 0x80, 70, 64, 1, 0x70, 0x71, 0x72, 0x73, 0x74));
  expect(sent().map((line) => line.slice(-20))).toEqual(["43004400450046000000"]);
  await Promise.all(loops);
  await loop.next();
  receive(5, ask(5, 0x64));
  receive(5, ask(6, 0x65));
  expect(sent().map(result)).toEqual([0, 4]);
  listener.onChannel = () => undefined;
  for (let i = 0; i < 9; i++) receive(5, ask(7 + i, 0x66 + i));
  expect(sent().map(result)).toEqual(Array.from({ length: 9 }, () => 0));
});

test("maxChannels counts what is open on all links", async () => {
  const { listener, receive, sent } = await listening({ maxChannels: 2 });
  listener.onChannel = () => undefined;
  receive(5, ask(1, 0x60));
  receive(5, signal(0x17, 2, 0x80, 70, 64, 1, 0x61, 0x62));
  expect(sent()[1]).toContain("0400" + "4100" + "0000");
  expect(listener.channels).toHaveLength(2);
  receive(5, ask(3, 0x63));
  receive(5, signal(0x06, 4, 0x40, 0x60));
  receive(5, ask(5, 0x64));
  expect(sent().map((line) => line.slice(2))).toEqual([
    signal(0x15, 3, 0, 0, 0, 0, 4),
    signal(0x07, 4, 0x40, 0x60),
    signal(0x15, 5, 0x40, 2221, 247, 128, 0),
  ]);
  expect(listener.channels.map(({ remoteCid }) => remoteCid)).toEqual([0x61, 0x64]);
});

test("SPSMs: one listener each, dynamic ones from 0x80, free when it ends", async () => {
  const { listeners, listener, receive, sent } = await listening();
  expect(() => listeners.listen(0x80)).toThrow("SPSM 0x80 is listened to already");
  const dynamic = listeners.listen("dynamic");
  expect(dynamic.spsm).toBe(0x81);
  const fixed = listeners.listen(0x25);
  receive(5, ask(1, 0x60, 0x25));
  listener[Symbol.dispose]();
  listener[Symbol.dispose]();
  expect(listeners.listen("dynamic").spsm).toBe(0x80);
  fixed[Symbol.dispose]();
  receive(5, ask(2, 0x61, 0x25));
  expect(sent()[0]!.slice(-4)).toBe("0000");
  for (let spsm = 0x82; spsm <= 0xff; spsm++) listeners.listen("dynamic");
  expect(() => listeners.listen("dynamic")).toThrow("all dynamic SPSMs are listened to already");
});

test("a listener that ends lets its loops end, closes what nobody took, and leaves the rest", async () => {
  const abort = new AbortController();
  const { listener, receive, sent, channels } = await listening({ signal: abort.signal });
  const loop = listener[Symbol.asyncIterator]();
  receive(5, ask(1, 0x60));
  const { value: taken } = await loop.next();
  receive(5, ask(2, 0x61));
  sent();
  const others = [listener[Symbol.asyncIterator]()];
  abort.abort();
  expect(sent()).toEqual([`5 ${signal(0x06, 1, 0x61, 0x41)}`]);
  expect(await others[0]!.next()).toEqual({ value: undefined, done: true });
  expect(taken!.ended).toBeUndefined();
  expect(channels.channels).toEqual([taken]);
  receive(5, ask(3, 0x62));
  expect(result(sent()[0])).toBe(2);
});

test("with the device listeners end, by its owner or with the reason", async () => {
  for (const error of [undefined, new ClosedError("gone")]) {
    const { listener, listeners } = await listening();
    const waiting = listener[Symbol.asyncIterator]().next();
    const reason = new ClosedError("gone");
    listeners.close(reason, error);
    if (error) {
      await expect(waiting).rejects.toBe(error);
      await expect(listener[Symbol.asyncIterator]().next()).rejects.toBe(error);
    } else expect(await waiting).toEqual({ value: undefined, done: true });
    expect(() => listeners.listen(0x80)).toThrow(reason);
  }
});

test("a channel that is gone before it is taken can still be read", async () => {
  const { listener, receive } = await listening();
  receive(5, ask(1, 0x60));
  receive(0x40, "010007");
  receive(5, signal(0x06, 2, 0x40, 0x60));
  expect(listener.channels).toEqual([]);
  const { value: channel } = await listener[Symbol.asyncIterator]().next();
  expect(await channel!.receive()).toEqual(Uint8Array.of(7));
  expect(await channel!.receive()).toBeUndefined();
});

test.each<[unknown, unknown, string]>([
  [0, {}, "l2cap.listen: spsm: expected a whole number from 1 to 255, got 0"],
  [0x100, {}, "spsm"],
  ["any", {}, 'expected a number or "dynamic", got a string'],
  [undefined, {}, 'expected a number or "dynamic", got undefined'],
  [0x90, { mode: "all" }, 'mode: expected "credit", "enhanced", "both"'],
  [0x90, { mtu: 63 }, "mtu: expected a whole number from 64"],
  [0x90, { mtu: 22, mode: "credit" }, "mtu: expected a whole number from 23"],
  [0x90, { mps: 63 }, "mps"],
  [0x90, { maxChannels: 0 }, "maxChannels"],
  [0x90, { backlog: 0 }, "backlog"],
  [0x90, { accept: true }, "accept: expected a function"],
  [0x90, { authorize: true }, "authorize: expected a function"],
  [0x90, { timeoutMs: -1 }, "timeoutMs"],
  [0x90, { signal: 5 }, "signal: expected an AbortSignal"],
  [0x90, { security: { keySize: 16 } }, 'unknown option "keySize"'],
  [0x90, { secure: true }, 'unknown option "secure"'],
])("listen(%s, %o) is refused", async (spsm, options, message) => {
  const { listeners } = await listening();
  expect(() => listeners.listen(spsm as number, options as object)).toThrow(message);
  expect(() => listeners.listen(0x90, { signal: AbortSignal.abort(new Error("no")) })).toThrow("no");
  listeners.listen(0x90, { mtu: 23, mps: 23, mode: "credit" });
});
