/**
 * How a Zephyr server says a group's code in the first version of the protocol, which has only the protocol's own. Several codes become one, and most
 * are 1: the second version says more. Two codes of the zephyr group are lost altogether.
 */
export function firstVersionCode(group: number, rc: number): number {
  return rc === 0 ? 0 : (FOLDED[group]?.[rc] ?? 1);
}

const FOLDED: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  0: { 2: 3 },
  1: { 3: 5, 4: 5, 9: 6, 27: 6, 28: 6, 15: 2, 14: 3, 19: 3, 20: 3, 21: 3, 22: 3, 24: 3, 25: 3 },
  2: { 2: 5, 3: 5 },
  3: { 3: 5 },
  8: { 2: 3, 13: 3, 3: 5, 14: 5 },
  9: { 2: 3, 3: 3 },
  10: { 2: 3 },
  63: { 2: 5, 3: 0, 4: 0 },
};
