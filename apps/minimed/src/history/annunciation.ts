import { DecodeError, decodeFloat, decodeSfloat, type Reader } from "jelling/bytes";
import { addSeconds, type LocalDateTime } from "../data/date-time.ts";
import type { PumpDataProblem } from "../data/error.ts";
import { flagNames } from "../data/flags.ts";
import { type Named, named } from "../data/named.ts";
import { ANNUNCIATION_STATES, type AnnunciationState } from "../idd/words.ts";

/** Seconds are counted from here, by the pump's clock. */
const EPOCH: LocalDateTime = Object.freeze({ year: 2000, month: 1, day: 1, hour: 0, minute: 0, second: 0 });
const VENDOR = 0xf000;
export const ANNUNCIATION_FLAGS = [
  "auxinfo1_present",
  "auxinfo2_present",
  "auxinfo3_present",
  "auxinfo4_present",
  "auxinfo5_present",
  "auxinfo6_present",
  "alert_silenced",
] as const;

type Field = readonly [name: string, read: (reader: Reader) => number | undefined];
const u8 = (name: string): Field => [name, (reader) => reader.u8()];
const u16 = (name: string): Field => [name, (reader) => reader.u16()];
const sfloat = (name: string): Field => [name, (reader) => decodeSfloat(reader.u16()).value];
const float = (name: string): Field => [name, (reader) => decodeFloat(reader.u32()).value];
/** An octet that is there and means nothing. */
const filler: Field = ["", (reader) => reader.u8()];
const contextualTime = [u8("contextual_time_minutes"), u8("contextual_time_hours")];
const expiration = [u8("sg_expiration_time_minutes"), u8("sg_expiration_time_hours")];

/** What the pump's codes mean, and what stands behind them. Names and layouts as far as they are known. */
export const ANNUNCIATIONS: Readonly<Record<number, { readonly name: string; readonly auxiliary?: readonly Field[] }>> = {
  7: { name: "no_delivery", auxiliary: [u8("occlusion_type"), filler] },
  8: { name: "device_fault" },
  51: { name: "bolus_stopped", auxiliary: [float("units_programmed"), float("units_delivered")] },
  71: { name: "max_fil_reached", auxiliary: [float("units_delivered")] },
  72: { name: "max_fil_reached_2", auxiliary: [float("units_delivered")] },
  84: { name: "insert_battery_alert" },
  100: { name: "bolus_not_delivered" },
  103: { name: "check_bolus_bg_alert", auxiliary: [u16("duration_since_last_bolus")] },
  104: { name: "low_pump_battery" },
  105: { name: "low_reservoir_alert", auxiliary: [float("units_remaining")] },
  // Hours first here; every other pair of times has minutes first.
  106: {
    name: "low_reservoir_alert_2",
    auxiliary: [u8("low_reservoir_time_remaining_hours"), u8("low_reservoir_time_remaining_minutes")],
  },
  108: { name: "personal_reminder", auxiliary: [u8("reminder_name")] },
  109: { name: "set_change_reminders", auxiliary: [u8("days_since_set_change"), filler] },
  113: { name: "reservoir_empty" },
  117: {
    name: "iob_cleared_alert",
    auxiliary: [
      u8("time_when_iob_cleared_minutes"),
      u8("time_when_iob_cleared_hours"),
      u8("iob_partial_status_remaining_minutes"),
      u8("iob_partial_status_remaining_hours"),
    ],
  },
  775: { name: "calibrate_now_alert", auxiliary: [u8("calibration_type"), filler] },
  776: { name: "calibration_not_accepted" },
  777: { name: "change_sensor" },
  778: { name: "change_sensor_2" },
  780: { name: "lost_sensor_signal_alert" },
  786: { name: "no_sg_calibration_occurred", auxiliary: contextualTime },
  789: { name: "change_sensor_3" },
  794: { name: "sensor_expired" },
  798: { name: "sensor_connected" },
  801: { name: "sensor_error" },
  802: { name: "low_sg_plgm_alert", auxiliary: [sfloat("sg_value")] },
  803: { name: "low_sg_suspend_alert", auxiliary: [sfloat("sg_value"), ...contextualTime] },
  805: { name: "alert_before_low" },
  807: { name: "predictive_resume_alert", auxiliary: contextualTime },
  809: { name: "threshold_suspend_alarm", auxiliary: [sfloat("sg_value")] },
  810: { name: "suspend_before_low_quiet" },
  811: { name: "suspend_before_low" },
  814: { name: "suspension_timeout" },
  815: { name: "manual_resume", auxiliary: contextualTime },
  816: { name: "high_sensor_gluecose2", auxiliary: [sfloat("sg_value")] },
  817: { name: "high_sg_alert" },
  819: { name: "cl1_exit_high_sg", auxiliary: [u8("basal_pattern"), filler] },
  820: { name: "cl1_exit_alert", auxiliary: [u8("basal_pattern"), filler, u8("delivery_suspended"), filler] },
  821: { name: "cl1_umin_alert", auxiliary: [u8("delivery_suspended"), filler] },
  822: { name: "cl1_umax_alert", auxiliary: [u8("delivery_suspended"), filler] },
  826: { name: "cl1_off_alert", auxiliary: [u8("basal_pattern"), filler] },
  827: { name: "severe_low_sg", auxiliary: [sfloat("sg_value")] },
  831: { name: "cl1_calibration_timeout" },
  833: { name: "cl1_bolus_recommended", auxiliary: [sfloat("bg_value")] },
  836: { name: "high_sg_3_hours" },
  837: { name: "calibration_recommended", auxiliary: expiration },
  843: {
    name: "first_calibration_successful",
    auxiliary: [
      u8("early_calibration_time_minutes"),
      u8("early_calibration_time_hours"),
      u8("calibration_recommended_time_minutes"),
      u8("calibration_recommended_time_hours"),
      ...expiration,
    ],
  },
  844: { name: "early_calibration", auxiliary: expiration },
  869: { name: "calibrate_reminder", auxiliary: contextualTime },
};

/** An alarm, from the moment it is raised; the event that clears it names the same instance. */
export interface Annunciation {
  readonly flags: readonly (typeof ANNUNCIATION_FLAGS)[number][];
  readonly instanceId: number;
  /** As sent. */
  readonly type: number;
  /** The pump's code: in decimal what its manual says. undefined for a type of another kind. */
  readonly code: number | undefined;
  readonly codeName: string | undefined;
  readonly state: Named<AnnunciationState>;
  /** When it was raised, as the pump's display told time. */
  readonly raisedAt: LocalDateTime;
  readonly silenced: boolean;
  /** By name; undefined for a special word. */
  readonly auxiliary: Readonly<Record<string, number | undefined>>;
}

/** @param fault told of what is wrong; the rest is decoded all the same */
export function readAnnunciation(reader: Reader, fault: (problem: PumpDataProblem, message: string) => void): Annunciation {
  const bits = reader.u8();
  const instanceId = reader.u16();
  const type = reader.u16();
  const isVendor = (type & VENDOR) === VENDOR;
  const code = isVendor ? type & ~VENDOR : undefined;
  const known = code === undefined ? undefined : ANNUNCIATIONS[code];
  if (!isVendor) fault("annunciation_type", `annunciation of type 0x${type.toString(16)}, which is none of this pump's`);
  const state = named(ANNUNCIATION_STATES, reader.u8());
  const raisedAt = addSeconds(EPOCH, reader.u32());
  const auxiliary: Record<string, number | undefined> = {};
  try {
    for (const [name, read] of known?.auxiliary ?? []) {
      const value = read(reader);
      if (name !== "") auxiliary[name] = value;
    }
  } catch (error) {
    // An alarm of which a part is missing is an alarm all the same.
    if (!(error instanceof DecodeError)) throw error;
    fault("length", error.message);
  }
  // Its slot has two octets; a pump was read as sending one, so that both may come.
  if (code === 108 && reader.remaining === 1) reader.u8();
  return {
    flags: flagNames(bits, ANNUNCIATION_FLAGS),
    instanceId,
    type,
    code,
    codeName: known?.name,
    state,
    raisedAt,
    silenced: (bits & 0x40) !== 0,
    auxiliary,
  };
}
