import { HOUR, MemoryView, seededView } from "../memory-view.ts";
import type { WorldOptions } from "./world.ts";

const T = Date.UTC(2026, 2, 28, 22);
export const NOW = T + 30 * HOUR;
/** More than a day with something of everything; little of it, since it is sent a few hundred times. */
const sparse = (() => {
  const { events } = seededView(8, { fromMs: T, days: 1.2 });
  const some = <E>(all: readonly E[], step: number): E[] => all.filter((_, i) => i % step === 0);
  return new MemoryView({
    glucose: some(events.glucose, 30),
    boluses: some(events.boluses, 5),
    meals: some(events.meals, 5),
    microBoluses: some(events.microBoluses, 90),
    suspensions: some(events.suspensions, 3),
    bloodGlucose: some(events.bloodGlucose, 3),
    status: events.status,
    loopTransitions: events.loopTransitions,
  });
})();
export const FROM = { v1: NOW - 30 * HOUR, v3: NOW - 20 * HOUR } as const;
export const options = (api: "v1" | "v3", more: Partial<WorldOptions> = {}): WorldOptions => ({
  nowMs: NOW,
  view: sparse,
  api,
  uploader: { firstUploadMs: NOW - FROM[api] },
  ...more,
});
