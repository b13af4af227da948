import type { Address } from "../core/address.ts";
import { reversed } from "../crypto/reversed.ts";
import { encodeSmp, type PairingFeatures } from "./pdus.ts";
import type { LongTermKey } from "./types.ts";

// The shapes in which addresses, features and keys enter the functions of the toolbox: most significant octet first.

/** A1 and A2 of f5 and f6: address type, then six octets. */
export function typedOctets(address: Address): Uint8Array {
  const octets = new Uint8Array(7);
  octets[0] = address.type;
  octets.set(reversed(address.bytes), 1);
  return octets;
}

/** preq and pres of c1: the whole PDU, its last octet first. */
export function pairingOctets(name: "PairingRequest" | "PairingResponse", features: PairingFeatures): Uint8Array {
  return reversed(encodeSmp({ name, ...features }));
}

/** IOcapA and IOcapB of f6. */
export function ioCapOctets({ authReq, oobDataFlag, ioCapability }: PairingFeatures): Uint8Array {
  return Uint8Array.of(authReq, oobDataFlag, ioCapability);
}

/** A passkey as the 128-bit number that is the TK of legacy pairing and ra, rb of Secure Connections. */
export function passkeyOctets(passkey: number): Uint8Array {
  const octets = new Uint8Array(16);
  new DataView(octets.buffer).setUint32(12, passkey);
  return octets;
}

/** The numbers that enter the check values of 2.3.5.6.5: what each side has of itself, or of both. */
export interface CheckNumbers {
  readonly own: Uint8Array;
  readonly peer: Uint8Array;
}

/** With passkey entry both are the passkey, with numeric comparison and Just Works zero. */
export function samePasskey(passkey: number): CheckNumbers {
  const octets = passkeyOctets(passkey);
  return { own: octets, peer: octets };
}

export function isPasskey(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= 999_999;
}

/** A key shortened to `size` octets: the most significant ones become zero, Vol 3 Part H 2.3.4. */
export function masked(key: Uint8Array, size: number): Uint8Array {
  return key.map((octet, i) => (i < key.length - size ? 0 : octet));
}

/** The key of Secure Connections, which is asked for with EDIV and Rand zero. */
export function commonLongTermKey(ltk: Uint8Array, keySize: number): LongTermKey {
  return { key: masked(ltk, keySize), ediv: 0, rand: new Uint8Array(8), keySize };
}
