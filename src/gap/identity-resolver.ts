import { toHex } from "../bytes/hex.ts";
import type { Address } from "../core/address.ts";
import { BoundedMap } from "../core/bounded-map.ts";
import { AesKey, resolveRpa } from "../crypto/index.ts";
import { addressKey } from "./advertisement.ts";

/** Addresses remembered, resolved or not. A crowd of strangers with private addresses pushes the oldest out. */
const CACHE_SIZE = 2048;

/**
 * Resolves private addresses against every identity resolving key known (Vol 6 Part B 1.3.2.3). Each try is one AES block, so outcomes are
 * remembered, failures too: the same strangers advertise many times a second. A key under several identities says nothing about which of
 * them an address belongs to, and resolves to none.
 */
export class IdentityResolver {
  readonly #keys = new Map<string, { readonly irk: AesKey; readonly identities: Map<string, Address> }>();
  /** The key of each identity, as text. */
  readonly #keyOf = new Map<string, string>();
  readonly #cache: BoundedMap<number, Address | undefined>;

  constructor({ cacheSize = CACHE_SIZE }: { cacheSize?: number } = {}) {
    this.#cache = new BoundedMap(cacheSize);
  }

  /** Identities with a key. */
  get size(): number {
    return this.#keyOf.size;
  }

  /** @param irk 16 octets, most significant first. A key of zeros belongs to a device without privacy and resolves nothing. */
  set(identity: Address, irk: Uint8Array): void {
    this.delete(identity);
    if (irk.every((octet) => octet === 0)) return;
    const text = toHex(irk);
    let key = this.#keys.get(text);
    if (!key) {
      key = { irk: new AesKey(irk), identities: new Map() };
      this.#keys.set(text, key);
    }
    key.identities.set(identity.toString(), identity);
    this.#keyOf.set(identity.toString(), text);
    this.#cache.clear();
  }

  delete(identity: Address): void {
    const text = this.#keyOf.get(identity.toString());
    const key = text === undefined ? undefined : this.#keys.get(text);
    if (text === undefined || !key) return;
    key.identities.delete(identity.toString());
    if (key.identities.size === 0) this.#keys.delete(text);
    this.#keyOf.delete(identity.toString());
    this.#cache.clear();
  }

  /** The identity behind a resolvable private address, `undefined` for a stranger's or any other kind of address. */
  resolve(address: Address): Address | undefined {
    if (this.#keys.size === 0 || !address.isResolvablePrivate) return undefined;
    const key = addressKey(address);
    const known = this.#cache.get(key);
    if (known || this.#cache.has(key)) return known;
    let found: Address | undefined;
    for (const { irk, identities } of this.#keys.values()) {
      if (!resolveRpa(irk, address)) continue;
      if (identities.size === 1) found = identities.values().next().value;
      break;
    }
    this.#cache.makeRoom();
    this.#cache.set(key, found);
    return found;
  }
}
