import type { Address } from "../core/address.ts";
import type { ResolveAddress } from "./advertisement.ts";

/** Whether two addresses, octets and type, are of one device as far as can be told: the same, or private ones of one identity. */
export function isSamePeer(a: Address, b: Address, resolve: ResolveAddress): boolean {
  if (a.equals(b)) return true;
  const identity = a.isIdentity ? a : resolve(a);
  const other = b.isIdentity ? b : resolve(b);
  return identity !== undefined && other !== undefined && identity.equals(other);
}
