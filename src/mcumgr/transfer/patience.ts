const LEAST_MS = 2500;
const LEAST_LOSSY_MS = 1000;
/** A console at 9600 baud, there and back. */
export const SLOWEST_MS_PER_OCTET = 3;
/** A radio link in bad surroundings. */
const SLOWEST_RADIO_MS_PER_OCTET = 0.2;
const LONGEST_MS = 40_000;

/** How long to wait for an answer: longer than answers have taken, never under `leastMs`, and twice as long after each that did not come. */
export class Patience {
  readonly #leastMs: number;
  readonly #firstMs: number;
  #smoothMs: number | undefined;
  #varianceMs = 0;
  #factor = 1;

  /** On a link that loses messages a loss is noticed sooner. @param octets of all messages that may be on their way at once */
  static of({ isLossy }: { readonly isLossy: boolean }, octets: number): Patience {
    const leastMs = isLossy ? LEAST_LOSSY_MS : LEAST_MS;
    return new Patience(leastMs, leastMs + octets * (isLossy ? SLOWEST_MS_PER_OCTET : SLOWEST_RADIO_MS_PER_OCTET));
  }

  /** @param firstMs how long to wait while it is not known how long answers take */
  constructor(leastMs: number, firstMs = leastMs) {
    this.#firstMs = firstMs;
    this.#leastMs = leastMs;
  }

  /** An answer has come after `ms`. Weights as in RFC 6298 section 2. */
  answered(ms: number): void {
    this.#factor = 1;
    if (this.#smoothMs === undefined) {
      this.#smoothMs = ms;
      this.#varianceMs = ms / 2;
      return;
    }
    this.#varianceMs = 0.75 * this.#varianceMs + 0.25 * Math.abs(this.#smoothMs - ms);
    this.#smoothMs = 0.875 * this.#smoothMs + 0.125 * ms;
  }

  timedOut(): void {
    this.#factor = Math.min(16, this.#factor * 2);
  }

  /** What an answer takes at most, usually. */
  get usualMs(): number {
    return (this.#smoothMs ?? 0) + 4 * this.#varianceMs;
  }

  /** Four times what answers take: an erase of a sector may come at any time. */
  timeoutMs(leastMs = this.#leastMs): number {
    const expectedMs = this.#smoothMs === undefined ? this.#firstMs : 4 * this.usualMs;
    return Math.max(leastMs, Math.min(LONGEST_MS, Math.max(leastMs, expectedMs) * this.#factor));
  }
}
