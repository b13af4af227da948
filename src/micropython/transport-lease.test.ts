import { expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { type HciTransport, TransportClosed } from "../hci/index.ts";
import { TransportLease } from "./transport-lease.ts";

class FakeTransport implements HciTransport {
  readonly info = { spec: "fake", address: "00:11:22:33:44:55" };
  onPacket: ((packet: Uint8Array) => void) | undefined;
  onClose: ((reason: TransportClosed) => void) | undefined;
  onWritable: (() => void) | undefined;
  writable = true;
  readonly sent: string[] = [];
  disposals = 0;
  send(packet: Uint8Array): void {
    this.sent.push(toHex(packet));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposals++;
  }
}

function create(isKept: boolean) {
  const transport = new FakeTransport();
  const lease = new TransportLease(transport, { isKept });
  const received: string[] = [];
  lease.onPacket = (packet) => void received.push(toHex(packet));
  return { transport, lease, received };
}

const RESET = fromHex("01030c00");
const RESET_DONE = fromHex("040e0401030c00");

test("passes everything on both ways", () => {
  const { transport, lease, received } = create(true);
  const told: unknown[] = [];
  lease.onClose = (reason) => void told.push(reason);
  lease.onWritable = () => void told.push("writable");
  lease.send(fromHex("0200"));
  transport.onPacket!(fromHex("0401"));
  transport.onClose!(new TransportClosed("gone"));
  transport.onWritable!();
  expect([transport.sent, received, lease.info.spec, lease.writable]).toEqual([["0200"], ["0401"], "fake", true]);
  expect(told).toEqual([new TransportClosed("gone"), "writable"]);
  expect([lease.onClose, lease.onWritable]).toEqual([transport.onClose, transport.onWritable]);
  expect(lease.onClose).toBeTypeOf("function");
  transport.writable = false;
  expect(lease.writable).toBe(false);
  lease.onPacket = undefined;
  expect([lease.onPacket, transport.onPacket]).toEqual([undefined, undefined]);
});

test.each([
  [true, 0],
  [false, 1],
])("when it is over nothing passes any more (kept: %s)", async (isKept, disposals) => {
  const { transport, lease, received } = create(isKept);
  lease.onClose = () => void received.push("closed");
  lease.onWritable = () => void received.push("writable");
  await lease[Symbol.asyncDispose]();
  await lease[Symbol.asyncDispose]();
  expect([transport.disposals, transport.onClose, transport.onWritable]).toEqual([disposals, undefined, undefined]);
  lease.send(fromHex("0200"));
  // What comes late from one that is kept is nobody's, and does not wait for the next either.
  transport.onPacket?.(fromHex("0401"));
  lease.onPacket = () => void received.push("late");
  lease.onClose = () => void received.push("late");
  lease.onWritable = () => void received.push("late");
  transport.onPacket?.(fromHex("0401"));
  expect([transport.sent, received, transport.onClose, transport.onWritable]).toEqual([[], [], undefined, undefined]);
});

test.each<[string, string[], boolean]>([
  ["after its answer", ["040e0401030c00"], true],
  ["before its answer", [], false],
  ["after a refusal", ["040e0401030c0c"], false],
  ["after the answer to another command", ["040e0401091000"], false],
  ["after the answer to another command of the same group", ["040e0401010c00"], false],
  ["after another event", ["040f0401030c00", "02000000030c00"], false],
])("a Reset is confirmed: %s", (_when, packets, isReset) => {
  const { transport, lease } = create(true);
  lease.send(fromHex("01010c08ffffffffffffffff"));
  lease.send(RESET);
  for (const packet of packets) transport.onPacket!(fromHex(packet));
  expect(lease.isReset).toBe(isReset);
});

test("what follows a Reset, and an answer that nobody waits for, make it no longer the last word", () => {
  const { transport, lease } = create(true);
  transport.onPacket!(RESET_DONE);
  expect(lease.isReset).toBe(false);
  lease.send(RESET);
  lease.send(fromHex("0200")); // data are no command
  transport.onPacket!(RESET_DONE);
  expect(lease.isReset).toBe(true);
  lease.send(fromHex("01091000"));
  expect(lease.isReset).toBe(false);
  transport.onPacket!(RESET_DONE);
  expect(lease.isReset).toBe(false);
});
