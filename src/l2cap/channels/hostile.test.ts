import fc from "fast-check";
import { expect, test } from "vitest";
import { openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { toHex } from "../../bytes/index.ts";
import { DisconnectedError } from "../../hci/index.ts";

// A peer that sends what it likes. Whatever it is: nothing is thrown, nothing grows, and the link goes on.

const code = fc.constantFrom(0x01, 0x06, 0x07, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a);
const cid = fc.oneof(
  fc.integer({ min: 0x3e, max: 0x46 }),
  fc.integer({ min: 0x5f, max: 0x63 }),
  fc.constantFrom(0, 4, 5, 0x7f, 0x80, 0xffff),
);
const word = fc.oneof(cid, fc.constantFrom(0, 1, 2, 0x17, 0x40, 0x80, 0x81, 0x100, 0xfffd, 0xfffe, 0xffff), fc.nat(0xffff));
/** Signalling packets that look right, and some that do not. */
const signalling = fc
  .record({
    code,
    identifier: fc.nat(8),
    values: fc.array(word, { maxLength: 9 }),
    odd: fc.boolean(),
    lie: fc.constantFrom(0, 0, 0, 0, 1, -1),
  })
  .map((packet) => {
    const { identifier, values, odd, lie } = packet;
    const length = Math.max(0, values.length * 2 + (odd ? 1 : 0) + lie);
    return {
      channel: 5,
      pdu: Uint8Array.of(packet.code, identifier, length, 0, ...values.flatMap((value) => [value & 0xff, value >> 8]), ...(odd ? [7] : [])),
    };
  });
const frame = fc.record({ channel: cid, pdu: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 3 })) });

test("random packets are answered or dropped, never thrown, and everything is settled when the link goes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(signalling, signalling, frame), { minLength: 1, maxLength: 60 }), async (packets) => {
      const { channels, listeners, receive, sent, link, clock, hci } = await openL2capPeer();
      const listener = listeners.listen(0x80, { mtu: 100, mps: 64 });
      listener.onChannel = (channel) => {
        channel.onSdu = (sdu) => void channel.trySend(sdu.subarray(0, channel.peerMtu));
      };
      const waits: Promise<unknown>[] = [channels.connect(0x80), channels.connectSeveral(0x80, { count: 3 })];
      receive(5, signal(0x14, 1, 0x80, 0x60, 100, 30, 5));
      receive(5, signal(0x17, 2, 0x80, 100, 64, 5, 0x61, 0x62));
      for (const channel of channels.channels.slice(1)) waits.push(channel.receive(), channel.send(new Uint8Array(90)));
      sent();
      for (const { channel, pdu } of packets) {
        receive(channel, pdu);
        const answers = sent().filter((line) => line.startsWith("5 ") && !/^5 (06|16|14|17)/.test(line));
        if (channel === 5) for (const answer of answers) expect(answer.slice(4, 6)).toBe(toHex(pdu.subarray(1, 2)));
        else expect(answers).toEqual([]);
        expect(answers.length).toBeLessThanOrEqual(1);
      }
      expect(channels.channels.length).toBeLessThanOrEqual(64);
      const reason = new DisconnectedError(0x08);
      link.close(reason);
      await Promise.allSettled([...waits, ...channels.channels.map(({ closed }) => closed)]);
      expect([clock.pending, channels.channels, listener.channels, hci.acl.freePackets]).toEqual([[], [], [], 64]);
    }),
    { numRuns: 15 },
  );
});

test("a peer that opens and closes channels for ever leaves nothing behind", async () => {
  const { receive, sent, channels, listeners, clock } = await openL2capPeer();
  const listener = listeners.listen(0x80, { mtu: 100, mps: 64 });
  let count = 0;
  listener.onChannel = () => void count++;
  for (let i = 0; i < 300; i++) {
    receive(5, signal(0x14, 1 + (i % 255), 0x80, 0x40 + (i % 64), 100, 30, 5));
    receive(0x40, "0500 0102");
    receive(5, signal(0x06, 1 + (i % 255), 0x40, 0x40 + (i % 64)));
    sent();
  }
  expect([count, channels.channels, listener.channels, clock.pending]).toEqual([300, [], [], []]);
});

test("a peer that opens channels and says nothing costs no more than their windows; each K-frame without a credit costs it the channel", async () => {
  const { receive, sent, channels, listeners } = await openL2capPeer();
  listeners.listen(0x80, { mtu: 100, mps: 64, receiveWindow: 256, backlog: 64 });
  for (let i = 0; i < 64; i++) receive(5, signal(0x14, 1 + i, 0x80, 0x40 + i, 100, 64, 5));
  sent();
  for (let n = 0; n < 4; n++) for (let i = 0; i < 64; i++) receive(0x40 + i, "0100aa");
  expect(channels.channels.every(({ available }) => available === 4)).toBe(true);
  expect(sent()).toEqual([]); // no credits for what nobody reads
  for (let i = 0; i < 64; i++) receive(0x40 + i, "0100aa");
  expect(channels.channels).toEqual([]);
  expect(sent()).toHaveLength(64);
});

test("K-frames for channels that are being decided on, opened or closed are dropped", async () => {
  const { receive, sent, channels, listeners, log } = await openL2capPeer();
  listeners.listen(0x80, { accept: () => new Promise<boolean>(() => undefined) });
  listeners.listen(0x90);
  void channels.connect(0x80).catch(() => undefined);
  receive(5, signal(0x14, 1, 0x80, 0x60, 100, 64, 5));
  sent();
  receive(5, signal(0x14, 9, 0x90, 0x62, 100, 64, 5));
  receive(0x42, "0100aa"); // of a channel that is open: not one of them
  sent();
  for (const own of [0x40, 0x41, 0x43, 0x7f]) receive(own, "0100aa");
  receive(5, signal(0x16, 2, 0x60, 9));
  receive(5, signal(0x06, 3, 0x41, 0x60));
  expect(sent()).toEqual([`5 ${signal(0x01, 3, 2, 0x41, 0x60)}`]);
  expect(log.filter((line) => line.includes("unknown channel"))).toHaveLength(4);
});
