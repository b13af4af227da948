import { ArgumentError } from "../core/error.ts";
import { AesKey } from "./aes.ts";

// One packet at a time in one thread, and nothing of it is read after the call: the scratch blocks are shared.
const mac = new Uint8Array(16);
const counter = new Uint8Array(16);
const stream = new Uint8Array(16);

/**
 * AES-CCM, RFC 3610 and Vol 6 Part E 1: gives the ciphertext with the MIC behind it. The defaults are those of the Link Layer: a nonce of
 * 13 octets, a MIC of 4.
 *
 * @param nonce 7 to 13 octets; never twice with one key
 * @param additionalData authenticated, not encrypted; below 65,280 octets
 * @throws {ArgumentError} a length the format cannot hold
 */
export function aesCcmEncrypt(
  key: AesKey | Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  additionalData: Uint8Array,
  micLength = 4,
): Uint8Array {
  const aes = AesKey.of(key);
  check(nonce, plaintext.length, additionalData.length, micLength);
  const output = new Uint8Array(plaintext.length + micLength);
  authenticate(aes, nonce, plaintext, plaintext.length, additionalData, micLength);
  crypt(aes, nonce, plaintext, plaintext.length, output);
  startStream(aes, nonce);
  for (let i = 0; i < micLength; i++) output[plaintext.length + i] = mac[i]! ^ stream[i]!;
  return output;
}

/** The way back: the plaintext, or `undefined` where the MIC does not match. The MIC is compared in constant time. */
export function aesCcmDecrypt(
  key: AesKey | Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  additionalData: Uint8Array,
  micLength = 4,
): Uint8Array | undefined {
  const length = ciphertext.length - micLength;
  if (length < 0) return undefined;
  const aes = AesKey.of(key);
  check(nonce, length, additionalData.length, micLength);
  const plaintext = new Uint8Array(length);
  crypt(aes, nonce, ciphertext, length, plaintext);
  authenticate(aes, nonce, plaintext, length, additionalData, micLength);
  startStream(aes, nonce);
  let difference = 0;
  for (let i = 0; i < micLength; i++) difference |= ciphertext[length + i]! ^ mac[i]! ^ stream[i]!;
  return difference === 0 ? plaintext : undefined;
}

function check(nonce: Uint8Array, length: number, additionalLength: number, micLength: number): void {
  if (nonce.length < 7 || nonce.length > 13) throw new ArgumentError(`CCM nonce of ${nonce.length} octets: expected 7 to 13`);
  if (micLength < 4 || micLength > 16 || micLength % 2 !== 0)
    throw new ArgumentError(`MIC of ${micLength} octets: expected an even number from 4 to 16`);
  if (length >= 2 ** (8 * (15 - nonce.length))) throw new ArgumentError(`${length} octets are too many for a nonce of ${nonce.length}`);
  if (additionalLength >= 0xff00) throw new ArgumentError(`${additionalLength} octets of additional data: expected below 65280`);
}

/** Block with the nonce: flags, nonce, then `value` as a big-endian number in what remains (B_0 and A_i of RFC 3610 2.2, 2.3). */
function nonceBlock(block: Uint8Array, flags: number, nonce: Uint8Array, value: number): void {
  block[0] = flags;
  for (let i = 0; i < nonce.length; i++) block[i + 1] = nonce[i]!; // faster than `set` for so few
  let rest = value;
  for (let i = 15; i > nonce.length; i--) {
    block[i] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
}

function authenticate(
  aes: AesKey,
  nonce: Uint8Array,
  message: Uint8Array,
  length: number,
  additional: Uint8Array,
  micLength: number,
): void {
  nonceBlock(mac, (additional.length > 0 ? 0x40 : 0) | (((micLength - 2) / 2) << 3) | (14 - nonce.length), nonce, length);
  aes.encryptBlock(mac, mac);
  if (additional.length > 0) {
    mac[0]! ^= additional.length >> 8;
    mac[1]! ^= additional.length & 0xff;
    let at = 2;
    for (let i = 0; i < additional.length; i++) {
      if (at === 16) {
        aes.encryptBlock(mac, mac);
        at = 0;
      }
      mac[at++]! ^= additional[i]!;
    }
    aes.encryptBlock(mac, mac);
  }
  for (let start = 0; start < length; start += 16) {
    const size = Math.min(16, length - start);
    for (let i = 0; i < size; i++) mac[i]! ^= message[start + i]!;
    aes.encryptBlock(mac, mac);
  }
}

/** Leaves S_0, which covers the MIC, in `stream`. */
function startStream(aes: AesKey, nonce: Uint8Array): void {
  nonceBlock(counter, 14 - nonce.length, nonce, 0);
  aes.encryptBlock(counter, stream);
}

function crypt(aes: AesKey, nonce: Uint8Array, input: Uint8Array, length: number, output: Uint8Array): void {
  nonceBlock(counter, 14 - nonce.length, nonce, 0);
  for (let start = 0; start < length; start += 16) {
    for (let i = 15; i > nonce.length; i--) {
      counter[i]!++;
      if (counter[i] !== 0) break;
    }
    aes.encryptBlock(counter, stream);
    const size = Math.min(16, length - start);
    for (let i = 0; i < size; i++) output[start + i] = input[start + i]! ^ stream[i]!;
  }
}
