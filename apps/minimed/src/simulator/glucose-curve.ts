import { SeededRandom } from "jelling/core";

const DAY_MIN = 1440;
/** Minutes after midnight, around which a day's meals are. */
const MEALS_MIN = [450, 750, 1130];
/** After a meal glucose rises for about 45 minutes and is back after some four hours. */
const PEAK_MIN = 45;
const MEAL_LASTS_MIN = 360;

/** A plausible course of glucose: a daily rhythm, three meals at changing times and of changing size, and a slow wander. */
export class GlucoseCurve {
  readonly #seed: number;
  readonly #phases: readonly number[];

  /** @param seed equal seeds give equal curves */
  constructor(seed: number) {
    this.#seed = seed;
    const random = new SeededRandom(seed, "glucose");
    this.#phases = Array.from({ length: 4 }, () => 2 * Math.PI * random.unit());
  }

  /** mg/dL at `minutes` since a midnight. Depends on nothing else, so past values can be asked for at any time. */
  at(minutes: number): number {
    const wave = (periodMin: number, phase: number): number => Math.sin((2 * Math.PI * minutes) / periodMin + this.#phases[phase]!);
    let mgdl = 118 + 10 * wave(DAY_MIN, 0) + 9 * wave(311, 1) + 5 * wave(97, 2) + 2 * wave(23, 3);
    const day = Math.floor(minutes / DAY_MIN);
    for (const ofDay of [day - 1, day])
      for (const meal of MEALS_MIN.keys()) {
        const random = new SeededRandom(this.#seed, `meal ${ofDay} ${meal}`);
        const beganMin = ofDay * DAY_MIN + MEALS_MIN[meal]! + 60 * (random.unit() - 0.5);
        const sinceMin = minutes - beganMin;
        if (sinceMin <= 0 || sinceMin > MEAL_LASTS_MIN) continue;
        const shape = (sinceMin / PEAK_MIN) * Math.exp(1 - sinceMin / PEAK_MIN);
        mgdl += shape * (45 + 75 * random.unit());
      }
    return mgdl;
  }

  /** mg/dL a minute over the last ten minutes, with two decimals. */
  trendAt(minutes: number): number {
    return Math.round(((this.at(minutes) - this.at(minutes - 10)) / 10) * 100) / 100;
  }
}
