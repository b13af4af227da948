import { SeededRandom } from "jelling/core";
import { type ClockStep, DAY_S } from "./draft.ts";

/** What a user does to the clock on a day, and what becomes of it without him. */
export function clockSteps(seed: number, index: number): [number, ClockStep][] {
  if (index === 0) return []; // what a pump is switched on with holds for the day
  const random = new SeededRandom(seed, `clock ${index}`);
  const [chance, at, amount] = [random.unit(), random.unit(), random.unit()];
  const atS = index * DAY_S + 60 * Math.round(60 * (8 + 12 * at)) + 20;
  if (chance < 0.03)
    return [[atS, { kind: "shift", seconds: amount < 0.3 ? 3600 : amount < 0.6 ? -3600 : 60 * Math.round(20 * amount - 14) || 60 }]];
  if (chance > 0.992)
    return [
      [atS, { kind: "lost" }],
      [atS + 240 + 60 * Math.round(15 * amount), { kind: "restored" }],
    ];
  return [];
}
