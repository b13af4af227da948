/** Names of the bits set in `value`; bit n is `names[n]`. Bits without a name are left out: the raw number is kept beside. */
export function flagNames<Name extends string>(value: number, names: readonly Name[]): Name[] {
  return names.filter((_, bit) => (value >>> bit) & 1);
}
