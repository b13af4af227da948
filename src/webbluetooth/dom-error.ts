import { AttError, AttErrorCode } from "../att/index.ts";
import { ArgumentError, BleError, StateError, UnsupportedError } from "../core/error.ts";
import { GattChangedError, GattNotFoundError } from "../gatt/index.ts";

/** The names of Web Bluetooth's errors. */
export type DomErrorName =
  | "AbortError"
  | "InvalidModificationError"
  | "InvalidStateError"
  | "NetworkError"
  | "NotAllowedError"
  | "NotFoundError"
  | "NotSupportedError"
  | "SecurityError"
  | "UnknownError";

/** What a page catches, with the library's own error as its `cause`. */
export function domError(name: DomErrorName, message: string, cause?: unknown): DOMException {
  const error = new DOMException(message, name);
  if (cause !== undefined) Object.defineProperty(error, "cause", { configurable: true, writable: true, value: cause });
  return error;
}

/** What is being done; of an application's error the specification makes two. */
export type Procedure = "discover" | "read" | "write";

/** Errors that say that the link has less security than is needed, and that more could not be had. */
const SECURITY_CODES = new Set(["ERR_INSUFFICIENT_SECURITY", "ERR_PAIRING", "ERR_PAIRING_TIMEOUT", "ERR_BOND_LOST"]);

function nameOfAttError(errorCode: number, procedure: Procedure): DomErrorName {
  switch (errorCode) {
    case AttErrorCode.InvalidHandle:
      return "InvalidStateError";
    case AttErrorCode.InvalidAttributeValueLength:
      return "InvalidModificationError";
    case AttErrorCode.InsufficientAuthentication:
    case AttErrorCode.InsufficientEncryption:
    case AttErrorCode.EncryptionKeySizeTooShort:
    case AttErrorCode.InsufficientAuthorization:
      return "SecurityError";
    default: // application errors, Vol 3 Part F 3.4.1.1
      return errorCode >= 0x80 && errorCode <= 0x9f && procedure === "write" ? "InvalidModificationError" : "NotSupportedError";
  }
}

function nameOf(error: unknown, procedure: Procedure): DomErrorName {
  if (error instanceof AttError) return nameOfAttError(error.errorCode, procedure);
  if (error instanceof GattNotFoundError) return "NotFoundError";
  if (error instanceof StateError || error instanceof GattChangedError) return "InvalidStateError"; // what was found there is no longer there
  if (error instanceof UnsupportedError) return "NotSupportedError";
  if (error instanceof ArgumentError) return "InvalidModificationError"; // longer than one packet holds
  if (error instanceof BleError && SECURITY_CODES.has(error.code)) return "SecurityError";
  return "NetworkError"; // the link is lost, or the peer does not answer
}

/** How the specification names what went wrong in a GATT procedure ("Error handling"). */
export function toDomError(error: unknown, procedure: Procedure): unknown {
  if (error instanceof DOMException || error instanceof TypeError) return error;
  return domError(nameOf(error, procedure), error instanceof Error ? error.message : String(error), error);
}
