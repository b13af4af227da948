import { delay } from "jelling/async";
import { AttError, AttErrorCode } from "jelling/att";
import { fromHex, toHex } from "jelling/bytes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeChannel, type PumpAnswer } from "../../../test/fake-channel.ts";
import type { CgmFeature } from "../../cgm/feature.ts";
import { encodeCgmMeasurement } from "../../cgm/measurement.ts";
import { encodeSessionRunTime, encodeSessionStartTime } from "../../cgm/session.ts";
import { parseLocal } from "../../data/date-time.ts";
import { encodeCurrentTime } from "../../data/standard.ts";
import { DeviceReader } from "./device.ts";
import { GlucoseReader } from "./glucose.ts";

const PLAIN = { e2eCrc: false };
const SUCCESS = "06000101";
const NONE = { status: undefined, calibration: undefined, warning: undefined };

let pump: FakeChannel;
let device: DeviceReader;
let reader: GlucoseReader;
beforeEach(() => {
  pump = new FakeChannel();
  device = new DeviceReader(pump.channel);
  reader = new GlucoseReader(pump.channel, device, PLAIN as CgmFeature);
});
afterEach(() => pump[Symbol.dispose]());

const record = (timeOffsetMin: number, glucoseMgdl = 100): Uint8Array =>
  encodeCgmMeasurement({ glucoseMgdl, timeOffsetMin, octets: NONE }, PLAIN);
const sending =
  (offsets: readonly number[], response: string | null = SUCCESS): PumpAnswer =>
  ({ hex }, { onMeasurement }) => {
    if (hex === "0300") return "06000301";
    for (const offset of offsets) onMeasurement?.(record(offset));
    return response ?? undefined; // null is silence
  };
const showClock = (text: string): void => {
  pump.values.currentTime = toHex(encodeCurrentTime({ local: parseLocal(text), dayOfWeek: 0, fractions256: 0, adjustReason: 0 }));
};

describe("the sensor's session", () => {
  test("is counted on the pump's clock, which its user may set: the computer's has no say", async () => {
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal("2031-03-01T10:00:00"), PLAIN));
    pump.values.cgmSessionRunTime = toHex(encodeSessionRunTime(170, PLAIN));
    showClock("2031-03-02T10:00:00");
    expect(await reader.sensorSession()).toMatchObject({ runTimeHours: 170, remainingMs: 146 * 3_600_000 });
    showClock("2031-03-02T16:00:00");
    expect(await reader.sensorSession()).toMatchObject({ remainingMs: 140 * 3_600_000 });
    showClock("2031-03-09T10:00:00");
    expect(await reader.sensorSession()).toMatchObject({ remainingMs: -22 * 3_600_000 });
    pump.values.currentTime = undefined; // what it showed last stands, and runs on
    expect((await reader.sensorSession()).remainingMs).toBe(-22 * 3_600_000);
  });
  test("is none without a sensor, and has no remaining time without the pump's clock", async () => {
    expect(await reader.sensorSession()).toEqual({ start: undefined, runTimeHours: undefined, remainingMs: undefined });
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal("2031-03-01T10:00:00"), PLAIN));
    pump.values.cgmSessionRunTime = toHex(encodeSessionRunTime(170, PLAIN));
    expect(await reader.sensorSession()).toMatchObject({ runTimeHours: 170, remainingMs: undefined });
    pump.values.cgmSessionRunTime = undefined;
    showClock("2031-03-02T10:00:00");
    expect(await reader.sensorSession()).toMatchObject({ runTimeHours: undefined, remainingMs: undefined });
  });
});

describe("a range of readings", () => {
  test.each([
    [{}, "0101"],
    [{ fromOffsetMin: 0x1234 }, "0103013412"],
    [{ toOffsetMin: 0x1234 }, "0102013412"],
    [{ fromOffsetMin: 5, toOffsetMin: 0x1234 }, "01040105003412"],
  ])("%j asks with %s", async (range, request) => {
    pump.answer = sending([10, 5, 15]);
    expect((await reader.readings(range))!.map(({ timeOffsetMin }) => timeOffsetMin)).toEqual([5, 10, 15]);
    expect(pump.asked).toContain(request);
  });
  test.each(["06000102", "06000104", "06000105", "06000109", "06000108"])(
    "that the pump does not give (%s) is undefined",
    async (response) => {
      pump.answer = sending([], response);
      expect(await reader.readings({ fromOffsetMin: 5 })).toBeUndefined();
    },
  );
  test("of nothing is empty", async () => {
    pump.answer = sending([], "06000106");
    expect(await reader.readings({ fromOffsetMin: 5 })).toEqual([]);
  });
  test("is waited for where it comes behind its response, and not where it has come", async () => {
    pump.answer = (_request, { onMeasurement, clock }) => {
      clock.setTimer(600, "late", () => onMeasurement?.(record(5)));
      return SUCCESS;
    };
    expect(await reader.readings({ fromOffsetMin: 5 })).toMatchObject([{ timeOffsetMin: 5 }]);
    expect(pump.clock.now()).toBe(600);
    pump.answer = sending([5]);
    await reader.readings({ fromOffsetMin: 5 });
    expect(pump.clock.now()).toBe(600);
  });
  test("of which more come than there can be is stopped; so is one of which some are lost, or which stops", async () => {
    pump.answer = sending(Array.from({ length: 200 }, (_, i) => i));
    await expect(reader.readings({ fromOffsetMin: 0, toOffsetMin: 10 })).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(pump.asked.at(-1)).toBe("0300");
    pump.answer = (request, at) => {
      at.onLoss?.();
      return sending([5])(request, at);
    };
    await expect(reader.readings({ fromOffsetMin: 0 })).rejects.toMatchObject({ message: expect.stringContaining("lost on their way") });
    pump.answer = sending([5], null);
    await expect(reader.readings({ fromOffsetMin: 0 })).rejects.toMatchObject({
      code: "ERR_PUMP_PROTOCOL",
      cause: { code: "ERR_TIMEOUT" },
    });
    expect(pump.asked.at(-1)).toBe("0300");
    expect(pump.onLoss).toBeUndefined();
    pump.answer = sending([5]);
    expect(await reader.readings({ fromOffsetMin: 0 })).toHaveLength(1);
  });
});

describe("the latest", () => {
  test("from a pump that sends on and on is stopped", async () => {
    pump.answer = sending(Array.from({ length: 200 }, (_, i) => i));
    await expect(reader.latest()).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(pump.asked.at(-1)).toBe("0300");
  });
  test("does not mind a frame that was lost elsewhere", async () => {
    pump.answer = (request, at) => {
      at.onLoss?.();
      return sending([5])(request, at);
    };
    expect(await reader.latest()).toMatchObject({ timeOffsetMin: 5 });
  });
  test("of another session has the new one's start; the clock is read again with it", async () => {
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal("2031-03-01T10:00:00"), PLAIN));
    showClock("2031-03-01T12:00:00");
    pump.answer = sending([115]);
    expect(await reader.latest()).toMatchObject({ takenAt: parseLocal("2031-03-01T11:55:00"), takenAtMs: -5 * 60_000 });
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal("2031-03-01T13:00:00"), PLAIN));
    showClock("2031-03-01T13:07:00");
    pump.answer = sending([5]);
    expect(await reader.latest()).toMatchObject({ takenAt: parseLocal("2031-03-01T13:05:00"), takenAtMs: -2 * 60_000 });
  });
});

describe("a clock that its user has set", () => {
  test("is noticed by a new record that seems to be of long ago: start and clock are read again, together", async () => {
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal("2031-03-01T10:00:00"), PLAIN));
    showClock("2031-03-01T12:02:00");
    pump.answer = sending([120]);
    expect(await reader.latest()).toMatchObject({ takenAtMs: -2 * 60_000 });
    // An hour forward; the clock was read on its own meanwhile.
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal("2031-03-01T11:00:00"), PLAIN));
    showClock("2031-03-01T13:07:00");
    await device.clock();
    pump.answer = sending([125]);
    expect(await reader.latest()).toMatchObject({ takenAt: parseLocal("2031-03-01T13:05:00"), takenAtMs: -2 * 60_000 });
    // The same record once more, which is old in earnest, asks for nothing.
    showClock("2031-03-01T13:47:00");
    await device.clock();
    pump.asked.length = 0;
    await reader.latest();
    expect(pump.asked).toEqual(["0106"]);
  });
});

test("records that nobody asked for are held up to a bound", async () => {
  pump.answer = sending([5, 10]);
  expect(await reader.readings({})).toHaveLength(2);
  for (let i = 0; i < 10_000; i++) pump.onMeasurement?.(record(i % 5000));
  pump.answer = sending([15]);
  expect(await reader.latest()).toMatchObject({ timeOffsetMin: 15 });
});

describe("specific operations", () => {
  const answers: Record<string, string> = {
    "02": "0305",
    "08": "09fa00",
    "0b": "0c4600",
    "0e": "0f3600",
    "11": "1204e1",
    "14": "151ef0",
    "17": "1814f0",
    "05ffff": "06640000105914000700 01".replace(" ", ""),
    "81ffff": "82022c01",
    "8c": "8d0700",
  };
  test("give alert levels, the calibration, the interval and the session's number", async () => {
    pump.answer = ({ hex }) => answers[hex];
    expect(await reader.alertLevels()).toMatchObject({ patientHighMgdl: 250, patientLowMgdl: 70, hypoMgdl: 54 });
    expect(await reader.calibration()).toMatchObject({
      value: { glucoseMgdl: 100 },
      context: { changeSensorNeeded: false, noFurtherCalibrations: true, calibrationFactor: 300 },
    });
    expect([await reader.communicationIntervalMin(), await reader.sessionId()]).toEqual([5, 7]);
  });
  test("that are refused give none: each for itself, and the whole where all of them are", async () => {
    pump.answer = ({ hex }) => (hex === "0b" ? answers[hex] : `1c${hex.slice(0, 2)}${hex === "08" ? "80" : "02"}`);
    expect(await reader.alertLevels()).toEqual({
      patientHighMgdl: undefined,
      patientLowMgdl: 70,
      hypoMgdl: undefined,
      hyperMgdl: undefined,
      rateOfDecrease: undefined,
      rateOfIncrease: undefined,
    });
    expect([await reader.calibration(), await reader.sensorDetails(), await reader.sessionId()]).toEqual([undefined, undefined, undefined]);
    pump.answer = ({ hex }) => `1c${hex.slice(0, 2)}02`;
    expect(await reader.alertLevels()).toBeUndefined();
    pump.answer = ({ hex }) => (hex === "81ffff" ? answers[hex] : `1c${hex.slice(0, 2)}04`);
    expect(await reader.calibration()).toMatchObject({ value: undefined, context: { calibrationFactor: 300 } });
    pump.answer = () => new AttError({ requestOpcode: 0x12, attributeHandle: 1, errorCode: 0x02 });
    expect(await reader.sensorDetails()).toBeUndefined();
    pump.missing.add("cgmSpecificOps");
    pump.asked.length = 0;
    expect([await reader.sensorDetails(), pump.asked]).toEqual([undefined, []]);
  });
  test("with a checksum that the pump does not take are told", async () => {
    pump.answer = () => new AttError({ requestOpcode: 0x12, attributeHandle: 1, errorCode: 0x81 });
    await expect(reader.sensorDetails()).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL", cause: { errorCode: 0x81 } });
  });
});

describe("readings of which a pump does not take the request", () => {
  test("are none where it has nothing to tell, and no sensor is at the other end of it", async () => {
    for (const errorCode of [0x02, 0x03, 0x06]) {
      pump.answer = () => new AttError({ requestOpcode: 0x12, attributeHandle: 1, errorCode });
      expect([(await reader.latest()).kind, await reader.readings({})]).toEqual(["no-sensor", undefined]);
    }
    for (const name of ["cgmRecordAccess", "cgmMeasurement"]) {
      pump.missing.clear();
      pump.missing.add(name);
      pump.asked.length = 0;
      expect([(await reader.latest()).kind, await reader.readings({})]).toEqual(["no-sensor", undefined]);
      expect(pump.asked).not.toContain("0106");
    }
  });
  test("are refused by any other code, in words", async () => {
    for (let errorCode = 1; errorCode <= 0xff; errorCode++) {
      if ([0x02, 0x03, 0x06].includes(errorCode)) continue;
      pump.answer = () => new AttError({ requestOpcode: 0x12, attributeHandle: 1, errorCode });
      const code = errorCode >= 0x80 && errorCode <= 0x82 ? "ERR_PUMP_PROTOCOL" : "ERR_PUMP_REFUSED";
      await expect(reader.latest()).rejects.toMatchObject({ code, cause: { errorCode } });
      await expect(reader.readings({ fromOffsetMin: 5 })).rejects.toMatchObject({ code });
    }
  });
});

test("CGM Status is the sensor's state at a time; the device's values are read as they are, or are none", async () => {
  pump.values.cgmStatus = toHex(fromHex("0a00010040"));
  expect(await reader.status()).toMatchObject({ timeOffsetMin: 10, names: { status: ["session_stopped"] } });
  pump.values.pnpId = "01f9013035 3337".replace(" ", "");
  expect(await device.pnpId()).toMatchObject({ vendorIdSource: 1, vendorId: 0x01f9 });
  pump.values.transmitterBattery = "4b";
  expect([await device.transmitterBattery(), await device.battery(), await device.clock()]).toEqual([75, undefined, undefined]);
});

describe("a value that is malformed", () => {
  test.each<[string, string, () => Promise<unknown>]>([
    ["batteryLevel", "65", () => device.battery()], // 101 %
    ["batteryLevel", "", () => device.battery()],
    ["transmitterBattery", "4b00", () => device.transmitterBattery()],
    ["currentTime", "ef070d", () => device.clock()],
    ["currentTime", "ef070d20000000000000", () => device.clock()], // month 13
    ["pnpId", "0100", () => device.pnpId()],
    ["appearance", "00", () => device.details()],
    ["cgmStatus", "0a00", () => reader.status()],
    ["cgmSessionStartTime", "ef07", () => reader.sensorSession()],
    ["cgmSessionRunTime", "aa", () => reader.sensorSession()],
  ])("%s: %j is an error of its data, not the absence of it", async (name, octets, read) => {
    await read(); // none
    pump.values[name] = octets;
    await expect(read()).rejects.toMatchObject({ code: "ERR_PUMP_DATA" });
    pump.values[name] = undefined;
    await read();
  });

  const start = "2031-03-01T10:00:00";
  const begins = (text: string): void => {
    pump.values.cgmSessionStartTime = toHex(encodeSessionStartTime(parseLocal(text), PLAIN));
  };

  test("and is one of those that go with a reading leaves the reading without what it tells, until it can be read", async () => {
    pump.answer = sending([10]);
    pump.values.currentTime = "ff";
    pump.values.cgmSessionStartTime = "ff";
    expect(await reader.latest()).toMatchObject({ kind: "reading", timeOffsetMin: 10, takenAt: undefined, takenAtMs: undefined });
    expect(await reader.readings({})).toMatchObject([{ timeOffsetMin: 10, takenAt: undefined }]);
    begins(start);
    expect(await reader.latest()).toMatchObject({ takenAt: parseLocal("2031-03-01T10:10:00"), takenAtMs: undefined });
    showClock("2031-03-01T10:12:00");
    await reader.sensorSession();
    expect(await reader.latest()).toMatchObject({ takenAtMs: -2 * 60_000 });
  });

  test("and tells a session's start leaves the start that is known, but not to another session's readings", async () => {
    begins(start);
    showClock("2031-03-01T12:00:00");
    pump.answer = sending([115]);
    await reader.latest();
    pump.values.cgmSessionStartTime = "ff";
    await expect(reader.sensorSession()).rejects.toMatchObject({ code: "ERR_PUMP_DATA" });
    pump.answer = sending([120]);
    expect(await reader.latest()).toMatchObject({ takenAt: parseLocal("2031-03-01T12:00:00") });
    pump.answer = sending([5]); // a new sensor
    expect(await reader.latest()).toMatchObject({ timeOffsetMin: 5, takenAt: undefined });
  });

  test("and is the sensor's run time, or the clock, does not hide the start", async () => {
    begins(start);
    pump.values.cgmSessionRunTime = "ff";
    pump.answer = sending([10]);
    await expect(reader.sensorSession()).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "length" });
    expect(await reader.latest()).toMatchObject({ takenAt: parseLocal("2031-03-01T10:10:00") });
    pump.values.cgmSessionRunTime = toHex(encodeSessionRunTime(170, PLAIN));
    pump.values.currentTime = "ff";
    expect(await reader.sensorSession()).toMatchObject({ start: { local: parseLocal(start) }, runTimeHours: 170, remainingMs: undefined });
  });

  test("and is a record is what the reading, or the range, fails with", async () => {
    pump.answer = (_request, { onMeasurement }) => {
      onMeasurement?.(Uint8Array.of(3, 0, 0));
      return SUCCESS;
    };
    const latest = expect(reader.latest()).rejects.toMatchObject({ code: "ERR_PUMP_DATA" });
    await delay(pump.clock, 2000);
    await latest;
    pump.answer = (_request, { onMeasurement }) => {
      onMeasurement?.(record(5));
      onMeasurement?.(Uint8Array.of(3, 0, 0));
      return SUCCESS;
    };
    await expect(reader.readings({})).rejects.toMatchObject({ code: "ERR_PUMP_DATA" });
    pump.answer = sending([5]);
    expect(await reader.readings({})).toHaveLength(1);
  });
});

describe("CGM Feature that could not be read when the session began", () => {
  beforeEach(() => {
    reader = new GlucoseReader(pump.channel, device, "unread");
    pump.answer = sending([10]);
  });
  const reads: [string, () => Promise<unknown>][] = [
    ["latest", () => reader.latest()],
    ["readings", () => reader.readings({})],
    ["sensorSession", () => reader.sensorSession()],
    ["status", () => reader.status()],
    ["sensorDetails", () => reader.sensorDetails()],
  ];

  test.each(reads)("%s: nothing is read of which the form is not known, and it is asked for again", async (_name, read) => {
    pump.values.cgmFeature = "001080590000"; // with a CRC that does not match
    await expect(read()).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "crc" });
    expect(pump.asked).toEqual(["cgmFeature"]);
    pump.values.cgmFeature = new AttError({ requestOpcode: 0x0a, attributeHandle: 1, errorCode: AttErrorCode.InsufficientResources });
    await expect(read()).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED" });
    expect([new Set(pump.asked), reader.feature]).toEqual([new Set(["cgmFeature"]), undefined]);
  });

  test("is read once when it can be, and then holds", async () => {
    pump.values.cgmFeature = "00800059ffff";
    expect(await reader.latest()).toMatchObject({ timeOffsetMin: 10 });
    expect(reader.feature).toMatchObject({ e2eCrc: false, type: 9 });
    await reader.latest();
    expect(pump.asked.filter((name) => name === "cgmFeature")).toHaveLength(1);
  });
});
