import { toHex } from "jelling/bytes";
import { Logger, LogLevel } from "jelling/core";
import { describe, expect, test } from "vitest";
import type { PumpSession } from "../src/connector/pump-session.ts";
import { CharacteristicUuid, ServiceUuid } from "../src/uuids.ts";
import { Scenario } from "./scenario.ts";

// What a pump may be asked for, and nobody knows much of.

async function withSession(
  pump: Parameters<typeof Scenario.open>[0],
  use: (session: PumpSession, scenario: Scenario, logged: string[]) => Promise<void>,
): Promise<void> {
  await using scenario = await Scenario.open({ traceCapacity: 0, ...pump });
  const logged: string[] = [];
  const logger = new Logger("", LogLevel.Info, (_level, _scope, message) => logged.push(message));
  await using connector = await scenario.connector({ logger });
  const { session } = await scenario.pair(connector);
  await use(session, scenario, logged);
  expect(session.ended).toBeUndefined();
}

describe("the vendor's values of the CGM service", () => {
  test("are read raw when somebody asks for them, and their lengths are logged", async () => {
    await withSession({ pump: { vendorValues: true } }, async (session, scenario, logged) => {
      expect(await session.readVendorValue("sensorConnected")).toEqual({ octets: Uint8Array.of(1), opened: undefined });
      const extension = await session.readVendorValue("measurementExtension");
      expect([extension!.octets.length, toHex(extension!.opened!)]).toEqual([6, "010203"]);
      expect(toHex((await session.readVendorValue("algorithmData"))!.opened!)).toBe("11223344");
      expect((await session.readVendorValue("sensorCalibrationTime"))!.octets).toHaveLength(2);
      expect((await session.readVendorValue("networkState"))!.octets).toEqual(new Uint8Array(9));
      const expiration = await session.readVendorValue("sensorExpiration");
      expect(expiration!.octets).toHaveLength(4);
      for (const line of ["measurementExtension: 6 octets, 3 in a frame", "networkState: 9 octets"]) expect(logged).toContain(line);
      // The frames keep their order: what comes behind them opens.
      expect(await session.readStatus()).toMatchObject({ therapyControlState: "run" });
      expect(scenario.pump.forbiddenWrites).toBe(0);
    });
  });

  test("have the meaning that was published for two of them", async () => {
    await withSession({ pump: { vendorValues: true } }, async (session) => {
      const { runTimeHours } = await session.readSensorSession();
      const latest = await session.readLatest();
      if (latest.kind === "no-sensor") throw new Error("there is a sensor");
      for (let i = 0; i < 2; i++) expect(await session.readSensorExpiration()).toBe(60 * runTimeHours! - latest.timeOffsetMin);
      // A calibration a day of the session, in minutes and in seconds; the session is in its third.
      expect(Math.floor(latest.timeOffsetMin / 1440)).toBe(2);
      expect(await session.readNextCalibration()).toEqual({ timeStamp: 60 * 4320, clockId: 1, timeOffsetMin: 4320 });
    });
  });

  test("are none where the pump has none, and none while no sensor is there", async () => {
    const names = [
      "measurementExtension",
      "sensorConnected",
      "sensorExpiration",
      "sensorCalibrationTime",
      "nextCalibration",
      "networkState",
    ] as const;
    await withSession({}, async (session) => {
      for (const name of names) expect(await session.readVendorValue(name)).toBeUndefined();
      expect([await session.readSensorExpiration(), await session.readNextCalibration()]).toEqual([undefined, undefined]);
    });
    await withSession({ pump: { vendorValues: true, sensor: false } }, async (session) => {
      for (const name of ["sensorConnected", "sensorExpiration", "sensorCalibrationTime", "nextCalibration"] as const)
        expect(await session.readVendorValue(name), name).toBeUndefined();
      expect([await session.readSensorExpiration(), await session.readNextCalibration()]).toEqual([undefined, undefined]);
    });
  });

  test("that are read again and again do no harm, although they are no frames", async () => {
    await withSession({ pump: { vendorValues: true } }, async (session) => {
      for (let i = 0; i < 12; i++) expect(await session.readVendorValue("networkState")).toMatchObject({ opened: undefined });
      expect(await session.readStatus()).toBeDefined();
      await expect(session.readVendorValue("iddStatus" as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    });
  });

  test("are not asked for, and not subscribed to, by anything that a session does by itself", async () => {
    await withSession({ pump: { vendorValues: true } }, async (session, { pump }) => {
      await session.readSnapshot();
      const service = pump.device.gattServer.service(ServiceUuid.ContinuousGlucoseMonitoring)!;
      for (const uuid of [CharacteristicUuid.CgmSensorExpiration, CharacteristicUuid.CgmSensorCalibrationTime])
        expect(service.characteristic(uuid)!.subscribers).toEqual([]);
      await session.readSensorExpiration();
      expect(service.characteristic(CharacteristicUuid.CgmSensorExpiration)!.subscribers).toHaveLength(1);
      expect(service.characteristic(CharacteristicUuid.CgmSensorCalibrationTime)!.subscribers).toEqual([]);
    });
  });
});

test("the start of a numbered sensor session is none where the pump answers with 0x80, which is no failure", async () => {
  await withSession({}, async (session, _scenario, logged) => {
    expect(await session.readCgmSessionStart(1)).toBeUndefined();
    expect(logged).toContainEqual(expect.stringContaining("the pump does not give session_start_time: vendor_0x80"));
    for (const wrong of [-1, 65_536, 1.5, "1"])
      await expect(session.readCgmSessionStart(wrong as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

test("readings are counted, all of them and a range", async () => {
  await withSession({}, async (session) => {
    const all = await session.countReadings();
    expect(all).toBeGreaterThan(100);
    expect(await session.countReadings({ fromOffsetMin: 200, toOffsetMin: 259 })).toBe(
      (await session.readReadings({ fromOffsetMin: 200, toOffsetMin: 259 }))!.length,
    );
    await expect(session.countReadings({ fromOffsetMin: 5, toOffsetMin: 4 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(session.countReadings({ from: 5 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
  await withSession({ pump: { sensor: false } }, async (session) => expect(await session.countReadings()).toBe(0));
});

test("a calibration is read by its number, and one that is not there is none", async () => {
  await withSession({ pump: { historyDays: 3 } }, async (session) => {
    const latest = await session.readCalibration();
    if (latest?.value) {
      const { recordNumber } = latest.value;
      expect(await session.readCalibration({ recordNumber })).toEqual(latest);
    }
    expect((await session.readCalibration({ recordNumber: 60_000 }))?.value).toBeUndefined();
    await expect(session.readCalibration({ recordNumber: 65_536 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(session.readCalibration({ record: 1 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

test("what else a pump says of itself", async () => {
  await withSession({}, async (session) => {
    const { deviceName, ...details } = await session.readDetails();
    expect(deviceName).toMatch(/^Pump \d{7}H$/);
    expect(details).toEqual({ appearance: 0, systemId: new Uint8Array(8), regulatoryData: new Uint8Array() });
  });
});
