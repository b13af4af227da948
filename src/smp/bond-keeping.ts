import type { Clock } from "../async/clock.ts";
import { Pending } from "../async/pending.ts";
import type { Address } from "../core/address.ts";
import { type BleError, StateError } from "../core/error.ts";
import { isSameBond } from "./bond.ts";
import { bondOf } from "./bonding.ts";
import { PairingError, PairingFailedReason } from "./error.ts";
import { onAnotherLink } from "./identity.ts";
import type { Keyring } from "./keyring.ts";
import type { SecurityManagerHandlers } from "./options.ts";
import type { SmpPdu } from "./pdus.ts";
import type { Outcome } from "./state.ts";
import type { Bond, PairingPolicy, PairingReport } from "./types.ts";

/** The peer's timer: as long as it may have a key before it that it does not take (Vol 3 Part H 3.4). */
const REFUSAL_MS = 30_000;

/** How long a store may take over one bond, reading, storing or removing it: the peer waits for its answer no longer than for any other. */
const STORE_TIMEOUT_MS = 30_000;

export interface BondKeepingOptions extends Pick<SecurityManagerHandlers, "findBond" | "isOnAnotherLink" | "onBond" | "onBondRefused"> {
  readonly clock: Clock;
  readonly keyring: Keyring;
  /** The own address on the link. */
  readonly localAddress: Address;
  readonly isClosed: () => boolean;
  readonly send: (pdu: SmpPdu) => void;
  /** Tells what nobody waits for. */
  readonly report: (error: BleError) => void;
}

/** A pairing whose keys are stored, which the peer may still undo. */
interface Kept {
  readonly bond: Bond;
  readonly replaced: Bond | undefined;
  readonly atMs: number;
}

/** Why there is no bond, and whether the pairing has failed by it. */
export interface KeepingFailure {
  readonly error: BleError;
  readonly isFatal: boolean;
}

/** What becomes of the keys of a pairing after the last one: they are stored, or not; and the peer may refuse them (Vol 3 Part H 3.5.5). */
export class BondKeeping {
  readonly #options: BondKeepingOptions;
  #isStoring = false;
  /** What the peer said against the keys that are being stored. */
  #refusal: PairingError | undefined;
  #kept: Kept | undefined;

  constructor(options: BondKeepingOptions) {
    this.#options = options;
  }

  /** The pairing is over, its bond is on its way to the store, or out of it again. */
  get isStoring(): boolean {
    return this.#isStoring;
  }

  /** Another pairing begins: the last one stands. */
  begin(): void {
    this.#kept = undefined;
  }

  /** Stores what the pairing made. @returns why there is no bond after all; the keys are not used then, or, where that is not fatal, for this link alone */
  async keep(outcome: Outcome, identity: Address, report: PairingReport, policy: PairingPolicy): Promise<KeepingFailure | undefined> {
    const elsewhere = this.#elsewhere(outcome, identity);
    if (elsewhere) return this.#reject(elsewhere);
    this.#isStoring = true;
    this.#refusal = undefined;
    try {
      return await this.#keep(outcome, identity, report, policy);
    } finally {
      this.#isStoring = false; // not before what had to be removed is: its end would be that of the next pairing
    }
  }

  async #keep(
    outcome: Outcome,
    identity: Address,
    report: PairingReport,
    { allowUnstored }: PairingPolicy,
  ): Promise<KeepingFailure | undefined> {
    const { keyring, clock, isClosed } = this.#options;
    const { replaced } = outcome;
    let bond: Bond;
    try {
      bond = bondOf(outcome, identity, { localAddress: this.#options.localAddress, previous: await this.#previous(outcome, identity) });
      await this.#store(bond, report, replaced);
    } catch (cause) {
      const error = new StateError("the bond could not be stored, so it is not used", { cause });
      if (!allowUnstored) return this.#reject(error);
      return this.#refusal ? fatal(this.#refusal) : { error, isFatal: false };
    }
    this.#kept = { bond, replaced, atMs: clock.now() };
    // The one who has that identity may have come while the store took its time.
    const late = this.#elsewhere(outcome, identity);
    if (late) {
      const failure = await this.#undo();
      return this.#reject(failure ?? late);
    }
    const refusal = this.#refusal;
    if (refusal) return fatal((await this.#undo()) ?? refusal); // also where the peer has hung up since
    if (!isClosed()) keyring.keep(bond);
    return undefined;
  }

  /**
   * Pairing Failed, though nothing is under way: the peer refuses the keys of the pairing before.
   *
   * @returns what to tell; `undefined` where there is nothing to refuse, or while the store is at it, whose end tells
   */
  refuse(reason: number): PairingError | undefined {
    const { clock, report } = this.#options;
    const detail = "the peer refused the keys after the last one; the bond was not kept";
    const error = new PairingError({ reason, side: "peer", detail });
    if (this.#isStoring) {
      this.#refusal ??= error;
      return undefined;
    }
    if (!this.#kept || clock.now() - this.#kept.atMs > REFUSAL_MS) return undefined;
    void this.#undo().then((failure) => failure && report(failure));
    return error;
  }

  /**
   * What is there of the bond already. What the peer has configured meanwhile is in the store, not in the bond that the pairing began with.
   *
   * @throws what the store throws · {TimeoutError} it says nothing
   */
  async #previous({ isProved, replaced }: Outcome, identity: Address): Promise<Bond | undefined> {
    const { findBond } = this.#options;
    const present = isProved ? await this.#inTime("reading the bond", async () => await findBond?.(identity)) : undefined;
    return present ?? replaced;
  }

  /** @throws what the store throws · {TimeoutError} it says nothing; what it stores after that is taken back */
  async #store(bond: Bond, made: PairingReport, replaced: Bond | undefined): Promise<void> {
    const { onBond, onBondRefused, report } = this.#options;
    await this.#inTime("storing the bond", async (isLate) => {
      await onBond?.(bond, made, replaced);
      if (!isLate()) return;
      try {
        await onBondRefused?.(bond, replaced);
      } catch (cause) {
        // Who waited for the bond has gone.
        report(new StateError("the store took a bond when it was too late, and could not remove it", { cause }));
      }
    });
  }

  /** Waits for a store, but not for ever. @throws what `act` throws · {TimeoutError} it takes too long */
  #inTime<T>(operation: string, act: (isLate: () => boolean) => Promise<T>): Promise<T> {
    const pending = new Pending<T>({ clock: this.#options.clock, operation, timeoutMs: STORE_TIMEOUT_MS });
    act(() => pending.settled).then(
      (value) => pending.resolve(value),
      (error: unknown) => pending.reject(error),
    );
    return pending.promise;
  }

  /** Why the identity of a peer that only claims it cannot be had, or `undefined`. */
  #elsewhere({ isClaimed }: Outcome, identity: Address): PairingError | undefined {
    if (!isClaimed || !this.#options.isOnAnotherLink?.(identity)) return undefined;
    return new PairingError({ reason: PairingFailedReason.KeyRejected, side: "local", ...onAnotherLink(identity) });
  }

  /** The keys are not kept and not used. The peer has them already; told in time it forgets them too. */
  #reject(error: BleError): KeepingFailure {
    this.#options.keyring.putBack();
    this.#options.send({ name: "PairingFailed", reason: PairingFailedReason.KeyRejected });
    return fatal(error);
  }

  /** The bond goes, and what it replaced is back. @returns why it could not be removed */
  async #undo(): Promise<BleError | undefined> {
    const { keyring, onBondRefused } = this.#options;
    const kept = this.#kept;
    this.#kept = undefined;
    if (!kept) return undefined;
    // Where the bond was deleted meanwhile, the one before it does not come back either.
    if (isSameBond(keyring.bond, kept.bond)) keyring.bond = kept.replaced;
    keyring.putBack();
    try {
      await this.#inTime("removing the bond", async () => await onBondRefused?.(kept.bond, kept.replaced));
      return undefined;
    } catch (cause) {
      return new StateError("the peer refused the keys of the pairing, and the bond could not be removed", { cause });
    }
  }
}

const fatal = (error: BleError): KeepingFailure => ({ error, isFatal: true });
