import { formatLocal, parseLocal } from "../data/date-time.ts";
import type { EventTime, GlucosePoint, TherapyView } from "../store/view.ts";
import {
  HIGH_MGDL,
  LOW_MGDL,
  type PageDay,
  type PageShares,
  type PageSlot,
  type PageSummary,
  VERY_HIGH_MGDL,
  VERY_LOW_MGDL,
} from "./page-data.ts";
import { bolusIu } from "./page-view.ts";
import { offsetOf } from "./pump-time.ts";

const DAY_MS = 24 * 3600_000;
const READING_MS = 5 * 60_000;
const SLOT_MIN = 15;
/** Each slot also takes what is that far to its sides: with a reading every five minutes, few days would give a ragged curve. */
const REACH_SLOTS = 1;
/** Fewer readings than this give no percentile. */
const FEWEST = 5;
const SHARES = ["veryLow", "low", "inRange", "high", "veryHigh"] as const;
const PERCENTILES = [0.05, 0.25, 0.5, 0.75, 0.95] as const;
/** Ends of what the pump displays stand for what is beyond them. */
const BELOW_MGDL = 49;
const ABOVE_MGDL = 401;

/** What the weeks until `toMs` were like. Days and times of day are those of the pump's display. */
export function pageSummary(view: TherapyView, toMs: number, days: number): PageSummary {
  const range = { fromMs: toMs - days * DAY_MS, toMs };
  const wall = new WallTime();
  const tallies = new Map<string, DayTally>();
  const dayOf = (event: EventTime): DayTally => {
    const { date, dayFromMs } = wall.of(event);
    let tally = tallies.get(date);
    if (!tally) {
      tally = new DayTally(date, dayFromMs);
      tallies.set(date, tally);
    }
    return tally;
  };
  const slots: number[][] = Array.from({ length: (24 * 60) / SLOT_MIN }, () => []);
  const all = new Tally();
  for (const point of view.glucose(range)) {
    const mgdl = countedAs(point);
    if (mgdl === undefined) continue;
    all.add(mgdl);
    dayOf(point).glucose.add(mgdl);
    slots[Math.floor(wall.of(point).minute / SLOT_MIN)]!.push(mgdl);
  }
  for (const bolus of view.boluses(range)) dayOf(bolus).bolusIu += bolusIu(bolus);
  for (const micro of view.microBoluses(range)) dayOf(micro).microBolusIu += micro.amountIu;
  for (const meal of view.meals(range)) dayOf(meal).carbohydratesG += meal.carbohydratesG;
  const mean = all.mean;
  return {
    days,
    ...range,
    readings: all.count,
    coverage: Math.min(1, (all.count * READING_MS) / (days * DAY_MS)),
    shares: all.shares,
    meanMgdl: mean === null ? null : Math.round(mean),
    variationPercent: mean === null ? null : round((100 * all.deviation) / mean, 1),
    gmiPercent: mean === null ? null : round(3.31 + 0.02392 * mean, 1),
    slots: slots.map((_, i): PageSlot => ({ minute: i * SLOT_MIN, percentiles: percentiles(around(slots, i)) })),
    perDay: [...tallies.values()].sort((a, b) => a.fromMs - b.fromMs).map((tally) => tally.told),
  };
}

/** mg/dL; beyond the display's range its end. Other points without a value have none here either. */
function countedAs({ mgdl, cause }: GlucosePoint): number | undefined {
  if (mgdl !== undefined) return mgdl;
  return cause === "below_range" ? BELOW_MGDL : cause === "above_range" ? ABOVE_MGDL : undefined;
}

/** Times of the pump's display; where an event has none, by how far the display was ahead before it. */
class WallTime {
  #offsetMs = 0;

  of(event: EventTime): { date: string; minute: number; dayFromMs: number } {
    const offsetMs = offsetOf(event);
    if (offsetMs !== undefined) this.#offsetMs = offsetMs;
    const wallMs = event.atMs + this.#offsetMs;
    const inDayMs = ((wallMs % DAY_MS) + DAY_MS) % DAY_MS;
    const date =
      event.local === undefined ? new Date(wallMs).toISOString().slice(0, 10) : formatLocal(parseLocal(event.local)).slice(0, 10);
    return { date, minute: Math.floor(inDayMs / 60_000), dayFromMs: event.atMs - inDayMs };
  }
}

class Tally {
  count = 0;
  #sum = 0;
  #squares = 0;
  readonly #classes = [0, 0, 0, 0, 0];

  add(mgdl: number): void {
    this.count++;
    this.#sum += mgdl;
    this.#squares += mgdl * mgdl;
    const at = mgdl < VERY_LOW_MGDL ? 0 : mgdl < LOW_MGDL ? 1 : mgdl <= HIGH_MGDL ? 2 : mgdl <= VERY_HIGH_MGDL ? 3 : 4;
    this.#classes[at]!++;
  }

  get mean(): number | null {
    return this.count === 0 ? null : this.#sum / this.count;
  }

  get deviation(): number {
    const mean = this.mean ?? 0;
    return this.count < 2 ? 0 : Math.sqrt(Math.max(0, (this.#squares - this.count * mean * mean) / (this.count - 1)));
  }

  get shares(): PageShares | null {
    if (this.count === 0) return null;
    return Object.fromEntries(SHARES.map((name, i) => [name, this.#classes[i]! / this.count])) as Record<(typeof SHARES)[number], number>;
  }
}

class DayTally {
  readonly date: string;
  readonly fromMs: number;
  readonly glucose = new Tally();
  bolusIu = 0;
  microBolusIu = 0;
  carbohydratesG = 0;

  constructor(date: string, fromMs: number) {
    this.date = date;
    this.fromMs = fromMs;
  }

  get told(): PageDay {
    const { count, shares, mean } = this.glucose;
    return {
      date: this.date,
      fromMs: Math.round(this.fromMs),
      readings: count,
      shares,
      meanMgdl: mean === null ? null : Math.round(mean),
      bolusIu: round(this.bolusIu, 2),
      microBolusIu: round(this.microBolusIu, 2),
      carbohydratesG: Math.round(this.carbohydratesG),
    };
  }
}

/** A slot with its neighbours, around midnight too. */
function around(slots: readonly number[][], at: number): number[] {
  const values: number[] = [];
  for (let i = at - REACH_SLOTS; i <= at + REACH_SLOTS; i++) values.push(...slots[(i + slots.length) % slots.length]!);
  return values;
}

function percentiles(values: number[]): PageSlot["percentiles"] {
  if (values.length < FEWEST) return null;
  values.sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (values.length - 1);
    const [low, high] = [values[Math.floor(position)]!, values[Math.ceil(position)]!];
    return Math.round(low + (high - low) * (position - Math.floor(position)));
  };
  const [p5, p25, p50, p75, p95] = PERCENTILES;
  return [at(p5), at(p25), at(p50), at(p75), at(p95)];
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
