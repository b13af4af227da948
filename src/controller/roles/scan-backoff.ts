import type { SeededRandom } from "../../core/index.ts";

const LARGEST = 256;

/** Backoff of scan requests, Vol 6 Part B 4.4.3.2: the fewer are answered, the rarer they become. */
export class ScanBackoff {
  readonly #random: SeededRandom;
  #upperLimit = 1;
  #count = 1;
  #successes = 0;
  #failures = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  reset(): void {
    this.#upperLimit = 1;
    this.#count = 1;
    this.#successes = 0;
    this.#failures = 0;
  }

  /** Something that can be scanned was heard: whether to ask now. */
  mayAsk(): boolean {
    return --this.#count <= 0;
  }

  /** What became of a request. */
  onOutcome(isAnswered: boolean): void {
    if (isAnswered) {
      this.#failures = 0;
      if (++this.#successes % 2 === 0) this.#upperLimit = Math.max(1, this.#upperLimit >> 1);
    } else {
      this.#successes = 0;
      if (++this.#failures % 2 === 0) this.#upperLimit = Math.min(LARGEST, this.#upperLimit * 2);
    }
    this.#count = 1 + (this.#random.uint32() % this.#upperLimit);
  }
}
