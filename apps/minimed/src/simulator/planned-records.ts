import { DAY_S } from "./life/draft.ts";
import type { SimulatedLife } from "./life/life.ts";
import { Recorder, type RecorderState } from "./recorder.ts";

/** Days whose records are kept at hand. */
const KEPT_DAYS = 3;

/** Where the records of a day are. */
interface DayEntry {
  readonly begin: RecorderState;
  /** Sequence numbers, the last one not included. */
  readonly first: number;
  readonly end: number;
  /** How many records there are before it. */
  readonly before: number;
  readonly count: number;
}

export interface PlannedRecordsOptions {
  readonly life: SimulatedLife;
  readonly begin: RecorderState;
  /** Up to this moment, which is not included; undefined: up to a number of records. */
  readonly endS?: number | undefined;
  readonly recordCount?: number | undefined;
}

/** The records of a life from its first day on. Those of a day are made when one of them is asked for, and forgotten. */
export class PlannedRecords {
  readonly #life: SimulatedLife;
  readonly #days: DayEntry[] = [];
  readonly #kept = new Map<number, ReadonlyMap<number, Uint8Array>>();
  readonly #endS: number;
  readonly count: number;
  /** Where the recording stands behind the last of them. */
  readonly end: RecorderState;

  constructor({ life, begin, endS = Number.POSITIVE_INFINITY, recordCount = Number.POSITIVE_INFINITY }: PlannedRecordsOptions) {
    this.#life = life;
    this.#endS = endS;
    let count = 0;
    let state = begin;
    for (let day = life.firstDay; day * DAY_S < endS && count < recordCount; day++) {
      const entry = this.#survey(day, state, count, recordCount - count);
      this.#days.push(entry.day);
      count += entry.day.count;
      state = entry.end;
    }
    this.count = count;
    this.end = state;
  }

  get first(): number | undefined {
    return this.#days.find((day) => day.count > 0)?.first;
  }
  get last(): number | undefined {
    const day = this.#days.findLast(({ count }) => count > 0);
    return day && day.end - 1;
  }

  record(number: number): Uint8Array | undefined {
    const at = this.#dayOf(number);
    return at === undefined ? undefined : this.#records(at).get(number);
  }

  /** The number of a record that is known by its place, from 0. */
  numberAt(place: number): number | undefined {
    const at = this.#days.findIndex(({ before, count }) => place >= before && place < before + count);
    if (at < 0) return undefined;
    return [...this.#records(at).keys()][place - this.#days[at]!.before];
  }

  #dayOf(number: number): number | undefined {
    let low = 0;
    let high = this.#days.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#days[middle]!.first <= number) low = middle;
      else high = middle - 1;
    }
    const day = this.#days[low];
    return day && number >= day.first && number < day.end ? low : undefined;
  }

  #records(at: number): ReadonlyMap<number, Uint8Array> {
    const known = this.#kept.get(at);
    if (known) return known;
    const { begin, count } = this.#days[at]!;
    const records = new Map<number, Uint8Array>();
    this.#run(this.#life.firstDay + at, begin, count, (number, bytes) => records.set(number, bytes));
    if (this.#kept.size >= KEPT_DAYS) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(at, records);
    return records;
  }

  #survey(day: number, begin: RecorderState, before: number, atMost: number): { day: DayEntry; end: RecorderState } {
    let [first, end, count] = [begin.nextNumber, begin.nextNumber, 0];
    const state = this.#run(day, begin, atMost, (number) => {
      if (count++ === 0) first = number;
      end = number + 1;
    });
    return { day: { begin, first, end, before, count }, end: state };
  }

  #run(day: number, begin: RecorderState, atMost: number, each: (number: number, bytes: Uint8Array) => void): RecorderState {
    const recorder = new Recorder(begin);
    let left = atMost;
    for (const draft of this.#life.day(day).drafts) {
      if (draft.atS >= this.#endS || left <= 0) break;
      const recorded = recorder.record(draft);
      if (!recorded) continue;
      left--;
      each(recorded.number, recorded.bytes);
    }
    return recorder.state;
  }
}
