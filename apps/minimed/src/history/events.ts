import { decodeFloat, decodeSfloat, type Reader } from "jelling/bytes";
import { type LocalDateTime, readDateTime } from "../data/date-time.ts";
import type { PumpDataProblem } from "../data/error.ts";
import { flagNames } from "../data/flags.ts";
import { type Named, named } from "../data/named.ts";
import {
  BASAL_CONTEXTS,
  type BasalContext,
  BOLUS_ACTIVATIONS,
  BOLUS_TYPES,
  type BolusActivation,
  type BolusType,
  TEMPORARY_BASAL_TYPES,
  type TemporaryBasalType,
} from "../idd/words.ts";
import { type Annunciation, readAnnunciation } from "./annunciation.ts";

export const BOLUS_END_REASONS = { 15: "undetermined", 51: "delivered", 60: "canceled", 85: "error_abort" } as const;
export type BolusEndReason = (typeof BOLUS_END_REASONS)[keyof typeof BOLUS_END_REASONS];
export const LOOP_TRANSITIONS = {
  0: "into_si_pass",
  1: "out_user_override",
  2: "out_alarm",
  3: "out_timeout_safe_basal",
  4: "out_high_sg",
} as const;
export type LoopTransition = (typeof LOOP_TRANSITIONS)[keyof typeof LOOP_TRANSITIONS];
export const STOP_REASONS = {
  1: "alarm_suspended",
  2: "user_suspended",
  3: "auto_suspended",
  4: "low_sg_suspended",
  5: "not_seated",
  8: "unknown_08", // seen; perhaps filling the cannula
  10: "plgm_on_low_sg_suspended",
} as const;
export type StopReason = (typeof STOP_REASONS)[keyof typeof STOP_REASONS];
export const RESTART_REASONS = {
  1: "user_selects_resume",
  2: "user_clears_alarm",
  3: "lgm_manual_resume",
  4: "lgm_auto_resume_max_suspend_time",
  5: "lgm_auto_resume_psg_and_sg",
  6: "lgm_feature_off",
} as const;
export type RestartReason = (typeof RESTART_REASONS)[keyof typeof RESTART_REASONS];
export const RECORDING_REASONS = {
  15: "undetermined",
  51: "set_date_time",
  60: "periodic_recording",
  85: "date_time_loss",
} as const;
export type RecordingReason = (typeof RECORDING_REASONS)[keyof typeof RECORDING_REASONS];
/** Why a sensor record has no glucose. */
export const SENSOR_SPECIALS = { 769: "sensor_starting", 771: "sensor_updating", 776: "above_range", 781: "below_range" } as const;
export type SensorSpecial = (typeof SENSOR_SPECIALS)[keyof typeof SENSOR_SPECIALS] | "unknown_special";
const PROGRAMMED_FLAGS = [
  "bolus_delay_time_present",
  "bolus_template_number_present",
  "bolus_activation_type_present",
  "delivery_reason_correction",
  "delivery_reason_meal",
] as const;
const CONTEXT_FLAGS = ["sensor_enabled", "basal_rate_active", "auto_mode_active", "insulin_delivery_stopped", "tbr_active"] as const;
/** From here on a sensor's word is a code. */
const FIRST_SPECIAL = 0x300;

/** Part 1 of a bolus: what was programmed, or what was delivered. Joined with the other event by `bolusId`, which wraps. */
export interface BolusAmounts {
  readonly bolusId: number;
  readonly bolusType: Named<BolusType>;
  readonly fastIu: number | undefined;
  readonly extendedIu: number | undefined;
  readonly durationMin: number;
}
export interface SampleGlucose {
  /** Minutes after the latest reference time; may be negative. */
  readonly timeOffsetMin: number;
  readonly glucoseMgdl: number | undefined;
}

/** What an event says, by its name. Amounts in IU, rates in IU/h, undefined for a special word; times as their names say. */
export type HistoryData =
  | ({ readonly name: "bolus_programmed_p1" } & BolusAmounts)
  | {
      readonly name: "bolus_programmed_p2";
      readonly flags: readonly (typeof PROGRAMMED_FLAGS)[number][];
      readonly delayMin: number | undefined;
      readonly templateNumber: number | undefined;
      readonly activation: Named<BolusActivation> | undefined;
      readonly isCorrection: boolean;
      readonly isMeal: boolean;
    }
  | ({ readonly name: "bolus_delivered_p1" } & BolusAmounts)
  | {
      readonly name: "bolus_delivered_p2";
      /** After the event that programmed it. */
      readonly startOffsetSeconds: number;
      readonly activation: Named<BolusActivation> | undefined;
      readonly endReason: Named<BolusEndReason> | undefined;
      readonly annunciationInstanceId: number | undefined;
    }
  | {
      readonly name: "delivered_basal_rate_changed";
      readonly oldRate: number | undefined;
      readonly newRate: number | undefined;
      readonly context: Named<BasalContext> | undefined;
    }
  | { readonly name: "max_bolus_amount_changed"; readonly oldIu: number | undefined; readonly newIu: number | undefined }
  | { readonly name: "auto_basal_delivery"; readonly bolusNumber: number; readonly amountIu: number | undefined }
  | { readonly name: "cl1_transition"; readonly transition: Named<LoopTransition> }
  | {
      readonly name: "therapy_context";
      readonly flags: readonly (typeof CONTEXT_FLAGS)[number][];
      readonly basalRate: number | undefined;
      readonly stopReason: Named<StopReason> | undefined;
      readonly temporaryBasal: { readonly type: Named<TemporaryBasalType>; readonly adjustment: number | undefined } | undefined;
    }
  | { readonly name: "meal"; readonly carbohydratesG: number | undefined }
  | ({ readonly name: "bg_reading" } & SampleGlucose)
  | ({ readonly name: "calibration_complete" } & SampleGlucose)
  | ({ readonly name: "calibration_rejected" } & SampleGlucose)
  | { readonly name: "insulin_delivery_stopped"; readonly reason: Named<StopReason> }
  | { readonly name: "insulin_delivery_restarted"; readonly reason: Named<RestartReason> }
  | {
      readonly name: "sg_measurement";
      readonly timeOffsetMin: number;
      readonly word: number;
      /** undefined: see `special`. */
      readonly glucoseMgdl: number | undefined;
      readonly special: SensorSpecial | undefined;
      /** As the pump sends it; a hundredth of it is what CareLink shows. */
      readonly isigRaw: number;
      readonly isig: number;
      readonly vCounter: number;
    }
  | {
      readonly name: "cgm_analytics_data_backfill";
      readonly timeOffsetMin: number;
      readonly psgv: number | undefined;
      readonly calibrationFactor: number;
    }
  | {
      readonly name: "ngp_reference_time";
      readonly reason: Named<RecordingReason>;
      /** undefined: not known, or no such day. */
      readonly local: LocalDateTime | undefined;
    }
  | { readonly name: "annunciation_cleared"; readonly faultType: number; readonly instanceId: number }
  | ({ readonly name: "annunciation_consolidated" } & Annunciation)
  | { readonly name: "max_auto_basal_rate_changed"; readonly oldRate: number | undefined; readonly newRate: number | undefined };
export type HistoryEventName = HistoryData["name"];

/** Told of what is wrong with a record whose other fields are good. */
export type Fault = (problem: PumpDataProblem, message: string) => void;

const float = (reader: Reader): number | undefined => decodeFloat(reader.u32()).value;

const bolus = (reader: Reader): BolusAmounts => ({
  bolusId: reader.u16(),
  bolusType: named<BolusType>(BOLUS_TYPES, reader.u8()),
  fastIu: float(reader),
  extendedIu: float(reader),
  durationMin: reader.u16(),
});

const sample = (reader: Reader): SampleGlucose => {
  const timeOffsetMin = reader.i16();
  const { mantissa, exponent, special } = decodeSfloat(reader.u16());
  // kg/L, five decades from mg/dL; by the decimal text, since a multiplication would be wrong in the last digit.
  return { timeOffsetMin, glucoseMgdl: special ? undefined : Number(`${mantissa}e${exponent + 5}`) };
};

/** Event types that are decoded. */
export const EVENT_NAMES: Readonly<Record<number, HistoryEventName>> = {
  90: "bolus_programmed_p1", // 0x005A
  102: "bolus_programmed_p2", // 0x0066
  105: "bolus_delivered_p1", // 0x0069
  150: "bolus_delivered_p2", // 0x0096
  153: "delivered_basal_rate_changed", // 0x0099
  1020: "max_bolus_amount_changed", // 0x03FC
  61441: "auto_basal_delivery", // 0xF001
  61442: "cl1_transition", // 0xF002
  61444: "therapy_context", // 0xF004
  61445: "meal", // 0xF005
  61447: "bg_reading", // 0xF007
  61448: "calibration_complete", // 0xF008
  61449: "calibration_rejected", // 0xF009
  61450: "insulin_delivery_stopped", // 0xF00A
  61451: "insulin_delivery_restarted", // 0xF00B
  61452: "sg_measurement", // 0xF00C
  61453: "cgm_analytics_data_backfill", // 0xF00D
  61454: "ngp_reference_time", // 0xF00E
  61455: "annunciation_cleared", // 0xF00F
  61456: "annunciation_consolidated", // 0xF010
  61466: "max_auto_basal_rate_changed", // 0xF01A
};

type Fields<Name extends HistoryEventName> = Omit<Extract<HistoryData, { name: Name }>, "name">;

/** Readers of event data. */
export const EVENT_READERS: { readonly [Name in HistoryEventName]: (reader: Reader, fault: Fault) => Fields<Name> } = {
  bolus_programmed_p1: bolus,
  bolus_programmed_p2: (reader) => {
    const bits = reader.u8();
    return {
      flags: flagNames(bits, PROGRAMMED_FLAGS),
      delayMin: bits & 1 ? reader.u16() : undefined,
      templateNumber: bits & 2 ? reader.u8() : undefined,
      activation: bits & 4 ? named(BOLUS_ACTIVATIONS, reader.u8()) : undefined,
      isCorrection: (bits & 8) !== 0,
      isMeal: (bits & 16) !== 0,
    };
  },
  bolus_delivered_p1: bolus,
  bolus_delivered_p2: (reader) => {
    const bits = reader.u8();
    return {
      startOffsetSeconds: reader.u32(),
      activation: bits & 1 ? named(BOLUS_ACTIVATIONS, reader.u8()) : undefined,
      endReason: bits & 2 ? named(BOLUS_END_REASONS, reader.u8()) : undefined,
      annunciationInstanceId: bits & 4 ? reader.u16() : undefined,
    };
  },
  delivered_basal_rate_changed: (reader) => {
    const bits = reader.u8();
    return {
      oldRate: float(reader),
      newRate: float(reader),
      context: bits & 1 ? named(BASAL_CONTEXTS, reader.u8()) : undefined,
    };
  },
  max_bolus_amount_changed: (reader) => ({ oldIu: float(reader), newIu: float(reader) }),
  auto_basal_delivery: (reader) => ({ bolusNumber: reader.u8(), amountIu: float(reader) }),
  cl1_transition: (reader) => ({ transition: named(LOOP_TRANSITIONS, reader.u8()) }),
  therapy_context: (reader) => {
    const bits = reader.u8();
    return {
      flags: flagNames(bits, CONTEXT_FLAGS),
      basalRate: bits & 2 ? float(reader) : undefined,
      stopReason: bits & 8 ? named(STOP_REASONS, reader.u8()) : undefined,
      temporaryBasal: bits & 16 ? { type: named(TEMPORARY_BASAL_TYPES, reader.u8()), adjustment: float(reader) } : undefined,
    };
  },
  meal: (reader) => ({ carbohydratesG: decodeSfloat(reader.u16()).value }),
  bg_reading: sample,
  calibration_complete: sample,
  calibration_rejected: sample,
  insulin_delivery_stopped: (reader) => ({ reason: named(STOP_REASONS, reader.u8()) }),
  insulin_delivery_restarted: (reader) => ({ reason: named(RESTART_REASONS, reader.u8()) }),
  sg_measurement: (reader) => {
    const timeOffsetMin = reader.i16();
    const word = reader.u16();
    const isSpecial = word >= FIRST_SPECIAL;
    const isigRaw = reader.u16();
    return {
      timeOffsetMin,
      word,
      glucoseMgdl: isSpecial ? undefined : word,
      special: isSpecial ? ((SENSOR_SPECIALS as Partial<Record<number, SensorSpecial>>)[word] ?? "unknown_special") : undefined,
      isigRaw,
      isig: isigRaw / 100,
      vCounter: reader.i16(),
    };
  },
  cgm_analytics_data_backfill: (reader) => ({
    name: "cgm_analytics_data_backfill",
    timeOffsetMin: reader.i16(),
    psgv: decodeSfloat(reader.u16()).value,
    calibrationFactor: reader.u16(),
  }),
  ngp_reference_time: (reader, fault) => {
    const reason = named(RECORDING_REASONS, reader.u8());
    return { reason, local: readDateTime("reference time", reader, fault) };
  },
  annunciation_cleared: (reader) => ({ faultType: reader.u16(), instanceId: reader.u16() }),
  annunciation_consolidated: (reader, fault) => ({ ...readAnnunciation(reader, fault) }),
  max_auto_basal_rate_changed: (reader) => ({ oldRate: float(reader), newRate: float(reader) }),
};

/** Names of events of the SIG that this pump was never seen to send: their data are kept as they come. */
export const UNDECODED_EVENTS: Readonly<Record<number, string>> = {
  15: "reference_time",
  51: "reference_time_base_offset",
  60: "bolus_calculated_p1",
  85: "bolus_calculated_p2",
  165: "tbr_adjustment_started",
  170: "tbr_adjustment_ended",
  195: "tbr_adjustment_changed",
  204: "profile_template_activated",
  240: "basal_rate_profile_template_time_block_changed",
  255: "total_daily_insulin_delivery",
  771: "therapy_control_state_changed",
  780: "operational_state_changed",
  816: "reservoir_remaining_amount_changed",
  831: "annunciation_status_changed_p1",
  854: "annunciation_status_changed_p2",
  857: "isf_profile_template_time_block_changed",
  869: "i2cho_ratio_profile_template_time_block_changed",
  874: "target_glucose_range_profile_template_time_block_changed",
  917: "priming_started",
  922: "priming_done",
  934: "data_corruption",
  937: "pointer_event",
  960: "bolus_template_changed_p1",
  975: "bolus_template_changed_p2",
  1011: "tbr_template_changed",
};
