import { expect, test } from "vitest";
import { forgetBorrowed, rememberBorrowed } from "./borrowed-adapters.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

test("signals are listened to once, from the first thing that is borrowed until the last is given back", () => {
  const before = SIGNALS.map((name) => process.listenerCount(name));
  const more = (): number[] => SIGNALS.map((name, i) => process.listenerCount(name) - before[i]!);
  const [first, second] = [{ giveBack: () => Promise.resolve() }, { giveBack: () => Promise.resolve() }];
  rememberBorrowed(first);
  rememberBorrowed(second);
  expect(more()).toEqual([1, 1, 1]);
  forgetBorrowed(first);
  forgetBorrowed(first);
  expect(more()).toEqual([1, 1, 1]);
  forgetBorrowed(second);
  expect(more()).toEqual([0, 0, 0]);
});
