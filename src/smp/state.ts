import type { Address } from "../core/address.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import { P256_SEED_LENGTH, type P256KeyPair } from "../crypto/p256.ts";
import type { PairingFeatures, SmpPdu } from "./pdus.ts";
import type { Bond, LongTermKey, PairingMethod, PairingPolicy } from "./types.ts";

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
  /** The stored bond of this peer, which a worse pairing must not replace. */
  readonly bond?: Bond | undefined;
  /** This side asked for the pairing, so a Just Works one needs no consent. */
  readonly wanted: boolean;
}

/** What phase 1 settled. */
export interface Agreement {
  readonly secureConnections: boolean;
  readonly method: PairingMethod;
  /** With passkey entry: whether this side shows the number or its user types it. */
  readonly passkeyHere: "displayed" | "entered";
  readonly bonding: boolean;
  readonly keySize: number;
  /** Keys this side gives and the ones it takes: masks of KeyDistribution. */
  readonly localKeys: number;
  readonly peerKeys: number;
  readonly request: PairingFeatures;
  readonly response: PairingFeatures;
  readonly refused: readonly string[];
}

export interface ReceivedKeys {
  readonly ltk?: LongTermKey;
  readonly irk?: Uint8Array;
  readonly identity?: Address;
  readonly csrk?: Uint8Array;
}

/** What a finished pairing yields. */
export interface Outcome {
  readonly agreement: Agreement;
  readonly received: ReceivedKeys;
  readonly given: ReceivedKeys;
  /** The common key of Secure Connections, already as long as the key size says. */
  readonly commonLtk?: LongTermKey | undefined;
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
  | ({ readonly at: "consent" } & Agreed)
  | ({ readonly at: "legacy-confirm"; readonly tk?: Uint8Array | undefined; readonly peerConfirm?: Uint8Array | undefined } & Agreed)
  | ({ readonly at: "legacy-random"; readonly tk: Uint8Array; readonly peerConfirm: Uint8Array } & Agreed)
  | ({ readonly at: "public-key"; readonly keyPair: P256KeyPair } & Agreed)
  | ({ readonly at: "numeric-confirm" } & Shared)
  | ({ readonly at: "numeric-random"; readonly peerConfirm?: Uint8Array | undefined } & Shared)
  | ({ readonly at: "compare"; readonly peerNonce: Uint8Array; readonly peerCheck?: Uint8Array | undefined } & Shared)
  | ({ readonly at: "passkey"; readonly peerConfirm?: Uint8Array | undefined } & Shared)
  | ({
      readonly at: "passkey-confirm" | "passkey-random";
      readonly passkey: number;
      readonly round: number;
      readonly peerConfirm?: Uint8Array | undefined;
    } & Shared)
  | ({ readonly at: "dhkey-check"; readonly ltk: Uint8Array; readonly expected: Uint8Array; readonly own: Uint8Array } & Agreed)
  | ({ readonly at: "encrypting"; readonly key: Uint8Array; readonly commonLtk?: LongTermKey | undefined } & Agreed)
  | ({
      readonly at: "keys";
      readonly commonLtk?: LongTermKey | undefined;
      readonly expected: readonly SmpPdu["name"][];
      readonly received: ReceivedKeys;
      readonly ltkOctets?: Uint8Array | undefined;
      readonly given?: ReceivedKeys | undefined;
    } & Agreed)
  | { readonly at: "done"; readonly outcome: Outcome }
  | { readonly at: "failed"; readonly reason: number; readonly side: "local" | "peer"; readonly detail?: string | undefined };

export type Input =
  | { readonly kind: "pdu"; readonly pdu: SmpPdu }
  /** Answers of the user; a refusal, an error and a missing answer are all the same. */
  | { readonly kind: "consent"; readonly allowed: boolean }
  | { readonly kind: "compared"; readonly equal: boolean }
  | { readonly kind: "passkey"; readonly passkey: number | undefined }
  /** The link is now encrypted with the key of this pairing. */
  | { readonly kind: "encrypted" };

export type Effect =
  | { readonly do: "send"; readonly pdu: SmpPdu }
  | { readonly do: "ask"; readonly question: "consent" | "passkey" }
  | { readonly do: "ask"; readonly question: "compare"; readonly value: number }
  | { readonly do: "display"; readonly passkey: number }
  /** Central: start encryption with the key of the state. */
  | { readonly do: "encrypt" };

export type Step = readonly [State, readonly Effect[]];

/** This side ends the pairing: Pairing Failed goes out. */
export function fail(reason: number, detail?: string): Step {
  return [{ at: "failed", reason, side: "local", detail }, [{ do: "send", pdu: { name: "PairingFailed", reason } }]];
}
