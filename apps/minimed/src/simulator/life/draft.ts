/** A change of the pump's clock. */
export type ClockStep =
  | { readonly kind: "periodic" }
  /** By the user. */
  | { readonly kind: "shift"; readonly seconds: number }
  | { readonly kind: "lost" }
  /** The user sets it to what it would have shown. */
  | { readonly kind: "restored" };

/**
 * Something that happens to a pump, before its memory has given it a number. Times are seconds of the life: they know of no clock that somebody
 * sets.
 */
export interface Draft {
  readonly atS: number;
  /** Type of the event; undefined: nothing is recorded. */
  readonly type?: number | undefined;
  /** Of the event; what depends on the clock is filled in when it is recorded. */
  readonly data: Uint8Array;
  /** When the sample was taken that it is about: its data begin with the minutes from the reference time to there. */
  readonly sampleAtS?: number | undefined;
  /** Its data hold when it was raised. */
  readonly isAnnunciation?: boolean | undefined;
  /** It is a reference time. */
  readonly clock?: ClockStep | undefined;
  /** Of IDD Status Changed. */
  readonly bits: readonly number[];
  /** Comes of the glucose sensor: without it, it does not happen. */
  readonly ofSensor?: boolean | undefined;
  /** So many sequence numbers are left out before it. */
  readonly skips?: number | undefined;
}

/** Bits of IDD Status Changed. */
export const Changed = Object.freeze({
  TherapyState: 0,
  OperationalState: 1,
  Reservoir: 2,
  Annunciation: 3,
  TotalDailyInsulin: 4,
  BasalRate: 5,
  Bolus: 6,
  History: 7,
  TimeInRange: 8,
  TherapyAlgorithm: 16,
  InsulinOnBoard: 17,
  Measurement: 18,
  SensorEndOfLife: 19,
  Calibration: 20,
  SensorMessage: 21,
  SensorConnectivity: 22,
  CalibrationContext: 26,
  CalibrationRecommended: 27,
});

/** A span of the life, its end not included. */
export interface Span {
  readonly fromS: number;
  readonly toS: number;
}

export const DAY_S = 86_400;

export const spanAt = <T extends Span>(spans: readonly T[], atS: number): T | undefined =>
  spans.find(({ fromS, toS }) => fromS <= atS && atS < toS);
