import { type CgmMeasurement, glucoseOf, trendOf } from "../cgm/measurement.ts";
import type { CgmStateNames } from "../cgm/octets.ts";
import { addSeconds, type LocalDateTime, secondsBetween } from "../data/date-time.ts";
import { formatTrend, toMmolPerLitre, trendArrows } from "../data/glucose.ts";

/** A value of that age must be shown as old. Readings come every five minutes. */
export const STALE_AFTER_MS = 10 * 60_000;

interface ReadingBase {
  /** Minutes since the sensor's session began; a smaller one than before is a new session. */
  readonly timeOffsetMin: number;
  /** When the sensor took it, as the pump's display tells time; undefined without a known session start. */
  readonly takenAt: LocalDateTime | undefined;
  /** The same on this program's clock, never after `receivedAtMs`; undefined without the pump's clock. */
  readonly takenAtMs: number | undefined;
  readonly receivedAtMs: number;
  readonly state: CgmStateNames;
  /** As the pump sends it: 10 when all is well. The scale is not known. */
  readonly quality: number | undefined;
}

/** A glucose value. For information only: this is no medical device, and no dose may be based on it. */
export interface GlucoseReading extends ReadingBase {
  readonly kind: "reading";
  readonly mgdl: number;
  /** As the pump's display rounds it. */
  readonly mmolPerLitre: number;
  /** mg/dL a minute; undefined when the pump gives none. */
  readonly trendMgdlPerMin: number | undefined;
  /** −3 to 3; 0 is steady, undefined unknown. */
  readonly arrows: number | undefined;
}

/** The newest record has no value to show: warming up, sensor updating, out of range. */
export interface NoGlucoseValue extends ReadingBase {
  readonly kind: "no-value";
}

/** What asking for the latest reading gives. "no-sensor" is no error: no sensor session runs. */
export type LatestGlucose = GlucoseReading | NoGlucoseValue | NoSensor;

/** No sensor session runs. */
export interface NoSensor {
  readonly kind: "no-sensor";
  readonly receivedAtMs: number;
  /** False: the pump offers no glucose at all, sensor or not. */
  readonly isOffered?: false | undefined;
}

/** What is known of the pump's times when a record is turned into a reading. */
export interface ReadingTimes {
  readonly receivedAtMs: number;
  readonly sessionStart: LocalDateTime | undefined;
  /** The pump's clock, and when on ours it was read. */
  readonly pumpClock: { readonly local: LocalDateTime; readonly atMs: number } | undefined;
}

/**
 * When, on this program's clock, a record was taken by what the pump said of its times; undefined without them. It may be after the record was
 * received, where the pump's clock was set or the record is of another session.
 */
export function claimedAtMs({ timeOffsetMin }: CgmMeasurement, { sessionStart, pumpClock }: ReadingTimes): number | undefined {
  const takenAt = sessionStart && addSeconds(sessionStart, 60 * timeOffsetMin);
  return takenAt && pumpClock && pumpClock.atMs + 1000 * secondsBetween(pumpClock.local, takenAt);
}

export function readingOf(measurement: CgmMeasurement, times: ReadingTimes): GlucoseReading | NoGlucoseValue {
  const { timeOffsetMin } = measurement;
  const { receivedAtMs, sessionStart } = times;
  const claimedMs = claimedAtMs(measurement, times);
  const base: ReadingBase = {
    timeOffsetMin,
    takenAt: sessionStart && addSeconds(sessionStart, 60 * timeOffsetMin),
    // Who took it for younger than it is would never see it grow old.
    takenAtMs: claimedMs === undefined ? undefined : Math.min(claimedMs, receivedAtMs),
    receivedAtMs,
    state: measurement.names,
    quality: measurement.quality?.value,
  };
  const mgdl = glucoseOf(measurement);
  if (mgdl === undefined) return { kind: "no-value", ...base };
  const trendMgdlPerMin = trendOf(measurement);
  return {
    kind: "reading",
    ...base,
    mgdl,
    mmolPerLitre: toMmolPerLitre(mgdl),
    trendMgdlPerMin,
    arrows: trendMgdlPerMin === undefined ? undefined : trendArrows(trendMgdlPerMin),
  };
}

/** Milliseconds since the sensor took it, never less than 0; undefined when the pump's clock is not known. */
export function ageMs(reading: GlucoseReading | NoGlucoseValue, nowMs: number): number | undefined {
  return reading.takenAtMs === undefined ? undefined : Math.max(0, nowMs - reading.takenAtMs);
}

/** Older than ten minutes, or held so long that it must be. */
export function isStale(reading: GlucoseReading | NoGlucoseValue, nowMs: number): boolean {
  return (ageMs(reading, nowMs) ?? nowMs - reading.receivedAtMs) > STALE_AFTER_MS;
}

/** "142 mg/dL (7.9 mmol/L) ↑, 3 min old", or in words why there is no value. */
export function formatGlucose(latest: LatestGlucose, nowMs: number): string {
  if (latest.kind === "no-sensor") return latest.isOffered === false ? "not offered by the pump" : "no sensor session is running";
  const age = ageMs(latest, nowMs);
  const ageText = age === undefined ? "age unknown" : age < 60_000 ? "less than a minute old" : `${Math.floor(age / 60_000)} min old`;
  const stale = isStale(latest, nowMs) ? ", stale" : "";
  if (latest.kind === "no-value") return `no value to show, record ${ageText}${stale}`;
  const trend = formatTrend(latest.trendMgdlPerMin);
  return `${latest.mgdl} mg/dL (${latest.mmolPerLitre.toFixed(1)} mmol/L)${trend && ` ${trend}`}, ${ageText}${stale}`;
}
