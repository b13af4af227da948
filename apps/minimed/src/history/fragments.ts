/** Longer than any record that is known; what goes on beyond is taken as it is. */
const MOST_OCTETS = 512;

export interface RecordAssemblerOptions {
  /** Octets of plaintext that fill a notification. One that is shorter ends what it is a part of. */
  readonly largest: number;
  /** Whether what is held is complete. Asked where it ends with a full notification. */
  readonly isWhole: (held: Uint8Array) => boolean;
  /** Whether a part behind what is held is the beginning of another. */
  readonly begins?: ((part: Uint8Array, held: Uint8Array) => boolean) | undefined;
}

/** Joins the plaintexts of notifications to records, whose length is not told. Holds at most one, of bounded length. */
export class RecordAssembler {
  readonly #options: RecordAssemblerOptions;
  #held = new Uint8Array();

  constructor(options: RecordAssemblerOptions) {
    this.#options = options;
  }

  /** The records that a notification finishes. */
  push(part: Uint8Array): Uint8Array[] {
    const { largest, isWhole, begins } = this.#options;
    if (part.length < largest && this.#held.length === 0) return part.length > 0 ? [part] : [];
    const finished: Uint8Array[] = [];
    if (this.#held.length > 0 && (part.length === 0 || isWhole(this.#held) || begins?.(part, this.#held))) finished.push(...this.finish());
    const joined = new Uint8Array(this.#held.length + part.length);
    joined.set(this.#held);
    joined.set(part, this.#held.length);
    this.#held = joined;
    if (part.length < largest || joined.length > MOST_OCTETS) finished.push(...this.finish());
    return finished;
  }

  /** What is held, when nothing will follow. */
  finish(): Uint8Array[] {
    const held = this.#held;
    this.#held = new Uint8Array();
    return held.length > 0 ? [held] : [];
  }
}
