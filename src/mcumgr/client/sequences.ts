/** So many sequences, after their answers did not come, are kept from use; of more the oldest is used again. */
const RETIRED_CAPACITY = 128;

/** Hands out sequences in turn, 0 to 255. One that is outstanding, or whose answer may still come, is not used. */
export class Sequences {
  readonly #isOutstanding: (sequence: number) => boolean;
  readonly #retired = new Set<number>();
  #next = 0;

  constructor(isOutstanding: (sequence: number) => boolean) {
    this.#isOutstanding = isOutstanding;
  }

  take(): number {
    for (let i = 0; i < 256; i++) {
      const sequence = this.#next;
      this.#next = (sequence + 1) & 0xff;
      if (!this.#isOutstanding(sequence) && !this.#retired.has(sequence)) return sequence;
    }
    throw new RangeError("every sequence is outstanding"); // the window is far smaller
  }

  /** The request was given up: its answer may come late. */
  retire(sequence: number): void {
    this.#retired.delete(sequence);
    this.#retired.add(sequence);
    if (this.#retired.size <= RETIRED_CAPACITY) return;
    const [oldest] = this.#retired;
    this.#retired.delete(oldest!);
  }
}
