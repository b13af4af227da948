import type { GlucoseReading, NoGlucoseValue } from "../src/connector/reading.ts";
import type { PumpLinkState, PumpState, PumpValueName, PumpValues } from "../src/index.ts";
import { toMmolPerLitre } from "../src/index.ts";

export const SERIAL = "NG4711089H";
/** 2031-03-02T08:00:00Z: added to the simulated clock's time it is the time of day. */
export const EPOCH_MS = Date.UTC(2031, 2, 2, 8);

const NO_FLAGS = { status: [], calibration: [], warning: [] } as const;

export function reading(
  mgdl: number,
  {
    takenAtMs,
    receivedAtMs,
    trend,
    timeOffsetMin = 600,
  }: {
    takenAtMs: number | undefined;
    receivedAtMs: number;
    trend?: number | undefined;
    timeOffsetMin?: number;
  },
): GlucoseReading {
  return {
    kind: "reading",
    mgdl,
    mmolPerLitre: toMmolPerLitre(mgdl),
    trendMgdlPerMin: trend,
    arrows: undefined,
    timeOffsetMin,
    takenAt: undefined,
    takenAtMs,
    receivedAtMs,
    state: NO_FLAGS,
    quality: 10,
  };
}

export function noValue(takenAtMs: number, warning: NoGlucoseValue["state"]["warning"] = []): NoGlucoseValue {
  return {
    kind: "no-value",
    timeOffsetMin: 605,
    takenAt: undefined,
    takenAtMs,
    receivedAtMs: takenAtMs,
    state: { ...NO_FLAGS, warning },
    quality: undefined,
  };
}

/** What a pump is after the first reads. */
export function pumpValues(nowMs: number): PumpValues {
  return {
    information: {
      manufacturer: "Medtronic",
      model: "MMT-1885",
      serial: SERIAL,
      hardware: `A1.01 ${SERIAL}`,
      firmware: "6.60",
      software: "6.60",
    },
    battery: 75,
    transmitterBattery: 100,
    clock: { year: 2031, month: 3, day: 2, hour: 9, minute: 0, second: 0 },
    glucose: reading(142, { takenAtMs: nowMs - 60_000, receivedAtMs: nowMs, trend: 1.5 }),
    sensorSession: { start: undefined, runTimeHours: 170, remainingMs: 36 * 3600_000 },
    sensorDetails: {
      flags: [],
      flagBits: 0,
      annunciation: undefined,
      annunciationBits: undefined,
      maximumCalibrationInterval: undefined,
      maximumSensorLifeMin: undefined,
      sensorFlexPackageVersion: undefined,
      warmUpPeriod: undefined,
    },
    features: {} as PumpValues["features"],
    status: {
      therapyControlState: "run",
      operationalState: "ready",
      reservoirRemainingIu: 123.456,
      reservoirAttached: true,
      sensorConnectivity: ["sensor_on", "sensor_paired"],
      sensorConnectivityBits: 3,
      sensorMessage: "no_message",
    },
    annunciation: { instanceId: 7, type: 0xf069, code: 105, state: "pending", auxiliary: [], rest: new Uint8Array() },
    insulinOnBoard: {
      insulinOnBoardIu: 2.5,
      remainingDurationMin: 90,
      partialStatusDurationMin: undefined,
      partialStatusRemaining: undefined,
    },
    timeInRange: { notEnoughData: false, abovePercent: 20, belowPercent: 2, inRangePercent: 78, smartGuardPercent: 90 },
    therapy: {
      flags: 0,
      shield: "auto_basal_mode",
      readiness: undefined,
      plgm: undefined,
      lgs: undefined,
      temporaryTargetMin: undefined,
      waitToCalibrateMin: undefined,
      safeBasalMin: undefined,
    },
    basalRate: {
      profileTemplateNumber: 1,
      configuredRate: 0.9,
      temporaryBasal: undefined,
      temporaryBasalTemplateNumber: undefined,
      context: undefined,
    },
    boluses: [],
    displayFormat: {} as PumpValues["displayFormat"],
    highSettings: {} as PumpValues["highSettings"],
    lowSettings: {} as PumpValues["lowSettings"],
  };
}

/** A state with everything read at `nowMs`, and what is different. A value of undefined: the pump has none. */
export function pumpState(
  nowMs: number,
  changes: { readonly [Name in PumpValueName]?: PumpValues[Name] | undefined } = {},
  { link, heardAtMs = nowMs }: { link?: PumpLinkState; heardAtMs?: number | undefined } = {},
): PumpState {
  const values = Object.fromEntries(
    Object.entries({ ...pumpValues(nowMs), ...changes }).map(([name, value]) => [name, { value, atMs: nowMs }]),
  ) as PumpState["values"];
  return { epochMs: EPOCH_MS, link: link ?? { kind: "ready", sinceMs: 0 }, heardAtMs, hint: undefined, values };
}
