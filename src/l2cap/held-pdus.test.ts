import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { HeldPdus } from "./held-pdus.ts";

function create() {
  const clock = new VirtualClock({ auto: false });
  const got: number[] = [];
  const held = new HeldPdus(clock, (pdu) => got.push(pdu[0]!));
  /** A PDU arrives; what need not wait is delivered by the caller. */
  const arrive = (first: number, length = 1): void => {
    const pdu = new Uint8Array(length + 2).fill(first);
    if (!held.hold(pdu, 1, 1 + length)) got.push(first);
  };
  return { clock, held, got, arrive };
}

test("nothing waits while no event is expected", () => {
  const { held, got, arrive, clock } = create();
  expect(held.isActive).toBe(false);
  arrive(1);
  expect([got, held.isActive, clock.pending]).toEqual([[1], false, []]);
});

test("what comes before the event waits for it, and is delivered with it in order", () => {
  const { held, got, arrive, clock } = create();
  held.expect();
  expect(held.isActive).toBe(true);
  arrive(1);
  arrive(2);
  expect(got).toEqual([]);
  held.release();
  arrive(3);
  expect([got, held.isActive, clock.pending]).toEqual([[1, 2, 3], false, []]);
});

test("each waits for 20 ms at most, and those behind it as long as they must", async () => {
  const { held, got, arrive, clock } = create();
  held.expect();
  arrive(1);
  await clock.advance(15);
  arrive(2);
  await clock.advance(4.9);
  expect(got).toEqual([]);
  await clock.advance(0.1);
  expect(got).toEqual([1]);
  await clock.advance(14.9);
  expect(got).toEqual([1]);
  await clock.advance(0.1);
  expect([got, clock.pending]).toEqual([[1, 2], []]);
  arrive(3); // the event is still expected
  expect(got).toEqual([1, 2]);
  held.release();
  expect(got).toEqual([1, 2, 3]);
});

test("octets are kept as they came, whatever becomes of the packet", () => {
  const clock = new VirtualClock({ auto: false });
  const got: number[][] = [];
  const held = new HeldPdus(clock, (pdu) => got.push([...pdu]));
  held.expect();
  const packet = Uint8Array.of(9, 1, 2, 9);
  held.hold(packet, 1, 3);
  packet.fill(0);
  held.release();
  expect(got).toEqual([[1, 2]]);
});

test("with more than 32, or more than 8 KiB, all is delivered, in order", () => {
  const many = create();
  many.held.expect();
  for (let i = 0; i < 33; i++) many.arrive(i);
  expect(many.got).toEqual(Array.from({ length: 33 }, (_, i) => i));
  expect(many.clock.pending).toEqual([]);
  const large = create();
  large.held.expect();
  large.arrive(1, 8000);
  large.arrive(2, 192);
  expect(large.got).toEqual([]);
  large.arrive(3, 1);
  expect(large.got).toEqual([1, 2, 3]);
  large.arrive(4, 8192); // and there is room again
  expect(large.got).toEqual([1, 2, 3]);
});

test("an event that does not come is not expected for ever", async () => {
  const { held, got, arrive, clock } = create();
  held.expect();
  await clock.advance(45_000);
  arrive(1);
  expect(got).toEqual([]);
  await clock.advance(20);
  expect(got).toEqual([1]);
  arrive(2);
  expect([got, held.isActive]).toEqual([[1, 2], false]);
});

test("what arrives while PDUs are delivered comes after them", () => {
  const clock = new VirtualClock({ auto: false });
  const got: number[] = [];
  const held: HeldPdus = new HeldPdus(clock, (pdu) => {
    got.push(pdu[0]!);
    if (pdu[0] === 1) held.hold(Uint8Array.of(3), 0, 1);
  });
  held.expect();
  held.hold(Uint8Array.of(1), 0, 1);
  held.hold(Uint8Array.of(2), 0, 1);
  held.release();
  expect([got, clock.pending]).toEqual([[1, 2, 3], []]);
});

test("with the link all is gone, timer included", () => {
  const { held, got, arrive, clock } = create();
  held.expect();
  arrive(1);
  held.clear();
  held.release();
  expect([got, held.isActive, clock.pending]).toEqual([[], false, []]);
  held.expect();
  arrive(2, 8192); // nothing is counted that is not there
  expect(got).toEqual([]);
  held.clear();
});
