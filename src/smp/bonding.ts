import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { createBond } from "./bond.ts";
import type { Agreement, Outcome, ReceivedKeys } from "./state.ts";
import type { Bond, LongTermKey, PairingReport } from "./types.ts";

// From the outcome of a pairing to what is kept of it and what is told of it.

/** The keys that this link can be encrypted with again, and what they are worth. */
export interface LinkKeys {
  readonly localLtk: LongTermKey | undefined;
  readonly peerLtk: LongTermKey | undefined;
  readonly authenticated: boolean;
  readonly secureConnections: boolean;
  readonly bonded: boolean;
}

export function keysOfBond({ localLtk, peerLtk, authenticated, secureConnections }: Bond): LinkKeys {
  return { localLtk, peerLtk, authenticated, secureConnections, bonded: true };
}

export function keysOfOutcome({ agreement, given, received, commonLtk }: Outcome): LinkKeys {
  return {
    localLtk: commonLtk ?? given.ltk,
    peerLtk: commonLtk ?? received.ltk,
    authenticated: isAuthenticated(agreement),
    secureConnections: agreement.secureConnections,
    bonded: false,
  };
}

export const isAuthenticated = ({ method }: Agreement): boolean => method !== "just-works";

export function securityOfAgreement(agreement: Agreement): LinkSecurity {
  return {
    encrypted: true,
    authenticated: isAuthenticated(agreement),
    secureConnections: agreement.secureConnections,
    keySize: agreement.keySize,
    bonded: false,
  };
}

export function securityOfKeys({ authenticated, secureConnections, bonded }: LinkKeys, { keySize }: LongTermKey): LinkSecurity {
  return { encrypted: true, authenticated, secureConnections, keySize, bonded };
}

/** @param previous the bond that this one replaces: the user's name for the peer stays, what the peer stored on our server does not */
export function bondOf(outcome: Outcome, identity: Address, previous: Bond | undefined): Bond {
  const { agreement, received, given } = outcome;
  const { localLtk, peerLtk, authenticated, secureConnections } = keysOfOutcome(outcome);
  return createBond({
    identity,
    localLtk,
    peerLtk,
    // A peer that did not say again who it is was recognised by the key it gave before.
    peerIrk: received.irk ?? (received.identity ? undefined : previous?.peerIrk),
    peerCsrk: received.csrk,
    localCsrk: given.csrk,
    localIrkDistributed: given.irk !== undefined,
    localIdentity: given.identity,
    authenticated,
    secureConnections,
    method: agreement.method,
    name: previous?.name,
  });
}

export function reportOf({ agreement, received, given, commonLtk }: Outcome, peerIdentity: Address, isBonded: boolean): PairingReport {
  const refused = [...agreement.refused];
  if (agreement.bonding && !isBonded)
    refused.push("The peer has a private address and gave no identity; it could not be recognised again.");
  if (isBonded && !commonLtk && !given.ltk && !received.ltk)
    refused.push("No long term key was exchanged; the link cannot be encrypted again without a new pairing.");
  return Object.freeze({
    method: agreement.method,
    secureConnections: agreement.secureConnections,
    authenticated: isAuthenticated(agreement),
    bonded: isBonded,
    keySize: agreement.keySize,
    localKeys: namesOf(given, commonLtk),
    peerKeys: namesOf(received, commonLtk),
    refused,
    peerIdentity,
  });
}

function namesOf(keys: ReceivedKeys, commonLtk: LongTermKey | undefined): string[] {
  const names: string[] = [];
  if (keys.ltk || commonLtk) names.push("ltk");
  if (keys.irk) names.push("irk");
  if (keys.identity) names.push("identity");
  if (keys.csrk) names.push("csrk");
  return names;
}

/** What there is to say when the central came back with the keys of `bond` instead of pairing. */
export function reportOfBond(bond: Bond): PairingReport {
  return Object.freeze({
    method: bond.method ?? (bond.authenticated ? "passkey-entry" : "just-works"),
    secureConnections: bond.secureConnections,
    authenticated: bond.authenticated,
    bonded: true,
    keySize: bond.localLtk?.keySize ?? bond.peerLtk?.keySize ?? 0,
    localKeys: namesOf(
      {
        ...(bond.localLtk && { ltk: bond.localLtk }),
        ...(bond.localIdentity && { identity: bond.localIdentity }),
        ...(bond.localCsrk && { csrk: bond.localCsrk }),
        ...(bond.localIrkDistributed && { irk: new Uint8Array(0) }),
      },
      undefined,
    ),
    peerKeys: namesOf(
      {
        ...(bond.peerLtk && { ltk: bond.peerLtk }),
        ...(bond.peerIrk && { irk: bond.peerIrk, identity: bond.identity }),
        ...(bond.peerCsrk && { csrk: bond.peerCsrk }),
      },
      undefined,
    ),
    refused: [],
    peerIdentity: bond.identity,
    fromBond: true,
  });
}
