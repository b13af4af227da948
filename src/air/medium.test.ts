import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { SeededRandom } from "../core/index.ts";
import { Air } from "./air.ts";
import type { Radio } from "./radio.ts";

const noChance = { shadowingDb: 0, fadingDb: 0, pathLossAt1mDb: 40, pathLossExponent: 2 };

test("strength is that of the distance at the time, whoever moves, is walled off, leaves or comes in somebody's place", () => {
  const air = new Air({ clock: new VirtualClock(), seed: 1, ...noChance });
  const random = new SeededRandom(1, "medium");
  const pick = (count: number): number => random.uint32() % count;
  const somewhere = (): { x: number; y: number } => ({ x: pick(500), y: pick(500) });
  const radios: Radio[] = [];
  let names = 0;
  const add = (): void => void radios.push(air.addRadio({ name: `radio${names++}`, position: somewhere(), txPowerDbm: pick(20) - 10 }));
  for (let i = 0; i < 4; i++) add();
  const walls: { readonly between: readonly Radio[]; readonly wall: Disposable }[] = [];
  for (let step = 0; step < 500; step++) {
    const radio = radios[pick(radios.length)]!;
    const other = radios[pick(radios.length)]!;
    switch (pick(5)) {
      case 0:
        if (radios.length < 12) add();
        break;
      case 1:
        if (radios.length < 4) break;
        radios.splice(radios.indexOf(radio), 1);
        air.removeRadio(radio);
        expect(air.medium.meanDbm(radios[0]!, radio)).toBe(Number.NEGATIVE_INFINITY);
        break;
      case 2:
        if (radio !== other) walls.push({ between: [radio, other], wall: air.cut(radio, other) });
        break;
      case 3:
        walls.splice(pick(walls.length + 1), 1)[0]?.wall[Symbol.dispose]();
        break;
      default:
        air.move(radio, somewhere());
    }
    for (const from of radios)
      for (const to of radios) {
        if (from === to) continue;
        const isCut = walls.some(({ between }) => between.includes(from) && between.includes(to));
        const [a, b] = [from.position!, to.position!];
        const lossDb = 40 + 20 * Math.log10(Math.max(0.1, Math.hypot(a.x - b.x, a.y - b.y)));
        expect(air.medium.meanDbm(from, to)).toBeCloseTo(isCut ? Number.NEGATIVE_INFINITY : from.txPowerDbm - lossDb, 3);
      }
  }
});

test("a crowd that comes one by one, and moves, is as strong as it is", () => {
  const air = new Air({ clock: new VirtualClock(), seed: 1, ...noChance });
  const radios: Radio[] = [];
  const at = (i: number): { x: number; y: number } => ({ x: 7 * i, y: (i * i) % 31 });
  for (let i = 0; i < 150; i++) {
    radios.push(air.addRadio({ name: `radio${i}`, position: at(i) }));
    if (i % 3 === 0) for (const other of radios.slice(0, -1)) air.medium.meanDbm(other, radios[i]!);
  }
  air.move(radios[75]!, { x: 1000, y: 0 });
  radios.forEach((from, i) => {
    radios.forEach((to, j) => {
      if (from === to) return;
      const [a, b] = [from.position!, to.position!];
      expect(air.medium.meanDbm(from, to), `${i} to ${j}`).toBeCloseTo(-40 - 20 * Math.log10(Math.hypot(a.x - b.x, a.y - b.y)), 3);
    });
  });
});

test("radios that come and go take no more room than those that are there at a time", () => {
  const air = new Air({ clock: new VirtualClock(), seed: 1 });
  const there: Radio[] = [];
  for (let i = 0; i < 2000; i++) {
    const radio = air.addRadio({ name: `radio${i}` });
    for (const other of there) air.medium.meanDbm(radio, other);
    for (const other of there) air.medium.meanDbm(other, radio);
    there.push(radio);
    if (there.length > 10) air.removeRadio(there.shift()!);
  }
  expect(air.medium.levels.size).toBeLessThan(400);
});

test("what is drawn for a path hangs on the names of the two, not on the places that they have among the others", () => {
  const strengths = (before: number): number[] => {
    const air = new Air({ clock: new VirtualClock(), seed: 1 });
    const others = Array.from({ length: before }, (_, i) => air.addRadio({ name: `other${i}` }));
    const [a, b, c] = ["a", "b", "c"].map((name) => air.addRadio({ name })) as [Radio, Radio, Radio];
    for (const other of others) {
      air.medium.rssiDbm(other, b, 7, 1, 1);
      air.removeRadio(other);
    }
    const late = air.addRadio({ name: "late" }); // in the place of another
    return [
      air.medium.rssiDbm(a, b, 7, 1, 1),
      air.medium.rssiDbm(b, a, 7, 1, 1),
      air.medium.rssiDbm(c, b, 7, 1, 2),
      air.medium.rssiDbm(late, b, 7, 1, 1),
    ];
  };
  expect(strengths(5)).toEqual(strengths(0));
});
