import { type LinkSecurity, NO_SECURITY } from "../att/index.ts";
import type { Address } from "../core/address.ts";
import type { Logger } from "../core/logger.ts";
import type { BondBook } from "../gap/index.ts";
import type { GattPeer } from "../gatt/index.ts";
import { type Bond, createBond, isSameBond } from "../smp/index.ts";
import type { LinkSignatures, Signer } from "./link-signatures.ts";
import type { ConnectionPolicy } from "./policy.ts";

/**
 * The peer of a link as the own server sees it. What it configured is read from its bond and written to it, if there is one by then: a peer
 * may be bonded in the middle of its connection, and a bond may be removed.
 */
export class LinkPeer implements GattPeer {
  readonly authorize?: NonNullable<GattPeer["authorize"]>;
  /** Of the link, once there is a Security Manager. */
  signatures: LinkSignatures | undefined;
  /** Who it is, once that is known. */
  identity: Address | undefined;
  #security = NO_SECURITY;
  /** The bond that the link was encrypted with the key of: this is its peer, also while it pairs anew. */
  #proved: Bond | undefined;
  readonly #address: Address;
  readonly #bonds: BondBook;
  readonly #logger: Logger;

  constructor(at: { address: Address; bonds: BondBook; logger: Logger; authorize: ConnectionPolicy["authorize"] }) {
    this.#address = at.address;
    this.#bonds = at.bonds;
    this.#logger = at.logger;
    this.identity = at.bonds.isBelieved(at.address) ? at.bonds.resolve(at.address) : undefined;
    const { authorize } = at;
    if (authorize) this.authorize = (access) => authorize({ ...access, peer: this.address });
  }

  /** What the link is worth from here on. */
  set security(security: LinkSecurity) {
    this.#security = security;
    if (!security.encrypted) this.#proved = undefined;
    else if (security.bonded) this.#proved = this.identity && this.#bonds.get(this.identity);
  }

  /**
   * The bond with this peer. A link that is encrypted with another key than the bond's is not the bonded peer's: nothing that the bond
   * remembers is given to it or changed by it. That holds for a bond too that took the place of the one which the link has proved.
   */
  get bond(): Bond | undefined {
    const bond = this.identity && this.#bonds.get(this.identity);
    return !this.#security.encrypted || isSameBond(bond, this.#proved) ? bond : undefined;
  }
  /** The identity where it is known, else the address it uses. */
  get address(): Address {
    return this.identity ?? this.#address;
  }
  get id(): string {
    return this.address.toString();
  }
  get bonded(): boolean {
    return this.bond !== undefined;
  }
  get storedCccd(): Readonly<Record<number, number>> | undefined {
    return this.bond?.cccd;
  }
  get storedCccdOf(): Readonly<Record<number, string>> {
    return this.bond?.cccdOf ?? {};
  }
  get storedDatabaseHash(): string | undefined {
    return this.bond?.databaseHash;
  }

  verifySignature(signed: Uint8Array): Promise<Signer | undefined> {
    return this.signatures?.verify(signed) ?? Promise.resolve(undefined);
  }

  onCccdChanged(handle: number, value: number, of?: string): void {
    this.#update((bond) => {
      const { [handle]: _, ...cccd } = bond.cccd ?? {};
      const { [handle]: __, ...cccdOf } = bond.cccdOf ?? {};
      return createBond({
        ...bond,
        cccd: value === 0 ? cccd : { ...cccd, [handle]: value },
        cccdOf: of === undefined ? cccdOf : { ...cccdOf, [handle]: of },
      });
    });
  }

  onDatabaseHash(databaseHash: string): void {
    this.#update((bond) => createBond({ ...bond, databaseHash }));
  }

  #update(change: (bond: Bond) => Bond): void {
    const { bond } = this;
    if (!bond) return;
    this.#bonds.update(bond.identity, change).catch((error: unknown) => {
      this.#logger.error(() => `what the peer configured could not be stored: ${String(error)}`);
    });
  }
}
