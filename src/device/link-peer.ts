import type { Address } from "../core/address.ts";
import type { Logger } from "../core/logger.ts";
import type { BondBook } from "../gap/index.ts";
import type { GattPeer } from "../gatt/index.ts";
import { type Bond, createBond } from "../smp/index.ts";
import type { ConnectionPolicy } from "./policy.ts";

/**
 * The peer of a link as the own server sees it. What it configured is read from its bond and written to it, if there is one by then: a peer
 * may be bonded in the middle of its connection, and a bond may be removed.
 */
export class LinkPeer implements GattPeer {
  readonly authorize?: NonNullable<GattPeer["authorize"]>;
  /** Who it is, once that is known. */
  identity: Address | undefined;
  readonly #address: Address;
  readonly #bonds: BondBook;
  readonly #logger: Logger;

  constructor(at: { address: Address; bonds: BondBook; logger: Logger; authorize: ConnectionPolicy["authorize"] }) {
    this.#address = at.address;
    this.#bonds = at.bonds;
    this.#logger = at.logger;
    this.identity = at.bonds.resolve(at.address);
    const { authorize } = at;
    if (authorize) this.authorize = (access) => authorize({ ...access, peer: this.address });
  }

  get bond(): Bond | undefined {
    return this.identity && this.#bonds.get(this.identity);
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

  onCccdChanged(handle: number, value: number, of?: string): void {
    const { [handle]: _, ...cccd } = this.bond?.cccd ?? {};
    const { [handle]: __, ...cccdOf } = this.bond?.cccdOf ?? {};
    this.#save({
      cccd: value === 0 ? cccd : { ...cccd, [handle]: value },
      cccdOf: of === undefined ? cccdOf : { ...cccdOf, [handle]: of },
    });
  }

  onDatabaseHash(databaseHash: string): void {
    this.#save({ databaseHash });
  }

  #save(change: Pick<Bond, "cccd" | "cccdOf"> | Pick<Bond, "databaseHash">): void {
    const { bond } = this;
    if (!bond) return;
    this.#bonds.save(createBond({ ...bond, ...change })).catch((error: unknown) => {
      this.#logger.error(() => `what the peer configured could not be stored: ${String(error)}`);
    });
  }
}
