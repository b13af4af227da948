import { fromHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { decodeCgmMeasurement, glucoseOf, trendOf } from "../cgm/measurement.ts";
import { formatLocal, parseLocal } from "../data/date-time.ts";
import { GlucoseCurve } from "./glucose-curve.ts";
import { SimulatedSensor } from "./sensor.ts";

const start = parseLocal("2031-03-02T09:30:00");
const curve = new GlucoseCurve(4);
const FROM_MIN = 9 * 60 + 30;
/** A sensor of an age, with a warm-up, and a gap where its transmitter was not heard. */
const sensorAt = (minutes: number, words: Readonly<Record<number, number | undefined>> = {}) =>
  new SimulatedSensor({
    start,
    ageMin: () => minutes,
    wordAt: (offset) => (offset in words ? words[offset] : offset < 120 ? 0x301 : Math.round(curve.at(FROM_MIN + offset))),
    trendAt: (offset) => curve.trendAt(FROM_MIN + offset),
  });

describe("the simulated sensor", () => {
  test("its curve is the same for the same seed, plausible, and smooth", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const curve = new GlucoseCurve(seed);
      const values = Array.from({ length: 3 * 288 }, (_, i) => curve.at(5 * i));
      expect(Math.min(...values)).toBeGreaterThan(40);
      expect(Math.max(...values)).toBeLessThan(460);
      expect(Math.max(...values)).toBeGreaterThan(150);
      values.slice(1).forEach((value, i) => {
        expect(Math.abs(value - values[i]!)).toBeLessThan(45);
      });
      expect(new GlucoseCurve(seed).at(777)).toBe(curve.at(777));
    }
    expect(new GlucoseCurve(1).at(777)).not.toBe(new GlucoseCurve(2).at(777));
  });

  test("its newest record is less than five minutes old", () => {
    const sensor = sensorAt(1003);
    expect(sensor.latestOffsetMin).toBe(1000);
    expect(formatLocal(sensor.latestTakenAt)).toBe("2031-03-03T02:10:00");
    const record = decodeCgmMeasurement(sensor.record(1000, { e2eCrc: true }), { e2eCrc: true });
    expect(record).toMatchObject({ size: 14, flags: 0xc3, timeOffsetMin: 1000 });
    expect(glucoseOf(record)).toBe(Math.round(new GlucoseCurve(4).at(9 * 60 + 30 + 1000)));
    expect(Math.abs(trendOf(record)!)).toBeLessThan(10);
  });

  test("while warming up and outside the display's range it sends 0 without a trend", () => {
    for (const record of [sensorAt(1000).record(60, { e2eCrc: false }), sensorAt(1000, { 500: 0x30d }).record(500, { e2eCrc: false })]) {
      expect(glucoseOf(decodeCgmMeasurement(record, { e2eCrc: false }))).toBeUndefined();
      expect(trendOf(decodeCgmMeasurement(record, { e2eCrc: false }))).toBeUndefined();
    }
  });

  test("CGM Status warns of what is low, high, or out of range", () => {
    const words = { 125: 60, 130: 120, 135: 260, 140: 0x308, 145: 0x30d };
    const sensor = sensorAt(200, words);
    expect(Object.keys(words).map((offset) => sensor.octetsAt(Number(offset)).warning)).toEqual([1, 0, 2, 0x80, 0x40]);
  });

  test("records are selected as the record access control point asks", () => {
    const sensor = sensorAt(22, { 5: 100, 10: 110 });
    const select = (operand: string) => sensor.select(fromHex(operand));
    expect(select("06")).toEqual([20]);
    expect(select("05")).toEqual([0]);
    expect(select("01")).toEqual([0, 5, 10, 15, 20]);
    expect(select("03010b00")).toEqual([15, 20]);
    expect(select("02010b00")).toEqual([0, 5, 10]);
    expect(select("040105000a00")).toEqual([5, 10]);
    expect(select("0301ff00")).toEqual([]);
    const silent = sensorAt(42, { 30: undefined, 35: undefined, 40: undefined });
    expect([silent.latestOffsetMin, silent.word, silent.select(fromHex("03011900"))]).toEqual([25, undefined, [25]]);
    for (const operand of ["", "00", "0601", "03", "0302ff00", "04010500", "07"]) expect(select(operand)).toBeUndefined();
  });
});
