import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ListenWindow, traceLine } from "../src/air/index.ts";
import { Medium } from "../src/air/medium.ts";
import { advertisingSeen, makeCrowd } from "./support/crowd.ts";

test.each([
  { sideM: 50, idle: "skip", expected: "cb986c1e4916b411" },
  { sideM: 4000, idle: "skip", expected: "8603f3e62b098bc5" },
  { sideM: 4000, idle: "simulate", expected: "780cc848dc50e958" },
] as const)("a crowd of 100 on $sideM m, moving, $idle: the same trace as ever", async ({ sideM, idle, expected }) => {
  using crowd = await makeCrowd({ size: 100, sideM, idle });
  await crowd.live(500, 150);
  const seen = advertisingSeen(crowd.air).map((entry) => traceLine(entry, { secrets: true }));
  const hash = createHash("sha256").update(seen.join("\n")).digest("hex").slice(0, 16);
  expect(hash).toBe(expected);
});

/** What the air compares in a while: paths between radios, windows of listeners, and packets that may collide. */
async function compared(sideM: number, size: number): Promise<{ steps: number; examined: number; reports: number }> {
  using crowd = await makeCrowd({ size, sideM });
  let steps = 0;
  const { isInRange } = Medium.prototype;
  const { hears } = ListenWindow.prototype;
  using _ranges = replaced(Medium.prototype, "isInRange", function (this: Medium, ...of) {
    steps++;
    return isInRange.apply(this, of);
  });
  using _windows = replaced(ListenWindow.prototype, "hears", function (this: ListenWindow, ...of) {
    steps++;
    return hears.apply(this, of);
  });
  const before = crowd.air.channels.examined;
  crowd.air.trace.clear();
  await crowd.clock.advance(300);
  const reports = advertisingSeen(crowd.air).reduce((sum, { receivedBy }) => sum + receivedBy.length, 0);
  return { steps, reports, examined: crowd.air.channels.examined - before };
}

function replaced<T, K extends keyof T>(target: T, name: K, by: T[K]): Disposable {
  const original = target[name];
  target[name] = by;
  return {
    [Symbol.dispose]: () => {
      target[name] = original;
    },
  };
}

test("a crowd costs what is heard: four times the devices on four times the ground compare four to six times as much, not sixteen", async () => {
  const small = await compared(2000, 40);
  const large = await compared(4000, 160);
  expect(large.reports).toBeGreaterThan(2 * small.reports);
  expect(large.steps / small.steps).toBeLessThan(6);
  expect(large.steps / large.reports).toBeLessThan(80);
  expect(large.examined / large.reports).toBeLessThan(30);
});

test("a move costs a comparison with those that the one who moves hears or who hear it, not of all with all", async () => {
  using crowd = await makeCrowd({ size: 100, sideM: 20_000 });
  let steps = 0;
  const { isInRange } = Medium.prototype;
  using _ranges = replaced(Medium.prototype, "isInRange", function (this: Medium, ...of) {
    steps++;
    return isInRange.apply(this, of);
  });
  for (const { radio } of crowd.controllers) crowd.air.move({ radio }, { x: 21_000 + 500 * radio.index, y: 500 * (radio.index % 7) });
  // Each of 10 scanners with 50 advertisers before and after it moves, and each advertiser with 10 scanners; all with all were 200,000.
  expect(steps).toBeLessThan(4000);
});
