import type { Address } from "../core/address.ts";
import { resolveRpa } from "../crypto/index.ts";
import { PairingFailedReason } from "./error.ts";
import { type Explanation, peerAddressOf, type Session } from "./state.ts";

// Who a peer is. It says so itself in Identity Address Information (Vol 3 Part H 3.6.5), and is believed where the link proves it: an
// address that stays is the identity of whoever uses it, and a resolvable private address proves the key that it was made with.

/** What is made of an identity that a peer gave. */
export type Claim =
  | { readonly verdict: "refused"; readonly reason: number; readonly detail: string; readonly advice?: string }
  | {
      readonly verdict: "taken";
      /** Absent where none was given, or none that the link proves. */
      readonly identity?: Address | undefined;
      readonly irk?: Uint8Array | undefined;
      /** The peer itself named that identity. */
      readonly isNamed: boolean;
      /** For the report: what was given and not believed. */
      readonly note?: string | undefined;
    };

/** Who the peer is by its address alone; `undefined` for a private address, and for our own, which cannot be its. */
export function linkIdentityOf(session: Session): Address | undefined {
  const address = peerAddressOf(session);
  return address.isIdentity && !address.isZero && !address.equals(session.identity.address) ? address : undefined;
}

/**
 * Whether the link itself shows that its peer is `identity`: by an address that stays, or by the key of the bond in use. A private address that
 * resolves shows less: anybody can make one with a key of its own, and anybody can use one that was heard.
 */
export function isShown(session: Session, identity: Address): boolean {
  return linkIdentityOf(session)?.equals(identity) === true || (session.isProved && session.bond?.identity.equals(identity) === true);
}

/** Why an identity that is not shown cannot be had while a device that has it is connected. It may be the same device; nothing tells. */
export function onAnotherLink(identity: Address): Explanation {
  const detail = `the peer claims the identity ${identity}, and the device that has it is connected by another link`;
  return { detail, advice: "if it is the same device, disconnect the other link first, or pair on that one" };
}

export function judgeClaim(session: Session, { address, irk: given }: { address: Address; irk: Uint8Array }): Claim {
  // Zeros say that there is none: no identity, or no resolvable address ever (2.4.2.1). Kept as a key, zeros would resolve anybody's forgery.
  const irk = given.every((octet) => octet === 0) ? undefined : given;
  const claimed = address.isZero ? undefined : address;
  if (claimed && !claimed.isIdentity) return refused("the identity address is neither public nor static random", "InvalidParameters");
  if (claimed?.equals(session.identity.address)) return refused("the peer claims the identity address of this side");
  const onLink = linkIdentityOf(session);
  if (onLink) return claimed?.equals(onLink) ? taken(onLink, irk) : namedAnother(onLink, claimed, irk);
  return judgePrivate(session, claimed, irk);
}

/** The peer uses a private address. */
function judgePrivate(session: Session, claimed: Address | undefined, irk: Uint8Array | undefined): Claim {
  const recognised = session.bond?.identity;
  if (!claimed) return { verdict: "taken", identity: recognised, isNamed: false };
  if (recognised) {
    if (recognised.equals(claimed)) return taken(claimed, irk);
    const advice = `if it is the same device, delete the bond with ${recognised} here and pair again`;
    return refused(`the peer was recognised as ${recognised} and claims to be ${claimed}`, "KeyRejected", advice);
  }
  const address = peerAddressOf(session);
  const unproved = "The peer gave an identity that its private address does not prove; it could not be recognised again.";
  if (!address.isResolvablePrivate || !irk) return { verdict: "taken", isNamed: false, note: unproved };
  if (resolveRpa(irk, address)) return taken(claimed, irk);
  return refused(`the peer claims the identity ${claimed} with an identity resolving key that its address was not made with`);
}

const taken = (identity: Address, irk: Uint8Array | undefined): Claim => ({ verdict: "taken", identity, irk, isNamed: true });

/** The key is the device's all the same: it may come back with a private address. */
const namedAnother = (identity: Address, claimed: Address | undefined, irk: Uint8Array | undefined): Claim => ({
  verdict: "taken",
  identity,
  irk: claimed && irk,
  isNamed: false,
  note: claimed && `The peer names ${claimed} as its identity; the address it uses is its identity here.`,
});

function refused(detail: string, reason: "KeyRejected" | "InvalidParameters" = "KeyRejected", advice?: string): Claim {
  return { verdict: "refused", reason: PairingFailedReason[reason], detail, ...(advice !== undefined && { advice }) };
}
