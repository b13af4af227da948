import { VirtualClock } from "jelling/async";
import { describe, expect, test } from "vitest";
import { formatLocal, parseLocal } from "../data/date-time.ts";
import { decodeHistoryRecord } from "../history/record.ts";
import { HistoryTimeline } from "../history/timeline.ts";
import { clockSteps } from "./life/clock-plan.ts";
import { LifeDelivery } from "./life-delivery.ts";
import { PumpLife } from "./pump-life.ts";

const START = "2031-03-02T09:00:00";

function lifeOf(clock: VirtualClock, seed: number, historyDays: number): PumpLife {
  return new PumpLife({
    clock,
    seed,
    startLocal: parseLocal(START),
    historyDays,
    historyCapacity: Number.POSITIVE_INFINITY,
    glucose: undefined,
    hasSensor: true,
  });
}

/** Whose users have set the clock in the forty days before. */
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed)
  .filter((seed) => Array.from({ length: 40 }, (_, i) => clockSteps(seed, i - 40)).some((steps) => steps[0]?.[1].kind === "shift"))
  .slice(0, 3);

describe("a pump's life", () => {
  test.each(SEEDS)("whatever its user did to the clock before, it shows what it was switched on with (seed %i)", (seed) => {
    using clock = new VirtualClock({ auto: false });
    using life = lifeOf(clock, seed, 40);
    expect(formatLocal(life.now)).toBe(START);
    const { memory } = life; // looks back
    expect(formatLocal(life.now)).toBe(START);
    const timeline = new HistoryTimeline();
    let local = "";
    for (let number = memory.last! - 120; number <= memory.last!; number++) {
      const bytes = memory.record(number);
      if (!bytes) continue;
      const time = timeline.push(decodeHistoryRecord(bytes, { e2e: false }));
      if (time.local && !time.isLost) local = formatLocal(time.local);
    }
    expect(local.slice(0, 14)).toBe("2031-03-02T08:"); // the last record is of the hour before
  });

  test("the reservoir goes down by what went in, in a day without a change of the set", () => {
    using clock = new VirtualClock({ auto: false });
    using life = lifeOf(clock, 1, 3);
    const day = life.life.day(0);
    const filled = day.deliveries.some(({ kind }) => kind === "fill");
    const total = day.deliveries.filter(({ kind }) => kind !== "fill").reduce((sum, { iu }) => sum + iu, 0);
    expect(total).toBeGreaterThan(15);
    if (!filled) expect(day.begin.reservoirIu - day.end.reservoirIu).toBeCloseTo(total, 3);
    expect(day.end.bolusIu + day.end.basalIu - day.begin.bolusIu - day.begin.basalIu).toBeCloseTo(total, 3);
    const delivery = new LifeDelivery(life);
    const { bolusIu, basalIu } = delivery.dailyInsulin();
    const soFar = day.deliveries.filter(({ atS, kind }) => atS <= 9 * 3600 && kind !== "fill").reduce((sum, { iu }) => sum + iu, 0);
    expect(bolusIu + basalIu).toBeCloseTo(soFar, 2);
    expect(delivery.status().reservoirRemainingIu).toBeCloseTo(day.begin.reservoirIu - soFar, 2);
  });

  test("calibrations of the sensor that is worn, each with a number of its own", () => {
    for (const seed of [1, 2, 3, 4]) {
      using clock = new VirtualClock({ auto: false });
      using life = lifeOf(clock, seed, 3);
      const delivery = new LifeDelivery(life);
      const calibrations = delivery.calibrations();
      const numbers = calibrations.map(({ recordNumber }) => recordNumber);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
      for (const { timeOffsetMin, glucoseMgdl } of calibrations) {
        expect(timeOffsetMin).toBeGreaterThanOrEqual(0);
        expect(timeOffsetMin).toBeLessThan(3100);
        expect(glucoseMgdl).toBeGreaterThan(30);
      }
      expect(delivery.calibrations()).toEqual(calibrations);
    }
  });
});
