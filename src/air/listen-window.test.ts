import { expect, test } from "vitest";
import { ListenWindow } from "./listen-window.ts";

const window = new ListenWindow(1000, 100, 30); // open from 1000 to 1030, 1100 to 1130, ...

test.each([
  [0, 1000, 1030, true],
  [0, 999, 1010, false],
  [0, 1000, 1031, false],
  [1, 1000, 1030, false],
  [1, 1100, 1130, true],
  [2, 1205, 1210, true],
  [0, 1300, 1301, true],
  [0, 1340, 1350, false],
])("channel %i, %i to %i is heard: %s", (channel, startUs, endUs, is) => {
  expect(window.hears(channel, startUs, endUs)).toBe(is);
});

test.each([
  [1000, 1030, true],
  [1110, 1120, true],
  [1110, 1131, false],
  [990, 1001, false],
  [1040, 1050, false],
])("%i to %i lies inside a window: %s", (startUs, endUs, is) => {
  expect(window.isOpen(startUs, endUs)).toBe(is);
});

test.each([
  [0, 1000, false],
  [0, 1001, true],
  [1029, 1040, true],
  [1030, 1040, false],
  [1030, 1100, false],
  [1030, 1101, true],
  [1030, 1500, true],
  [1105, 1106, true],
])("%i to %i touches a window: %s", (startUs, endUs, is) => {
  expect(window.overlaps(startUs, endUs)).toBe(is);
});

test("the channels during a time are those on which something within it is heard", () => {
  for (const [intervalUs, windowUs] of [
    [100, 30],
    [100, 100],
    [7, 3],
  ] as const)
    for (let startUs = 980; startUs < 1320; startUs += 3)
      for (const length of [1, 5, 40, 130]) {
        // A window that was asked about something else before answers the same.
        const other = new ListenWindow(1000, intervalUs, windowUs);
        other.hears(0, 1000 + ((startUs * 7) % 300), 2000);
        let channels = 0;
        for (let at = startUs; at < startUs + length; at++)
          for (let channel = 0; channel < 3; channel++) if (other.hears(channel, at, at + 1)) channels |= 1 << channel;
        expect(other.channelsDuring(startUs, startUs + length), `${intervalUs} ${startUs} ${length}`).toBe(channels);
      }
});
