import { expect, test } from "vitest";
import { VirtualClock } from "../async/virtual-clock.ts";
import { PairingAttempts } from "./attempts.ts";

function open(options = {}) {
  const clock = new VirtualClock({ auto: false });
  return { clock, attempts: new PairingAttempts({ clock, ...options }) };
}

test("the first failures are free, then every one doubles the wait up to the most", () => {
  const { attempts } = open({ freeFailures: 2, firstWaitMs: 1000, maxWaitMs: 5000 });
  const waits = Array.from({ length: 7 }, () => {
    attempts.failed("a");
    return attempts.waitMs("a");
  });
  expect(waits).toEqual([0, 0, 1000, 2000, 4000, 5000, 5000]);
  expect(attempts.waitMs("b")).toBe(0);
});

test("waiting lets one attempt through, and its failure doubles the wait again", async () => {
  const { clock, attempts } = open({ freeFailures: 0 });
  attempts.failed("a");
  await clock.advance(999);
  expect(attempts.waitMs("a")).toBe(1);
  await clock.advance(1);
  expect(attempts.waitMs("a")).toBe(0);
  attempts.failed("a");
  expect(attempts.waitMs("a")).toBe(2000);
});

test("time without a failure halves the wait step by step until nothing is remembered", async () => {
  const { clock, attempts } = open({ freeFailures: 0, forgetMs: 60_000, maxWaitMs: 1e9 });
  for (let i = 0; i < 5; i++) attempts.failed("a"); // 16 s
  await clock.advance(2 * 60_000);
  attempts.failed("a"); // 5 - 2 + 1
  expect(attempts.waitMs("a")).toBe(8000);
  await clock.advance(4 * 60_000);
  expect(attempts.waitMs("a")).toBe(0);
  expect(attempts.size).toBe(0);
});

test("success forgets at once", () => {
  const { attempts } = open({ freeFailures: 0 });
  attempts.failed("a");
  attempts.succeeded("a");
  expect(attempts.waitMs("a")).toBe(0);
});

test("the table is bounded, and a flood of new peers does not push out one that waits", () => {
  const { attempts } = open({ capacity: 4, freeFailures: 1 });
  for (let i = 0; i < 6; i++) attempts.failed("guesser");
  for (let i = 0; i < 100; i++) attempts.failed(`peer ${i}`);
  expect(attempts.size).toBe(4);
  expect(attempts.waitMs("guesser")).toBe(16_000);
});
