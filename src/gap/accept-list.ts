import { Address, type AddressLike } from "../core/address.ts";
import { kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";

/**
 * Addresses that alone are heard, answered or connected to, each once: what a controller's filter accept list is filled with.
 *
 * @throws {ArgumentError} no array, an empty one (which would let nobody in), or no address
 */
export function checkAcceptList(what: string, list: unknown): readonly Address[] {
  if (!Array.isArray(list)) throw new ArgumentError(`${what}: expected an array of addresses, got ${kindOf(list)}`);
  if (list.length === 0) throw new ArgumentError(`${what}: expected at least one address`);
  const addresses = new Map<string, Address>();
  for (const like of list as AddressLike[]) {
    const address = Address.from(like);
    addresses.set(address.toString(), address);
  }
  return [...addresses.values()];
}
