import uPlot from "uplot";
import { HIGH_MGDL, LOW_MGDL, type PageSummary } from "../../../src/web/page-data.ts";
import { clockText } from "../times.ts";
import { glucoseText, type Unit } from "../words.ts";
import { Brush } from "./brush.ts";
import { type Colours, readColours } from "./colours.ts";

export interface ProfileParts {
  readonly summary: PageSummary;
  readonly unit: Unit;
  readonly hours24: boolean;
}

const DAY_MIN = 24 * 60;
const MMOL = 18.0182;
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
    const { width, height } = this.#target.getBoundingClientRect();
    if (width > 0 && height > 0) this.plot.setSize({ width: Math.floor(width), height: Math.floor(height) });
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
    const { width, height } = this.#target.getBoundingClientRect();
    const colour = (name: keyof Colours) => (): string => this.#colours[name];
    const font = '500 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
    const edge = (): uPlot.Series => ({ stroke: "transparent", width: 0, points: { show: false } });
    return {
      width: Math.max(200, Math.floor(width)),
      height: Math.max(160, Math.floor(height)),
      padding: [8, 22, 0, 0],
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      legend: { show: false },
      scales: { x: { time: false, range: [0, DAY_MIN] }, y: { range: () => [40, this.#top] } },
      axes: [
        {
          stroke: colour("soft"),
          font,
          size: 30,
          gap: 6,
          grid: { stroke: colour("grid"), width: 1 },
          ticks: { show: false },
          splits: (plot) => this.#hours(plot),
          values: (_plot, splits) => splits.map((minute) => clockText(minute % DAY_MIN, this.#parts.hours24)),
        },
        {
          stroke: colour("soft"),
          font,
          size: 40,
          gap: 6,
          grid: { stroke: colour("grid"), width: 1 },
          ticks: { show: false },
          splits: () => this.#levels(),
          values: (_plot, splits) => splits.map((mgdl) => glucoseText(mgdl, this.#parts.unit).replace(/\.0$/, "")),
        },
      ],
      series: [{}, edge(), edge(), { stroke: colour("ink"), width: 2.5, points: { show: false } }, edge(), edge()],
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

  #levels(): number[] {
    const mgdl = this.#parts.unit === "mg/dL";
    const every = mgdl ? 50 : 2 * MMOL;
    const levels: number[] = [];
    for (let level = mgdl ? 50 : 4 * MMOL; level <= this.#top; level += every) levels.push(level);
    return levels;
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
