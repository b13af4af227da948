import type { OperationOptions } from "../../async/pending.ts";
import { type LinkSecurity, meets, type SecurityRequirement } from "../../core/link-security.ts";
import { ConnectionResult, type L2capRefusedError } from "./results.ts";

/** Why the link is to have more security before a channel is asked for. */
export interface SecurityDemand {
  /** What it must have. After a refusal: what the peer's result asks for, as far as a result can say. */
  readonly requirement: SecurityRequirement;
  /** The peer's refusal; `undefined` where this side demands it before it asks. */
  readonly refusal: L2capRefusedError | undefined;
}

/** Whose link it is. */
export interface LinkOwner {
  /** Shown as `connection` of channels and requests. */
  readonly connection: unknown;
  readonly security: () => LinkSecurity;
  /** There is a key with which the peer could encrypt. */
  readonly hasKey: () => boolean;
  /** What the link must have before anything is asked for. */
  readonly demand: () => SecurityRequirement;
  /** Raises the security of the link, or rejects. */
  readonly elevate: (demand: SecurityDemand, options: OperationOptions) => Promise<void>;
}

/**
 * The refusal that `security` earns, 0 where it suffices. Without encryption it tells the peer what to do (Vol 3 Part C 10.3.1): encrypt with
 * the key both have, or pair.
 */
export function securityResult(requirement: SecurityRequirement, security: LinkSecurity, hasKey: boolean): number {
  if (meets(security, requirement)) return ConnectionResult.Success;
  if (!security.encrypted) return hasKey ? ConnectionResult.InsufficientEncryption : ConnectionResult.InsufficientAuthentication;
  return meets(security, { ...requirement, minKeySize: undefined })
    ? ConnectionResult.EncryptionKeySizeTooShort
    : ConnectionResult.InsufficientAuthentication;
}

/** What a refusal asks for; `undefined` where it is not for want of security. */
export function requirementOf(result: number, security: LinkSecurity): SecurityRequirement | undefined {
  switch (result) {
    case ConnectionResult.InsufficientAuthentication:
      return security.encrypted ? { encrypted: true, authenticated: true } : { encrypted: true };
    case ConnectionResult.EncryptionKeySizeTooShort:
      return { encrypted: true, minKeySize: 16 };
    case ConnectionResult.InsufficientEncryption:
      return { encrypted: true };
    default:
      return undefined;
  }
}
