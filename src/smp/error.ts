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
  constructor(
    at: { reason: number; side: "local" | "peer"; detail?: string | undefined; retryAfterMs?: number | undefined },
    options?: ErrorOptions,
  ) {
    const by = at.side === "local" ? "refused here" : "refused by the peer";
    super(`pairing ${by}: ${pairingFailedText(at.reason)}${at.detail ? `; ${at.detail}` : ""}`, options);
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
 * One side no longer has the key of the bond. `side` "peer": it answered our key with Pin Or Key Missing; "local": it asked for a key that
 * is not stored here. Only removing the bond on both sides and pairing again helps.
 */
export class BondLostError extends BleError {
  readonly code = "ERR_BOND_LOST";
  readonly side: "local" | "peer";
  constructor(side: "local" | "peer", options?: ErrorOptions) {
    super(
      side === "peer"
        ? "the peer no longer has the key of this bond: remove the bond here, make the peer pairable, and pair again"
        : "the peer encrypts with a key that is not stored here: remove this device on the peer and pair again",
      options,
    );
    this.side = side;
  }
}

/** A stored bond that cannot be read; `field` names where. */
export class BondFormatError extends BleError {
  readonly code = "ERR_BOND_FORMAT";
  readonly field: string;
  constructor(field: string, expected: string, options?: ErrorOptions) {
    super(`stored bond, ${field}: expected ${expected}`, options);
    this.field = field;
  }
}
