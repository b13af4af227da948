import { expect, test } from "vitest";
import { randomBytes, SeededRandom, systemRandom } from "./random.ts";

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
