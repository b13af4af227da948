/** Up to here the engine keeps the octets of an array inside the array's own object, which nothing beats. */
export const SMALL = 64;
/** A packet with an attribute's longest value, 512 octets, and its headers. */
const LARGEST = 528;
/** What a kept copy holds on to at most: eight packets with 244 octets each, or more that are shorter. */
const PIECE = 2112;

let memory = new ArrayBuffer(0);
let piece = new Uint8Array(memory);
let used = 0;

/**
 * `bytes[offset, end)` for whoever keeps it: no octet of it is ever anybody else's. A medium-sized copy is a view of a `buffer` of 2 KiB,
 * begun at a multiple of eight, which holds copies made before and after it too: a buffer for each takes four times as long. A view of `bytes`
 * would hold on to whatever `bytes` is a part of.
 */
export function copyOctets(bytes: Uint8Array, offset: number, end: number): Uint8Array {
  return end - offset <= SMALL || bytes.length > LARGEST ? bytes.slice(offset, end) : copyToPiece(bytes, offset, end);
}

/**
 * `bytes[offset, end)` of a packet that belongs to who calls, and that nobody looks at afterwards: a view where the packet has its `buffer` for
 * itself, which takes a quarter of the time of a copy, else a copy.
 */
export function ownOctets(bytes: Uint8Array, offset: number, end: number): Uint8Array {
  return end - offset > SMALL && bytes.buffer.byteLength <= bytes.length + SMALL
    ? bytes.subarray(offset, end)
    : copyOctets(bytes, offset, end);
}

function copyToPiece(bytes: Uint8Array, offset: number, end: number): Uint8Array {
  let at = used + (-offset & 7);
  if (at + bytes.length > piece.length) {
    memory = new ArrayBuffer(PIECE);
    piece = new Uint8Array(memory);
    at = -offset & 7;
  }
  piece.set(bytes, at); // headers included: a view without them would cost as much as everything else here
  used = (at + bytes.length + 7) & ~7;
  return new Uint8Array(memory, at + offset, end - offset);
}
