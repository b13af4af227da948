import { SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import type { PumpConnector, ReadySession } from "../src/connector/pump-connector.ts";
import { formatGlucose } from "../src/connector/reading.ts";
import { SakeDeviceType } from "../src/sake/device-type.ts";
import { inventKeys } from "../src/simulator/keys.ts";
import { Scenario, type ScenarioOptions } from "./scenario.ts";

// Posing as an uploader. What a pump offers then is not known, so that either answer has to do.

const CODE = 42_123;
const MINUTE_MS = 60_000;
const inventedKeys = () => inventKeys(new SeededRandom(5, "an uploader"), SakeDeviceType.CareLinkUploader);

async function opened(
  pump: ScenarioOptions["pump"],
): Promise<{ scenario: Scenario; connector: PumpConnector; paired: Promise<ReadySession> }> {
  const keys = inventedKeys();
  const scenario = await Scenario.open({ traceCapacity: 0, pump: { ...pump, keyDatabase: keys.pump } });
  const connector = await scenario.connector({
    mode: "carelink",
    confirmationCode: CODE,
    keyDatabase: keys.phone,
    name: "PC 1",
    address: "public",
  });
  const paired = Promise.all([
    connector.session({ timeoutMs: 2 * MINUTE_MS }),
    scenario.pump.pairUploader({ confirmationCode: CODE }),
  ]).then(([ready]) => ready);
  return { scenario, connector, paired };
}

test("a pump that offers nothing but SAKE gives a session in which everything is absent", async () => {
  const { scenario, connector, paired } = await opened({ offers: "nothing" });
  await using _scenario = scenario;
  await using _connector = connector;
  const { session, snapshot } = await paired;
  expect(snapshot).toMatchObject({ batteryPercent: undefined, feature: undefined, latest: { kind: "no-sensor", isOffered: false } });
  expect(Object.values(snapshot.information)).toEqual(Array(6).fill(undefined));
  expect(formatGlucose(snapshot.latest!, 0)).toBe("not offered by the pump");
  expect(scenario.of("services").at(-1)).toMatchObject({ count: 0 });
  expect(session.cgmFeature).toBeUndefined();
  for (const read of [
    () => session.readPnpId(),
    () => session.readClock(),
    () => session.readTransmitterBattery(),
    () => session.readReadings(),
    () => session.countReadings(),
    () => session.readCgmStatus(),
    () => session.readSensorDetails(),
    () => session.readAlertLevels(),
    () => session.readCalibration(),
    () => session.readCommunicationInterval(),
    () => session.readCgmSessionId(),
    () => session.readCgmSessionStart(1),
    () => session.readVendorValue("sensorExpiration"),
    () => session.readSensorExpiration(),
    () => session.readFeatures(),
    () => session.readStatus(),
    () => session.readAnnunciation(),
    () => session.readInsulinOnBoard(),
    () => session.readTimeInRange(),
    () => session.readTherapy(),
    () => session.readBasalRate(),
    () => session.readBoluses(),
    () => session.readDisplayFormat(),
    () => session.readHighLowSettings("high"),
    () => session.readTotalDailyInsulin(),
    () => session.readDeliveredInsulin(),
    () => session.readCounter("lifetime", "elapsed"),
    () => session.readMaximumBolus(),
    () => session.historyBounds(),
  ])
    expect(await read(), String(read)).toBeUndefined();
  for await (const page of session.history({ first: 1, last: 10 })) throw new Error(`a page: ${page.records.length}`);
  // Nothing to read is no silence: the pump answers, and the session lasts.
  await scenario.air.advance(20 * MINUTE_MS);
  expect(session.ended).toBeUndefined();
  expect(scenario.pump.forbiddenWrites).toBe(0);
});

test("a pump that offers nothing and falls silent is found dead", async () => {
  const { scenario, connector, paired } = await opened({ offers: "nothing" });
  await using _scenario = scenario;
  await using _connector = connector;
  const { session } = await paired;
  scenario.pump.faults.fallSilent();
  await scenario.air.advance(6 * MINUTE_MS);
  expect(session.ended).toBeDefined();
});

test("a pump that offers everything is read as by a phone", async () => {
  const { scenario, connector, paired } = await opened({ offers: "all" });
  await using _scenario = scenario;
  await using _connector = connector;
  const { session, snapshot } = await paired;
  expect(snapshot).toMatchObject({ information: { model: "SIM-780" }, batteryPercent: 75, latest: { kind: "reading" } });
  expect(await session.readStatus()).toMatchObject({ therapyControlState: "run" });
  expect(await session.historyBounds()).toBeDefined();
  expect(scenario.of("authenticated")).toHaveLength(1);
  // Whether a pump comes back to an uploader is not known.
  const ended = connector.closed;
  await session.disconnect();
  await ended;
  expect(connector.ended).toMatchObject({
    code: "ERR_PUMP_PAIRING_WINDOW_CLOSED",
    message: expect.stringContaining("pair again") as string,
  });
});

test("an uploader that does not know the code is not taken, nor a phone", async () => {
  const keys = inventedKeys();
  await using scenario = await Scenario.open({ traceCapacity: 0, pump: { keyDatabase: keys.pump } });
  await using connector = await scenario.connector({
    mode: "carelink",
    confirmationCode: CODE + 1,
    keyDatabase: keys.phone,
    address: "public",
  });
  await expect(scenario.pump.pairUploader({ confirmationCode: CODE, timeoutMs: 30_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await expect(scenario.pump.pairUploader({ confirmationCode: 1_000_000 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(scenario.of("connected")).toEqual([]);
  expect(connector.ended).toBeUndefined();
});
