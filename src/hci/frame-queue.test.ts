import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameQueue } from "./frame-queue.ts";

test("first in, first out, however it grows and wherever its head stands", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: -40, max: -1 })), { maxLength: 20 }), (steps) => {
      const queue = new FrameQueue();
      const model: Uint8Array[] = [];
      let next = 0;
      for (const step of steps) {
        for (let i = 0; i < step; i++) {
          const frame = Uint8Array.of(next & 0xff, next++ >> 8);
          queue.push(frame);
          model.push(frame);
        }
        for (let i = 0; i > step; i--) {
          queue.shift();
          model.shift();
        }
        expect(queue.length).toBe(model.length);
        expect(queue.first).toBe(model[0]);
      }
      for (const frame of model) {
        expect(queue.first).toBe(frame);
        queue.shift();
      }
      expect([queue.length, queue.first]).toEqual([0, undefined]);
    }),
  );
});

test("cleared it is empty, and takes frames again", () => {
  const queue = new FrameQueue();
  for (let i = 0; i < 20; i++) queue.push(Uint8Array.of(i));
  queue.shift();
  queue.clear();
  expect([queue.length, queue.first]).toEqual([0, undefined]);
  queue.push(Uint8Array.of(7));
  expect([queue.length, queue.first]).toEqual([1, Uint8Array.of(7)]);
});
