import { expect, test } from "vitest";
import { delay } from "./clock.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("timers fire in order of time, then of setting", async () => {
  using clock = new VirtualClock();
  const order: string[] = [];
  clock.setTimer(20, "late", () => order.push("late"));
  clock.setTimer(10, "first", () => order.push("first"));
  clock.setTimer(10, "second", () => order.push("second"));
  await clock.advance(30);
  expect(order).toEqual(["first", "second", "late"]);
  expect(clock.now()).toBe(30);
});

test("an hour passes as soon as nothing else is to be done", async () => {
  using clock = new VirtualClock();
  await delay(clock, 3_600_000);
  expect(clock.now()).toBe(3_600_000);
});

test("a clock that is not automatic stands still until it is moved", async () => {
  using clock = new VirtualClock({ auto: false });
  let fired = false;
  clock.setTimer(5, "timer", () => {
    fired = true;
  });
  await clock.advance(4);
  expect(fired).toBe(false);
  await clock.advance(1);
  expect(fired).toBe(true);
});

test("a promise that no timer can settle is told apart from a slow one", async () => {
  using clock = new VirtualClock({ auto: false });
  await expect(clock.run(new Promise(() => {}))).rejects.toMatchObject({ code: "ERR_STATE" });
});
