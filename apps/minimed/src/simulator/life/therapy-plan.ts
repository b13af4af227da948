import { SeededRandom } from "jelling/core";
import { DAY_S, type Span, spanAt } from "./draft.ts";
import type { SensorPlan } from "./sensor-plan.ts";
import { WARM_UP_MIN } from "./sensor-plan.ts";

/** Why the closed loop is left, as the history has it. */
export const LoopExit = Object.freeze({ User: 1, Alarm: 2, SafeBasal: 3, HighGlucose: 4 });
export const LOOP_ENTERED = 0;
export const StopReason = Object.freeze({ Alarm: 1, User: 2, NotSeated: 5, PredictiveLow: 0x0a });
export const RestartReason = Object.freeze({ User: 1, AlarmCleared: 2, Recovered: 5 });

const TEMPORARY_ABSOLUTE = 0x33;
const TEMPORARY_RELATIVE = 0x3c;

/** Out of the closed loop. */
export interface LoopPause extends Span {
  readonly exit: number;
}
/** Nothing is delivered. */
export interface Suspension extends Span {
  readonly stopReason: number;
  readonly restartReason: number;
  /** The reservoir and the infusion set are changed. */
  readonly isSetChange: boolean;
}
export interface TemporaryBasal extends Span {
  /** Absolute: IU/h; relative: a factor. */
  readonly type: number;
  readonly adjustment: number;
}

/** Rates of the user's profile, IU/h, from these hours on. */
const PROFILE: readonly (readonly [hour: number, rate: number])[] = [
  [0, 0.8],
  [6, 1],
  [12, 0.9],
  [22, 0.8],
];
/** Without a glucose value the pump gives so much, IU/h, while it waits for one. */
const SAFE_RATE = 0.5;
/** Between the first value of a sensor and the closed loop. */
const RETURN_S = 300;
const SET_CHANGE_DAYS = 3;
const SET_CHANGE_S = 300;

const profileRate = (atS: number): number => {
  const hour = (((atS % DAY_S) + DAY_S) % DAY_S) / 3600;
  return PROFILE.findLast(([from]) => from <= hour)![1];
};

/** What a day's therapy is, apart from its boluses: asked for any moment, it depends on the seed alone. */
export class TherapyDay {
  /** Ascending, apart from each other. Those that reach into the days around are whole. */
  readonly pauses: readonly LoopPause[];
  readonly suspensions: readonly Suspension[];
  readonly temporaryBasals: readonly TemporaryBasal[];

  constructor(seed: number, index: number, sensors: SensorPlan, glucoseAt: (atS: number) => number) {
    const day = { fromS: index * DAY_S, toS: (index + 1) * DAY_S };
    const random = new SeededRandom(seed, `therapy ${index}`);
    const chosen: LoopPause[] = [];
    if (random.unit() < 0.22) {
      const fromS = day.fromS + 3600 * (7 + 9 * random.unit());
      const exits = [LoopExit.User, LoopExit.Alarm, LoopExit.HighGlucose];
      chosen.push({
        fromS: Math.round(fromS),
        toS: Math.round(fromS + 3600 * (1.5 + 3.5 * random.unit())),
        exit: exits[random.uint32() % 3]!,
      });
    }
    this.pauses = merged([...chosen, ...withoutSensor(sensors, day)]);
    this.temporaryBasals = chosen
      .filter(({ fromS, toS }) => toS - fromS > 9000)
      .map(({ fromS }) => ({
        fromS: fromS + 1800,
        toS: fromS + 5400,
        type: random.unit() < 0.5 ? TEMPORARY_ABSOLUTE : TEMPORARY_RELATIVE,
        adjustment: 0.5 + Math.round(10 * random.unit()) / 10,
      }));
    const suspensions: Suspension[] = [];
    const add = (suspension: Suspension): void => {
      const overlaps = suspensions.some(({ fromS, toS }) => fromS < suspension.toS + 600 && suspension.fromS < toS + 600);
      if (!overlaps && suspension.toS < day.toS) suspensions.push(suspension);
    };
    if ((((index + (seed % SET_CHANGE_DAYS)) % SET_CHANGE_DAYS) + SET_CHANGE_DAYS) % SET_CHANGE_DAYS === 0) {
      const fromS = Math.round(day.fromS + 3600 * (17.5 + 2 * random.unit()));
      add({ fromS, toS: fromS + SET_CHANGE_S, stopReason: StopReason.NotSeated, restartReason: RestartReason.User, isSetChange: true });
    }
    const some = (share: number, hour: number, minutes: number, stopReason: number, restartReason: number): void => {
      const [chance, at, length] = [random.unit(), random.unit(), random.unit()];
      if (chance >= share) return;
      const fromS = Math.round(day.fromS + 3600 * (hour + 3 * at));
      add({ fromS, toS: Math.round(fromS + 60 * minutes * (0.7 + length)), stopReason, restartReason, isSetChange: false });
    };
    some(0.25, 10, 25, StopReason.User, RestartReason.User);
    some(0.04, 14, 12, StopReason.Alarm, RestartReason.AlarmCleared);
    for (const pause of this.pauses) for (const low of lowsOf(pause, day, glucoseAt)) add(low);
    this.suspensions = suspensions.sort((a, b) => a.fromS - b.fromS);
  }

  pauseAt(atS: number): LoopPause | undefined {
    return spanAt(this.pauses, atS);
  }

  /** What is given beside boluses and micro boluses, IU/h: 0 in the closed loop. */
  basalRateAt(atS: number): number {
    if (spanAt(this.suspensions, atS)) return 0;
    const base = this.baseRateAt(atS);
    const temporary = this.temporaryBasalAt(atS);
    if (!temporary) return base;
    return temporary.type === TEMPORARY_ABSOLUTE ? temporary.adjustment : Math.round(1000 * temporary.adjustment * base) / 1000;
  }

  /** The same without a temporary rate, were delivery not stopped. */
  baseRateAt(atS: number): number {
    const pause = this.pauseAt(atS);
    if (!pause) return 0;
    return pause.exit === LoopExit.SafeBasal ? SAFE_RATE : profileRate(atS);
  }

  temporaryBasalAt(atS: number): TemporaryBasal | undefined {
    const pause = this.pauseAt(atS);
    return pause && pause.exit !== LoopExit.SafeBasal ? spanAt(this.temporaryBasals, atS) : undefined;
  }

  /** Where the basal rate may change within a span. */
  boundaries({ fromS, toS }: Span): number[] {
    const spans: readonly Span[] = [...this.pauses, ...this.suspensions, ...this.temporaryBasals];
    const all = new Set(spans.flatMap((span) => [span.fromS, span.toS]));
    for (const [hour] of PROFILE) all.add(fromS + 3600 * hour);
    return [...all].filter((atS) => atS > fromS && atS < toS).sort((a, b) => a - b);
  }
}

/** From a sensor's end until the next one gives values the loop cannot run. */
function withoutSensor(sensors: SensorPlan, day: Span): LoopPause[] {
  const around = sensors.sessions({ fromS: day.fromS - 2 * DAY_S, toS: day.toS + 2 * DAY_S });
  return around.slice(1).map((next, i) => ({
    fromS: around[i]!.toS,
    toS: next.fromS + 60 * WARM_UP_MIN + RETURN_S,
    exit: LoopExit.SafeBasal,
  }));
}

function merged(pauses: readonly LoopPause[]): LoopPause[] {
  const result: LoopPause[] = [];
  for (const pause of pauses.toSorted((a, b) => a.fromS - b.fromS)) {
    const last = result.at(-1);
    if (last && pause.fromS <= last.toS) result[result.length - 1] = { ...last, toS: Math.max(last.toS, pause.toS) };
    else result.push(pause);
  }
  return result;
}

/** Out of the loop the pump stops before a low, and goes on when it is over. */
function lowsOf(pause: LoopPause, day: Span, glucoseAt: (atS: number) => number): Suspension[] {
  if (pause.exit === LoopExit.SafeBasal) return [];
  const lows: Suspension[] = [];
  let fromS: number | undefined;
  for (let atS = Math.max(pause.fromS, day.fromS); atS < Math.min(pause.toS, day.toS); atS += 300) {
    const mgdl = glucoseAt(atS);
    if (fromS === undefined && mgdl < 75) fromS = atS;
    if (fromS === undefined || (mgdl < 90 && atS - fromS < 7200)) continue;
    lows.push({ fromS, toS: atS, stopReason: StopReason.PredictiveLow, restartReason: RestartReason.Recovered, isSetChange: false });
    fromS = undefined;
  }
  return lows;
}
