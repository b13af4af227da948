/** All randomness comes from here: the system generator in production, a seeded one in tests. */
export interface RandomSource {
  fill(into: Uint8Array): void;
}

/** The platform's cryptographic generator. */
export const systemRandom: RandomSource = {
  fill: (into) => {
    // getRandomValues takes at most 65,536 octets a call.
    for (let at = 0; at < into.length; at += 65_536) crypto.getRandomValues(into.subarray(at, at + 65_536) as Uint8Array<ArrayBuffer>);
  },
};

/** A reproducible stream (sfc32). For simulation and tests only: it is not cryptographic. */
export class SeededRandom implements RandomSource {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any number; equal seeds and labels give equal streams */
  constructor(seed: number, label = "") {
    let hash = 2166136261 ^ Math.trunc(seed) ^ Math.trunc(seed / 0x1_0000_0000);
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 16777619);
    this.#a = hash | 0;
    this.#b = Math.imul(hash, 0x9e3779b1) | 0;
    this.#c = (hash ^ 0x5bf03635) | 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  fill(into: Uint8Array): void {
    for (let i = 0; i < into.length; i += 4) {
      let word = this.uint32();
      for (let k = i; k < i + 4 && k < into.length; k++) {
        into[k] = word & 0xff;
        word >>>= 8;
      }
    }
  }
}

/** `length` fresh octets. */
export function randomBytes(random: RandomSource, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  return bytes;
}
