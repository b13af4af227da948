import type { LinkSecurity } from "../att/index.ts";
import { StateError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { constantTimeEqual, SIGNATURE_LENGTH, signCounterOf, signPdu } from "../crypto/index.ts";
import type { BondBook } from "../gap/index.ts";
import { type Bond, createBond } from "../smp/index.ts";

const LAST_COUNTER = 0xffff_ffff;

export interface LinkSignaturesOptions {
  readonly bonds: BondBook;
  readonly logger: Logger;
  /** The bond of the peer, as far as the link is its. */
  readonly bond: () => Bond | undefined;
  readonly security: () => LinkSecurity;
  /** Mode 2 is not used at all (Vol 3 Part C 10.2.4). */
  readonly isOff: boolean;
  /** A pairing is under way: it may put the bond back to what it was, and its counters with it. */
  readonly isPairing: () => boolean;
}

/** What a signature says of who made it: the key's pairing. */
export interface Signer {
  readonly authenticated: boolean;
}

/**
 * Signed data on a link that is not encrypted, Vol 3 Part H 2.4.5. A counter is stored before it is used: neither a crash nor a store that fails
 * makes one be used twice, or a PDU be taken twice.
 */
export class LinkSignatures {
  readonly #options: LinkSignaturesOptions;

  constructor(options: LinkSignaturesOptions) {
    this.#options = options;
  }

  /**
   * Signs a PDU: opcode, handle and value. Resolves when the store has its counter.
   *
   * @throws {StateError} Secure Connections Only mode; no bond, or one without a signature key; a pairing is under way; or the key's 2^32 counters are used up
   * @throws what the store throws
   */
  async sign(pdu: Uint8Array): Promise<Uint8Array> {
    const { bonds, bond, isPairing, isOff } = this.#options;
    if (isOff) throw new StateError("nothing is signed with secureConnectionsOnly: expected to pair, and to write encrypted");
    const known = bond();
    if (!known?.localCsrk) throw new StateError("no key to sign with: expected a bond in whose pairing this side gave its signature key");
    if (isPairing()) throw new StateError("a pairing is under way: expected to sign before it, or after it");
    let signature: Uint8Array | undefined;
    await bonds.update(known.identity, (latest) => {
      const { localCsrk, localSignCounter = 0 } = latest;
      if (!localCsrk) throw new StateError("the signature key is gone: the bond has changed meanwhile");
      if (localSignCounter > LAST_COUNTER) throw new StateError("every counter of the signature key is used: expected a new pairing");
      signature = signPdu(localCsrk, pdu, localSignCounter);
      return createBond({ ...latest, localSignCounter: localSignCounter + 1 });
    });
    if (!signature) throw new StateError("the bond was deleted meanwhile");
    return signature;
  }

  /**
   * Who signed a PDU that ends with its signature; `undefined` where nobody known did, where it was taken before, or where the store does not
   * take its counter. Resolves when the store has the counter.
   */
  async verify(signed: Uint8Array): Promise<Signer | undefined> {
    const { bonds, bond, security, isPairing, isOff, logger } = this.#options;
    // Mode 2 is not used on an encrypted link (Vol 3 Part C 10.2.2).
    const known = isOff || security().encrypted || isPairing() ? undefined : bond();
    if (!known?.peerCsrk) return undefined;
    const pdu = signed.subarray(0, signed.length - SIGNATURE_LENGTH);
    const signature = signed.subarray(pdu.length);
    const counter = signCounterOf(signature);
    if (!constantTimeEqual(signature, signPdu(known.peerCsrk, pdu, counter))) return undefined;
    const isNew = ({ peerSignCounter = 0 }: Bond): boolean => counter >= peerSignCounter;
    if (!isNew(known)) return undefined;
    try {
      let signer: Signer | undefined;
      await bonds.update(known.identity, (latest) => {
        const isSameKey = latest.peerCsrk !== undefined && constantTimeEqual(latest.peerCsrk, known.peerCsrk!);
        if (!isSameKey || !isNew(latest)) throw new StateError("the bond has changed meanwhile");
        signer = { authenticated: latest.authenticated };
        return createBond({ ...latest, peerSignCounter: counter + 1 });
      });
      return signer;
    } catch (error) {
      logger.warn(() => `a signed write was dropped, since its counter could not be stored: ${String(error)}`);
      return undefined;
    }
  }
}
