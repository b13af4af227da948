import type { LinkSecurity } from "../att/security.ts";
import { type BleError, StateError } from "../core/error.ts";
import type { LinkKeys } from "./bonding.ts";
import { PairingError, PairingFailedReason } from "./error.ts";
import { AuthReq, demandsOutOfBand, offersSecureConnections } from "./policy.ts";
import { IoCapability, type LongTermKey, type PairingPolicy, type PairingReport } from "./types.ts";

// What a policy demands of links and keys that exist already.

/** Whether the link as it is now satisfies a Security Request made for this policy. */
export function satisfies(security: LinkSecurity, policy: PairingPolicy): boolean {
  if (!security.encrypted || security.keySize < policy.minKeySize) return false;
  if (policy.secureConnectionsOnly && !security.secureConnections) return false;
  return !(policy.requireAuthentication && !security.authenticated) && !isMitmMissing(security.authenticated, policy);
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

/** Why a link that is encrypted is not worth what the policy demands of it, or `undefined`. */
export function shortfallOf(security: LinkSecurity, policy: PairingPolicy): PairingError | undefined {
  const detail =
    security.keySize < policy.minKeySize
      ? `the link is encrypted with a key of ${security.keySize} octets, the policy requires ${policy.minKeySize}`
      : (policy.secureConnectionsOnly && !security.secureConnections) || (policy.requireAuthentication && !security.authenticated)
        ? "the link is encrypted with a weaker key than the policy requires, pair again"
        : undefined;
  if (detail === undefined) return undefined;
  const { EncryptionKeySize, AuthenticationRequirements } = PairingFailedReason;
  const reason = security.keySize < policy.minKeySize ? EncryptionKeySize : AuthenticationRequirements;
  return new PairingError({ reason, side: "local", detail });
}

/** Whether one who asks for `wanted` may wait for a pairing that runs by `running`: it is the same, or stricter in its demands. */
export function covers(running: PairingPolicy, wanted: PairingPolicy): boolean {
  const demands = (name: "requireAuthentication" | "secureConnectionsOnly" | "mitm"): boolean => !wanted[name] || running[name] === true;
  const permits = (name: "allowDowngrade" | "allowEqualReplacement" | "allowDebugKey"): boolean => !running[name] || wanted[name] === true;
  const isSame = (name: keyof PairingPolicy): boolean => running[name] === wanted[name];
  return (
    demands("requireAuthentication") &&
    demands("secureConnectionsOnly") &&
    (demands("mitm") || running.requireAuthentication === true) &&
    permits("allowDowngrade") &&
    permits("allowEqualReplacement") &&
    permits("allowDebugKey") &&
    (!demandsOutOfBand(wanted) || demandsOutOfBand(running)) &&
    isSame("outOfBand") &&
    wanted.minKeySize <= running.minKeySize &&
    (["ioCapability", "bonding", "secureConnections", "maxKeySize", "localKeys", "peerKeys"] as const).every(isSame)
  );
}

/** Whether a pairing that is over gave everything that `wanted` asks for, by whatever policy it ran. */
export function fulfils(report: PairingReport, wanted: PairingPolicy): boolean {
  const { method, authenticated, secureConnections, keySize, bonded } = report;
  if (demandsOutOfBand(wanted) && method !== "out-of-band") return false;
  if ((wanted.requireAuthentication && !authenticated) || isMitmMissing(authenticated, wanted)) return false;
  if (keySize < wanted.minKeySize || keySize > wanted.maxKeySize) return false;
  return secureConnections === offersSecureConnections(wanted) && bonded === wanted.bonding;
}

/** What a central does on a Security Request. */
export interface RequestAnswer {
  readonly act: "nothing" | "encrypt" | "pair" | "refuse";
  /** The bond's key is not enough: the pairing has to bring protection against man in the middle. With "encrypt", it comes after it. */
  readonly requireAuthentication: boolean;
}

/**
 * Central: what a Security Request calls for, Vol 3 Part H 2.4.6: nothing, the stored key, or a pairing where none is good enough. A key
 * that is not good enough is used all the same before a pairing: it proves to both sides who is pairing. A pairing that is only begun because
 * protection is missing must bring it.
 *
 * @param at.isBondLost the peer has answered the stored key with Pin Or Key Missing on this link
 */
export function answerTo(
  authReq: number,
  at: { security: LinkSecurity; keys: LinkKeys | undefined; policy: PairingPolicy; isBondLost: boolean },
): RequestAnswer {
  const { security, keys, policy, isBondLost } = at;
  const asked = { ...policy, mitm: (authReq & AuthReq.Mitm) !== 0 };
  const isInsisting = policy.requireAuthentication !== false;
  if (security.encrypted) {
    const isMissing = isMitmMissing(security.authenticated, asked);
    return { act: isMissing ? "pair" : "nothing", requireAuthentication: isMissing && isInsisting };
  }
  const isFit = keys !== undefined && !unfit(keys, keys.peerLtk, policy);
  const requireAuthentication = keys !== undefined && isInsisting && isMitmMissing(keys.authenticated, asked);
  if (isFit && !isBondLost) return { act: "encrypt", requireAuthentication };
  return { act: isFit && !requireAuthentication ? "refuse" : "pair", requireAuthentication };
}

/**
 * Whether protection against man in the middle is asked for and not there. Protection that this side could not give in a new pairing either is
 * not missed.
 */
export function isMitmMissing(authenticated: boolean, policy: Pick<PairingPolicy, "mitm" | "ioCapability" | "outOfBand">): boolean {
  const isPossible = policy.ioCapability !== IoCapability.NoInputNoOutput || policy.outOfBand !== undefined;
  return policy.mitm && isPossible && !authenticated;
}
