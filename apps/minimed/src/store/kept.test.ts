import { describe, expect, test } from "vitest";
import { HistoryMaker, MadeSource } from "../../test/made-history.ts";
import { EPOCH_MS, pumpState, pumpValues } from "../../test/pump-state.ts";
import { NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import type { PumpState } from "../live/state.ts";
import type { PumpHistory } from "./pump-history.ts";
import { syncHistory } from "./sync.ts";

const ALWAYS = { fromMs: 0, toMs: NOW_MS };

async function withHistory<T>(act: (history: PumpHistory) => Promise<T> | T): Promise<T> {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  return await act(store.pump(SERIAL));
}
const told = <T>(make: (maker: HistoryMaker) => unknown, look: (history: PumpHistory) => T): Promise<T> =>
  withHistory(async (history) => {
    const maker = new HistoryMaker().reference();
    make(maker);
    await syncHistory(history, new MadeSource(maker.records), { clockDifference: { differenceS: 3600, atMs: NOW_MS } });
    return look(history);
  });

test("gaps: what was not asked for yet is no loss; what the pump has overwritten meanwhile is; after a new numbering all is", () =>
  withHistory(async (history) => {
    const maker = new HistoryMaker();
    while (maker.records.length < 1000) maker.hour();
    const records = maker.records.slice(0, 1000);
    const source = new MadeSource(records, { pageSize: 400 });
    // One page comes, and afterwards nothing but the record by which it shows whether the numbers mean what they did.
    source.onTransfer = (first, last, transfers) => {
      if (transfers > 0 && first !== last) throw new Error("out of reach");
    };
    await expect(syncHistory(history, source, { order: "newest" })).rejects.toThrow("out of reach");
    const gap = (first: number, last: number, gone: boolean) => ({ segment: 0, first, last, gone });
    expect(history.gaps()).toEqual([gap(1, 600, false)]);
    source.records = records.slice(299);
    await expect(syncHistory(history, source, { order: "newest" })).rejects.toThrow("out of reach");
    expect(history.gaps()).toEqual([gap(1, 299, true), gap(300, 600, false)]);
    source.records = records.slice(600);
    source.onTransfer = undefined;
    await syncHistory(history, source, { order: "newest" });
    expect(history.gaps()).toEqual([gap(1, 600, true)]);
    const anew = new HistoryMaker({ local: "2031-05-01T00:00:00" }).hour();
    await syncHistory(history, new MadeSource(anew.records));
    expect(history.gaps()).toEqual([gap(1, 600, true)]);
    expect([...history.records()].filter(({ ref }) => ref.segment === 1)).toHaveLength(anew.records.length);
  }));

describe("events", () => {
  test("two boluses of one id, one after the other: each is joined with its own delivery", async () => {
    const boluses = await told(
      (maker) =>
        maker
          .programmed({ id: 3, fast: 1 })
          .pass(60)
          .delivered({ id: 3, fast: 1 })
          .pass(60)
          .programmed({ id: 3, fast: 2 })
          .pass(60)
          .delivered({ id: 3, fast: 2 }),
      (history) => history.boluses(ALWAYS),
    );
    expect(boluses.map(({ programmedIu, deliveredIu }) => [programmedIu?.fast, deliveredIu?.fast])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test("a temporary rate is a change though its number is the rate before, and so is its end", async () => {
    const changes = await told(
      (maker) =>
        maker
          .context({ rate: 0.8 })
          .pass(60)
          .context({ rate: 0.8 })
          .pass(60)
          .context({ rate: 0.8, temporary: [51, 0.8] })
          .pass(60)
          .context({ rate: 0.8 }),
      (history) => history.basal(ALWAYS).map(({ rate, source }) => [rate, source]),
    );
    expect(changes).toEqual([
      [0.8, "context"],
      [0.8, "temporary"],
      [0.8, "context"],
    ]);
  });

  test("a calibration without a value stands where it happened, among the values", async () => {
    const seen = await told(
      (maker) => maker.pass(60).fingerstick(0xf008, 120).pass(3600).fingerstick(0xf007, 130).pass(3600).fingerstick(0xf009, 140),
      (history) => history.bloodGlucose(ALWAYS).map(({ mgdl, calibration }) => [mgdl, calibration]),
    );
    expect(seen).toEqual([
      [120, "accepted"],
      [130, "none"],
      [140, "rejected"],
    ]);
  });
});

describe("a state of a pump", () => {
  const statusOf = (state: PumpState) =>
    withHistory((history) => {
      history.recordStatus(state);
      return history.status({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
    });

  test("that has nothing is kept as that, dated by when the last of it was read", async () => {
    const names = Object.keys(pumpValues(0)) as (keyof ReturnType<typeof pumpValues>)[];
    const nothing = Object.fromEntries(names.map((name) => [name, undefined]));
    const [kept] = await statusOf(pumpState(5000, nothing));
    const { atMs, ...values } = kept!;
    expect(atMs).toBe(EPOCH_MS + 5000);
    expect(Object.values(values).every((value) => value === undefined)).toBe(true);
  });

  test("with words that nobody knows keeps them as numbers; zero is a value", async () => {
    const status = { ...pumpValues(0).status, therapyControlState: 99, operationalState: 98, sensorMessage: 97, reservoirRemainingIu: 0 };
    const therapy = { ...pumpValues(0).therapy, shield: 96 };
    const [kept] = await statusOf(pumpState(0, { status: status as never, therapy, battery: 0, transmitterBattery: 0 }));
    expect(kept).toMatchObject({
      ...{ therapyState: "99", operationalState: "98", sensorMessage: "97", shield: "96" },
      ...{ reservoirIu: 0, batteryPercent: 0, transmitterBatteryPercent: 0 },
    });
  });
});
