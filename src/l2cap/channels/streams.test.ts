import { expect, test } from "vitest";
import { type L2capPeer, openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { DisconnectedError } from "../../hci/index.ts";
import type { CreditBasedChannel } from "../index.ts";

async function open(credits = 100): Promise<L2capPeer & { channel: CreditBasedChannel }> {
  const peer = await openL2capPeer();
  const opening = peer.channels.connect(0x80, { mtu: 23, mps: 23, receiveWindow: 2 * 25 });
  peer.receive(5, signal(0x15, 1, 0x60, 30, 40, credits, 0));
  const channel = await opening;
  peer.sent();
  return { ...peer, channel };
}
const range = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => first + i);

test("what is written is cut into SDUs as long as the peer takes", async () => {
  const { channel, sent } = await open();
  const writer = channel.streams().writable.getWriter();
  await writer.write(range(70));
  await writer.write(new Uint8Array(0));
  expect(sent().map((line) => (line.length - 3) / 2 - 2)).toEqual([30, 30, 10]);
});

test("who writes waits for credits, and the stream takes no more than one chunk ahead", async () => {
  const { channel, sent, receive } = await open(1);
  const writer = channel.streams().writable.getWriter();
  void writer.write(range(31));
  expect(writer.desiredSize).toBe(0);
  await expect.poll(() => channel.waiting).toBe(1);
  expect(sent()).toHaveLength(1);
  receive(5, signal(0x16, 9, 0x60, 5));
  await writer.ready;
  expect(sent()).toHaveLength(1);
});

test("what is read has no boundaries and no empty chunks; credits go back when it is read", async () => {
  const { channel, receive, sent } = await open();
  const reader = channel.streams().readable.getReader();
  receive(0x40, "0000");
  receive(0x40, "0200 0102");
  receive(0x40, "0100 03");
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent()).toEqual([]);
  expect(await reader.read()).toEqual({ done: false, value: Uint8Array.of(1, 2) });
  expect(await reader.read()).toEqual({ done: false, value: Uint8Array.of(3) });
  expect(sent()).toEqual([2, 3, 4].map((identifier) => `5 ${signal(0x16, identifier, 0x40, 1)}`));
  receive(5, signal(0x06, 9, 0x40, 0x60));
  expect(await reader.read()).toEqual({ done: true, value: undefined });
});

test("closing the writable side sends what was written, then closes the channel", async () => {
  const { channel, receive, sent } = await open(1);
  const { writable, readable } = channel.streams();
  const writer = writable.getWriter();
  const writing = writer.write(range(40));
  const closing = writer.close();
  await expect.poll(() => sent().length).toBe(1);
  receive(5, signal(0x16, 9, 0x60, 5));
  await writing;
  await expect.poll(() => sent()).toContain(`5 ${signal(0x06, 2, 0x60, 0x40)}`);
  receive(5, signal(0x07, 2, 0x60, 0x40));
  await closing;
  await writer.closed;
  expect(await readable.getReader().read()).toEqual({ done: true, value: undefined });
});

test.each<[string, (channel: CreditBasedChannel) => Promise<void>]>([
  ["cancelling the readable", (channel) => channel.streams().readable.cancel()],
  ["aborting the writable", (channel) => channel.streams().writable.abort(new Error("enough"))],
])("%s closes the channel", async (_name, act) => {
  const { channel, receive, sent } = await open();
  const acting = act(channel);
  await expect.poll(() => sent()).toEqual([`5 ${signal(0x06, 2, 0x60, 0x40)}`]);
  receive(5, signal(0x07, 2, 0x60, 0x40));
  await acting;
  expect(channel.ended).toMatchObject({ by: "owner" });
});

test("a writer that writes nothing hears of the end too", async () => {
  const { channel, receive } = await open();
  const writer = channel.streams().writable.getWriter();
  const closed = expect(writer.closed).rejects.toMatchObject({ by: "peer" });
  receive(5, signal(0x06, 9, 0x40, 0x60));
  await closed;
});

test("the end of the channel ends both sides: the peer's as an end of the data, a lost link as an error", async () => {
  const reason = new DisconnectedError(0x08);
  for (const by of ["peer", "link"]) {
    const { channel, receive, link } = await open(0);
    const { readable, writable } = channel.streams();
    const reader = readable.getReader();
    const writer = writable.getWriter();
    const outcomes = Promise.allSettled([reader.read(), writer.write(range(5)), writer.closed]);
    await expect.poll(() => channel.waiting).toBe(1);
    if (by === "peer") receive(5, signal(0x06, 9, 0x40, 0x60));
    else link.close(reason);
    expect((await outcomes).map((outcome) => (outcome.status === "fulfilled" ? outcome.value : outcome.reason) as unknown)).toEqual(
      by === "peer" ? [{ done: true, value: undefined }, channel.ended, channel.ended] : [reason, reason, reason],
    );
  }
});

test.each<[string, (channel: CreditBasedChannel) => Promise<void>]>([
  ["cancels the readable", (channel) => channel.streams().readable.cancel()],
  [
    "leaves a loop over the readable",
    async (channel) => {
      for await (const _chunk of channel.streams().readable) break;
    },
  ],
  ["aborts the writable", (channel) => channel.streams().writable.abort()],
  [
    "aborts the writable with chunks under way, for which the peer gives no credits",
    async (channel) => {
      const writer = channel.streams().writable.getWriter();
      const outcomes = Promise.allSettled([writer.write(range(70)), writer.write(range(1)), writer.closed]);
      await expect.poll(() => channel.waiting).toBe(1);
      await writer.abort(new Error("enough"));
      expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    },
  ],
])("who %s does not wait for the peer", async (_name, act) => {
  const { channel, receive, clock } = await open(0);
  receive(0x40, "0100 01");
  await act(channel);
  await clock.advance(1000);
  expect(channel.ended).toMatchObject({ by: "owner" });
});

test("cancelling the readable ends the writable, though nobody writes", async () => {
  const { channel } = await open();
  const { readable, writable } = channel.streams();
  const { closed } = writable.getWriter();
  await Promise.all([expect(closed).rejects.toMatchObject({ by: "owner" }), readable.cancel()]);
});

test.each<[string, number]>([
  ["that reads nothing", 0],
  ["that reads what was received before", 2],
])("a reader %s hears of the end too", async (_name, sdus) => {
  const reason = new DisconnectedError(0x08);
  for (const by of ["peer", "link"]) {
    const { channel, receive, link } = await open();
    const reader = channel.streams().readable.getReader();
    let isClosed = false;
    const closed = reader.closed.finally(() => (isClosed = true));
    for (let i = 0; i < sdus; i++) receive(0x40, "0100 01");
    if (by === "peer") receive(5, signal(0x06, 9, 0x40, 0x60));
    else link.close(reason);
    for (let i = 0; i < sdus; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(isClosed).toBe(false);
      expect((await reader.read()).value).toEqual(Uint8Array.of(1));
    }
    if (by === "peer") await closed;
    else await expect(closed).rejects.toBe(reason);
  }
});

test.each<[unknown]>([["text"], [5], [new ArrayBuffer(4)], [new DataView(new ArrayBuffer(4))], [Uint16Array.of(1)], [null]])(
  "a chunk that is no Uint8Array (%o) is an error, not nothing",
  async (chunk) => {
    const { channel, sent } = await open();
    const writer = channel.streams().writable.getWriter();
    const closed = expect(writer.closed).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(writer.write(chunk as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await closed;
    expect(sent()).toEqual([]);
  },
);
