import type uPlot from "uplot";

const INSULIN_PX = 92;
const INSULIN_NARROW_PX = 76;
const MARKS_PX = 30;
const TOP_PX = 20;
const NARROW_PX = 520;

/** Where the glucose curve and the insulin below it are, in canvas pixels. They share one plot, one time and one cursor. */
export interface Lanes {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Of the curve. */
  readonly glucoseTop: number;
  readonly glucoseBottom: number;
  /** Between the two: what was eaten. */
  readonly marksY: number;
  readonly insulinTop: number;
}

export function lanesOf(plot: uPlot, ratio: number): Lanes {
  const { left, top, width, height } = plot.bbox;
  const insulin = insulinPx(plot) * ratio;
  const marks = MARKS_PX * ratio;
  return {
    left,
    right: left + width,
    top,
    bottom: top + height,
    glucoseTop: top + TOP_PX * ratio,
    glucoseBottom: top + height - insulin - marks,
    marksY: top + height - insulin - marks / 2,
    insulinTop: top + height - insulin,
  };
}

/** A scale for the whole height that puts the glucose values from `low` to `high` into their lane. */
export function glucoseScale(plot: uPlot, low: number, high: number, ratio: number): [number, number] {
  const height = plot.bbox.height / ratio;
  const lane = height - insulinPx(plot) - MARKS_PX - TOP_PX;
  if (lane <= 20) return [low, high]; // before the first layout
  const perPx = (high - low) / lane;
  return [low - (insulinPx(plot) + MARKS_PX) * perPx, high + TOP_PX * perPx];
}

function insulinPx(plot: uPlot): number {
  return plot.width < NARROW_PX ? INSULIN_NARROW_PX : INSULIN_PX;
}
