/**
 * A map of at most `capacity` entries, whose oldest goes when room is made for a new one.
 *
 * A map's iterator has to step over every entry that was deleted since the engine last tidied up, so that a new one for each eviction costs
 * microseconds in a map of thousands; here one iterator stays where the oldest entry is.
 */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #capacity: number;
  #oldest: Iterator<[K, V]> | undefined;
  #deleted = 0;

  constructor(capacity: number) {
    super();
    this.#capacity = Math.max(1, capacity);
  }

  /** To be called before a new key is set: of a full map the oldest entry is removed, and its value given back. */
  makeRoom(): V | undefined {
    if (!(this.size >= this.#capacity)) return undefined;
    this.#oldest ??= this.entries();
    const [key, value] = this.#oldest.next().value as [K, V];
    super.delete(key);
    return value;
  }

  override delete(key: K): boolean {
    // An iterator that does not move holds what the engine has tidied away since.
    if (++this.#deleted > this.#capacity) this.#restart();
    return super.delete(key);
  }

  override clear(): void {
    this.#restart();
    super.clear();
  }

  #restart(): void {
    this.#oldest = undefined;
    this.#deleted = 0;
  }
}
