import { fromHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { decodeCgmMeasurement } from "../cgm/measurement.ts";
import { formatLocal, parseLocal } from "../data/date-time.ts";
import { ageMs, formatGlucose, isStale, type ReadingTimes, readingOf } from "./reading.ts";

const measurement = (hex: string) => decodeCgmMeasurement(fromHex(hex), { e2eCrc: true });
const rising = measurement("0ec37200dc05000074e00a006ab9"); // 114 mg/dL, 1500 min, +1.16
const zero = measurement("0ec300002800000000000a0093ab");
const times: ReadingTimes = {
  receivedAtMs: 1_000_000,
  sessionStart: parseLocal("2031-03-02T09:30:00"),
  pumpClock: { local: parseLocal("2031-03-03T10:33:30"), atMs: 990_000 },
};

describe("readings", () => {
  test("a reading knows when it was taken, by the pump's clock and by ours", () => {
    const reading = readingOf(rising, times);
    expect(reading).toMatchObject({ kind: "reading", mgdl: 114, mmolPerLitre: 6.3, trendMgdlPerMin: 1.16, arrows: 1, quality: 10 });
    expect(formatLocal(reading.takenAt!)).toBe("2031-03-03T10:30:00");
    expect(reading.takenAtMs).toBe(990_000 - 210_000);
    expect(ageMs(reading, 1_000_000)).toBe(220_000);
    expect(formatGlucose(reading, 1_000_000)).toBe("114 mg/dL (6.3 mmol/L) ↑, 3 min old");
  });
  test("ten minutes after it was taken it is stale", () => {
    const reading = readingOf(rising, times);
    expect(isStale(reading, 780_000 + 600_000)).toBe(false);
    expect(isStale(reading, 780_000 + 600_001)).toBe(true);
    expect(formatGlucose(reading, 780_000 + 660_000)).toBe("114 mg/dL (6.3 mmol/L) ↑, 11 min old, stale");
  });
  test("without the pump's clock the age is unknown, and grows stale from when it came", () => {
    const reading = readingOf(rising, { ...times, pumpClock: undefined });
    expect(ageMs(reading, 5_000_000)).toBeUndefined();
    expect(formatGlucose(reading, 1_000_000)).toBe("114 mg/dL (6.3 mmol/L) ↑, age unknown");
    expect(isStale(reading, 1_600_001)).toBe(true);
    expect(readingOf(rising, { ...times, sessionStart: undefined }).takenAt).toBeUndefined();
  });
  test("0 is a state, not a value", () => {
    const reading = readingOf(zero, times);
    expect(reading).not.toHaveProperty("mgdl");
    expect(formatGlucose(reading, 1_000_000)).toMatch(/^no value to show, record \d+ min old, stale$/);
  });
  test("one that was taken in the future, as it seems, grows old from when it came", () => {
    const ahead = readingOf(rising, { ...times, pumpClock: { local: parseLocal("2031-03-03T09:33:30"), atMs: 990_000 } });
    expect(ahead.takenAtMs).toBe(1_000_000);
    expect([ageMs(ahead, 1_300_000), isStale(ahead, 1_600_000), isStale(ahead, 1_600_001)]).toEqual([300_000, false, true]);
  });
  test("no sensor is no error, and a clock that runs ahead gives no negative age", () => {
    expect(formatGlucose({ kind: "no-sensor", receivedAtMs: 0 }, 0)).toBe("no sensor session is running");
    expect(ageMs(readingOf(rising, times), 0)).toBe(0);
    expect(formatGlucose(readingOf(rising, times), 800_000)).toContain("less than a minute old");
  });
});
