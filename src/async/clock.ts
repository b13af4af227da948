import { onAbort } from "./on-abort.ts";

/**
 * What a timer's `fire` returns when it touched nothing that could wake waiting code. A virtual clock then goes straight on to the next
 * timer instead of letting the event loop turn; every other clock ignores it.
 */
export const quiet = Symbol("quiet");

/**
 * What a timer's `fire` returns when much has been done since the event loop turned last: a virtual clock lets it turn before the next timer,
 * which others of the same source need not wait for.
 */
export const overdue = Symbol("overdue");

/** All time in the library comes from here. */
export interface Clock {
  /** Milliseconds since an arbitrary start, never going back; fractions count. */
  now(): number;
  /** Calls `fire` once after `delayMs`; disposing the timer first prevents it. `name` appears in diagnostics. */
  setTimer(delayMs: number, name: string, fire: () => unknown): Disposable;
  /**
   * Keeps the time from passing until the result is disposed, where it can be kept: real time cannot. For what takes real time only, such as
   * loading a module, which simulated deadlines would not wait for.
   */
  hold?(): Disposable;
  /**
   * For who fires, touched nothing that could wake waiting code, and would now set a timer for itself: goes on to that time at once. False
   * where another timer comes first, or time has to wait for something else; then set the timer.
   */
  pass?(delayMs: number): boolean;
}

/** Does what takes real time only; a clock that can stand still does so meanwhile. */
export async function whileTimeStands<T>(clock: Clock | undefined, work: () => Promise<T>): Promise<T> {
  using _ = clock?.hold?.();
  return await work();
}

// setTimeout takes a signed 32-bit delay; a longer timer is set in parts.
const LONGEST_DELAY_MS = 0x7fff_ffff;
/** From here on a timer is a limit rather than a wait: most are disposed long before they are due. */
const LEAST_LIMIT_MS = 100;

/** A timer of real time. Those that have no timeout of the system yet are a ring. */
class SystemTimer implements Disposable {
  before: SystemTimer = this;
  after: SystemTimer = this;
  #delayMs: number;
  readonly #fire: () => unknown;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, fire: () => unknown) {
    this.#delayMs = delayMs;
    this.#fire = fire;
  }

  start(): void {
    const delayMs = this.#delayMs;
    if (delayMs > LONGEST_DELAY_MS) {
      this.#delayMs -= LONGEST_DELAY_MS;
      this.#handle = setTimeout(() => this.start(), LONGEST_DELAY_MS);
    } else this.#handle = setTimeout(this.#fire, Math.max(0, delayMs));
  }

  insertBefore(after: SystemTimer): void {
    this.after = after;
    this.before = after.before;
    this.before.after = after.before = this;
  }

  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this.after = this;
  }

  [Symbol.dispose](): void {
    this.leave();
    clearTimeout(this.#handle);
  }
}

/** Where the ring of the limits begins and ends that were set in this turn of the event loop, in order; it is none of them itself. */
const fresh = new SystemTimer(0, () => undefined);
/** The `setImmediate` that was asked to start them, until it does: a test may have put its own in the system's place, and have dropped it. */
let turnsBy: unknown;

function startFresh(): void {
  turnsBy = undefined;
  while (fresh.after !== fresh) {
    const timer = fresh.after;
    timer.leave();
    timer.start();
  }
}

/** Real time. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  setTimer(delayMs: number, _name: string, fire: () => unknown): Disposable {
    const timer = new SystemTimer(delayMs, fire);
    const { setImmediate } = globalThis as { setImmediate?: (act: () => void) => unknown };
    // A timeout that is set and cleared takes 0.8 µs, more than the rest of a request that it bounds: a limit has one, in Node, only if it is
    // still there when the event loop turns. That is no later by the loop's clock.
    if (delayMs >= LEAST_LIMIT_MS && setImmediate) {
      timer.insertBefore(fresh);
      if (turnsBy !== setImmediate) setImmediate(startFresh);
      turnsBy = setImmediate;
    } else timer.start();
    return timer;
  }
}

/** Resolves after `ms` of the clock's time. @throws `signal.reason` once `signal` aborts */
export function delay(
  clock: Clock,
  ms: number,
  { signal, name = "delay" }: { signal?: AbortSignal | undefined; name?: string } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.setTimer(ms, name, () => {
      listener[Symbol.dispose]();
      resolve();
    });
    const listener = onAbort(signal, () => {
      timer[Symbol.dispose]();
      reject(signal!.reason);
    });
  });
}
