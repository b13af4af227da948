import { expect, test } from "vitest";
import { createChannelPair, FakeChannel } from "../../test/support/pdu-channel-pair.ts";
import { delay } from "../async/clock.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { fromHex as hex, toHex } from "../bytes/hex.ts";
import { ClosedError } from "../core/error.ts";
import { Logger, LogLevel } from "../core/logger.ts";
import { PDU_OFFSET } from "../l2cap/channel.ts";
import { AttBearer, type AttPolicy, type AttServerSide, attErrorName } from "./index.ts";

const LOST = new ClosedError("the link is lost");

function create(policy?: AttPolicy) {
  const clock = new VirtualClock();
  const channel = new FakeChannel();
  const bearer = new AttBearer(channel, { clock, policy });
  const received: string[] = [];
  bearer.client = {
    onHandleValue: (handle, bytes, offset, end, indication) =>
      received.push(`${indication ? "ind" : "ntf"} ${handle} ${toHex(bytes.subarray(offset, end))}`),
  };
  return { clock, channel, bearer, received, sent: () => channel.sent.map(toHex) };
}

function frame(bearer: AttBearer, text: string): Uint8Array {
  const pdu = hex(text);
  const whole = bearer.allocate(pdu.length);
  whole.set(pdu, PDU_OFFSET);
  return whole;
}

const take = (bytes: Uint8Array, offset: number, end: number): string => toHex(bytes.subarray(offset, end));

test("a second request leaves when the first is answered, and each gets its own answer", async () => {
  const { bearer, channel, sent } = create();
  const first = bearer.request(frame(bearer, "0a0300"), take);
  const second = bearer.request(frame(bearer, "0a0400"), take);
  expect(sent()).toEqual(["0a0300"]);
  channel.receive(hex("0b11"));
  expect(sent()).toEqual(["0a0300", "0a0400"]);
  channel.receive(hex("0b22"));
  expect(await first).toBe("11");
  expect(await second).toBe("22");
  expect(bearer.pending).toBe(0);
});

test("an error response is an AttError with the request's opcode", async () => {
  const { bearer, channel } = create();
  const read = bearer.request(frame(bearer, "0a0300"), take);
  channel.receive(hex("010a030002"));
  await expect(read).rejects.toMatchObject({ code: "ERR_ATT", errorCode: 2, requestOpcode: 0x0a, attributeHandle: 3 });
});

test("answers to something else are ignored", async () => {
  const { bearer, channel } = create();
  channel.receive(hex("0b99")); // nothing was asked
  const read = bearer.request(frame(bearer, "0a0300"), take);
  channel.receive(hex("13"));
  channel.receive(hex("0112030003"));
  channel.receive(hex("1e"));
  channel.receive(hex("0b77"));
  expect(await read).toBe("77");
});

test("an error response of another length ends the request all the same", async () => {
  const { bearer, channel } = create();
  const read = bearer.request(frame(bearer, "0a0300"), take);
  channel.receive(hex("010a0300"));
  await expect(read).rejects.toMatchObject({
    code: "ERR_ATT_PROTOCOL",
    requestOpcode: 0x0a,
    message: expect.stringContaining("error response of 4 octets, must be 5"),
  });
});

test("GATT/CL/GAT/BV-01-C: an unanswered request fails after 30 s and ends the bearer (Vol 3 Part F 3.3.3)", async () => {
  const { bearer, clock, channel, sent } = create();
  const failed: string[] = [];
  bearer.on("failed", ({ code }) => failed.push(code));
  const first = expect(bearer.request(frame(bearer, "0a0300"), take)).rejects.toMatchObject({
    code: "ERR_ATT_TIMEOUT",
    requestOpcode: 0x0a,
  });
  const second = expect(bearer.request(frame(bearer, "0a0400"), take)).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await clock.advance(29_999);
  expect(bearer.pending).toBe(2);
  await clock.advance(1);
  await first;
  await second;
  await expect(bearer.request(frame(bearer, "0a0300"), take)).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await expect(bearer.sendFlow(frame(bearer, "1b030000"))).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await expect(bearer.indicate(frame(bearer, "1d030000"))).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await expect(bearer.exchangeMtu()).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await expect(bearer.whenWritable()).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  expect(bearer.writable).toBe(false);
  channel.receive(hex("0b11")); // too late
  expect(failed).toEqual(["ERR_ATT_TIMEOUT"]);
  expect(sent()).toEqual(["0a0300"]);
});

test("aborting a request that waits takes it away; aborting one that was sent swallows its answer", async () => {
  const { bearer, channel, sent } = create();
  const abortFirst = new AbortController();
  const abortSecond = new AbortController();
  const first = bearer.request(frame(bearer, "0a0300"), take, { signal: abortFirst.signal });
  const second = bearer.request(frame(bearer, "0a0400"), take, { signal: abortSecond.signal });
  const third = bearer.request(frame(bearer, "0a0500"), take);
  abortSecond.abort(new Error("second"));
  abortFirst.abort(new Error("first"));
  await expect(first).rejects.toThrow("first");
  await expect(second).rejects.toThrow("second");
  expect(sent()).toEqual(["0a0300"]);
  channel.receive(hex("0b11"));
  expect(sent()).toEqual(["0a0300", "0a0500"]);
  channel.receive(hex("0b55"));
  expect(await third).toBe("55");
  await expect(bearer.request(frame(bearer, "0a0300"), take, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
  expect(bearer.pending).toBe(0);
});

test("a deadline of the caller rejects and leaves the bearer usable", async () => {
  const { bearer, channel } = create();
  const read = bearer.request(frame(bearer, "0a0300"), take, { timeoutMs: 5000 });
  await expect(read).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 5000 });
  const next = bearer.request(frame(bearer, "0a0400"), take);
  channel.receive(hex("0b11"));
  channel.receive(hex("0b22"));
  expect(await next).toBe("22");
});

test("an aborted request that is never answered still ends the bearer", async () => {
  const { bearer, clock } = create();
  const abort = new AbortController();
  const read = bearer.request(frame(bearer, "0a0300"), take, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(read).rejects.toThrow("enough");
  await clock.advance(30_000);
  expect(bearer.refusal).toMatchObject({ code: "ERR_ATT_BEARER_CLOSED", cause: { code: "ERR_ATT_TIMEOUT" } });
});

test("an indication confirmed while it is being sent leaves the next one in its own hands", async () => {
  const { bearer, channel, sent } = create();
  const abort = new AbortController();
  const first = bearer.indicate(frame(bearer, "1d030001"));
  const second = bearer.indicate(frame(bearer, "1d030002"));
  const third = bearer.indicate(frame(bearer, "1d030003"), { signal: abort.signal });
  channel.filter = (pdu) => {
    if (toHex(pdu) !== "1d030002") return true;
    channel.writable = false;
    channel.receive(hex("1e"));
    return false;
  };
  channel.receive(hex("1e"));
  await Promise.all([first, second]);
  abort.abort(new Error("enough"));
  await expect(third).rejects.toThrow("enough");
  channel.writable = true;
  await bearer.whenWritable();
  expect(sent()).toEqual(["1d030001", "1d030002"]);
  expect(bearer.pending).toBe(0);
});

test("an answer that nothing asked for is logged, and no other", async () => {
  const lines: string[] = [];
  const logger = new Logger("test", LogLevel.Debug, (_level, _scope, message) => lines.push(message));
  const channel = new FakeChannel();
  const bearer = new AttBearer(channel, { clock: new VirtualClock(), logger });
  channel.receive(hex("0b99"));
  const read = bearer.request(frame(bearer, "0a0300"), take);
  channel.receive(hex("13"));
  channel.receive(hex("0112030003"));
  channel.receive(hex("0b77"));
  expect(await read).toBe("77");
  const refused = bearer.request(frame(bearer, "0a0300"), take).catch(() => "refused");
  channel.receive(hex("010a030002"));
  expect(await refused).toBe("refused");
  expect(lines.map((line) => line.replace(/.*opcode/, ""))).toEqual([" 0xb", " 0x13", " 0x1"]);
});

test.each([
  [0x01, "Invalid Handle"],
  [0x04, "Invalid PDU"],
  [0x7f, undefined],
  [0x80, "application error"],
  [0x9f, "application error"],
  [0xa0, undefined],
  [0xff, "Out Of Range"],
])("error 0x%s is called %s", (code, name) => {
  expect(attErrorName(code)).toBe(name);
});

test("handles have two octets, in what is sent and in what is received", async () => {
  const { bearer, channel, sent } = create();
  expect(toHex(bearer.valueFrame(0x1b, 0x1234, hex("56")).subarray(PDU_OFFSET))).toBe("1b341256");
  channel.receive(hex("0a3412"));
  bearer.server = { onRequest: () => bearer.respondError(0x0a, 0x1234, 1), onCommand: () => {}, onResponded: () => {} };
  channel.receive(hex("0a3412"));
  expect(sent()).toEqual(["010a000006", "010a341201"]);
  const read = bearer.request(frame(bearer, "0a3412"), take);
  channel.receive(hex("010a341205"));
  await expect(read).rejects.toMatchObject({ attributeHandle: 0x1234 });
});

test("the preferred MTU can be changed until an exchange is made or asked for, whoever asks", async () => {
  const { bearer, channel, sent } = create({ mtu: 100, exchangeMtu: "on-demand" });
  expect(() => bearer.setPreferredMtu(22)).toThrow(/23 to 65535/);
  expect([bearer.setPreferredMtu(200), bearer.policy.mtu, bearer.policy.exchangeMtu]).toEqual([true, 200, "on-demand"]);
  expect(bearer.mtuExchanged).toBe(false);
  const exchange = bearer.exchangeMtu();
  expect(sent()).toEqual(["02c800"]);
  expect([bearer.setPreferredMtu(300), bearer.policy.mtu, bearer.mtuExchanged]).toEqual([false, 200, true]);
  channel.receive(hex("032c01"));
  expect([await exchange, bearer.setPreferredMtu(300)]).toEqual([200, false]);
  const asked = create({ mtu: 100 });
  asked.bearer.setPreferredMtu(64);
  asked.channel.receive(hex("022c01"));
  expect([asked.sent(), asked.bearer.mtu, asked.bearer.setPreferredMtu(100)]).toEqual([["034000"], 64, false]);
  expect(asked.bearer.mtuExchanged).toBe(true);
});

test("an MTU exchange that fails is not made again, and is told", async () => {
  const { bearer, channel, clock, sent } = create();
  const exchange = bearer.exchangeMtu().catch(({ code }) => code);
  channel.receive(hex("0102000006"));
  expect(await exchange).toBe(23); // refused: 23 is what was agreed
  expect(await bearer.exchangeMtu()).toBe(23);
  expect(sent()).toEqual(["02f700"]);
  const silent = create();
  const timedOut = expect(silent.bearer.exchangeMtu()).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  await silent.clock.advance(30_000);
  await timedOut;
  expect(clock.pending).toEqual([]);
});

test("a lost link rejects everything with its reason and leaves nothing pending", async () => {
  const { bearer, channel, clock } = create();
  const read = expect(bearer.request(frame(bearer, "0a0300"), take)).rejects.toBe(LOST);
  const waiting = expect(bearer.request(frame(bearer, "0a0400"), take)).rejects.toBe(LOST);
  const indication = expect(bearer.indicate(frame(bearer, "1d030000"))).rejects.toBe(LOST);
  const second = expect(bearer.indicate(frame(bearer, "1d030001"))).rejects.toBe(LOST);
  channel.writable = false;
  const notification = expect(bearer.sendFlow(frame(bearer, "1b030000"))).rejects.toBe(LOST);
  const writable = expect(bearer.whenWritable()).rejects.toBe(LOST);
  let closed: unknown;
  bearer.on("closed", (reason) => {
    closed = reason;
  });
  channel.close(LOST);
  await Promise.all([read, waiting, indication, second, notification, writable]);
  expect(closed).toBe(LOST);
  expect(bearer.ended).toBe(LOST);
  expect(bearer.pending).toBe(0);
  expect(clock.pending).toEqual([]);
  await expect(bearer.request(frame(bearer, "0a0300"), take)).rejects.toBe(LOST);
});

test("more than 256 waiting requests are refused", async () => {
  const { bearer, channel } = create();
  const all = Array.from({ length: 257 }, () => bearer.request(frame(bearer, "0a0300"), take).catch(({ code }) => code));
  await expect(bearer.request(frame(bearer, "0a0300"), take)).rejects.toMatchObject({ code: "ERR_STATE" });
  channel.close(LOST);
  expect(new Set(await Promise.all(all))).toEqual(new Set(["ERR_CLOSED"]));
});

test("notifications are read in place, however short", () => {
  const { channel, received } = create();
  for (const pdu of ["1b0900", "1b090064", "1b09", "1b", ""]) channel.receive(hex(pdu));
  expect(received).toEqual(["ntf 9 ", "ntf 9 64"]);
});

test("an indication is confirmed before it is handed up, and a malformed one is confirmed and dropped", () => {
  const { channel, bearer, received, sent } = create();
  bearer.client = {
    onHandleValue: (handle) => received.push(`${handle} after ${sent().length} PDU`),
  };
  channel.receive(hex("1d090001"));
  expect(received).toEqual(["9 after 1 PDU"]);
  channel.receive(hex("1d09"));
  expect(received).toHaveLength(1);
  expect(sent()).toEqual(["1e", "1e"]);
  channel.receive(hex("1d0900")); // of an empty value
  expect(received).toEqual(["9 after 1 PDU", "9 after 3 PDU"]);
});

test("several values of one notification come one by one, the last one empty", () => {
  const { channel, received } = create();
  channel.receive(hex("23 0300 0100 aa 0601 0000"));
  expect(received).toEqual(["ntf 3 aa", "ntf 262 "]);
});

test.each([
  ["a value cut short", "23 0300 0100 bb 0600 0500 01"],
  ["a header cut short", "23 0300 0100 bb 0600 00"],
  ["one octet too many", "23 0300 0100 bb 00"],
  ["handle 0x0000", "23 0300 0100 bb 0000 0100 01"],
  ["handle 0x0000 first", "23 0000 0100 bb 0600 0100 01"],
  ["nothing", "23"],
])("of several values of one notification none is handed up where one has %s", (_name, pdu) => {
  const { channel, received } = create();
  channel.receive(hex(pdu));
  expect(received).toEqual([]);
});

test("a value of handle 0x0000 is dropped; an indication is confirmed all the same (Vol 3 Part F 3.4.7.1, 3.4.7.2)", () => {
  const { channel, received, sent } = create();
  channel.receive(hex("1b0000010203"));
  channel.receive(hex("1d0000010203"));
  channel.receive(hex("1b00010102"));
  channel.receive(hex("1d01010102"));
  expect(received).toEqual(["ntf 256 0102", "ind 257 0102"]);
  expect(sent()).toEqual(["1e", "1e"]);
});

test("indications leave one at a time", async () => {
  const { bearer, channel, sent } = create();
  const first = bearer.indicate(frame(bearer, "1d030001"));
  const second = bearer.indicate(frame(bearer, "1d030002"));
  const notification = bearer.sendFlow(frame(bearer, "1b040000"));
  expect(sent()).toEqual(["1d030001", "1b040000"]); // notifications pass
  await notification;
  channel.receive(hex("1e00")); // malformed
  expect(sent()).toHaveLength(2);
  channel.receive(hex("1e"));
  await first;
  expect(sent()).toHaveLength(3);
  channel.receive(hex("1e"));
  await second;
  channel.receive(hex("1e")); // nobody waits
});

test("GATT/SR/GAT/BV-01-C: an indication that is not confirmed within 30 s ends the bearer", async () => {
  const { bearer, clock } = create();
  const first = expect(bearer.indicate(frame(bearer, "1d030001"))).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT", requestOpcode: 0x1d });
  const second = expect(bearer.indicate(frame(bearer, "1d030002"))).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await clock.advance(30_000);
  await Promise.all([first, second]);
  expect(clock.pending).toEqual([]);
});

test("an aborted indication gives way when it has not left, and keeps its turn when it has", async () => {
  const { bearer, channel, sent } = create();
  channel.writable = false;
  const abort = new AbortController();
  const first = bearer.indicate(frame(bearer, "1d030001"), { signal: abort.signal });
  const second = bearer.indicate(frame(bearer, "1d030002"));
  channel.receive(hex("1e")); // a confirmation of what was never sent
  abort.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  channel.writable = true;
  await Promise.resolve();
  await Promise.resolve();
  expect(sent()).toEqual(["1d030002"]);
  channel.receive(hex("1e"));
  await second;

  const late = new AbortController();
  const third = bearer.indicate(frame(bearer, "1d030003"), { signal: late.signal });
  const fourth = bearer.indicate(frame(bearer, "1d030004"));
  late.abort(new Error("late"));
  await expect(third).rejects.toThrow("late");
  expect(sent()).toHaveLength(2);
  channel.receive(hex("1e"));
  channel.receive(hex("1e"));
  await fourth;
});

test("what waits for room on the link leaves in order, and an aborted one not at all", async () => {
  const { bearer, channel, sent } = create();
  channel.writable = false;
  const abort = new AbortController();
  const flows = [1, 2, 3].map((i) => bearer.sendFlow(frame(bearer, `1b03000${i}`), i === 2 ? { signal: abort.signal } : {}));
  const writable = bearer.whenWritable();
  abort.abort(new Error("enough"));
  await expect(flows[1]).rejects.toThrow("enough");
  expect(sent()).toEqual([]);
  expect(bearer.writable).toBe(false);
  channel.writable = true;
  await Promise.all([flows[0], flows[2], writable]);
  expect(sent()).toEqual(["1b030001", "1b030003"]);
  expect(bearer.writable).toBe(true);
  channel.writable = false;
  const many = Array.from({ length: 256 }, () => bearer.sendFlow(frame(bearer, "1b030000")));
  await expect(bearer.sendFlow(frame(bearer, "1b030000"))).rejects.toMatchObject({ code: "ERR_STATE" });
  channel.writable = true;
  await Promise.all(many);
});

test("what waited is judged again when it could leave: a refused notification or indication is dropped, and those behind it go on", async () => {
  const { bearer, channel, sent } = create();
  let refusal: ClosedError | undefined;
  const judged = (): ClosedError | undefined => refusal;
  channel.writable = false;
  const notification = bearer.sendFlow(frame(bearer, "1b030001"), {}, judged);
  const indication = bearer.indicate(frame(bearer, "1d030002"), {}, judged);
  const waiting = bearer.indicate(frame(bearer, "1d030003"), {}, judged);
  const free = bearer.sendFlow(frame(bearer, "1b030004"));
  const confirmed = bearer.indicate(frame(bearer, "1d030005"));
  refusal = new ClosedError("no longer");
  channel.writable = true;
  for (const promise of [notification, indication, waiting]) await expect(promise).rejects.toBe(refusal);
  await free;
  expect(sent()).toEqual(["1b030004", "1d030005"]);
  channel.receive(hex("1e"));
  await confirmed;
  expect(bearer.pending).toBe(0);
  // One that waits for a confirmation is judged when its turn comes.
  refusal = undefined;
  const first = bearer.indicate(frame(bearer, "1d030006"), {}, judged);
  const second = bearer.indicate(frame(bearer, "1d030007"), {}, judged);
  refusal = new ClosedError("not this one");
  channel.receive(hex("1e"));
  await first;
  await expect(second).rejects.toBe(refusal);
  expect(sent().at(-1)).toBe("1d030006");
  expect(bearer.pending).toBe(0);
});

test("GATT/CL/GAC/BV-01-C: an MTU exchange agrees on the smaller value", async () => {
  const { bearer, channel, sent } = create({ mtu: 247 });
  const exchange = bearer.exchangeMtu();
  const again = bearer.exchangeMtu();
  expect(sent()).toEqual(["02f700"]);
  channel.receive(hex("03b800"));
  expect(await exchange).toBe(184);
  expect(await again).toBe(184);
  expect(bearer.mtu).toBe(184);
  expect(bearer.txLimit).toBe(184);
  expect(await bearer.exchangeMtu()).toBe(184);
  expect(sent()).toHaveLength(1);
});

test.each([
  ["a malformed error", "0110"],
  ["a malformed error about something else", "0112ff"],
  ["a response without its second octet", "03b8"],
  ["a response with more than a value", "03b80000"],
  ["a peer without the exchange", "0102000006"],
  ["a value below the default", "031000"],
])("%s leaves the MTU at 23", async (_name, answer) => {
  const { bearer, channel } = create();
  const exchange = bearer.exchangeMtu().catch(({ code }) => code);
  channel.receive(hex(answer));
  await exchange;
  expect(bearer.mtu).toBe(23);
});

test("all who wait for an MTU exchange learn of its failure", async () => {
  const { bearer, clock, sent } = create({ mtu: 0x205 });
  const waits = [bearer.exchangeMtu(), bearer.exchangeMtu({ timeoutMs: 60_000 })].map((wait) =>
    expect(wait).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT", requestOpcode: 0x02 }),
  );
  expect(sent()).toEqual(["020502"]);
  await clock.advance(30_000);
  await Promise.all(waits);
  expect(clock.pending).toEqual([]);
});

test("a malformed error response ends the request, whatever it says it is about", async () => {
  const { bearer, channel } = create();
  const read = bearer.request(frame(bearer, "0a0300"), take);
  channel.receive(hex("0112ff"));
  await expect(read).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL", requestOpcode: 0x0a });
  expect(bearer.pending).toBe(0);
});

test("no time limit is none", async () => {
  const { bearer, channel, clock } = create();
  const read = bearer.request(frame(bearer, "0a0300"), take, { timeoutMs: Number.POSITIVE_INFINITY });
  expect(clock.pending).toEqual(["ATT transaction"]);
  channel.receive(hex("0b11"));
  expect(await read).toBe("11");
});

test("an aborted MTU exchange still takes effect", async () => {
  const { bearer, channel } = create();
  const abort = new AbortController();
  const exchange = bearer.exchangeMtu({ signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(exchange).rejects.toThrow("enough");
  channel.receive(hex("036400"));
  expect(await bearer.exchangeMtu()).toBe(100);
});

test("while an MTU exchange is on its way no notification leaves, and a response keeps to 23 (Vol 3 Part F 3.4.2.2)", async () => {
  const { bearer, channel, sent } = create();
  let answer: (() => void) | undefined;
  const limits: number[] = [];
  bearer.server = {
    onRequest: () => {
      answer = () => {
        limits.push(bearer.responseLimit);
        bearer.respond(frame(bearer, "0b"));
      };
    },
    onCommand: () => {},
    onResponded: () => {},
  };
  const exchange = bearer.exchangeMtu();
  const notification = bearer.sendFlow(frame(bearer, "1b030000"));
  expect(bearer.writable).toBe(false);
  channel.receive(hex("0a0300"));
  channel.receive(hex("03b800"));
  await exchange;
  await notification;
  answer?.();
  channel.receive(hex("0a0300"));
  answer?.();
  expect(limits).toEqual([23, 184]);
  expect(sent()).toEqual(["02f700", "1b030000", "0b", "0b"]);
});

test("the policy may forbid to start an exchange; a peer's is answered with the policy's value all the same", async () => {
  const { bearer, channel, sent } = create({ exchangeMtu: "never", mtu: 184, maxTxPdu: 23 });
  await expect(bearer.exchangeMtu()).rejects.toMatchObject({ code: "ERR_STATE" });
  channel.receive(hex("02f700"));
  expect(sent()).toEqual(["03b800"]);
  expect(bearer.mtu).toBe(184);
  expect(bearer.txLimit).toBe(23);
  expect(() => bearer.allocate(24)).toThrow(/at most 23/);
  expect(bearer.valueFrame(0x1b, 3, new Uint8Array(100))).toHaveLength(PDU_OFFSET + 23);
  channel.receive(hex("02f7"));
  expect(sent()[1]).toBe("0102000004");
});

test("a policy that cannot be kept is refused", () => {
  expect(() => create({ maxTxPdu: 22 })).toThrow(/maxTxPdu: .* got 22/);
  expect(() => create({ mtu: 22 })).toThrow(/mtu: .* got 22/);
  expect(() => create({ mtu: 23.5 })).toThrow(/mtu/);
});

test("GATT/SR/UNS/BI-01-C, BI-02-C: an unknown request is refused, an unknown command ignored", () => {
  const { bearer, channel, sent } = create();
  channel.receive(hex("7f"));
  channel.receive(hex("40"));
  channel.receive(hex("ff0102"));
  expect(sent()).toEqual([]);
  channel.receive(hex("240102"));
  channel.receive(hex("0a0300")); // and without a server every other one too
  expect(sent()).toEqual(["0124000006", "010a000006"]);
  expect(bearer.pending).toBe(0);
});

test("a peer that does not wait for responses is served in turn, and dropped where it goes too far", () => {
  const { bearer, channel, sent } = create();
  const requests: string[] = [];
  const server: AttServerSide = {
    onRequest: (_opcode, bytes, offset, end) => requests.push(take(bytes, offset, end)),
    onCommand: () => {},
    onResponded: () => {},
  };
  bearer.server = server;
  for (let i = 1; i <= 20; i++) channel.receive(hex(`0a${i.toString(16).padStart(2, "0")}00`));
  expect(requests).toEqual(["0a0100"]);
  for (let i = 0; i < 9; i++) bearer.respondError(0x0a, 1, 1);
  expect(requests).toHaveLength(9);
  expect(requests[8]).toBe("0a0900");
  expect(sent()).toHaveLength(9);
  expect(() => bearer.respondError(0x0a, 1, 1)).toThrow(/no request/);
});

test("both sides may have a request on the way at once", async () => {
  const clock = new VirtualClock();
  const [left, right] = createChannelPair();
  const bearers = [left, right].map((channel) => new AttBearer(channel, { clock })) as [AttBearer, AttBearer];
  const answers: (() => void)[] = [];
  for (const bearer of bearers)
    bearer.server = {
      onRequest: (_opcode, bytes, offset) => {
        const handle = bytes[offset + 1]!;
        answers.push(() => bearer.respond(frame(bearer, `0b${handle.toString(16).padStart(2, "0")}`)));
      },
      onCommand: () => {},
      onResponded: () => {},
    };
  const read = [bearers[0].request(frame(bearers[0], "0a0300"), take), bearers[1].request(frame(bearers[1], "0a0400"), take)];
  await delay(clock, 10);
  for (const answer of answers) answer();
  expect(await Promise.all(read)).toEqual(["03", "04"]);
});
