import uPlot from "uplot";
import { DAY, HOUR } from "../times.ts";
import { Brush } from "./brush.ts";
import { type Colours, readColours } from "./colours.ts";
import type { CurveParts } from "./curve-parts.ts";
import { drawGlucose, drawUnder } from "./draw-glucose.ts";
import { drawInsulin } from "./draw-insulin.ts";
import { glucoseScale, lanesOf } from "./lanes.ts";
import { fitPlot, glucoseAxis, glucoseLevels, plainAxis, plainPlot } from "./plot-style.ts";
import { curveOf } from "./stretches.ts";

const LOWEST_MGDL = 40;
const LEAST_TOP_MGDL = 250;
const MARK_STEPS = [HOUR / 2, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
const LABEL_PX = 62;
/** A little of the future, so that the newest reading does not stick to the edge. */
export const FUTURE_SHARE = 0.03;

/** The curve with everything that belongs to its time. */
export class CurvePlot {
  readonly plot: uPlot;
  readonly #target: HTMLElement;
  #parts: CurveParts;
  #colours: Colours;

  constructor(target: HTMLElement, parts: CurveParts) {
    this.#target = target;
    this.#parts = parts;
    this.#colours = readColours(target);
    this.plot = new uPlot(this.#options(), curveOf(parts.view.glucose), target);
    this.#drawLaidOut();
  }

  set(parts: CurveParts): void {
    const before = this.#parts;
    this.#parts = parts;
    if (parts.view !== before.view) this.plot.setData(curveOf(parts.view.glucose), false);
    this.#drawAll();
    if (parts.unit !== before.unit || parts.times !== before.times || parts.limits !== before.limits) this.plot.redraw(false, true);
  }

  /** The theme is another one. */
  recolour(): void {
    this.#colours = readColours(this.#target);
    this.plot.redraw(false, true);
  }

  resize(): void {
    fitPlot(this.plot, this.#target);
    this.#drawLaidOut();
  }

  /** CSS pixels within the plotting area. */
  placeOf(atMs: number, mgdl: number): { x: number; y: number; width: number } {
    return { x: this.plot.valToPos(atMs, "x"), y: this.plot.valToPos(mgdl, "y"), width: this.plot.over.clientWidth };
  }

  destroy(): void {
    this.plot.destroy();
  }

  /** The lanes need the height of the plot, which is known when the plot has laid itself out: behind this turn. */
  #drawLaidOut(): void {
    queueMicrotask(() => queueMicrotask(() => this.#drawAll()));
  }

  #drawAll(): void {
    const { fromMs, toMs } = this.#parts;
    this.plot.setScale("x", { min: fromMs, max: toMs + (toMs - fromMs) * FUTURE_SHARE });
  }

  get #brush(): Brush {
    return new Brush(this.plot.ctx, this.#colours, uPlot.pxRatio);
  }

  #options(): uPlot.Options {
    const colours = (): Colours => this.#colours;
    return {
      ...plainPlot(this.#target),
      padding: [4, 18, 0, 0],
      scales: {
        x: { time: false },
        y: { range: (plot) => glucoseScale(plot, LOWEST_MGDL, this.#top(), uPlot.pxRatio) },
      },
      axes: [
        {
          ...plainAxis(colours, 44),
          splits: (plot, _axis, min, max) => this.#marks(plot, min, max),
          values: (_plot, splits) => splits.map((at, i) => this.#label(at, i === 0 && !this.#isMidnight(splits[1] ?? 0))),
        },
        glucoseAxis(
          colours,
          () => this.#parts.unit,
          () => this.#levels(),
        ),
      ],
      series: [{}, { stroke: () => this.#colours.faint, width: 1.5, points: { show: false }, spanGaps: false }],
      hooks: {
        drawClear: [(plot) => drawUnder(this.#brush, plot, lanesOf(plot, uPlot.pxRatio), this.#parts)],
        draw: [
          (plot) => {
            const lanes = lanesOf(plot, uPlot.pxRatio);
            drawInsulin(this.#brush, plot, lanes, this.#parts);
            drawGlucose(this.#brush, plot, lanes, this.#parts);
          },
        ],
      },
    };
  }

  /** mg/dL: all that is there, and the limits with some air. */
  #top(): number {
    const { view, limits } = this.#parts;
    const values = view.glucose.map(([, mgdl, cause]) => mgdl ?? (cause === "above_range" ? 400 : 0));
    const high = limits?.high.map(({ mgdl }) => (mgdl ?? 0) + 20) ?? [];
    const most = Math.max(LEAST_TOP_MGDL, ...values.map((mgdl) => mgdl + 12), ...high);
    return Math.min(420, Math.ceil(most / 10) * 10);
  }

  #levels(): number[] {
    const top = this.#top();
    return glucoseLevels(this.#parts.unit, top, top > 300 ? 4 : 2);
  }

  #marks(plot: uPlot, min: number, max: number): number[] {
    const most = Math.max(2, Math.floor(plot.over.clientWidth / LABEL_PX));
    const step = MARK_STEPS.find((ms) => (max - min) / ms <= most) ?? DAY;
    return this.#parts.times.marks(min, max, step);
  }

  /** The day stands below its midnight, and below the first mark. */
  #label(at: number, isFirst: boolean): string {
    const { times } = this.#parts;
    return isFirst || this.#isMidnight(at) ? `${times.clock(at)}\n${times.day(at)}` : times.clock(at);
  }

  #isMidnight(at: number): boolean {
    return Math.round(this.#parts.times.minuteOfDay(at)) % (24 * 60) === 0;
  }
}
