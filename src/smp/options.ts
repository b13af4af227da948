import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { optionNames } from "../core/arguments.ts";
import type { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { PduChannel } from "../l2cap/channel.ts";
import type { PairingAttempts } from "./attempts.ts";
import type { EncryptingLink } from "./encryption.ts";
import type { LocalOutOfBand, OutOfBandData } from "./out-of-band.ts";
import type { Bond, PairingAgent, PairingPolicy, PairingReport } from "./types.ts";

export interface SecurityManagerHandlers {
  /** The stored bond with the identity that a peer claims in pairing. */
  findBond?: ((identity: Address) => Bond | undefined | Promise<Bond | undefined>) | undefined;
  /** Who has this identity resolving key, other than `identity`: two must not have the same. */
  findIrkHolder?: ((peerIrk: Uint8Array, identity: Address) => Address | undefined) | undefined;
  /**
   * Whether the peer of another link has this identity, by its address there or by its bond. This link's peer is then not believed to have it
   * on its word.
   */
  isOnAnotherLink?: ((identity: Address) => boolean) | undefined;
  /**
   * A bond to store; `pair()` waits for it, and a rejection fails the pairing: then the bond is not used. `replaced` is the bond that it may
   * replace; if another one is there by now, or `bond` was deleted before it was stored, the store must refuse.
   */
  onBond?: ((bond: Bond, report: PairingReport, replaced: Bond | undefined) => void | Promise<void>) | undefined;
  /**
   * The peer refused the keys after the last one (Vol 3 Part H 3.5.5): `bond` has to go, and `replaced` is in its place again. Where `bond` is
   * not stored any more nothing changes.
   */
  onBondRefused?: ((bond: Bond, replaced: Bond | undefined) => void | Promise<void>) | undefined;
  /** The link's security changed. Called before anything that the peer sends under the new security. */
  onSecurity?: ((security: LinkSecurity) => void) | undefined;
  /** The keys of a pairing are exchanged; what remains is to store them, where there is a bond. */
  onExchanged?: ((report: PairingReport) => void) | undefined;
  /** A pairing succeeded, whoever asked for it. */
  onPaired?: ((report: PairingReport) => void) | undefined;
  /** A pairing or an encryption failed, whoever asked for it. */
  onFailure?: ((error: BleError) => void) | undefined;
}

export interface SecurityManagerOptions extends SecurityManagerHandlers {
  channel: PduChannel;
  /** Role on the link; the central is the initiator of every pairing. */
  role: "central" | "peripheral";
  /** Addresses as used on this link: private ones unresolved. */
  localAddress: Address;
  peerAddress: Address;
  /** Given to the peer. `irk`: most significant octet first. */
  identity: { readonly address: Address; readonly irk: Uint8Array };
  clock: Clock;
  random: RandomSource;
  logger?: Logger | undefined;
  policy?: Partial<PairingPolicy> | undefined;
  agent?: PairingAgent | undefined;
  link: EncryptingLink;
  /** The stored bond of this peer. */
  bond?: Bond | undefined;
  /**
   * Central: waited for before a Security Request on a link that is not encrypted is answered; may set `bond`. For stores that others change.
   * Must settle, and not reject.
   */
  beforeKey?: (() => Promise<void>) | undefined;
  /** What this device gave out of band last; a pairing with a peer that has it uses it up. */
  localOutOfBand?: (() => LocalOutOfBand | undefined) | undefined;
  /** Counts failures over all links of a device; without it this link counts for itself. */
  attempts?: PairingAttempts | undefined;
}

export interface PairOptions extends OperationOptions {
  /** Where this pairing differs from the policy of the connection. */
  policy?: Partial<PairingPolicy> | undefined;
  /** What the peer gave out of band: `outOfBand` of the policy. */
  outOfBand?: OutOfBandData | undefined;
}
export const PAIR_OPTION_NAMES = optionNames<PairOptions>({ policy: true, outOfBand: true, signal: true, timeoutMs: true });
export const ENCRYPT_OPTION_NAMES = optionNames<OperationOptions>({ signal: true, timeoutMs: true });
