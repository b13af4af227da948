// RFC 4648 section 4 over octets, since lines come and go as octets. Decoding is strict in the alphabet, in whole groups of four and in
// padding, which comes at the end only. Bits behind the last octet may have any value: the checksum of the frame says whether it is whole.

const ALPHABET = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PAD = 0x3d;
const INVALID = 0xff;
const VALUES = new Uint8Array(256).fill(INVALID);
for (const [value, character] of ALPHABET.entries()) VALUES[character] = value;

/** Characters that so many octets take. */
export function base64Length(octets: number): number {
  return Math.ceil(octets / 3) * 4;
}

/** Writes the characters of `octets` to `into` from `at`. @returns where they end */
export function encodeBase64(octets: Uint8Array, into: Uint8Array, at: number): number {
  let to = at;
  let from = 0;
  for (; from + 3 <= octets.length; from += 3) {
    const group = (octets[from]! << 16) | (octets[from + 1]! << 8) | octets[from + 2]!;
    into[to++] = ALPHABET[group >> 18]!;
    into[to++] = ALPHABET[(group >> 12) & 0x3f]!;
    into[to++] = ALPHABET[(group >> 6) & 0x3f]!;
    into[to++] = ALPHABET[group & 0x3f]!;
  }
  const left = octets.length - from;
  if (left > 0) {
    const group = (octets[from]! << 16) | ((left === 2 ? octets[from + 1]! : 0) << 8);
    into[to++] = ALPHABET[group >> 18]!;
    into[to++] = ALPHABET[(group >> 12) & 0x3f]!;
    into[to++] = left === 2 ? ALPHABET[(group >> 6) & 0x3f]! : PAD;
    into[to++] = PAD;
  }
  return to;
}

/** @returns undefined where the characters are no base64 */
export function decodeBase64(characters: Uint8Array): Uint8Array | undefined {
  const { length } = characters;
  if (length % 4 !== 0) return undefined;
  if (length === 0) return new Uint8Array(0);
  const padding = characters[length - 1] !== PAD ? 0 : characters[length - 2] !== PAD ? 1 : 2;
  const octets = new Uint8Array((length / 4) * 3 - padding);
  const end = length - padding;
  let bits = 0;
  let held = 0;
  let to = 0;
  for (let from = 0; from < end; from++) {
    const value = VALUES[characters[from]!]!;
    if (value === INVALID) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      octets[to++] = (held >> bits) & 0xff;
    }
  }
  return octets;
}
