import type { GlucoseReading, LatestGlucose, NoGlucoseValue } from "../connector/reading.ts";
import type { Named } from "../data/named.ts";
import type { SensorMessage } from "../idd/status.ts";
import type { PumpState } from "../live/state.ts";
import { causeOf } from "./causes.ts";
import { localSeconds } from "./record-writer.ts";
import type { SqlDatabase, SqlValue } from "./sqlite.ts";
import { type ClockMeasurement, roundedDifference } from "./times.ts";

/** A reading and a record of the history are of one sample within that time: samples come every five minutes. */
export const SAME_SAMPLE_MS = 150_000;
/** Two starts of a sensor within that time are one. */
const SAME_START_MS = 10 * 60_000;
const SAME_CLOCK_S = 60;
const DAY_MS = 86_400_000;
const SENSOR_GLUCOSE = 61452;

/** Keeps what was read while connected. Every method runs inside a transaction of its caller. */
export class LiveWriter {
  readonly #db: SqlDatabase;
  readonly #pump: number;
  #link: number | undefined;

  constructor(db: SqlDatabase, pump: number) {
    this.#db = db;
    this.#pump = pump;
  }

  beginLink(atMs: number): void {
    this.#db.run(
      "UPDATE link_session SET end_ms = max(start_ms, coalesce(measured_ms, start_ms)), reason = 'not_recorded' WHERE pump = ? AND end_ms IS NULL",
      this.#pump,
    );
    this.#db.run("INSERT INTO link_session (pump, start_ms) VALUES (?, ?)", this.#pump, atMs);
    this.#link = this.#db.get<{ id: number }>("SELECT last_insert_rowid() AS id")?.id;
  }

  endLink(atMs: number, reason: string): void {
    this.#db.run("UPDATE link_session SET end_ms = ?, reason = ? WHERE pump = ? AND end_ms IS NULL", atMs, reason, this.#pump);
    this.#link = undefined;
  }

  /** The pump's clock, of the link that is up. True: another reading than before. */
  saveClock({ differenceS, atMs }: ClockMeasurement): void {
    if (this.#link === undefined) this.beginLink(atMs);
    this.#db.run(
      "UPDATE link_session SET clock_difference_s = ?, measured_ms = ? WHERE id = ?",
      Math.round(differenceS),
      Math.round(atMs),
      this.#link!,
    );
  }

  measurement(): ClockMeasurement | undefined {
    return this.#db.get<{ differenceS: number; atMs: number } & Record<string, SqlValue>>(
      `SELECT clock_difference_s AS differenceS, measured_ms AS atMs FROM link_session
       WHERE pump = ? AND measured_ms IS NOT NULL ORDER BY measured_ms DESC LIMIT 1`,
      this.#pump,
    );
  }

  /** A value of the sensor, or that it had none, once for each sample. */
  saveReading(
    reading: GlucoseReading | NoGlucoseValue,
    epochMs: number,
    differenceS: number | undefined,
    message: Named<SensorMessage> | undefined,
  ): void {
    const { takenAt, takenAtMs, receivedAtMs, timeOffsetMin } = reading;
    const receivedMs = Math.round(receivedAtMs + epochMs);
    const localS = takenAt && localSeconds(takenAt);
    // Without a start, a sample is known by the day: its minutes count on for a week.
    const sessionS = localS === undefined ? -Math.floor(receivedMs / DAY_MS) : localS - 60 * timeOffsetMin;
    const isValue = reading.kind === "reading";
    const values: SqlValue[] = [
      receivedMs,
      isValue ? reading.mgdl : null,
      isValue ? null : causeOf(reading, message),
      isValue ? (reading.trendMgdlPerMin ?? null) : null,
      reading.quality ?? null,
      JSON.stringify(reading.state),
    ];
    const known = this.#db.get<{ id: number; mgdl: number | null }>(
      "SELECT id, mgdl FROM reading WHERE pump = ? AND session_start_s = ? AND offset_min = ?",
      this.#pump,
      sessionS,
      timeOffsetMin,
    );
    if (known) {
      // The pump may know a value only later; one that is there stays.
      if (known.mgdl === null && isValue)
        this.#db.run(
          "UPDATE reading SET received_ms = ?, mgdl = ?, cause = ?, trend = ?, quality = ?, state = ? WHERE id = ?",
          ...values,
          known.id,
        );
      return;
    }
    const byDisplay = localS === undefined || differenceS === undefined ? undefined : (localS - differenceS) * 1000;
    const atMs = byDisplay ?? Math.round(takenAtMs === undefined ? receivedMs : takenAtMs + epochMs);
    this.#db.run(
      `INSERT INTO reading (received_ms, mgdl, cause, trend, quality, state, pump, session_start_s, offset_min, at_ms, local_s)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...values,
      this.#pump,
      sessionS,
      timeOffsetMin,
      this.#recordOf(atMs) ?? atMs,
      localS ?? null,
    );
  }

  /** Instant of the history's record of a sample, where that came first. */
  #recordOf(atMs: number): number | undefined {
    return this.#db.get<{ at_ms: number }>(
      "SELECT at_ms FROM record WHERE pump = ?1 AND type = ?2 AND at_ms BETWEEN ?3 - ?4 AND ?3 + ?4 ORDER BY abs(at_ms - ?3) LIMIT 1",
      this.#pump,
      SENSOR_GLUCOSE,
      atMs,
      SAME_SAMPLE_MS,
    )?.at_ms;
  }

  saveSensorStart(localS: number, runTimeHours: number | undefined, differenceS: number): void {
    const atMs = (localS - differenceS) * 1000;
    const known = this.#db.get<{ start_s: number }>(
      "SELECT start_s FROM sensor_session WHERE pump = ?1 AND (start_s = ?2 OR abs(at_ms - ?3) < ?4) LIMIT 1",
      this.#pump,
      localS,
      atMs,
      SAME_START_MS,
    );
    if (!known)
      this.#db.run(
        "INSERT INTO sensor_session (pump, start_s, at_ms, run_time_h) VALUES (?, ?, ?, ?)",
        this.#pump,
        localS,
        atMs,
        runTimeHours ?? null,
      );
    else if (runTimeHours !== undefined)
      this.#db.run(
        "UPDATE sensor_session SET run_time_h = ? WHERE pump = ? AND start_s = ? AND run_time_h IS NULL",
        runTimeHours,
        this.#pump,
        known.start_s,
      );
  }

  /** One row at every change. */
  saveStatus(state: PumpState): void {
    const { values } = state;
    const told = [values.insulinOnBoard, values.status, values.battery, values.transmitterBattery, values.therapy].filter(
      (each) => each !== undefined,
    );
    if (told.length === 0) return;
    const atMs = Math.round(Math.max(...told.map((each) => each.atMs)) + state.epochMs);
    const word = (value: string | number | undefined): string | null => (value === undefined ? null : String(value));
    const row: SqlValue[] = [
      values.insulinOnBoard?.value?.insulinOnBoardIu ?? null,
      values.status?.value?.reservoirRemainingIu ?? null,
      values.battery?.value ?? null,
      values.transmitterBattery?.value ?? null,
      word(values.status?.value?.therapyControlState),
      word(values.status?.value?.operationalState),
      word(values.status?.value?.sensorMessage),
      word(values.therapy?.value?.shield),
    ];
    const last = this.#db.get(
      `SELECT iob_iu, reservoir_iu, battery_percent, transmitter_percent, therapy_state, operational_state, sensor_message, shield
       FROM status WHERE pump = ? ORDER BY id DESC LIMIT 1`,
      this.#pump,
    );
    if (last && JSON.stringify(Object.values(last)) === JSON.stringify(row)) return;
    this.#db.run(
      `INSERT INTO status (pump, at_ms, iob_iu, reservoir_iu, battery_percent, transmitter_percent, therapy_state, operational_state,
       sensor_message, shield) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      this.#pump,
      atMs,
      ...row,
    );
  }

  /** What a state holds of glucose, sensor, clock and status. */
  saveState(state: PumpState, knownDifferenceS: number | undefined): void {
    const { values, epochMs } = state;
    const { clock } = values;
    if (clock?.value) {
      const atMs = clock.atMs + epochMs;
      this.saveClock({ differenceS: localSeconds(clock.value) - atMs / 1000, atMs });
    }
    const differenceS = presentDifference(this.measurement(), knownDifferenceS);
    const start = values.sensorSession?.value?.start?.local;
    if (start && differenceS !== undefined)
      this.saveSensorStart(localSeconds(start), values.sensorSession?.value?.runTimeHours, differenceS);
    const latest: LatestGlucose | undefined = values.glucose?.value;
    if (latest && latest.kind !== "no-sensor") this.saveReading(latest, epochMs, differenceS, values.status?.value?.sensorMessage);
    this.saveStatus(state);
  }
}

/** As the history's records are dated, where the clock is still the same. */
export function presentDifference(measurement: ClockMeasurement | undefined, knownS: number | undefined): number | undefined {
  if (!measurement) return knownS;
  if (knownS !== undefined && Math.abs(knownS - measurement.differenceS) < SAME_CLOCK_S) return knownS;
  return roundedDifference(measurement.differenceS);
}

/** "2031-03-02T09:00:00" of what `localSeconds` gave. */
export function localText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}
