import type { Paint, Style } from "../terminal.ts";

/** A value to draw; without one there is nothing to see at its time. */
export interface CurvePoint {
  readonly atMs: number;
  readonly mgdl: number | undefined;
}

export interface CurveOptions {
  readonly points: readonly CurvePoint[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Columns and lines of the whole, labels included. */
  readonly width: number;
  readonly height: number;
  /** What is neither low nor high, mg/dL. */
  readonly band: { readonly low: number; readonly high: number };
  readonly unit: "mg/dL" | "mmol/L";
  readonly convert: (mgdl: number) => number;
  /** "09:15" for a time on the axis. */
  readonly timeLabel: (atMs: number) => string;
  readonly paint: Paint;
  /** Without Braille patterns, for terminals that know no Unicode. */
  readonly ascii: boolean;
}

/** Readings come every five minutes: with more between two of them some are missing, and no line is drawn. */
const GAP_MS = 12 * 60_000;
/** Of the axis, unless values lie outside. mg/dL. */
const LOWEST = 40;
const HIGHEST = 240;
const BRAILLE = 0x2800;
/** Dots of a Braille pattern by column and row. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;
/** Columns without which nothing can be made out. */
export const MIN_CURVE_WIDTH = 24;
const MIN_HEIGHT = 6;
const TICK_STEPS_MIN = [15, 30, 60, 120, 180, 360, 720, 1440];
/** Columns between two labels of the time axis, at least. */
const LABEL_ROOM = 9;

/** Glucose over time in characters: an axis with the limits of the band, two by four dots a character, and the times below. */
export function drawCurve(options: CurveOptions): string[] {
  const { points, fromMs, toMs, band, unit, convert, paint, ascii } = options;
  const gutter = 6;
  const columns = Math.max(MIN_CURVE_WIDTH, options.width) - gutter;
  const rows = Math.max(MIN_HEIGHT, options.height) - 2;
  const [across, down] = ascii ? [1, 1] : [2, 4];
  const values = points.flatMap(({ mgdl }) => (mgdl === undefined ? [] : [mgdl]));
  const bottom = Math.min(LOWEST, band.low - 10, ...values.map((value) => value - 5));
  const top = Math.max(HIGHEST, band.high + 10, ...values.map((value) => value + 10));
  const column = (atMs: number): number => ((atMs - fromMs) / (toMs - fromMs)) * (columns * across - 1);
  const row = (mgdl: number): number => ((top - mgdl) / (top - bottom)) * (rows * down - 1);
  const cells = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));
  const styles: (Style | undefined)[][] = cells.map((line) => line.map(() => undefined));
  const dot = (x: number, y: number, mgdl: number): void => {
    const [dx, dy] = [Math.round(x), Math.round(y)];
    const [cx, cy] = [Math.floor(dx / across), Math.floor(dy / down)];
    if (cx < 0 || cx >= columns || cy < 0 || cy >= rows) return;
    cells[cy]![cx]! |= ascii ? 1 : DOTS[dx % 2]![dy % 4]!;
    styles[cy]![cx] = mgdl < band.low ? "red" : mgdl > band.high ? "yellow" : "green";
  };
  let last: { atMs: number; mgdl: number } | undefined;
  for (const { atMs, mgdl } of points) {
    if (mgdl === undefined) {
      last = undefined;
      continue;
    }
    const [x, y] = [column(atMs), row(mgdl)];
    dot(x, y, mgdl);
    if (last && atMs - last.atMs <= GAP_MS) {
      const [x0, y0] = [column(last.atMs), row(last.mgdl)];
      const steps = Math.ceil(Math.max(Math.abs(x - x0), Math.abs(y - y0)));
      for (let step = 1; step < steps; step++)
        dot(x0 + ((x - x0) * step) / steps, y0 + ((y - y0) * step) / steps, last.mgdl + ((mgdl - last.mgdl) * step) / steps);
    }
    last = { atMs, mgdl };
  }
  const lines = cells.map((line, y) =>
    line
      .map((bits, x) => {
        if (bits !== 0) return paint(styles[y]![x]!, ascii ? "*" : String.fromCodePoint(BRAILLE + bits));
        const isLimit = [band.low, band.high].some((limit) => Math.floor(Math.round(row(limit)) / down) === y);
        return isLimit && x % 2 === 0 ? paint("dim", ascii ? "-" : "┈") : " ";
      })
      .join(""),
  );
  const digits = unit === "mmol/L" ? 1 : 0;
  const labels = new Map<number, string>();
  for (const limit of [top, bottom, band.high, band.low])
    labels.set(Math.floor(Math.round(row(limit)) / down), convert(limit).toFixed(digits));
  const [bar, corner, dash, tick] = ascii ? ["|", "+", "-", "+"] : ["│", "└", "─", "┬"];
  const drawn = lines.map((line, y) => `${(labels.get(y) ?? "").padStart(gutter - 2)} ${paint("dim", bar)}${line}`);
  const ticks = timeTicks(fromMs, toMs, columns, options.timeLabel);
  const axis = Array.from({ length: columns }, (_, x) => (ticks.some((each) => each.column === x) ? tick : dash)).join("");
  let times = "";
  for (const { column: at, label } of ticks) {
    const start = Math.min(columns - label.length, Math.max(0, at - Math.floor(label.length / 2)));
    if (times === "" || start > times.length) times = times.padEnd(start) + label;
  }
  return [...drawn, `${" ".repeat(gutter - 1)}${paint("dim", corner + axis)}`, `${" ".repeat(gutter)}${times}`];
}

/** Round times on the axis, as many as there is room for. The labels tell where a round time is: its clock need not be ours. */
function timeTicks(
  fromMs: number,
  toMs: number,
  columns: number,
  timeLabel: (atMs: number) => string,
): { column: number; label: string }[] {
  const spanMin = (toMs - fromMs) / 60_000;
  const stepMin = TICK_STEPS_MIN.find((step) => (columns / spanMin) * step >= LABEL_ROOM) ?? TICK_STEPS_MIN.at(-1)!;
  const minuteOf = (atMs: number): number => {
    const [hours, minutes] = timeLabel(atMs).slice(-5).split(":").map(Number) as [number, number];
    return 60 * hours + minutes;
  };
  const ticks: { column: number; label: string }[] = [];
  for (let atMs = Math.ceil(fromMs / 60_000) * 60_000; atMs <= toMs; atMs += 60_000)
    if (minuteOf(atMs) % stepMin === 0)
      ticks.push({ column: Math.round(((atMs - fromMs) / (toMs - fromMs)) * (columns - 1)), label: timeLabel(atMs) });
  return ticks;
}
