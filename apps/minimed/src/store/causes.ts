import type { NoGlucoseValue } from "../connector/reading.ts";
import type { Named } from "../data/named.ts";
import type { SensorMessage } from "../idd/status.ts";

/** Why there is no glucose value where one was due. */
export const NO_GLUCOSE_CAUSES = Object.freeze([
  "below_range",
  "above_range",
  "warm_up",
  "updating",
  "calibration_required",
  "signal_lost",
  "change_sensor",
  "no_sensor",
  "unknown",
] as const);
export type NoGlucoseCause = (typeof NO_GLUCOSE_CAUSES)[number];

const CAUSES_OF_MESSAGES: Partial<Record<SensorMessage, NoGlucoseCause>> = {
  wait_to_calibrate: "calibration_required",
  do_not_calibrate: "updating",
  calibration_required: "calibration_required",
  calibrating: "updating",
  searching_for_signal: "signal_lost",
  no_sensor_signal: "signal_lost",
  change_sensor: "change_sensor",
  warm_up: "warm_up",
  waiting_for_warm_up: "warm_up",
  sg_below_lower_limit: "below_range",
  sg_above_upper_limit: "above_range",
  transmitter_battery_empty: "signal_lost",
  no_paired_sensor: "no_sensor",
};

/** What the pump says of its sensor, where that is a reason for having no value. */
export function causeOfMessage(message: Named<SensorMessage> | undefined): NoGlucoseCause | undefined {
  return typeof message === "string" ? CAUSES_OF_MESSAGES[message] : undefined;
}

/** Why a reading has no value: its own words first, since they are of that sample, then what the pump says of its sensor. */
export function causeOf({ state }: NoGlucoseValue, message: Named<SensorMessage> | undefined): NoGlucoseCause {
  const { warning, calibration, status } = state;
  if (warning.includes("below_device_range")) return "below_range";
  if (warning.includes("above_device_range")) return "above_range";
  const told = causeOfMessage(message);
  if (told) return told;
  if (calibration.includes("calibration_required")) return "calibration_required";
  return status.includes("session_stopped") ? "no_sensor" : "unknown";
}
