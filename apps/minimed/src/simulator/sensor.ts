import { Reader } from "jelling/bytes";
import { encodeCgmMeasurement } from "../cgm/measurement.ts";
import type { CgmOctets } from "../cgm/octets.ts";
import { FILTER_TIME_OFFSET, RecordAccessOperator } from "../cgm/record-access.ts";
import { addSeconds, type LocalDateTime } from "../data/date-time.ts";
import { FIRST_SPECIAL_WORD, READING_INTERVAL_MIN, RUN_TIME_HOURS, SensorWord } from "./life/sensor-plan.ts";

/** The alert levels of the pump's user. */
const LOW_MGDL = 70;
const HIGH_MGDL = 250;
/** Bits of the warning octet. */
const Warning = Object.freeze({ BelowPatientLow: 0x01, AbovePatientHigh: 0x02, BelowRange: 0x40, AboveRange: 0x80 });

export interface SensorOptions {
  /** When the session began, by the pump's clock. */
  readonly start: LocalDateTime;
  /** Minutes since then. */
  readonly ageMin: () => number;
  /** mg/dL of a record, or why it has none: a word as the history has it; undefined where there is no record. */
  readonly wordAt: (timeOffsetMin: number) => number | undefined;
  /** mg/dL a minute. */
  readonly trendAt: (timeOffsetMin: number) => number;
}

/** A glucose sensor's session as its pump keeps it: one record every five minutes, none of them stored. */
export class SimulatedSensor {
  readonly start: LocalDateTime;
  readonly runTimeHours = RUN_TIME_HOURS;
  readonly #options: SensorOptions;

  constructor(options: SensorOptions) {
    this.start = options.start;
    this.#options = options;
  }

  /** Time offset of the newest record, minutes; 0 where there is none yet. */
  get latestOffsetMin(): number {
    let offset = this.#newestDueMin;
    while (offset > 0 && this.wordAt(offset) === undefined) offset -= READING_INTERVAL_MIN;
    return offset;
  }

  /** When the newest record was taken, by the pump's clock. */
  get latestTakenAt(): LocalDateTime {
    return addSeconds(this.start, this.latestOffsetMin * 60);
  }

  /** What the record says that is due by now; undefined: none has come. */
  get word(): number | undefined {
    return this.wordAt(this.#newestDueMin);
  }

  get #newestDueMin(): number {
    return Math.max(0, Math.floor(this.#options.ageMin() / READING_INTERVAL_MIN) * READING_INTERVAL_MIN);
  }

  /** mg/dL, or from 0x300 on why there is no value. */
  wordAt(timeOffsetMin: number): number | undefined {
    return this.#options.wordAt(timeOffsetMin);
  }

  /** mg/dL of a record as it is sent: 0 where it has no value to show. */
  glucoseAt(timeOffsetMin: number): number {
    const word = this.wordAt(timeOffsetMin);
    return word === undefined || word >= FIRST_SPECIAL_WORD ? 0 : word;
  }

  /** A CGM Measurement record in the pump's form: status and calibration octets, trend, quality 10. */
  record(timeOffsetMin: number, options: { e2eCrc: boolean }): Uint8Array {
    const glucoseMgdl = this.glucoseAt(timeOffsetMin);
    return encodeCgmMeasurement(
      {
        glucoseMgdl,
        timeOffsetMin,
        octets: { status: 0, calibration: 0, warning: undefined },
        trendMgdlPerMin: glucoseMgdl === 0 ? "unavailable" : this.#options.trendAt(timeOffsetMin),
        quality: 10,
      },
      options,
    );
  }

  /** What CGM Status says of a record. */
  octetsAt(timeOffsetMin: number): CgmOctets {
    const word = this.wordAt(timeOffsetMin);
    const mgdl = this.glucoseAt(timeOffsetMin);
    const isLow = mgdl > 0 && mgdl < LOW_MGDL;
    const warning =
      (isLow ? Warning.BelowPatientLow : 0) |
      (mgdl > HIGH_MGDL ? Warning.AbovePatientHigh : 0) |
      (word === SensorWord.BelowRange ? Warning.BelowRange : 0) |
      (word === SensorWord.AboveRange ? Warning.AboveRange : 0);
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
        if (this.wordAt(at) !== undefined) offsets.push(at);
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
}
