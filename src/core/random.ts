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

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** One step of MurmurHash3 (x86, 32 bits). */
function stir(hash: number, word: number): number {
  const mixed = Math.imul(rotated(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotated(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
}

/**
 * 32 bits that depend on every part, its kind and its place: a seed, a number, a name, a purpose. A key is made with this, never by XOR of
 * its parts, which lets two of them cancel each other (seed 1 and "a" against seed 2 and "b").
 */
export function mixKey(...parts: readonly (number | string)[]): number {
  let hash = 0x9747b28c;
  for (const part of parts) {
    if (typeof part === "number") {
      double[0] = part;
      hash = stir(stir(stir(hash, 1), words[0]!), words[1]!);
    } else {
      hash = stir(stir(hash, 2), part.length); // so that "ab", "c" is not "a", "bc"
      for (let i = 0; i < part.length; i++) hash = stir(hash, part.charCodeAt(i));
    }
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** A reproducible stream (sfc32). For simulation and tests only: it is not cryptographic. */
export class SeededRandom implements RandomSource {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any number; equal seeds and labels give equal streams */
  constructor(seed: number, label = "") {
    this.#a = mixKey(seed, label, "a");
    this.#b = mixKey(seed, label, "b");
    this.#c = mixKey(seed, label, "c");
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
