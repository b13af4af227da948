import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import type { Attribute } from "./attribute.ts";

/** Octets to be written from `offset` on. */
export interface Part {
  readonly offset: number;
  readonly value: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** The parts leave octets of the value as they are, so that it must be known. */
export function needsBase({ fixedLength, maxLength }: Attribute, [first]: readonly Part[]): boolean {
  return first !== undefined && (first.offset > 0 || (fixedLength && first.value.length < maxLength));
}

/**
 * The value after all parts were written to `base`, in their order (Vol 3 Part F 3.4.5.1 and 3.4.6.3): a first part from the start replaces
 * what was there, unless the length is fixed; every other one replaces what it covers, and may lengthen the value.
 *
 * @throws {AttError} a part begins behind the end, or ends where the value may not reach
 */
export function mergeParts({ fixedLength, maxLength }: Attribute, parts: readonly Part[], base: Uint8Array = EMPTY): Uint8Array {
  let merged = base;
  for (const part of parts) {
    const { offset, value } = part;
    const end = offset + value.length;
    if (offset > merged.length) throw new AttError(AttErrorCode.InvalidOffset);
    if (end > maxLength) throw new AttError(AttErrorCode.InvalidAttributeValueLength);
    if (offset === 0 && part === parts[0] && !fixedLength) {
      merged = value;
      continue;
    }
    const next = new Uint8Array(Math.max(end, merged.length));
    next.set(merged);
    next.set(value, offset);
    merged = next;
  }
  return merged;
}
