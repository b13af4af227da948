/** A power of two. */
const SLOTS = 256;
/** Longer ones are not kept, so that at most 64 KiB of octets are. */
const LONGEST = 255;

interface Known<T> {
  readonly octets: Uint8Array;
  readonly made: T;
}

/**
 * What was made of octets, until others take their place. Most advertisers say the same again and again: to compare 31 octets with those
 * that were read before takes a twentieth of reading them.
 */
export class RecentOctets<T extends NonNullable<unknown>> {
  readonly #known: Known<T>[] = [];

  /** What was kept for the same octets, unless it is forgotten. */
  get(octets: Uint8Array): T | undefined {
    const known = this.#known[slotOf(octets)];
    if (known === undefined || known.octets.length !== octets.length) return undefined;
    for (let i = 0; i < octets.length; i++) if (known.octets[i] !== octets[i]) return undefined;
    return known.made;
  }

  /** Keeps what was made of octets, which may change afterwards. */
  keep(octets: Uint8Array, made: T): T {
    if (octets.length <= LONGEST) this.#known[slotOf(octets)] = { octets: new Uint8Array(octets), made };
    return made;
  }
}

/** By FNV-1a, of which all octets move the upper bits. */
function slotOf(octets: Uint8Array): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < octets.length; i++) hash = Math.imul(hash ^ octets[i]!, 0x0100_0193);
  return (hash >>> 16) & (SLOTS - 1);
}
