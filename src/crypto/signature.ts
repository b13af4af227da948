import { type AesKey, aesCmac } from "./aes.ts";
import { reversed } from "./reversed.ts";

/** Octets of an authentication signature: the counter, then the MAC (Vol 3 Part H 2.4.5, Part F 3.3.1). */
export const SIGNATURE_LENGTH = 12;
const COUNTER_LENGTH = 4;
const MAC_LENGTH = 8;

/**
 * Authentication signature of a PDU, Vol 3 Part H 2.4.5.
 *
 * @param csrk 16 octets, most significant first
 * @param pdu as it travels: opcode, handle, value
 * @param signCounter 32 bits; never twice with one key
 * @returns 12 octets as they travel: the counter and the 64 most significant bits of AES-CMAC over both, each least significant octet first
 */
export function signPdu(csrk: AesKey | Uint8Array, pdu: Uint8Array, signCounter: number): Uint8Array {
  const message = new Uint8Array(pdu.length + COUNTER_LENGTH);
  message.set(pdu);
  new DataView(message.buffer).setUint32(pdu.length, signCounter, true);
  const signature = new Uint8Array(SIGNATURE_LENGTH);
  signature.set(message.subarray(pdu.length));
  // The function takes numbers with the most significant octet first, and what travels first is the least significant.
  signature.set(reversed(aesCmac(csrk, reversed(message)).subarray(0, MAC_LENGTH)), COUNTER_LENGTH);
  return signature;
}

/** The counter that a signature was made with. */
export function signCounterOf(signature: Uint8Array): number {
  return new DataView(signature.buffer, signature.byteOffset, COUNTER_LENGTH).getUint32(0, true);
}
