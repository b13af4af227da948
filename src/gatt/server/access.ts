import { AttErrorCode } from "../../att/error-code.ts";
import type { LinkSecurity, SecurityRequirement } from "../../att/security.ts";
import { checkBoolean, checkChoice, checkInteger, checkOptions, optionNames } from "../../core/arguments.ts";

/** What a link must have before an attribute may be accessed (Vol 3 Part F 3.2.5). */
export interface AccessRequirement extends SecurityRequirement {
  /** The application is asked, access by access. */
  readonly authorized?: boolean | undefined;
}

/** A requirement, or a word for a usual one. */
export type Access = "open" | "encrypted" | "authenticated" | "authorized" | AccessRequirement;

const WORDS = ["open", "encrypted", "authenticated", "authorized"] as const;
const NAMES = optionNames<AccessRequirement>({
  encrypted: true,
  authenticated: true,
  secureConnections: true,
  minKeySize: true,
  authorized: true,
});

/**
 * @param what names it in the error
 * @throws {ArgumentError} a word or a name that is none: it must not be taken for "open"
 */
export function toRequirement(access: Access | undefined, what = "permission"): AccessRequirement {
  switch (access) {
    case undefined:
    case "open":
      return OPEN;
    case "encrypted":
      return { encrypted: true };
    case "authenticated":
      return { encrypted: true, authenticated: true };
    case "authorized":
      return { authorized: true };
    default:
      return checkRequirement(access, what);
  }
}

function checkRequirement(access: AccessRequirement, what: string): AccessRequirement {
  if (typeof access === "string") checkChoice(what, access, WORDS);
  checkOptions(what, access, NAMES);
  const { minKeySize, ...flags } = access;
  if (minKeySize !== undefined) checkInteger(`${what}: minKeySize`, minKeySize, 7, 16);
  for (const [name, flag] of Object.entries(flags)) checkBoolean(`${what}: ${name}`, flag);
  return Object.freeze({ ...access });
}

export const OPEN: AccessRequirement = Object.freeze({});

/**
 * Why a signed write may not be, whoever signed it, 0 where it may: signatures are for links that are not encrypted (Vol 3 Part C 10.2.2), and
 * take the place of no encryption that is asked for. Whether the key is authenticated where that is required is asked separately.
 */
export function signedWriteError(
  attribute: { readonly signable: boolean; readonly writeRequirement: AccessRequirement },
  security: LinkSecurity,
): number {
  if (!attribute.signable || security.encrypted) return AttErrorCode.WriteNotPermitted;
  const { encrypted, secureConnections, minKeySize } = attribute.writeRequirement;
  return encrypted || secureConnections || minKeySize !== undefined ? AttErrorCode.InsufficientEncryption : 0;
}

/**
 * The error that `security` earns, 0 where it suffices. Authorization is asked separately.
 *
 * `peer.bonded` tells whether there is a key that could be used. Without encryption the answer tells the client what to do (Vol 3 Part C 10.3.1): encrypt with the key both have (Insufficient
 * Encryption), or pair (Insufficient Authentication).
 */
export function accessError(
  requirement: AccessRequirement,
  security: LinkSecurity,
  peer?: { readonly bonded?: boolean | undefined },
): number {
  if (requirement === OPEN) return 0;
  const { encrypted, authenticated, secureConnections, minKeySize } = requirement;
  if ((encrypted || authenticated || secureConnections || minKeySize !== undefined) && !security.encrypted)
    return (peer?.bonded ?? security.bonded) ? AttErrorCode.InsufficientEncryption : AttErrorCode.InsufficientAuthentication;
  if ((authenticated && !security.authenticated) || (secureConnections && !security.secureConnections))
    return AttErrorCode.InsufficientAuthentication;
  if (minKeySize !== undefined && security.keySize < minKeySize) return AttErrorCode.EncryptionKeySizeTooShort;
  return 0;
}
