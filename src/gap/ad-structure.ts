import { ArgumentError } from "../core/error.ts";
import { adTypeName } from "./ad-types.ts";

/** One AD structure: a type and its data, Vol 3 Part C 11. */
export interface AdStructure {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Octets of advertising data, and of scan response data, in a legacy advertisement (Vol 6 Part B 2.3.1). */
export const LEGACY_ADVERTISING_DATA_OCTETS = 31;

/**
 * Walks AD structures without ever failing: advertising data comes from strangers.
 * A length of zero ends the significant part, what follows it is padding (Vol 3 Part C 11). A length that points beyond the end ends the
 * walk as well, and its octets belong to no structure.
 *
 * @returns the structures, their data being views of `bytes`, and what was wrong, if anything
 */
export function parseAdStructures(bytes: Uint8Array): { structures: AdStructure[]; problem: string | undefined } {
  const structures: AdStructure[] = [];
  const { length } = bytes;
  let at = 0;
  for (; isAdStructure(bytes, at, length); at = behindAdStructure(bytes, at))
    structures.push({ type: bytes[at + 1]!, data: bytes.subarray(at + 2, behindAdStructure(bytes, at)) });
  const isCut = at < length && bytes[at] !== 0;
  const problem = isCut ? `AD structure at offset ${at}: its length says ${bytes[at]}, ${length - at - 1} octets follow` : undefined;
  return { structures, problem };
}

/**
 * Whether a structure begins at `at`, and is whole before `end`: the walk of `parseAdStructures` where the data lie, which makes nothing. Of what is
 * sent a program mostly wants one field.
 */
export function isAdStructure(octets: Uint8Array, at: number, end: number): boolean {
  return at < end && octets[at] !== 0 && behindAdStructure(octets, at) <= end;
}

/** Where the one behind the structure at `at` begins. */
export function behindAdStructure(octets: Uint8Array, at: number): number {
  return at + 1 + octets[at]!;
}

/**
 * Where the next structure of a type is: of its octet of length, between `at`, where a structure begins, and `end`; -1 where there is none.
 * Its data are the octets from the second one behind that on, one less than the length says.
 */
export function findAdStructure(octets: Uint8Array, type: number, at: number, end: number): number {
  for (let next = at; isAdStructure(octets, next, end); next = behindAdStructure(octets, next)) if (octets[next + 1] === type) return next;
  return -1;
}

/**
 * Puts structures one after another.
 *
 * @param capacity octets there is room for: 31 in legacy advertising
 * @throws {ArgumentError} they do not fit; the message says what takes how much
 */
export function encodeAdStructures(structures: readonly AdStructure[], capacity = LEGACY_ADVERTISING_DATA_OCTETS): Uint8Array {
  let size = 0;
  for (const { type, data } of structures) {
    if (!Number.isInteger(type) || type < 0 || type > 0xff) throw new ArgumentError(`AD type ${type}: expected 0 to 255`);
    if (data.length > 254) throw new ArgumentError(`AD structure ${adTypeName(type)} of ${data.length} octets: at most 254 fit`);
    size += 2 + data.length;
  }
  if (size > capacity) {
    const parts = structures.map(({ type, data }) => `${adTypeName(type)} ${2 + data.length}`).join(", ");
    throw new ArgumentError(`advertising data of ${size} octets: at most ${capacity} fit (${parts})`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { type, data } of structures) {
    bytes[at] = 1 + data.length;
    bytes[at + 1] = type;
    bytes.set(data, at + 2);
    at += 2 + data.length;
  }
  return bytes;
}
