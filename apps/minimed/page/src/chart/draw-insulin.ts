import type uPlot from "uplot";
import type { PageAmount, PageBolus } from "../../../src/web/page-data.ts";
import { HOUR, MIN } from "../times.ts";
import { iuText } from "../words.ts";
import type { Brush } from "./brush.ts";
import type { CurveParts } from "./curve-parts.ts";
import type { Lanes } from "./lanes.ts";

const LEAST_TOP_IU = 4;
const LEVELS_IU = [0.5, 1, 2, 5, 10, 20];
const LABEL_ROOM_PX = 16;
/** Of the axis, with the amount of a bolus beside it. */
const TITLE_PX = 80;
/** Status rows further apart than that are not joined: in between nobody knows. */
const IOB_GAP_MS = 40 * MIN;

/**
 * Insulin below the curve: what is on board, boluses, micro boluses, the basal rate where no closed loop runs, and where delivery was stopped. Heights
 * grow with the square root: a micro bolus of 0.1 can be seen beside a bolus of 10.
 */
export function drawInsulin(brush: Brush, plot: uPlot, lanes: Lanes, parts: CurveParts): void {
  const { context, colours, ratio } = brush;
  const { view } = parts;
  const room = lanes.bottom - lanes.insulinTop - LABEL_ROOM_PX * ratio;
  const most = Math.max(
    LEAST_TOP_IU,
    ...view.boluses.map(({ iu }) => iu),
    ...view.insulinOnBoard.map(([, iu]) => iu),
    ...view.basal.map(([, rate]) => rate),
  );
  const y = (iu: number): number => lanes.bottom - room * Math.sqrt(Math.max(0, iu) / most);
  const x = (atMs: number): number => plot.valToPos(atMs, "x", true);

  context.save();
  context.beginPath();
  context.rect(lanes.left, lanes.top, lanes.right - lanes.left, lanes.bottom - lanes.top);
  context.clip();
  brush.line(
    [
      [lanes.left, lanes.bottom],
      [lanes.right, lanes.bottom],
    ],
    colours.faint,
    1,
  );
  drawOnBoard(brush, x, y, view.insulinOnBoard, lanes.bottom);
  drawBasal(brush, x, y, parts, lanes);
  drawMicroBoluses(brush, x, y, parts, lanes);
  drawSuspensions(brush, x, parts, lanes);
  drawBoluses(brush, x, y, view.boluses, lanes);
  context.restore();
  drawLevels(brush, y, most, lanes);
  const titleEnd = lanes.left + TITLE_PX * ratio;
  const isFree = view.boluses.every(({ atMs }) => x(atMs) < lanes.left - LABEL_ROOM_PX * ratio || x(atMs) > titleEnd);
  // The amount of a bolus counts for more than the name of the axis, which the legend has too.
  if (isFree) brush.text("insulin, U", lanes.left + 6 * ratio, lanes.insulinTop + 7 * ratio, colours.soft, "left");
}

/** Outside the plotting area, where the glucose axis has its numbers. */
function drawLevels(brush: Brush, y: (iu: number) => number, most: number, lanes: Lanes): void {
  const { colours, ratio } = brush;
  brush.font(11, 500);
  let lastY = lanes.bottom;
  for (const level of LEVELS_IU) {
    const at = y(level);
    if (level > most || lastY - at < 15 * ratio) continue;
    brush.text(iuText(level), lanes.left - 6 * ratio, at, colours.soft, "right");
    lastY = at;
  }
}

function drawOnBoard(
  brush: Brush,
  x: (ms: number) => number,
  y: (iu: number) => number,
  points: readonly PageAmount[],
  base: number,
): void {
  const { context, colours } = brush;
  let run: [number, number][] = [];
  const close = (): void => {
    if (run.length > 1) {
      context.beginPath();
      context.moveTo(run[0]![0], base);
      for (const [px, py] of run) context.lineTo(px, py);
      context.lineTo(run.at(-1)![0], base);
      context.fillStyle = colours.iob;
      context.fill();
    }
    run = [];
  };
  let lastMs = Number.NaN;
  for (const [atMs, iu] of points) {
    if (atMs - lastMs > IOB_GAP_MS) close();
    run.push([x(atMs), y(iu)]);
    lastMs = atMs;
  }
  close();
}

/** The loop ran at a moment, as far as its transitions tell. */
function isLoopAt({ view }: CurveParts, atMs: number): boolean {
  return view.loop.findLast((transition) => transition.atMs <= atMs)?.active ?? false;
}

/** A rate holds until the next one. While the loop runs it gives micro boluses instead, whatever rate is set. */
function drawBasal(brush: Brush, x: (ms: number) => number, y: (iu: number) => number, parts: CurveParts, lanes: Lanes): void {
  const { view, fromMs, toMs, nowMs, isLive } = parts;
  const endMs = isLive ? nowMs : toMs;
  const edges = [...view.basal.map(([atMs]) => atMs), ...view.loop.map(({ atMs }) => atMs), fromMs, endMs]
    .filter((at) => at <= endMs)
    .sort((a, b) => a - b);
  for (let i = 0; i + 1 < edges.length; i++) {
    const [begin, finish] = [edges[i]!, edges[i + 1]!];
    const rate = view.basal.findLast(([atMs]) => atMs <= begin)?.[1];
    if (rate === undefined || finish <= fromMs || isLoopAt(parts, begin)) continue;
    const [x1, x2, top] = [x(begin), x(finish), y(rate)];
    brush.rect(x1, top, x2 - x1, lanes.bottom - top, brush.colours["insulin-soft"]);
    brush.line(
      [
        [x1, top],
        [x2, top],
      ],
      brush.colours.insulin,
      1.5,
    );
  }
}

function drawMicroBoluses(
  brush: Brush,
  x: (ms: number) => number,
  y: (iu: number) => number,
  { view, fromMs, toMs }: CurveParts,
  lanes: Lanes,
): void {
  const { colours, ratio } = brush;
  const width = Math.max(1.5 * ratio, Math.min(5 * ratio, ((lanes.right - lanes.left) * 5 * MIN * 0.55) / (toMs - fromMs)));
  for (const [atMs, iu] of view.microBoluses) {
    const top = y(iu);
    brush.rect(x(atMs) - width / 2, top, width, lanes.bottom - top, colours["insulin-soft"]);
  }
}

function drawBoluses(
  brush: Brush,
  x: (ms: number) => number,
  y: (iu: number) => number,
  boluses: readonly PageBolus[],
  lanes: Lanes,
): void {
  const { context, colours, ratio } = brush;
  const width = 5 * ratio;
  const taken: [number, number][] = [];
  for (const { atMs, extendedIu, durationMin } of boluses) {
    if (extendedIu <= 0) continue;
    const top = y(extendedIu / Math.max(0.5, (durationMin * MIN) / HOUR)); // as a rate, IU/h
    brush.rect(x(atMs), top, x(atMs + durationMin * MIN) - x(atMs), lanes.bottom - top, colours["insulin-soft"], 2);
  }
  for (const { atMs, iu, automatic, isUnderWay } of [...boluses].sort((a, b) => b.iu - a.iu)) {
    const [at, top] = [x(atMs), y(iu)];
    const narrow = automatic ? width * 0.7 : width;
    if (isUnderWay) {
      context.strokeStyle = colours.insulin;
      context.lineWidth = 1.5 * ratio;
      context.setLineDash([3 * ratio, 2 * ratio]);
      context.strokeRect(at - narrow / 2, top, narrow, lanes.bottom - top);
      context.setLineDash([]);
    } else brush.rect(at - narrow / 2, top, narrow, lanes.bottom - top, colours.insulin, 2);
    brush.font(11, automatic ? 500 : 650);
    const text = iuText(iu);
    const half = brush.widthOf(text) / 2 + 2 * ratio;
    if (at - half < lanes.left || taken.some(([from, to]) => at + half > from && at - half < to)) continue; // the greater ones have their number
    taken.push([at - half, at + half]);
    brush.text(text, at, top - 8 * ratio, colours.insulin);
  }
}

function drawSuspensions(brush: Brush, x: (ms: number) => number, { view, nowMs, fromMs, toMs, isLive }: CurveParts, lanes: Lanes): void {
  const { colours, ratio } = brush;
  for (const { atMs, endedAtMs } of view.suspensions) {
    const [x1, x2] = [Math.max(lanes.left, x(Math.max(atMs, fromMs))), x(endedAtMs ?? (isLive ? nowMs : toMs))];
    const [top, height] = [lanes.insulinTop, lanes.bottom - lanes.insulinTop];
    brush.hatch(x1, top, x2 - x1, height, colours.low, 5);
    brush.line(
      [
        [x1, lanes.bottom - 1.5 * ratio],
        [x2, lanes.bottom - 1.5 * ratio],
      ],
      colours.low,
      3,
    );
    brush.font(11, 650);
    if (brush.widthOf("stopped") + 8 * ratio >= x2 - x1) continue;
    const half = brush.widthOf("stopped") / 2 + 4 * ratio;
    brush.rect((x1 + x2) / 2 - half, top + height / 2 - 9 * ratio, 2 * half, 18 * ratio, colours.card, 4);
    brush.text("stopped", (x1 + x2) / 2, top + height / 2, colours.low);
  }
}
