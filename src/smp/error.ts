import type { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";

/** Reason of Pairing Failed, Vol 3 Part H 3.5.5. A peer may send others. */
export const PairingFailedReason = Object.freeze({
  PasskeyEntryFailed: 0x01,
  OobNotAvailable: 0x02,
  AuthenticationRequirements: 0x03,
  ConfirmValueFailed: 0x04,
  PairingNotSupported: 0x05,
  EncryptionKeySize: 0x06,
  CommandNotSupported: 0x07,
  UnspecifiedReason: 0x08,
  RepeatedAttempts: 0x09,
  InvalidParameters: 0x0a,
  DhKeyCheckFailed: 0x0b,
  NumericComparisonFailed: 0x0c,
  BrEdrPairingInProgress: 0x0d,
  CrossTransportKeyDerivationNotAllowed: 0x0e,
  KeyRejected: 0x0f,
  Busy: 0x10,
});
export type PairingFailedReason = (typeof PairingFailedReason)[keyof typeof PairingFailedReason];

const NAMES = new Map<number, string>([
  [0x01, "Passkey Entry Failed"],
  [0x02, "OOB Not Available"],
  [0x03, "Authentication Requirements"],
  [0x04, "Confirm Value Failed"],
  [0x05, "Pairing Not Supported"],
  [0x06, "Encryption Key Size"],
  [0x07, "Command Not Supported"],
  [0x08, "Unspecified Reason"],
  [0x09, "Repeated Attempts"],
  [0x0a, "Invalid Parameters"],
  [0x0b, "DHKey Check Failed"],
  [0x0c, "Numeric Comparison Failed"],
  [0x0d, "BR/EDR Pairing In Progress"],
  [0x0e, "Cross-transport Key Derivation/Generation Not Allowed"],
  [0x0f, "Key Rejected"],
  [0x10, "Busy"],
]);

/** "Confirm Value Failed (0x04)". */
export function pairingFailedText(reason: number): string {
  const hex = `0x${reason.toString(16).padStart(2, "0")}`;
  const name = NAMES.get(reason);
  return name ? `${name} (${hex})` : hex;
}

/** Pairing failed. `side` tells who ended it: this side or the peer. */
export class PairingError extends BleError {
  readonly code = "ERR_PAIRING";
  /** A value of PairingFailedReason; a peer may send others. */
  readonly reason: number;
  readonly side: "local" | "peer";
  /** With Repeated Attempts on this side: milliseconds until the next attempt is let through. */
  readonly retryAfterMs: number | undefined;
  /** What the user can do about it, where there is something; also part of the message. */
  readonly advice: string | undefined;
  constructor(
    at: {
      reason: number;
      side: "local" | "peer";
      detail?: string | undefined;
      retryAfterMs?: number | undefined;
      advice?: string | undefined;
    },
    options?: ErrorOptions,
  ) {
    const by = at.side === "local" ? "refused here" : "refused by the peer";
    super([`pairing ${by}: ${pairingFailedText(at.reason)}`, at.detail, at.advice].filter(Boolean).join("; "), options);
    this.advice = at.advice;
    this.reason = at.reason;
    this.side = at.side;
    this.retryAfterMs = at.retryAfterMs;
  }
}

/**
 * The 30 s of the Security Manager timer passed without a PDU of the pairing, Vol 3 Part H 3.4. No pairing is possible on this link any more:
 * disconnect and connect again.
 */
export class PairingTimeoutError extends BleError {
  readonly code = "ERR_PAIRING_TIMEOUT";
  readonly timeoutMs: number;
  constructor(timeoutMs: number, options?: ErrorOptions) {
    super(`the peer sent nothing for ${timeoutMs} ms while pairing; disconnect and connect again before pairing anew`, options);
    this.timeoutMs = timeoutMs;
  }
}

/**
 * The link cannot be encrypted with the key of the bond. `side` "peer": it answered our key with Pin Or Key Missing; "local": it asked for a
 * key that is not stored here. Only removing the bond on both sides and pairing again helps - unless `otherIdentity` is set: then the bond
 * was made under another identity of ours, and the peer may well have the key, but not for the one that it sees now.
 */
export class BondLostError extends BleError {
  readonly code = "ERR_BOND_LOST";
  readonly side: "local" | "peer";
  /** The own identity address that the peer knows from pairing, where it is not the one in use. */
  readonly otherIdentity: Address | undefined;
  constructor(side: "local" | "peer", { otherIdentity, ...options }: ErrorOptions & { otherIdentity?: Address | undefined } = {}) {
    super(otherIdentity ? anotherIdentity(otherIdentity) : side === "peer" ? PEER_LOST : LOCAL_LOST, options);
    this.side = side;
    this.otherIdentity = otherIdentity;
  }
}

const PEER_LOST = "the peer no longer has the key of this bond: remove the bond here, make the peer pairable, and pair again";
const LOCAL_LOST = "the peer encrypts with a key that is not stored here: remove this device on the peer and pair again";
const anotherIdentity = (address: Address): string =>
  `this bond was paired with another identity of ours, ${address}, and the peer does not know the present one: ` +
  "open the device with that address, or remove the bond and pair again";

/** A stored bond that cannot be read; `field` names where. */
export class BondFormatError extends BleError {
  readonly code = "ERR_BOND_FORMAT";
  readonly field: string;
  constructor(field: string, expected: string, options?: ErrorOptions) {
    super(`stored bond, ${field}: expected ${expected}`, options);
    this.field = field;
  }
}
