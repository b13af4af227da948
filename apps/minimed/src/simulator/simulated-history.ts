import { checkInteger, checkOptions, optionNames } from "jelling/core";
import { addSeconds, type LocalDateTime, parseLocal } from "../data/date-time.ts";
import { DAY_S } from "./life/draft.ts";
import { SimulatedLife } from "./life/life.ts";
import { PlannedRecords } from "./planned-records.ts";

/** Number of the first record of a simulated pump. */
export const FIRST_SEQUENCE_NUMBER = 7001;
/** The sensor that is worn at the beginning was put on so long before. */
const SENSOR_AGE_S = 2 * DAY_S + 3 * 3600;
const DEFAULT_DAYS = 30;
const MOST_DAYS = 36_525;
const MOST_RECORDS = 50_000_000;

export interface SimulatedHistoryOptions {
  /** Equal seeds give equal histories. */
  readonly seed: number;
  /** How long it goes back; 30 days by default. */
  readonly days?: number | undefined;
  /** How many records it has, in place of `days`. */
  readonly recordCount?: number | undefined;
  /** What the pump's clock showed at the beginning. Midnight by default. */
  readonly startLocal?: LocalDateTime | undefined;
}

const OPTIONS = optionNames<SimulatedHistoryOptions>({ seed: true, days: true, recordCount: true, startLocal: true });

/**
 * The history of a pump that nobody has worn: meals, boluses and micro boluses, the closed loop and its pauses, alarms, sensors, set changes,
 * changes of the clock, holes in the numbers, and events that nobody knows; about 900 records a day. It is the same for the same seed, and
 * holds no more than a few days of it at a time.
 */
export class SimulatedHistory {
  readonly #records: PlannedRecords;

  /** @throws {ArgumentError} an option of another kind or range, or of an unknown name */
  constructor(options: SimulatedHistoryOptions) {
    checkOptions("SimulatedHistory", options, OPTIONS);
    const { seed, days, recordCount, startLocal = parseLocal("2031-03-02T00:00:00") } = options;
    checkInteger("seed", seed, 0, Number.MAX_SAFE_INTEGER);
    if (days !== undefined) checkInteger("days", days, 1, MOST_DAYS);
    if (recordCount !== undefined) checkInteger("recordCount", recordCount, 1, MOST_RECORDS);
    const begin = {
      nextNumber: FIRST_SEQUENCE_NUMBER,
      referenceAtS: 0,
      clock: { atS: 0, local: addSeconds(startLocal, 0) },
      lost: undefined,
    };
    const endS = recordCount === undefined || days !== undefined ? (days ?? DEFAULT_DAYS) * DAY_S : undefined;
    const life = new SimulatedLife({ seed, firstDay: 0, sensorAnchorS: -SENSOR_AGE_S });
    this.#records = new PlannedRecords({ life, begin, endS, recordCount });
  }

  /** How many records there are. */
  get count(): number {
    return this.#records.count;
  }
  get recordCount(): number {
    return this.#records.count;
  }
  /** Lowest sequence number. */
  get first(): number {
    return this.#records.first!;
  }
  /** Highest sequence number. */
  get last(): number {
    return this.#records.last!;
  }

  /** Header and data as History Data have them, decrypted; undefined for a number that is left out. */
  record(sequenceNumber: number): Uint8Array | undefined {
    return this.#records.record(sequenceNumber)?.slice();
  }
}
