import { expect, test } from "vitest";
import { type CurveOptions, drawCurve } from "../src/pump/curve.ts";
import { EVER, parseSpan, periodOf, periodText } from "../src/pump/period.ts";

const HOUR_MS = 3_600_000;
const noon = Date.UTC(2031, 2, 2, 12, 0);
const base: CurveOptions = {
  points: [],
  fromMs: noon - 3 * HOUR_MS,
  toMs: noon,
  width: 60,
  height: 12,
  band: { low: 70, high: 180 },
  unit: "mg/dL",
  convert: (mgdl) => mgdl,
  timeLabel: (atMs) => new Date(atMs).toISOString().slice(11, 16),
  paint: (style, text) =>
    /^[ -~]$/.test(text) && text !== "*" ? text : `${{ red: "L", yellow: "H", green: "O" }[style as string] ?? text}`,
  ascii: true,
};
const every5 = (values: readonly (number | undefined)[]): CurveOptions["points"] =>
  values.map((mgdl, i) => ({ atMs: noon - (values.length - 1 - i) * 300_000, mgdl }));
/** Columns of the plot that hold a value. */
const columnsOf = (lines: readonly string[]): number[] => {
  const plot = lines.slice(0, -2).map((line) => line.slice(6));
  return Array.from({ length: 54 }, (_, x) => x).filter((x) => plot.some((line) => /[LHO]/.test(line[x] ?? " ")));
};

test("values stand at their height and time, in the colour of their range", () => {
  const lines = drawCurve({ ...base, points: every5([60, 60, 60, 120, 120, 120, 220, 220, 220]) });
  expect(lines).toHaveLength(12);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  const lineOf = (mark: string): number => lines.findIndex((line) => line.includes(mark));
  expect(lineOf("H")).toBeLessThan(lineOf("O"));
  expect(lineOf("O")).toBeLessThan(lineOf("L"));
  expect(columnsOf(lines).at(-1)).toBe(53); // the newest one is at the right edge
});

test("values that are missing leave a gap, also where the record is there and has none", () => {
  const whole = columnsOf(drawCurve({ ...base, points: every5(Array.from({ length: 37 }, () => 100)) }));
  expect(whole).toHaveLength(54);
  const holes = (values: readonly (number | undefined)[]): number => 54 - columnsOf(drawCurve({ ...base, points: every5(values) })).length;
  const withHole = Array.from({ length: 37 }, (_, i) => (i > 10 && i < 20 ? undefined : 100));
  expect(holes(withHole)).toBeGreaterThan(10);
  const missing = every5(withHole).filter(({ mgdl }) => mgdl !== undefined);
  expect(54 - columnsOf(drawCurve({ ...base, points: missing })).length).toBe(holes(withHole));
});

test("what lies outside the usual axis widens it", () => {
  const lines = drawCurve({ ...base, points: every5([30, 380]) });
  expect(lines[0]).toMatch(/^ 390/);
  expect(lines.at(-3)).toMatch(/^ {2}25/);
});

test("the axis has round times of the pump's clock, whatever its difference from ours", () => {
  const ahead = 17 * 60_000;
  const lines = drawCurve({ ...base, points: every5([100]), timeLabel: (atMs) => new Date(atMs + ahead).toISOString().slice(11, 16) });
  expect(lines.at(-1)!.trim().split(/\s+/)).toEqual(["09:30", "10:00", "10:30", "11:00", "11:30", "12:00"]);
});

test("without a value, and in a terminal that is far too small, there is still an axis", () => {
  for (const lines of [drawCurve(base), drawCurve({ ...base, width: 1, height: 1 })]) {
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(lines.join("\n")).toMatch(/180/);
  }
});

test("Braille has two by four dots a character", () => {
  const lines = drawCurve({ ...base, ascii: false, points: every5([100, 100, 100]), paint: (_, text) => text });
  expect(lines.join("")).toMatch(/[\u2801-\u28ff]/);
});

test("spans and periods", () => {
  expect([parseSpan("90min"), parseSpan("24h"), parseSpan("2w")]).toEqual([5_400_000, 86_400_000, 14 * 86_400_000]);
  for (const text of ["", "0h", "24", "-1d", "1y"]) expect(() => parseSpan(text)).toThrow(/is no span of time/);
  expect(periodOf({}, noon, HOUR_MS)).toEqual({ fromMs: noon + 1 - HOUR_MS, toMs: noon + 1 });
  expect(periodOf({ from: "2031-03-01T00:00Z", to: "2031-03-02T12:00+02:00" }, noon, HOUR_MS)).toEqual({
    fromMs: Date.UTC(2031, 2, 1),
    toMs: Date.UTC(2031, 2, 2, 10),
  });
  for (const bad of ["yesterday", "2031-13-01", "2031-02-31T00:00Z", "1"])
    expect(() => periodOf({ from: bad }, noon, HOUR_MS)).toThrow(/--from/);
  expect(() => periodOf({ from: "2031-03-02", to: "2031-03-01" }, noon, HOUR_MS)).toThrow(/behind/);
  expect(() => periodOf({ from: "2031-03-02", last: HOUR_MS }, noon, HOUR_MS)).toThrow(/leave one out/);
});

test("the whole history is what is dated ahead of this computer too; a day that no calendar has is refused", () => {
  const ever = periodOf({}, noon, EVER);
  expect(ever.fromMs).toBeLessThan(Date.UTC(-271_000, 0));
  expect(ever.toMs).toBeGreaterThan(Date.UTC(275_000, 0));
  expect(periodText(ever)).toMatch(/ on$/);
  expect(periodOf({ last: HOUR_MS }, noon, EVER)).toEqual({ fromMs: noon + 1 - HOUR_MS, toMs: noon + 1 });
  expect(periodOf({ from: "2099-01-01T00:00Z" }, noon, HOUR_MS).toMs).toBe(ever.toMs); // it lies behind nothing
  expect(periodText({ fromMs: noon, toMs: noon + 1000 })).toBe("from 2031-03-02T12:00:00Z to 2031-03-02T12:00:00Z");
  const longest = periodOf({ last: parseSpan("99999999999999w"), to: "0000-01-01" }, noon, HOUR_MS);
  expect(periodText(longest)).toMatch(/^from -/);
  for (const day of ["2031-02-29", "2031-02-30T10:00", "2031-04-31T00:00+02:00", "2031-06-00"])
    expect(() => periodOf({ from: day }, noon, HOUR_MS), day).toThrow(/there is no such day|expected a day/);
  expect(() => periodOf({ from: "2028-02-29T23:00-05:00" }, noon, HOUR_MS)).not.toThrow();
});
