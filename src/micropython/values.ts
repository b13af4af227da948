/** What a value may take before the program has said anything else, in octets. */
const DEFAULT_OCTETS = 20;
const EMPTY = new Uint8Array(0);

interface Value {
  /** Replaced, never changed in place: a reader may hold it. */
  data: Uint8Array;
  /** What a client's write is cut at, in octets. */
  allocated: number;
  /** A client's write goes behind what is there. */
  append: boolean;
}

/** Values of the own characteristics and descriptors, by handle. They are empty at first. */
export class Values {
  readonly #values = new Map<number, Value>();

  /** Forgets all. */
  clear(): void {
    this.#values.clear();
  }

  add(handle: number): void {
    this.#values.set(handle, { data: EMPTY, allocated: DEFAULT_OCTETS, append: false });
  }

  has(handle: number): boolean {
    return this.#values.has(handle);
  }

  /** The whole value, as a client reads it; not to be changed. */
  get(handle: number): Uint8Array {
    return this.#values.get(handle)?.data ?? EMPTY;
  }

  /** What a client's write of a part leaves as it is: nothing, where writes are appended. */
  base(handle: number): Uint8Array {
    return this.#values.get(handle)?.append ? EMPTY : this.get(handle);
  }

  /** A copy for the program, which takes what was appended away with it. Of a handle without a value: empty. */
  read(handle: number): Uint8Array {
    const value = this.#values.get(handle);
    if (!value) return new Uint8Array(0);
    const data = value.data.slice();
    if (value.append) value.data = EMPTY;
    return data;
  }

  /** The program's write: replaces the value, whose room grows with it. @returns false: there is no such value */
  write(handle: number, data: Uint8Array): boolean {
    const value = this.#values.get(handle);
    if (!value) return false;
    value.data = data;
    value.allocated = Math.max(value.allocated, data.length);
    return true;
  }

  /** A client's write: what does not fit is cut off. @returns false: there is no such value */
  writeByClient(handle: number, data: Uint8Array): boolean {
    const value = this.#values.get(handle);
    if (!value) return false;
    const kept = value.append ? value.data : EMPTY;
    const taken = data.subarray(0, value.allocated - kept.length);
    value.data = new Uint8Array(kept.length + taken.length);
    value.data.set(kept);
    value.data.set(taken, kept.length);
    return true;
  }

  /** Gives a value so much room, and empties it. @returns false: there is no such value */
  setBuffer(handle: number, allocated: number, append: boolean): boolean {
    if (!this.#values.has(handle)) return false;
    this.#values.set(handle, { data: EMPTY, allocated, append });
    return true;
  }
}
