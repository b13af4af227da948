import { type EventRow, EventType, eventRows, timed } from "./event-rows.ts";
import { localText } from "./live-writer.ts";
import type { SqlDatabase } from "./sqlite.ts";
import type {
  AlertEvent,
  BasalChange,
  BloodGlucose,
  ClockChange,
  LoopTransitionEvent,
  MealEvent,
  MicroBolus,
  SensorStart,
  StatusPoint,
  Suspension,
  TimeRange,
} from "./view.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A rate is told every hour; before that much nobody knows of one. */
const LAST_RATE_MS = 2 * HOUR_MS;
/** A fingerstick is used for calibration within that time, or not at all. */
const CALIBRATION_MS = 15 * MINUTE_MS;
/** Instance ids wrap: the same one later than that is another alarm. */
const SAME_ALERT_MS = 7 * 24 * HOUR_MS;

/** A pump's database, and how it is called in what is told. */
export interface Viewed {
  readonly db: SqlDatabase;
  readonly pump: number;
  readonly hash: string;
}

const rowsOf = ({ db, pump }: Viewed, types: readonly number[], range: TimeRange): EventRow[] => eventRows(db, pump, types, range);
const within = <T extends { readonly atMs: number }>(events: readonly T[], { fromMs, toMs }: TimeRange): T[] =>
  events.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);

export function microBolusEvents(viewed: Viewed, range: TimeRange): MicroBolus[] {
  return rowsOf(viewed, [EventType.MicroBolus], range).flatMap((row) =>
    row.amount === null ? [] : [{ ...timed(viewed.hash, row), amountIu: row.amount }],
  );
}

/** Only what changes: the context comes every hour. */
export function basalChanges(viewed: Viewed, range: TimeRange): BasalChange[] {
  const { BasalRateChanged, TherapyContext } = EventType;
  const rows = rowsOf(viewed, [BasalRateChanged, TherapyContext], { fromMs: range.fromMs - LAST_RATE_MS, toMs: range.toMs });
  const changes: BasalChange[] = [];
  for (const row of rows) {
    const told = rateOf(row);
    const before = changes.at(-1);
    if (!told || (before?.rate === told.rate && (before.source === "temporary") === (told.source === "temporary"))) continue;
    changes.push({ ...timed(viewed.hash, row), ...told });
  }
  return within(changes, range);
}

function rateOf({ type, amount, amount2, word2 }: EventRow): Pick<BasalChange, "rate" | "source"> | undefined {
  if (type === EventType.TherapyContext && amount2 !== null) {
    if (word2 === "absolute") return { rate: amount2, source: "temporary" };
    if (word2 === "relative" && amount !== null) return { rate: Number((amount * amount2).toFixed(6)), source: "temporary" };
  }
  return amount === null ? undefined : { rate: amount, source: type === EventType.TherapyContext ? "context" : "delivered" };
}

/** A bolus without carbohydrates has a record of 0 g, which is no meal. */
export function mealEvents(viewed: Viewed, range: TimeRange): MealEvent[] {
  return rowsOf(viewed, [EventType.Meal], range).flatMap((row) =>
    row.amount ? [{ ...timed(viewed.hash, row), carbohydratesG: row.amount }] : [],
  );
}

/** A value and the calibration with it are two records of one fingerstick. */
export function bloodGlucoseEvents(viewed: Viewed, range: TimeRange): BloodGlucose[] {
  const wide = { fromMs: range.fromMs - CALIBRATION_MS, toMs: range.toMs + CALIBRATION_MS };
  const values = rowsOf(viewed, [EventType.BloodGlucose], wide).filter(({ amount }) => amount !== null);
  const calibrations = rowsOf(viewed, [EventType.CalibrationAccepted, EventType.CalibrationRejected], wide).filter(
    ({ amount }) => amount !== null,
  );
  const outcome = ({ type }: EventRow): BloodGlucose["calibration"] => (type === EventType.CalibrationAccepted ? "accepted" : "rejected");
  const used = new Set<EventRow>();
  const events = values.map((row): BloodGlucose => {
    const calibration = calibrations.find(
      (other) => !used.has(other) && other.amount === row.amount && Math.abs(other.at_ms - row.at_ms) <= CALIBRATION_MS,
    );
    if (calibration) used.add(calibration);
    return { ...timed(viewed.hash, row), mgdl: row.amount!, calibration: calibration ? outcome(calibration) : "none" };
  });
  for (const row of calibrations)
    if (!used.has(row)) events.push({ ...timed(viewed.hash, row), mgdl: row.amount!, calibration: outcome(row) });
  return within(
    events.sort((a, b) => a.atMs - b.atMs),
    range,
  );
}

/** From the record that raised an alarm to the one that cleared it; records between that tell its state are the same alarm. */
export function alertEvents(viewed: Viewed, range: TimeRange): AlertEvent[] {
  const { Annunciation, AnnunciationCleared } = EventType;
  const wide = { fromMs: range.fromMs - SAME_ALERT_MS, toMs: range.toMs + SAME_ALERT_MS };
  const open = new Map<number, { event: AlertEvent; atMs: number; clearedAtMs: number | undefined }>();
  const alerts: { event: AlertEvent; atMs: number; clearedAtMs: number | undefined }[] = [];
  for (const row of rowsOf(viewed, [Annunciation, AnnunciationCleared], wide)) {
    if (row.number === null) continue; // its data could not be read
    const alert = open.get(row.number);
    const isSame = alert !== undefined && row.at_ms - alert.atMs < SAME_ALERT_MS;
    if (row.type === AnnunciationCleared) {
      if (isSame) alert.clearedAtMs = row.at_ms;
      open.delete(row.number);
    } else if (!isSame || alert.event.code !== (row.number2 ?? undefined)) {
      const event: AlertEvent = {
        ...timed(viewed.hash, row),
        instanceId: row.number,
        code: row.number2 ?? undefined,
        name: row.word ?? undefined,
        clearedAtMs: undefined,
      };
      const raised = { event, atMs: row.at_ms, clearedAtMs: undefined };
      open.set(row.number, raised);
      alerts.push(raised);
    }
  }
  return within(
    alerts.map(({ event, clearedAtMs }) => ({ ...event, clearedAtMs })),
    range,
  );
}

/** A stop ends with the next restart, or where another reason takes its place. */
export function suspensions(viewed: Viewed, range: TimeRange): Suspension[] {
  const { DeliveryStopped, DeliveryRestarted } = EventType;
  const rows = rowsOf(viewed, [DeliveryStopped], range);
  return rows.map((row) => {
    const ends = [DeliveryStopped, DeliveryRestarted].flatMap((type) => nextOf(viewed, type, row) ?? []);
    const end = ends.sort((a, b) => a.at_ms - b.at_ms || a.segment - b.segment || a.seq - b.seq)[0];
    return {
      ...timed(viewed.hash, row),
      reason: row.word ?? "unknown",
      endedAtMs: end?.at_ms,
      endReason: end && (end.type === DeliveryRestarted ? (end.word ?? "unknown") : "stopped_anew"),
    };
  });
}

function nextOf({ db, pump }: Viewed, type: number, { at_ms, segment, seq }: EventRow): EventRow | undefined {
  return db.get<EventRow>(
    `SELECT segment, seq, type, at_ms, word FROM record WHERE pump = ? AND type = ? AND at_ms >= ? AND (segment, seq) > (?, ?)
     ORDER BY at_ms, segment, seq LIMIT 1`,
    pump,
    type,
    at_ms,
    segment,
    seq,
  );
}

export function loopTransitions(viewed: Viewed, range: TimeRange): LoopTransitionEvent[] {
  return rowsOf(viewed, [EventType.LoopTransition], range).flatMap((row) =>
    row.word === null ? [] : [{ ...timed(viewed.hash, row), active: row.word === "into_si_pass", reason: row.word }],
  );
}

export function clockChanges(viewed: Viewed, range: TimeRange): ClockChange[] {
  return rowsOf(viewed, [EventType.ReferenceTime], range)
    .filter(({ word }) => word === "set_date_time" || word === "date_time_loss")
    .map((row) => ({ ...timed(viewed.hash, row), reason: row.word! }));
}

export function sensorStarts({ db, pump }: Viewed, { fromMs, toMs }: TimeRange): SensorStart[] {
  return db
    .all<{ start_s: number; at_ms: number; run_time_h: number | null }>(
      "SELECT start_s, at_ms, run_time_h FROM sensor_session WHERE pump = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms",
      pump,
      fromMs,
      toMs,
    )
    .map(({ start_s, at_ms, run_time_h }) => ({ atMs: at_ms, local: localText(start_s), runTimeHours: run_time_h ?? undefined }));
}

interface StatusRow {
  readonly at_ms: number;
  readonly iob_iu: number | null;
  readonly reservoir_iu: number | null;
  readonly battery_percent: number | null;
  readonly transmitter_percent: number | null;
  readonly therapy_state: string | null;
  readonly operational_state: string | null;
  readonly sensor_message: string | null;
  readonly shield: string | null;
}

export function statusPoints({ db, pump }: Viewed, { fromMs, toMs }: TimeRange): StatusPoint[] {
  return db
    .all<StatusRow>("SELECT * FROM status WHERE pump = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, id", pump, fromMs, toMs)
    .map((row) => ({
      atMs: row.at_ms,
      insulinOnBoardIu: row.iob_iu ?? undefined,
      reservoirIu: row.reservoir_iu ?? undefined,
      batteryPercent: row.battery_percent ?? undefined,
      transmitterBatteryPercent: row.transmitter_percent ?? undefined,
      therapyState: row.therapy_state ?? undefined,
      operationalState: row.operational_state ?? undefined,
      sensorMessage: row.sensor_message ?? undefined,
      shield: row.shield ?? undefined,
    }));
}
