import { expect, test } from "vitest";
import { type L2capPeer, openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { DisconnectedError } from "../../hci/index.ts";
import type { CreditBasedChannel } from "../index.ts";

// Credit Based Reconfigure Request: 0x19, Response: 0x1A.

/** Two enhanced channels, own CIDs 0x40 and 0x41, the peer's 0x60 and 0x61; MTU 100 and MPS 64 both ways, three credits. */
async function open(): Promise<L2capPeer & { first: CreditBasedChannel; second: CreditBasedChannel; events: unknown[] }> {
  const peer = await openL2capPeer();
  const opening = peer.channels.connectSeveral(0x80, { count: 2, mtu: 100, mps: 64, receiveWindow: 3 * 64 });
  peer.receive(5, signal(0x18, 1, 100, 64, 50, 0, 0x60, 0x61));
  const [first, second] = await opening;
  peer.sent();
  const events: unknown[] = [];
  for (const channel of [first!, second!])
    channel.on("reconfigured", (values) => events.push([channel.localCid, values.mtu, values.mps, values.peerMtu, values.peerMps]));
  return { ...peer, first: first!, second: second!, events };
}

test("L2CAP/ECFC: what this side takes grows when the peer has agreed, and credits with it", async () => {
  const { channels, first, second, receive, sent, events, clock } = await open();
  const changing = channels.reconfigure([first, second], { mtu: 1000, mps: 100 });
  expect(sent()).toEqual([`5 ${signal(0x19, 2, 1000, 100, 0x40, 0x41)}`]); // one's own CIDs
  expect(first.mtu).toBe(100);
  receive(5, signal(0x1a, 9, 0));
  receive(5, signal(0x1a, 2, 0));
  await changing;
  expect(first).toMatchObject({ mtu: 1000, mps: 100, peerMtu: 100 });
  // An SDU of 1000 octets takes eleven K-frames.
  expect(sent()).toEqual([`5 ${signal(0x16, 3, 0x40, 8)}`, `5 ${signal(0x16, 4, 0x41, 8)}`]);
  expect(events).toEqual([
    [0x40, 1000, 100, 100, 64],
    [0x41, 1000, 100, 100, 64],
  ]);
  receive(0x40, Uint8Array.from([200, 0, ...new Uint8Array(98)]));
  receive(0x40, new Uint8Array(100));
  receive(0x40, new Uint8Array(2));
  expect((await first.receive())!.length).toBe(200);
  expect(clock.pending).toEqual([]);
});

test("of a single channel the MPS may become less", async () => {
  const { channels, first, second, receive, sent } = await open();
  const bigger = channels.reconfigure([first], { mps: 100 });
  receive(5, signal(0x1a, 2, 0));
  await bigger;
  await expect(channels.reconfigure([first, second], { mps: 99 })).rejects.toThrow("mps: expected a whole number from 100");
  const smaller = channels.reconfigure([first], { mps: 64 });
  expect(sent()).toContain(`5 ${signal(0x19, 3, 100, 64, 0x40)}`);
  receive(5, signal(0x1a, 3, 0));
  await smaller;
  expect(first.mps).toBe(64);
});

test("what is not given is the greatest of the channels", async () => {
  const { channels, first, second, receive, sent } = await open();
  const growing = channels.reconfigure([first], { mtu: 300 });
  receive(5, signal(0x1a, 2, 0));
  await growing;
  sent();
  void channels.reconfigure([first, second], {}).catch(() => undefined);
  expect(sent()).toEqual([`5 ${signal(0x19, 4, 300, 64, 0x40, 0x41)}`]);
});

test.each<[number, string]>([
  [0x0001, "MtuReduced"],
  [0x0002, "MpsOfSeveralReduced"],
  [0x0003, "InvalidDestinationCid"],
  [0x0004, "UnacceptableParameters"],
  [0x0099, "0x0099"],
])("the peer refuses with 0x%s: nothing has changed, and it may be tried again", async (result, resultName) => {
  const { channels, first, receive, events } = await open();
  const changing = channels.reconfigure([first], { mtu: 1000 });
  receive(5, signal(0x1a, 2, result));
  await expect(changing).rejects.toMatchObject({ code: "ERR_L2CAP_REFUSED", request: "reconfiguration", result, resultName, spsm: 0x80 });
  expect([first.mtu, events]).toEqual([100, []]);
  const again = channels.reconfigure([first], { mtu: 1000 });
  receive(5, signal(0x1a, 3, 0));
  await again;
});

test("a peer that does not know it, or does not answer; an answer that comes late counts", async () => {
  const { channels, first, second, receive, clock, sent } = await open();
  const unknown = channels.reconfigure([first], { mtu: 1000 });
  receive(5, signal(0x01, 2, 0));
  await expect(unknown).rejects.toMatchObject({ code: "ERR_L2CAP_COMMAND_REJECTED" });
  const silent = expect(channels.reconfigure([first], { mtu: 1000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 30_000 });
  await clock.advance(30_000);
  await silent;
  await expect(channels.reconfigure([first, second], { mtu: 1000 })).rejects.toMatchObject({ code: "ERR_STATE" });
  sent();
  receive(5, signal(0x1a, 3, 0));
  expect([first.mtu, clock.pending]).toEqual([1000, []]);
});

test("a peer that answers no reconfiguration has not all identifiers in the end: with the channels the requests are given up", async () => {
  const { channels, listeners, receive, sent, clock } = await openL2capPeer();
  const got: CreditBasedChannel[] = [];
  const listener = listeners.listen(0x80, { mtu: 100, mps: 64 });
  listener.onChannel = (channel) => void got.push(channel);
  for (let i = 0; i < 300; i++) {
    receive(5, signal(0x17, 1, 0x80, 64, 64, 1, 0x60));
    const asking = expect(channels.reconfigure([got.at(-1)!], { mtu: 200 }, { timeoutMs: 1000 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
    });
    await clock.advance(1000);
    await asking;
    expect(sent().at(-1)).toMatch(/^5 19/);
    receive(5, signal(0x06, 2, 0x40, 0x60));
    sent();
  }
});

test("the link or the channel goes meanwhile", async () => {
  const { channels, first, second, receive, link } = await open();
  const changing = channels.reconfigure([first, second], { mtu: 1000 });
  receive(5, signal(0x06, 9, 0x40, 0x60));
  receive(5, signal(0x1a, 2, 0));
  await changing;
  expect([first.mtu, second.mtu]).toEqual([100, 1000]);
  await expect(channels.reconfigure([first], { mtu: 2000 })).rejects.toBe(first.ended);
  const lost = channels.reconfigure([second], { mtu: 2000 });
  const reason = new DisconnectedError(0x08);
  link.close(reason);
  await expect(lost).rejects.toBe(reason);
  await expect(channels.reconfigure([second], { mtu: 2000 })).rejects.toBe(reason);
});

test("what may not be asked for is not asked", async () => {
  const { channels, first, second, sent, receive } = await open();
  const other = await open();
  const opening = channels.connect(0x80);
  receive(5, signal(0x15, 2, 0x62, 64, 64, 1, 0));
  const plain = await opening;
  sent();
  for (const [list, to, message] of [
    [[], { mtu: 200 }, "expected an array of 1 to 5 different channels"],
    [[first, first], { mtu: 200 }, "different channels"],
    [[first, second, first, second, first, second], { mtu: 200 }, "1 to 5"],
    [undefined, { mtu: 200 }, "expected an array"],
    [[undefined, null], { mtu: 200 }, "expected channels of this link"],
    [[{ ended: true, mode: "enhanced" }], { mtu: 200 }, "expected channels of this link"],
    [[plain], { mtu: 3000 }, 'expected channels of mode "enhanced", got "credit"'],
    [[other.first], { mtu: 200 }, "expected channels of this link"],
    [[first], { mtu: 99 }, "mtu: expected a whole number from 100 to 65535, got 99"],
    [[first], { mps: 63 }, "mps: expected a whole number from 64"],
    [[first], { mps: 65534 }, "mps"],
    [[first], { window: 1 }, 'unknown option "window"'],
  ] as [never, object, string][])
    await expect(channels.reconfigure(list, to)).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      message: expect.stringContaining(message) as string,
    });
  expect(sent()).toEqual([]);
});

test.each<[string, number[], number]>([
  ["L2CAP/ECFC: both may take more", [200, 100, 0x60, 0x61], 0],
  ["the same once more", [100, 64, 0x60], 0],
  ["L2CAP/ECFC/BI-01-C: a smaller MTU", [99, 64, 0x60], 0x0001],
  ["a smaller MTU than one of them has", [99, 64, 0x60, 0x61], 0x0001],
  ["L2CAP/ECFC/BI-03-C: a CID that no channel has", [100, 64, 0x62], 0x0003],
  ["one CID of several that no channel has", [100, 64, 0x60, 0x62], 0x0003],
  ["this side's CID", [100, 64, 0x40], 0x0003],
  ["CID 0", [100, 64, 0], 0x0003],
  ["a CID twice", [100, 64, 0x60, 0x60], 0x0003],
  ["an MTU below 64", [63, 64, 0x60], 0x0004],
  ["an MPS below 64", [100, 63, 0x60], 0x0004],
  ["an MPS of 65534", [100, 0xfffe, 0x60], 0x0004],
  ["six CIDs", [100, 64, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65], 0x0004],
])("the peer asks: %s", async (_name, values, result) => {
  const { first, receive, sent, events } = await open();
  receive(5, signal(0x19, 9, ...values));
  expect(sent()).toEqual([`5 ${signal(0x1a, 9, result)}`]);
  expect(first).toMatchObject(result === 0 ? { peerMtu: values[0], peerMps: values[1] } : { peerMtu: 100, peerMps: 64 });
  expect(events).toHaveLength(result === 0 ? values.length - 2 : 0);
});

test("64 octets are enough for the peer", async () => {
  const { channels, receive, sent } = await open();
  const opening = channels.connectSeveral(0x80, { count: 1 });
  receive(5, signal(0x18, 2, 64, 64, 1, 0, 0x62));
  const [channel] = await opening;
  sent();
  receive(5, signal(0x19, 9, 64, 64, 0x62));
  expect(sent()).toEqual([`5 ${signal(0x1a, 9, 0)}`]);
  expect(channel).toMatchObject({ peerMtu: 64, peerMps: 64 });
});

test("L2CAP/ECFC/BI-04-C: a smaller MPS for one channel, and not for several", async () => {
  const { first, second, receive, sent } = await open();
  receive(5, signal(0x19, 9, 264, 120, 0x60, 0x61));
  receive(5, signal(0x19, 10, 264, 99, 0x60, 0x61));
  receive(5, signal(0x19, 11, 264, 99, 0x60));
  receive(5, signal(0x19, 12, 264, 100, 0x60, 0x61));
  expect(sent()).toEqual([0, 2, 0, 2].map((result, i) => `5 ${signal(0x1a, 9 + i, result)}`));
  expect([first.peerMps, second.peerMps]).toEqual([99, 120]);
});

test.each<[string, string]>([
  ["without CIDs", signal(0x19, 9, 100, 64)],
  ["with half a CID", "19 09 0500 6400 4000 60"],
  ["without an MPS", "19 09 0200 6400"],
])("a request %s is not understood", async (_name, pdu) => {
  const { receive, sent } = await open();
  receive(5, pdu);
  expect(sent()).toEqual(["5 010902000000"]);
});

test("an LE credit based channel, or one that is being closed, cannot be reconfigured", async () => {
  const { channels, first, receive, sent } = await open();
  const opening = channels.connect(0x80);
  receive(5, signal(0x15, 2, 0x62, 100, 64, 1, 0));
  await opening;
  void first.close();
  sent();
  receive(5, signal(0x19, 9, 100, 64, 0x62));
  receive(5, signal(0x19, 10, 100, 64, 0x60));
  expect(sent()).toEqual([`5 ${signal(0x1a, 9, 3)}`, `5 ${signal(0x1a, 10, 3)}`]);
});

test("K-frames are as long as the peer takes now", async () => {
  const { first, receive, sent } = await open();
  receive(5, signal(0x19, 9, 1000, 64, 0x60));
  receive(5, signal(0x16, 10, 0x60, 0xff00));
  sent();
  await first.send(new Uint8Array(150));
  expect(sent().map((line) => (line.length - 3) / 2)).toEqual([64, 64, 24]);
  receive(5, signal(0x19, 11, 1000, 100, 0x60));
  sent();
  await first.send(new Uint8Array(150));
  expect(sent().map((line) => (line.length - 3) / 2)).toEqual([100, 52]);
});

test("the peer takes shorter K-frames in the middle of an SDU", async () => {
  const { first, receive, sent, channels } = await open();
  receive(5, signal(0x19, 9, 1000, 200, 0x60));
  const blocked = channels.connectSeveral(0x80, { count: 1 });
  receive(5, signal(0x18, 2, 1000, 200, 1, 0, 0x62));
  const [channel] = await blocked;
  sent();
  const sending = channel!.send(new Uint8Array(500));
  receive(5, signal(0x19, 10, 1000, 64, 0x62));
  receive(5, signal(0x16, 11, 0x62, 50));
  await sending;
  expect(
    sent()
      .filter((line) => line.startsWith("62"))
      .map((line) => (line.length - 3) / 2),
  ).toEqual([200, 64, 64, 64, 64, 46]);
  expect(first.peerMps).toBe(200);
});
