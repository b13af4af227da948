import { GlucoseCurve } from "../glucose-curve.ts";
import { makeDay } from "./day.ts";
import { type DayState, FIRST_STATE, type LifeDay, type PlannedBolus } from "./day-model.ts";
import { DAY_S } from "./draft.ts";
import { SensorPlan } from "./sensor-plan.ts";

/** Days that are kept at hand. */
const KEPT_DAYS = 4;
/** Insulin works for so long, minutes. */
const ACTION_MIN = 240;

export interface LifeOptions {
  readonly seed: number;
  readonly firstDay: number;
  /** When one of the sensors began, seconds of the life. */
  readonly sensorAnchorS: number;
}

/**
 * The life of a pump's user from a seed: what was eaten and dosed, how glucose went, what the pump did and warned of. Any day can be asked for;
 * it is made anew from the few numbers that the day before has left. Time is counted in seconds from a midnight, and knows of no clock.
 */
export class SimulatedLife {
  readonly curve: GlucoseCurve;
  readonly sensors: SensorPlan;
  readonly firstDay: number;
  readonly #seed: number;
  /** What each day begins with. */
  readonly #begins: DayState[] = [FIRST_STATE];
  readonly #kept = new Map<number, LifeDay>();

  constructor({ seed, firstDay, sensorAnchorS }: LifeOptions) {
    this.#seed = seed;
    this.firstDay = firstDay;
    this.curve = new GlucoseCurve(seed);
    this.sensors = new SensorPlan(seed, this.curve, sensorAnchorS);
  }

  /** @param index not before the first day */
  day(index: number): LifeDay {
    const known = this.#kept.get(index);
    if (known) return known;
    for (let next = this.firstDay + this.#begins.length - 1; next < index; next++) this.#make(next);
    return this.#make(index);
  }

  dayAt(atS: number): LifeDay {
    return this.day(Math.max(this.firstDay, Math.floor(atS / DAY_S)));
  }

  #make(index: number): LifeDay {
    const at = index - this.firstDay;
    const day = makeDay({ seed: this.#seed, index, curve: this.curve, sensors: this.sensors, begin: this.#begins[at]! });
    this.#begins[at + 1] ??= day.end;
    if (this.#kept.size >= KEPT_DAYS) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(index, day);
    return day;
  }

  /** Boluses that were begun in the last hours. */
  boluses(atS: number): PlannedBolus[] {
    const day = this.dayAt(atS);
    const before = day.index > this.firstDay ? this.day(day.index - 1).boluses : [];
    return [...before, ...day.boluses].filter(({ fromS }) => fromS <= atS && atS - fromS <= 60 * ACTION_MIN + 7200);
  }
}

/** How much of an amount is active after so many seconds, 1 to 0. */
export function activeShare(sinceS: number): number {
  const used = Math.min(1, Math.max(0, sinceS / (60 * ACTION_MIN)));
  return (1 - used) ** 2 * (1 + 2 * used);
}
