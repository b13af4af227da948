import { GAP_MS, type PagePoint } from "../../../src/web/page-data.ts";

/** A time without values. `cause` is what the pump said of it, where it said one thing. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly cause: PagePoint[2];
}

const BEYOND = new Set<PagePoint[2]>(["below_range", "above_range"]);

/** Points that stand for something on the curve: a value, or one beyond what the sensor measures. */
export function isShown([, mgdl, cause]: PagePoint): boolean {
  return mgdl !== null || BEYOND.has(cause);
}

/**
 * Where nothing was measured for longer than two readings take. A line never crosses these.
 *
 * @param endMs the present, or the end of what is shown: what is missing until then is missing too
 */
export function gapsOf(points: readonly PagePoint[], startMs: number, endMs: number): Stretch[] {
  const gaps: Stretch[] = [];
  let lastMs: number | undefined;
  let causes = new Set<PagePoint[2]>();
  const close = (toMs: number): void => {
    const fromMs = lastMs ?? startMs;
    if (toMs - fromMs > GAP_MS) gaps.push({ fromMs, toMs, cause: causes.size === 1 ? [...causes][0]! : null });
    causes = new Set();
  };
  for (const point of points) {
    if (!isShown(point)) {
      causes.add(point[2]);
      continue;
    }
    close(point[0]);
    lastMs = point[0];
  }
  close(endMs);
  return gaps;
}

/** The curve as a plot takes it, with a hole in the middle of every gap. */
export function curveOf(points: readonly PagePoint[]): [number[], (number | null)[]] {
  const times: number[] = [];
  const values: (number | null)[] = [];
  let lastMs: number | undefined;
  for (const point of points) {
    if (!isShown(point)) continue;
    const [atMs, mgdl, cause] = point;
    if (lastMs !== undefined && atMs - lastMs > GAP_MS) {
      times.push((lastMs + atMs) / 2);
      values.push(null);
    }
    times.push(atMs);
    values.push(mgdl ?? endOf(cause));
    lastMs = atMs;
  }
  return [times, values];
}

/** Where a value beyond what the sensor measures is drawn: at the end of what it measures. */
export function endOf(cause: PagePoint[2]): number {
  return cause === "above_range" ? 400 : 50;
}
