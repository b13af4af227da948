import { ArgumentError } from "../core/error.ts";
import { IoCapability, KeyDistribution, type PairingAgent, type PairingPolicy } from "./types.ts";

/** Bits of AuthReq, Vol 3 Part H 3.5.1. */
export const AuthReq = Object.freeze({ Bonding: 0x01, BondingMask: 0x03, Mitm: 0x04, SecureConnections: 0x08, Keypress: 0x10, Ct2: 0x20 });

/**
 * Pairs with whoever asks, without input or output, keeps the bond, offers LE Secure Connections and insists on keys of 16 octets. Gives
 * out and takes all three keys.
 */
export const DEFAULT_PAIRING_POLICY: PairingPolicy = Object.freeze({
  ioCapability: IoCapability.NoInputNoOutput,
  bonding: true,
  mitm: false,
  secureConnections: true,
  secureConnectionsOnly: false,
  minKeySize: 16,
  maxKeySize: 16,
  localKeys: KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey,
  peerKeys: KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey,
  pairable: true,
});

/** Fills up with the defaults. @throws {ArgumentError} a value out of range or two that contradict each other */
export function completePolicy(policy: Partial<PairingPolicy> = {}, base: PairingPolicy = DEFAULT_PAIRING_POLICY): PairingPolicy {
  const complete = { ...base, ...Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)) } as PairingPolicy;
  const { ioCapability, minKeySize, maxKeySize } = complete;
  if (!Number.isInteger(ioCapability) || ioCapability < 0 || ioCapability > 4)
    throw new ArgumentError(`ioCapability ${ioCapability}: expected a value of IoCapability`);
  if (!Number.isInteger(minKeySize) || !Number.isInteger(maxKeySize) || minKeySize < 7 || maxKeySize > 16 || minKeySize > maxKeySize)
    throw new ArgumentError(`key sizes ${minKeySize} to ${maxKeySize}: expected 7 to 16 octets, the least one first`);
  if (complete.secureConnectionsOnly && !complete.secureConnections)
    throw new ArgumentError("secureConnectionsOnly without secureConnections: expected both or neither");
  return complete;
}

/** Octet AuthReq for this policy. CT2 stays clear: no BR/EDR link key is ever derived here. */
export function authReqOf(policy: PairingPolicy): number {
  return (
    (policy.bonding ? AuthReq.Bonding : 0) |
    (policy.mitm || policy.requireAuthentication ? AuthReq.Mitm : 0) |
    (policy.secureConnections ? AuthReq.SecureConnections : 0)
  );
}

/** An agent for devices without a user: lets Just Works pass where the policy is pairable (it is asked in no other case), refuses the rest. */
export const defaultPairingAgent: PairingAgent = Object.freeze({
  confirm: () => Promise.resolve(true),
  compare: () => Promise.resolve(false),
  enterPasskey: () => Promise.resolve(undefined),
  displayPasskey: () => {},
});
