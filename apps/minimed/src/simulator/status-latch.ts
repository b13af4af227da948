import { encodeStatusChanged } from "../idd/status-changed.ts";

/** Bits of IDD Status Changed that say something has changed since they were reset. One that comes again after it was told is told again. */
export class StatusLatch {
  /** Told, and not reset. */
  readonly #told = new Set<number>();
  readonly #news = new Set<number>();
  /** Told when bits are set. */
  onRaised: (() => void) | undefined;

  raise(bits: readonly number[]): void {
    if (bits.length === 0) return;
    for (const bit of bits) this.#news.add(bit);
    this.onRaised?.();
  }

  /** The field as it is sent: all that is set has been told from then on. */
  tell(): Uint8Array {
    for (const bit of this.#news) this.#told.add(bit);
    this.#news.clear();
    return this.field;
  }

  /** What was told is reset; what came since stays. */
  reset(): void {
    this.#told.clear();
  }

  get isEmpty(): boolean {
    return this.#told.size === 0 && this.#news.size === 0;
  }
  get field(): Uint8Array {
    return encodeStatusChanged([...this.#told, ...this.#news]);
  }
}
