import { expect, test } from "vitest";
import type { NightscoutLedger } from "../src/export/index.ts";
import { HOUR, PUMP, seededView } from "./memory-view.ts";
import { World } from "./nightscout/world.ts";
import { openStore, TemporaryFolder } from "./temporary-store.ts";

const T = Date.UTC(2026, 2, 28, 22);

test("with the ledger of the history database nothing is sent twice, over runs of the program", async () => {
  using folder = new TemporaryFolder();
  const path = folder.join("history.db");
  const world = new World({ nowMs: T + 5 * HOUR, view: seededView(4, { fromMs: T, days: 0.15 }), uploader: { firstUploadMs: 6 * HOUR } });
  {
    using store = await openStore(path);
    const ledger: NightscoutLedger = store.ledger;
    const controller = new AbortController();
    const fetch: typeof world.server.fetch = async (url, init) => {
      const response = await world.server.fetch(url, init);
      if (world.posts.length === 1) controller.abort(new Error("killed"));
      return response;
    };
    await expect(world.open({ ledger, fetch }).upload({ signal: controller.signal })).rejects.toThrow("killed");
  }
  {
    using store = await openStore(path);
    await world.open({ ledger: store.ledger }).upload();
    expect(world.found).toEqual(world.expected(T - HOUR, world.nowMs));
  }
  const before = world.posts.length;
  using store = await openStore(path);
  expect(await world.open({ ledger: store.ledger }).upload()).toMatchObject({ sent: { entries: 0, treatments: 0 } });
  expect(world.posts).toHaveLength(before);
  expect(world.server.violations).toEqual([]);
  expect(PUMP).toMatch(/^[0-9a-f]{16}$/);
});
