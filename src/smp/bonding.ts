import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { createBond } from "./bond.ts";
import { isAuthenticated } from "./replacement.ts";
import type { Agreement, Outcome, SideKeys } from "./state.ts";
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

export function keysOfOutcome({ agreement, local, peer }: Outcome): LinkKeys {
  return {
    localLtk: local.ltk,
    peerLtk: peer.ltk,
    authenticated: isAuthenticated(agreement),
    secureConnections: agreement.secureConnections,
    bonded: false,
  };
}

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

/**
 * The bond that a pairing makes, in place of `previous`: the user's name for the peer stays. What it configured on our server, and the
 * identities and resolving keys that were not given again, stay where the link proved that it is the same device.
 *
 * @param at.localAddress the own address on the link
 */
export function bondOf(outcome: Outcome, identity: Address, at: { localAddress: Address; previous: Bond | undefined }): Bond {
  const { agreement, local, peer, isProved } = outcome;
  const { localAddress, previous } = at;
  const { localLtk, peerLtk, authenticated, secureConnections } = keysOfOutcome(outcome);
  const same = isProved ? previous : undefined;
  return createBond({
    identity,
    localLtk,
    peerLtk,
    peerIrk: peer.irk ?? (peer.identity ? undefined : same?.peerIrk),
    peerCsrk: peer.csrk,
    localCsrk: local.csrk,
    localIrkDistributed: local.irk !== undefined || same?.localIrkDistributed === true,
    // Without a word from us the peer knows the address that it saw.
    localIdentity: local.identity ?? (localAddress.isIdentity ? localAddress : same?.localIdentity),
    authenticated,
    secureConnections,
    method: agreement.method,
    name: previous?.name,
    privacyMode: previous?.privacyMode,
    cccd: same?.cccd,
    cccdOf: same?.cccdOf,
    databaseHash: same?.databaseHash,
  });
}

export function reportOf({ agreement, local, peer }: Outcome, peerIdentity: Address, isBonded: boolean): PairingReport {
  const refused = [...agreement.refused];
  if (agreement.bonding && !isBonded)
    refused.push("The peer has a private address and gave no identity; it could not be recognised again.");
  if (isBonded && !local.ltk && !peer.ltk)
    refused.push("No long term key was exchanged; the link cannot be encrypted again without a new pairing.");
  return Object.freeze({
    method: agreement.method,
    secureConnections: agreement.secureConnections,
    authenticated: isAuthenticated(agreement),
    bonded: isBonded,
    keySize: agreement.keySize,
    localKeys: namesOf(local),
    peerKeys: namesOf(peer),
    refused,
    peerIdentity,
  });
}

/** What there is to say when the bond of a pairing could not be stored, and the pairing stands without it. */
export function unbonded(report: PairingReport, cause: Error): PairingReport {
  return Object.freeze({ ...report, bonded: false, refused: [...report.refused, `No bond was kept: ${cause.message}.`] });
}

function namesOf({ ltk, irk, identity, csrk }: { readonly [K in keyof SideKeys]: unknown }): string[] {
  return [ltk && "ltk", irk && "irk", identity && "identity", csrk && "csrk"].filter((name) => typeof name === "string");
}

/** What there is to say when the central came back with the keys of `bond` instead of pairing. */
export function reportOfBond(bond: Bond): PairingReport {
  const { localLtk, peerLtk, peerIrk, localIrkDistributed } = bond;
  return Object.freeze({
    method: bond.method ?? (bond.authenticated ? "passkey-entry" : "just-works"),
    secureConnections: bond.secureConnections,
    authenticated: bond.authenticated,
    bonded: true,
    keySize: localLtk?.keySize ?? peerLtk?.keySize ?? 0,
    localKeys: namesOf({ ltk: localLtk, irk: localIrkDistributed, identity: localIrkDistributed, csrk: bond.localCsrk }),
    peerKeys: namesOf({ ltk: peerLtk, irk: peerIrk, identity: peerIrk, csrk: bond.peerCsrk }),
    refused: [],
    peerIdentity: bond.identity,
    fromBond: true,
  });
}
