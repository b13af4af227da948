import type { LinkSecurity } from "../att/security.ts";
import { type BleError, StateError } from "../core/error.ts";
import type { LinkKeys } from "./bonding.ts";
import { PairingError, PairingFailedReason } from "./error.ts";
import { AuthReq } from "./policy.ts";
import { IoCapability, type LongTermKey, type PairingPolicy } from "./types.ts";

// What a policy demands of links and keys that exist already.

/** Whether the link as it is now satisfies a Security Request made for this policy. */
export function satisfies(security: LinkSecurity, policy: PairingPolicy): boolean {
  if (!security.encrypted || security.keySize < policy.minKeySize) return false;
  if (policy.secureConnectionsOnly && !security.secureConnections) return false;
  return security.authenticated || !(policy.requireAuthentication || (policy.mitm && canAuthenticate(policy)));
}

/** Why this key must not be used, or that there is none. */
export function unfit(keys: LinkKeys | undefined, ltk: LongTermKey | undefined, policy: PairingPolicy): BleError | undefined {
  if (!keys || !ltk) return new StateError("no key to encrypt with: expected a bond with this peer, pair first");
  if (ltk.keySize < policy.minKeySize) {
    const detail = `the stored key has ${ltk.keySize} octets, the policy requires ${policy.minKeySize}`;
    return new PairingError({ reason: PairingFailedReason.EncryptionKeySize, side: "local", detail });
  }
  if ((policy.secureConnectionsOnly && !keys.secureConnections) || (policy.requireAuthentication && !keys.authenticated)) {
    const detail = "the stored key is weaker than the policy requires, pair again";
    return new PairingError({ reason: PairingFailedReason.AuthenticationRequirements, side: "local", detail });
  }
  return undefined;
}

/** Central: what a Security Request calls for, Vol 3 Part H 2.4.6: nothing, the stored key, or a pairing where none is good enough. */
export function answerTo(
  authReq: number,
  { security, keys, policy }: { security: LinkSecurity; keys: LinkKeys | undefined; policy: PairingPolicy },
): "nothing" | "encrypt" | "pair" {
  // Protection that this side could not give in a new pairing either is no reason for one.
  const isMitmMissing = (authenticated: boolean): boolean => (authReq & AuthReq.Mitm) !== 0 && canAuthenticate(policy) && !authenticated;
  if (security.encrypted) return isMitmMissing(security.authenticated) ? "pair" : "nothing";
  return keys && !unfit(keys, keys.peerLtk, policy) && !isMitmMissing(keys.authenticated) ? "encrypt" : "pair";
}

const canAuthenticate = ({ ioCapability }: PairingPolicy): boolean => ioCapability !== IoCapability.NoInputNoOutput;
