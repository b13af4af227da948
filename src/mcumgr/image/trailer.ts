import { equalBytes, fromHex } from "../../bytes/hex.ts";

/** What the bootloader keeps at the end of a slot, as a padded image brings it along. */
export interface ImageTrailer {
  /** The image would count as confirmed as soon as it is in the slot. */
  readonly isConfirmed: boolean;
}

/** 77c295f3 60d2ef7f 3552500f 2cb67980: the last 16 octets of a slot that is to be swapped. */
export const TRAILER_MAGIC = fromHex("77c295f360d2ef7f3552500f2cb67980");
// With writes of more than 8 octets the first two tell their size instead, and these 14 follow.
const WIDE_TRAILER_MAGIC = fromHex("2de15d29410b8d77679c110f1f8a");
// How many octets one flag takes: it is written on its own.
const FLAG_LENGTH = 8;

/** The trailer at the very end of a file, if there is one behind what the image takes. */
export function findTrailer(octets: Uint8Array, end: number): ImageTrailer | undefined {
  const magicAt = octets.length - TRAILER_MAGIC.length;
  if (magicAt < end) return undefined;
  const magic = octets.subarray(magicAt);
  let flagLength = FLAG_LENGTH;
  if (equalBytes(magic.subarray(2), WIDE_TRAILER_MAGIC)) flagLength = Math.max(FLAG_LENGTH, magic[0]! | (magic[1]! << 8));
  else if (!equalBytes(magic, TRAILER_MAGIC)) return undefined;
  // Octets of the magic fill a unit of their own where units are larger.
  const flagAt = octets.length - Math.ceil(TRAILER_MAGIC.length / flagLength) * flagLength - flagLength;
  return { isConfirmed: flagAt >= end && octets[flagAt] === 1 };
}
