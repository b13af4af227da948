import { expect, test } from "vitest";
import { type L2capPeer, openL2capPeer, signal, words } from "../../../test/support/l2cap-peer.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { DisconnectedError } from "../../hci/index.ts";
import type { ChannelOptions, CreditBasedChannel } from "../index.ts";

interface Opened extends L2capPeer {
  channel: CreditBasedChannel;
  /** K-frames on the peer's channel since the last call. */
  frames: () => string[];
  /** Credits that were given since the last call. */
  credits: () => number[];
  /** A K-frame of the peer. */
  frame: (payload: string | Uint8Array) => void;
  /** The peer gives credits. */
  give: (count: number) => void;
}

/** A channel: own CID 0x40, the peer's 0x60. */
async function open(
  own: ChannelOptions = {},
  { mtu = 1000, mps = 30, credits = 100, buffers = 64 }: { mtu?: number; mps?: number; credits?: number; buffers?: number } = {},
): Promise<Opened> {
  const peer = await openL2capPeer({ buffers });
  const opening = peer.channels.connect(0x80, { mtu: 100, mps: 23, receiveWindow: 4 * 23, ...own });
  peer.receive(5, signal(0x15, 1, 0x60, mtu, mps, credits, 0));
  const channel = await opening;
  peer.sent();
  const log: string[] = [];
  const take = (prefix: string): string[] => {
    log.push(...peer.sent());
    const taken = log.filter((line) => line.startsWith(prefix));
    log.splice(0, log.length, ...log.filter((line) => !line.startsWith(prefix)));
    return taken.map((line) => line.slice(prefix.length));
  };
  return {
    ...peer,
    channel,
    sent: () => [...log.splice(0), ...peer.sent()],
    frames: () => take("60 "),
    credits: () => take("5 16").map((line) => Number.parseInt(line.slice(12, 14) + line.slice(10, 12), 16)),
    frame: (payload) => peer.receive(0x40, payload),
    give: (count) => peer.receive(5, signal(0x16, 99, 0x60, count)),
  };
}

const range = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const hex = (bytes: Uint8Array): string => toHex(bytes);
/** An SDU as one K-frame. */
const whole = (sdu: Uint8Array): string => words(sdu.length) + hex(sdu);

// --- sending ----------------------------------------------------------------------------------------------------------------------

test("L2CAP/COS/CFC/BV-02-C: an SDU that fits goes in one K-frame, its length in front", async () => {
  const { channel, frames } = await open();
  await channel.send(range(28));
  expect(frames()).toEqual([whole(range(28))]);
  await channel.send(new Uint8Array(0));
  expect(frames()).toEqual(["0000"]);
});

test("L2CAP/COS/CFC/BV-01-C: a longer one is cut: the length once, every K-frame but the last as long as the peer takes", async () => {
  const { channel, frames } = await open();
  await channel.send(range(100));
  expect(frames()).toEqual([`6400${hex(range(28))}`, hex(range(30, 28)), hex(range(30, 58)), hex(range(12, 88))]);
  expect(channel.credits).toBe(96);
  await channel.send(range(29));
  expect(frames()).toEqual([`1d00${hex(range(28))}`, hex(range(1, 28))]);
});

test("L2CAP/LE/CFC/BV-06-C: without credits nothing goes; what is given is spent, and no more", async () => {
  const { channel, frames, give } = await open({}, { credits: 1 });
  let gone = false;
  const sending = channel.send(range(60)).then(() => (gone = true));
  expect([frames(), channel.waiting, channel.credits]).toEqual([[`3c00${hex(range(28))}`], 1, 0]);
  give(0);
  expect(frames()).toEqual([]);
  give(1);
  expect(frames()).toEqual([hex(range(30, 28))]);
  await Promise.resolve();
  expect(gone).toBe(false);
  give(5);
  expect(frames()).toEqual([hex(range(2, 58))]);
  await sending;
  expect([channel.waiting, channel.credits]).toEqual([0, 4]);
});

test("L2CAP/LE/CFC/BI-01-C: credits beyond 65535 close the channel, and nothing else", async () => {
  const { channel, give, sent, channels } = await open({}, { credits: 0xfff0 });
  give(0x000f);
  expect(channel.credits).toBe(0xffff);
  give(1);
  expect(sent()).toEqual([`5 ${signal(0x06, 2, 0x60, 0x40)}`]);
  expect(channel.ended).toMatchObject({ code: "ERR_L2CAP_CHANNEL_CLOSED", by: "violation", problem: "1 credits on top of 65535" });
  expect(channels.channels).toEqual([]);
});

test("credits for CIDs that no channel has are ignored", async () => {
  const { receive, sent, channel } = await open({}, { credits: 1 });
  for (const cid of [0, 0x3f, 0x40, 0x61, 0x80, 0xffff]) receive(5, signal(0x16, 99, cid, 0xffff));
  expect([sent(), channel.credits, channel.ended]).toEqual([[], 1, undefined]);
});

test("SDUs go in order, however they are sent, and no further than the peer takes", async () => {
  const { channel, frames, give } = await open({}, { credits: 0, mtu: 40 });
  const sends = [1, 2, 3].map((i) => channel.send(Uint8Array.of(i)));
  expect(channel.trySend(Uint8Array.of(4))).toBe(true);
  await expect(channel.send(new Uint8Array(41))).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: "send: an SDU of 41 octets: the peer takes at most 40",
  });
  expect(() => channel.trySend(new Uint8Array(41))).toThrow("trySend: an SDU of 41 octets");
  expect(channel.waiting).toBe(4);
  give(10);
  expect(frames()).toEqual(["010001", "010002", "010003", "010004"]);
  await Promise.all(sends);
});

test("trySend takes as much as the queue holds, and keeps the octets", async () => {
  const { channel, frames, give } = await open({ sendQueue: 3 }, { credits: 1 });
  const sdu = range(40);
  expect(channel.trySend(sdu)).toBe(true);
  sdu.fill(0xee);
  expect([1, 2, 3].map((i) => channel.trySend(Uint8Array.of(i)))).toEqual([true, true, false]);
  expect([channel.writable, channel.waiting]).toEqual([false, 3]);
  const writable = channel.whenWritable();
  give(1);
  expect(frames()).toEqual([`2800${hex(range(28))}`, hex(range(12, 28))]);
  await writable;
  expect(channel.writable).toBe(true);
  give(5);
  expect(frames()).toEqual(["010001", "010002"]);
});

test("whenWritable is a promise of room, and of nothing once its signal has aborted", async () => {
  const { channel, clock } = await open({ sendQueue: 1 }, { credits: 0 });
  await channel.whenWritable();
  const signal = AbortSignal.abort(new Error("no"));
  await expect(channel.whenWritable({ signal })).rejects.toThrow("no");
  channel.trySend(range(1));
  await expect(channel.whenWritable({ signal })).rejects.toThrow("no");
  const late = expect(channel.whenWritable({ timeoutMs: 5 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await clock.advance(5);
  await late;
  expect(clock.pending).toEqual([]);
});

test("1 MiB waits at most, whatever the number", async () => {
  const { channel } = await open({ sendQueue: 65_536 }, { credits: 0, mtu: 0xffff });
  const sdu = new Uint8Array(0xffff);
  let count = 0;
  while (channel.trySend(sdu)) count++;
  expect(count).toBe(17);
});

test("an SDU that was not begun is withdrawn; one that was goes on, with the octets it had", async () => {
  const { channel, frames, give, clock } = await open({}, { credits: 1 });
  const abort = new AbortController();
  const sdu = range(60);
  const begun = expect(channel.send(sdu, { signal: abort.signal })).rejects.toThrow("enough");
  const waiting = expect(channel.send(range(5), { timeoutMs: 10 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  const last = channel.send(range(3));
  abort.abort(new Error("enough"));
  await begun;
  sdu.fill(0xee);
  await clock.advance(10);
  await waiting;
  expect(channel.waiting).toBe(2);
  give(10);
  expect(frames()).toEqual([`3c00${hex(range(28))}`, hex(range(30, 28)), hex(range(2, 58)), whole(range(3))]);
  await last;
  await expect(channel.send(range(1), { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
  expect([frames(), clock.pending]).toEqual([[], []]);
});

test("K-frames fill link layer packets where the peer takes more than one of them", async () => {
  const { channel, frames } = await open({}, { mtu: 3000, mps: 600 });
  await channel.send(range(2000));
  expect(frames().map((payload) => payload.length / 2)).toEqual([498, 498, 498, 498, 10]);
});

test("K-frames are as long as the peer takes where it gave just enough credits for that", async () => {
  const { channel, frames, give, link } = await open({}, { mtu: 3000, mps: 600, credits: 4 });
  await channel.send(range(2000));
  expect(frames().map((payload) => payload.length / 2)).toEqual([600, 600, 600, 202]);
  link.setTxOctets(27);
  give(40);
  await channel.send(range(2000));
  expect(frames().map((payload) => payload.length / 2)).toEqual([590, 590, 590, 232]);
});

test("before longer packets are agreed on, K-frames fill those of 27 octets", async () => {
  const { channel, frames, link } = await open({}, { mps: 247 });
  link.setTxOctets(27);
  await channel.send(range(500));
  expect(frames().map((payload) => payload.length / 2)).toEqual([239, 239, 24]);
});

test("few K-frames wait on the link, so that a PDU of ATT has them before it and no more", async () => {
  const { channel, controller, complete, link } = await open({}, { buffers: 4 });
  for (let i = 0; i < 40; i++) void channel.send(Uint8Array.of(i));
  link.att.send(fromHex("0a0300"));
  expect(controller.acl).toHaveLength(4);
  for (let i = 0; i < 12; i++) complete(1);
  const order = controller.acl.map((packet) => packet[7]);
  expect(order.indexOf(4)).toBe(8);
  expect(order).toHaveLength(16);
  for (let i = 0; i < 40; i++) complete(1);
  const sdus = controller.acl.filter((packet) => packet[7] === 0x60).map((packet) => packet[11]);
  expect(sdus).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test("channels take turns, K-frame by K-frame", async () => {
  const { channel, channels, receive, controller, complete, sent } = await open({}, { buffers: 4 });
  const opening = channels.connect(0x80);
  receive(5, signal(0x15, 2, 0x61, 1000, 30, 100, 0));
  const other = await opening;
  sent();
  controller.acl.splice(0);
  void channel.send(range(300));
  void other.send(range(300));
  for (let i = 0; i < 30; i++) complete(1);
  const order = controller.acl.map((packet) => packet[7]!.toString(16)).join(" ");
  // The first had the link for itself until the second had something to send.
  expect(order).toMatch(/^(60 ){4,8}(61 60 |60 61 )*(61 ){3,9}61$/);
});

test("a lost link rejects what waits, with its reason", async () => {
  const { channel, link, clock } = await open({ sendQueue: 1 }, { credits: 1 });
  const outcomes = Promise.allSettled([channel.send(range(60)), channel.send(range(2)), channel.whenWritable(), channel.receive()]);
  const reason = new DisconnectedError(0x08);
  link.close(reason);
  for (const outcome of await outcomes) expect(outcome).toEqual({ status: "rejected", reason });
  expect(await channel.closed).toBe(reason);
  await expect(channel.send(range(1))).rejects.toBe(reason);
  await expect(channel.receive()).rejects.toBe(reason);
  expect([channel.trySend(range(1)), channel.writable, clock.pending]).toEqual([false, false, []]);
});

// --- receiving --------------------------------------------------------------------------------------------------------------------

test("L2CAP/COS/CFC/BV-03-C: K-frames are put together, however they are cut", async () => {
  const { channel, frame } = await open({ receiveWindow: 1000 });
  const sdu = range(90);
  frame("0300010203");
  frame("5a00");
  frame(sdu.subarray(0, 23));
  frame(sdu.subarray(23, 24));
  frame("");
  for (let at = 24; at < 90; at += 22) frame(sdu.subarray(at, at + 22));
  frame("0000");
  expect(channel.available).toBe(3);
  expect(await channel.receive()).toEqual(range(3, 1));
  expect(await channel.receive()).toEqual(sdu);
  expect(await channel.receive()).toEqual(new Uint8Array(0));
  expect(channel.available).toBe(0);
});

test("an SDU keeps its octets, whatever becomes of the packet", async () => {
  const { channel, hci } = await open();
  const packet = fromHex("02 4020 0700 0300 4000 0100aa");
  hci.acl.receive(packet);
  packet.fill(0);
  expect(await channel.receive()).toEqual(Uint8Array.of(0xaa));
});

test("a reader that waits gets the SDU in its turn; loops end when the peer closes, and leaving one closes nothing", async () => {
  const { channel, frame, receive, sent } = await open();
  const [first, second] = [channel.receive(), channel.receive()];
  frame("010001");
  frame("010002");
  expect([await first, await second]).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
  frame("010003");
  for await (const sdu of channel) {
    expect(sdu).toEqual(Uint8Array.of(3));
    break;
  }
  frame("010004");
  receive(5, signal(0x06, 7, 0x40, 0x60));
  const rest: number[] = [];
  for await (const sdu of channel) rest.push(sdu[0]!);
  expect(rest).toEqual([4]);
  expect(await channel.receive()).toBeUndefined();
  expect(sent().at(-1)).toBe(`5 ${signal(0x07, 7, 0x40, 0x60)}`);
});

test("who gives up waiting for an SDU loses none", async () => {
  const { channel, frame, clock } = await open();
  const abort = new AbortController();
  const outcomes = Promise.allSettled([channel.receive({ timeoutMs: 5 }), channel.receive({ signal: abort.signal })]);
  abort.abort(new Error("enough"));
  await clock.advance(5);
  expect(await outcomes).toMatchObject([{ reason: { code: "ERR_TIMEOUT" } }, { reason: { message: "enough" } }]);
  frame("010001");
  await expect(channel.receive({ signal: abort.signal })).rejects.toThrow("enough");
  expect(await channel.receive({ timeoutMs: 5 })).toEqual(Uint8Array.of(1));
  expect(clock.pending).toEqual([]);
});

test("L2CAP/LE/CFC/BV-07-C: credits go back when SDUs are read, a quarter of the window at a time; a slow reader stops the peer", async () => {
  const { channel, frame, credits } = await open({ mtu: 23, receiveWindow: 8 * 23 });
  for (let i = 0; i < 8; i++) frame(`0100${hex(Uint8Array.of(i))}`);
  const given: number[][] = [credits()];
  for (let i = 0; i < 8; i++) {
    await channel.receive();
    given.push(credits());
  }
  expect(given).toEqual([[], [1], [], [2], [], [2], [], [2], []]); // the first at once, since the peer has none
});

test("what is owed goes back at once when the peer has none left, though nobody reads", async () => {
  const { frame, credits, channel } = await open({ mtu: 23, receiveWindow: 8 * 23 });
  frame("010001");
  await channel.receive();
  for (let i = 0; i < 6; i++) frame("010001");
  expect(credits()).toEqual([]);
  frame("010001");
  expect(credits()).toEqual([1]);
});

test("with a reader that keeps up the peer never runs dry", async () => {
  const { channel, frame, credits } = await open({ receiveWindow: 10 * 23 });
  channel.onSdu = () => undefined;
  let peer = 10;
  let least = peer;
  for (let i = 0; i < 100; i++) {
    frame("010001");
    peer -= 1;
    least = Math.min(least, peer);
    for (const given of credits()) peer += given;
  }
  expect(least).toBe(7);
});

test("onSdu gets SDUs as they come, and those that wait when it is set; what it throws is the program's fault", async () => {
  const { channel, frame, credits } = await open();
  frame("010001");
  frame("010002");
  const got: number[] = [];
  channel.onSdu = (sdu) => got.push(sdu[0]!);
  expect([got, credits()]).toEqual([[1, 2], [2]]);
  frame("010003");
  expect([got, credits()]).toEqual([[1, 2, 3], []]);
  channel.onSdu = () => {
    throw new Error("sdu");
  };
  expect(await uncaughtDuring(() => frame("010004"))).toEqual([new Error("sdu")]);
  channel.onSdu = undefined;
  frame("010005");
  expect(await channel.receive()).toEqual(Uint8Array.of(5));
  expect(() => {
    channel.onSdu = 5 as never;
  }).toThrow("onSdu: expected a function");
});

test('credits: "manual": they go back when the program says so', async () => {
  const { channel, frame, credits } = await open({ mtu: 23, receiveWindow: 4 * 23, credits: "manual" });
  channel.onSdu = () => undefined;
  frame("010001");
  frame("010002");
  channel.onSdu = undefined;
  frame("010003");
  frame("010004");
  await channel.receive();
  expect(credits()).toEqual([]);
  channel.consumed(0);
  channel.consumed();
  expect(credits()).toEqual([1]);
  channel.consumed(5); // two were handed out
  expect(credits()).toEqual([2]);
  await channel.receive();
  channel.consumed();
  expect(credits()).toEqual([1]);
  expect(() => channel.consumed(-1)).toThrow("consumed: sdus");
});

test('credits: "manual": a callback may be done with its SDU within the call', async () => {
  const { channel, frame, credits } = await open({ mtu: 23, receiveWindow: 2 * 23, credits: "manual" });
  frame("010001"); // waits
  channel.onSdu = () => channel.consumed();
  expect(credits()).toEqual([1]);
  frame("010002");
  expect(credits()).toEqual([1]);
});

test("L2CAP/COS: a peer that makes short K-frames and has no credit in the middle of an SDU gets what it needs, one at a time", async () => {
  const { channel, frame, credits } = await open({ mtu: 23, mps: 23, receiveWindow: 2 * 23 });
  frame("0800");
  for (let i = 0; i < 8; i++) {
    expect(credits()).toEqual(i === 0 ? [] : [1]);
    frame(Uint8Array.of(i));
  }
  expect(await channel.receive()).toEqual(range(8));
  expect(credits()).toEqual([2]); // the window, and no more than that
  frame("010001");
  frame("010002");
  expect(credits()).toEqual([]);
  expect(channel.ended).toBeUndefined();
});

test("no credit in the middle of an SDU while others wait to be read: reading them makes room", async () => {
  const { channel, frame, credits } = await open({ mtu: 23, mps: 23, receiveWindow: 3 * 23 });
  frame("010001");
  frame("0500");
  frame("01");
  expect(credits()).toEqual([]);
  await channel.receive();
  expect(credits()).toEqual([1]);
  frame("02");
  expect(credits()).toEqual([1]);
});

test.each<[string, ChannelOptions, (string | Uint8Array)[], string]>([
  ["a K-frame without a credit", { mtu: 23, receiveWindow: 46 }, ["010001", "010002", "010003"], "a K-frame for which it had no credit"],
  ["a K-frame longer than the MPS", {}, [new Uint8Array(24)], "a K-frame of 24 octets, with an MPS of 23"],
  ["a first K-frame of no octet", {}, [""], "the first K-frame of an SDU without a length"],
  ["a first K-frame of one octet", {}, ["05"], "the first K-frame of an SDU without a length"],
  ["an SDU longer than the MTU", {}, ["6500"], "an SDU of 101 octets, with an MTU of 100"],
  ["more octets than the SDU's length, at once", {}, ["0100 0102"], "2 octets of an SDU of 1"],
  ["more octets than the SDU's length, later", {}, ["0400 010203", "0405"], "5 octets of an SDU of 4"],
  ["octets of an empty SDU", {}, ["0000 01"], "1 octets of an SDU of 0"],
])("%s closes the channel, and nothing else", async (_name, options, payloads, problem) => {
  const { channel, frame, sent, channels, receive, log, clock } = await open(options);
  const opening = channels.connect(0x80, { mtu: 100, mps: 23 });
  receive(5, signal(0x15, 2, 0x61, 1000, 30, 100, 0));
  const other = await opening;
  const sending = channel.send(new Uint8Array(0)).then(() => channel.send(new Uint8Array(1)));
  await sending;
  sent();
  for (const payload of payloads) frame(payload);
  frame("010009"); // discarded
  expect(sent()).toEqual([`5 ${signal(0x06, 3, 0x60, 0x40)}`]);
  expect(channel.ended).toMatchObject({ by: "violation", problem });
  expect(await channel.closed).toBe(channel.ended);
  expect(log.join()).toContain(problem);
  while (channel.available > 0) await channel.receive();
  await expect(channel.receive()).rejects.toBe(channel.ended);
  await expect(channel.send(range(1))).rejects.toBe(channel.ended);
  expect(channels.channels).toEqual([other]);
  receive(5, signal(0x07, 3, 0x60, 0x40));
  expect([sent(), clock.pending]).toEqual([[], []]);
});

test("an SDU as long as the MTU in K-frames as long as the MPS is taken", async () => {
  const { channel, frame } = await open({ mtu: 44, mps: 23 });
  frame(`2c00${hex(range(21))}`);
  frame(range(23, 21));
  expect(await channel.receive()).toEqual(range(44));
});

test("options of operations are checked", async () => {
  const { channel, sent } = await open();
  await expect(channel.send("text" as never)).rejects.toThrow("send: expected a Uint8Array, got a string");
  await expect(channel.send(range(1), { timeout: 1 } as never)).rejects.toThrow('unknown option "timeout"');
  await expect(channel.receive({ timeout: 1 } as never)).rejects.toThrow('unknown option "timeout"');
  await expect(channel.whenWritable({ timeout: 1 } as never)).rejects.toThrow('unknown option "timeout"');
  await expect(channel.close({ timeout: 1 } as never)).rejects.toThrow('unknown option "timeout"');
  expect(() => channel.on("close" as never, () => undefined)).toThrow("channel event");
  expect(sent()).toEqual([]);
});
