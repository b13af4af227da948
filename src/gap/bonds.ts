import type { Address } from "../core/address.ts";
import { ArgumentError, StateError } from "../core/error.ts";
import { constantTimeEqual } from "../crypto/index.ts";
import { checkBond, isSameBond } from "../smp/bond.ts";
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
  /** @throws {ArgumentError} not a bond */
  async save(bond: Bond): Promise<void> {
    checkBond(bond);
    this.#bonds.set(bond.identity.toString(), bond);
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

/** A change of one bond that the store has not taken yet. */
interface Change {
  readonly identity: Address;
  /** What shall be there; `undefined`: nothing. */
  bond: Bond | undefined;
  /** The change under way that this one was made from: it falls with it. */
  restsOn: Change | undefined;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What is known of bonded peers, in memory: who connects must be known at once, before the first request is answered, and a private address
 * is resolved by trying every key. It stands on a store and changes when the store has said yes, never before: a bond that could not be
 * stored is none. Change bonds here, not in the store: what is done there while this is open is not seen.
 */
export class BondBook {
  /** A bond is there, changed or gone, and the store has it so; links to its peer have to follow. */
  onChanged: ((identity: Address, bond: Bond | undefined) => void) | undefined;
  /** The book as programs see it. */
  readonly asStore: BondStore;
  readonly #store: BondStore;
  readonly #maxBonds: number;
  readonly #bonds = new Map<string, Bond>();
  readonly #resolver = new IdentityResolver();
  /** Changes that wait for the store, at most one for each identity. */
  readonly #waiting = new Map<string, Change>();
  /** The change that the store is at. */
  #current: Change | undefined;
  #writing: Promise<void> | undefined;

  private constructor(store: BondStore, maxBonds: number) {
    this.#store = store;
    this.#maxBonds = maxBonds;
    const bonds = this.#bonds;
    this.asStore = Object.freeze({
      load: (identity: Address) => Promise.resolve(this.get(identity)),
      save: (bond: Bond) => this.keep(bond),
      delete: (identity: Address) => this.remove(identity),
      async *all() {
        yield* bonds.values();
      },
    });
  }

  /** Reads every bond. @throws what the store throws */
  static async open(store: BondStore, { maxBonds = DEFAULT_MAX_BONDS }: { maxBonds?: number | undefined } = {}): Promise<BondBook> {
    if (!Number.isInteger(maxBonds) || maxBonds < 0) throw new ArgumentError(`at most ${maxBonds} bonds: expected a whole number from 0`);
    const book = new BondBook(store, maxBonds);
    // An identity of zeros is nobody's: every device that gave none would share the bond.
    for await (const bond of store.all()) if (!bond.identity.isZero) book.#put(bond.identity, bond);
    return book;
  }

  get size(): number {
    return this.#bonds.size;
  }

  /** The bond with this identity. */
  get(identity: Address): Bond | undefined {
    return this.#bonds.get(identity.toString());
  }

  /** Every bond. */
  list(): Bond[] {
    return [...this.#bonds.values()];
  }

  /**
   * The identity behind an address on air: itself when it can be one, the bonded device's when it is private and resolves to one and no
   * other.
   */
  resolve(address: Address): Address | undefined {
    return address.isIdentity ? address : this.#resolver.resolve(address);
  }

  /**
   * Whether who shows this address may be the device that has it. A bonded device whose privacy mode is "network" and that gave an identity
   * resolving key shows private addresses only (Vol 6 Part B 4.7).
   *
   * @param address as on air, not what a controller has resolved
   */
  isBelieved(address: Address): boolean {
    const bond = address.isIdentity ? this.get(address) : undefined;
    return bond?.privacyMode !== "network" || bond.peerIrk === undefined || bond.peerIrk.every((octet) => octet === 0);
  }

  /** The bond of whoever uses this address. */
  find(address: Address): Bond | undefined {
    if (!this.isBelieved(address)) return undefined;
    const identity = this.resolve(address);
    return identity && this.get(identity);
  }

  /** Who has this identity resolving key, other than `identity`. */
  holderOf(peerIrk: Uint8Array, identity: Address): Address | undefined {
    if (peerIrk.every((octet) => octet === 0)) return undefined; // no key, as in stores of old
    const isHolder = (bond: Bond | undefined): boolean =>
      bond?.peerIrk !== undefined && !bond.identity.equals(identity) && constantTimeEqual(bond.peerIrk, peerIrk);
    for (const bond of this.#bonds.values()) if (isHolder(bond) && isHolder(this.#latest(bond.identity))) return bond.identity;
    for (const { bond } of this.#pending()) if (isHolder(bond)) return bond!.identity;
    return undefined;
  }

  /**
   * Keeps a bond, in place of the one with its identity. Resolves when the store has it; only then does the book know it.
   *
   * @param at.replacing the bond that is known to be replaced; any other that is there by now stays, and the new one is refused. So is one
   * that is deleted or replaced before the store has it
   * @throws {ArgumentError} not a bond
   * @throws {StateError} a new bond, and as many as allowed are there; or another peer has its identity resolving key; or another bond
   * than `at.replacing` is in its place
   * @throws what the store throws
   */
  async keep(bond: Bond, at?: { readonly replacing: Bond | undefined }): Promise<void> {
    checkBond(bond);
    const latest = this.#latest(bond.identity);
    if (at && latest && !isSameBond(latest, at.replacing)) throw new StateError(`the bond with ${bond.identity} has changed meanwhile`);
    if (!latest && this.#sizeToBe() >= this.#maxBonds) throw new StateError(`no room for another bond: ${this.#maxBonds} are stored`);
    const holder = bond.peerIrk && this.holderOf(bond.peerIrk, bond.identity);
    if (holder) throw new StateError(`${bond.identity} has the identity resolving key of ${holder}: delete that bond first`);
    await this.#change(bond.identity, bond, undefined);
    if (at && !isSameBond(this.get(bond.identity), bond))
      throw new StateError(`the bond with ${bond.identity} was deleted while it was stored`);
  }

  /**
   * Takes back what `keep` did: `bond` goes, and `before` is in its place again. Where it was deleted or replaced meanwhile, that stands.
   *
   * @throws what the store throws
   */
  async takeBack(bond: Bond, before: Bond | undefined): Promise<void> {
    if (isSameBond(this.#latest(bond.identity), bond)) await this.#change(bond.identity, before, undefined);
  }

  /**
   * Changes what there is, if there is something: `act` gets the bond as it will be when the store has taken what was said before.
   *
   * @throws what the store throws
   */
  async update(identity: Address, act: (bond: Bond) => Bond): Promise<void> {
    const latest = this.#latest(identity);
    if (!latest) return;
    const isCurrent = this.#current?.identity.equals(identity) ?? false;
    await this.#change(identity, act(latest), isCurrent ? this.#current : undefined);
  }

  /** Resolves when the store no longer has it; only then is it forgotten. @throws what the store throws: then it is still there */
  async remove(identity: Address): Promise<void> {
    await this.#change(identity, undefined, undefined);
  }

  /** Resolves once everything said so far has reached the store, or failed to; failures are the savers' to handle. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  *#pending(): Iterable<Change> {
    if (this.#current) yield this.#current;
    yield* this.#waiting.values();
  }

  /** The bond as it will be when everything has reached the store. */
  #latest(identity: Address): Bond | undefined {
    const change = this.#waiting.get(identity.toString()) ?? (this.#current?.identity.equals(identity) ? this.#current : undefined);
    return change ? change.bond : this.get(identity);
  }

  #sizeToBe(): number {
    const isNew = ({ identity, bond }: Change): boolean => bond !== undefined && !this.#bonds.has(identity.toString());
    return this.#bonds.size + new Set([...this.#pending()].filter(isNew).map(({ identity }) => identity.toString())).size;
  }

  #put(identity: Address, bond: Bond | undefined): void {
    if (bond) this.#bonds.set(identity.toString(), bond);
    else this.#bonds.delete(identity.toString());
    if (bond?.peerIrk) this.#resolver.set(identity, bond.peerIrk);
    else this.#resolver.delete(identity);
  }

  /** Changes of one bond that wait for the store become one, so that a peer that changes its bond fast fills no queue. */
  #change(identity: Address, bond: Bond | undefined, restsOn: Change | undefined): Promise<void> {
    const key = identity.toString();
    let change = this.#waiting.get(key);
    if (change) {
      change.bond = bond;
      // A part of the bond changed on top of what waits: that rests on the same ground as before.
      if (!restsOn) change.restsOn = undefined;
    } else {
      let settle: Pick<Change, "resolve" | "reject"> | undefined;
      const promise = new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
      });
      change = { identity, bond, restsOn, promise, ...settle! };
      this.#waiting.set(key, change);
    }
    this.#writing ??= this.#writeAll();
    return change.promise;
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const next = this.#waiting.entries().next().value;
      if (!next) break;
      const [key, change] = next;
      this.#waiting.delete(key); // what changes from here on is another write
      this.#current = change;
      const { identity, bond } = change;
      try {
        await (bond ? this.#store.save(bond) : this.#store.delete(identity));
        this.#current = undefined;
        this.#put(identity, bond);
        this.onChanged?.(identity, bond);
        change.resolve();
      } catch (error) {
        this.#current = undefined;
        change.reject(error);
        const waiting = this.#waiting.get(key);
        if (waiting?.restsOn !== change) continue;
        this.#waiting.delete(key);
        waiting.reject(error);
      }
    }
    this.#writing = undefined;
  }
}
