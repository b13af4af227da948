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
