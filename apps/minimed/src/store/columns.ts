import type { HistoryData } from "../history/events.ts";
import type { HistoryRecord } from "../history/record.ts";

/** Of what decodes records into columns. A database with records of an older one is brought up to date by `reparse`. */
export const PARSER_VERSION = 1;

/** What a record says, as the columns of its row. Which field is where depends on the event type. */
export interface RecordColumns {
  readonly amount?: number | undefined;
  readonly amount2?: number | undefined;
  readonly number?: number | undefined;
  readonly number2?: number | undefined;
  readonly word?: string | number | undefined;
  readonly word2?: string | number | undefined;
}

type ColumnsOf = { readonly [Name in HistoryData["name"]]: (data: Extract<HistoryData, { name: Name }>) => RecordColumns };

const sample = (data: { readonly glucoseMgdl: number | undefined; readonly timeOffsetMin: number }): RecordColumns => ({
  amount: data.glucoseMgdl,
  number: data.timeOffsetMin,
});

const COLUMNS: ColumnsOf = {
  bolus_programmed_p1: (data) => ({
    amount: data.fastIu,
    amount2: data.extendedIu,
    number: data.bolusId,
    number2: data.durationMin,
    word: data.bolusType,
  }),
  bolus_programmed_p2: (data) => ({ number: data.delayMin, number2: data.templateNumber, word: data.activation }),
  bolus_delivered_p1: (data) => ({
    amount: data.fastIu,
    amount2: data.extendedIu,
    number: data.bolusId,
    number2: data.durationMin,
    word: data.bolusType,
  }),
  bolus_delivered_p2: (data) => ({
    number: data.startOffsetSeconds,
    number2: data.annunciationInstanceId,
    word: data.activation,
    word2: data.endReason,
  }),
  delivered_basal_rate_changed: (data) => ({ amount: data.newRate, amount2: data.oldRate, word: data.context }),
  max_bolus_amount_changed: (data) => ({ amount: data.newIu, amount2: data.oldIu }),
  auto_basal_delivery: (data) => ({ amount: data.amountIu, number: data.bolusNumber }),
  cl1_transition: (data) => ({ word: data.transition }),
  therapy_context: (data) => ({
    amount: data.basalRate,
    amount2: data.temporaryBasal?.adjustment,
    word: data.stopReason,
    word2: data.temporaryBasal?.type,
  }),
  meal: (data) => ({ amount: data.carbohydratesG }),
  bg_reading: sample,
  calibration_complete: sample,
  calibration_rejected: sample,
  insulin_delivery_stopped: (data) => ({ word: data.reason }),
  insulin_delivery_restarted: (data) => ({ word: data.reason }),
  sg_measurement: (data) => ({ amount: data.glucoseMgdl, number: data.timeOffsetMin, number2: data.isigRaw, word: data.special }),
  cgm_analytics_data_backfill: (data) => ({ amount: data.psgv, number: data.timeOffsetMin, number2: data.calibrationFactor }),
  ngp_reference_time: (data) => ({ word: data.reason }),
  annunciation_cleared: (data) => ({ number: data.instanceId, number2: data.faultType }),
  annunciation_consolidated: (data) => ({ number: data.instanceId, number2: data.code, word: data.codeName, word2: data.state }),
  max_auto_basal_rate_changed: (data) => ({ amount: data.newRate, amount2: data.oldRate }),
};

export function columnsOf({ data }: HistoryRecord): RecordColumns {
  return data ? (COLUMNS[data.name] as (data: HistoryData) => RecordColumns)(data) : {};
}

/** Seconds from a record's reference time to what it is about: its sample, where it has one. */
export function shiftOf({ data, relativeOffsetSeconds }: HistoryRecord): number {
  if (data?.name === "ngp_reference_time") return 0; // its own offset is from the reference before
  return data && "timeOffsetMin" in data ? 60 * data.timeOffsetMin : relativeOffsetSeconds;
}
