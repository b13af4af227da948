import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { Attempts } from "./attempts.ts";
import { Patience } from "./patience.ts";
import { ProgressMeter, type TransferProgress } from "./progress.ts";
import { TransferWindow } from "./window.ts";

describe("the window", () => {
  const growth = (window: TransferWindow, most = 5000): number => {
    const before = window.size;
    for (let n = 1; n <= most; n++) {
      window.succeeded();
      if (window.size > before) return n;
    }
    return Number.POSITIVE_INFINITY;
  };

  test("starts at its ceiling, falls to one, and grows by one after so many chunks", () => {
    const window = new TransferWindow(3, false);
    expect([window.size, growth(window)]).toEqual([3, Number.POSITIVE_INFINITY]);
    window.failed();
    expect(window.size).toBe(1);
    expect([growth(window), window.size, growth(window), window.size]).toEqual([8, 2, 8, 3]);
  });

  test("each time that growing led to trouble it takes twice as long, up to a bound; trouble with one is not the window's", () => {
    const prices = (isLossy: boolean): number[] => {
      const window = new TransferWindow(2, isLossy);
      return Array.from({ length: 10 }, () => {
        window.failed();
        window.failed();
        return growth(window);
      });
    };
    expect(prices(false)).toEqual([8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    expect(prices(true)).toEqual([8, 16, 32, 64, 64, 64, 64, 64, 64, 64]);
  });

  test("successes count from the last trouble", () => {
    const window = new TransferWindow(2, false);
    window.failed();
    for (let i = 0; i < 7; i++) window.succeeded();
    window.failed();
    expect(growth(window)).toBe(8);
  });

  test("a smaller ceiling is for good, and never under one", () => {
    const window = new TransferWindow(4, false);
    window.shrink();
    expect([window.size, window.ceiling]).toEqual([3, 3]);
    window.limit(2);
    window.limit(9);
    expect([window.size, window.ceiling]).toEqual([2, 2]);
    for (let i = 0; i < 5; i++) window.shrink();
    expect([window.size, window.ceiling]).toEqual([1, 1]);
  });
});

describe("patience", () => {
  test("is what the slowest line needs, until answers have shown how long they take", () => {
    expect(Patience.of({ isLossy: false }, 1000).timeoutMs()).toBe(2500 + 200);
    expect(Patience.of({ isLossy: true }, 1000).timeoutMs()).toBe(1000 + 3000);
    const patience = new Patience(1000, 4000);
    patience.answered(10);
    expect([patience.timeoutMs(), patience.timeoutMs(5000)]).toEqual([1000, 5000]);
  });

  test("is four times what answers take at most", () => {
    const patience = new Patience(100);
    patience.answered(400); // varies by half of it at first
    expect([patience.usualMs, patience.timeoutMs()]).toEqual([1200, 4800]);
    patience.answered(800);
    expect([patience.usualMs, patience.timeoutMs()]).toEqual([450 + 4 * (150 + 100), 4 * 1450]);
    for (let i = 0; i < 100; i++) patience.answered(400);
    expect(patience.timeoutMs()).toBeCloseTo(1600, 0);
  });

  test("doubles with each silence, up to 40 s, until there is an answer", () => {
    const patience = new Patience(2500);
    const waits = Array.from({ length: 6 }, () => {
      patience.timedOut();
      return patience.timeoutMs();
    });
    expect(waits).toEqual([5000, 10_000, 20_000, 40_000, 40_000, 40_000]);
    expect(patience.timeoutMs(60_000)).toBe(60_000);
    patience.answered(1);
    expect(patience.timeoutMs()).toBe(2500);
  });
});

test("attempts count at one place; getting further begins anew", () => {
  const attempts = new Attempts("test", 3);
  for (let i = 0; i < 3; i++) attempts.troubled(10, undefined);
  attempts.troubled(11, undefined);
  expect(attempts.count).toBe(1);
  for (let i = 0; i < 2; i++) attempts.troubled(5, undefined); // less than before is no progress
  const cause = new Error("silence");
  expect(() => attempts.troubled(5, cause)).toThrow(expect.objectContaining({ code: "ERR_MCUMGR_STALLED", offset: 5, attempts: 3, cause }));
});

describe("progress", () => {
  test("has the rate of the last seconds and what is left at it", async () => {
    const clock = new VirtualClock();
    const told: TransferProgress[] = [];
    const meter = new ProgressMeter(clock, 100_000, (progress) => told.push(progress));
    meter.resumedFrom = 1000;
    meter.start(1000);
    meter.at(1000, 3);
    for (let i = 1; i <= 100; i++) {
      await clock.advance(100);
      meter.at(1000 + (i <= 50 ? i * 100 : 5000 + (i - 50) * 500), 2);
    }
    expect(told[0]).toEqual({
      done: 1000,
      total: 100_000,
      bytesPerSecond: undefined,
      remainingMs: undefined,
      window: 3,
      resumedFrom: 1000,
    });
    expect(told[10]).toEqual({ done: 2000, total: 100_000, bytesPerSecond: 1000, remainingMs: 98_000, window: 2, resumedFrom: 1000 });
    expect(told.at(-1)).toMatchObject({ done: 31_000, bytesPerSecond: expect.closeTo(4700, -3) as number });
    expect(told.at(-1)!.bytesPerSecond).toBeGreaterThan(4000); // the slow beginning is forgotten
    expect(told.length).toBe(101);
  });

  test("is told where something was done, once", () => {
    const told: number[] = [];
    const meter = new ProgressMeter(new VirtualClock(), 10, ({ done }) => told.push(done));
    meter.start(0);
    for (const done of [0, 5, 5, 10]) meter.at(done, 1);
    expect(told).toEqual([0, 5, 10]);
  });
});
