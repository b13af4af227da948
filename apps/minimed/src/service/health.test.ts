import { expect, test } from "vitest";
import { type PartHealth, problemsOf, type ServiceHealth } from "./health.ts";

const NOW_MS = Date.UTC(2031, 2, 2, 12);
const ago = (minutes: number): string => new Date(NOW_MS - minutes * 60_000).toISOString();
const WELL: PartHealth = { state: "running", downSince: null, problem: null, failures: 0 };
const ALL: Omit<ServiceHealth, "status" | "problems"> = {
  startedAt: ago(600),
  uptimeS: 36_000,
  pump: { ...WELL, link: "ready", linkSince: ago(60), lastHeard: ago(2), lastReading: ago(4), lastReadingAgeS: 240, hint: null },
  store: { ...WELL, lastSync: ago(3), syncing: false, newRecords: 7 },
  page: WELL,
  nightscout: { ...WELL, lastUpload: ago(1), sent: 9 },
  homeAssistant: { ...WELL, connected: true, lastPublished: ago(1) },
};
const down = (state: PartHealth["state"], minutes: number, problem: string | null): PartHealth => ({
  state,
  downSince: ago(minutes),
  problem,
  failures: 3,
});

test.each<[string, Partial<typeof ALL>, string[]]>([
  ["all is well", {}, []],
  ["parts that are off", { page: { ...WELL, state: "off" }, nightscout: { ...ALL.nightscout, state: "off", lastUpload: null } }, []],
  ["a part that is down for a moment", { store: { ...ALL.store, ...down("failed", 9, "ERR_PUMP_STORE_IN_USE") } }, []],
  [
    "for longer",
    { store: { ...ALL.store, ...down("failed", 11, "ERR_PUMP_STORE_IN_USE") } },
    ["History database: it has not run for 11 min (ERR_PUMP_STORE_IN_USE)."],
  ],
  ["for hours", { page: down("failed", 180, null) }, ["Page: it has not run for 3 h."]],
  ["down since before the start", { startedAt: ago(5), page: down("failed", 60, null) }, []],
  ["one that waits", { homeAssistant: { ...ALL.homeAssistant, ...down("waiting", 100, null) } }, []],
  [
    "one that has given up",
    { nightscout: { ...ALL.nightscout, ...down("halted", 1, "ERR_X") } },
    ["Nightscout: it has stopped, and needs its user (ERR_X)."],
  ],
  ["one that runs and cannot", { store: { ...ALL.store, problem: "ERR_PUMP_STORE_FULL" } }, ["History database: ERR_PUMP_STORE_FULL."]],
  ["a pump that was not heard of", { pump: { ...ALL.pump, lastHeard: ago(31) } }, ["Pump: it was not heard of for 31 min."]],
  ["for 30 minutes it may be so", { pump: { ...ALL.pump, lastHeard: ago(30) } }, []],
  ["never", { pump: { ...ALL.pump, lastHeard: null } }, ["Pump: it was not heard of since the start."]],
  ["the same after a start a moment ago", { startedAt: ago(20), pump: { ...ALL.pump, lastHeard: ago(500) } }, []],
  [
    "a site that takes nothing",
    { nightscout: { ...ALL.nightscout, lastUpload: ago(45) } },
    ["Nightscout: nothing could be sent for 45 min."],
  ],
  [
    "several at once",
    { page: down("halted", 1, "E"), pump: { ...ALL.pump, lastHeard: ago(150) } },
    ["Page: it has stopped, and needs its user (E).", "Pump: it was not heard of for 2 h."],
  ],
])("%s", (_name, change, problems) => {
  expect(problemsOf({ ...ALL, ...change }, NOW_MS)).toEqual(problems);
});
