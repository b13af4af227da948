import { delay, VirtualClock } from "jelling/async";
import { expect, test } from "vitest";
import { SilenceWatch } from "./silence-watch.ts";

const MINUTE_MS = 60_000;

test("a pump that answers is asked every five minutes of silence, and never given up", async () => {
  using clock = new VirtualClock();
  const probes: number[] = [];
  let gone = 0;
  using watch = new SilenceWatch({
    clock,
    probe: () => {
      probes.push(clock.now() / MINUTE_MS);
      watch.onHeard();
    },
    onSilent: () => gone++,
  });
  await delay(clock, 2 * MINUTE_MS);
  watch.onHeard();
  await delay(clock, 31 * MINUTE_MS);
  expect([probes, gone]).toEqual([[7, 12, 17, 22, 27, 32], 0]);
});

test("a pump of which nothing comes is given up after fifteen minutes, once, however often it was asked", async () => {
  using clock = new VirtualClock();
  const told: string[] = [];
  const note = (what: string) => () => void told.push(`${what} ${clock.now() / MINUTE_MS}`);
  using watch = new SilenceWatch({ clock, probe: note("probe"), onSilent: note("gone") });
  await delay(clock, MINUTE_MS);
  watch.onHeard();
  await delay(clock, 60 * MINUTE_MS);
  expect(told).toEqual(["probe 6", "probe 11", "gone 16"]);
});

test("what is over asks nothing", async () => {
  using clock = new VirtualClock();
  let told = 0;
  const watch = new SilenceWatch({ clock, probe: () => told++, onSilent: () => told++ });
  watch[Symbol.dispose]();
  await delay(clock, 60 * MINUTE_MS);
  expect(told).toBe(0);
});
