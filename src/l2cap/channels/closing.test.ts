import { expect, test } from "vitest";
import { type L2capPeer, openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { DisconnectedError } from "../../hci/index.ts";
import type { CreditBasedChannel } from "../index.ts";

// Disconnection Request: 0x06, Response: 0x07; destination CID first, that of who answers.
const REQUEST = `5 ${signal(0x06, 2, 0x60, 0x40)}`;
const RESPONSE = signal(0x07, 2, 0x60, 0x40);

async function open(credits = 100): Promise<L2capPeer & { channel: CreditBasedChannel; events: unknown[] }> {
  const peer = await openL2capPeer();
  const opening = peer.channels.connect(0x80, { mtu: 100, mps: 23 });
  peer.receive(5, signal(0x15, 1, 0x60, 100, 30, credits, 0));
  const channel = await opening;
  peer.sent();
  const events: unknown[] = [];
  channel.on("closed", (reason) => events.push(reason));
  return { ...peer, channel, events };
}
/** The next channel that this side asks for has this CID. */
async function nextCid({ channels, sent }: L2capPeer): Promise<number> {
  void channels.connect(0x90).catch(() => undefined);
  return Number.parseInt(sent()[0]!.slice(14, 16), 16);
}

test("L2CAP/LE/CFC/BV-08-C: closing asks the peer, and is done when it answers", async () => {
  const peer = await open();
  const { channel, channels, receive, sent, events, clock } = peer;
  let done = false;
  const closing = channel.close().then(() => (done = true));
  expect(sent()).toEqual([REQUEST]);
  expect(channel.ended).toMatchObject({ code: "ERR_L2CAP_CHANNEL_CLOSED", by: "owner" });
  expect([events, channels.channels]).toEqual([[channel.ended], []]);
  await expect(channel.send(Uint8Array.of(1))).rejects.toBe(channel.ended);
  await expect(channel.whenWritable()).rejects.toBe(channel.ended);
  expect([channel.trySend(Uint8Array.of(1)), channel.writable]).toEqual([false, false]);
  expect(await channel.receive()).toBeUndefined();
  receive(0x40, "010001"); // discarded, 4.6
  receive(5, signal(0x16, 9, 0x60, 5));
  expect([channel.available, done, await nextCid(peer)]).toEqual([0, false, 0x41]);
  receive(5, RESPONSE);
  await closing;
  expect(await channel.closed).toBe(channel.ended);
  await channel.close();
  await channel[Symbol.asyncDispose]();
  expect([sent(), events.length, await nextCid(peer)]).toEqual([[], 1, 0x40]);
  expect(clock.pending).toHaveLength(2); // of the two requests
});

test("L2CAP/LE/CFC/BV-09-C: the peer closes; what was received can be taken", async () => {
  const peer = await open();
  const { channel, receive, sent, events, clock } = peer;
  receive(0x40, "010007");
  receive(5, signal(0x06, 9, 0x40, 0x60));
  expect(sent()).toEqual([`5 ${signal(0x07, 9, 0x40, 0x60)}`]);
  expect(channel.ended).toMatchObject({ by: "peer" });
  expect(events).toEqual([channel.ended]);
  expect(await channel.receive()).toEqual(Uint8Array.of(7));
  expect(await channel.receive()).toBeUndefined();
  await channel.close();
  expect([sent(), clock.pending, await nextCid(peer)]).toEqual([[], [], 0x40]);
  receive(5, signal(0x06, 10, 0x40, 0x60)); // once more
  expect(sent()).toEqual([`5 ${signal(0x01, 10, 2, 0x40, 0x60)}`]);
});

test("what waits when the peer closes is told so", async () => {
  const { channel, receive } = await open(0);
  const outcomes = Promise.allSettled([channel.send(Uint8Array.of(1)), channel.receive(), channel[Symbol.asyncIterator]().next()]);
  receive(5, signal(0x06, 9, 0x40, 0x60));
  expect(await outcomes).toEqual([
    { status: "rejected", reason: channel.ended },
    { status: "fulfilled", value: undefined },
    { status: "fulfilled", value: { done: true, value: undefined } },
  ]);
});

test.each<[string, number, number, string[]]>([
  ["a CID that no channel has", 0x41, 0x60, [`5 ${signal(0x01, 9, 2, 0x41, 0x60)}`]],
  ["the CIDs the wrong way round", 0x60, 0x40, [`5 ${signal(0x01, 9, 2, 0x60, 0x40)}`]],
  ["a fixed CID", 0x04, 0x04, [`5 ${signal(0x01, 9, 2, 4, 4)}`]],
  ["another source CID: silently discarded (4.6)", 0x40, 0x61, []],
])("a Disconnection Request with %s closes nothing", async (_name, destinationCid, sourceCid, answers) => {
  const { channel, receive, sent } = await open();
  receive(5, signal(0x06, 9, destinationCid, sourceCid));
  expect([sent(), channel.ended]).toEqual([answers, undefined]);
});

test.each<[string, string]>([
  ["too short", "06 09 0200 4000"],
  ["too long", "06 09 0600 4000 6000 0000"],
])("a Disconnection Request that is %s is not understood", async (_name, pdu) => {
  const { channel, receive, sent } = await open();
  receive(5, pdu);
  expect([sent(), channel.ended]).toEqual([["5 010902000000"], undefined]);
});

test.each<[string, string]>([
  ["another destination CID", signal(0x07, 2, 0x61, 0x40)],
  ["another source CID", signal(0x07, 2, 0x60, 0x41)],
  ["another identifier", signal(0x07, 3, 0x60, 0x40)],
])("a Disconnection Response with %s is discarded (4.7)", async (_name, pdu) => {
  const { channel, receive, clock } = await open();
  let done = false;
  const closing = channel.close().then(() => (done = true));
  receive(5, pdu);
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toBe(false);
  receive(5, RESPONSE);
  await closing;
  expect(clock.pending).toEqual([]);
});

test("the peer knows no such channel: it is closed", async () => {
  const peer = await open();
  const closing = peer.channel.close();
  peer.receive(5, signal(0x01, 2, 2, 0x60, 0x40));
  await closing;
  peer.sent();
  expect(await nextCid(peer)).toBe(0x40);
});

test("RTX: a peer that does not answer is waited for 30 s; the CID is free then", async () => {
  const peer = await open();
  const { channel, clock, sent, receive } = peer;
  const closing = channel.close();
  sent();
  await clock.advance(29_999);
  expect(await nextCid(peer)).toBe(0x41);
  await clock.advance(1);
  await closing;
  expect(await nextCid(peer)).toBe(0x40);
  receive(5, RESPONSE);
  expect(sent()).toEqual([]);
});

test("one's own wait for it may be shorter", async () => {
  const { channel, clock, sent, receive } = await open();
  const outcome = expect(channel.close({ timeoutMs: 10 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "closing a channel" });
  await clock.advance(10);
  await outcome;
  await expect(channel.close({ signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
  expect(sent()).toEqual([REQUEST]);
  receive(5, RESPONSE);
  await channel.close();
});

test("both close at once: each is answered, and the channel is gone", async () => {
  const peer = await open();
  const { channel, receive, sent, clock } = peer;
  const closing = channel.close();
  receive(5, signal(0x06, 9, 0x40, 0x60));
  await closing;
  expect(sent()).toEqual([REQUEST, `5 ${signal(0x07, 9, 0x40, 0x60)}`]);
  expect(channel.ended).toMatchObject({ by: "owner" });
  receive(5, RESPONSE);
  expect([sent(), clock.pending, await nextCid(peer)]).toEqual([[], [], 0x40]);
});

test("what was sent before goes first", async () => {
  const { channel, receive, sent, clock } = await open(1);
  const sending = [channel.send(new Uint8Array(30)), channel.send(Uint8Array.of(5))];
  sent();
  const closing = channel.close();
  await expect(channel.send(Uint8Array.of(6))).rejects.toMatchObject({ by: "owner" });
  expect([sent(), channel.ended, channel.writable]).toEqual([[], undefined, false]);
  receive(0x40, "010007"); // still taken
  receive(5, signal(0x16, 9, 0x60, 5));
  await Promise.all(sending);
  expect(sent()).toEqual(["60 0000", "60 010005", REQUEST]);
  receive(5, RESPONSE);
  await closing;
  expect(await channel.receive()).toEqual(Uint8Array.of(7));
  expect(clock.pending).toEqual([]);
});

test("what was sent before has a second", async () => {
  const { channel, receive, sent, clock } = await open(0);
  const sending = expect(channel.send(Uint8Array.of(5))).rejects.toMatchObject({ by: "owner" });
  const closing = channel.close();
  await clock.advance(999);
  expect(sent()).toEqual([]);
  await clock.advance(1);
  await sending;
  expect(sent()).toEqual([REQUEST]);
  receive(5, RESPONSE);
  await closing;
  expect(clock.pending).toEqual([]);
});

test("the peer closes while what was sent before still waits", async () => {
  const { channel, receive, sent, clock } = await open(0);
  const sending = expect(channel.send(Uint8Array.of(5))).rejects.toMatchObject({ by: "peer" });
  const closing = channel.close();
  receive(5, signal(0x06, 9, 0x40, 0x60));
  await Promise.all([sending, closing]);
  expect([sent(), clock.pending]).toEqual([[`5 ${signal(0x07, 9, 0x40, 0x60)}`], []]);
});

test.each<[string, number]>([
  ["while what was sent before still waits", 0],
  ["while the peer has not answered", 5],
])("the link is lost %s", async (_name, credits) => {
  const { channel, link, clock } = await open(credits);
  const sending = Promise.allSettled([channel.send(Uint8Array.of(5))]);
  const closing = channel.close();
  const reason = new DisconnectedError(0x08);
  link.close(reason);
  await closing;
  await sending;
  expect(await channel.closed).toEqual(credits === 0 ? reason : channel.ended);
  expect(clock.pending).toEqual([]);
});

test("with the link channels are gone; what was received can be taken first", async () => {
  const { channel, channels, link, receive, events } = await open();
  receive(0x40, "010007");
  const reason = new DisconnectedError(0x13);
  link.close(reason);
  expect([channel.ended, events, channels.channels]).toEqual([reason, [reason], []]);
  expect(await channel.receive()).toEqual(Uint8Array.of(7));
  await expect(channel.receive()).rejects.toBe(reason);
  await channel.close();
});

test("a listener that is disposed hears nothing; one that throws harms nobody", async () => {
  const { channel, events, receive } = await open();
  channel.on("closed", () => events.push("other"))[Symbol.dispose]();
  receive(5, signal(0x06, 9, 0x40, 0x60));
  expect(events).toHaveLength(1);
});

test("a peer that answers within the call leaves no timer behind, which would end the next channel with these CIDs", async () => {
  const peer = await open();
  const { channel, channels, receive, controller, clock } = peer;
  const next = controller.transport.onPacket!;
  controller.transport.onPacket = (packet) => {
    next(packet);
    if (packet[7] === 5 && packet[9] === 0x06) receive(5, signal(0x07, packet[10]!, 0x60, 0x40));
  };
  await channel.close();
  expect(clock.pending).toEqual([]);
  controller.transport.onPacket = next;
  const opening = channels.connect(0x80, { mtu: 100, mps: 23 });
  receive(5, signal(0x15, 3, 0x60, 100, 30, 1, 0));
  const another = await opening;
  await clock.advance(60_000);
  expect([another.localCid, another.ended, channels.channels]).toEqual([0x40, undefined, [another]]);
});
