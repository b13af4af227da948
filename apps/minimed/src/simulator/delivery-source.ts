import type { IddStatusWords } from "../idd/status.ts";
import type { AnnunciationWords } from "./encode/annunciation-status.ts";
import type { LimitBlock } from "./encode/command.ts";
import type {
  ActiveBasalRateWords,
  ActiveBolusWords,
  DisplayFormatWords,
  TherapyAlgorithmWords,
  TimeInRangeWords,
} from "./encode/status-reader.ts";
import type { StatusLatch } from "./status-latch.ts";

/** A bolus that is being delivered: what was programmed, and what of it has gone in. */
export interface BolusInProgress {
  readonly programmed: ActiveBolusWords;
  readonly delivered: { readonly fastIu: number; readonly extendedIu: number; readonly durationMin: number };
}

export interface InsulinTotals {
  readonly bolusIu: number;
  readonly basalIu: number;
}

/** The history as a pump's memory holds it. */
export interface HistoryMemory {
  readonly count: number;
  /** Sequence numbers; undefined without records. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** Header and data; undefined for a number that the pump has not. */
  record(sequenceNumber: number): Uint8Array | undefined;
  /** The oldest records are gone. */
  drop(count: number): void;
}

/** What the insulin delivery service tells, at this moment. */
export interface DeliverySource {
  readonly features: { readonly bits: bigint; readonly insulinConcentrationWord: number };
  readonly displayFormat: DisplayFormatWords;
  readonly maximumBolusIu: number;
  readonly history: HistoryMemory;
  readonly latch: StatusLatch;
  /** Brings everything up to date. */
  advance(): void;
  /** While somebody listens, what changes is told as it changes. */
  listen(listening: boolean): void;
  status(): IddStatusWords;
  annunciation(): AnnunciationWords | undefined;
  boluses(): readonly BolusInProgress[];
  basalRate(): ActiveBasalRateWords;
  /** IU. */
  insulinOnBoard(): number;
  therapy(): TherapyAlgorithmWords;
  timeInRange(): TimeInRangeWords;
  /** Of the day so far. */
  dailyInsulin(): InsulinTotals;
  /** Of the pump's life. */
  deliveredInsulin(): InsulinTotals;
  /** undefined: the pump has no such counter. */
  counterMinutes(type: number, selection: number): number | undefined;
  limits(type: "low" | "high"): readonly LimitBlock[];
}
