import type { SensorDetails } from "../cgm/specific-ops.ts";
import type { PumpMode } from "../connector/events.ts";
import type { PumpInformation, SensorSession } from "../connector/pump-session.ts";
import type { BolusUnderWay } from "../connector/readers/delivery.ts";
import type { LatestGlucose } from "../connector/reading.ts";
import type { LocalDateTime } from "../data/date-time.ts";
import type { AnnunciationStatus } from "../idd/annunciation-status.ts";
import type { HighLowSettings } from "../idd/command-reads.ts";
import type { IddFeatures } from "../idd/features.ts";
import type { IddStatus } from "../idd/status.ts";
import type { ActiveBasalRate, DisplayFormat, InsulinOnBoard, TherapyAlgorithmStates, TimeInRange } from "../idd/status-reader.ts";

/** Everything that is read of a pump while it is connected, by name. */
export interface PumpValues {
  readonly information: PumpInformation;
  /** Percent, in coarse steps. */
  readonly battery: number;
  /** Percent. */
  readonly transmitterBattery: number;
  /** What the pump's display showed when it was read. */
  readonly clock: LocalDateTime;
  readonly glucose: LatestGlucose;
  readonly sensorSession: SensorSession;
  readonly sensorDetails: SensorDetails;
  readonly features: IddFeatures;
  readonly status: IddStatus;
  readonly annunciation: AnnunciationStatus;
  readonly insulinOnBoard: InsulinOnBoard;
  readonly timeInRange: TimeInRange;
  readonly therapy: TherapyAlgorithmStates;
  readonly basalRate: ActiveBasalRate;
  readonly boluses: readonly BolusUnderWay[];
  readonly displayFormat: DisplayFormat;
  readonly highSettings: HighLowSettings;
  readonly lowSettings: HighLowSettings;
}
export type PumpValueName = keyof PumpValues;

/** A value, and when it was read. Show its age. */
export interface Told<T> {
  /** undefined: the pump has none, or none at present (no sensor, nothing under way). */
  readonly value: T | undefined;
  /** On this program's clock, of the last time that it was read. */
  readonly atMs: number;
}

/** Where the connection stands, as a user would ask. */
export type PumpLinkState =
  | { readonly kind: "advertising"; readonly mode: PumpMode; readonly bonded: boolean; readonly sinceMs: number }
  | { readonly kind: "connecting"; readonly sinceMs: number }
  | { readonly kind: "ready"; readonly sinceMs: number }
  | { readonly kind: "ended"; readonly sinceMs: number; readonly reason: string };

/**
 * Milliseconds since 1970 (UTC), as `Date.now` tells them; in tests those of a simulated world. Unlike a `Clock` it may jump: what is kept or sent
 * is dated by it, and nothing is timed by it.
 */
export type WallClock = () => number;

/** By the names of the values, in words. */
export type PumpProblems = { readonly [Name in PumpValueName]?: string };

/** What is known of a pump at one moment. Immutable: every change makes another. */
export interface PumpState {
  /**
   * To be added to any time in here for milliseconds since 1970 (UTC). Measured for every state: the system's clock is set now and then, and
   * the other one may stand still while the computer sleeps.
   */
  readonly epochMs: number;
  readonly link: PumpLinkState;
  /** When anything came from the pump for the last time. */
  readonly heardAtMs: number | undefined;
  /** What to do, where the connection does not come about by itself. */
  readonly hint: string | undefined;
  /**
   * Why a value could not be read when it was asked for last: it is malformed, or the pump refused to give it. What is told of it in `values` is
   * from before, if it is there at all.
   */
  readonly problems?: PumpProblems | undefined;
  /** Values of the last connection stay, with their age, until others come. A name is absent until it was read. */
  readonly values: { readonly [Name in PumpValueName]?: Told<PumpValues[Name]> };
}
