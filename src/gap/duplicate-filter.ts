/** Reports remembered; in a crowd the oldest are forgotten and reported again. */
const CAPACITY = 4096;

/**
 * Remembers reports that were delivered: the same octets but for the signal strength at their end. Asking notes nothing, so that what is not
 * delivered after all is asked about again. Bounded; two different reports are taken for one with a chance of about one in 2^52.
 */
export class DuplicateFilter {
  readonly #seen = new Set<number>();
  readonly #capacity: number;
  /** Of the report asked about last, which is the one that is noted next. */
  #lastPacket: Uint8Array | undefined;
  #lastOffset = 0;
  #lastKey = 0;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** @param data false compares event type and address alone */
  has(packet: Uint8Array, offset: number, end: number, data: boolean): boolean {
    this.#lastKey = keyOf(packet, offset, end, data);
    this.#lastPacket = packet;
    this.#lastOffset = offset;
    return this.#seen.has(this.#lastKey);
  }

  note(packet: Uint8Array, offset: number, end: number, data: boolean): void {
    const isLast = packet === this.#lastPacket && offset === this.#lastOffset;
    const key = isLast ? this.#lastKey : keyOf(packet, offset, end, data);
    if (this.#seen.has(key)) return;
    if (this.#seen.size >= this.#capacity) this.#seen.delete(this.#seen.values().next().value!);
    this.#seen.add(key);
  }

  forget(packet: Uint8Array, offset: number, end: number, data: boolean): void {
    this.#seen.delete(keyOf(packet, offset, end, data));
  }
}

/** Two multiplicative hashes over the same octets, 26 bits of each. Not cryptographic: who makes collisions hides only itself. */
function keyOf(packet: Uint8Array, offset: number, end: number, data: boolean): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  const stop = data ? end - 1 : offset + 8;
  for (let i = offset; i < stop; i++) {
    a = Math.imul(a ^ packet[i]!, 0x01000193);
    b = Math.imul(b, 0x85ebca6b) + packet[i]! + 1;
    b ^= b >>> 13;
  }
  return ((a ^ (a >>> 15)) & 0x3ff_ffff) * 0x400_0000 + ((b ^ (b >>> 16)) & 0x3ff_ffff);
}
