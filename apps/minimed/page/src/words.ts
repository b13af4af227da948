import { toMmolPerLitre, trendArrows } from "../../src/data/glucose.ts";
import type { NoGlucoseCause } from "../../src/store/causes.ts";
import { HIGH_MGDL, LOW_MGDL, type PageLimit, type PageState, VERY_HIGH_MGDL, VERY_LOW_MGDL } from "../../src/web/page-data.ts";

export type Unit = "mg/dL" | "mmol/L";
export type Zone = "very-low" | "low" | "in-range" | "high" | "very-high";

export function glucoseText(mgdl: number, unit: Unit): string {
  return unit === "mg/dL" ? String(Math.round(mgdl)) : toMmolPerLitre(mgdl).toFixed(1);
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A difference, with its sign. */
export function differenceText(mgdl: number, unit: Unit): string {
  const size = unit === "mg/dL" ? String(Math.abs(Math.round(mgdl))) : (Math.abs(mgdl) / 18.0182).toFixed(1);
  return `${mgdl < 0 ? "−" : "+"}${size}`;
}

/** Limits in force at a minute of the pump's day; the usual ones where the pump has said none, or has them switched off. */
export function limitsAt(limits: PageState["limits"] | undefined, minute: number): { low: number; high: number } {
  const at = (blocks: readonly PageLimit[] | undefined): number | null =>
    blocks?.find(({ fromMin, toMin }) => minute >= fromMin && minute < toMin)?.mgdl ?? null;
  return { low: at(limits?.low) ?? LOW_MGDL, high: at(limits?.high) ?? HIGH_MGDL };
}

export function zoneOf(mgdl: number, { low, high }: { low: number; high: number }): Zone {
  if (mgdl < low) return mgdl < VERY_LOW_MGDL ? "very-low" : "low";
  if (mgdl > high) return mgdl > VERY_HIGH_MGDL ? "very-high" : "high";
  return "in-range";
}

/** "In range" is what everybody counts by, 70 to 180 mg/dL; a pump's own alert limits are other ones. */
export function zoneText(mgdl: number, limits: { low: number; high: number }): string {
  const zone = zoneOf(mgdl, limits);
  return zone === "in-range" && (limits.low !== LOW_MGDL || limits.high !== HIGH_MGDL) ? "within limits" : ZONE_WORDS[zone];
}

const ZONE_WORDS: Readonly<Record<Zone, string>> = {
  "very-low": "very low",
  low: "low",
  "in-range": "in range",
  high: "high",
  "very-high": "very high",
};

export function trendWords(mgdlPerMinute: number): string {
  const arrows = trendArrows(mgdlPerMinute);
  if (arrows === 0) return "steady";
  return `${arrows > 0 ? "rising" : "falling"}${["", "", " fast", " very fast"][Math.abs(arrows)]}`;
}

export const CAUSE_WORDS: Readonly<Record<NoGlucoseCause, string>> = {
  below_range: "below what the sensor measures",
  above_range: "above what the sensor measures",
  warm_up: "sensor warming up",
  updating: "sensor updating",
  calibration_required: "calibration required",
  signal_lost: "sensor signal lost",
  change_sensor: "change sensor",
  no_sensor: "no sensor",
  unknown: "no value",
};

/** What the pump's alarms say, by their code, as far as they are known. */
const ALARMS: Readonly<Record<number, string>> = {
  7: "No delivery: insulin flow blocked",
  8: "Device fault",
  51: "Bolus stopped",
  71: "Maximum fill reached",
  72: "Maximum fill reached",
  84: "Insert battery",
  100: "Bolus not delivered",
  103: "Check glucose after bolus",
  104: "Low pump battery",
  105: "Low reservoir",
  106: "Low reservoir",
  108: "Reminder",
  109: "Change the infusion set",
  113: "Reservoir empty",
  117: "Active insulin cleared",
  775: "Calibrate now",
  776: "Calibration not accepted",
  777: "Change sensor",
  778: "Change sensor",
  780: "Lost sensor signal",
  786: "No calibration occurred",
  789: "Change sensor",
  794: "Sensor expired",
  798: "Sensor connected",
  801: "Sensor error",
  802: "Low glucose",
  803: "Low glucose: delivery suspended",
  805: "Alert before low",
  807: "Delivery resumed",
  809: "Low glucose: delivery suspended",
  810: "Suspended before low",
  811: "Suspended before low",
  814: "Suspension timed out",
  815: "Delivery resumed by hand",
  816: "High glucose",
  817: "High glucose",
  819: "Left SmartGuard: high glucose",
  820: "Left SmartGuard",
  821: "SmartGuard at minimum delivery",
  822: "SmartGuard at maximum delivery",
  826: "SmartGuard off",
  827: "Severe low glucose",
  831: "SmartGuard: calibration timed out",
  833: "Bolus recommended by the pump",
  836: "High glucose for 3 hours",
  837: "Calibration recommended",
  843: "First calibration successful",
  844: "Early calibration",
  869: "Reminder to calibrate",
};
const LOW_ALARMS = new Set([802, 803, 805, 809, 810, 811, 827]);
const HIGH_ALARMS = new Set([816, 817, 819, 836]);

export function alarmText(code: number | null, name?: string | null): string {
  if (code === null) return "Alarm";
  return ALARMS[code] ?? (name ? name.replaceAll("_", " ") : `Alarm ${code}`);
}

export function alarmKind(code: number | null): "low" | "high" | "other" {
  if (code === null) return "other";
  return LOW_ALARMS.has(code) ? "low" : HIGH_ALARMS.has(code) ? "high" : "other";
}

const REASONS: Readonly<Record<string, string>> = { set_date_time: "clock set", date_time_loss: "clock lost" };
export function clockChangeText(reason: string): string {
  return REASONS[reason] ?? "clock changed";
}

/** "2.4"; hundredths where there are any. */
export function iuText(iu: number): string {
  const text = iu.toFixed(iu < 1 ? 3 : 2).replace(/0+$/, "");
  return text.endsWith(".") ? text.slice(0, -1) : text;
}

export function amountText(iu: number): string {
  return `${iuText(iu)} U`;
}
