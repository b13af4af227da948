import type uPlot from "uplot";
import { glucoseText, type Unit } from "../words.ts";
import type { Colours } from "./colours.ts";

const MMOL = 18.0182;
const LEAST_PX = 200;

/** What the plots of the page have in common: size, and nothing to hover or select. */
export function plainPlot(target: HTMLElement, { leastHeight = LEAST_PX }: { readonly leastHeight?: number } = {}) {
  const { width, height } = target.getBoundingClientRect();
  return {
    width: Math.max(LEAST_PX, Math.floor(width)),
    height: Math.max(leastHeight, Math.floor(height)),
    cursor: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    legend: { show: false },
  } satisfies Partial<uPlot.Options>;
}

/** An axis with a grid; `colours` are asked for whenever it is drawn. */
export function plainAxis(colours: () => Colours, size: number) {
  return {
    stroke: () => colours().soft,
    font: '500 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
    size,
    gap: 6,
    grid: { stroke: () => colours().grid, width: 1 },
    ticks: { show: false },
  } satisfies uPlot.Axis;
}

/** The axis of glucose values, at round ones of the unit. */
export function glucoseAxis(colours: () => Colours, unit: () => Unit, levels: () => number[]): uPlot.Axis {
  return {
    ...plainAxis(colours, 40),
    splits: levels,
    values: (_plot, splits) => splits.map((mgdl) => glucoseText(mgdl, unit()).replace(/\.0$/, "")),
  };
}

/** mg/dL, of round values up to `top`: each 50 mg/dL, or so many mmol/L from 4 on. */
export function glucoseLevels(unit: Unit, top: number, stepMmol = 2): number[] {
  const [first, every] = unit === "mg/dL" ? [50, 50] : [4 * MMOL, stepMmol * MMOL];
  const levels: number[] = [];
  for (let level = first; level <= top; level += every) levels.push(level);
  return levels;
}

/** Makes the plot as large as its place; one that is not shown keeps its size. */
export function fitPlot(plot: uPlot, target: HTMLElement): void {
  const { width, height } = target.getBoundingClientRect();
  if (width > 0 && height > 0) plot.setSize({ width: Math.floor(width), height: Math.floor(height) });
}
