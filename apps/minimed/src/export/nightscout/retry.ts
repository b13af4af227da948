import type { RandomSource } from "jelling/core";
import type { NightscoutError } from "./error.ts";

const MINUTE_MS = 60_000;
const LONGEST_MS = 15 * MINUTE_MS;
/** A fifth more or less, so that those who failed together do not come again together. */
const JITTER = 0.2;

/** How long a site is left alone after failures in a row: 1, 2, 4 … 15 minutes, or what it asks for. */
export class Backoff {
  readonly #random: RandomSource;
  #failures = 0;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Milliseconds until the next try. */
  failed(error: NightscoutError): number {
    this.#failures++;
    const ownMs = Math.min(MINUTE_MS * 2 ** Math.min(this.#failures - 1, 10), LONGEST_MS);
    const word = new Uint8Array(2);
    this.#random.fill(word);
    const unit = ((word[0]! << 8) | word[1]!) / 0x1_0000;
    // What the site asks for is the least; to it jitter only adds.
    return error.retryAfterMs === undefined
      ? ownMs * (1 - JITTER + 2 * JITTER * unit)
      : error.retryAfterMs + Math.min(error.retryAfterMs, MINUTE_MS) * JITTER * unit;
  }
}
