import { ADVERTISING_ACCESS_ADDRESS } from "../../air/index.ts";

function transitions(value: number, bits: number): number {
  let count = 0;
  for (let i = 1; i < bits; i++) if (((value >>> i) & 1) !== ((value >>> (i - 1)) & 1)) count++;
  return count;
}

function hasOneBit(value: number): boolean {
  return value !== 0 && (value & (value - 1)) === 0;
}

/** Whether a link may have this access address, Vol 6 Part B 2.1.2. */
export function isAccessAddress(value: number): boolean {
  for (let i = 0; i + 7 <= 32; i++) {
    const seven = (value >>> i) & 0x7f;
    if (seven === 0 || seven === 0x7f) return false;
  }
  const difference = value ^ ADVERTISING_ACCESS_ADDRESS;
  if (difference === 0 || hasOneBit(difference >>> 0)) return false;
  const octet = value & 0xff;
  if (((value >>> 8) & 0xff) === octet && ((value >>> 16) & 0xff) === octet && value >>> 24 === octet) return false;
  return transitions(value, 32) <= 24 && transitions(value >>> 26, 6) >= 2;
}

/** Draws until the rules hold. */
export function createAccessAddress(uint32: () => number): number {
  for (;;) {
    const value = uint32();
    if (isAccessAddress(value)) return value;
  }
}
