import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { type BleError, StateError } from "../core/error.ts";
import { constantTimeEqual } from "../crypto/equal.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import { isSameBond } from "./bond.ts";
import { keysOfBond, keysOfOutcome, type LinkKeys, securityOfAgreement, securityOfKeys } from "./bonding.ts";
import { type EncryptingLink, type KeyOffer, type KeyPurpose, LinkEncryption } from "./encryption.ts";
import { BondLostError } from "./error.ts";
import { unfit } from "./requirements.ts";
import type { Outcome, State } from "./state.ts";
import type { Bond, LongTermKey, PairingPolicy } from "./types.ts";

const NO_RAND = new Uint8Array(8);
/** How a peer refuses to encrypt with a key (Vol 6 Part B 5.1.3.1): it does not have it, or cannot encrypt at all, and so never had it. */
const KEY_UNKNOWN: readonly number[] = [HciErrorCode.PinOrKeyMissing, HciErrorCode.UnsupportedRemoteFeature];

interface BondOffer extends KeyOffer {
  /** Whose key it is. */
  readonly bond?: Bond | undefined;
}

export interface KeyringOptions {
  readonly link: EncryptingLink;
  /** The own identity address. */
  readonly identity: Address;
  readonly bond: Bond | undefined;
  onSecurity(security: LinkSecurity): void;
  onEncrypted(purpose: KeyPurpose): void;
  onFailed(purpose: KeyPurpose, error: BleError): void;
}

/** What a Long Term Key Request gets: a key as HCI carries it, or why none. */
export type KeyAnswer =
  | { readonly purpose: KeyPurpose; readonly key: Uint8Array }
  | { readonly purpose: undefined; readonly refusal: BleError | undefined };

/**
 * The keys of one link: the bond of its peer, what the link can be encrypted with, and which bond it has proved. A bond is proved while the
 * link is encrypted with its key; until then the peer is whoever uses the address.
 */
export class Keyring {
  readonly #encryption: LinkEncryption<BondOffer>;
  readonly #identity: Address;
  #bond: Bond | undefined;
  #keys: LinkKeys | undefined;
  #proved: Bond | undefined;
  /** The last pairing on this link failed; its initiator may not know yet and encrypt with its key. */
  #hasFailed = false;
  #isBondLost = false;

  constructor({ link, identity, bond, onSecurity, onEncrypted, onFailed }: KeyringOptions) {
    this.#identity = identity;
    this.#encryption = new LinkEncryption<BondOffer>(link, {
      onSecurity,
      onEncrypted: (offer) => {
        this.#proved = offer.bond;
        onEncrypted(offer.purpose);
      },
      onFailed: ({ purpose }, cause) => onFailed(purpose, this.#errorOf(purpose, cause)),
    });
    this.#bond = bond;
    this.#keys = bond && keysOfBond(bond);
  }

  get security(): LinkSecurity {
    return this.#encryption.security;
  }
  get isStarting(): boolean {
    return this.#encryption.isStarting;
  }
  get keys(): LinkKeys | undefined {
    return this.#keys;
  }
  /** The peer has refused the bond's key on this link. */
  get isBondLost(): boolean {
    return this.#isBondLost;
  }
  /** The link is encrypted with the key of the bond. */
  get isProved(): boolean {
    return this.security.encrypted && this.#proved !== undefined && isSameBond(this.#proved, this.#bond);
  }

  get bond(): Bond | undefined {
    return this.#bond;
  }
  /** The stored bond is another one now, or gone: its keys are not used on this link any more, and nothing is compared with it. */
  set bond(bond: Bond | undefined) {
    const isSame = isSameBond(bond, this.#bond);
    this.#bond = bond;
    if (isSame) return;
    this.#keys = bond && keysOfBond(bond);
    this.#isBondLost = false;
    if (this.security.bonded && !this.isProved) this.#encryption.set({ ...this.security, bonded: false });
  }

  /** A pairing begins. */
  begin(): void {
    this.#hasFailed = false;
  }

  /** A pairing is given up: its key must not come into use. */
  drop(hasFailed: boolean): void {
    if (hasFailed) this.#hasFailed = true;
    this.#encryption.drop("pairing");
  }

  /** A pairing is over; its keys hold for this link until they are stored or found to be refused. */
  take(outcome: Outcome): void {
    this.#keys = keysOfOutcome(outcome);
    this.#isBondLost = false;
  }

  /** The keys of the pairing before could not be stored: they are not used again. */
  putBack(): void {
    this.#keys = this.#bond && keysOfBond(this.#bond);
  }

  /** The store has the bond that the pairing before made. */
  keep(bond: Bond): void {
    this.#bond = bond;
    this.#keys = keysOfBond(bond);
    this.#proved = bond;
    if (this.security.encrypted) this.#encryption.set({ ...this.security, bonded: true });
  }

  /** Central: encrypts with the bond. @returns why it cannot */
  encryptWithBond(policy: PairingPolicy): BleError | undefined {
    const keys = this.#keys;
    const ltk = keys?.peerLtk;
    const refusal = unfit(keys, ltk, policy);
    if (refusal || !keys || !ltk) return refusal;
    this.#encryption.start(this.#bondOffer(keys, ltk), ltk.key, ltk.rand, ltk.ediv);
    return undefined;
  }

  /** Central: encrypts with the key of the pairing. */
  encryptWithPairing({ agreement, key }: Extract<State, { at: "encrypting" }>): void {
    this.#encryption.start({ purpose: "pairing", security: securityOfAgreement(agreement) }, key, NO_RAND, 0);
  }

  /** Peripheral: the controller asks for a key. */
  answer(state: State | undefined, rand: Uint8Array, ediv: number, policy: PairingPolicy): KeyAnswer {
    const isAskedFor = (ltk: { readonly rand: Uint8Array; readonly ediv: number }): boolean =>
      ltk.ediv === ediv && constantTimeEqual(ltk.rand, rand);
    const ofPairing = state && keyOfPairing(state);
    if (ofPairing && isAskedFor(ofPairing)) {
      const offer: BondOffer = { purpose: "pairing", security: securityOfAgreement(ofPairing.agreement) };
      return { purpose: "pairing", key: this.#encryption.offer(offer, ofPairing.key) };
    }
    const keys = this.#keys;
    const ltk = keys?.localLtk;
    if (!keys || !ltk || !isAskedFor(ltk)) {
      const isOfFailedPairing = this.#hasFailed && isAskedFor({ rand: NO_RAND, ediv: 0 });
      return { purpose: undefined, refusal: isOfFailedPairing ? undefined : new BondLostError("local") };
    }
    const refusal = unfit(keys, ltk, policy);
    if (refusal) return { purpose: undefined, refusal };
    return { purpose: "bond", key: this.#encryption.offer(this.#bondOffer(keys, ltk), ltk.key) };
  }

  onEncryptionChange(status: number, enabled: boolean): void {
    this.#encryption.onChange(status, enabled);
    if (!this.security.encrypted) this.#proved = undefined;
  }

  /** The link is gone; nobody is told. */
  close(): void {
    this.#proved = undefined;
    this.#encryption.close();
  }

  #bondOffer(keys: LinkKeys, ltk: LongTermKey): BondOffer {
    const bond = keys.bonded ? this.#bond : undefined;
    const isCurrent = (): boolean => bond !== undefined && isSameBond(bond, this.#bond);
    return {
      purpose: "bond",
      bond,
      // Asked when the key is in use: the bond may have been replaced or deleted since the key was given.
      get security() {
        return securityOfKeys({ ...keys, bonded: isCurrent() }, ltk);
      },
    };
  }

  #errorOf(purpose: KeyPurpose, cause: unknown): BleError {
    if (purpose === "bond" && cause instanceof HciError && KEY_UNKNOWN.includes(cause.status)) {
      this.#isBondLost = true;
      const { localIdentity } = this.#bond ?? {};
      const otherIdentity = localIdentity && !localIdentity.equals(this.#identity) ? localIdentity : undefined;
      return new BondLostError("peer", { cause, otherIdentity });
    }
    if (cause instanceof Error && "code" in cause) return cause as BleError;
    return new StateError("encryption could not be started", { cause });
  }
}

/** The key that a pairing under way has given to the peer or agreed with it, and how it is asked for. */
function keyOfPairing(state: State) {
  if (state.at === "encrypting") return { agreement: state.agreement, key: state.key, rand: NO_RAND, ediv: 0 };
  // The central has all our keys and may use them at once: its request may be here before its last key is.
  if (state.at === "keys" && state.local?.ltk) return { agreement: state.agreement, ...state.local.ltk };
  return undefined;
}
