import type { NoGlucoseCause } from "./causes.ts";

/** Which record an event comes from. Unique, and the same on every sync: what is sent elsewhere is named by it. */
export interface RecordRef {
  /** The store's name for the pump: a salted hash of its serial number, 16 hexadecimal digits. */
  readonly pump: string;
  /** Counts the restarts of the pump's sequence numbers. */
  readonly segment: number;
  readonly sequenceNumber: number;
}

/** When something happened. */
export interface EventTime {
  /** Milliseconds since 1970 (UTC): the pump's time, less how far its clock was ahead when that was measured. Fixed once computed. */
  readonly atMs: number;
  /** As the pump's display told time: "2031-03-02T09:00:00". undefined for live readings without the pump's clock. */
  readonly local: string | undefined;
}

/** A sensor value every five minutes; both of a live reading and of the history's record of it there is one. */
export interface GlucosePoint extends EventTime {
  /** undefined for a live reading that the history has not brought yet. */
  readonly ref: RecordRef | undefined;
  /** mg/dL; undefined: no value, see `cause`. */
  readonly mgdl: number | undefined;
  readonly cause: NoGlucoseCause | undefined;
  /** mg/dL a minute; live readings only. */
  readonly trendMgdlPerMin: number | undefined;
}

/** A bolus, delivered or under way. */
export interface BolusEvent extends EventTime {
  readonly ref: RecordRef;
  readonly bolusId: number;
  readonly kind: "fast" | "extended" | "multiwave" | "unknown";
  /** By the closed loop, without the user. */
  readonly automatic: boolean;
  readonly programmedIu: { readonly fast: number; readonly extended: number } | undefined;
  /** undefined while it is under way. */
  readonly deliveredIu: { readonly fast: number; readonly extended: number } | undefined;
  readonly durationMin: number;
  /** "delivered", "canceled", "error", … as the history names it. */
  readonly endReason: string | undefined;
}

/** What the closed loop gives every few minutes in place of a basal rate. */
export interface MicroBolus extends EventTime {
  readonly ref: RecordRef;
  readonly amountIu: number;
}

/** A basal rate from then on. */
export interface BasalChange extends EventTime {
  readonly ref: RecordRef;
  /** IU/h. */
  readonly rate: number;
  readonly source: "delivered" | "context" | "temporary";
}

export interface MealEvent extends EventTime {
  readonly ref: RecordRef;
  readonly carbohydratesG: number;
}

/** A fingerstick value; `calibration` where the sensor was calibrated with it. */
export interface BloodGlucose extends EventTime {
  readonly ref: RecordRef;
  readonly mgdl: number;
  readonly calibration: "none" | "accepted" | "rejected";
}

export interface AlertEvent extends EventTime {
  readonly ref: RecordRef;
  readonly instanceId: number;
  /** The pump's code, in decimal what its manual says; undefined for one of another kind. */
  readonly code: number | undefined;
  readonly name: string | undefined;
  readonly clearedAtMs: number | undefined;
}

/** Delivery was stopped. */
export interface Suspension extends EventTime {
  readonly ref: RecordRef;
  readonly reason: string;
  /** undefined: still stopped, as far as the history goes. */
  readonly endedAtMs: number | undefined;
  readonly endReason: string | undefined;
}

/** The closed loop began or ended. */
export interface LoopTransitionEvent extends EventTime {
  readonly ref: RecordRef;
  readonly active: boolean;
  readonly reason: string;
}

/** A change of the pump's clock by its user, or its loss. */
export interface ClockChange extends EventTime {
  readonly ref: RecordRef;
  readonly reason: string;
}

export interface SensorStart extends EventTime {
  readonly runTimeHours: number | undefined;
}

/** Sequence numbers that are not in the store. */
export interface SequenceGap {
  readonly segment: number;
  readonly first: number;
  readonly last: number;
  /** The pump was asked and has them no longer; otherwise they were not asked for yet. */
  readonly gone: boolean;
}

/** Values read while connected, kept at every change. */
export interface StatusPoint {
  readonly atMs: number;
  readonly insulinOnBoardIu: number | undefined;
  readonly reservoirIu: number | undefined;
  readonly batteryPercent: number | undefined;
  readonly transmitterBatteryPercent: number | undefined;
  readonly therapyState: string | undefined;
  readonly operationalState: string | undefined;
  readonly sensorMessage: string | undefined;
  readonly shield: string | undefined;
}

/** A span of time, UTC: `fromMs` included, `toMs` not. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a store tells of one pump. Everything ascends by time. */
export interface TherapyView {
  glucose(range: TimeRange): GlucosePoint[];
  boluses(range: TimeRange): BolusEvent[];
  microBoluses(range: TimeRange): MicroBolus[];
  basal(range: TimeRange): BasalChange[];
  meals(range: TimeRange): MealEvent[];
  bloodGlucose(range: TimeRange): BloodGlucose[];
  alerts(range: TimeRange): AlertEvent[];
  suspensions(range: TimeRange): Suspension[];
  loopTransitions(range: TimeRange): LoopTransitionEvent[];
  clockChanges(range: TimeRange): ClockChange[];
  sensorStarts(range: TimeRange): SensorStart[];
  status(range: TimeRange): StatusPoint[];
  gaps(): SequenceGap[];
  /** Of the newest glucose point with a value. */
  readonly newestMs: number | undefined;
  /** Outside of this there is nothing, so that nobody has to look there; undefined: there is nothing at all, or it is not known. */
  readonly span?: TimeRange | undefined;
}
