import type { Address } from "../core/address.ts";
import type { OutOfBandData } from "./out-of-band.ts";

/** IO Capability of Pairing Request and Response, Vol 3 Part H 3.5.1. */
export const IoCapability = Object.freeze({ DisplayOnly: 0, DisplayYesNo: 1, KeyboardOnly: 2, NoInputNoOutput: 3, KeyboardDisplay: 4 });
export type IoCapability = (typeof IoCapability)[keyof typeof IoCapability];

/** Bits of a key distribution field, Vol 3 Part H 3.6.1. */
export const KeyDistribution = Object.freeze({ EncKey: 1, IdKey: 2, SignKey: 4, LinkKey: 8 });

export type PairingMethod = "just-works" | "numeric-comparison" | "passkey-entry" | "out-of-band";

/** What a user does who types a passkey, Vol 3 Part H 3.5.8; the position is the value on air. */
export const KEYPRESSES = ["started", "digit", "erased", "cleared", "completed"] as const;
export type Keypress = (typeof KEYPRESSES)[number];

/** A long term key and how it is asked for; with Secure Connections `ediv` and `rand` are zero. */
export interface LongTermKey {
  readonly key: Uint8Array; // 16 octets, most significant first as in the specification's functions
  readonly ediv: number;
  readonly rand: Uint8Array; // 8 octets, as on air
  readonly keySize: number; // 7 to 16
}

/** What is kept of a bonded peer. Keys are secret: print a bond with `describeBond`, never as it is. */
export interface Bond {
  /** Identity address: public or static random. */
  readonly identity: Address;
  /** Key we ask for when we are the central (given by the peer, or the common one of Secure Connections). */
  readonly peerLtk?: LongTermKey | undefined;
  /** Key we answer with when we are the peripheral (given out by us, or the common one). */
  readonly localLtk?: LongTermKey | undefined;
  readonly peerIrk?: Uint8Array | undefined;
  readonly peerCsrk?: Uint8Array | undefined;
  readonly localCsrk?: Uint8Array | undefined;
  /** The counter that the next value signed by this side has (Vol 3 Part H 2.4.5); 0 where absent. Stored before it is used. */
  readonly localSignCounter?: number | undefined;
  /** The least counter that a signature of the peer may have: one more than the last that was taken; 0 where absent. */
  readonly peerSignCounter?: number | undefined;
  /**
   * Whether the peer is believed under its identity address although it gave an identity resolving key (Vol 6 Part B 4.7): "device", the
   * default, believes it; "network" takes whoever shows the identity address for somebody else.
   */
  readonly privacyMode?: PrivacyMode | undefined;
  /** Whether we gave our IRK, so that the peer can resolve our private address. */
  readonly localIrkDistributed: boolean;
  /** The own identity address that the peer knows, where it was distributed. */
  readonly localIdentity?: Address | undefined;
  readonly authenticated: boolean;
  readonly secureConnections: boolean;
  /** How the keys were agreed; absent in bonds of unknown origin. */
  readonly method?: PairingMethod | undefined;
  readonly name?: string | undefined;
  /** Client Characteristic Configuration values that this peer wrote to our server, by attribute handle. */
  readonly cccd?: Readonly<Record<number, number>> | undefined;
  /** What each of those configures, "180f/2a19": lets them outlive a change of our server. */
  readonly cccdOf?: Readonly<Record<number, string>> | undefined;
  /** Database Hash that this peer last saw of our server, hexadecimal; for Service Changed after a change. */
  readonly databaseHash?: string | undefined;
  /**
   * The peer has yet to prove itself by the program's own means, as where pairing is Just Works and a handshake above it tells who it is. The
   * program sets and clears it; the library keeps it and makes nothing of it.
   */
  readonly provisional?: boolean | undefined;
}

export type PrivacyMode = "network" | "device";

/** A bond without its secrets, for people and logs. */
export interface BondDescription {
  readonly identity: string;
  readonly name?: string;
  readonly method?: PairingMethod;
  readonly authenticated: boolean;
  readonly secureConnections: boolean;
  /** Octets; 0 where no long term key was kept. */
  readonly keySize: number;
  /** Names of the keys kept: "ltk", "irk", "csrk". */
  readonly peerKeys: readonly string[];
  readonly localKeys: readonly string[];
  readonly localIdentity?: string;
  readonly provisional?: true;
  readonly privacyMode?: PrivacyMode;
}

export interface BondStore {
  load(identity: Address): Promise<Bond | undefined>;
  save(bond: Bond): Promise<void>;
  delete(identity: Address): Promise<void>;
  all(): AsyncIterable<Bond>;
}

/** What is being asked, and by whom. `signal` aborts when the pairing ended meanwhile. */
export interface PairingQuestion {
  readonly peer: Address;
  readonly signal: AbortSignal;
}

/** The number that the peer shows is to be typed. */
export interface PasskeyQuestion extends PairingQuestion {
  /**
   * Tells the peer what the user is doing, and gives the user more time; that typing has begun and has ended it is told by itself. Absent where
   * one of both sides does not want to know (`keypress` of the policy). Does nothing once the question is answered.
   */
  readonly keypress?: ((keypress: "digit" | "erased" | "cleared") => void) | undefined;
}

/** What a pairing would put in the place of a bond. Holds no secret. */
export interface BondReplacement {
  readonly method: PairingMethod;
  readonly authenticated: boolean;
  readonly secureConnections: boolean;
  /** Octets. */
  readonly keySize: number;
}

/**
 * The user side of pairing. Every question is a promise; a missing answer, an exception and a rejection are refusals, and so is a callback
 * that is not there. What an IO capability needs must be there: `displayPasskey` or `choosePasskey` for a display, `compare` for a display with LE Secure
 * Connections and a way to say yes or no, `enterPasskey` for a keyboard.
 */
export interface PairingAgent {
  /** A Just Works pairing that the peer began: allow it? */
  confirm?(question: PairingQuestion): Promise<boolean>;
  /** Do both devices show this six-digit number? */
  compare?(question: PairingQuestion & { value: number }): Promise<boolean>;
  /** The number that the peer shows, 0 to 999,999; `undefined` refuses. */
  enterPasskey?(question: PasskeyQuestion): Promise<number | undefined>;
  /** The user of the peer types the number that is shown here; for dots on a display. Only where both policies have `keypress`. */
  onKeypress?(question: PairingQuestion & { keypress: Keypress }): void;
  /** Show this number until `signal` aborts; the peer's user types it. */
  displayPasskey?(question: PairingQuestion & { passkey: number }): void;
  /**
   * In place of `displayPasskey`: choose the number, 0 to 999,999, and show it. Every number of 20 bits that is not drawn by chance, or is used
   * twice, can be found out by who listens; `undefined` refuses.
   */
  choosePasskey?(question: PairingQuestion): Promise<number | undefined>;
  /**
   * There is a bond with this peer, and the peer has not shown that it has its key: may this pairing replace it? Whoever uses or claims the
   * address of the bonded device can make this question come up, so yes only if the user knows that the device lost its keys.
   */
  replaceBond?(question: PairingQuestion & { bond: BondDescription; replacement: BondReplacement }): Promise<boolean>;
}

/** Policy of one connection. `DEFAULT_PAIRING_POLICY` has the defaults. */
export interface PairingPolicy {
  readonly ioCapability: IoCapability;
  readonly bonding: boolean;
  /** Ask for protection against man in the middle. Where it is impossible pairing goes on without, unless `requireAuthentication`. */
  readonly mitm: boolean;
  /**
   * Fail with Authentication Requirements rather than end with unauthenticated keys. Implies `mitm`. By default that holds for a pairing which is
   * begun since a key or a link lacks protection against man in the middle; false: for none.
   */
  readonly requireAuthentication?: boolean;
  /** Offer LE Secure Connections; legacy stays possible unless `secureConnectionsOnly`. */
  readonly secureConnections: boolean;
  readonly secureConnectionsOnly: boolean;
  readonly minKeySize: number; // 7 to 16
  readonly maxKeySize: number; // 7 to 16
  /** Keys we give and accept: a mask of KeyDistribution. */
  readonly localKeys: number;
  readonly peerKeys: number;
  /** False refuses a peer's Pairing Request (Pairing Not Supported), also of a bonded peer. An own `pair()` is not touched by it. */
  readonly pairable: boolean;
  /**
   * Let a pairing replace a bond that was better protected: authenticated by unauthenticated, Secure Connections by legacy, longer key by
   * shorter; and let the agent be asked also where the pairing would bring no bond at all.
   */
  readonly allowDowngrade?: boolean;
  /**
   * Let a pairing stand whose bond cannot be stored: its keys hold for this link alone, and its report is not `bonded`. Without it such a
   * pairing fails.
   */
  readonly allowUnstored?: boolean;
  /**
   * Let the agent be asked (`replaceBond`) whether a pairing that the peer began may replace a bond that the peer has not proved, also where
   * it is no better protected than the bond. For peers that can do no better and lose their keys; an own `pair()` asks in any case.
   */
  readonly allowEqualReplacement?: boolean;
  /** What the peer gave out of band. A pairing by this policy uses it, or fails with OOB Not Available, unless `requireOutOfBand` is false. */
  readonly outOfBand?: OutOfBandData | undefined;
  /** True: no other method will do, also where only the peer has data of this side. */
  readonly requireOutOfBand?: boolean;
  /** Tell the peer of keys while a passkey is typed here, and be told; both sides must want it (Vol 3 Part H 3.5.8). */
  readonly keypress?: boolean;
  /** Accept a peer that uses the debug key of Secure Connections, which lets any sniffer read the link. */
  readonly allowDebugKey?: boolean;
}

/** How a pairing went. Holds no secret. */
export interface PairingReport {
  readonly method: PairingMethod;
  readonly secureConnections: boolean;
  readonly authenticated: boolean;
  readonly bonded: boolean;
  readonly keySize: number;
  /** Names of the keys exchanged: "ltk", "irk", "identity", "csrk". */
  readonly localKeys: readonly string[];
  readonly peerKeys: readonly string[];
  /** What one side asked for and did not get, one sentence each. */
  readonly refused: readonly string[];
  readonly peerIdentity: Address;
  /** Set where no new pairing took place: the central answered a Security Request by encrypting with the keys of this bond. */
  readonly fromBond?: boolean;
}
