import { expect, test } from "vitest";
import { airTimeUs, octetsInTime, Phy } from "./phy.ts";

test.each([
  ["LE 1M", Phy.Le1M, [80, 296, 2088, 2120]],
  ["LE 2M", Phy.Le2M, [44, 152, 1048, 1064]],
  ["LE Coded S=2", Phy.LeCodedS2, [462, 894, 4478, 4542]],
  ["LE Coded S=8", Phy.LeCodedS8, [720, 2448, 16784, 17040]],
] as const)("air time of packets of 0, 27, 251 and 255 octets on %s", (_, phy, times) => {
  expect([0, 27, 251, 255].map((octets) => airTimeUs(phy, octets))).toEqual(times);
});

test("what fits into maxTxTime, MIC counted: 328 us on LE 1M is 27 octets, 2120 us is 251 (Vol 6 Part B 4.5.10)", () => {
  expect(octetsInTime(Phy.Le1M, 328)).toBe(27);
  expect(octetsInTime(Phy.Le1M, 2120)).toBe(251);
  expect(octetsInTime(Phy.Le2M, 1064)).toBe(251);
  expect(octetsInTime(Phy.LeCodedS8, 2704)).toBe(27);
  expect(octetsInTime(Phy.LeCodedS8, 17040)).toBe(251);
});
