import { SeededRandom } from "jelling/core";
import { HIGHEST_DISPLAYED_MGDL, LOWEST_DISPLAYED_MGDL } from "../../data/glucose.ts";
import type { GlucoseCurve } from "../glucose-curve.ts";
import { DAY_S, type Span, spanAt } from "./draft.ts";

export const READING_INTERVAL_MIN = 5;
export const READING_INTERVAL_S = 60 * READING_INTERVAL_MIN;
export const WARM_UP_MIN = 120;
/** Seven days and the warm-up. */
export const RUN_TIME_HOURS = 170;

/** What a sensor's record says in place of a glucose value, as the history has it. */
export const SensorWord = Object.freeze({ Starting: 0x301, Updating: 0x303, AboveRange: 0x308, BelowRange: 0x30d });
/** From here on a word is no glucose. */
export const FIRST_SPECIAL_WORD = 0x300;

/** A glucose value as a sensor's record has it. */
export function glucoseWord(mgdl: number): number {
  if (mgdl < LOWEST_DISPLAYED_MGDL) return SensorWord.BelowRange;
  return mgdl > HIGHEST_DISPLAYED_MGDL ? SensorWord.AboveRange : mgdl;
}

/** One sensor, from its start to when it was taken off. */
export interface SensorSession extends Span {
  readonly number: number;
  /** Without a value: it checks itself. */
  readonly updating: readonly Span[];
  /** Its transmitter is not heard: there are no records at all. */
  readonly unheard: readonly Span[];
}

/** A value of a sensor. */
export interface SensorSample {
  readonly atS: number;
  readonly word: number;
}

/** Sensors one after the other, every seven days: nothing is kept of them, each is known by its number. */
export class SensorPlan {
  readonly #seed: number;
  readonly #curve: GlucoseCurve;
  readonly #anchorS: number;

  /** @param anchorS when session 0 began */
  constructor(seed: number, curve: GlucoseCurve, anchorS: number) {
    this.#seed = seed;
    this.#curve = curve;
    this.#anchorS = anchorS;
  }

  session(number: number): SensorSession {
    const fromS = this.#startOf(number);
    const random = new SeededRandom(this.#seed, `sensor ${number}`);
    // Some go to bed without one.
    const pauseS = 60 * Math.round(random.unit() < 0.2 ? 360 + 400 * random.unit() : 20 + 70 * random.unit());
    const toS = Math.min(fromS + RUN_TIME_HOURS * 3600, this.#startOf(number + 1) - pauseS);
    const some = (share: number, minutes: number): Span[] => {
      if (random.unit() >= share) return [];
      const begins = fromS + DAY_S * (3.2 + 3 * random.unit());
      return [{ fromS: begins, toS: begins + 60 * minutes * (0.6 + random.unit()) }];
    };
    return { number, fromS, toS, updating: some(0.7, 45), unheard: some(0.5, 30) };
  }

  /** The sessions of a span. */
  sessions({ fromS, toS }: Span): SensorSession[] {
    const sessions: SensorSession[] = [];
    for (let number = Math.floor((fromS - this.#anchorS) / (7 * DAY_S)) - 1; this.#startOf(number) < toS; number++) {
      const session = this.session(number);
      if (session.toS > fromS) sessions.push(session);
    }
    return sessions;
  }

  sessionAt(atS: number): SensorSession | undefined {
    return spanAt(this.sessions({ fromS: atS, toS: atS + 1 }), atS);
  }

  /** undefined: there is no record. @param atS a multiple of five minutes after the session's start */
  word(session: SensorSession, atS: number): number | undefined {
    if (spanAt(session.unheard, atS)) return undefined;
    if (atS - session.fromS < 60 * WARM_UP_MIN) return SensorWord.Starting;
    if (spanAt(session.updating, atS)) return SensorWord.Updating;
    return glucoseWord(Math.round(this.#curve.at(atS / 60)));
  }

  /** Samples of a span, ascending. */
  samples(span: Span): SensorSample[] {
    const samples: SensorSample[] = [];
    for (const session of this.sessions(span)) {
      const first = Math.max(0, Math.ceil((span.fromS - session.fromS) / READING_INTERVAL_S));
      for (let atS = session.fromS + READING_INTERVAL_S * first; atS < Math.min(session.toS, span.toS); atS += READING_INTERVAL_S) {
        const word = this.word(session, atS);
        if (word !== undefined) samples.push({ atS, word });
      }
    }
    return samples;
  }

  #startOf(number: number): number {
    if (number === 0) return this.#anchorS;
    const late = new SeededRandom(this.#seed, `sensor start ${number}`).unit();
    return this.#anchorS + 7 * DAY_S * number + 60 * Math.round(120 * (late - 0.5));
  }
}
