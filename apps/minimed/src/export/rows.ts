import { type ExportEvent, refOf } from "./events.ts";

/**
 * The columns of an export, in their order; every event has the first three. They stay: new ones come at the end. Units are in the names, IU are
 * international units of insulin.
 */
export const EXPORT_COLUMNS = Object.freeze([
  "time_utc",
  "time_local",
  "kind",
  "glucose_mgdl",
  "glucose_trend_mgdl_per_min",
  "glucose_cause",
  "blood_glucose_mgdl",
  "calibration",
  "bolus_id",
  "bolus_kind",
  "bolus_automatic",
  "programmed_fast_iu",
  "programmed_extended_iu",
  "delivered_fast_iu",
  "delivered_extended_iu",
  "duration_min",
  "micro_bolus_iu",
  "basal_rate_iu_per_h",
  "basal_source",
  "carbohydrates_g",
  "alert_instance",
  "alert_code",
  "alert_name",
  "end_time_utc",
  "reason",
  "end_reason",
  "loop_active",
  "sensor_run_time_hours",
  "insulin_on_board_iu",
  "reservoir_iu",
  "battery_percent",
  "transmitter_battery_percent",
  "therapy_state",
  "operational_state",
  "sensor_message",
  "shield",
  "pump",
  "segment",
  "sequence_number",
] as const);
export type ExportColumn = (typeof EXPORT_COLUMNS)[number];
export type ExportCell = string | number | boolean | undefined;
export type ExportRow = { readonly [Column in ExportColumn]?: ExportCell };

/** "2026-03-29T02:30:00.000Z" */
export function isoUtc(ms: number): string {
  return new Date(Math.round(ms)).toISOString();
}

/** One event as one row. `time_local` is what the pump's display showed; it has no zone. */
export function exportRow(row: ExportEvent): ExportRow {
  const { event } = row;
  const ref = refOf(row);
  return {
    time_utc: isoUtc(event.atMs),
    time_local: "local" in event ? event.local : undefined,
    kind: row.kind,
    ...cellsOf(row),
    pump: ref?.pump,
    segment: ref?.segment,
    sequence_number: ref?.sequenceNumber,
  };
}

function cellsOf({ kind, event }: ExportEvent): ExportRow {
  switch (kind) {
    case "glucose":
      return { glucose_mgdl: event.mgdl, glucose_trend_mgdl_per_min: event.trendMgdlPerMin, glucose_cause: event.cause };
    case "bolus":
      return {
        bolus_id: event.bolusId,
        bolus_kind: event.kind,
        bolus_automatic: event.automatic,
        programmed_fast_iu: event.programmedIu?.fast,
        programmed_extended_iu: event.programmedIu?.extended,
        delivered_fast_iu: event.deliveredIu?.fast,
        delivered_extended_iu: event.deliveredIu?.extended,
        duration_min: event.durationMin,
        end_reason: event.endReason,
      };
    case "micro_bolus":
      return { micro_bolus_iu: event.amountIu };
    case "basal":
      return { basal_rate_iu_per_h: event.rate, basal_source: event.source };
    case "meal":
      return { carbohydrates_g: event.carbohydratesG };
    case "blood_glucose":
      return { blood_glucose_mgdl: event.mgdl, calibration: event.calibration };
    case "alert":
      return {
        alert_instance: event.instanceId,
        alert_code: event.code,
        alert_name: event.name,
        end_time_utc: event.clearedAtMs === undefined ? undefined : isoUtc(event.clearedAtMs),
      };
    case "suspension":
      return {
        end_time_utc: event.endedAtMs === undefined ? undefined : isoUtc(event.endedAtMs),
        reason: event.reason,
        end_reason: event.endReason,
      };
    case "loop_transition":
      return { loop_active: event.active, reason: event.reason };
    case "clock_change":
      return { reason: event.reason };
    case "sensor_start":
      return { sensor_run_time_hours: event.runTimeHours };
    case "status":
      return {
        insulin_on_board_iu: event.insulinOnBoardIu,
        reservoir_iu: event.reservoirIu,
        battery_percent: event.batteryPercent,
        transmitter_battery_percent: event.transmitterBatteryPercent,
        therapy_state: event.therapyState,
        operational_state: event.operationalState,
        sensor_message: event.sensorMessage,
        shield: event.shield,
      };
  }
}
