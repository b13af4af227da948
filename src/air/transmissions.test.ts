import { expect, test } from "vitest";
import { SeededRandom } from "../core/index.ts";
import { Radio } from "./radio.ts";
import { Transmissions } from "./transmissions.ts";

const radios = ["a", "b", "c", "d"].map(
  (name) =>
    new Radio({
      name,
      position: undefined,
      txPowerDbm: 0,
      sleepClockAccuracyPpm: 0,
      driftPpm: 0,
      exchangesPerEvent: Number.POSITIVE_INFINITY,
    }),
);
function during(transmissions: Transmissions, startUs: number, endUs: number, except: Radio): Radio[] {
  const found: Radio[] = [];
  transmissions.find(startUs, endUs, except, { add: (radio) => found.push(radio) });
  return found;
}
const names = (found: readonly Radio[]): string =>
  found
    .map(({ name }) => name)
    .toSorted()
    .join("");

test("who sends at some moment of a time is found, once for each transmission, whatever its length", () => {
  const random = new SeededRandom(1, "transmissions");
  const pick = (count: number): number => random.uint32() % count;
  const transmissions = new Transmissions();
  const all: { startUs: number; endUs: number; radio: Radio }[] = [];
  let nowUs = 0;
  for (let i = 0; i < 2000; i++) {
    nowUs += pick(600);
    const [startUs, radio] = [nowUs + pick(5000), radios[pick(4)]!];
    const endUs = startUs + [80, 376, 2120, 17_040][pick(4)]!;
    all.push({ startUs, endUs, radio });
    transmissions.note(startUs, endUs, radio, nowUs);
    const askedUs = Math.max(0, nowUs - pick(17_040));
    const untilUs = askedUs + 80 + pick(17_000);
    const expected = all.filter((sent) => sent.endUs > askedUs && sent.startUs < untilUs && sent.radio !== radio);
    expect(names(during(transmissions, askedUs, untilUs, radio))).toBe(names(expected.map(({ radio: from }) => from)));
  }
});

test("a transmission that ends when another begins does not meet it", () => {
  const transmissions = new Transmissions();
  transmissions.note(1000, 2048, radios[0]!, 0);
  expect(during(transmissions, 2048, 3000, radios[1]!)).toEqual([]);
  expect(during(transmissions, 500, 1000, radios[1]!)).toEqual([]);
  expect(during(transmissions, 2047, 2048, radios[1]!)).toEqual([radios[0]]);
});

test("what is cancelled is not sent; what has begun is, and so is what others send", () => {
  const transmissions = new Transmissions();
  transmissions.note(1000, 3000, radios[0]!, 900);
  transmissions.note(5000, 6000, radios[0]!, 900);
  transmissions.note(5000, 6000, radios[1]!, 900);
  transmissions.cancel(radios[0]!, 1000);
  expect(names(during(transmissions, 0, 10_000, radios[3]!))).toBe("ab");
  expect(during(transmissions, 4000, 10_000, radios[3]!)).toEqual([radios[1]]);
});

test("a question costs what is sent at about its time, however much was sent before", () => {
  const transmissions = new Transmissions();
  for (let i = 0; i < 10_000; i++) transmissions.note(100 * i, 100 * i + 376, radios[i % 4]!, 100 * i);
  const before = transmissions.examined;
  during(transmissions, 999_000, 999_376, radios[0]!);
  const examined = transmissions.examined - before;
  expect(examined).toBeGreaterThan(0);
  expect(examined).toBeLessThan(20); // four that may reach into it, and what begins later
});

test("a question costs the same again once a long packet is over", () => {
  const transmissions = new Transmissions();
  const cost = (nowUs: number): number => {
    const before = transmissions.examined;
    during(transmissions, nowUs, nowUs + 376, radios[0]!);
    return transmissions.examined - before;
  };
  for (let i = 0; i < 1000; i++) transmissions.note(100 * i, 100 * i + 376, radios[i % 4]!, 100 * i);
  const usual = cost(99_000);
  transmissions.note(100_000, 117_040, radios[0]!, 100_000);
  expect(cost(100_000)).toBeGreaterThan(10 * usual);
  for (let i = 1000; i < 2000; i++) transmissions.note(100 * i, 100 * i + 376, radios[i % 4]!, 100 * i);
  expect(cost(199_000)).toBe(usual);
});

test("what is over for longer than the longest packet takes is forgotten, and nothing before", () => {
  const transmissions = new Transmissions();
  transmissions.note(10_300, 10_676, radios[0]!, 10_000);
  const noteMany = (nowUs: number): void => {
    for (let i = 0; i < 64; i++) transmissions.note(nowUs, nowUs + 376, radios[1]!, nowUs);
  };
  noteMany(30_600);
  expect(during(transmissions, 10_300, 10_676, radios[1]!)).toEqual([radios[0]]);
  noteMany(60_000);
  expect(during(transmissions, 10_300, 10_676, radios[1]!)).toEqual([]);
  expect(during(transmissions, 60_000, 60_376, radios[0]!)).toHaveLength(64);
});
