import type { Address } from "../core/address.ts";
import { ArgumentError, StateError } from "../core/error.ts";
import type { Bond, BondStore } from "../smp/types.ts";
import { IdentityResolver } from "./identity-resolver.ts";

/** Bonds in memory, gone with the process. */
export class MemoryBondStore implements BondStore {
  readonly #bonds = new Map<string, Bond>();

  constructor(bonds: Iterable<Bond> = []) {
    for (const bond of bonds) this.#bonds.set(bond.identity.toString(), bond);
  }

  get size(): number {
    return this.#bonds.size;
  }

  load(identity: Address): Promise<Bond | undefined> {
    return Promise.resolve(this.#bonds.get(identity.toString()));
  }
  save(bond: Bond): Promise<void> {
    this.#bonds.set(bond.identity.toString(), bond);
    return Promise.resolve();
  }
  delete(identity: Address): Promise<void> {
    this.#bonds.delete(identity.toString());
    return Promise.resolve();
  }
  async *all(): AsyncIterable<Bond> {
    yield* this.#bonds.values();
  }
}

/** More bonds than this are refused: pairing again and again under new identities must not fill memory and disk. */
export const DEFAULT_MAX_BONDS = 1000;

/**
 * A bond store with its content in memory: who connects must be known at once, before the first request is answered, and a private address
 * is resolved by trying every key. Changes go through to the store behind, in order. Change bonds here, not in the store behind: what is
 * done there while this is open is not seen.
 */
export class BondBook implements BondStore {
  /** A bond was deleted here; links that run on it have to forget it. */
  onDeleted: ((identity: Address) => void) | undefined;
  readonly #store: BondStore;
  readonly #maxBonds: number;
  readonly #bonds = new Map<string, Bond>();
  readonly #resolver = new IdentityResolver();
  /** Changes that have not reached the store, at most one for each identity. */
  readonly #changes = new Map<string, Change>();
  #writing: Promise<void> | undefined;

  private constructor(store: BondStore, maxBonds: number) {
    this.#store = store;
    this.#maxBonds = maxBonds;
  }

  /** Reads every bond. @throws what the store throws */
  static async open(store: BondStore, { maxBonds = DEFAULT_MAX_BONDS }: { maxBonds?: number | undefined } = {}): Promise<BondBook> {
    if (!Number.isInteger(maxBonds) || maxBonds < 0) throw new ArgumentError(`at most ${maxBonds} bonds: expected a whole number from 0`);
    const book = new BondBook(store, maxBonds);
    for await (const bond of store.all()) book.#put(bond);
    return book;
  }

  get size(): number {
    return this.#bonds.size;
  }

  /** The bond with this identity. */
  get(identity: Address): Bond | undefined {
    return this.#bonds.get(identity.toString());
  }

  /** The identity behind an address on air: itself when it can be one, the bonded device's when it is private and resolves. */
  resolve(address: Address): Address | undefined {
    return address.isIdentity ? address : this.#resolver.resolve(address);
  }

  /** The bond of whoever uses this address. */
  find(address: Address): Bond | undefined {
    const identity = this.resolve(address);
    return identity && this.get(identity);
  }

  load(identity: Address): Promise<Bond | undefined> {
    return Promise.resolve(this.get(identity));
  }

  /** @throws {StateError} a new bond, and as many as allowed are there */
  save(bond: Bond): Promise<void> {
    if (!this.#bonds.has(bond.identity.toString()) && this.#bonds.size >= this.#maxBonds)
      return Promise.reject(new StateError(`no room for another bond: ${this.#maxBonds} are stored`));
    this.#put(bond);
    return this.#change(bond.identity);
  }

  delete(identity: Address): Promise<void> {
    this.#bonds.delete(identity.toString());
    this.#resolver.delete(identity);
    this.onDeleted?.(identity);
    return this.#change(identity);
  }

  async *all(): AsyncIterable<Bond> {
    yield* this.#bonds.values();
  }

  /** Resolves once everything said so far has reached the store, or failed to; failures are the savers' to handle. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #put(bond: Bond): void {
    this.#bonds.set(bond.identity.toString(), bond);
    if (bond.peerIrk) this.#resolver.set(bond.identity, bond.peerIrk);
    else this.#resolver.delete(bond.identity);
  }

  /** Changes of one bond that wait for the store become one, so that a peer that changes its bond fast fills no queue. */
  #change(identity: Address): Promise<void> {
    const key = identity.toString();
    let change = this.#changes.get(key);
    if (!change) {
      let settle: Pick<Change, "resolve" | "reject"> | undefined;
      const promise = new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
      });
      change = { identity, promise, ...settle! };
      this.#changes.set(key, change);
    }
    this.#writing ??= this.#writeAll();
    return change.promise;
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const next = this.#changes.entries().next().value;
      if (!next) break;
      const [key, change] = next;
      this.#changes.delete(key); // what changes from here on is another write
      const bond = this.#bonds.get(key);
      try {
        await (bond ? this.#store.save(bond) : this.#store.delete(change.identity));
        change.resolve();
      } catch (error) {
        change.reject(error);
      }
    }
    this.#writing = undefined;
  }
}

interface Change {
  readonly identity: Address;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}
