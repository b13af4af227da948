import { encodeStatusChanged } from "../idd/status-changed.ts";

/** Bits of IDD Status Changed that say something has changed since they were reset. */
export class StatusLatch {
  #bits = new Set<number>();
  /** Told when bits are set. */
  onRaised: (() => void) | undefined;

  raise(bits: readonly number[]): void {
    if (bits.length === 0) return;
    for (const bit of bits) this.#bits.add(bit);
    this.onRaised?.();
  }

  reset(bits: readonly number[]): void {
    for (const bit of bits) this.#bits.delete(bit);
  }

  get isEmpty(): boolean {
    return this.#bits.size === 0;
  }
  /** As it is sent. */
  get field(): Uint8Array {
    return encodeStatusChanged([...this.#bits]);
  }
}
