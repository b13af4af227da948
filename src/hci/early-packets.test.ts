import { expect, test } from "vitest";
import { openScriptedHci } from "../../test/support/scripted-hci.ts";
import { Address } from "../core/index.ts";
import { DisconnectionComplete, encodeEvent, LeAdvertisingReport, LeConnectionComplete } from "./index.ts";

const connectionComplete = (connectionHandle: number): Uint8Array =>
  encodeEvent(LeConnectionComplete, {
    status: 0,
    connectionHandle,
    role: 1,
    peerAddress: Address.from("00:00:00:00:00:01"),
    connectionInterval: 24,
    peripheralLatency: 0,
    supervisionTimeout: 400,
    centralClockAccuracy: 0,
  });
const disconnectionComplete = (connectionHandle: number): Uint8Array =>
  encodeEvent(DisconnectionComplete, { status: 0, connectionHandle, reason: 0x13 });
/** A PDU of three octets on channel 4, the last of them `mark`. */
const data = (handle: number, mark: number): Uint8Array =>
  Uint8Array.of(2, handle & 0xff, (handle >> 8) | 0x20, 7, 0, 3, 0, 4, 0, 0x02, 0xf7, mark);

/** A host that opens a link at the event of a connection, as the device does, and keeps what arrives. */
async function open() {
  const opened = await openScriptedHci();
  const { hci } = opened;
  const got: string[] = [];
  let count = 0;
  hci.on(LeConnectionComplete, ({ connectionHandle }) => {
    const link = hci.acl.open(connectionHandle);
    const name = `link ${++count}`;
    got.push(`${name} is set up`);
    link.onPdu = (bytes, _offset, end) => got.push(`${name}: ${bytes[end - 1]}`);
    link.onClose = () => got.push(`${name} is gone`);
  });
  return { ...opened, got };
}

test("data that overtakes the event of its connection is delivered after that, in order", async () => {
  const { controller, got } = await open();
  controller.send(data(1, 10), data(1, 11), connectionComplete(1), data(1, 12));
  expect(got).toEqual(["link 1 is set up", "link 1: 10", "link 1: 11", "link 1: 12"]);
});

test("so is a PDU in fragments, some of them before the event and some after it", async () => {
  const { controller, got } = await open();
  const whole = data(1, 10);
  const fragment = (from: number, to: number, boundary: number): Uint8Array =>
    Uint8Array.of(2, 1, boundary, to - from, 0, ...whole.subarray(from, to));
  controller.send(fragment(5, 7, 0x20), fragment(7, 10, 0x10), connectionComplete(1), fragment(10, 12, 0x10));
  expect(got).toEqual(["link 1 is set up", "link 1: 10"]);
});

test("data of another connection keeps waiting", async () => {
  const { controller, got } = await open();
  controller.send(data(1, 10), data(2, 20), connectionComplete(1), connectionComplete(2));
  expect(got).toEqual(["link 1 is set up", "link 1: 10", "link 2 is set up", "link 2: 20"]);
});

test("data for a link that is opened otherwise than in the event's handler comes in the next microtask, before newer data", async () => {
  const { hci, controller } = await openScriptedHci();
  const got: number[] = [];
  const listen = (handle: number): void => {
    hci.acl.open(handle).onPdu = (bytes, _offset, end) => got.push(bytes[end - 1]!);
  };
  controller.send(data(1, 10), data(2, 20));
  listen(1);
  expect(got).toEqual([]);
  controller.send(data(1, 11));
  expect(got).toEqual([10, 11]);
  listen(2);
  await Promise.resolve();
  expect(got).toEqual([10, 11, 20]);
});

test("it waits for 100 ms and no longer", async () => {
  const { controller, got, clock } = await open();
  controller.send(data(1, 10), data(2, 20));
  await clock.advance(100);
  controller.send(connectionComplete(1));
  await clock.advance(0.1);
  controller.send(connectionComplete(2));
  expect(got).toEqual(["link 1 is set up", "link 1: 10", "link 2 is set up"]);
  expect(clock.pending).toEqual([]); // no timer is needed for it
});

test("what is kept is bounded: 32 packets, 8 KiB; what comes later is dropped", async () => {
  const few = await open();
  for (let i = 0; i < 40; i++) few.controller.send(data(1, i));
  few.controller.send(connectionComplete(1));
  expect(few.got).toHaveLength(1 + 32);
  expect(few.got.at(-1)).toBe("link 1: 31");

  const large = await open();
  const packet = (mark: number): Uint8Array => {
    const octets = new Uint8Array(5 + 1000);
    octets.set([2, 1, 0x20, 1000 & 0xff, 1000 >> 8, 996 & 0xff, 996 >> 8, 4, 0]);
    octets[1004] = mark;
    return octets;
  };
  for (let i = 0; i < 10; i++) large.controller.send(packet(i));
  large.controller.send(data(1, 99)); // which has room
  large.controller.send(connectionComplete(1));
  expect(large.got).toEqual(["link 1 is set up", ...Array.from({ length: 8 }, (_, i) => `link 1: ${i}`), "link 1: 99"]);
  // There is room again for the next.
  for (let i = 0; i < 8; i++) large.controller.send(Uint8Array.of(2, 2, ...packet(i).subarray(2)));
  large.controller.send(connectionComplete(2));
  expect(large.got.filter((line) => line.startsWith("link 2:"))).toHaveLength(8);
});

test("octets are kept as they came, whatever becomes of the buffer of the transport", async () => {
  const { controller, got } = await open();
  const packet = data(1, 10);
  controller.send(packet);
  packet.fill(0xff);
  controller.send(connectionComplete(1));
  expect(got.at(-1)).toBe("link 1: 10");
});

test("data of an old connection does not reach a new one of the same handle", async () => {
  const { controller, got, clock } = await open();
  controller.send(connectionComplete(1), data(1, 10), disconnectionComplete(1));
  controller.send(data(1, 11)); // of the old one, overtaken by its end
  await clock.advance(20);
  controller.send(data(1, 12));
  await clock.advance(0.1);
  controller.send(data(1, 20)); // of the new one, by now
  controller.send(connectionComplete(1), data(1, 21));
  expect(got).toEqual(["link 1 is set up", "link 1: 10", "link 1 is gone", "link 2 is set up", "link 2: 20", "link 2: 21"]);
});

test("neither does what was kept for a connection whose end is told first", async () => {
  const { controller, got } = await open();
  controller.send(data(1, 10), data(2, 20), disconnectionComplete(1), connectionComplete(1), connectionComplete(2));
  expect(got).toEqual(["link 1 is set up", "link 2 is set up", "link 2: 20"]);
});

test("a new connection's data in order is delivered however soon it comes", async () => {
  const { controller, got } = await open();
  controller.send(connectionComplete(1), disconnectionComplete(1), connectionComplete(1), data(1, 20));
  expect(got.at(-1)).toBe("link 2: 20");
});

test("a disconnection that failed frees nothing", async () => {
  const { controller, got } = await open();
  controller.send(encodeEvent(DisconnectionComplete, { status: 0x0c, connectionHandle: 1, reason: 0 }));
  controller.send(data(1, 10), connectionComplete(1));
  expect(got.at(-1)).toBe("link 1: 10");
});

test("other events deliver nothing, and nothing outlives a reset", async () => {
  const { hci, controller, got } = await open();
  controller.send(data(1, 10), encodeEvent(LeAdvertisingReport, { reports: [] }));
  expect(got).toEqual([]);
  await hci.reset();
  controller.send(connectionComplete(1));
  expect(got).toEqual(["link 1 is set up"]);
});
