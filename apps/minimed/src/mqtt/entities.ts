import { NO_GLUCOSE_CAUSES } from "../store/causes.ts";

/** What a live value is good for; readings come every five minutes. Home Assistant then shows it as unavailable by itself. */
const LIVE_EXPIRY_S = 900;
/** Of what changes over days. It is sent again every few minutes as long as this program runs. */
const SLOW_EXPIRY_S = 86_400;

export const GLUCOSE_DIRECTIONS = [
  "none",
  "triple_up",
  "double_up",
  "single_up",
  "forty_five_up",
  "flat",
  "forty_five_down",
  "single_down",
  "double_down",
  "triple_down",
  "not_computable",
  "rate_out_of_range",
] as const;
export type GlucoseDirection = (typeof GLUCOSE_DIRECTIONS)[number];
export const GLUCOSE_STATES = ["ok", ...NO_GLUCOSE_CAUSES] as const;
export type GlucoseState = (typeof GLUCOSE_STATES)[number];
export const SMART_GUARD_STATES = ["manual", "auto", "safe_basal"] as const;
export type SmartGuardState = (typeof SMART_GUARD_STATES)[number];

interface Entity {
  readonly platform: "sensor" | "binary_sensor";
  readonly name: string;
  /**
   * "live" is unavailable without a pump in reach; "slow" stays; "link" tells of the link itself. None is retained: what is retained and what
   * expires exclude each other, since a broker would replay an old value as a fresh one.
   */
  readonly kind: "live" | "slow" | "link";
  readonly config: Readonly<Record<string, unknown>>;
}

const MEASURED = { state_class: "measurement" } as const;
const PERCENT = { device_class: "battery", unit_of_measurement: "%", ...MEASURED, entity_category: "diagnostic" } as const;
const INSTANT = { device_class: "timestamp" } as const;
const ON_OFF = { payload_on: "ON", payload_off: "OFF" } as const;
const choice = (options: readonly string[]) => ({ device_class: "enum", options });

/** Units and ids stay for ever: a change of either loses the user's statistics. */
export const ENTITIES = {
  glucose: {
    platform: "sensor",
    name: "Glucose",
    kind: "live",
    config: {
      device_class: "blood_glucose_concentration",
      unit_of_measurement: "mg/dL",
      ...MEASURED,
      suggested_display_precision: 0,
      force_update: true,
    },
  },
  glucose_mmol: {
    platform: "sensor",
    name: "Glucose (mmol/L)",
    kind: "live",
    config: {
      device_class: "blood_glucose_concentration",
      unit_of_measurement: "mmol/L",
      ...MEASURED,
      suggested_display_precision: 1,
      force_update: true,
    },
  },
  glucose_time: { platform: "sensor", name: "Glucose time", kind: "slow", config: { ...INSTANT } },
  glucose_trend: {
    platform: "sensor",
    name: "Glucose trend",
    kind: "live",
    config: { unit_of_measurement: "mg/dL/min", ...MEASURED, suggested_display_precision: 1 },
  },
  glucose_direction: { platform: "sensor", name: "Glucose direction", kind: "live", config: choice(GLUCOSE_DIRECTIONS) },
  glucose_state: { platform: "sensor", name: "Glucose state", kind: "live", config: choice(GLUCOSE_STATES) },
  iob: {
    platform: "sensor",
    name: "Insulin on board",
    kind: "live",
    config: { unit_of_measurement: "U", ...MEASURED, suggested_display_precision: 2 },
  },
  basal_rate: {
    platform: "sensor",
    name: "Basal rate",
    kind: "live",
    config: { unit_of_measurement: "U/h", ...MEASURED, suggested_display_precision: 2 },
  },
  suspended: { platform: "binary_sensor", name: "Delivery suspended", kind: "live", config: { ...ON_OFF } },
  smartguard: { platform: "sensor", name: "SmartGuard", kind: "live", config: choice(SMART_GUARD_STATES) },
  reservoir: {
    platform: "sensor",
    name: "Reservoir",
    kind: "slow",
    config: { unit_of_measurement: "U", ...MEASURED, suggested_display_precision: 0 },
  },
  pump_battery: { platform: "sensor", name: "Pump battery", kind: "slow", config: PERCENT },
  transmitter_battery: { platform: "sensor", name: "Transmitter battery", kind: "slow", config: PERCENT },
  sensor_ends: { platform: "sensor", name: "Sensor ends", kind: "slow", config: { ...INSTANT } },
  last_bolus: {
    platform: "sensor",
    name: "Last bolus",
    kind: "slow",
    config: { unit_of_measurement: "U", suggested_display_precision: 2 }, // one event, no measurement over time
  },
  last_bolus_time: { platform: "sensor", name: "Last bolus time", kind: "slow", config: { ...INSTANT } },
  last_alert: { platform: "sensor", name: "Last alert", kind: "slow", config: {} },
  last_alert_time: { platform: "sensor", name: "Last alert time", kind: "slow", config: { ...INSTANT } },
  connected: {
    platform: "binary_sensor",
    name: "Connected",
    kind: "link",
    config: { device_class: "connectivity", ...ON_OFF, entity_category: "diagnostic" },
  },
  last_contact: { platform: "sensor", name: "Last contact", kind: "slow", config: { ...INSTANT, entity_category: "diagnostic" } },
} as const satisfies Readonly<Record<string, Entity>>;

export type EntityId = keyof typeof ENTITIES;
export const ENTITY_IDS = Object.freeze(Object.keys(ENTITIES) as EntityId[]);

export function expiryOf({ kind }: { readonly kind: Entity["kind"] }): number {
  return kind === "slow" ? SLOW_EXPIRY_S : LIVE_EXPIRY_S;
}
