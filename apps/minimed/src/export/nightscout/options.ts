import { ArgumentError, checkBoolean, checkChoice, checkInteger, checkMilliseconds, checkOptions, kindOf, optionNames } from "jelling/core";

/** Names no person's device; it stays, since it is part of what documents are known by. */
export const DEVICE = "jelling://780G";
export const ENTERED_BY = "jelling";

/** What becomes of what the pump tells. */
export interface NightscoutMapping {
  /** Arrows by the rate of change, as the uploaders of other sensors name them (default), or one step steeper as the pump's display has them. */
  readonly directions?: "rate" | "arrows" | undefined;
  /**
   * Glucose below 50 or above 400 mg/dL has no number. "note" (default): a note at the beginning of each such time; "value": 39 and 401, which the
   * site shows as LOW and HIGH, and its alarms and statistics take for values; "none".
   */
  readonly limits?: "note" | "value" | "none" | undefined;
  /** What the closed loop gives, as temporary basal rates: equal ones in pieces of up to half an hour (default), each by itself, or not at all. */
  readonly microBoluses?: "merged" | "single" | "none" | undefined;
  /** A fingerstick that calibrated the sensor: as a BG Check like any other (default), as an entry `mbg`, or both. */
  readonly calibrations?: "bg_check" | "mbg" | "both" | undefined;
  /** What a change of the infusion set sets back; the pump's status cannot tell it from a change of the reservoir. Both by default. */
  readonly siteChange?: "both" | "site" | "insulin" | "none" | undefined;
  /** A Sensor Change beside each Sensor Start. */
  readonly sensorChange?: boolean | undefined;
  /** A Pump Battery Change when an alert about the battery is cleared: a guess. */
  readonly batteryChange?: boolean | undefined;
  /** Notes when SmartGuard begins and ends; true by default. */
  readonly loop?: boolean | undefined;
  /** Codes of alerts that are sent as notes; none by default. */
  readonly alerts?: "all" | readonly number[] | undefined;
  /** Codes of alerts that are sent as announcements, which the site pushes to its followers; none by default. */
  readonly announcements?: readonly number[] | undefined;
}

export interface NightscoutDocumentOptions extends NightscoutMapping {
  /** The store's name of the pump (`RecordRef.pump`): part of the identifiers of what no record names. */
  readonly pump: string;
  /** UTC: what lasts is told up to here. */
  readonly nowMs: number;
  /** For Nocturne: Suspend Pump and Resume Pump too. */
  readonly nocturne?: boolean | undefined;
}

export const MAPPING_NAMES = {
  directions: true,
  limits: true,
  microBoluses: true,
  calibrations: true,
  siteChange: true,
  sensorChange: true,
  batteryChange: true,
  loop: true,
  alerts: true,
  announcements: true,
} as const;
const MAPPING = optionNames<NightscoutMapping>(MAPPING_NAMES);
const OPTIONS = optionNames<NightscoutDocumentOptions>({ ...MAPPING_NAMES, pump: true, nowMs: true, nocturne: true });

export interface CheckedMapping {
  readonly directions: "rate" | "arrows";
  readonly limits: "note" | "value" | "none";
  readonly microBoluses: "merged" | "single" | "none";
  readonly calibrations: "bg_check" | "mbg" | "both";
  readonly siteChange: "both" | "site" | "insulin" | "none";
  readonly sensorChange: boolean;
  readonly batteryChange: boolean;
  readonly loop: boolean;
  readonly alerts: "all" | ReadonlySet<number>;
  readonly announcements: ReadonlySet<number>;
}

export interface CheckedDocumentOptions extends CheckedMapping {
  readonly pump: string;
  readonly nowMs: number;
  readonly nocturne: boolean;
  readonly device: string;
  readonly enteredBy: string;
}

/** @throws {ArgumentError} */
export function checkMapping(what: string, mapping: NightscoutMapping = {}, names: ReadonlySet<string> = MAPPING): CheckedMapping {
  checkOptions(what, mapping, names);
  const choice = <T extends string>(name: keyof NightscoutMapping, choices: readonly [T, ...T[]]): T =>
    mapping[name] === undefined ? choices[0] : checkChoice(`${what}: ${name}`, mapping[name], choices);
  for (const name of ["sensorChange", "batteryChange", "loop"] as const) checkBoolean(`${what}: ${name}`, mapping[name]);
  const { alerts = [], announcements = [] } = mapping;
  return {
    directions: choice("directions", ["rate", "arrows"]),
    limits: choice("limits", ["note", "value", "none"]),
    microBoluses: choice("microBoluses", ["merged", "single", "none"]),
    calibrations: choice("calibrations", ["bg_check", "mbg", "both"]),
    siteChange: choice("siteChange", ["both", "site", "insulin", "none"]),
    sensorChange: mapping.sensorChange ?? false,
    batteryChange: mapping.batteryChange ?? false,
    loop: mapping.loop ?? true,
    alerts: alerts === "all" ? "all" : checkedCodes(`${what}: alerts`, alerts),
    announcements: checkedCodes(`${what}: announcements`, announcements),
  };
}

/** @throws {ArgumentError} */
function checkedCodes(what: string, codes: readonly number[]): ReadonlySet<number> {
  if (!Array.isArray(codes)) throw new ArgumentError(`${what}: expected an array of codes, got ${kindOf(codes)}`);
  return new Set(codes.map((code: unknown) => checkInteger(what, code, 0, 0xffff)));
}

/** The store's name of a pump: that it is a hash, and so no serial number, shows in its form. @throws {ArgumentError} */
export function checkPump(what: string, pump: unknown): string {
  if (typeof pump !== "string" || !/^[0-9a-f]{16}$/.test(pump))
    throw new ArgumentError(`${what}: pump: expected the store's name of it, 16 hexadecimal digits, got ${kindOf(pump)}`);
  return pump;
}

/** @throws {ArgumentError} */
export function checkDocumentOptions(what: string, options: NightscoutDocumentOptions): CheckedDocumentOptions {
  const mapping = checkMapping(what, options ?? null, OPTIONS);
  checkBoolean(`${what}: nocturne`, options.nocturne);
  return {
    ...mapping,
    pump: checkPump(what, options.pump),
    nowMs: checkMilliseconds(`${what}: nowMs`, options.nowMs, 0, 8_640_000_000_000_000),
    nocturne: options.nocturne ?? false,
    device: DEVICE,
    enteredBy: ENTERED_BY,
  };
}
