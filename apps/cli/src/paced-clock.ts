import { VirtualClock } from "jelling/async";

/** How often simulated time catches up. */
const STEP_MS = 10;
/** Of real time that is made up for after the process stood still: more is lost, or a stopped process would take as long again. */
const LONGEST_STEP_MS = 250;

/**
 * Simulated time that goes so many times as fast as real time, where the machine can: everything that is due in a step happens before the next
 * begins, so that a slow machine makes time slower and never skips any of it.
 */
export class PacedClock extends VirtualClock {
  readonly #factor: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(factor: number) {
    super({ auto: false });
    this.#factor = factor;
    this.#step(performance.now());
  }

  #step(sinceMs: number): void {
    this.#timer = setTimeout(() => {
      const nowMs = performance.now();
      void this.advance(Math.min(nowMs - sinceMs, LONGEST_STEP_MS) * this.#factor).then(() => {
        if (!this.#stopped) this.#step(nowMs);
      });
    }, STEP_MS);
  }

  override [Symbol.dispose](): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    super[Symbol.dispose]();
  }
}
