import { trendArrows } from "../../data/glucose.ts";
import type { GlucosePoint, RecordRef, TherapyView, TimeRange } from "../../store/view.ts";
import type { ItemMaker, NightscoutItem, Origin } from "./items.ts";
import { secondOf, stamp } from "./items.ts";

/** A reading within this of another one of the same pump is the same sample, told live and by the history. */
export const SAME_SAMPLE_MS = 150_000;
/** Readings further apart than this belong to different times out of range. */
const EPISODE_MS = 16 * 60_000;
/** Below it the site takes values for error codes, above it for HIGH. */
const LOWEST_MGDL = 39;
const HIGHEST_MGDL = 400;

interface Direction {
  readonly direction: string;
  readonly trend?: number;
}

/** By rate, mg/dL a minute, as the uploaders of other sensors have it. */
function directionOfRate(rate: number): Direction {
  if (Math.abs(rate) > 40) return { direction: "RATE OUT OF RANGE", trend: 9 };
  if (rate > 3.5) return { direction: "DoubleUp", trend: 1 };
  if (rate > 2) return { direction: "SingleUp", trend: 2 };
  if (rate > 1) return { direction: "FortyFiveUp", trend: 3 };
  if (rate > -1) return { direction: "Flat", trend: 4 };
  if (rate > -2) return { direction: "FortyFiveDown", trend: 5 };
  if (rate > -3.5) return { direction: "SingleDown", trend: 6 };
  return { direction: "DoubleDown", trend: 7 };
}

const ARROWS: Readonly<Record<number, string>> = {
  [-3]: "TripleDown",
  [-2]: "DoubleDown",
  [-1]: "SingleDown",
  0: "Flat",
  1: "SingleUp",
  2: "DoubleUp",
  3: "TripleUp",
};

/** The site never computes it; undefined where the pump gave no trend. */
export function directionOf(rate: number | undefined, convention: "rate" | "arrows"): Direction | undefined {
  if (rate === undefined || !Number.isFinite(rate)) return undefined;
  return convention === "rate" ? directionOfRate(rate) : { direction: ARROWS[trendArrows(rate)]! };
}

const originOf = (point: GlucosePoint): Origin => (point.ref ? { ref: point.ref } : { time: String(Math.round(point.atMs)) });

/** Entries of type `sgv`, and notes for what has no number. */
export function glucoseItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const { limits, directions } = maker.options;
  const items: NightscoutItem[] = [];
  let previous: GlucosePoint | undefined;
  const points = withoutDoubles(view.glucose({ fromMs: range.fromMs - EPISODE_MS, toMs: range.toMs + SAME_SAMPLE_MS }));
  for (const point of points) {
    const isInRange = point.atMs >= range.fromMs && point.atMs < range.toMs;
    const isFirst = !previous || previous.cause !== point.cause || point.atMs - previous.atMs > EPISODE_MS;
    previous = point;
    if (!isInRange) continue;
    const mgdl = numberOf(point, limits);
    if (mgdl !== undefined)
      items.push(
        maker.entry(
          originOf(point),
          { kind: point.ref ? "sgv" : "sgv_live", atMs: point.atMs },
          { sgv: mgdl, ...directionOf(point.trendMgdlPerMin, directions), noise: 1 },
        ),
      );
    else if (limits === "note" && isFirst) items.push(...rangeNote(maker, point));
  }
  return items;
}

/** Whole mg/dL; undefined where there is nothing to send: a code, a zero, what cannot be. */
function numberOf({ mgdl, cause }: GlucosePoint, limits: "note" | "value" | "none"): number | undefined {
  if (mgdl !== undefined) {
    const whole = Math.round(mgdl);
    return whole >= LOWEST_MGDL && whole <= HIGHEST_MGDL ? whole : undefined;
  }
  if (limits !== "value") return undefined;
  if (cause === "below_range") return LOWEST_MGDL;
  return cause === "above_range" ? HIGHEST_MGDL + 1 : undefined;
}

function rangeNote(maker: ItemMaker, point: GlucosePoint): NightscoutItem[] {
  const text =
    point.cause === "below_range"
      ? "Sensor glucose below 50 mg/dL (2.8 mmol/L)"
      : point.cause === "above_range"
        ? "Sensor glucose above 400 mg/dL (22.2 mmol/L)"
        : undefined;
  if (text === undefined) return [];
  const kind = point.ref ? "range_note" : "range_note_live";
  const atMs = point.ref ? stamp(point.ref, point.atMs) : secondOf(point.atMs);
  return [maker.treatment(originOf(point), { kind, name: "range", atMs, eventType: "Note" }, { notes: text }, { isQuiet: true })];
}

/** Without live readings of samples that the history tells too. */
function withoutDoubles(points: readonly GlucosePoint[]): GlucosePoint[] {
  const records = points.filter((point) => point.ref);
  return points.filter((point) => point.ref || !records.some(({ atMs }) => Math.abs(atMs - point.atMs) <= SAME_SAMPLE_MS));
}

interface Fingerstick {
  readonly ref: RecordRef;
  readonly atMs: number;
  readonly mgdl: number;
  readonly calibration: "none" | "accepted" | "rejected";
}

/** A calibration is told of beside the fingerstick that it was made with. */
const SAME_FINGERSTICK_MS = 15 * 60_000;

/** BG Check, or `mbg` for calibrations, as asked for. One measurement is one document, unless both are wanted. */
export function fingerstickItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const all = view.bloodGlucose({ fromMs: range.fromMs - SAME_FINGERSTICK_MS, toMs: range.toMs + SAME_FINGERSTICK_MS });
  const isSame = (a: Fingerstick, b: Fingerstick): boolean =>
    Math.round(a.mgdl) === Math.round(b.mgdl) && Math.abs(a.atMs - b.atMs) <= SAME_FINGERSTICK_MS;
  const plain = all.filter(({ calibration }) => calibration === "none");
  const calibrating = all.filter(({ calibration }) => calibration !== "none");
  const asEntry = maker.options.calibrations !== "bg_check";
  const items: NightscoutItem[] = [];
  for (const fingerstick of all) {
    const { ref, atMs, calibration } = fingerstick;
    const mgdl = Math.round(fingerstick.mgdl);
    if (atMs < range.fromMs || atMs >= range.toMs || !(mgdl > 0)) continue;
    if (calibration === "accepted" && asEntry) items.push(maker.entry({ ref }, { kind: "mbg", atMs }, { mbg: mgdl }));
    // Of a measurement that the records tell twice the plain one speaks; in place of an entry there is none.
    const isToldByAnother =
      calibration === "none"
        ? maker.options.calibrations === "mbg" &&
          calibrating.some((other) => other.calibration === "accepted" && isSame(other, fingerstick))
        : plain.some((other) => isSame(other, fingerstick)) || (calibration === "accepted" && maker.options.calibrations === "mbg");
    if (isToldByAnother) continue;
    items.push(
      maker.treatment(
        { ref },
        { kind: "bg_check", name: "fingerstick", atMs: stamp(ref, atMs), eventType: "BG Check" },
        {
          glucose: mgdl,
          glucoseType: "Finger",
          units: "mg/dl",
          notes: calibration === "rejected" ? "not accepted as a calibration" : undefined,
        },
        // Where it would be told as an entry, it has to be known whether the sensor was calibrated with it.
        maker.options.calibrations === "mbg" && calibration === "none" && !maker.isSettled(atMs + SAME_FINGERSTICK_MS)
          ? { held: "open" }
          : {},
      ),
    );
  }
  return items;
}
