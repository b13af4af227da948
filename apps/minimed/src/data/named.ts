/** A word for a value of an enumeration, or the number itself where it has none: a value that nobody knows yet is kept, never dropped. */
export type Named<Name extends string> = Name | number;

/** The word for `raw`, or `raw`. */
export function named<Name extends string>(names: Readonly<Record<number, Name>>, raw: number): Named<Name> {
  return names[raw] ?? raw;
}

/** Names of the bits set in a number of any width; `names[bit]`. Bits without a name are left out. */
export function bitNames<Name extends string>(bits: bigint, names: Readonly<Record<number, Name>>): Name[] {
  return Object.entries(names)
    .filter(([bit]) => (bits >> BigInt(bit)) & 1n)
    .map(([, name]) => name);
}
