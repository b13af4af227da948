import { expect, test } from "vitest";
import { Sequences } from "./sequences.ts";

const setUp = (outstanding: ReadonlySet<number> = new Set()) => new Sequences((sequence) => outstanding.has(sequence));
const taken = (sequences: Sequences, count: number) => Array.from({ length: count }, () => sequences.take());

test("sequences go from 0 to 255 and round, but for those that are outstanding", () => {
  const sequences = setUp(new Set([0, 3, 255]));
  expect(taken(sequences, 4)).toEqual([1, 2, 4, 5]);
  expect(taken(sequences, 249).at(-1)).toBe(254);
  expect(taken(sequences, 3)).toEqual([1, 2, 4]);
});

test("of those whose answer may come late the last 128 are not used", () => {
  const sequences = setUp();
  for (let n = 0; n < 128; n++) sequences.retire(n);
  expect(taken(sequences, 129)).toEqual([...Array.from({ length: 128 }, (_, i) => 128 + i), 128]);
  sequences.retire(200);
  expect(taken(sequences, 128)).toEqual([...Array.from({ length: 127 }, (_, i) => 129 + i).filter((n) => n !== 200), 0, 128]);
});

test("one that is given up again is new again", () => {
  const sequences = setUp();
  for (const n of [0, ...Array.from({ length: 127 }, (_, i) => i + 1), 0, 128]) sequences.retire(n);
  expect(sequences.take()).toBe(1);
});

test("a table that is full is a fault of ours", () => {
  expect(() => setUp(new Set(Array.from({ length: 256 }, (_, i) => i))).take()).toThrow(RangeError);
});
