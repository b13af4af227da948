import uPlot from "uplot";
import { HIGH_MGDL, LOW_MGDL, type PageSummary } from "../../../src/web/page-data.ts";
import { clockText } from "../times.ts";
import type { Unit } from "../words.ts";
import { Brush } from "./brush.ts";
import { type Colours, readColours } from "./colours.ts";
import { fitPlot, glucoseAxis, glucoseLevels, plainAxis, plainPlot } from "./plot-style.ts";

export interface ProfileParts {
  readonly summary: PageSummary;
  readonly unit: Unit;
  readonly hours24: boolean;
}

const DAY_MIN = 24 * 60;
const LEAST_TOP_MGDL = 250;

/** The day that the weeks have in common: the middle of the values at each time of day, and how far they spread. */
export class ProfilePlot {
  readonly plot: uPlot;
  readonly #target: HTMLElement;
  #parts: ProfileParts;
  #colours: Colours;

  constructor(target: HTMLElement, parts: ProfileParts) {
    this.#target = target;
    this.#parts = parts;
    this.#colours = readColours(target);
    this.plot = new uPlot(this.#options(), this.#data(), target);
  }

  set(parts: ProfileParts): void {
    this.#parts = parts;
    this.plot.setData(this.#data(), true);
  }

  recolour(): void {
    this.#colours = readColours(this.#target);
    this.plot.redraw(true, true);
  }

  resize(): void {
    fitPlot(this.plot, this.#target);
  }

  destroy(): void {
    this.plot.destroy();
  }

  /** The last quarter of an hour leads to midnight again. */
  #data(): uPlot.AlignedData {
    const { slots } = this.#parts.summary;
    const closed = [...slots.map(({ minute }) => minute), DAY_MIN];
    const of = (i: number): (number | null)[] => [...slots, slots[0]].map((slot) => slot?.percentiles?.[i] ?? null);
    return [closed, of(0), of(1), of(2), of(3), of(4)];
  }

  get #top(): number {
    const values = this.#parts.summary.slots.map(({ percentiles }) => percentiles?.[4] ?? 0);
    return Math.min(420, Math.ceil((Math.max(LEAST_TOP_MGDL, ...values) + 10) / 10) * 10);
  }

  #options(): uPlot.Options {
    const colours = (): Colours => this.#colours;
    const edge = (): uPlot.Series => ({ stroke: "transparent", width: 0, points: { show: false } });
    return {
      ...plainPlot(this.#target, { leastHeight: 160 }),
      padding: [8, 22, 0, 0],
      scales: { x: { time: false, range: [0, DAY_MIN] }, y: { range: () => [40, this.#top] } },
      axes: [
        {
          ...plainAxis(colours, 30),
          splits: (plot) => this.#hours(plot),
          values: (_plot, splits) => splits.map((minute) => clockText(minute % DAY_MIN, this.#parts.hours24)),
        },
        glucoseAxis(
          colours,
          () => this.#parts.unit,
          () => glucoseLevels(this.#parts.unit, this.#top),
        ),
      ],
      series: [{}, edge(), edge(), { stroke: () => this.#colours.ink, width: 2.5, points: { show: false } }, edge(), edge()],
      bands: [
        { series: [5, 4], fill: () => this.#colours.most },
        { series: [4, 3], fill: () => this.#colours.half },
        { series: [3, 2], fill: () => this.#colours.half },
        { series: [2, 1], fill: () => this.#colours.most },
      ],
      hooks: { drawClear: [(plot) => this.#drawRange(plot)] },
    };
  }

  #hours(plot: uPlot): number[] {
    const every = plot.over.clientWidth < 420 ? 6 : 3;
    return Array.from({ length: 24 / every + 1 }, (_, i) => i * every * 60);
  }

  #drawRange(plot: uPlot): void {
    const brush = new Brush(plot.ctx, this.#colours, uPlot.pxRatio);
    const { left, width } = plot.bbox;
    const [y1, y2] = [plot.valToPos(HIGH_MGDL, "y", true), plot.valToPos(LOW_MGDL, "y", true)];
    brush.rect(left, y1, width, y2 - y1, this.#colours.band);
    for (const y of [y1, y2])
      brush.line(
        [
          [left, y],
          [left + width, y],
        ],
        this.#colours["in-range"],
        0.75,
        [2, 3],
      );
  }
}
