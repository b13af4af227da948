import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { Air } from "./air.ts";
import { Interference } from "./interference.ts";
import type { Radio } from "./radio.ts";

const air = new Air({ clock: new VirtualClock(), seed: 1, shadowingDb: 0, fadingDb: 2, pathLossAt1mDb: 40, pathLossExponent: 2 });
const at = (name: string, x: number, txPowerDbm = 0): Radio => air.addRadio({ name, position: { x, y: 0 }, txPowerDbm });
const receiver = at("receiver", 0);
const sender = at("sender", 10); // -60 dBm at the receiver
const interference = new Interference(air.medium);
function isSpoiled(others: readonly Radio[], from = sender): boolean {
  interference.begin(from);
  for (const other of others) interference.add(other);
  const first = interference.spoils(receiver);
  expect(interference.spoils(receiver), "asked again").toBe(first);
  return first;
}

test("a packet is received through others that are 8 dB weaker, and through no stronger one", () => {
  expect(isSpoiled([])).toBe(false);
  expect(isSpoiled([at("weaker", 10, -8)])).toBe(false);
  expect(isSpoiled([at("a little weaker", 10, -7.9)])).toBe(true);
  expect(isSpoiled([at("far", 100), at("near", 1)])).toBe(true);
  expect(isSpoiled([at("far too", 100), at("farther", 200)])).toBe(false);
  expect(isSpoiled([])).toBe(false); // nothing is left of the question before
});

test("8 dB are 8 dB at whatever distance", () => {
  for (let x = 0.5; x < 60; x += 0.5) {
    const near = at(`at ${x}`, x);
    expect(isSpoiled([at(`8 dB weaker at ${x}`, -x, -8)], near), `${x} m`).toBe(false);
    expect(isSpoiled([at(`7.9 dB weaker at ${x}`, -x, -7.9)], near), `${x} m`).toBe(true);
  }
});

test("what the receiver sends itself is no interference, and neither is what nobody could receive", () => {
  expect(isSpoiled([receiver])).toBe(false);
  const weak = at("at the limit of what can be received", 10, -37); // -97 dBm, 2 less than the sensitivity
  expect(isSpoiled([at("as weak", 10, -37)], weak)).toBe(true);
  expect(isSpoiled([at("weaker than that", 10, -37.1)], weak)).toBe(false);
});

test("walls and moves count from then on; what a radio sent before it was taken out is on the air still", () => {
  const other = at("another", 10);
  expect(isSpoiled([other])).toBe(true);
  const wall = air.cut(other, receiver);
  expect(isSpoiled([other])).toBe(false);
  wall[Symbol.dispose]();
  expect(isSpoiled([other])).toBe(true);
  air.move(other, { x: 30, y: 0 });
  expect(isSpoiled([other])).toBe(false);
  air.move(other, { x: 10, y: 0 });
  air.removeRadio(other);
  expect(isSpoiled([other]), "what it had sent before").toBe(true);
  expect(isSpoiled([at("in its place", 100)])).toBe(false);
});
