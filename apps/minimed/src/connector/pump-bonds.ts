import { Address, type AddressLike } from "jelling/core";
import { type Bond, type BondStore, createBond, isSameBond } from "jelling/smp";

/** Bonds of peers that paired and were never heard of again: more than these, and the oldest goes. */
const MOST_UNPROVED = 4;

/**
 * The bonds of pumps, proved and not. Pairing is Just Works and proves nothing; the SAKE handshake does. A bond is kept from its pairing on,
 * since a pump whose link was lost before its handshake has its keys and comes back with them; the store has it as `provisional`. Where a
 * bond was there for the same identity already, the store keeps that one until the newer is proved: neither a stranger who uses a pump's
 * address nor a crash can cost a pump its bond.
 *
 * This stands between the host's book of bonds and the user's store, so the book has what is in force and the store what is safe.
 */
export class PumpBonds implements BondStore {
  readonly #store: BondStore;
  /** What the store has, by identity. */
  readonly #stored = new Map<string, Bond>();
  /** What is in force in the place of a stored bond, and not in the store. */
  readonly #newer = new Map<string, Bond>();
  /** The bonds whose owner has proved itself to be a pump. */
  readonly #proved = new Map<string, Bond>();

  private constructor(store: BondStore) {
    this.#store = store;
  }

  /** Reads every bond. @throws what the store throws */
  static async open(store: BondStore): Promise<PumpBonds> {
    const bonds = new PumpBonds(store);
    for await (const bond of store.all()) {
      bonds.#stored.set(keyOf(bond), bond);
      if (!bond.provisional) bonds.#proved.set(keyOf(bond), bond);
    }
    return bonds;
  }

  // --- towards the book ---------------------------------------------------------------------------------------------------------

  load(identity: Address): Promise<Bond | undefined> {
    return Promise.resolve(this.inForce(identity));
  }

  async save(bond: Bond): Promise<void> {
    const key = keyOf(bond);
    const stored = this.#stored.get(key);
    const isProved = this.isProved(bond);
    if (stored && !isSameBond(stored, bond) && !isProved) {
      this.#newer.set(key, bond);
      return;
    }
    const marked = createBond({ ...bond, provisional: isProved ? undefined : true });
    await this.#store.save(marked);
    this.#stored.set(key, marked);
    this.#newer.delete(key);
  }

  async delete(identity: Address): Promise<void> {
    await this.#store.delete(identity);
    const key = identity.toString();
    for (const bonds of [this.#stored, this.#newer, this.#proved]) bonds.delete(key);
  }

  async *all(): AsyncIterable<Bond> {
    for (const key of [...this.#stored.keys()]) {
      const bond = this.#newer.get(key) ?? this.#stored.get(key);
      if (bond) yield bond;
    }
  }

  // --- what is known of them ----------------------------------------------------------------------------------------------------

  /** The bond with this identity that links are encrypted with. */
  inForce(identity: Address): Bond | undefined {
    const key = identity.toString();
    return this.#newer.get(key) ?? this.#stored.get(key);
  }

  /** Every bond in force. */
  list(): Bond[] {
    return Array.from(this.#stored, ([key, bond]) => this.#newer.get(key) ?? bond);
  }

  isProved(bond: Bond): boolean {
    return isSameBond(this.#proved.get(keyOf(bond)), bond);
  }

  #isStoredAsProved(bond: Bond): boolean {
    const stored = this.#stored.get(keyOf(bond));
    return isSameBond(stored, bond) && !stored?.provisional;
  }

  /** Whether a bond in force is not proved, for `identity` or for anybody. */
  hasUnproved(identity?: Address): boolean {
    return this.#unproved().some((bond) => !identity || bond.identity.equals(identity));
  }

  /** Whether the bond in force stands in the place of an earlier one, and has not been proved. */
  standsInPlace(identity: Address): boolean {
    return this.#newer.has(identity.toString()) && this.hasUnproved(identity);
  }

  /** The pump's bond: the one that is named, or the first that can be one. */
  find(pump: AddressLike | undefined): Bond | undefined {
    return pump === undefined ? this.list().find(isPumpBond) : this.inForce(Address.from(pump));
  }

  #unproved(): Bond[] {
    return this.list().filter((bond) => !this.isProved(bond));
  }

  // --- judgements ---------------------------------------------------------------------------------------------------------------

  /**
   * A pump has proved itself on a link that is encrypted with its bond: what is not proved of others goes. `anew`: where the bond was not
   * proved before, every other pump's goes too.
   *
   * @param book of the device that stands on this
   * @throws what the store throws
   */
  async prove(identity: Address, book: BondStore, { anew = false }: { anew?: boolean | undefined } = {}): Promise<void> {
    const bond = this.inForce(identity);
    if (!bond) return;
    this.#proved.set(keyOf(bond), bond);
    const isNew = !this.#isStoredAsProved(bond); // also where the store refused it the last time
    if (isNew) await book.save(createBond({ ...bond, provisional: undefined }));
    const isOther = (other: Bond): boolean => !other.identity.equals(identity);
    for (const other of this.#unproved().filter(isOther)) await this.disprove(other.identity, book);
    if (isNew && anew) for (const other of this.list()) if (isOther(other) && isPumpBond(other)) await book.delete(other.identity);
  }

  /**
   * Whoever has the bond in force for this identity is no pump: the bond goes, and the one whose place it took is in force again. A proved one
   * stays.
   *
   * @throws what the store throws
   */
  async disprove(identity: Address, book: BondStore): Promise<void> {
    const bond = this.inForce(identity);
    if (!bond || this.isProved(bond)) return;
    const earlier = this.#newer.has(identity.toString()) ? this.#stored.get(identity.toString()) : undefined;
    await (earlier ? book.save(earlier) : book.delete(identity));
  }

  /** Forgets the oldest of the bonds that are not proved, where they are too many. @throws what the store throws */
  async trim(book: BondStore): Promise<void> {
    for (const { identity } of this.#unproved().slice(0, -MOST_UNPROVED)) await this.disprove(identity, book);
  }
}

const keyOf = ({ identity }: Bond): string => identity.toString();

/** A bond for which we are the peripheral, and whose owner can resolve our address. */
const isPumpBond = (bond: Bond): boolean => bond.localLtk !== undefined && bond.localIrkDistributed;
