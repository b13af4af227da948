import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import type { PumpSession } from "../src/connector/pump-session.ts";
import type { HistoryPage } from "../src/history/source.ts";
import { Scenario } from "./scenario.ts";
import { SteadyDelivery } from "./steady-delivery.ts";

/** Every reader of the insulin delivery service, and of what else a session gives at most once. */
async function everything(session: PumpSession): Promise<Record<string, unknown>> {
  return {
    features: await session.readFeatures(),
    status: await session.readStatus(),
    annunciation: await session.readAnnunciation(),
    insulinOnBoard: await session.readInsulinOnBoard(),
    timeInRange: await session.readTimeInRange(),
    therapy: await session.readTherapy(),
    basalRate: await session.readBasalRate(),
    boluses: await session.readBoluses(),
    displayFormat: await session.readDisplayFormat(),
    high: await session.readHighLowSettings("high"),
    low: await session.readHighLowSettings("low"),
    total: await session.readTotalDailyInsulin(),
    delivered: await session.readDeliveredInsulin(),
    warranty: await session.readCounter("warranty", "remaining"),
    loaner: await session.readCounter("loaner", "elapsed"),
    maximumBolus: await session.readMaximumBolus(),
    warmUp: await session.readSensorWarmUp(),
    icon: await session.readCalibrationIcon(),
    early: await session.readEarlyCalibrationTime(),
    transmitter: await session.readTransmitterBattery(),
    bounds: await session.historyBounds(),
  };
}

const EXPECTED = {
  status: {
    therapyControlState: "run",
    operationalState: "ready",
    reservoirRemainingIu: 142.5,
    reservoirAttached: true,
    sensorConnectivity: ["sensor_on", "sensor_paired"],
    sensorConnectivityBits: 3,
    sensorMessage: "no_message",
  },
  annunciation: undefined,
  insulinOnBoard: { insulinOnBoardIu: 1.35 },
  timeInRange: { notEnoughData: false, abovePercent: 24, belowPercent: 3, inRangePercent: 73, smartGuardPercent: 97 },
  therapy: { shield: "auto_basal_mode", plgm: "feature_on", lgs: "feature_on" },
  basalRate: { profileTemplateNumber: 1, configuredRate: 0.9 },
  boluses: [],
  displayFormat: { clock24h: true, language: "english" },
  high: { type: "high", blocks: [{ durationMin: 1440, limitMgdl: 250 }] },
  low: { type: "low", blocks: [{ durationMin: 1440, limitMgdl: 70 }] },
  total: { bolusIu: 9.5, basalIu: 8.25 },
  delivered: { bolusIu: 1234.5, basalIu: 987.25 },
  warranty: 2_000_000,
  loaner: undefined,
  maximumBolus: 15,
  warmUp: undefined,
  icon: undefined,
  early: undefined,
  transmitter: 75,
};

async function pagesOf(source: AsyncGenerator<HistoryPage, void>): Promise<HistoryPage[]> {
  const pages: HistoryPage[] = [];
  for await (const page of source) pages.push(page);
  return pages;
}

describe.each([false, true])("a pump with E2E protection: %s", (e2eProtection) => {
  test("is read whole; what it has not is undefined, and the session goes on", async () => {
    await using scenario = await Scenario.open({ pump: { e2eProtection, delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const values = await everything(session);
    expect(values).toMatchObject(EXPECTED);
    expect(values.features).toMatchObject({ e2e: e2eProtection, insulinConcentration: 100 });
    expect(await session.readFeatures()).toBe(values.features); // once a connection
    const { first, last, count } = values.bounds as { first: number; last: number; count: number };
    expect([first, last, count]).toEqual([1000, 1023, 24]);
    const [page, ...others] = await pagesOf(session.history({ first, last }));
    expect(others).toEqual([]);
    expect(page).toMatchObject({ first, last });
    expect(page!.records.map(({ record }) => record.sequenceNumber)).toEqual(Array.from({ length: 24 }, (_, i) => 1000 + i));
    expect(page!.records.every(({ record, bytes }) => record.problem === undefined && record.raw.length === bytes.length - 8)).toBe(true);
    expect(session.ended).toBeUndefined();
  });
});

test("an older pump without an insulin delivery service: all of it is undefined, and there are no pages", async () => {
  await using scenario = await Scenario.open({ pump: { insulinDelivery: false } });
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  for (const [name, value] of Object.entries(await everything(session))) expect(value, name).toBeUndefined();
  expect(await pagesOf(session.history({ first: 0, last: 100 }))).toEqual([]);
  expect(await session.readLatest()).toMatchObject({ kind: "reading" });
});

test("without a sensor what is of the sensor is none, and no error", async () => {
  await using scenario = await Scenario.open({ pump: { sensor: false } });
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  expect(await session.readCgmStatus()).toBeUndefined();
  expect(await session.readReadings()).toEqual([]);
  expect(await session.readReadings({ fromOffsetMin: 5, toOffsetMin: 10 })).toEqual([]);
  expect(await session.readSensorSession()).toEqual({ start: undefined, runTimeHours: undefined, remainingMs: undefined });
  expect(await session.readCalibration()).toSatisfy((value: { value?: unknown } | undefined) => value?.value === undefined);
  expect(session.ended).toBeUndefined();
});

describe("a range of glucose", () => {
  test("comes by time offset, from, to, between, or all of it; the latest is the last of it", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const latest = await session.readLatest();
    const last = latest.kind === "no-sensor" ? 0 : latest.timeOffsetMin;
    const offsets = async (range: { fromOffsetMin?: number; toOffsetMin?: number }): Promise<number[]> =>
      (await session.readReadings(range))!.map(({ timeOffsetMin }) => timeOffsetMin);
    const steps = (from: number, to: number): number[] => Array.from({ length: (to - from) / 5 + 1 }, (_, i) => from + 5 * i);
    expect(await offsets({ fromOffsetMin: last - 50 })).toEqual(steps(last - 50, last));
    expect(await offsets({ fromOffsetMin: last - 60, toOffsetMin: last - 30 })).toEqual(steps(last - 60, last - 30));
    expect(await offsets({ toOffsetMin: 20 })).toEqual([0, 5, 10, 15, 20]);
    expect(await offsets({ fromOffsetMin: last + 5 })).toEqual([]);
    expect((await session.readReadings({ fromOffsetMin: last }))![0]).toMatchObject({
      ...latest,
      receivedAtMs: expect.any(Number),
    });
    for (const wrong of [{ fromOffsetMin: -1 }, { toOffsetMin: 65_536 }, { fromOffsetMin: 10, toOffsetMin: 9 }, { from: 1 }])
      await expect(session.readReadings(wrong)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("history", () => {
  test("comes in pages, newest or oldest first, each by ascending numbers; other reads get their turn between two of them", async () => {
    await using scenario = await Scenario.open({ pump: { delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const ranges = async (order: "newest" | "oldest"): Promise<unknown[]> =>
      (await pagesOf(session.history({ first: 995, last: 1030, pageSize: 10, order }))).map(({ first, last, records }) => [
        first,
        last,
        records.map(({ record }) => record.sequenceNumber),
      ]);
    const numbers = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const newest = [
      [1021, 1030, numbers(1021, 1023)],
      [1011, 1020, numbers(1011, 1020)],
      [1001, 1010, numbers(1001, 1010)],
      [995, 1000, [1000]],
    ];
    expect(await ranges("newest")).toEqual(newest);
    expect(await ranges("oldest")).toEqual([
      [995, 1004, numbers(1000, 1004)],
      [1005, 1014, numbers(1005, 1014)],
      [1015, 1024, numbers(1015, 1023)],
      [1025, 1030, []],
    ]);
    const order: string[] = [];
    const reading = (async () => {
      for await (const { first } of session.history({ first: 1000, last: 1023, pageSize: 8 })) order.push(`page ${first}`);
    })();
    await session.readBattery();
    order.push("battery");
    await reading;
    expect(order).toEqual(["page 1016", "battery", "page 1008", "page 1000"]);
  });

  test("refuses ranges that are none", async () => {
    await using scenario = await Scenario.open({ pump: { delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const good = { first: 1, last: 2 };
    const wrong = [
      {},
      { first: 3, last: 2 },
      { first: -1, last: 2 },
      { first: 0, last: 2 ** 32 },
      { ...good, pageSize: 0 },
      { ...good, pageSize: 1001 },
      { ...good, order: "up" },
      { ...good, count: 1 },
    ];
    for (const range of wrong) expect(() => session.history(range as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("a transfer that stops in the middle is aborted after 10 s, gives what is whole, and leaves the session as it was", async () => {
    await using scenario = await Scenario.open({ pump: { delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    scenario.pump.faults.stopTransferAfter = 5;
    const pages: HistoryPage[] = [];
    const startMs = scenario.clock.now();
    const reading = (async () => {
      for await (const page of session.history({ first: 1000, last: 1023 })) pages.push(page);
    })();
    await expect(reading).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(scenario.clock.now() - startMs).toBeGreaterThan(10_000);
    expect(scenario.clock.now() - startMs).toBeLessThan(15_000);
    expect(pages.map(({ first, last, records }) => [first, last, records.length])).toEqual([[1000, 1004, 5]]);
    const [rest] = await pagesOf(session.history({ first: 1005, last: 1023 }));
    expect(rest!.records).toHaveLength(19);
    expect(session.ended).toBeUndefined();
  });

  test("a consumer that leaves by break or by signal leaves nothing behind", async () => {
    await using scenario = await Scenario.open({ pump: { delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    for await (const _ of session.history({ first: 1000, last: 1023, pageSize: 5, timeoutMs: 60_000 })) break;
    expect(await session.readBattery()).toBe(75);
    // In the middle of a transfer that has stopped: the pump is told at once, not after 10 s.
    scenario.pump.faults.stopTransferAfter = 2;
    const controller = new AbortController();
    const reading = pagesOf(session.history({ first: 1000, last: 1023, signal: controller.signal }));
    const failed = expect(reading).rejects.toThrow("enough");
    await scenario.air.advance(3000);
    const startMs = scenario.clock.now();
    controller.abort(new Error("enough"));
    await failed;
    expect(await session.readBattery()).toBe(75);
    expect(scenario.clock.now() - startMs).toBeLessThan(2000);
    expect((await pagesOf(session.history({ first: 1000, last: 1023 })))[0]!.records).toHaveLength(24);
    await expect(pagesOf(session.history({ first: 1000, last: 1023, timeoutMs: 100 }))).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(await session.readBattery()).toBe(75);
  });

  test("a record that was lost on its way is not taken for one that the pump has not: what came before is given, then the loss is told", async () => {
    await using scenario = await Scenario.open({ pump: { delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const handle = scenario.pump.device.gattServer.characteristic(
      "00000100-0000-1000-0000-009132591325",
      "00000108-0000-1000-0000-009132591325",
    )!.valueHandle;
    let sent = 0;
    scenario.phoneController.onHciPacket(({ direction, packet }) => {
      const isRecord = direction === "to-host" && packet[0] === 2 && packet[9] === 0x1b && (packet[10]! | (packet[11]! << 8)) === handle;
      return isRecord && ++sent === 7 ? "drop" : undefined;
    });
    const pages: HistoryPage[] = [];
    const reading = (async () => {
      for await (const page of session.history({ first: 1000, last: 1023 })) pages.push(page);
    })();
    await expect(reading).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(pages.map(({ first, last, records }) => [first, last, records.length])).toEqual([[1000, 1005, 6]]);
    expect((await pagesOf(session.history({ first: 1006, last: 1023 })))[0]!.records).toHaveLength(18);
  });

  test("a tag that does not fit is a loss as well; a pump that does not complete is a refusal, and so is a busy one", async () => {
    await using scenario = await Scenario.open({ pump: { delivery: new SteadyDelivery() } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const { faults } = scenario.pump;
    faults.wrongTags = 1;
    await expect(pagesOf(session.history({ first: 1000, last: 1023 }))).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    faults.uncompletedRequests = 1;
    await expect(pagesOf(session.history({ first: 1000, last: 1023 }))).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED" });
    faults.uncompletedRequests = 1;
    await expect(session.historyBounds()).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED" });
    faults.busyWrites = 1;
    await expect(session.historyBounds()).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED" });
    faults.busyWrites = 1;
    await expect(session.readInsulinOnBoard()).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED", cause: { errorCode: 0xfe } });
    faults.uncompletedRequests = 1;
    expect(await session.readInsulinOnBoard()).toBeUndefined();
    expect(toHex((await pagesOf(session.history({ first: 1000, last: 1000 })))[0]!.records[0]!.bytes)).toMatch(/^0ef0e803/);
  });
});
