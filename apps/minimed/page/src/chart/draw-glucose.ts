import type uPlot from "uplot";
import { MIN, spanText } from "../times.ts";
import { alarmKind, CAUSE_WORDS, clockChangeText, limitsAt, type Zone, zoneOf } from "../words.ts";
import type { Brush } from "./brush.ts";
import type { CurveParts } from "./curve-parts.ts";
import type { Lanes } from "./lanes.ts";
import { endOf, gapsOf, isShown, type Stretch } from "./stretches.ts";

const DAY_MIN = 24 * 60;

/** What lies behind the curve: the range, and where nothing was measured. */
export function drawUnder(brush: Brush, plot: uPlot, lanes: Lanes, parts: CurveParts): void {
  clipped(brush, lanes, () => {
    drawBand(brush, plot, lanes, parts);
    drawGaps(brush, plot, lanes, parts);
  });
}

/** The readings, and what is to be seen beside them. */
export function drawGlucose(brush: Brush, plot: uPlot, lanes: Lanes, parts: CurveParts): void {
  clipped(brush, lanes, () => {
    drawUprights(brush, plot, lanes, parts);
    drawMeals(brush, plot, lanes, parts);
    drawReadings(brush, plot, lanes, parts);
    drawFingersticks(brush, plot, parts);
    drawGapWords(brush, plot, lanes, parts);
    drawAlerts(brush, plot, lanes, parts);
  });
}

function clipped({ context }: Brush, { left, right, top, bottom }: Lanes, draw: () => void): void {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  draw();
  context.restore();
}

/** Between the limits of the pump's alerts, which may differ by the time of day. */
function drawBand(brush: Brush, plot: uPlot, lanes: Lanes, { limits, times, fromMs, toMs }: CurveParts): void {
  const end = toMs + (toMs - fromMs);
  const edges = [fromMs, end];
  for (const { fromMin } of [...(limits?.low ?? []), ...(limits?.high ?? [])])
    if (fromMin % DAY_MIN !== 0)
      edges.push(...times.marks(fromMs - DAY_MIN * MIN, end, DAY_MIN * MIN).map((midnight) => midnight + fromMin * MIN));
  const sorted = [...new Set(edges)].filter((at) => at >= fromMs && at <= end).sort((a, b) => a - b);
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [begin, finish] = [sorted[i]!, sorted[i + 1]!];
    const { low, high } = limitsAt(limits, times.minuteOfDay(begin + 1));
    const [x1, x2] = [Math.max(lanes.left, plot.valToPos(begin, "x", true)), Math.min(lanes.right, plot.valToPos(finish, "x", true))];
    const [y1, y2] = [plot.valToPos(high, "y", true), plot.valToPos(low, "y", true)];
    if (x2 <= x1) continue;
    brush.rect(x1, y1, x2 - x1, y2 - y1, brush.colours.band);
    for (const y of [y1, y2])
      brush.line(
        [
          [x1, y],
          [x2, y],
        ],
        brush.colours["in-range"],
        0.75,
        [2, 3],
      );
  }
}

/** Those of what was asked for: before its beginning nobody knows yet. */
function shownGaps({ view, fromMs, toMs, nowMs, isLive }: CurveParts): Stretch[] {
  return gapsOf(view.glucose, Math.max(fromMs, view.fromMs), isLive ? nowMs : Math.min(toMs, view.toMs));
}

/** Nothing has come until now, and the pump has not said why. */
function isSilence({ toMs, cause }: Stretch, { isLive, nowMs }: CurveParts): boolean {
  return isLive && toMs === nowMs && (cause === null || cause === "unknown");
}

function drawGaps(brush: Brush, plot: uPlot, lanes: Lanes, parts: CurveParts): void {
  for (const gap of shownGaps(parts)) {
    const [x1, x2] = [Math.max(lanes.left, plot.valToPos(gap.fromMs, "x", true)), plot.valToPos(gap.toMs, "x", true)];
    const [y, height] = [lanes.glucoseTop, lanes.glucoseBottom - lanes.glucoseTop];
    brush.rect(x1, y, x2 - x1, height, brush.colours.gap);
    brush.hatch(x1, y, x2 - x1, height, isSilence(gap, parts) ? brush.colours.low : brush.colours["gap-line"]);
  }
}

/** What is missing, and for how long, where there is room to say so. */
function drawGapWords(brush: Brush, plot: uPlot, lanes: Lanes, parts: CurveParts): void {
  const { ratio, colours } = brush;
  for (const { fromMs, toMs, cause } of shownGaps(parts)) {
    const [x1, x2] = [Math.max(lanes.left, plot.valToPos(fromMs, "x", true)), Math.min(lanes.right, plot.valToPos(toMs, "x", true))];
    const words = [cause && cause !== "unknown" ? CAUSE_WORDS[cause] : "no data", spanText(toMs - fromMs)];
    brush.font(12, 600);
    const width = Math.max(...words.map((word) => brush.widthOf(word)));
    if (width + 16 * ratio > x2 - x1) continue;
    const [x, middle] = [(x1 + x2) / 2, (lanes.glucoseTop + lanes.glucoseBottom) / 2];
    brush.rect(x - width / 2 - 8 * ratio, middle - 19 * ratio, width + 16 * ratio, 38 * ratio, colours.card, 8);
    brush.text(words[0]!, x, middle - 8 * ratio, colours.ink);
    brush.font(12, 500);
    brush.text(words[1]!, x, middle + 8 * ratio, colours.soft);
  }
}

function drawReadings(brush: Brush, plot: uPlot, lanes: Lanes, { view, limits, times, fromMs, toMs }: CurveParts): void {
  const { context, colours, ratio } = brush;
  const perReading = ((lanes.right - lanes.left) * 5 * MIN) / (toMs - fromMs);
  const radius = Math.max(1.9 * ratio, Math.min(3.5 * ratio, perReading * 0.36));
  const paths = new Map<Zone, Path2D>();
  const shown = view.glucose.filter(isShown);
  for (const [atMs, mgdl, cause] of shown) {
    const value = mgdl ?? endOf(cause);
    const [x, y] = [plot.valToPos(atMs, "x", true), plot.valToPos(value, "y", true)];
    if (x < lanes.left - radius) continue;
    const zone =
      mgdl === null ? (cause === "above_range" ? "very-high" : "very-low") : zoneOf(value, limitsAt(limits, times.minuteOfDay(atMs)));
    let path = paths.get(zone);
    if (!path) {
      path = new Path2D();
      paths.set(zone, path);
    }
    if (mgdl === null) triangle(path, x, y, radius * 1.5, cause === "above_range" ? -1 : 1);
    else {
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 2 * Math.PI);
    }
  }
  for (const [zone, path] of paths) {
    context.fillStyle = colours[zone];
    context.fill(path);
  }
  const newest = shown.at(-1);
  if (!newest) return;
  const value = newest[1] ?? endOf(newest[2]);
  const [x, y] = [plot.valToPos(newest[0], "x", true), plot.valToPos(value, "y", true)];
  context.beginPath();
  context.arc(x, y, radius + 3.5 * ratio, 0, 2 * Math.PI);
  context.strokeStyle = colours[zoneOf(value, limitsAt(limits, times.minuteOfDay(newest[0])))];
  context.lineWidth = 1.5 * ratio;
  context.stroke();
}

function drawFingersticks(brush: Brush, plot: uPlot, { view }: CurveParts): void {
  const { context, colours, ratio } = brush;
  for (const { atMs, mgdl } of view.bloodGlucose) {
    const [x, y, size] = [plot.valToPos(atMs, "x", true), plot.valToPos(mgdl, "y", true), 5 * ratio];
    context.beginPath();
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
    context.closePath();
    context.fillStyle = colours.card;
    context.fill();
    context.strokeStyle = colours.ink;
    context.lineWidth = 1.5 * ratio;
    context.stroke();
  }
}

/** A sensor's start, a change of the clock, the present. */
function drawUprights(brush: Brush, plot: uPlot, lanes: Lanes, { view, nowMs, isLive }: CurveParts): void {
  const { colours, ratio } = brush;
  const upright = (atMs: number, colour: string, dash: number[]): number => {
    const x = plot.valToPos(atMs, "x", true);
    const ends: [number, number][] = [
      [x, lanes.top],
      [x, lanes.bottom],
    ];
    brush.line(ends, colour, 1, dash);
    return x;
  };
  brush.font(11, 600);
  for (const { atMs } of view.sensorStarts)
    brush.text("new sensor", upright(atMs, colours.soft, [4, 4]) + 5 * ratio, lanes.top + 9 * ratio, colours.soft, "left");
  for (const { atMs, reason } of view.clockChanges)
    brush.text(clockChangeText(reason), upright(atMs, colours.alarm, [1, 3]) + 5 * ratio, lanes.top + 9 * ratio, colours.alarm, "left");
  if (isLive) upright(nowMs, colours.faint, []);
}

function drawMeals(brush: Brush, plot: uPlot, lanes: Lanes, { view }: CurveParts): void {
  const { colours, ratio } = brush;
  brush.font(11, 650);
  let takenUntil = Number.NEGATIVE_INFINITY;
  for (const [atMs, grams] of view.meals) {
    const x = plot.valToPos(atMs, "x", true);
    const text = `${grams} g`;
    const half = brush.widthOf(text) / 2 + 6 * ratio;
    brush.line(
      [
        [x, lanes.glucoseTop],
        [x, lanes.marksY],
      ],
      colours["carbs-soft"],
      1,
    );
    if (x - half < Math.max(takenUntil, lanes.left)) {
      brush.rect(x - 3 * ratio, lanes.marksY - 3 * ratio, 6 * ratio, 6 * ratio, colours.carbs, 3);
      continue;
    }
    brush.rect(x - half, lanes.marksY - 9 * ratio, 2 * half, 18 * ratio, colours["carbs-soft"], 9);
    brush.text(text, x, lanes.marksY + 0.5 * ratio, colours.carbs);
    takenUntil = x + half + 2 * ratio;
  }
}

function drawAlerts(brush: Brush, plot: uPlot, lanes: Lanes, { view }: CurveParts): void {
  const { context, colours, ratio } = brush;
  const y = lanes.top + 10 * ratio;
  for (const { atMs, code, clearedAtMs } of view.alerts) {
    const x = plot.valToPos(atMs, "x", true);
    const kind = alarmKind(code);
    const colour = kind === "low" ? colours.low : kind === "high" ? colours.high : colours.alarm;
    const path = new Path2D();
    triangle(path, x, y, 6.5 * ratio, -1);
    context.fillStyle = colour;
    context.fill(path);
    brush.rect(x - 0.8 * ratio, y - 1.8 * ratio, 1.6 * ratio, 3.4 * ratio, colours.card);
    brush.rect(x - 0.8 * ratio, y + 2.2 * ratio, 1.6 * ratio, 1.4 * ratio, colours.card);
    if (clearedAtMs !== null) continue;
    context.strokeStyle = colour;
    context.lineWidth = 1.2 * ratio;
    context.beginPath();
    context.arc(x, y, 9 * ratio, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** @param up −1 points up, 1 down */
function triangle(path: Path2D, x: number, y: number, size: number, up: number): void {
  path.moveTo(x, y + up * size);
  path.lineTo(x - size, y - up * size * 0.8);
  path.lineTo(x + size, y - up * size * 0.8);
  path.closePath();
}
