import { expect, test } from "vitest";
import { FakeChannel } from "../../test/support/pdu-channel-pair.ts";
import { turn } from "../async/turn.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { fromHex as hex, toHex } from "../bytes/hex.ts";
import { ClosedError } from "../core/error.ts";
import { PDU_OFFSET } from "../l2cap/channel.ts";
import { AttBearer } from "./index.ts";

const LOST = new ClosedError("the link is lost");

function create() {
  const clock = new VirtualClock({ auto: false });
  const channel = new FakeChannel();
  channel.clock = clock;
  const bearer = new AttBearer(channel, { clock });
  const frame = (text: string): Uint8Array => {
    const pdu = hex(text);
    const whole = bearer.allocate(pdu.length);
    whole.set(pdu, PDU_OFFSET);
    return whole;
  };
  const read = (handle: string, options = {}): Promise<string> =>
    bearer.request(frame(`0a${handle}`), (bytes, offset, end) => toHex(bytes.subarray(offset, end)), options);
  return { clock, channel, bearer, frame, read, sent: () => channel.sent.map(toHex) };
}

test("on an idle link the timer starts with the request", () => {
  const { clock, bearer, frame, read } = create();
  void read("0300").catch(() => undefined);
  expect(clock.pending).toEqual(["ATT transaction"]);
  void bearer.indicate(frame("1d030001")).catch(() => undefined);
  expect(clock.pending).toEqual(["ATT transaction", "ATT indication"]);
});

test("a link that is lost while the controller holds a request leaves no timer", async () => {
  const { clock, channel, read } = create();
  channel.idle = false;
  channel.waiting = 1;
  const lost = expect(read("0300")).rejects.toBe(LOST);
  channel.close(LOST);
  await lost;
  await turn();
  expect(clock.pending).toEqual([]);
});

test("a request behind a full link waits for room, and its 30 s begin when it leaves (Vol 3 Part F 3.3.3)", async () => {
  const { clock, channel, bearer, read, sent } = create();
  channel.writable = false;
  const first = read("0300");
  const second = read("0400");
  await clock.advance(120_000);
  expect([sent(), bearer.refusal]).toEqual([[], undefined]);
  channel.writable = true;
  await turn();
  expect(sent()).toEqual(["0a0300"]);
  channel.receive(hex("0b11"));
  expect(await first).toBe("11");
  const timedOut = expect(second).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  await clock.advance(29_999);
  expect(bearer.refusal).toBeUndefined();
  await clock.advance(1);
  await timedOut;
});

test("an indication behind a full link likewise", async () => {
  const { clock, channel, bearer, frame, sent } = create();
  channel.writable = false;
  const indication = expect(bearer.indicate(frame("1d030001"))).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  await clock.advance(120_000);
  expect([sent(), bearer.refusal]).toEqual([[], undefined]);
  channel.writable = true;
  await clock.advance(29_999);
  expect(bearer.refusal).toBeUndefined();
  await clock.advance(1);
  await indication;
});

test.each(["request", "indication"] as const)("the 30 s of a %s that the controller still holds have not begun", async (what) => {
  const { clock, channel, bearer, frame, read } = create();
  channel.idle = false;
  channel.waiting = 1;
  const outcome = expect(what === "request" ? read("0300") : bearer.indicate(frame("1d030001"))).rejects.toMatchObject({
    code: "ERR_ATT_TIMEOUT",
  });
  await clock.advance(120_000);
  expect(bearer.refusal).toBeUndefined();
  channel.leave();
  await clock.advance(29_999);
  expect(bearer.refusal).toBeUndefined();
  await clock.advance(1);
  await outcome;
  expect(clock.pending).toEqual([]);
});

test("a report that is lost delays the timer by 30 s and no more", async () => {
  const { clock, channel, bearer, read } = create();
  channel.idle = false;
  channel.waiting = 1;
  const outcome = expect(read("0300")).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  await clock.advance(20_000);
  channel.waiting = 0; // the controller has it, and never says that it has sent it
  await clock.advance(39_999);
  expect(bearer.refusal).toBeUndefined();
  await clock.advance(1);
  await outcome;
  expect(clock.pending).toEqual([]);
});

test("likewise of a request that follows while the report of one before it, which was answered, is waited for", async () => {
  const { clock, channel, bearer, read } = create();
  channel.idle = false;
  const first = read("0300");
  await clock.advance(1000);
  channel.receive(hex("0b11"));
  expect(await first).toBe("11");
  const outcome = expect(read("0400")).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  await clock.advance(59_999);
  expect(bearer.refusal).toBeUndefined();
  await clock.advance(5001);
  expect(bearer.refusal).toBeDefined();
  await outcome;
  expect(clock.pending).toEqual([]);
});

test("an answer that comes before the controller's report needs no timer any more", async () => {
  const { clock, channel, bearer, frame, read } = create();
  channel.idle = false;
  const value = read("0300");
  const indication = bearer.indicate(frame("1d030001"));
  channel.receive(hex("0b11"));
  channel.receive(hex("1e"));
  expect(await value).toBe("11");
  await indication;
  channel.leave();
  await clock.advance(60_000);
  expect([bearer.refusal, clock.pending]).toEqual([undefined, []]);
});

test("a request that is given up while the link is full never leaves, and the next one takes its place", async () => {
  const { channel, bearer, read, sent } = create();
  channel.writable = false;
  const abort = new AbortController();
  const first = read("0300", { signal: abort.signal });
  const second = read("0400");
  channel.receive(hex("0b99")); // an answer to nothing
  abort.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  channel.writable = true;
  await turn();
  expect(sent()).toEqual(["0a0400"]);
  channel.receive(hex("0b22"));
  expect(await second).toBe("22");
  expect(bearer.pending).toBe(0);
});

test("a link that is lost while it is full ends what waits", async () => {
  const { clock, channel, bearer, frame, read } = create();
  channel.writable = false;
  channel.idle = false;
  const waiting = [read("0300"), read("0400"), bearer.indicate(frame("1d030001"))].map((promise) => expect(promise).rejects.toBe(LOST));
  channel.close(LOST);
  await Promise.all(waiting);
  expect([bearer.pending, clock.pending]).toEqual([0, []]);
});

test("waiting for room with a signal that has aborted already rejects with its reason", async () => {
  const { channel, bearer, frame } = create();
  channel.writable = false;
  const signal = AbortSignal.abort(new Error("before"));
  await expect(bearer.whenWritable({ signal })).rejects.toThrow("before");
  const queued = bearer.sendFlow(frame("1b030000"));
  await expect(bearer.whenWritable({ signal })).rejects.toThrow("before");
  channel.writable = true;
  await queued;
});
