import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PumpStore, syncHistory } from "../apps/minimed/src/store/index.ts";
import { HistoryMaker, MadeSource } from "../apps/minimed/test/made-history.ts";
import type { Row } from "./harness.ts";

/** Of one transfer, and how many make a history. */
const PAGE = 400;
const PAGES = 50;
const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2031, 2, 12);
const CLOCK = { differenceS: 3600, atMs: NOW_MS };

/** A database of its own in a folder that is removed with the process. */
async function openStore(): Promise<PumpStore> {
  const folder = mkdtempSync(join(tmpdir(), "jelling-bench-"));
  const store = await PumpStore.open(join(folder, "pump.sqlite"), { wallClock: () => NOW_MS });
  process.once("exit", () => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return store;
}

export const storeRows: readonly Row[] = [
  {
    name: "pump store: pages of 400 records synchronized",
    unit: "pages",
    isOfWall: true, // each commit waits for the disk
    prepare: async () => {
      const store = await openStore();
      const { records } = new HistoryMaker({ local: "2030-03-02T00:00:00" }).days(PAGES * PAGE);
      let pumps = 0;
      return async (count) => {
        for (let left = count; left > 0; left -= PAGES) {
          const source = new MadeSource(records.slice(0, Math.min(left, PAGES) * PAGE), { pageSize: PAGE });
          await syncHistory(store.pump(`pump ${pumps++}`), source, { clockDifference: CLOCK });
        }
      };
    },
  },
  {
    name: "pump store: glucose of a day out of a year",
    unit: "days",
    prepare: async () => {
      const store = await openStore();
      const history = store.pump("pump");
      const { records } = new HistoryMaker({ local: "2030-03-02T00:00:00" }).days(100_000);
      await syncHistory(history, new MadeSource(records), { clockDifference: CLOCK });
      const lastMs = history.newestMs ?? NOW_MS;
      return (count) => {
        for (let i = 0; i < count; i++) {
          const toMs = lastMs - (i % 300) * DAY_MS;
          history.glucose({ fromMs: toMs - DAY_MS, toMs });
        }
      };
    },
  },
];
