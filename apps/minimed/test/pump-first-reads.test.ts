import { delay } from "jelling/async";
import { describe, expect, test } from "vitest";
import type { LatestGlucose } from "../src/connector/reading.ts";
import { runPumpConnector } from "../src/connector/run.ts";
import { PumpMonitor } from "../src/live/monitor.ts";
import type { SimulatedPumpFaults } from "../src/simulator/faults.ts";
import { CharacteristicUuid, ServiceUuid } from "../src/uuids.ts";
import { Scenario } from "./scenario.ts";

const MINUTE_MS = 60_000;

// A session is of use without one of the values that it begins with, and its link is not given up for it.

describe("a pump that does not give what a session begins with", () => {
  test.each<[string, Partial<SimulatedPumpFaults>]>([
    ["busy", { busyWrites: 1 }],
    ["not completed", { uncompletedRequests: 1 }],
    ["all values damaged", { wrongCrcs: 12 }],
    ["all of it", { busyWrites: 2, uncompletedRequests: 1, wrongCrcs: 6 }],
  ])("%s: the session is ready, says what is missing, and asks again at the next poll", async (_name, faults) => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    Object.assign(scenario.pump.faults, faults);
    await using connector = await scenario.connector();
    await using monitor = new PumpMonitor(connector);
    const { session, snapshot } = await scenario.pair(connector);
    expect(snapshot.latest).toBeUndefined();
    expect(snapshot.problems.latest).toMatchObject({ code: expect.stringMatching(/^ERR_PUMP_(REFUSED|DATA|PROTOCOL)$/) as string });
    expect(snapshot.information.model).toBe("SIM-780");
    expect(scenario.of("warning").map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^The latest glucose could not be read: /),
    );
    expect(scenario.of("reading")).toEqual([]);
    await delay(scenario.clock, 100);
    expect([monitor.state.values.glucose, typeof monitor.state.problems?.glucose]).toEqual([undefined, "string"]);
    await delay(scenario.clock, 4 * MINUTE_MS);
    expect(monitor.state.values.glucose?.value).toMatchObject({ kind: "reading" });
    expect([monitor.state.problems, monitor.session === session]).toEqual([{}, true]);
    expect([scenario.of("connected").length, scenario.of("disconnected").length]).toEqual([1, 0]);
  });

  test.each([1, 4])("%i damaged values before it: it is read all the same, on the same link", async (wrongCrcs) => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    scenario.pump.faults.wrongCrcs = wrongCrcs;
    await using connector = await scenario.connector();
    const { session, snapshot } = await scenario.pair(connector);
    expect([scenario.pump.faults.wrongCrcs, scenario.of("connected").length]).toEqual([0, 1]);
    expect(snapshot.latest).toMatchObject({ kind: "reading" });
    expect(await session.readSensorSession()).toMatchObject({ runTimeHours: 170 });
    expect(session.cgmFeature).toMatchObject({ e2eCrc: true });
  });

  test("and never does, keeps its link, with all that it gives", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    scenario.pump.faults.wrongCrcs = Number.POSITIVE_INFINITY;
    await using connector = await scenario.connector();
    await using monitor = new PumpMonitor(connector);
    await scenario.pair(connector);
    await delay(scenario.clock, 12 * MINUTE_MS);
    expect(scenario.of("connected")).toHaveLength(1);
    expect(monitor.state.values.glucose).toBeUndefined();
    expect(monitor.state.values.battery?.value).toBe(75);
    expect(Object.keys(monitor.state.problems!)).toEqual(expect.arrayContaining(["glucose", "sensorSession"]));
  });

  test("and does not answer at all is left, and met again: an answer would be outstanding", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    scenario.pump.faults.unansweredRequests = 2; // the request, and the abort of it
    await using connector = await scenario.connector();
    const { snapshot } = await scenario.pair(connector);
    expect(snapshot.latest).toMatchObject({ kind: "reading" });
    expect(scenario.of("connected")).toHaveLength(2);
  });

  test("gives it to who reads once, and to who watches, when it is asked again", async () => {
    for (const watch of [false, true]) {
      await using scenario = await Scenario.open({ traceCapacity: 0 });
      scenario.pump.faults.uncompletedRequests = 3;
      const readings: LatestGlucose[] = [];
      const enough = new AbortController();
      const onReading = (latest: LatestGlucose): void => {
        readings.push(latest);
        if (watch) enough.abort(new Error("enough"));
      };
      const running = runPumpConnector({ ...scenario.options(), watch, onReading, signal: enough.signal, timeoutMs: 10 * MINUTE_MS });
      void scenario.pump.pairNewPhone();
      if (watch) await expect(running).rejects.toThrow("enough");
      else expect((await running).latest).toMatchObject({ kind: "reading" });
      expect(readings).toMatchObject([{ kind: "reading" }]);
      expect(scenario.of("authenticated")).toHaveLength(1);
    }
  });
});

test("CGM Feature that is damaged is asked for again, and until it is read nothing of which the form is not known", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0 });
  const feature = scenario.pump.device.gattServer
    .service(ServiceUuid.ContinuousGlucoseMonitoring)!
    .characteristic(CharacteristicUuid.CgmFeature)!;
  const { value } = feature;
  feature.value = Uint8Array.of(...value.subarray(0, -1), value.at(-1)! ^ 1);
  await using connector = await scenario.connector();
  await using monitor = new PumpMonitor(connector);
  const { session, snapshot } = await scenario.pair(connector);
  for (const name of ["sensor", "latest"] as const) {
    expect(snapshot[name]).toBeUndefined();
    expect(snapshot.problems[name]).toMatchObject({ code: "ERR_PUMP_DATA", problem: "crc" });
  }
  expect(session.cgmFeature).toBeUndefined();
  feature.value = value;
  await delay(scenario.clock, 2 * MINUTE_MS);
  expect(session.cgmFeature).toMatchObject({ e2eCrc: true });
  for (const name of ["glucose", "sensorSession"] as const) expect(monitor.state.values[name]?.value).toBeDefined();
  expect(scenario.of("connected")).toHaveLength(1);
});

test("a value that is malformed is not one that the pump has not: plain, sealed, and sent", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0 });
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  const pnpId = scenario.pump.device.gattServer.service(ServiceUuid.DeviceInformation)!.characteristic(0x2a50)!;
  pnpId.value = pnpId.value.subarray(0, 5);
  await expect(session.readPnpId()).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "length" });
  for (const read of [
    () => session.readSensorSession(),
    () => session.readCgmStatus(),
    () => session.readLatest(),
    () => session.readSensorDetails(),
  ]) {
    scenario.pump.faults.wrongCrcs = 1;
    await expect(read()).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "crc" });
    expect(await read()).toBeDefined();
  }
  expect([session.ended, scenario.of("connected").length]).toEqual([undefined, 1]);
});

test("a clock that its user sets is known when the pump has told that something was recorded, with the times of its readings", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0 });
  await using connector = await scenario.connector();
  await using monitor = new PumpMonitor(connector);
  await scenario.pair(connector);
  await delay(scenario.clock, 7 * MINUTE_MS);
  scenario.pump.faults.setClock({ year: 2031, month: 7, day: 1, hour: 15, minute: 30, second: 0 });
  const setAtMs = scenario.clock.now();
  await delay(scenario.clock, 10_000);
  const { clock, glucose, sensorSession } = monitor.state.values;
  expect(clock!.value).toMatchObject({ month: 7, day: 1, hour: 15, minute: 30 });
  for (const { atMs } of [clock!, glucose!, sensorSession!]) expect(atMs).toBeGreaterThan(setAtMs);
});
