import type { Address } from "../core/address.ts";
import { AesKey, resolveRpa } from "../crypto/index.ts";
import { addressKey } from "./advertisement.ts";

/** Addresses remembered, resolved or not. A crowd of strangers with private addresses pushes the oldest out. */
const CACHE_SIZE = 2048;

/**
 * Resolves private addresses against every identity resolving key known (Vol 6 Part B 1.3.2.3). Each try is one AES block, so outcomes are
 * remembered, failures too: the same strangers advertise many times a second.
 */
export class IdentityResolver {
  readonly #keys = new Map<string, { readonly identity: Address; readonly irk: AesKey }>();
  readonly #cache = new Map<number, Address | undefined>();
  readonly #cacheSize: number;

  constructor({ cacheSize = CACHE_SIZE }: { cacheSize?: number } = {}) {
    this.#cacheSize = cacheSize;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** @param irk 16 octets, most significant first. A key of zeros belongs to a device without privacy and resolves nothing. */
  set(identity: Address, irk: Uint8Array): void {
    if (irk.every((octet) => octet === 0)) this.#keys.delete(identity.toString());
    else this.#keys.set(identity.toString(), { identity, irk: new AesKey(irk) });
    this.#cache.clear();
  }

  delete(identity: Address): void {
    if (this.#keys.delete(identity.toString())) this.#cache.clear();
  }

  /** The identity behind a resolvable private address, `undefined` for a stranger's or any other kind of address. */
  resolve(address: Address): Address | undefined {
    if (this.#keys.size === 0 || !address.isResolvablePrivate) return undefined;
    const key = addressKey(address);
    const known = this.#cache.get(key);
    if (known || this.#cache.has(key)) return known;
    let found: Address | undefined;
    for (const { identity, irk } of this.#keys.values()) {
      if (!resolveRpa(irk, address)) continue;
      found = identity;
      break;
    }
    if (this.#cache.size >= this.#cacheSize) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(key, found);
    return found;
  }
}
