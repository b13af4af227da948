/** Up to here the engine keeps the octets of an array inside the array's own object, which nothing beats. */
const SMALL = 64;
const SLAB = 16 * 1024;
const LARGEST_SLICE = SLAB / 8;

let slab = new ArrayBuffer(0);
let used = 0;

/**
 * Zeroed octets for a packet to send. A medium-sized array is a slice of a larger piece of memory, which makes it ten times cheaper; no
 * octet is given out twice.
 */
export function allocateFrame(length: number): Uint8Array {
  if (length <= SMALL || length > LARGEST_SLICE) return new Uint8Array(length);
  if (used + length > slab.byteLength) {
    slab = new ArrayBuffer(SLAB);
    used = 0;
  }
  const frame = new Uint8Array(slab, used, length);
  used += length;
  return frame;
}
