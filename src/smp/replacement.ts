import type { Agreement, Explanation } from "./state.ts";
import { type Bond, type BondReplacement, KeyDistribution, type PairingPolicy } from "./types.ts";

// Whether a pairing may take the place of a bond. An identity is proved, not claimed: without the bond's key in use on the link the peer is
// anybody who knows an address, and only the user can tell.

export const isAuthenticated = ({ method }: Agreement): boolean => method !== "just-works";

/** What this agreement would put in the place of a bond. */
export function replacementOf(agreement: Agreement): BondReplacement {
  const { method, secureConnections, keySize } = agreement;
  return Object.freeze({ method, authenticated: isAuthenticated(agreement), secureConnections, keySize });
}

export interface ReplacementTerms {
  readonly policy: PairingPolicy;
  /** The link was encrypted with the key of the bond when the pairing began. */
  readonly isProved: boolean;
  /** This side asked for the pairing with this very peer. */
  readonly wanted: boolean;
}

/** Yes; only if the user says so; or no, and why. */
export type Verdict = "allowed" | "ask" | Explanation;

/** @param bond what is stored under the identity of the peer */
export function judgeReplacement(bond: Bond | undefined, agreement: Agreement, terms: ReplacementTerms): Verdict {
  if (!bond) return "allowed";
  const { policy, isProved, wanted } = terms;
  const advice = adviceFor(bond);
  const worse = downgradeOf(bond, agreement, policy);
  if (worse) return { detail: worse, advice };
  if (isProved) return "allowed";
  if (!agreement.bonding && !policy.allowDowngrade)
    return { detail: "there is a bond with this peer, and the link is not encrypted with its key", advice };
  if (!wanted && !policy.allowEqualReplacement && !policy.allowDowngrade && !isBetter(bond, agreement)) {
    const detail = "there is a bond with this peer, the link is not encrypted with its key, and this pairing would be no better protected";
    return { detail, advice };
  }
  return "ask";
}

/** What helps where a bond is in the way of a pairing. */
export function adviceFor({ identity }: Pick<Bond, "identity">): string {
  return `if the device at ${identity} has lost its keys, delete its bond here and pair again`;
}

/** Why a pairing of this quality may not replace the bond whoever the peer is, or `undefined` if it may. */
function downgradeOf(bond: Bond, agreement: Agreement, policy: PairingPolicy): string | undefined {
  if (policy.allowDowngrade) return undefined;
  if (bond.authenticated && !isAuthenticated(agreement)) return "the stored bond is authenticated, this pairing would not be";
  if (bond.secureConnections && !agreement.secureConnections)
    return "the stored bond is of LE Secure Connections, this pairing would be legacy";
  const size = keySizeOf(bond);
  if (agreement.keySize < size) return `the stored bond has keys of ${size} octets, this pairing would have ${agreement.keySize}`;
  if (agreement.bonding && !agreement.secureConnections) {
    const losesPeer = bond.peerLtk && !(agreement.peerKeys & KeyDistribution.EncKey);
    const losesLocal = bond.localLtk && !(agreement.localKeys & KeyDistribution.EncKey);
    if (losesPeer || losesLocal) return "the stored bond has a long term key that this pairing would not give again";
  }
  return undefined;
}

/** In nothing worse, as `downgradeOf` has seen to, and in something better. */
function isBetter(bond: Bond, agreement: Agreement): boolean {
  return (
    (isAuthenticated(agreement) && !bond.authenticated) ||
    (agreement.secureConnections && !bond.secureConnections) ||
    agreement.keySize > keySizeOf(bond)
  );
}

const keySizeOf = ({ peerLtk, localLtk }: Bond): number => Math.max(peerLtk?.keySize ?? 0, localLtk?.keySize ?? 0);
