import { expect, test } from "vitest";
import { runsOf, without } from "./ranges.ts";

type Pair = readonly [first: number, last: number];
const ranges = (pairs: readonly Pair[]) => pairs.map(([first, last]) => ({ first, last }));

test.each<[whole: Pair, ranges: Pair[], left: Pair[]]>([
  [[5, 10], [], [[5, 10]]],
  [[5, 10], [[5, 10]], []],
  [[5, 10], [[0, 20]], []],
  [[5, 10], [[5, 5]], [[6, 10]]],
  [[5, 10], [[10, 10]], [[5, 9]]],
  [[5, 10], [[0, 4]], [[5, 10]]],
  [[5, 10], [[11, 20]], [[5, 10]]],
  [[5, 10], [[0, 5]], [[6, 10]]],
  [[5, 10], [[10, 20]], [[5, 9]]],
  [
    [5, 10],
    [[7, 7]],
    [
      [5, 6],
      [8, 10],
    ],
  ],
  [
    [5, 10],
    [
      [0, 1],
      [6, 6],
      [8, 8],
      [12, 13],
    ],
    [
      [5, 5],
      [7, 7],
      [9, 10],
    ],
  ],
  [[5, 5], [], [[5, 5]]],
  [[6, 5], [], []],
])("of %j without %j is left %j", (whole, taken, left) => {
  expect(without({ first: whole[0], last: whole[1] }, ranges(taken))).toEqual(ranges(left));
});

test.each<[numbers: number[], runs: Pair[]]>([
  [[], []],
  [[3], [[3, 3]]],
  [[3, 4, 5], [[3, 5]]],
  [[3, 3, 4, 4], [[3, 4]]],
  [
    [3, 5, 6, 9],
    [
      [3, 3],
      [5, 6],
      [9, 9],
    ],
  ],
])("the runs of %j are %j", (numbers, runs) => {
  expect(runsOf(numbers)).toEqual(ranges(runs));
});
