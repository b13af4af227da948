import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SystemClock } from "./clock.ts";
import { turn } from "./turn.ts";

describe("on the clock of the test", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const order = (...delays: number[]): string[] => {
    const clock = new SystemClock();
    const fired: string[] = [];
    for (const delayMs of delays) clock.setTimer(delayMs, "timer", () => fired.push(`${delayMs}`));
    vi.advanceTimersByTime(100_000);
    return fired;
  };

  test.each([
    ["waits and limits, longest first", [30_000, 100, 99, 1000, 5], ["5", "99", "100", "1000", "30000"]],
    ["delays that are none, before all others", [30_000, 0, -5, Number.NaN, 2], ["0", "-5", "NaN", "2", "30000"]],
    ["fractions", [1000.5, 999.5, 2000], ["999.5", "1000.5", "2000"]],
  ])("timers fire in the order of their times: %s", (_what, delays, fired) => {
    expect(order(...delays)).toEqual(fired);
  });

  test("limits of one length fire in the order in which they were set, those disposed in between left out", () => {
    const clock = new SystemClock();
    const fired: number[] = [];
    const timers = Array.from({ length: 10 }, (_, i) => clock.setTimer(1000, "limit", () => fired.push(i)));
    for (const i of [0, 3, 4, 9]) timers[i]![Symbol.dispose]();
    timers[3]![Symbol.dispose]();
    vi.advanceTimersByTime(0);
    timers[7]![Symbol.dispose]();
    vi.advanceTimersByTime(999);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(fired).toEqual([1, 2, 5, 6, 8]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("one that was disposed, or has fired, does nothing to those after it", () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    const first = clock.setTimer(1000, "first", () => fired.push("first"));
    first[Symbol.dispose]();
    const second = clock.setTimer(1000, "second", () => fired.push("second"));
    first[Symbol.dispose]();
    vi.advanceTimersByTime(1000);
    clock.setTimer(1000, "third", () => fired.push("third"));
    second[Symbol.dispose]();
    first[Symbol.dispose]();
    vi.advanceTimersByTime(1000);
    expect(fired).toEqual(["second", "third"]);
  });

  test("one may be disposed, and another set, while one fires", () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    clock.setTimer(1000, "first", () => {
      fired.push("first");
      second[Symbol.dispose]();
      clock.setTimer(1000, "third", () => fired.push("third"));
    });
    const second = clock.setTimer(1000, "second", () => fired.push("second"));
    vi.advanceTimersByTime(1999);
    expect(fired).toEqual(["first"]);
    vi.advanceTimersByTime(2); // the turn of the event loop takes a millisecond of this clock
    expect(fired).toEqual(["first", "third"]);
  });

  test("one that throws loses no other", () => {
    const clock = new SystemClock();
    const fired: number[] = [];
    for (let i = 0; i < 4; i++)
      clock.setTimer(1000, "limit", () => {
        fired.push(i);
        if (i < 2) throw new Error(`fault ${i}`);
      });
    expect(() => vi.advanceTimersByTime(1000)).toThrow("fault 0");
    expect(fired).toEqual([0, 1, 2, 3]);
  });

  test("a million that are set and disposed leave nothing, in one turn of the event loop and over many", () => {
    const clock = new SystemClock();
    for (let i = 0; i < 1_000_000; i++) clock.setTimer(30_000 + (i % 1000), "limit", () => undefined)[Symbol.dispose]();
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // the turn of the event loop
    for (let i = 0; i < 1000; i++) {
      const timer = clock.setTimer(30_000, "limit", () => undefined);
      vi.advanceTimersByTime(1);
      timer[Symbol.dispose]();
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test("longer ones than the system has fire in time, and can be disposed in each part", () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    const days = (count: number): number => count * 86_400_000;
    clock.setTimer(days(60), "60 days", () => fired.push("60 days"));
    const disposed = clock.setTimer(days(59), "59 days", () => fired.push("59 days"));
    const never = clock.setTimer(Number.POSITIVE_INFINITY, "never", () => fired.push("never"));
    vi.advanceTimersByTime(days(58));
    disposed[Symbol.dispose]();
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(days(2) - 1);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(fired).toEqual(["60 days"]);
    never[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a test that leaves its own timers behind does not stop the clock", async () => {
  vi.useFakeTimers();
  const clock = new SystemClock();
  clock.setTimer(100, "left behind", () => undefined);
  vi.useRealTimers();
  await new Promise<void>((resolve) => clock.setTimer(100, "after it", resolve));
});

test("in a page, which has no setImmediate, limits fire as well", () => {
  vi.useFakeTimers();
  vi.stubGlobal("setImmediate", undefined);
  try {
    const fired: number[] = [];
    const clock = new SystemClock();
    clock.setTimer(2000, "limit", () => fired.push(2000));
    clock.setTimer(1000, "limit", () => fired.push(1000));
    clock.setTimer(1500, "limit", () => fired.push(1500))[Symbol.dispose]();
    vi.advanceTimersByTime(2000);
    expect(fired).toEqual([1000, 2000]);
  } finally {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  }
});

test("a promise's reactions run before the next timer fires", async () => {
  const clock = new SystemClock();
  const seen: string[] = [];
  const reacted = async (name: string): Promise<void> => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
    seen.push(`${name} reacted`);
  };
  await new Promise<void>((resolve) => {
    clock.setTimer(100, "first", () => {
      seen.push("first");
      void reacted("first");
    });
    clock.setTimer(100, "second", () => {
      seen.push("second");
      resolve();
    });
  });
  expect(seen).toEqual(["first", "first reacted", "second"]);
});

test("a timer keeps the process up until it fires, one that was disposed does not", async () => {
  const clock = new SystemClock();
  const holding = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout" || kind === "Immediate").length;
  const before = holding();
  const limit = clock.setTimer(30_000, "limit", () => undefined);
  expect(holding()).toBe(before + 1);
  await turn();
  expect(holding()).toBe(before + 1);
  limit[Symbol.dispose]();
  expect(holding()).toBe(before);
  clock.setTimer(30_000, "limit", () => undefined)[Symbol.dispose]();
  await turn();
  expect(holding()).toBe(before);
});
