/**
 * Octet order in this room: keys, blocks and every argument of a security function are written as the specification prints them, most
 * significant octet first. Multi-octet SMP and HCI fields travel least significant octet first, so they pass through this on the way in
 * and out. Returns a copy.
 */
export function reversed(bytes: Uint8Array): Uint8Array {
  return bytes.slice().reverse();
}
