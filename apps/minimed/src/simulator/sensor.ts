import { Reader } from "jelling/bytes";
import { encodeCgmMeasurement } from "../cgm/measurement.ts";
import type { CgmOctets } from "../cgm/octets.ts";
import { FILTER_TIME_OFFSET, RecordAccessOperator } from "../cgm/record-access.ts";
import { addSeconds, type LocalDateTime, secondsBetween } from "../data/date-time.ts";
import { HIGHEST_DISPLAYED_MGDL, LOWEST_DISPLAYED_MGDL } from "../data/glucose.ts";
import { GlucoseCurve } from "./glucose-curve.ts";

export const READING_INTERVAL_MIN = 5;
/** Seven days and the warm-up. */
const RUN_TIME_HOURS = 170;
const WARM_UP_MIN = 120;
/** The alert levels of the pump's user. */
const LOW_MGDL = 70;
const HIGH_MGDL = 250;
const Warning = Object.freeze({ BelowPatientLow: 1, AbovePatientHigh: 2 });

export interface SensorOptions {
  readonly seed: number;
  /** When the session began, by the pump's clock. */
  readonly start: LocalDateTime;
  /** By the pump's clock, now. */
  readonly now: () => LocalDateTime;
  /** Replaces the curve: mg/dL at a time offset in minutes, or 0 for "no value". */
  readonly glucose?: ((timeOffsetMin: number) => number) | undefined;
}

/** A glucose sensor's session as its pump keeps it: one record every five minutes, nothing stored but the seed. */
export class SimulatedSensor {
  readonly start: LocalDateTime;
  readonly runTimeHours = RUN_TIME_HOURS;
  readonly #now: () => LocalDateTime;
  readonly #curve: GlucoseCurve;
  readonly #glucose: ((timeOffsetMin: number) => number) | undefined;
  readonly #startMinuteOfDay: number;

  constructor({ seed, start, now, glucose }: SensorOptions) {
    this.start = start;
    this.#now = now;
    this.#curve = new GlucoseCurve(seed);
    this.#glucose = glucose;
    this.#startMinuteOfDay = start.hour * 60 + start.minute;
  }

  /** Time offset of the newest record, minutes. */
  get latestOffsetMin(): number {
    const minutes = secondsBetween(this.start, this.#now()) / 60;
    return Math.max(0, Math.floor(minutes / READING_INTERVAL_MIN) * READING_INTERVAL_MIN);
  }

  /** When the newest record was taken, by the pump's clock. */
  get latestTakenAt(): LocalDateTime {
    return addSeconds(this.start, this.latestOffsetMin * 60);
  }

  /** mg/dL of a record as it is sent: 0 while warming up and outside the range of the display. */
  glucoseAt(timeOffsetMin: number): number {
    const mgdl = this.#glucose?.(timeOffsetMin) ?? Math.round(this.#curve.at(this.#startMinuteOfDay + timeOffsetMin));
    return timeOffsetMin < WARM_UP_MIN || mgdl < LOWEST_DISPLAYED_MGDL || mgdl > HIGHEST_DISPLAYED_MGDL ? 0 : mgdl;
  }

  /** A CGM Measurement record in the pump's form: status and calibration octets, trend, quality 10. */
  record(timeOffsetMin: number, options: { e2eCrc: boolean }): Uint8Array {
    const glucoseMgdl = this.glucoseAt(timeOffsetMin);
    return encodeCgmMeasurement(
      {
        glucoseMgdl,
        timeOffsetMin,
        octets: { status: 0, calibration: 0, warning: undefined },
        trendMgdlPerMin: glucoseMgdl === 0 ? "unavailable" : this.#trendAt(timeOffsetMin),
        quality: 10,
      },
      options,
    );
  }

  /** What CGM Status says of a record. */
  octetsAt(timeOffsetMin: number): CgmOctets {
    const mgdl = this.glucoseAt(timeOffsetMin);
    const warning = (mgdl > 0 && mgdl < LOW_MGDL ? Warning.BelowPatientLow : 0) | (mgdl > HIGH_MGDL ? Warning.AbovePatientHigh : 0);
    return { status: 0, calibration: 0, warning };
  }

  /** Offsets of the records that a record access request asks for, or undefined when its operand is not understood. */
  select(operand: Uint8Array): number[] | undefined {
    const latest = this.latestOffsetMin;
    const between = (from: number, to: number): number[] => {
      const offsets: number[] = [];
      for (
        let at = Math.ceil(Math.max(0, from) / READING_INTERVAL_MIN) * READING_INTERVAL_MIN;
        at <= Math.min(latest, to);
        at += READING_INTERVAL_MIN
      )
        offsets.push(at);
      return offsets;
    };
    const [operator, filter] = operand;
    if (operator === RecordAccessOperator.Last && operand.length === 1) return [latest];
    if (operator === RecordAccessOperator.First && operand.length === 1) return [0];
    if (operator === RecordAccessOperator.All && operand.length === 1) return between(0, latest);
    if (filter !== FILTER_TIME_OFFSET || operand.length < 4) return undefined;
    const reader = new Reader(operand, { offset: 2 });
    const first = reader.u16();
    if (operator === RecordAccessOperator.GreaterOrEqual && operand.length === 4) return between(first, latest);
    if (operator === RecordAccessOperator.LessOrEqual && operand.length === 4) return between(0, first);
    if (operator === RecordAccessOperator.Range && operand.length === 6) return between(first, reader.u16());
    return undefined;
  }

  #trendAt(timeOffsetMin: number): number {
    if (!this.#glucose) return this.#curve.trendAt(this.#startMinuteOfDay + timeOffsetMin);
    return (this.#glucose(timeOffsetMin) - this.#glucose(Math.max(0, timeOffsetMin - READING_INTERVAL_MIN))) / READING_INTERVAL_MIN;
  }
}
