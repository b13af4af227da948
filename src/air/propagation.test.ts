import { expect, test } from "vitest";
import { mixKey } from "../core/index.ts";
import { draw } from "./draw.ts";
import { Phy } from "./phy.ts";
import { Propagation } from "./propagation.ts";

test("40 dB at one metre and 20 dB for every ten times farther", () => {
  const propagation = new Propagation({ shadowingDb: 0 });
  const at = (x: number) => propagation.distanceLossDb({ x: 0, y: 0 }, { x, y: 0 });
  expect([1, 10, 100].map((x) => Math.round(at(x)))).toEqual([40, 60, 80]);
  expect(at(0)).toBe(at(0.1));
  expect(propagation.distanceLossDb(undefined, { x: 50, y: 0 })).toBe(40);
  expect(Math.round(new Propagation({ shadowingDb: 0, pathLossExponent: 3 }).distanceLossDb({ x: 0, y: 0 }, { x: 10, y: 0 }))).toBe(70);
});

test("shadowing belongs to the pair and has the deviation asked for", () => {
  const propagation = new Propagation({ shadowingDb: 4 });
  const values = Array.from({ length: 2000 }, (_, i) => propagation.pairLossDb(mixKey(7, `pair ${i}`)));
  expect(propagation.pairLossDb(mixKey(7, "pair 3"))).toBe(values[3]);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  expect(mean).toBeCloseTo(0, 0);
  expect(deviation).toBeGreaterThan(3.7);
  expect(deviation).toBeLessThan(4.3);
});

test("below the sensitivity nothing arrives, at it about two thirds, eleven decibel above everything", () => {
  const propagation = new Propagation();
  expect(propagation.lossProbability(-95.1, Phy.Le1M)).toBe(1);
  expect(propagation.lossProbability(-95, Phy.Le1M)).toBeCloseTo(0.308);
  expect(propagation.lossProbability(-93, Phy.Le1M)).toBeCloseTo(0.0308);
  expect(propagation.lossProbability(-84, Phy.Le1M)).toBe(0);
  expect(propagation.lossProbability(-100, Phy.LeCodedS8)).toBeLessThan(0.02);
  expect(new Propagation({ loss: 0.25 }).lossProbability(-40, Phy.Le1M)).toBe(0.25);
});

test("draws are uniform, and the same in any order", () => {
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let a = 0; a < 1000; a++) for (let b = 0; b < 10; b++) buckets[Math.floor(draw(99, a, b) * 10)]!++;
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect(draw(99, 500, 3)).toBe(draw(99, 500, 3));
  expect(draw(99, 500, 3)).not.toBe(draw(98, 500, 3));
});
