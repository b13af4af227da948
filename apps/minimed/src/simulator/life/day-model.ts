import type { Draft, Span } from "./draft.ts";
import type { TherapyDay } from "./therapy-plan.ts";

/** What one day leaves to the next. */
export interface DayState {
  readonly bolusId: number;
  readonly instanceId: number;
  readonly reservoirIu: number;
  readonly maximumBolusIu: number;
  readonly maximumAutoBasal: number;
  /** Of the pump's life, IU. */
  readonly bolusIu: number;
  readonly basalIu: number;
  readonly lastCorrectionS: number;
}

export const FIRST_STATE: DayState = Object.freeze({
  bolusId: 0x2f10,
  instanceId: 0x0300,
  reservoirIu: 221.5,
  maximumBolusIu: 15,
  maximumAutoBasal: 1.65,
  bolusIu: 4211.5,
  basalIu: 3904.25,
  lastCorrectionS: Number.NEGATIVE_INFINITY,
});

export const BolusType = Object.freeze({ Fast: 0x33, Extended: 0x3c, Multiwave: 0xff });
export const Activation = Object.freeze({ Manual: 0x33, Recommended: 0x3c, Changed: 0x55, Commanded: 0x5a });
export const EndReason = Object.freeze({ Delivered: 0x33, Canceled: 0x3c });
export const BasalContext = Object.freeze({ Device: 0x33, Controller: 0x55 });

/** A bolus goes in by half units, one in two seconds. */
export const BOLUS_STEP_IU = 0.5;
export const BOLUS_STEP_S = 2;

/** A bolus, from the moment it is programmed. */
export interface PlannedBolus extends Span {
  readonly bolusId: number;
  readonly bolusType: number;
  readonly fastIu: number;
  readonly extendedIu: number;
  /** Of the extended part, minutes. */
  readonly durationMin: number;
  readonly activation: number;
  /** What went in of it, when it was over. */
  readonly delivered: { readonly fastIu: number; readonly extendedIu: number };
}
/** Insulin that has gone in; of a filling, what the reservoir holds then. */
export interface Delivery {
  readonly atS: number;
  readonly iu: number;
  readonly kind: "bolus" | "basal" | "fill";
}
export interface PlannedAlarm extends Span {
  readonly ofSensor: boolean;
  readonly instanceId: number;
  readonly code: number;
  readonly auxiliary: Uint8Array;
}
export interface PlannedCalibration {
  readonly atS: number;
  readonly mgdl: number;
  readonly rejected: boolean;
}

/** A day of a pump's life. */
export interface LifeDay {
  readonly index: number;
  readonly therapy: TherapyDay;
  /** Ascending. */
  readonly drafts: readonly Draft[];
  readonly boluses: readonly PlannedBolus[];
  readonly deliveries: readonly Delivery[];
  readonly alarms: readonly PlannedAlarm[];
  readonly calibrations: readonly PlannedCalibration[];
  readonly begin: DayState;
  readonly end: DayState;
}

/** A battery lasts for 28 days; the one of day 0 is eight days old. */
export const daysOfBattery = (index: number): number => (((index + 8) % 28) + 28) % 28;
