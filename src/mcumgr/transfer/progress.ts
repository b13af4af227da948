import { callOut } from "../../async/call-out.ts";
import type { Clock } from "../../async/clock.ts";

/** How far a transfer is. */
export interface TransferProgress {
  /** Octets that are at their destination for sure. */
  readonly done: number;
  readonly total: number;
  /** Of the last seconds; undefined while nothing can be said. */
  readonly bytesPerSecond: number | undefined;
  /** Milliseconds left at this rate. */
  readonly remainingMs: number | undefined;
  /** How many requests are kept outstanding now. */
  readonly window: number;
  /** Octets that were there before: `done` started here. */
  readonly resumedFrom: number;
}

const SPACING_MS = 250;
const SAMPLES = 20;

/** Counts octets and tells about them. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #total: number;
  readonly #tell: ((progress: TransferProgress) => void) | undefined;
  /** When how much was done; the rate is that since the oldest of them. */
  readonly #samples: { readonly atMs: number; readonly done: number }[] = [];
  #told = -1;
  resumedFrom = 0;

  constructor(clock: Clock, total: number, tell: ((progress: TransferProgress) => void) | undefined) {
    this.#clock = clock;
    this.#total = total;
    this.#tell = tell;
  }

  /** Counting starts here: what is done already says nothing of the rate. */
  start(done: number): void {
    this.#samples.length = 0;
    this.#samples.push({ atMs: this.#clock.now(), done });
  }

  at(done: number, window: number): void {
    if (!this.#tell || done === this.#told) return;
    this.#told = done;
    const nowMs = this.#clock.now();
    const oldest = this.#samples[0];
    const rate = oldest && nowMs > oldest.atMs && done > oldest.done ? ((done - oldest.done) * 1000) / (nowMs - oldest.atMs) : undefined;
    if (nowMs - (this.#samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) >= SPACING_MS) {
      this.#samples.push({ atMs: nowMs, done });
      if (this.#samples.length > SAMPLES) this.#samples.shift();
    }
    const total = this.#total;
    const remainingMs = rate === undefined ? undefined : ((total - done) * 1000) / rate;
    callOut(this.#tell, { done, total, bytesPerSecond: rate, remainingMs, window, resumedFrom: this.resumedFrom });
  }
}
