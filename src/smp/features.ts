import { PairingFailedReason } from "./error.ts";
import type { LocalOutOfBand } from "./out-of-band.ts";
import type { PairingFeatures } from "./pdus.ts";
import { AuthReq, authReqOf, demandsOutOfBand, offersSecureConnections } from "./policy.ts";
import type { Agreement, Session } from "./state.ts";
import { IoCapability, KeyDistribution, type PairingMethod } from "./types.ts";

// Phase 1, Vol 3 Part H 2.3: pairing feature exchange.

/** Why a feature exchange ends the pairing. */
export interface Refusal {
  readonly reason: number;
  readonly detail: string;
}

export function isRefusal(value: object): value is Refusal {
  return "reason" in value;
}

const ALL_KEYS = KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey;

type Own = Pick<Session, "policy" | "localOutOfBand">;

/** The temporary key of legacy pairing that came out of band, or went. */
export function temporaryKeyOf({ policy, localOutOfBand }: Own): { readonly key: Uint8Array; readonly giver?: LocalOutOfBand } | undefined {
  const received = policy.outOfBand?.temporaryKey;
  if (received) return { key: received };
  const given = localOutOfBand?.isUsable ? localOutOfBand.temporaryKey : undefined;
  return given && { key: given, giver: localOutOfBand! };
}

/** Whether this side has what the other one gave; with legacy pairing, the temporary key (3.5.1, tables 2.6 and 2.7). */
function oobDataFlagOf(own: Own, secureConnections: boolean): number {
  return (secureConnections ? own.policy.outOfBand?.confirm : temporaryKeyOf(own)) ? 1 : 0;
}

/** The Pairing Request for this policy. */
export function requestFor(own: Own): PairingFeatures {
  const { policy } = own;
  return {
    ioCapability: policy.ioCapability,
    oobDataFlag: oobDataFlagOf(own, offersSecureConnections(policy)),
    authReq: authReqOf(policy),
    maximumEncryptionKeySize: policy.maxKeySize,
    initiatorKeyDistribution: policy.bonding ? policy.localKeys & ALL_KEYS : 0,
    responderKeyDistribution: policy.bonding ? policy.peerKeys & ALL_KEYS : 0,
  };
}

/**
 * The Pairing Response for this policy: never a key that the initiator did not name. The Secure Connections bit says what this side
 * supports, whatever the initiator does (3.5.1).
 */
export function responseFor(own: Own, request: PairingFeatures): PairingFeatures {
  const { policy } = own;
  const isBonding = policy.bonding && isBondingAsked(request);
  const isSecure = hasBoth(AuthReq.SecureConnections, authReqOf(policy), request.authReq);
  // EncKey is ignored where the LTK comes out of the pairing itself (3.6.1).
  const distributable = isSecure ? ALL_KEYS & ~KeyDistribution.EncKey : ALL_KEYS;
  return {
    ioCapability: policy.ioCapability,
    oobDataFlag: oobDataFlagOf(own, isSecure),
    authReq: authReqOf(policy),
    maximumEncryptionKeySize: policy.maxKeySize,
    initiatorKeyDistribution: isBonding ? request.initiatorKeyDistribution & policy.peerKeys & distributable : 0,
    responderKeyDistribution: isBonding ? request.responderKeyDistribution & policy.localKeys & distributable : 0,
  };
}

/** Parameters outside their range, 3.5.1. Reserved bits are ignored. */
export function checkRanges(features: PairingFeatures): Refusal | undefined {
  const wrong = (field: string): Refusal => ({ reason: PairingFailedReason.InvalidParameters, detail: `${field} out of range` });
  if (features.ioCapability > 4) return wrong("IO Capability");
  if (features.oobDataFlag > 1) return wrong("OOB data flag");
  const { maximumEncryptionKeySize: size } = features;
  if (size < 7 || size > 16) return wrong("Maximum Encryption Key Size");
  return undefined;
}

/** What request and response together mean for this side, or why that will not do. */
export function agree(session: Session, request: PairingFeatures, response: PairingFeatures): Agreement | Refusal {
  const { policy, role } = session;
  const peer = role === "central" ? response : request;
  const own = role === "central" ? request : response;
  const invalid = checkRanges(peer);
  if (invalid) return invalid;
  if (
    response.initiatorKeyDistribution & ALL_KEYS & ~request.initiatorKeyDistribution ||
    response.responderKeyDistribution & ALL_KEYS & ~request.responderKeyDistribution
  )
    return { reason: PairingFailedReason.InvalidParameters, detail: "the response names keys that the request does not" };

  const secureConnections = hasBoth(AuthReq.SecureConnections, request.authReq, response.authReq);
  if (policy.secureConnectionsOnly && !secureConnections)
    return {
      reason: PairingFailedReason.AuthenticationRequirements,
      detail: "the peer does not have LE Secure Connections, which the policy requires",
    };
  const isOutOfBand = isOutOfBandUsed(request, response, secureConnections);
  const missing = missingOutOfBand(session, peer, { isOutOfBand, secureConnections });
  if (missing) return { reason: PairingFailedReason.OobNotAvailable, detail: missing };

  const keySize = Math.min(own.maximumEncryptionKeySize, peer.maximumEncryptionKeySize);
  if (keySize < policy.minKeySize)
    return {
      reason: PairingFailedReason.EncryptionKeySize,
      detail: `the peer offers ${keySize} octets, the policy requires ${policy.minKeySize}`,
    };

  const isMitmAsked = ((request.authReq | response.authReq) & AuthReq.Mitm) !== 0;
  const { method, displays } = isOutOfBand
    ? ({ method: "out-of-band", displays: "neither" } as const)
    : isMitmAsked
      ? methodOf(request.ioCapability, response.ioCapability, secureConnections)
      : ({ method: "just-works", displays: "neither" } as const);
  if (method === "just-works" && policy.requireAuthentication)
    return {
      reason: PairingFailedReason.AuthenticationRequirements,
      detail: "the policy requires protection against man in the middle, which the input and output of both sides do not allow",
    };
  const exchanged = secureConnections ? ALL_KEYS & ~KeyDistribution.EncKey : ALL_KEYS;
  const byInitiator = response.initiatorKeyDistribution & exchanged;
  const byResponder = response.responderKeyDistribution & exchanged;
  const [localKeys, peerKeys] = role === "central" ? [byInitiator, byResponder] : [byResponder, byInitiator];
  const bonding = isBondingAsked(request) && isBondingAsked(response);
  const passkeyHere = displays === (role === "central" ? "initiator" : "responder") ? "displayed" : "entered";
  const isKeypressAsked = method === "passkey-entry" && hasBoth(AuthReq.Keypress, request.authReq, response.authReq);
  return {
    secureConnections,
    method,
    passkeyHere,
    keypress: {
      own: isKeypressAsked && passkeyHere === "entered",
      peer: isKeypressAsked && (passkeyHere === "displayed" || displays === "neither"),
    },
    bonding,
    keySize,
    localKeys,
    peerKeys,
    request,
    response,
    refused: refusedOf(session, own, peer, { method, secureConnections, bonding, localKeys, peerKeys, exchanged }),
  };
}

/** Tables 2.6 and 2.7: with legacy pairing both must have data, with Secure Connections one. It is looked at before the MITM flags. */
function isOutOfBandUsed(request: PairingFeatures, response: PairingFeatures, secureConnections: boolean): boolean {
  const here = request.oobDataFlag === 1;
  const there = response.oobDataFlag === 1;
  return secureConnections ? here || there : here && there;
}

/** Why the out-of-band data that this pairing needs are not there, or `undefined`. */
function missingOutOfBand(
  session: Session,
  peer: PairingFeatures,
  { isOutOfBand, secureConnections }: { isOutOfBand: boolean; secureConnections: boolean },
): string | undefined {
  if (!isOutOfBand)
    return demandsOutOfBand(session.policy) ? "the policy requires out-of-band data, which this pairing would not use" : undefined;
  if (!secureConnections)
    return temporaryKeyOf(session) ? undefined : "the peer has no LE Secure Connections, and there is no temporary key";
  return peer.oobDataFlag === 1 && !session.localOutOfBand?.isUsable
    ? "the peer has out-of-band data of this side, which gave none, or none that is still good"
    : undefined;
}

const isBondingAsked = ({ authReq }: PairingFeatures): boolean => (authReq & AuthReq.BondingMask) === AuthReq.Bonding;
const hasBoth = (bit: number, a: number, b: number): boolean => (a & b & bit) !== 0;

const canEnter = (io: number): boolean => io === IoCapability.KeyboardOnly || io === IoCapability.KeyboardDisplay;
const canDisplay = (io: number): boolean =>
  io === IoCapability.DisplayOnly || io === IoCapability.DisplayYesNo || io === IoCapability.KeyboardDisplay;
const canCompare = (io: number): boolean => io === IoCapability.DisplayYesNo || io === IoCapability.KeyboardDisplay;

/** Table 2.8: the method that follows from both IO capabilities, and who shows the passkey. */
export function methodOf(
  initiator: number,
  responder: number,
  secureConnections: boolean,
): { method: PairingMethod; displays: "initiator" | "responder" | "neither" } {
  if (secureConnections && canCompare(initiator) && canCompare(responder)) return { method: "numeric-comparison", displays: "neither" };
  // Where both could do either, the initiator shows the passkey.
  if (canDisplay(initiator) && canEnter(responder)) return { method: "passkey-entry", displays: "initiator" };
  if (canEnter(initiator) && canDisplay(responder)) return { method: "passkey-entry", displays: "responder" };
  if (canEnter(initiator) && canEnter(responder)) return { method: "passkey-entry", displays: "neither" };
  return { method: "just-works", displays: "neither" };
}

const KEY_NAMES: readonly (readonly [number, string])[] = [
  [KeyDistribution.EncKey, "ltk"],
  [KeyDistribution.IdKey, "irk and identity"],
  [KeyDistribution.SignKey, "csrk"],
];
const keyNames = (mask: number): string =>
  KEY_NAMES.filter(([bit]) => mask & bit)
    .map(([, name]) => name)
    .join(", ");

/** What one side asked for and did not get, in sentences for the report. */
function refusedOf(
  { role, policy }: Session,
  own: PairingFeatures,
  peer: PairingFeatures,
  got: {
    method: PairingMethod;
    secureConnections: boolean;
    bonding: boolean;
    localKeys: number;
    peerKeys: number;
    exchanged: number;
  },
): string[] {
  const sentences: string[] = [];
  if (got.method === "just-works") {
    const asking = [own.authReq & AuthReq.Mitm && "This side", peer.authReq & AuthReq.Mitm && "The peer"].filter(Boolean);
    for (const side of asking)
      sentences.push(`${side} asked for protection against man in the middle; the input and output of both sides do not allow it.`);
  }
  if (policy.secureConnections && !got.secureConnections) sentences.push("This side has LE Secure Connections; the peer does not.");
  if (peer.authReq & AuthReq.SecureConnections && !got.secureConnections)
    sentences.push("The peer offered LE Secure Connections; the policy of this side does not allow it.");
  if (peer.oobDataFlag === 1 && got.method !== "out-of-band")
    sentences.push("The peer has out-of-band data; this side has none to use with it.");
  if (isBondingAsked(own) && !got.bonding) sentences.push("This side asked for bonding; the peer did not.");
  if (isBondingAsked(peer) && !got.bonding) sentences.push("The peer asked for bonding; the policy of this side does not allow it.");
  if (got.bonding) {
    if (role === "central") {
      const missing = own.responderKeyDistribution & got.exchanged & ~got.peerKeys;
      if (missing) sentences.push(`This side asked for ${keyNames(missing)}; the peer does not give it.`);
      const unwanted = own.initiatorKeyDistribution & got.exchanged & ~got.localKeys;
      if (unwanted) sentences.push(`This side offered ${keyNames(unwanted)}; the peer does not take it.`);
    } else {
      const missing = peer.responderKeyDistribution & got.exchanged & ~got.localKeys;
      if (missing) sentences.push(`The peer asked for ${keyNames(missing)}; the policy of this side does not give it.`);
      const unwanted = peer.initiatorKeyDistribution & got.exchanged & ~got.peerKeys;
      if (unwanted) sentences.push(`The peer offered ${keyNames(unwanted)}; the policy of this side does not take it.`);
    }
  }
  return sentences;
}
