/** Reports remembered; in a crowd the oldest are forgotten and reported again. */
const CAPACITY = 4096;

/**
 * Tells whether a report was seen before: the same octets but for the signal strength at their end. Bounded; two different reports are
 * taken for one with a chance of about one in 2^52.
 */
export class DuplicateFilter {
  readonly #seen = new Set<number>();
  readonly #capacity: number;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** @param data false compares event type and address alone */
  isDuplicate(packet: Uint8Array, offset: number, end: number, data: boolean): boolean {
    // Two multiplicative hashes over the same octets, 26 bits of each. Not cryptographic: who makes collisions hides only itself.
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    const stop = data ? end - 1 : offset + 8;
    for (let i = offset; i < stop; i++) {
      a = Math.imul(a ^ packet[i]!, 0x01000193);
      b = Math.imul(b, 0x85ebca6b) + packet[i]! + 1;
      b ^= b >>> 13;
    }
    const key = ((a ^ (a >>> 15)) & 0x3ff_ffff) * 0x400_0000 + ((b ^ (b >>> 16)) & 0x3ff_ffff);
    if (this.#seen.has(key)) return true;
    if (this.#seen.size >= this.#capacity) this.#seen.delete(this.#seen.values().next().value!);
    this.#seen.add(key);
    return false;
  }
}
