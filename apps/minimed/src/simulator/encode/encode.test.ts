import { decodeFloat, fromHex, toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { type DecodeVector, readVectors } from "../../../test/vectors.ts";
import { decodeCgmStatus } from "../../cgm/session.ts";
import { decodeSpecificOpsResponse } from "../../cgm/specific-ops.ts";
import { decodeHistoryAccessResponse } from "../../history/record-access.ts";
import { decodeAnnunciationStatus } from "../../idd/annunciation-status.ts";
import { decodeCommandRead } from "../../idd/command-reads.ts";
import { decodeIddFeatures, encodeIddFeatures } from "../../idd/features.ts";
import { unprotected } from "../../idd/protection.ts";
import { decodeStatusReaderResponse } from "../../idd/status-reader.ts";
import { amountWord } from "./amount.ts";
import { encodeAnnunciationStatus } from "./annunciation-status.ts";
import { encodeAlertLevel, encodeCalibrationContext, encodeCalibrationValue, encodeCgmStatus } from "./cgm.ts";
import { encodeCommandResult, encodeHighLowSettings, encodeMaximumBolus } from "./command.ts";
import { encodeHistoryAccessResponse, encodeNumberOfHistoryRecords } from "./history-access.ts";
import { nextCounter, protect, protectFeatures, unprotect } from "./protection.ts";
import {
  encodeActiveBasalRate,
  encodeActiveBolus,
  encodeActiveBolusIds,
  encodeCalibrationIcon,
  encodeCounter,
  encodeDeliveredInsulin,
  encodeDisplayFormat,
  encodeEarlyCalibrationTime,
  encodeInsulinOnBoard,
  encodeStatusReaderResult,
  encodeTherapyAlgorithmStates,
  encodeTimeInRange,
  encodeTotalDailyInsulin,
  encodeWarmUpRemaining,
} from "./status-reader.ts";

interface Vectors {
  idd: { status_reader: Record<string, DecodeVector<never>[]>; command_reads: { high_low: DecodeVector<never>[] } };
}
const { idd } = readVectors<Vectors>("minimed");
const PLAIN = { e2e: false };
const answer = (bytes: Uint8Array) => decodeStatusReaderResponse(bytes, PLAIN);
const vector = (kind: string, at = 0): string => idd.status_reader[kind]![at]!.bytes;

test("amounts have the pump's form: whole numbers as they are, all others in millionths where those fit", () => {
  const words = {
    0: "00000000",
    15: "0000000f",
    0.9: "fa0dbba0",
    4.7: "fa47b760",
    1.35: "fa149970",
    0.125: "fa01e848",
    1.6521: "fa193584",
  };
  for (const [value, word] of Object.entries(words)) expect(amountWord(Number(value)).toString(16).padStart(8, "0")).toBe(word);
  for (const value of [0.025, 8.388, 8.389, 12.05, 142.575, 1234.25, -1.5, 299.999])
    expect(decodeFloat(amountWord(value)).value).toBeCloseTo(value, 3);
});

describe("answers of the status reader, octet for octet as a pump gives them", () => {
  test.each([
    [
      "time_in_range",
      encodeTimeInRange({ notEnoughData: false, abovePercent: 24, belowPercent: 3, inRangePercent: 73, smartGuardPercent: 97 }),
    ],
    ["insulin_on_board", encodeInsulinOnBoard(1.35)],
    ["therapy_algorithm_states", encodeTherapyAlgorithmStates({ shield: { state: 2, readiness: 1 } })],
    ["active_basal_rate_delivery", encodeActiveBasalRate({ profileTemplateNumber: 4, configuredRate: 0 })],
    ["display_format", encodeDisplayFormat({ clock24h: true, carbohydratesInExchanges: false, activeInsulinResolution: 0 })],
    ["active_bolus_ids", encodeActiveBolusIds([])],
    ["response_code", encodeStatusReaderResult(0x030c, 0x0f)],
  ])("%s", (kind, bytes) => expect(toHex(bytes)).toBe(vector(kind)));

  test("further forms", () => {
    expect(toHex(encodeActiveBasalRate({ profileTemplateNumber: 1, configuredRate: 0.9 }))).toBe(vector("active_basal_rate_delivery", 1));
    expect(toHex(encodeTherapyAlgorithmStates({ shield: { state: 1, readiness: 3 }, plgm: 0 }))).toBe(
      vector("therapy_algorithm_states", 1),
    );
    expect(toHex(encodeTherapyAlgorithmStates({ lgs: 2 }))).toBe(vector("therapy_algorithm_states", 2));
    expect(toHex(encodeActiveBolusIds([7, 8, 65535]))).toBe(vector("active_bolus_ids", 2));
    expect(toHex(encodeDisplayFormat({ clock24h: false, language: 3, carbohydratesInExchanges: true, activeInsulinResolution: 1 }))).toBe(
      vector("display_format", 1),
    );
  });

  test("what is written is read again", () => {
    const therapy = {
      shield: { state: 3, readiness: 5 },
      plgm: 1,
      lgs: 2,
      temporaryTargetMin: 90,
      waitToCalibrateMin: 15,
      safeBasalMin: 240,
    };
    expect(answer(encodeTherapyAlgorithmStates(therapy))).toMatchObject({
      shield: "safe_basal_mode",
      readiness: "bg_recommended",
      plgm: "feature_on_suspended",
      lgs: "feature_on",
      temporaryTargetMin: 90,
      waitToCalibrateMin: 15,
      safeBasalMin: 240,
    });
    expect(answer(encodeInsulinOnBoard(3, { remainingDurationMin: 60, partial: { durationMin: 120, remaining: 90 } }))).toEqual({
      kind: "insulin_on_board",
      insulinOnBoardIu: 3,
      remainingDurationMin: 60,
      partialStatusDurationMin: 120,
      partialStatusRemaining: 90,
    });
    const temporaryBasal = { type: 0x3c, adjustment: 0.5, programmedMin: 120, remainingMin: 30 };
    expect(
      answer(
        encodeActiveBasalRate({
          profileTemplateNumber: 1,
          configuredRate: 1,
          temporaryBasal,
          temporaryBasalTemplateNumber: 2,
          context: 0x33,
        }),
      ),
    ).toMatchObject({
      temporaryBasal: { type: "relative", adjustment: 0.5, programmedMin: 120, remainingMin: 30 },
      temporaryBasalTemplateNumber: 2,
      context: "device_based",
    });
    const bolus = { bolusId: 19, bolusType: 0x33, fastIu: 2.5, extendedIu: 0.75, durationMin: 30 };
    expect(answer(encodeActiveBolus({ ...bolus, delayMin: 5, templateNumber: 1, activation: 0x5a }))).toMatchObject({
      ...bolus,
      bolusType: "fast",
      delayMin: 5,
      templateNumber: 1,
      activation: "commanded",
    });
    expect(answer(encodeActiveBolus(bolus))).toMatchObject({ flags: 0, delayMin: undefined, activation: undefined });
    expect(answer(encodeTotalDailyInsulin({ bolusIu: 9.5, basalIu: 8 }))).toMatchObject({ bolusIu: 9.5, basalIu: 8, sumIu: 17.5 });
    expect(answer(encodeDeliveredInsulin({ bolusIu: 1234.5, basalIu: 8.25 }))).toMatchObject({ bolusIu: 1234.5, basalIu: 8.25 });
    expect(answer(encodeCounter(0x33, 0x0f, -1))).toMatchObject({ type: "warranty", selection: "remaining", minutes: -1 });
    expect(answer(encodeWarmUpRemaining(2))).toMatchObject({ kind: "warm_up_remaining", hours: 2 });
    expect(answer(encodeCalibrationIcon(11))).toMatchObject({ kind: "calibration_icon", icon: 11 });
    expect(answer(encodeEarlyCalibrationTime(1, 15))).toMatchObject({ kind: "early_calibration_time", hours: 1, minutes: 15 });
  });
});

test("the command control point's answers", () => {
  const blocks = (...pairs: [number, number][]) => pairs.map(([durationMin, limitMgdl]) => ({ durationMin, limitMgdl }));
  const { high_low } = idd.command_reads;
  expect(encodeHighLowSettings(1, blocks([480, 270], [780, 0], [180, 270])).map(toHex)).toEqual([high_low[0]!.bytes]);
  expect(encodeHighLowSettings(0, blocks([1440, 72])).map(toHex)).toEqual([high_low[1]!.bytes]);
  const four = encodeHighLowSettings(1, blocks([300, 200], [300, 210], [300, 220], [540, 230]));
  expect(four.map((bytes) => decodeCommandRead(bytes, PLAIN))).toMatchObject([
    { firstBlockIndex: 0, blocks: [{ limitMgdl: 200 }, { limitMgdl: 210 }, { limitMgdl: 220 }] },
    { firstBlockIndex: 3, blocks: [{ durationMin: 540, limitMgdl: 230 }] },
  ]);
  expect(toHex(encodeCommandResult(0x148e, 0x0f))).toBe("550f8e140f");
  expect(decodeCommandRead(encodeMaximumBolus(12.5), PLAIN)).toEqual({ kind: "maximum_bolus", amountIu: 12.5 });
});

test("what is shown, and what the history's control point answers", () => {
  expect(decodeAnnunciationStatus(encodeAnnunciationStatus(undefined), PLAIN)).toBeUndefined();
  const shown = { instanceId: 773, code: 802, state: 0x33, auxiliary: [70, 512] };
  expect(decodeAnnunciationStatus(encodeAnnunciationStatus(shown), PLAIN)).toEqual({
    ...shown,
    type: 0xf322,
    state: "pending",
    rest: new Uint8Array(),
  });
  expect(decodeHistoryAccessResponse(encodeHistoryAccessResponse(0x33, 0xf0))).toMatchObject({ requestOpcode: 0x33, code: "success" });
  expect(decodeHistoryAccessResponse(encodeNumberOfHistoryRecords(70_000))).toMatchObject({ count: 70_000 });
});

test("values of the CGM service", () => {
  expect(decodeCgmStatus(encodeCgmStatus(1500, { status: 1, calibration: 4, warning: 2 }), { e2eCrc: true })).toMatchObject({
    timeOffsetMin: 1500,
    names: { status: ["session_stopped"], calibration: ["calibration_recommended"], warning: ["above_patient_high"] },
  });
  const of = (bytes: Uint8Array) => decodeSpecificOpsResponse(bytes, { e2eCrc: false });
  const calibration = { glucoseMgdl: 106, timeOffsetMin: 1593, recordNumber: 3, status: 0 };
  expect(toHex(encodeCalibrationValue(6, calibration))).toBe("066a00390611ffff030000");
  expect(of(encodeCalibrationValue(6, { ...calibration, nextCalibrationMin: 2000, status: 5 }))).toMatchObject({
    nextCalibrationMin: 2000,
    status: { rejected: true, outOfRange: false, processPending: true },
  });
  expect(of(encodeAlertLevel(0x15, -2.5))).toMatchObject({ kind: "alert_level", requestOpcode: 0x14, level: -2.5 });
  expect(of(encodeCalibrationContext(0x82, 3, 1234))).toMatchObject({
    changeSensorNeeded: true,
    noFurtherCalibrations: true,
    calibrationFactor: 1234,
  });
});

test("protection: counter and CRC behind, in Features before; 255 is followed by 1", () => {
  const content = fromHex("0204");
  const bytes = protect(content, 7);
  expect(unprotected("value", bytes, { e2e: true })).toEqual(content);
  expect(unprotect("value", bytes)).toEqual({ content, counter: 7 });
  bytes[0]! ^= 1;
  expect(() => unprotect("value", bytes)).toThrow(expect.objectContaining({ problem: "crc" }));
  expect([1, 254, 255, 0].map(nextCounter)).toEqual([2, 255, 1, 1]);
  const features = encodeIddFeatures({ bits: 0x1f_80dc_ffn, insulinConcentrationWord: 100 });
  expect(decodeIddFeatures(protectFeatures(features, 9))).toMatchObject({ e2e: true, crc: "valid", counter: 9 });
  expect(features[2]).toBe(0);
});
