import { fromHex, toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { decodeIddStatusChanged } from "../idd/status-changed.ts";
import { StatusPush } from "./status-push.ts";

const pushed = (push: StatusPush, field: string): void => push.receive(decodeIddStatusChanged(fromHex(field), { e2e: false }));

test("what was pushed once is reset as it came, in its length too", () => {
  const push = new StatusPush();
  pushed(push, "048000800000");
  const taken = push.take()!;
  expect([[...taken.bits], toHex(taken.field)]).toEqual([[2], "048000800000"]);
  expect(push.take()).toBeUndefined();
});

test("several pushes are one, as long as the longest of them", () => {
  const push = new StatusPush();
  pushed(push, "4000");
  pushed(push, "00800c00");
  pushed(push, "0100");
  const taken = push.take()!;
  expect([[...taken.bits].sort((a, b) => a - b), toHex(taken.field)]).toEqual([[0, 6, 18, 19], "41800c00"]);
  pushed(push, "0200");
  expect(toHex(push.take()!.field)).toBe("0200");
});

test("a push of nothing is none", () => {
  const push = new StatusPush();
  let calls = 0;
  using _ = push.attach(() => calls++);
  pushed(push, "0000");
  pushed(push, "00800000");
  expect([push.take(), calls]).toEqual([undefined, 0]);
});

test("who listens is called for each, and at once for what is there already; there is one at a time", () => {
  const push = new StatusPush();
  pushed(push, "0100");
  let calls = 0;
  const listener = push.attach(() => calls++);
  expect(calls).toBe(1);
  expect(() => push.attach(() => undefined)).toThrow("followed already");
  pushed(push, "0200");
  expect(calls).toBe(2);
  listener[Symbol.dispose]();
  pushed(push, "0400");
  expect(calls).toBe(2);
  let later = 0;
  using _ = push.attach(() => later++);
  listener[Symbol.dispose](); // a second time: the other one stays
  pushed(push, "0800");
  expect(later).toBe(2);
});
