import type { Address } from "../core/address.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import { P256_SEED_LENGTH, type P256KeyPair } from "../crypto/p256.ts";
import type { LocalOutOfBand } from "./out-of-band.ts";
import type { PairingFeatures, SmpPdu } from "./pdus.ts";
import type { Bond, BondReplacement, Keypress, LongTermKey, PairingMethod, PairingPolicy } from "./types.ts";

/** Rounds of passkey entry with LE Secure Connections: one for each bit, Vol 3 Part H 2.3.5.6.3. */
export const PASSKEY_ROUNDS = 20;

/** Everything a pairing takes from chance, drawn before it begins, so that its steps are functions of state and input alone. */
export interface PairingSecrets {
  readonly nonces: readonly Uint8Array[];
  readonly passkey: number;
  readonly keyPairSeed: Uint8Array;
  readonly ltk: Uint8Array;
  readonly ediv: number;
  readonly rand: Uint8Array;
  readonly csrk: Uint8Array;
}

export function drawSecrets(random: RandomSource): PairingSecrets {
  const nonces = Array.from({ length: PASSKEY_ROUNDS }, () => randomBytes(random, 16));
  const words = new DataView(randomBytes(random, 10).buffer);
  return {
    nonces,
    passkey: Number(words.getBigUint64(0) % 1_000_000n),
    keyPairSeed: randomBytes(random, P256_SEED_LENGTH),
    ltk: randomBytes(random, 16),
    ediv: words.getUint16(8),
    rand: randomBytes(random, 8),
    csrk: randomBytes(random, 16),
  };
}

/** What does not change while one pairing runs. */
export interface Session {
  readonly role: "central" | "peripheral";
  /** Addresses as used on this link: they enter the confirm values. The central is the initiator. */
  readonly initiator: Address;
  readonly responder: Address;
  /** Own identity, given to the peer. */
  readonly identity: { readonly address: Address; readonly irk: Uint8Array };
  readonly policy: PairingPolicy;
  readonly secrets: PairingSecrets;
  /** The stored bond of this peer, as far as its address on this link tells. */
  readonly bond?: Bond | undefined;
  /** The link was encrypted with the key of `bond` when the pairing began: the peer is who its address says. */
  readonly isProved: boolean;
  /** This side asked for the pairing, so a Just Works one needs no consent. */
  readonly wanted: boolean;
  /** The user chooses the passkey that this side shows. */
  readonly choosesPasskey?: boolean | undefined;
  /** What this side gave out of band, where it is still good. */
  readonly localOutOfBand?: LocalOutOfBand | undefined;
}

/** The peer's address on this link. */
export const peerAddressOf = ({ role, initiator, responder }: Session): Address => (role === "central" ? responder : initiator);

/** What phase 1 settled. */
export interface Agreement {
  readonly secureConnections: boolean;
  readonly method: PairingMethod;
  /** With passkey entry: whether this side shows the number or its user types it. */
  readonly passkeyHere: "displayed" | "entered";
  /** With passkey entry: which side tells the other of its keys. */
  readonly keypress: { readonly own: boolean; readonly peer: boolean };
  readonly bonding: boolean;
  readonly keySize: number;
  /** Keys this side gives and the ones it takes: masks of KeyDistribution. */
  readonly localKeys: number;
  readonly peerKeys: number;
  readonly request: PairingFeatures;
  readonly response: PairingFeatures;
  readonly refused: readonly string[];
}

/** The keys that one side gave; with LE Secure Connections the long term key is the common one. */
export interface SideKeys {
  readonly ltk?: LongTermKey | undefined;
  readonly irk?: Uint8Array | undefined;
  readonly identity?: Address | undefined;
  readonly csrk?: Uint8Array | undefined;
}

/** What a finished pairing yields. */
export interface Outcome {
  readonly agreement: Agreement;
  readonly local: SideKeys;
  readonly peer: SideKeys;
  /** Whom the keys belong to; `undefined` for a private address that gave no identity. */
  readonly identity?: Address | undefined;
  /** Nothing but the peer's word and its private address says so; `isShown` has what says more. */
  readonly isClaimed: boolean;
  /** The bond that these keys may replace: nothing else must be in its place. */
  readonly replaced?: Bond | undefined;
  /** The link was encrypted with the key of the peer's bond when the pairing began. */
  readonly isProved: boolean;
}

interface Agreed {
  readonly session: Session;
  readonly agreement: Agreement;
}
/** After the public keys: both, and the secret they share. */
export interface Shared extends Agreed {
  readonly keyPair: P256KeyPair;
  readonly peerKey: { readonly x: Uint8Array; readonly y: Uint8Array };
  readonly dhKey: Uint8Array;
}

export type State =
  | { readonly at: "pairing-response"; readonly session: Session; readonly request: PairingFeatures }
  | ({ readonly at: "consent"; readonly question: "consent" | "replace" } & Agreed)
  | ({ readonly at: "legacy-confirm"; readonly tk?: Uint8Array | undefined; readonly peerConfirm?: Uint8Array | undefined } & Agreed)
  | ({ readonly at: "legacy-random"; readonly tk: Uint8Array; readonly peerConfirm: Uint8Array } & Agreed)
  | ({ readonly at: "public-key"; readonly keyPair: P256KeyPair } & Agreed)
  | ({ readonly at: "numeric-confirm" } & Shared)
  | ({ readonly at: "numeric-random"; readonly peerConfirm?: Uint8Array | undefined } & Shared)
  | ({ readonly at: "compare"; readonly peerNonce: Uint8Array; readonly peerCheck?: Uint8Array | undefined } & Shared)
  | ({ readonly at: "oob-random" } & Shared)
  | ({ readonly at: "passkey"; readonly peerConfirm?: Uint8Array | undefined } & Shared)
  | ({
      readonly at: "passkey-confirm" | "passkey-random";
      readonly passkey: number;
      readonly round: number;
      readonly peerConfirm?: Uint8Array | undefined;
    } & Shared)
  | ({ readonly at: "dhkey-check"; readonly ltk: Uint8Array; readonly expected: Uint8Array; readonly own: Uint8Array } & Agreed)
  /** `ltk` with LE Secure Connections only: legacy pairing encrypts with a short term key. */
  | ({
      readonly at: "encrypting";
      readonly key: Uint8Array;
      readonly ltk?: LongTermKey | undefined;
      /** Peripheral: the controller was given the key, so encryption may begin at any moment. */
      readonly isKeyGiven?: boolean;
      /** Keys of the peer that overtook the news that the link is encrypted. */
      readonly held?: readonly SmpPdu[];
    } & Agreed)
  | ({
      readonly at: "keys";
      readonly expected: readonly SmpPdu["name"][];
      readonly peer: SideKeys;
      /** Absent until the own keys were sent. */
      readonly local?: SideKeys | undefined;
      readonly longTermKey?: Uint8Array | undefined;
      /** An identity that is given is judged before anything else happens: which bond it has, then whether the user lets that go. */
      readonly judging?: "find" | "replace" | undefined;
      readonly identity?: Address | undefined;
      readonly replaced?: Bond | undefined;
    } & Agreed)
  | { readonly at: "done"; readonly outcome: Outcome }
  | ({ readonly at: "failed"; readonly reason: number; readonly side: "local" | "peer" } & Explanation);

/** What is told of a failure besides its reason. */
export interface Explanation {
  readonly detail?: string | undefined;
  /** What the user can do about it. */
  readonly advice?: string | undefined;
  readonly cause?: unknown;
}

export type Input =
  | { readonly kind: "pdu"; readonly pdu: SmpPdu }
  /** Answers of the user; a refusal, an error and a missing answer are all the same. */
  | { readonly kind: "consent"; readonly allowed: boolean; readonly cause?: unknown }
  | { readonly kind: "replace"; readonly allowed: boolean; readonly cause?: unknown }
  | { readonly kind: "compared"; readonly equal: boolean; readonly cause?: unknown }
  | { readonly kind: "passkey"; readonly passkey: number | undefined; readonly cause?: unknown }
  /** What is stored under the identity that the peer gave, who else has its identity resolving key, and whether it is connected already. */
  | { readonly kind: "found"; readonly bond: Bond | undefined; readonly irkHolder: Address | undefined; readonly isOnAnotherLink: boolean }
  /** Peripheral: the controller asked for the key of this pairing and got it. */
  | { readonly kind: "key-given" }
  /** The link is now encrypted with the key of this pairing. */
  | { readonly kind: "encrypted" };

export type Effect =
  | { readonly do: "send"; readonly pdu: SmpPdu }
  | { readonly do: "ask"; readonly question: "consent" | "choose-passkey" }
  /** `keypress`: the peer is told of the keys. */
  | { readonly do: "ask"; readonly question: "passkey"; readonly keypress: boolean }
  | { readonly do: "ask"; readonly question: "compare"; readonly value: number }
  | { readonly do: "ask"; readonly question: "replace"; readonly bond: Bond; readonly replacement: BondReplacement }
  | { readonly do: "display"; readonly passkey: number }
  /** The peer's user has done something. */
  | { readonly do: "keypress"; readonly keypress: Keypress }
  /** What this side gave out of band is used up. */
  | { readonly do: "spend"; readonly data: LocalOutOfBand }
  /** Look for the bond of this identity. */
  | { readonly do: "find"; readonly identity: Address; readonly irk: Uint8Array | undefined }
  /** Central: start encryption with the key of the state. */
  | { readonly do: "encrypt" };

export type Step = readonly [State, readonly Effect[]];

/** This side ends the pairing: Pairing Failed goes out. */
export function fail(reason: number, explanation?: string | Explanation): Step {
  const told = typeof explanation === "string" ? { detail: explanation } : explanation;
  return [{ at: "failed", reason, side: "local", ...told }, [{ do: "send", pdu: { name: "PairingFailed", reason } }]];
}
