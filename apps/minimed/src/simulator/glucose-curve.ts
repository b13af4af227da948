import { SeededRandom } from "jelling/core";

const DAY_MIN = 1440;
/** Minutes after midnight, around which a day's meals are. */
const MEALS_MIN = [450, 750, 1130];
/** After a meal glucose rises for about 45 minutes and is back after some four hours. */
const PEAK_MIN = 45;
const LASTS_MIN = 360;
/** Some days have a feast for dinner, some an hour of sport, or a night that is too low. */
const FEAST_SHARE = 0.06;
const DIP_SHARE = 0.45;
const DIP_PEAK_MIN = 40;
/** Days that are kept at hand; asking goes on from day to day. */
const KEPT_DAYS = 6;

/** What was eaten. */
export interface Meal {
  /** Minutes since the midnight that time is counted from. */
  readonly atMin: number;
  readonly carbohydratesG: number;
}
/** A rise or, with a negative height, a fall of glucose. */
interface Bump {
  readonly atMin: number;
  readonly peakMin: number;
  readonly heightMgdl: number;
}
interface Day {
  readonly meals: readonly Meal[];
  readonly bumps: readonly Bump[];
}

/** A plausible course of glucose: a daily rhythm, three meals at changing times and of changing size, lows on some days, and a slow wander. */
export class GlucoseCurve {
  readonly #seed: number;
  readonly #phases: readonly number[];
  readonly #days = new Map<number, Day>();

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
    for (let of = day - 1; of <= day; of++)
      for (const { atMin, peakMin, heightMgdl } of this.#day(of).bumps) {
        const sinceMin = minutes - atMin;
        if (sinceMin > 0 && sinceMin <= LASTS_MIN) mgdl += (sinceMin / peakMin) * Math.exp(1 - sinceMin / peakMin) * heightMgdl;
      }
    return Math.max(25, mgdl);
  }

  /** mg/dL a minute over the last ten minutes, with two decimals. */
  trendAt(minutes: number): number {
    return Math.round(((this.at(minutes) - this.at(minutes - 10)) / 10) * 100) / 100;
  }

  /** What was eaten on a day, in its order. */
  meals(day: number): readonly Meal[] {
    return this.#day(day).meals;
  }

  #day(index: number): Day {
    const known = this.#days.get(index);
    if (known) return known;
    if (this.#days.size >= KEPT_DAYS) this.#days.clear();
    const day = this.#makeDay(index);
    this.#days.set(index, day);
    return day;
  }

  #makeDay(index: number): Day {
    const meals: Meal[] = [];
    const bumps: Bump[] = [];
    const moods = new SeededRandom(this.#seed, `moods ${index}`);
    const feasts = moods.unit() < FEAST_SHARE;
    for (const [i, meal] of MEALS_MIN.entries()) {
      const random = new SeededRandom(this.#seed, `meal ${index} ${i}`);
      const atMin = index * DAY_MIN + meal + 60 * (random.unit() - 0.5);
      const size = random.unit();
      const feast = feasts && i === MEALS_MIN.length - 1;
      meals.push({ atMin, carbohydratesG: 5 * Math.round((feast ? 110 : 20 + 60 * size) / 5) });
      bumps.push({ atMin, peakMin: PEAK_MIN, heightMgdl: feast ? 300 : 45 + 75 * size });
    }
    if (moods.unit() < DIP_SHARE) {
      const atNight = moods.unit() < 0.3;
      const atMin = index * DAY_MIN + (atNight ? 120 : 900) + 90 * moods.unit();
      bumps.push({ atMin, peakMin: DIP_PEAK_MIN, heightMgdl: -(35 + 45 * moods.unit()) });
    }
    return { meals, bumps };
  }
}
