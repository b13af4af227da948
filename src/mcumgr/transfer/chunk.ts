import { type CborMap, cborLength } from "../protocol/cbor.ts";
import { MCUMGR_HEADER_LENGTH } from "../protocol/header.ts";

const NOTHING = new Uint8Array(0);
/** Heads of a string of octets: how many octets a head has, and the longest string that it can tell. */
const HEADS: readonly (readonly [headLength: number, longest: number])[] = [
  [1, 23],
  [2, 0xff],
  [3, 0xffff],
  [5, 0xffff_ffff],
];

/**
 * How many octets of `data` fit into a message of at most `limit` octets beside these fields, header included; negative where not even an empty
 * `data` does.
 */
export function dataRoom(limit: number, fields: CborMap): number {
  const room = limit - MCUMGR_HEADER_LENGTH - (cborLength({ ...fields, data: NOTHING }) - 1);
  let most = Number.NEGATIVE_INFINITY;
  for (const [headLength, longest] of HEADS) most = Math.max(most, Math.min(room - headLength, longest));
  return most;
}

/**
 * Where a chunk from `off` ends that has room for so many octets.
 *
 * @param alignment ends fall on multiples of it, from the start of the whole, but for the last one
 */
export function chunkEnd(off: number, room: number, length: number, alignment = 1): number {
  const end = Math.min(length, off + room);
  if (end === length) return end;
  const aligned = end - (end % alignment);
  return aligned > off ? aligned : end;
}
