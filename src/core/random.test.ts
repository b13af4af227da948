import { expect, test } from "vitest";
import { mixKey, randomBytes, SeededRandom, systemRandom } from "./random.ts";

test("equal seeds and labels give equal streams, others do not", () => {
  const draw = (seed: number, label?: string): string => randomBytes(new SeededRandom(seed, label), 32).join();
  expect(draw(1)).toBe(draw(1));
  expect(draw(1)).not.toBe(draw(2));
  expect(draw(1, "a")).not.toBe(draw(1, "b"));
  expect(draw(2 ** 40)).not.toBe(draw(0));
});

test("unit() is spread evenly over [0, 1)", () => {
  const random = new SeededRandom(7);
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 10_000; i++) buckets[Math.floor(random.unit() * 10)]!++;
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("the system generator fills more than one call's worth", () => {
  const bytes = randomBytes(systemRandom, 70_000);
  expect(bytes.subarray(65_536).some((octet) => octet !== 0)).toBe(true);
});

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

test("a key depends on each of its parts: no two of seed, name, number and purpose cancel each other", () => {
  const keys = new Set<number>();
  for (let seed = 0; seed < 32; seed++)
    for (const name of [...LETTERS, "device1", "device2", ""])
      for (let number = 0; number < 32; number++) keys.add(mixKey(seed, name, number, "advertising"));
  // Of 29,696 keys of 32 bits a tenth of a pair is the same by chance.
  expect(keys.size).toBeGreaterThanOrEqual(32 * 29 * 32 - 2);
  const alike = [
    [1, 2],
    [2, 1],
    ["1", 2],
    [1, "2"],
    ["ab", "c"],
    ["a", "bc"],
    ["abc"],
    ["abc", ""],
    ["", "abc"],
    [0],
    [-1],
    [0.5],
    [2 ** 32],
    [2 ** 40],
    [],
  ];
  expect(new Set(alike.map((parts) => mixKey(...parts))).size).toBe(alike.length);
});

test("one bit of a key's parts changes half of its bits", () => {
  let changed = 0;
  for (let seed = 0; seed < 1000; seed++)
    for (let bits = mixKey(seed, "a") ^ mixKey(seed ^ 1, "a"); bits !== 0; bits &= bits - 1) changed++;
  expect(changed / 1000).toBeGreaterThan(15);
  expect(changed / 1000).toBeLessThan(17);
});

test("no two short labels and small seeds share a stream", () => {
  const streams = new Set<string>();
  for (let seed = 0; seed < 32; seed++) for (const label of LETTERS) streams.add(randomBytes(new SeededRandom(seed, label), 8).join());
  expect(streams.size).toBe(32 * LETTERS.length);
});
