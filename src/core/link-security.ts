import { checkInteger, checkOptions, kindOf, optionNames } from "./arguments.ts";
import { ArgumentError } from "./error.ts";

/** Security of a link, as attribute permissions and listeners for channels see it (Vol 3 Part C 10.2). */
export interface LinkSecurity {
  readonly encrypted: boolean;
  /** The key came from a pairing with protection against man in the middle. */
  readonly authenticated: boolean;
  readonly secureConnections: boolean;
  readonly keySize: number; // 0 while not encrypted
  readonly bonded: boolean;
}

export const NO_SECURITY: LinkSecurity = Object.freeze({
  encrypted: false,
  authenticated: false,
  secureConnections: false,
  keySize: 0,
  bonded: false,
});

/** What a link must have: before an attribute may be accessed (Vol 3 Part F 3.2.5), a channel opened, or a peer believed. */
export interface SecurityRequirement {
  readonly encrypted?: boolean | undefined;
  /** The key came from a pairing with protection against man in the middle. */
  readonly authenticated?: boolean | undefined;
  readonly secureConnections?: boolean | undefined;
  /** Smallest key size in octets, 7 to 16. */
  readonly minKeySize?: number | undefined;
}

/** Any part of a requirement but encryption itself asks for encryption too. */
export function meets({ encrypted, authenticated, secureConnections, keySize }: LinkSecurity, requirement: SecurityRequirement): boolean {
  const { minKeySize } = requirement;
  if ((requirement.encrypted || requirement.authenticated || requirement.secureConnections || minKeySize !== undefined) && !encrypted)
    return false;
  if ((requirement.authenticated && !authenticated) || (requirement.secureConnections && !secureConnections)) return false;
  return minKeySize === undefined || keySize >= minKeySize;
}

/** What both ask for. */
export function bothRequirements(a: SecurityRequirement, b: SecurityRequirement | undefined): SecurityRequirement {
  if (b === undefined) return a;
  const minKeySize = Math.max(a.minKeySize ?? 0, b.minKeySize ?? 0);
  return {
    encrypted: a.encrypted || b.encrypted,
    authenticated: a.authenticated || b.authenticated,
    secureConnections: a.secureConnections || b.secureConnections,
    ...(minKeySize > 0 && { minKeySize }),
  };
}

/** "encrypted, authenticated, a key of 16 octets"; "nothing" where it asks for nothing. */
export function requirementText({ encrypted, authenticated, secureConnections, minKeySize }: SecurityRequirement): string {
  const parts = [
    encrypted && "encrypted",
    authenticated && "authenticated",
    secureConnections && "Secure Connections",
    minKeySize !== undefined && `a key of ${minKeySize} octets`,
  ].filter((part) => part);
  return parts.length > 0 ? parts.join(", ") : "nothing";
}

const NAMES = optionNames<SecurityRequirement>({ encrypted: true, authenticated: true, secureConnections: true, minKeySize: true });

/** A requirement that a caller gives, or none. @throws {ArgumentError} another kind, an unknown name, a size outside 7 to 16 */
export function checkSecurityRequirement(what: string, value: unknown): void {
  if (value === undefined) return;
  checkOptions(what, value, NAMES);
  const { minKeySize, ...switches } = value as SecurityRequirement;
  for (const [name, on] of Object.entries(switches))
    if (on !== undefined && typeof on !== "boolean") throw new ArgumentError(`${what}.${name}: expected true or false, got ${kindOf(on)}`);
  if (minKeySize !== undefined) checkInteger(`${what}.minKeySize`, minKeySize, 7, 16);
}
