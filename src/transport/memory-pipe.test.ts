import { expect, test } from "vitest";
import { createTransportPair } from "./memory-pipe.ts";

const packet = (value: number): Uint8Array => Uint8Array.of(4, 0xff, 1, value);

test("a packet arrives before send returns, the very same bytes", () => {
  const [host, controller] = createTransportPair();
  const got: Uint8Array[] = [];
  controller.onPacket = (bytes) => got.push(bytes);
  const sent = packet(1);
  host.send(sent);
  expect(got[0]).toBe(sent);
});

test("packets that come before onPacket is set are delivered when it is, in order", () => {
  const [host, controller] = createTransportPair();
  for (let i = 0; i < 3; i++) host.send(packet(i));
  const got: number[] = [];
  controller.onPacket = (bytes) => {
    got.push(bytes[3]!);
    if (bytes[3] === 0) host.send(packet(9));
  };
  host.send(packet(3));
  expect(got).toEqual([0, 1, 2, 9, 3]);
});

test("a packet never arrives inside the delivery of another one to the same side", () => {
  const [host, controller] = createTransportPair();
  let depth = 0;
  let deepest = 0;
  const got: number[] = [];
  controller.onPacket = (bytes) => {
    deepest = Math.max(deepest, ++depth);
    got.push(bytes[3]!);
    if (bytes[3]! < 5) controller.send(packet(bytes[3]! + 1));
    depth--;
  };
  host.onPacket = (bytes) => host.send(bytes);
  host.send(packet(0));
  expect(got).toEqual([0, 1, 2, 3, 4, 5]);
  expect(deepest).toBe(1);
});

test("closing one end tells the other once, after what was sent before; nothing moves afterwards", async () => {
  const [host, controller] = createTransportPair({ spec: "sim:" });
  const log: unknown[] = [];
  host.onPacket = (bytes) => {
    log.push(bytes[3]);
    if (bytes[3] === 0) {
      controller.send(packet(1)); // waits, since the host is busy
      void controller[Symbol.asyncDispose]();
    }
  };
  host.onClose = (reason) => log.push(reason.code, reason.message);
  controller.onClose = () => log.push("never");
  controller.send(packet(0));
  expect(log).toEqual([0, 1, "ERR_TRANSPORT_CLOSED", `transport "sim:" was closed by the other side`]);
  controller.send(packet(2));
  host.send(packet(3));
  await host[Symbol.asyncDispose]();
  expect(log).toHaveLength(4);
});

test("an end that comes before onClose is set is told when it is", async () => {
  const [host, controller] = createTransportPair();
  await controller[Symbol.asyncDispose]();
  let told = 0;
  host.onClose = () => told++;
  host.onClose = () => told++;
  expect(told).toBe(1);
});

test("a side that closes hears nothing more", async () => {
  const [host, controller] = createTransportPair();
  const log: string[] = [];
  host.onPacket = () => log.push("packet");
  host.onClose = () => log.push("close");
  await host[Symbol.asyncDispose]();
  controller.send(packet(0));
  await controller[Symbol.asyncDispose]();
  expect(log).toEqual([]);
});

test("a sender is told to wait while nobody reads, and an unread pipe ends instead of growing", () => {
  const [host, controller] = createTransportPair();
  for (let i = 0; i < 1024; i++) host.send(packet(0));
  expect(host.writable).toBe(false);
  let writable = 0;
  let got = 0;
  host.onWritable = () => writable++;
  controller.onPacket = () => got++;
  expect(host.writable).toBe(true);
  expect(writable).toBe(1);
  expect(got).toBe(1024);

  controller.onPacket = undefined;
  const ends: string[] = [];
  host.onClose = () => ends.push("host");
  controller.onClose = (reason) => ends.push(reason.message);
  for (let i = 0; i < 4097; i++) host.send(packet(0));
  expect(ends).toEqual(["host", `transport "memory:" ended: 4096 packets came and nobody read them`]);
});

test("a receiver's exception stays its own: the packets behind it still arrive and the sender does not see it", async () => {
  const [host, controller] = createTransportPair();
  const uncaught: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => uncaught.push(error));
  let got = 0;
  controller.onPacket = () => {
    if (got++ === 0) throw new Error("receiver");
  };
  host.send(packet(0));
  host.send(packet(1));
  await new Promise((resolve) => setImmediate(resolve));
  for (const listener of listeners) process.on("uncaughtException", listener);
  expect(got).toBe(2);
  expect(uncaught).toEqual([new Error("receiver")]);
});
