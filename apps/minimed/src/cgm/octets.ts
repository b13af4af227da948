import { flagNames } from "../data/flags.ts";

/** Names of the bits of the three octets that tell a sensor's state, from bit 0 on. */
export const CGM_STATUS_FLAGS = [
  "session_stopped",
  "device_battery_low",
  "sensor_type_incorrect",
  "sensor_malfunction",
  "device_specific_alert",
  "general_device_fault",
] as const;
export const CGM_CALIBRATION_FLAGS = [
  "time_sync_required",
  "calibration_not_allowed",
  "calibration_recommended",
  "calibration_required",
  "temperature_too_high",
  "temperature_too_low",
  "calibration_process_pending",
] as const;
export const CGM_WARNING_FLAGS = [
  "below_patient_low",
  "above_patient_high",
  "below_hypo",
  "above_hyper",
  "rate_of_decrease_exceeded",
  "rate_of_increase_exceeded",
  "below_device_range",
  "above_device_range",
] as const;

/** The three octets; absent ones are undefined. */
export interface CgmOctets {
  readonly status: number | undefined;
  readonly calibration: number | undefined;
  readonly warning: number | undefined;
}

export interface CgmStateNames {
  readonly status: readonly (typeof CGM_STATUS_FLAGS)[number][];
  readonly calibration: readonly (typeof CGM_CALIBRATION_FLAGS)[number][];
  readonly warning: readonly (typeof CGM_WARNING_FLAGS)[number][];
}

export function nameCgmOctets({ status = 0, calibration = 0, warning = 0 }: CgmOctets): CgmStateNames {
  return {
    status: flagNames(status, CGM_STATUS_FLAGS),
    calibration: flagNames(calibration, CGM_CALIBRATION_FLAGS),
    warning: flagNames(warning, CGM_WARNING_FLAGS),
  };
}
