import { concat } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import type { AesKey } from "./aes.ts";
import { constantTimeEqual } from "./equal.ts";
import { reversed } from "./reversed.ts";
import { ah } from "./toolbox.ts";

/** A fresh resolvable private address, Vol 6 Part B 1.3.2.2. @param irk 16 octets, most significant first, or an `AesKey` of them */
export function createRpa(irk: AesKey | Uint8Array, random: RandomSource): Address {
  const prand = randomBytes(random, 3);
  prand[0] = (prand[0]! & 0x3f) | 0x40;
  // The random part may be neither all zeros nor all ones; the chance is one in two million, so one fixed replacement does.
  const isFlat = (prand[0] === 0x40 && prand[1] === 0 && prand[2] === 0) || (prand[0] === 0x7f && prand[1] === 0xff && prand[2] === 0xff);
  if (isFlat) prand[2]! ^= 0x55;
  return new Address(reversed(concat(prand, ah(irk, prand))), 1);
}

/** Whether `address` is a resolvable private address made with `irk`, Vol 6 Part B 1.3.2.3. Pass an `AesKey` to try one key on many addresses. */
export function resolveRpa(irk: AesKey | Uint8Array, address: Address): boolean {
  if (!address.isResolvablePrivate) return false;
  const octets = reversed(address.bytes);
  return constantTimeEqual(ah(irk, octets.subarray(0, 3)), octets.subarray(3));
}

/** A random static address, Vol 6 Part B 1.3.2.1. */
export function createStaticAddress(random: RandomSource): Address {
  const bytes = randomBytes(random, 6);
  bytes[5]! |= 0xc0;
  const low = bytes[0]! | bytes[1]! | bytes[2]! | bytes[3]! | bytes[4]! | (bytes[5]! & 0x3f);
  const high = bytes[0]! & bytes[1]! & bytes[2]! & bytes[3]! & bytes[4]! & (bytes[5]! | 0xc0);
  if (low === 0 || high === 0xff) bytes[0]! ^= 0x55;
  return new Address(bytes, 1);
}

/** A non-resolvable private address, Vol 6 Part B 1.3.2.2. */
export function createNonResolvableAddress(random: RandomSource): Address {
  const bytes = randomBytes(random, 6);
  bytes[5]! &= 0x3f;
  const low = bytes[0]! | bytes[1]! | bytes[2]! | bytes[3]! | bytes[4]! | bytes[5]!;
  const high = bytes[0]! & bytes[1]! & bytes[2]! & bytes[3]! & bytes[4]! & (bytes[5]! | 0xc0);
  if (low === 0 || high === 0xff) bytes[0]! ^= 0x55;
  return new Address(bytes, 1);
}
