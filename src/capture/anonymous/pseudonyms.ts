/** Addresses that have a pseudonym; those that come later share one. */
const MOST_ADDRESSES = 0xffff;
/** The two most significant bits tell a static, a resolvable and a non-resolvable random address apart, Vol 6 Part B 1.3.2. */
const KIND = 0b1100_0000;

/**
 * An invented address for each real one, the same every time, so that a reader can follow a device through a capture without knowing which it
 * is. What kind of random address it was still shows.
 */
export class Pseudonyms {
  readonly #numbers = new Map<string, number>();

  /** Overwrites the address of six octets, least significant first, at `offset`. No address (zeros) and any address (0xFF) stay. */
  overwrite(octets: Uint8Array, offset: number): void {
    const address = octets.subarray(offset, offset + 6);
    if (address.every((octet) => octet === 0) || address.every((octet) => octet === 0xff)) return;
    const number = this.#numberOf(address.join("."));
    const kind = address[5]! & KIND;
    address.fill(0);
    address[0] = number & 0xff;
    address[1] = number >> 8;
    address[5] = kind;
  }

  #numberOf(address: string): number {
    let number = this.#numbers.get(address);
    if (number === undefined) {
      if (this.#numbers.size === MOST_ADDRESSES - 1) return MOST_ADDRESSES;
      number = this.#numbers.size + 1;
      this.#numbers.set(address, number);
    }
    return number;
  }
}
