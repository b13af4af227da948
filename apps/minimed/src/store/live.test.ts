import { describe, expect, test } from "vitest";
import { HistoryMaker, MadeSource } from "../../test/made-history.ts";
import { NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import type { GlucoseReading, NoGlucoseValue } from "../connector/reading.ts";
import { addSeconds, type LocalDateTime, parseLocal, secondsBetween } from "../data/date-time.ts";
import type { NightscoutLedger } from "../export/ledger.ts";
import type { PumpState, Told } from "../live/state.ts";
import { syncHistory } from "./sync.ts";

const ALWAYS = { fromMs: 0, toMs: NOW_MS };
/** The program's clock counts from there. */
const EPOCH_MS = Date.UTC(2031, 2, 2);
const SESSION = "2031-03-01T12:00:00";
const clock = (local: string, atMs: number): Told<LocalDateTime> => ({ value: parseLocal(local), atMs });
const utc = (local: string): number => Date.parse(`${local}Z`) - 3_600_000;

function reading(
  offsetMin: number,
  mgdl: number | undefined,
  more: Partial<NoGlucoseValue> & { trend?: number } = {},
): GlucoseReading | NoGlucoseValue {
  const takenAt = addSeconds(parseLocal(SESSION), 60 * offsetMin);
  const base = {
    timeOffsetMin: offsetMin,
    takenAt,
    takenAtMs: utcOf(takenAt) - EPOCH_MS + 17_000,
    receivedAtMs: utcOf(takenAt) - EPOCH_MS + 90_000,
    state: { status: [], calibration: [], warning: [] },
    quality: 10,
    ...more,
  };
  if (mgdl === undefined) return { kind: "no-value", ...base };
  return { kind: "reading", ...base, mgdl, mmolPerLitre: 5, trendMgdlPerMin: more.trend, arrows: 0 };
}
const utcOf = (local: LocalDateTime): number => secondsBetween(parseLocal("1970-01-01T00:00:00"), local) * 1000 - 3_600_000;

const state = (values: PumpState["values"]): PumpState => ({
  epochMs: EPOCH_MS,
  link: { kind: "ready", sinceMs: 0 },
  heardAtMs: 0,
  hint: undefined,
  values,
});

async function withHistory<T>(
  act: (history: Awaited<ReturnType<typeof openStore>>["pump"] extends (serial: string) => infer H ? H : never) => Promise<T> | T,
) {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  return await act(store.pump(SERIAL));
}

describe("live readings", () => {
  test("are kept once, however often they are read, and dated by the pump's clock", () =>
    withHistory((history) => {
      history.recordClock({ differenceS: 3603, atMs: EPOCH_MS });
      for (let i = 0; i < 3; i++) history.recordReading(reading(750, 123, { trend: -1.5 }), EPOCH_MS);
      history.recordReading(reading(755, undefined), EPOCH_MS);
      history.recordReading({ kind: "no-sensor", receivedAtMs: 5 }, EPOCH_MS);
      expect(history.glucose(ALWAYS)).toEqual([
        {
          ref: undefined,
          atMs: utc("2031-03-02T00:30:00"),
          local: "2031-03-02T00:30:00",
          mgdl: 123,
          cause: undefined,
          trendMgdlPerMin: -1.5,
        },
        {
          ref: undefined,
          atMs: utc("2031-03-02T00:35:00"),
          local: "2031-03-02T00:35:00",
          mgdl: undefined,
          cause: "unknown",
          trendMgdlPerMin: undefined,
        },
      ]);
      // A value that the pump knew only later; one that is there stays.
      history.recordReading(reading(755, 99), EPOCH_MS);
      history.recordReading(reading(755, undefined), EPOCH_MS);
      history.recordReading(reading(755, 98), EPOCH_MS);
      expect(history.glucose(ALWAYS).map(({ mgdl, cause }) => [mgdl, cause])).toEqual([
        [123, undefined],
        [99, undefined],
      ]);
      expect(history.newestMs).toBe(utc("2031-03-02T00:35:00"));
    }));

  test("without the pump's clock are dated by when they were taken or came", () =>
    withHistory((history) => {
      history.recordReading(reading(750, 123), EPOCH_MS);
      history.recordReading(reading(755, 124, { takenAt: undefined, takenAtMs: undefined }), EPOCH_MS);
      history.recordReading(reading(755, 124, { takenAt: undefined, takenAtMs: undefined }), EPOCH_MS);
      expect(history.glucose(ALWAYS).map(({ atMs, local }) => [atMs, local])).toEqual([
        [utc("2031-03-02T00:30:17"), "2031-03-02T00:30:00"],
        [utc("2031-03-02T00:36:30"), undefined],
      ]);
    }));

  test.each([
    [{ state: { status: [], calibration: [], warning: ["below_device_range"] } }, undefined, "below_range"],
    [{ state: { status: [], calibration: [], warning: ["above_device_range"] } }, "warm_up", "above_range"],
    [{}, "warm_up", "warm_up"],
    [{}, "searching_for_signal", "signal_lost"],
    [{}, "change_sensor", "change_sensor"],
    [{}, "no_message", "unknown"],
    [{}, 77, "unknown"],
    [{ state: { status: [], calibration: ["calibration_required"], warning: [] } }, "no_message", "calibration_required"],
    [{ state: { status: ["session_stopped"], calibration: [], warning: [] } }, undefined, "no_sensor"],
  ] as const)("without a value tell why: %o, %s", (more, sensorMessage, cause) =>
    withHistory((history) => {
      const glucose = { value: reading(750, undefined, more as never), atMs: 0 };
      const status = sensorMessage === undefined ? {} : { status: { value: { ...STATUS, sensorMessage }, atMs: 0 } };
      history.recordStatus(state({ glucose, ...status }));
      expect(history.glucose(ALWAYS).map((point) => point.cause)).toEqual([cause]);
    }),
  );

  test("and the history's record of the same sample are one point, dated by what came first", () =>
    withHistory(async (history) => {
      history.recordClock({ differenceS: 3600, atMs: EPOCH_MS });
      const maker = new HistoryMaker({ local: "2031-03-02T00:00:40" }).reference();
      for (const mgdl of [100, 110, 120]) maker.pass(300).glucose(mgdl);
      history.recordReading(reading(725, 111, { trend: 2 }), EPOCH_MS); // 0:05
      history.recordReading(reading(727, 50), EPOCH_MS); // of no record
      await syncHistory(history, new MadeSource(maker.records));
      history.recordReading(reading(735, 121, { trend: 1 }), EPOCH_MS); // 0:15, and the history has it
      expect(
        history.glucose(ALWAYS).map(({ ref, atMs, mgdl, trendMgdlPerMin }) => [ref?.sequenceNumber, atMs, mgdl, trendMgdlPerMin]),
      ).toEqual([
        [2, utc("2031-03-02T00:05:00"), 100, 2],
        [undefined, utc("2031-03-02T00:07:00"), 50, undefined],
        [3, utc("2031-03-02T00:10:40"), 110, undefined],
        [4, utc("2031-03-02T00:15:40"), 120, 1],
      ]);
    }));
});

const STATUS = {
  therapyControlState: "run",
  operationalState: "ready",
  reservoirRemainingIu: 120,
  reservoirAttached: true,
  sensorConnectivity: [],
  sensorConnectivityBits: 0,
  sensorMessage: "no_message",
} as const;

describe("a pump's state", () => {
  const values = (iob: number, atMs: number): PumpState["values"] => ({
    clock: clock("2031-03-02T01:00:05", 0),
    battery: { value: 50, atMs },
    status: { value: STATUS, atMs },
    insulinOnBoard: {
      value: { insulinOnBoardIu: iob, remainingDurationMin: 10, partialStatusDurationMin: undefined, partialStatusRemaining: undefined },
      atMs: atMs + 1000,
    },
    sensorSession: {
      value: {
        start: { local: parseLocal(SESSION), timeZoneMin: undefined, dstOffsetMin: undefined, utc: undefined },
        runTimeHours: 170,
        remainingMs: 5,
      },
      atMs,
    },
  });

  test("is kept at every change", () =>
    withHistory((history) => {
      history.recordStatus(state({}));
      expect(history.status(ALWAYS)).toEqual([]);
      history.recordStatus(state(values(2, 1000)));
      history.recordStatus(state(values(2, 61_000)));
      history.recordStatus(state(values(1.5, 121_000)));
      expect(history.status(ALWAYS)).toEqual([
        {
          atMs: EPOCH_MS + 2000,
          insulinOnBoardIu: 2,
          reservoirIu: 120,
          batteryPercent: 50,
          transmitterBatteryPercent: undefined,
          therapyState: "run",
          operationalState: "ready",
          sensorMessage: "no_message",
          shield: undefined,
        },
        expect.objectContaining({ atMs: EPOCH_MS + 122_000, insulinOnBoardIu: 1.5 }) as object,
      ]);
    }));

  test("tells the start of a sensor, once", () =>
    withHistory((history) => {
      history.recordStatus(state(values(2, 1000)));
      // The pump's clock drifts, and is set: the sensor's start is the same.
      history.recordStatus(state({ ...values(2, 1000), clock: clock("2031-03-02T01:01:30", 1000) }));
      expect(history.sensorStarts(ALWAYS)).toEqual([{ atMs: utc(SESSION), local: SESSION, runTimeHours: 170 }]);
      const next = {
        start: { local: parseLocal("2031-03-02T00:30:00"), timeZoneMin: undefined, dstOffsetMin: undefined, utc: undefined },
        runTimeHours: undefined,
        remainingMs: 5,
      };
      history.recordStatus(state({ clock: clock("2031-03-02T01:00:05", 0), sensorSession: { value: next, atMs: 0 } }));
      history.recordStatus(
        state({ clock: clock("2031-03-02T01:00:05", 0), sensorSession: { value: { ...next, runTimeHours: 168 }, atMs: 0 } }),
      );
      expect(history.sensorStarts(ALWAYS).map(({ local, runTimeHours }) => [local, runTimeHours])).toEqual([
        [SESSION, 170],
        ["2031-03-02T00:30:00", 168],
      ]);
    }));

  test("dates the history by its clock", () =>
    withHistory(async (history) => {
      history.recordStatus(state(values(2, 1000)));
      await syncHistory(history, new MadeSource(new HistoryMaker().hour().records));
      expect(history.glucose(ALWAYS)[0]!.atMs).toBe(utc(history.glucose(ALWAYS)[0]!.local!));
    }));
});

test("links are noted, one that a crash ended too", async () => {
  using folder = new TemporaryFolder();
  let ask: ((sql: string) => Record<string, unknown>[]) | undefined;
  const onOpen = (db: { all(sql: string): Record<string, unknown>[] }): void => {
    ask = (sql) => db.all(sql);
  };
  using store = await openStore(folder.join("pump.sqlite"), {}, { onOpen });
  const history = store.pump(SERIAL);
  history.beginLink(1000);
  history.recordClock({ differenceS: 3599.6, atMs: 1500.4 });
  history.endLink("the pump left", 2000);
  history.beginLink(3000);
  history.recordClock({ differenceS: 3601, atMs: 3500 });
  history.beginLink(5000);
  history.endLink("closed", 6000);
  expect(ask!("SELECT start_ms, end_ms, reason, clock_difference_s, measured_ms FROM link_session ORDER BY id")).toEqual([
    { start_ms: 1000, end_ms: 2000, reason: "the pump left", clock_difference_s: 3600, measured_ms: 1500 },
    { start_ms: 3000, end_ms: 3500, reason: "not_recorded", clock_difference_s: 3601, measured_ms: 3500 },
    { start_ms: 5000, end_ms: 6000, reason: "closed", clock_difference_s: null, measured_ms: null },
  ]);
  for (const measurement of [
    undefined,
    {},
    { differenceS: Number.NaN, atMs: 0 },
    { differenceS: 0, atMs: "0" },
    { differenceS: 0, atMs: 0, x: 0 },
  ])
    expect(() => history.recordClock(measurement as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("the ledger keeps what was sent where, whole batches only", async () => {
  using folder = new TemporaryFolder();
  const path = folder.join("pump.sqlite");
  const row = (identifier: string, atMs: number, kind = "sgv") => ({
    identifier,
    kind,
    atMs,
    hash: "h",
    status: "sending" as const,
    sentAtMs: 9,
  });
  {
    using store = await openStore(path);
    const { ledger } = store;
    const ofUploader: NightscoutLedger = ledger; // which takes it as it is
    expect(ofUploader).toBe(ledger);
    expect(ledger.progress("a")).toBeUndefined();
    ledger.put("a", [row("x", 1), row("y", 2), row("z", 3, "meal")]);
    ledger.put("b", [row("x", 5)]);
    ledger.put("a", [{ ...row("x", 1), status: "acknowledged", hash: "i" }]);
    expect(() => ledger.put("a", [row("w", 1), { ...row("v", 1), hash: null as never }])).toThrow();
    ledger.setProgress("a", { sinceMs: 5, completeUntilMs: undefined, api: undefined });
    expect(ledger.progress("a")).toEqual({ sinceMs: 5, completeUntilMs: undefined, api: undefined });
    ledger.setProgress("a", { sinceMs: 5, completeUntilMs: 7, api: "v3" });
  }
  using store = await openStore(path);
  const { ledger } = store;
  expect(ledger.find("a", ["x", "w", "z"])).toEqual([{ ...row("x", 1), status: "acknowledged", hash: "i" }, row("z", 3, "meal")]);
  expect(ledger.between("a", "sgv", { fromMs: 1, toMs: 2 }).map(({ identifier }) => identifier)).toEqual(["x"]);
  expect(ledger.between("b", "sgv", { fromMs: 0, toMs: 9 }).map(({ atMs }) => atMs)).toEqual([5]);
  expect(ledger.progress("a")).toEqual({ sinceMs: 5, completeUntilMs: 7, api: "v3" });
  expect(ledger.progress("b")).toBeUndefined();
});
