import { expect, test } from "vitest";
import { ChannelBuffer } from "./channel-buffer.ts";
import type { IrqResult } from "./event-queue.ts";

function bufferWith(tell: (buffer: ChannelBuffer) => IrqResult | Promise<IrqResult> = () => undefined) {
  const consumed: number[] = [];
  const buffer: ChannelBuffer = new ChannelBuffer({ consumed: (sdus) => void consumed.push(sdus), tell: () => tell(buffer) });
  return { buffer, consumed };
}

const read = (buffer: ChannelBuffer, length: number): number[] => {
  const into = new Uint8Array(length);
  return [...into.subarray(0, buffer.read(into))];
};

test("SDUs are one stream of octets, in portions of any length", () => {
  const { buffer, consumed } = bufferWith();
  buffer.push(Uint8Array.of(1, 2, 3));
  buffer.push(Uint8Array.of(4, 5));
  expect(buffer.available).toBe(5);
  expect(read(buffer, 2)).toEqual([1, 2]);
  expect(read(buffer, 0)).toEqual([]);
  expect(buffer.available).toBe(3);
  expect(consumed).toEqual([]);
  expect(read(buffer, 10)).toEqual([3, 4, 5]);
  expect(consumed).toEqual([2]);
  expect(read(buffer, 10)).toEqual([]);
  expect(consumed).toEqual([2]);
});

test("what a handler reads makes room when it is done, and once", async () => {
  for (const isAsync of [false, true]) {
    const during: number[][] = [];
    const { buffer, consumed } = bufferWith((own) => {
      read(own, 9);
      during.push([...consumed]);
      return isAsync ? Promise.resolve(undefined) : undefined;
    });
    buffer.push(Uint8Array.of(1));
    if (isAsync) expect(consumed).toEqual([]);
    await Promise.resolve();
    await Promise.resolve();
    expect(consumed).toEqual([1]);
    expect(during).toEqual([[]]);
  }
});

test("several handlers that are waited for: room is made after the last", async () => {
  const done: (() => void)[] = [];
  const { buffer, consumed } = bufferWith(() => new Promise((resolve) => done.push(() => resolve(undefined))));
  buffer.push(Uint8Array.of(1));
  buffer.push(Uint8Array.of(2));
  expect(read(buffer, 2)).toEqual([1, 2]);
  done[0]!();
  await Promise.resolve();
  await Promise.resolve();
  expect(consumed).toEqual([]);
  done[1]!();
  await Promise.resolve();
  await Promise.resolve();
  expect(consumed).toEqual([2]);
});

test("an SDU of nothing makes room by itself", () => {
  const { buffer, consumed } = bufferWith();
  buffer.push(new Uint8Array(0));
  expect([buffer.available, consumed]).toEqual([0, [1]]);
  buffer.push(Uint8Array.of(7));
  buffer.push(new Uint8Array(0));
  expect(consumed).toEqual([1]);
  expect(read(buffer, 4)).toEqual([7]);
  expect(consumed).toEqual([1, 2]);
});
