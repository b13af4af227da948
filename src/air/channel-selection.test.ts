import { expect, test } from "vitest";
import { channelIdentifier, eventRandom, selectChannel } from "./channel-selection.ts";

// Sample data of Vol 6 Part C 3: access address 0x8E89BED6.

test("Channel Selection Algorithm #2 with all 37 channels (Vol 6 Part C 3.1)", () => {
  const identifier = channelIdentifier(0x8e89bed6);
  expect(identifier).toBe(0x305f);
  const all = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f);
  expect([1, 2, 3].map((counter) => eventRandom(identifier, counter))).toEqual([1685, 38301, 27475]);
  expect([0, 1, 2, 3].map((counter) => selectChannel(identifier, counter, all))).toEqual([25, 20, 6, 21]);
});

test("Channel Selection Algorithm #2 with nine channels (Vol 6 Part C 3.2)", () => {
  const identifier = channelIdentifier(0x8e89bed6);
  const nine = [9, 10, 21, 22, 23, 33, 34, 35, 36];
  const map = new Uint8Array(5);
  for (const channel of nine) map[channel >> 3]! |= 1 << (channel & 7);
  expect([6, 7, 8].map((counter) => eventRandom(identifier, counter))).toEqual([10975, 5490, 46970]);
  expect([6, 7, 8].map((counter) => selectChannel(identifier, counter, map))).toEqual([23, 9, 34]);
  for (let counter = 0; counter < 200; counter++) expect(nine).toContain(selectChannel(identifier, counter, map));
});
