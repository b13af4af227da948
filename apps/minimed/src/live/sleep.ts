import type { PumpState, PumpValues, Told, WallClock } from "./state.ts";

/** Longer than the steps by which a system's clock is kept right, shorter than a sleep that matters. */
const SHORTEST_SLEEP_MS = 10_000;
/** So many sleeps are told apart. */
const MOST_SLEEPS = 16;

type Values = PumpState["values"];

/**
 * Notices that the computer slept. A `Clock` stands still meanwhile, so that everything from before is older than it says: the difference to
 * the wall clock has grown. It grows as well where the system's clock is set forward; what is then shown as too old will be read again, while
 * what is shown as too new would be believed.
 */
export class SleepLedger {
  readonly #wallClock: WallClock;
  readonly #sleeps: { readonly endMs: number; readonly forMs: number }[] = [];
  #epochMs: number;

  constructor(wallClock: WallClock, nowMs: number) {
    this.#wallClock = wallClock;
    this.#epochMs = wallClock() - nowMs;
  }

  /** To be added to the clock's time for UTC, as it was looked at last. */
  get epochMs(): number {
    return this.#epochMs;
  }

  /** @returns how long the computer has slept since this was asked last; 0: it has not */
  look(nowMs: number): number {
    const earlierMs = this.#epochMs;
    this.#epochMs = this.#wallClock() - nowMs;
    const forMs = sleptMs(earlierMs, this.#epochMs);
    if (forMs === 0) return 0;
    this.#sleeps.push({ endMs: nowMs, forMs });
    const [oldest, next] = this.#sleeps;
    if (this.#sleeps.length > MOST_SLEEPS) this.#sleeps.splice(0, 2, { endMs: oldest!.endMs, forMs: oldest!.forMs + next!.forMs });
    return forMs;
  }

  /** When something happened, counted back from now. @param ms what the clock said then */
  moment(ms: number): number {
    return this.#sleeps.reduce((moment, { endMs, forMs }) => (ms < endMs ? moment - forMs : moment), ms);
  }
}

/** How long the computer slept between two states; 0 where their epochs do not say so. */
export function sleptMs(earlierEpochMs: number, epochMs: number): number {
  const forMs = epochMs - earlierEpochMs;
  return forMs >= SHORTEST_SLEEP_MS ? forMs : 0;
}

/** Values that are so much older than they say. */
export function olderBy(values: Values, ms: number): Values {
  if (ms === 0) return values;
  const older = Object.entries(values).map(([name, told]: [string, Told<unknown>]) => {
    const value = name === "glucose" ? olderGlucose(told.value as PumpValues["glucose"] | undefined, ms) : told.value;
    return [name, Object.freeze({ value, atMs: told.atMs - ms })];
  });
  return Object.freeze(Object.fromEntries(older) as Values);
}

function olderGlucose(latest: PumpValues["glucose"] | undefined, ms: number): PumpValues["glucose"] | undefined {
  if (!latest) return undefined;
  const receivedAtMs = latest.receivedAtMs - ms;
  if (latest.kind === "no-sensor") return { ...latest, receivedAtMs };
  return { ...latest, receivedAtMs, takenAtMs: latest.takenAtMs === undefined ? undefined : latest.takenAtMs - ms };
}
