import type { GlucosePoint } from "../store/view.ts";

/**
 * At most about `most` points of a curve: of each stretch of time the first, the lowest, the highest and the last, so that no low, no high and no
 * gap disappears. Points without a value stay as one for each cause.
 */
export function thin(points: readonly GlucosePoint[], most: number): readonly GlucosePoint[] {
  if (points.length <= most) return points;
  const buckets = Math.max(1, Math.floor(most / 4));
  const [fromMs, toMs] = [points[0]!.atMs, points.at(-1)!.atMs];
  const widthMs = (toMs - fromMs + 1) / buckets;
  const kept = new Set<GlucosePoint>();
  let bucket: GlucosePoint[] = [];
  let index = 0;
  const close = (): void => {
    const valued = bucket.filter(({ mgdl }) => mgdl !== undefined);
    if (valued.length > 0) {
      const by = (better: (a: number, b: number) => boolean): GlucosePoint =>
        valued.reduce((best, point) => (better(point.mgdl!, best.mgdl!) ? point : best));
      for (const point of [valued[0]!, by((a, b) => a < b), by((a, b) => a > b), valued.at(-1)!]) kept.add(point);
    }
    const causes = new Set<string | undefined>();
    for (const point of bucket) {
      if (point.mgdl !== undefined || causes.has(point.cause)) continue;
      causes.add(point.cause);
      kept.add(point);
    }
    bucket = [];
  };
  for (const point of points) {
    const at = Math.floor((point.atMs - fromMs) / widthMs);
    if (at !== index) {
      close();
      index = at;
    }
    bucket.push(point);
  }
  close();
  return points.filter((point) => kept.has(point));
}
