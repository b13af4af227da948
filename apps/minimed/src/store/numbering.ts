/** A stored record by which it shows whether the pump's numbers mean what they did. */
export interface Witness {
  readonly seq: number;
  readonly raw: Uint8Array;
}

/**
 * Whether a pump that has none of the numbers that are stored, but higher ones, must have begun to count anew. Its numbers alone do not tell that from a
 * memory that has overwritten its oldest records while nobody read it. But such a memory is full: it holds about as many records as ever. One that
 * holds less than half of what it held has lost them. Whether one that has filled up again has begun anew before that cannot be known; its
 * records are then told as of the former numbering, behind numbers that are gone: nothing is mixed, since no number has two records.
 *
 * @param count records that the pump holds
 * @param mostHeld so many it held at one time at least
 */
export function isBeyondMemory(count: number, mostHeld: number): boolean {
  return count * 2 < mostHeld;
}
