import { describe, expect, test } from "vitest";
import { HistoryMaker, MadeSource } from "../../test/made-history.ts";
import { NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import type { PumpHistory } from "./pump-history.ts";
import { syncHistory } from "./sync.ts";

const ALWAYS = { fromMs: 0, toMs: NOW_MS };
const START_MS = Date.UTC(2031, 2, 2) - 3_600_000;
const minutes = (count: number): number => START_MS + 60_000 * count;

/** A store with such a history, of a pump an hour ahead of UTC. */
async function told<T>(make: (maker: HistoryMaker) => unknown, look: (history: PumpHistory) => T): Promise<T> {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  const maker = new HistoryMaker().reference();
  make(maker);
  const history = store.pump(SERIAL);
  await syncHistory(history, new MadeSource(maker.records, { pageSize: 7 }), { clockDifference: { differenceS: 3600, atMs: NOW_MS } });
  return look(history);
}
const ref = (history: PumpHistory, sequenceNumber: number) => ({ pump: history.pump, segment: 0, sequenceNumber });

describe("boluses", () => {
  test("are what was programmed joined with what was delivered", async () => {
    const [boluses, expected] = await told(
      (maker) =>
        maker
          .pass(300)
          .programmed({ id: 7, fast: 2.5 })
          .meal(30)
          .pass(120)
          .delivered({ id: 7, fast: 2.5 })
          .pass(480)
          .programmed({ id: 8, kind: 255, fast: 1, extended: 3, minutes: 120, activation: 90 })
          .pass(3600)
          .delivered({ id: 8, kind: 85, fast: 1, extended: 1.5, minutes: 60, end: 60, activation: 90 })
          .pass(60)
          .programmed({ id: 9, kind: 99, fast: 1 }),
      (history) => [
        history.boluses(ALWAYS),
        [
          {
            ref: ref(history, 2),
            atMs: minutes(5),
            local: "2031-03-02T00:05:00",
            bolusId: 7,
            kind: "fast",
            automatic: false,
            programmedIu: { fast: 2.5, extended: 0 },
            deliveredIu: { fast: 2.5, extended: 0 },
            durationMin: 0,
            endReason: "delivered",
          },
          {
            ref: ref(history, 7),
            atMs: minutes(15),
            local: "2031-03-02T00:15:00",
            bolusId: 8,
            kind: "multiwave",
            automatic: true,
            programmedIu: { fast: 1, extended: 3 },
            deliveredIu: { fast: 1, extended: 1.5 },
            durationMin: 120,
            endReason: "canceled",
          },
          {
            ref: ref(history, 11),
            atMs: minutes(76),
            local: "2031-03-02T01:16:00",
            bolusId: 9,
            kind: "unknown",
            automatic: false,
            programmedIu: { fast: 1, extended: 0 },
            deliveredIu: undefined,
            durationMin: 0,
            endReason: undefined,
          },
        ],
      ],
    );
    expect(boluses).toEqual(expected);
  });

  test("ids wrap, a delivery may be all that is left, and a second part belongs to the first of the same moment", async () => {
    const boluses = await told(
      (maker) =>
        maker
          .delivered({ id: 3, fast: 1 })
          .programmed({ id: 3, fast: 2 })
          .pass(60)
          .reference()
          .pass(50_000)
          .reference()
          .pass(40_000)
          .delivered({ id: 3, fast: 2 })
          .programmed({ id: 4, fast: 4 })
          .programmed({ id: 4, fast: 5 })
          .delivered({ id: 4, fast: 5 })
          .bolusPart1(90, { id: 5, fast: 1 })
          .pass(1)
          .record(102, [4, 90]),
      (history) => history.boluses(ALWAYS),
    );
    expect(
      boluses.map(({ bolusId, programmedIu, deliveredIu, automatic }) => [bolusId, programmedIu?.fast, deliveredIu?.fast, automatic]),
    ).toEqual([
      [3, undefined, 1, false],
      [3, 2, undefined, false],
      [3, undefined, 2, false],
      [4, 4, undefined, false],
      [4, 5, 5, false],
      [5, 1, undefined, false],
    ]);
  });

  test("belong to the range in which they began", async () => {
    const counts = await told(
      (maker) =>
        maker.pass(600).programmed({ id: 1, extended: 2, kind: 60, minutes: 60 }).pass(3600).delivered({ id: 1, extended: 2, kind: 60 }),
      (history) => {
        const between = (from: number, to: number) => history.boluses({ fromMs: minutes(from), toMs: minutes(to) });
        return [between(0, 10), between(10, 11), between(11, 200)].map((found) => found.map(({ deliveredIu }) => deliveredIu?.extended));
      },
    );
    expect(counts).toEqual([[], [2], []]);
  });
});

test("micro boluses, meals, and the basal rate where it changes", async () => {
  const seen = await told(
    (maker) =>
      maker
        .context({ rate: 0.8 })
        .pass(300)
        .microBolus(1, 0.05)
        .pass(300)
        .microBolus(2, 0)
        .record(0xf001, [3, 0xff, 0xff, 0x7f, 0]) // not a number
        .meal(0)
        .meal(45)
        .pass(3000)
        .reference()
        .context({ rate: 0.8 })
        .pass(60)
        .basalRate(0.8, 1.2)
        .basalRate(0.8, 1.2)
        .pass(60)
        .context({ rate: 1.2, temporary: [51, 0.4] })
        .pass(60)
        .context({ rate: 1.2, temporary: [60, 0.5] })
        .pass(60)
        .context({ rate: 1.2 })
        .context({ temporary: [60, 0.5] }),
    (history) => ({
      micro: history.microBoluses(ALWAYS).map(({ atMs, amountIu }) => [atMs, amountIu]),
      meals: history.meals(ALWAYS).map(({ ref: { sequenceNumber }, atMs, carbohydratesG }) => [sequenceNumber, atMs, carbohydratesG]),
      basal: history.basal(ALWAYS).map(({ atMs, rate, source }) => [atMs, rate, source]),
      later: history.basal({ fromMs: minutes(59), toMs: minutes(62) }).map(({ rate }) => rate),
    }),
  );
  expect(seen).toEqual({
    micro: [
      [minutes(5), 0.05],
      [minutes(10), 0],
    ],
    meals: [[7, minutes(10), 45]],
    basal: [
      [minutes(0), 0.8, "context"],
      [minutes(61), 1.2, "delivered"],
      [minutes(62), 0.4, "temporary"],
      [minutes(63), 0.6, "temporary"],
      [minutes(64), 1.2, "context"],
    ],
    later: [1.2], // the rate before the range is known, so that what repeats it is no change
  });
});

test("fingersticks, each once, with the calibration that they served", async () => {
  const values = await told(
    (maker) =>
      maker
        .pass(1200)
        .fingerstick(0xf007, 113, 2)
        .fingerstick(0xf008, 113, 2)
        .pass(600)
        .fingerstick(0xf007, 90)
        .fingerstick(0xf009, 90)
        .pass(600)
        .fingerstick(0xf007, 91)
        .pass(1200)
        .fingerstick(0xf008, 91)
        .record(0xf007, [0, 0, 0xff, 0x07]),
    (history) => history.bloodGlucose(ALWAYS).map(({ atMs, mgdl, calibration }) => [atMs, mgdl, calibration]),
  );
  expect(values).toEqual([
    [minutes(18), 113, "accepted"],
    [minutes(30), 90, "rejected"],
    [minutes(40), 91, "none"],
    [minutes(60), 91, "accepted"],
  ]);
});

test("alarms from raised to cleared; ids wrap", async () => {
  const alerts = await told(
    (maker) =>
      maker
        .pass(60)
        .alert(5, 8)
        .pass(60)
        .alert(5, 8) // its state: the same alarm
        .alert(6, 4000)
        .pass(60)
        .clearAlert(5)
        .pass(60)
        .alert(5, 104)
        .clearAlert(77)
        .record(0xf010, [0, 8, 0, 0x34, 0x12, 51, 0, 0, 0, 0])
        .record(0xf010, [0]),
    (history) =>
      history.alerts(ALWAYS).map(({ atMs, instanceId, code, name, clearedAtMs }) => ({ atMs, instanceId, code, name, clearedAtMs })),
  );
  expect(alerts).toEqual([
    { atMs: minutes(1), instanceId: 5, code: 8, name: "device_fault", clearedAtMs: minutes(3) },
    { atMs: minutes(2), instanceId: 6, code: 4000, name: undefined, clearedAtMs: undefined },
    { atMs: minutes(4), instanceId: 5, code: 104, name: "low_pump_battery", clearedAtMs: undefined },
    { atMs: minutes(4), instanceId: 8, code: undefined, name: undefined, clearedAtMs: undefined },
  ]);
});

test("suspensions, closed loop, clock changes", async () => {
  const seen = await told(
    (maker) =>
      maker
        .pass(60)
        .stop(2)
        .pass(600)
        .restart(1)
        .pass(60)
        .stop(4)
        .pass(60)
        .stop(1)
        .pass(60)
        .restart(99)
        .stop(77)
        .loop(0)
        .pass(60)
        .loop(4)
        .record(0xf002, [])
        .setClock("2031-03-02T02:00:00")
        .pass(60)
        .reference(),
    (history) => ({
      suspensions: history.suspensions(ALWAYS).map(({ atMs, reason, endedAtMs, endReason }) => [atMs, reason, endedAtMs, endReason]),
      loop: history.loopTransitions(ALWAYS).map(({ active, reason }) => [active, reason]),
      clock: history.clockChanges(ALWAYS).map(({ local, reason }) => [local, reason]),
    }),
  );
  expect(
    seen.suspensions.map(([atMs, reason, endedAtMs, endReason]) => [
      (atMs as number) - (seen.suspensions[0]![0] as number),
      reason,
      endedAtMs && (endedAtMs as number) - (atMs as number),
      endReason,
    ]),
  ).toEqual([
    [0, "user_suspended", 600_000, "user_selects_resume"],
    [660_000, "low_sg_suspended", 60_000, "stopped_anew"],
    [720_000, "alarm_suspended", 60_000, "99"],
    [780_000, "77", undefined, undefined],
  ]);
  expect(seen.loop).toEqual([
    [true, "into_si_pass"],
    [false, "out_high_sg"],
  ]);
  expect(seen.clock).toEqual([["2031-03-02T02:00:00", "set_date_time"]]);
});

test("glucose: values, codes, and 0 as no value", async () => {
  const points = await told(
    (maker) =>
      maker
        .pass(600)
        .glucose(120, 5)
        .pass(300)
        .glucose(0)
        .pass(300)
        .glucose(0x301)
        .pass(300)
        .glucose(0x303)
        .pass(300)
        .glucose(0x308)
        .pass(300)
        .glucose(0x30d)
        .pass(300)
        .glucose(0x3ff),
    (history) => [history.glucose(ALWAYS), history.newestMs, ref(history, 2)] as const,
  );
  expect(points[0].map(({ atMs, mgdl, cause, trendMgdlPerMin }) => [atMs, mgdl, cause, trendMgdlPerMin])).toEqual([
    [minutes(5), 120, undefined, undefined],
    [minutes(15), undefined, "unknown", undefined],
    [minutes(20), undefined, "warm_up", undefined],
    [minutes(25), undefined, "updating", undefined],
    [minutes(30), undefined, "above_range", undefined],
    [minutes(35), undefined, "below_range", undefined],
    [minutes(40), undefined, "unknown", undefined],
  ]);
  expect(points[0][0]).toMatchObject({ local: "2031-03-02T00:05:00", ref: points[2] });
  expect(points[1]).toBe(minutes(5));
});

test("ranges include their beginning and not their end, in every view", async () => {
  const counts = await told(
    (maker) => {
      maker.pass(600);
      maker.glucose(100).microBolus(1, 0.1).basalRate(0.1, 0.5).meal(9).fingerstick(0xf007, 100).alert(1, 8).stop(2).loop(0);
      maker.programmed({ id: 1, fast: 1 });
    },
    (history) => {
      const views = [
        "glucose",
        "microBoluses",
        "basal",
        "meals",
        "bloodGlucose",
        "alerts",
        "suspensions",
        "loopTransitions",
        "boluses",
      ] as const;
      const count = (fromMs: number, toMs: number) => views.map((view) => history[view]({ fromMs, toMs }).length);
      return [count(minutes(0), minutes(10)), count(minutes(10), minutes(10) + 1), count(minutes(10) + 1, minutes(20))];
    },
  );
  expect(counts).toEqual([Array(9).fill(0), Array(9).fill(1), Array(9).fill(0)]);
});

test("records of any kind can be had, by number, time, type", async () => {
  const seen = await told(
    (maker) => {
      maker.days(600).record(0x7777, [1]);
    },
    (history) => {
      const numbers = (range: Parameters<PumpHistory["records"]>[0]) =>
        [...history.records(range)].map(({ ref: { sequenceNumber } }) => sequenceNumber);
      return {
        all: numbers({}).length === history.recordCount && numbers({}).every((number, i) => number === i + 1),
        some: numbers({ segment: 0, first: 5, last: 8 }),
        other: numbers({ segment: 1 }),
        unknown: numbers({ types: [0x7777] }).length,
        references: [...history.records({ types: [0xf00e], fromMs: minutes(0), toMs: minutes(61) })].map(({ record, local }) => [
          record.eventName,
          local,
        ]),
      };
    },
  );
  expect(seen).toEqual({
    all: true,
    some: [5, 6, 7, 8],
    other: [],
    unknown: 1,
    references: [
      ["ngp_reference_time", "2031-03-02T00:00:00"],
      ["ngp_reference_time", "2031-03-02T00:00:00"],
    ],
  });
});

test("the decoded forms can be made again from the octets, and instants stay", async () => {
  using folder = new TemporaryFolder();
  let break_: (() => void) | undefined;
  const onOpen = (db: { run(sql: string): unknown }): void => {
    break_ = () =>
      void db.run(
        "UPDATE record SET parser = 0, amount = 1, amount2 = 2, number = 3, number2 = 4, word = 'x', word2 = 'y', problem = 'crc'",
      );
  };
  using store = await openStore(folder.join("pump.sqlite"), {}, { onOpen });
  const history = store.pump(SERIAL);
  const maker = new HistoryMaker()
    .days(2100)
    .programmed({ id: 1, fast: 2 })
    .delivered({ id: 1, fast: 2 })
    .alert(1, 8)
    .loop(0)
    .stop(2)
    .record(0xf005, [1]);
  await syncHistory(history, new MadeSource(maker.records), { clockDifference: { differenceS: 0, atMs: NOW_MS } });
  const all = () => ({
    glucose: history.glucose(ALWAYS),
    boluses: history.boluses(ALWAYS),
    meals: history.meals(ALWAYS),
    alerts: history.alerts(ALWAYS),
  });
  const before = all();
  expect(history.reparse()).toBe(0);
  break_!();
  expect(all()).not.toEqual(before);
  expect(history.reparse()).toBe(maker.records.length);
  expect(all()).toEqual(before);
});

test("the views that other programs see hold the same", async () => {
  using folder = new TemporaryFolder();
  let ask: ((sql: string) => Record<string, unknown>[]) | undefined;
  const onOpen = (db: { all(sql: string): Record<string, unknown>[] }): void => {
    ask = (sql) => db.all(sql);
  };
  using store = await openStore(folder.join("pump.sqlite"), {}, { onOpen });
  const history = store.pump(SERIAL);
  const maker = new HistoryMaker().hour().setClock("2031-03-02T09:00:00").pass(60).glucose(100);
  maker
    .programmed({ id: 1, fast: 2 })
    .meal(12)
    .pass(60)
    .delivered({ id: 1, fast: 1.5 })
    .microBolus(1, 0.1)
    .alert(1, 8)
    .pass(60)
    .clearAlert(1)
    .stop(2)
    .pass(60)
    .restart(1);
  await syncHistory(history, new MadeSource(maker.records), { clockDifference: { differenceS: 0, atMs: NOW_MS } });
  expect(ask!("SELECT mgdl, local_time, elapsed_s FROM glucose ORDER BY seq DESC LIMIT 1")).toEqual([
    { mgdl: 100, local_time: "2031-03-02 09:01:00", elapsed_s: 3660 },
  ]);
  expect(ask!("SELECT programmed_fast_iu, delivered_fast_iu, kind FROM bolus")).toEqual([
    { programmed_fast_iu: 2, delivered_fast_iu: 1.5, kind: "fast" },
  ]);
  for (const view of ["meal", "micro_bolus", "basal", "alert", "suspension"])
    expect([view, ask!(`SELECT * FROM ${view}`).length]).toEqual([view, 1]);
  expect(ask!("SELECT cleared_ms FROM alert")[0]!.cleared_ms).toBe(history.alerts(ALWAYS)[0]!.clearedAtMs);
  expect(ask!("SELECT ended_ms FROM suspension")[0]!.ended_ms).toBe(history.suspensions(ALWAYS)[0]!.endedAtMs);
});

test("a change of the clock that a page's edge hides is found when the other page comes", async () => {
  const maker = new HistoryMaker().hour();
  maker.setClock("2031-03-02T05:00:00");
  const edge = maker.records.length;
  maker.pass(60).glucose(100).pass(300).glucose(110).pass(3240).reference().glucose(120);
  expect(maker.records[edge - 1]!.record.data).toMatchObject({ reason: "set_date_time" });
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  const history = store.pump(SERIAL);
  const clockDifference = { differenceS: 0, atMs: NOW_MS };
  await syncHistory(history, new MadeSource(maker.records.slice(edge)), { clockDifference });
  expect(history.glucose(ALWAYS).map(({ mgdl }) => mgdl)).toEqual([120]); // the others wait for their reference
  await syncHistory(history, new MadeSource(maker.records), { clockDifference, order: "newest" });
  const times = history.glucose(ALWAYS).map(({ atMs }) => atMs);
  expect(times.slice(-3)).toEqual(["05:01", "05:06", "06:00"].map((time) => Date.parse(`2031-03-02T${time}:00Z`)));
  expect(times.slice(1, 12).every((at, i) => at - times[i]! === 300_000)).toBe(true);
});
