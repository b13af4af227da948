import type { SecurityRequirement } from "../att/index.ts";
import { ArgumentError } from "../core/error.ts";
import type { PairingPolicy } from "../smp/index.ts";

// Secure Connections Only mode, Vol 3 Part C 10.2.4: security mode 1 level 4, or none at all. What is encrypted is so with a key of 128 bits from an
// authenticated pairing with LE Secure Connections; keys of bonds that are less are neither used nor given, and nothing is signed.

const LEVEL_FOUR = Object.freeze({
  mitm: true,
  requireAuthentication: true,
  secureConnections: true,
  secureConnectionsOnly: true,
  minKeySize: 16,
  maxKeySize: 16,
  allowDebugKey: false,
}) satisfies Partial<PairingPolicy>;

/** A pairing policy in this mode. @throws {ArgumentError} it says otherwise */
export function levelFourPairing(pairing: Partial<PairingPolicy>): Partial<PairingPolicy> {
  for (const [name, value] of Object.entries(LEVEL_FOUR)) {
    const given = pairing[name as keyof typeof LEVEL_FOUR];
    if (given !== undefined && given !== value)
      throw new ArgumentError(`pairing: ${name}: expected ${value} with secureConnectionsOnly of the connection, got ${given}`);
  }
  return { ...pairing, ...LEVEL_FOUR };
}

/** What the own client demands, in this mode: where anything, then all of level 4. */
export function levelFourRequirement(requirement: SecurityRequirement): SecurityRequirement {
  const { encrypted, authenticated, secureConnections, minKeySize } = requirement;
  const isAsked = encrypted || authenticated || secureConnections || minKeySize !== undefined;
  return isAsked ? { encrypted: true, authenticated: true, secureConnections: true, minKeySize: 16 } : requirement;
}
