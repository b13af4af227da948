import type { NoGlucoseCause } from "../store/causes.ts";

// What the page is told, as JSON. Times are milliseconds since 1970 (UTC) unless their name says otherwise; null stands for what is not known or
// not there. Nothing of it names a person's device: what is not listed here does not leave.

/** A value, and when it was read. */
export interface PageTold<T> {
  /** null: the pump has none at present. */
  readonly value: T | null;
  readonly atMs: number;
}

/** The newest thing that is known of glucose. */
export type PageGlucose =
  | {
      readonly kind: "reading";
      readonly mgdl: number;
      /** mg/dL a minute. */
      readonly trend: number | null;
      /** When the sensor took it; where that is not known, when it came. */
      readonly atMs: number;
    }
  | { readonly kind: "no-value"; readonly cause: NoGlucoseCause; readonly atMs: number }
  | { readonly kind: "no-sensor"; readonly atMs: number };

/** A limit of the pump's alerts, from a minute of its day to another. null: off. */
export interface PageLimit {
  readonly fromMin: number;
  readonly toMin: number;
  readonly mgdl: number | null;
}

export interface PageAlarm {
  readonly code: number | null;
  readonly state: string;
}

export interface PageStatus {
  readonly therapy: string;
  readonly operational: string;
  readonly reservoirIu: number | null;
  readonly sensorMessage: string;
  readonly connectivity: readonly string[];
}

export interface PageTherapy {
  readonly shield: string | null;
  readonly readiness: string | null;
  /** Whether delivery is suspended because glucose is low, or about to be. */
  readonly suspended: boolean;
  readonly temporaryTargetMin: number | null;
}

export interface PageBasal {
  /** IU/h. */
  readonly rate: number | null;
  readonly temporaryMin: number | null;
  /** The closed loop gives micro boluses in place of a rate. */
  readonly automatic: boolean;
}

export interface PageBolusUnderWay {
  readonly programmedIu: number | null;
  readonly deliveredIu: number | null;
  readonly extended: boolean;
}

export interface PageTimeInRange {
  readonly belowPercent: number;
  readonly inRangePercent: number;
  readonly abovePercent: number;
  readonly smartGuardPercent: number;
}

export interface PageSensor {
  readonly startedLocal: string | null;
  readonly runTimeHours: number | null;
  readonly endsAtMs: number | null;
}

/** What is known of the pump at one moment. */
export interface PageState {
  readonly nowMs: number;
  readonly link: {
    /** "stored": there is no connection to tell of; the page shows a history. */
    readonly kind: "advertising" | "connecting" | "ready" | "ended" | "stored";
    readonly mode: string | null;
    readonly bonded: boolean | null;
    readonly sinceMs: number;
    readonly reason: string | null;
  };
  readonly hint: string | null;
  readonly heardAtMs: number | null;
  /** How far the pump's display is ahead of UTC; null without any time of the pump. */
  readonly pumpOffsetMs: number | null;
  readonly glucose: PageGlucose | null;
  /** The newest reading that has a value, where `glucose` has none. */
  readonly lastReading: { readonly mgdl: number; readonly atMs: number } | null;
  /** mg/dL a quarter of an hour before `glucose`, where no reading between is missing. */
  readonly quarterBeforeMgdl: number | null;
  /** What came last of each kind within a day; of micro boluses within an hour. */
  readonly recent: {
    readonly bolus: PageBolus | null;
    readonly meal: PageAmount | null;
    readonly microBolus: PageAmount | null;
    /** Since when delivery is stopped. */
    readonly stoppedAtMs: number | null;
  };
  /** Changes when the store knows more. */
  readonly newestMs: number | null;
  /** What the pump's display shows glucose in; null where it has not said. */
  readonly displaysMgdl: boolean | null;
  readonly clock24h: boolean | null;
  readonly limits: { readonly low: readonly PageLimit[]; readonly high: readonly PageLimit[] };
  readonly model: string | null;
  readonly insulinOnBoardIu: PageTold<number> | null;
  readonly basal: PageTold<PageBasal> | null;
  readonly boluses: PageTold<readonly PageBolusUnderWay[]> | null;
  readonly status: PageTold<PageStatus> | null;
  readonly therapy: PageTold<PageTherapy> | null;
  readonly alarm: PageTold<PageAlarm> | null;
  readonly batteryPercent: PageTold<number> | null;
  readonly transmitterBatteryPercent: PageTold<number> | null;
  readonly sensor: PageTold<PageSensor> | null;
  readonly timeInRange: PageTold<PageTimeInRange> | null;
}

/** [when, mg/dL or null, why there is none]. */
export type PagePoint = readonly [atMs: number, mgdl: number | null, cause: NoGlucoseCause | null];
/** [when, IU or IU/h or g]. */
export type PageAmount = readonly [atMs: number, amount: number];

export interface PageBolus {
  readonly atMs: number;
  /** Delivered; programmed while it is under way. */
  readonly iu: number;
  readonly extendedIu: number;
  readonly durationMin: number;
  readonly automatic: boolean;
  readonly isUnderWay: boolean;
  /** Ended before all of it was given. */
  readonly cutShort: boolean;
}

/** What happened in a span of time. Everything ascends. What began before the span and reaches into it is there too. */
export interface PageView {
  readonly fromMs: number;
  readonly toMs: number;
  readonly glucose: readonly PagePoint[];
  /** Points were left out: of each stretch its lowest and highest are there. */
  readonly isThinned: boolean;
  /** How far the pump's display was ahead of UTC, from when on. */
  readonly offsets: readonly { readonly fromMs: number; readonly offsetMs: number }[];
  readonly boluses: readonly PageBolus[];
  readonly microBoluses: readonly PageAmount[];
  readonly basal: readonly PageAmount[];
  readonly meals: readonly PageAmount[];
  readonly insulinOnBoard: readonly PageAmount[];
  readonly bloodGlucose: readonly { readonly atMs: number; readonly mgdl: number; readonly calibration: string }[];
  readonly alerts: readonly {
    readonly atMs: number;
    readonly code: number | null;
    readonly name: string | null;
    readonly clearedAtMs: number | null;
  }[];
  readonly suspensions: readonly { readonly atMs: number; readonly endedAtMs: number | null; readonly reason: string }[];
  readonly loop: readonly { readonly atMs: number; readonly active: boolean }[];
  readonly clockChanges: readonly { readonly atMs: number; readonly reason: string }[];
  readonly sensorStarts: readonly { readonly atMs: number; readonly runTimeHours: number | null }[];
  /** Records of the pump that are not in the store; `gone`: the pump has them no longer. */
  readonly missing: { readonly pending: number; readonly gone: number };
}

/** Shares of the readings, 0 to 1, by the limits of the international consensus: 54, 70, 180 and 250 mg/dL. */
export interface PageShares {
  readonly veryLow: number;
  readonly low: number;
  readonly inRange: number;
  readonly high: number;
  readonly veryHigh: number;
}

/** One part of the day, over all days: 5th, 25th, 50th, 75th and 95th percentile, mg/dL; null where there are too few readings. */
export interface PageSlot {
  readonly minute: number;
  readonly percentiles: readonly [number, number, number, number, number] | null;
}

export interface PageDay {
  /** By the pump's calendar: "2031-03-02". */
  readonly date: string;
  /** When it began. */
  readonly fromMs: number;
  readonly readings: number;
  readonly shares: PageShares | null;
  readonly meanMgdl: number | null;
  readonly bolusIu: number;
  readonly microBolusIu: number;
  readonly carbohydratesG: number;
}

export interface PageSummary {
  readonly days: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly readings: number;
  /** Share of the five minutes of the span that have a reading, 0 to 1. */
  readonly coverage: number;
  readonly shares: PageShares | null;
  readonly meanMgdl: number | null;
  /** Standard deviation over mean, percent. */
  readonly variationPercent: number | null;
  /** Glucose management indicator, percent. */
  readonly gmiPercent: number | null;
  readonly slots: readonly PageSlot[];
  readonly perDay: readonly PageDay[];
}

/** What comes over the page's socket. */
export type PageMessage = { readonly type: "state"; readonly state: PageState } | { readonly type: "now"; readonly nowMs: number };

/** Longer than this between two readings is a gap: one reading was missed, or two. */
export const GAP_MS = 12 * 60_000;
/** A value of that age is shown as old. */
export const STALE_MS = 10 * 60_000;
export const VERY_LOW_MGDL = 54;
export const LOW_MGDL = 70;
export const HIGH_MGDL = 180;
export const VERY_HIGH_MGDL = 250;
