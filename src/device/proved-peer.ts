import type { LinkSecurity } from "../att/index.ts";
import { toHex } from "../bytes/hex.ts";
import { aesCmac } from "../crypto/aes.ts";
import type { Bond } from "../smp/index.ts";

/** Octets of the mark: enough to tell two bonds apart, too few to look for the key by. */
const MARK_OCTETS = 4;
const PURPOSE = new TextEncoder().encode("jelling GATT cache");

/**
 * Who a link has proved its peer to be, and by which bond, for the cache of its database: what a peer promised in one bond it has not promised in
 * the next.
 */
export function provedPeer(bond: Bond | undefined, { encrypted, bonded }: LinkSecurity): { identity: string; bond: string } | undefined {
  const key = bond?.peerLtk ?? bond?.localLtk;
  if (!bond || !key || !encrypted || !bonded) return undefined;
  return { identity: bond.identity.toString(), bond: toHex(aesCmac(key.key, PURPOSE).subarray(0, MARK_OCTETS)) };
}
