import { Address } from "../core/address.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { AddrType } from "./constants.ts";
import { BleArgumentError } from "./errors.ts";

/** Where an event has no peer. */
export const NOBODY = Object.freeze({ addrType: AddrType.None, addr: new Uint8Array(6) });

/** An address as events have it: most significant octet first. */
export function addressFields(address: Address): { addrType: number; addr: Uint8Array } {
  return { addrType: address.type, addr: address.bytes.slice().reverse() };
}

/** @param addr six octets, most significant first, or text like "C0:11:22:33:44:55" @throws {BleArgumentError} ValueError: anything else */
export function parseAddress(addrType: number, addr: Bytes): Address {
  if (typeof addr === "string" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(addr))
    return Address.from(addr, (addrType & 1) === AddrType.Public ? "public" : "random");
  const octets = toOctets("addr", addr);
  if (octets.length !== 6) throw new BleArgumentError("ValueError", `invalid addr: expected 6 octets, got ${octets.length}`);
  return new Address(octets.reverse(), addrType);
}
