/** So many chunks in a row make the window grow by one; after each trouble that a larger window had, twice as many, up to the second number. */
const GROWTH_PRICE = 4;
const HIGHEST_PRICE = 1024;
const HIGHEST_PRICE_LOSSY = 64;

/**
 * How many chunks may be outstanding. It starts at its ceiling, falls to one at the first sign of trouble, and grows again by one after so many
 * chunks without trouble: each time that growing led to trouble again it takes longer, so that a server which cannot take more than one
 * costs little more than sending one at a time.
 */
export class TransferWindow {
  readonly #highestPrice: number;
  #ceiling: number;
  #size: number;
  #price = GROWTH_PRICE;
  #successes = 0;

  constructor(ceiling: number, isLossy: boolean) {
    this.#ceiling = ceiling;
    this.#size = ceiling;
    this.#highestPrice = isLossy ? HIGHEST_PRICE_LOSSY : HIGHEST_PRICE;
  }

  get size(): number {
    return this.#size;
  }
  get ceiling(): number {
    return this.#ceiling;
  }

  /** A chunk arrived. */
  succeeded(): void {
    if (this.#size >= this.#ceiling || ++this.#successes < this.#price) return;
    this.#successes = 0;
    this.#size++;
  }

  /** Something went wrong. */
  failed(): void {
    if (this.#size > 1) this.#price = Math.min(this.#highestPrice, this.#price * 2);
    this.#size = 1;
    this.#successes = 0;
  }

  /** The server said that so many are too many: for good. */
  shrink(): void {
    this.limit(this.#ceiling - 1);
  }

  /** A new ceiling, at most; never under one. */
  limit(ceiling: number): void {
    this.#ceiling = Math.max(1, Math.min(this.#ceiling, ceiling));
    this.#size = Math.min(this.#size, this.#ceiling);
    this.#successes = 0;
  }
}
