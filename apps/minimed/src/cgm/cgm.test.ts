import fc from "fast-check";
import { fromHex, toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { type DecodeVector, readVectors } from "../../test/vectors.ts";
import { formatLocal, type LocalDateTime, parseLocal } from "../data/date-time.ts";
import { PumpDataError } from "../data/error.ts";
import { openFrame, sealFrame } from "../sake/frame.ts";
import { CGM_FEATURES, decodeCgmFeature, encodeCgmFeature } from "./feature.ts";
import { fragment, MeasurementAssembler } from "./fragments.ts";
import {
  type CgmMeasurement,
  decodeCgmMeasurement,
  decodeCgmMeasurements,
  encodeCgmMeasurement,
  glucoseOf,
  trendOf,
} from "./measurement.ts";
import { CGM_CALIBRATION_FLAGS, CGM_STATUS_FLAGS, CGM_WARNING_FLAGS } from "./octets.ts";
import { decodeRecordAccessResponse, encodeNumberOfRecords, encodeRecordAccessResponse } from "./record-access.ts";
import {
  decodeCgmStatus,
  decodeSessionRunTime,
  decodeSessionStartTime,
  encodeSessionRunTime,
  encodeSessionStartTime,
  remainingSessionSeconds,
} from "./session.ts";
import { decodeSpecificOpsResponse } from "./specific-ops.ts";

interface MeasurementExpectation {
  size: number;
  flags: number;
  glucose_mgdl: number;
  time_offset_min: number;
  status: string[];
  cal_temp: string[];
  warning: string[];
  status_present: boolean;
  cal_temp_present: boolean;
  warning_present: boolean;
  trend_mgdl_per_min: number | null;
  quality_raw: number | null;
}
interface StateExpectation {
  time_offset_min: number;
  status: string[];
  cal_temp: string[];
  warning: string[];
}
interface Vectors {
  cgm: {
    feature: DecodeVector<{ features: string[]; feature_bits: string; type: number; sample_location: number; e2e_crc: string }>[];
    measurement: (DecodeVector<MeasurementExpectation> & { e2e_crc: boolean })[];
    measurement_concatenated: DecodeVector<MeasurementExpectation[]>[];
    session_start_time: DecodeVector<{
      local_date_time: string;
      time_zone_min: number | null;
      dst_offset_min: number | null;
      utc: string | null;
    }>[];
    session_run_time: DecodeVector<{ run_time_hours: number }>[];
    status: DecodeVector<StateExpectation>[];
    flag_names: { status: string[]; cal_temp: string[]; warning: string[]; feature: string[] };
    remaining_time: { session_start_local: string; run_time_hours: number; now_local: string; remaining_seconds: number }[];
    racp: { responses: DecodeVector<{ kind: string; request_opcode?: number; code?: string; count?: number }>[] };
    socp: {
      sensor_details: DecodeVector<{
        opcode: string;
        flags: string[];
        annunciation: string[] | null;
        maximum_calibration_interval: number | null;
        maximum_sensor_life_min: number | null;
        sensor_flex_package_version: number | null;
        warm_up_period: number | null;
      }>[];
      response_code: DecodeVector<{ request_opcode: string; code: string }>[];
      calibration_value: DecodeVector<{
        glucose_mgdl: number;
        time_offset_min: number;
        type: number;
        sample_location: number;
        next_calibration_min: number | null;
        record_number: number;
        status: { rejected: boolean; out_of_range: boolean; process_pending: boolean };
      }>[];
      calibration_context: DecodeVector<{
        change_sensor_needed: boolean;
        no_further_calibrations: boolean;
        calibration_factor: number;
      }>[];
      session_id: DecodeVector<{ session_id: number }>[];
    };
  };
  fragments: { key: string; nonce: string; first_seq: number; record: string; mtu_23: string[]; mtu_184: string[] };
}
const { cgm, fragments } = readVectors<Vectors>("minimed");

/** Runs a decoder on a vector: its value in the vector's words, or the kind of refusal. */
function check<Expected, Value>(
  { bytes, expected, error }: DecodeVector<Expected>,
  decode: (bytes: Uint8Array) => Value,
  describeValue: (value: Value) => unknown,
): void {
  if (error) expect(problemOf(() => decode(fromHex(bytes)))).toBe(error);
  else {
    const { peer_note: _, ...words } = expected as Record<string, unknown>;
    expect(describeValue(decode(fromHex(bytes)))).toMatchObject(Array.isArray(expected) ? expected : words);
  }
}
function problemOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof PumpDataError) return error.problem;
    throw error;
  }
  return undefined;
}
/** Every cut is refused, and octets of any kind give a value or a typed refusal. */
function isRobust(decode: (bytes: Uint8Array) => unknown, sample: string): void {
  const whole = fromHex(sample);
  for (let length = 0; length < whole.length; length++) expect(problemOf(() => decode(whole.subarray(0, length)))).toBeDefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => void problemOf(() => decode(bytes))));
}
const crc = { e2eCrc: true };

describe("CGM Feature", () => {
  test("bits have the vectors' names", () => expect(CGM_FEATURES).toEqual(cgm.flag_names.feature));
  test.each(cgm.feature)("$name", (vector) => {
    check(vector, decodeCgmFeature, (value) => ({
      features: value.features,
      feature_bits: value.bits.toString(16).padStart(6, "0"),
      type: value.type,
      sample_location: value.sampleLocation,
      e2e_crc: value.e2eCrc ? "valid" : "unused",
    }));
    if (vector.expected) expect(toHex(encodeCgmFeature(decodeCgmFeature(fromHex(vector.bytes))))).toBe(vector.bytes);
  });
  test("a damaged CRC bit does not switch the check off", () => {
    expect(problemOf(() => decodeCgmFeature(fromHex("40800059b959")))).toBe("crc");
    expect(decodeCgmFeature(fromHex("00800059ffff")).e2eCrc).toBe(false);
  });
  test("is robust", () => isRobust(decodeCgmFeature, cgm.feature[0]!.bytes));
});

const inWords = (value: CgmMeasurement): MeasurementExpectation => ({
  size: value.size,
  flags: value.flags,
  glucose_mgdl: value.glucoseMgdl!,
  time_offset_min: value.timeOffsetMin,
  status: [...value.names.status],
  cal_temp: [...value.names.calibration],
  warning: [...value.names.warning],
  status_present: value.octets.status !== undefined,
  cal_temp_present: value.octets.calibration !== undefined,
  warning_present: value.octets.warning !== undefined,
  trend_mgdl_per_min: value.trend?.value ?? null,
  quality_raw: value.quality?.value ?? null,
});

describe("CGM Measurement", () => {
  test("bits have the vectors' names", () => {
    expect([CGM_STATUS_FLAGS, CGM_CALIBRATION_FLAGS, CGM_WARNING_FLAGS]).toEqual([
      cgm.flag_names.status,
      cgm.flag_names.cal_temp,
      cgm.flag_names.warning,
    ]);
  });
  test.each(cgm.measurement)("$name", (vector) => {
    const options = { e2eCrc: vector.e2e_crc };
    check(vector, (bytes) => decodeCgmMeasurement(bytes, options), inWords);
    check(
      { ...vector, ...(vector.expected && { expected: [vector.expected] }) },
      (bytes) => decodeCgmMeasurements(bytes, options),
      (values) => values.map(inWords),
    );
    if (!vector.expected) return;
    const value = decodeCgmMeasurement(fromHex(vector.bytes), options);
    const again = encodeCgmMeasurement(
      {
        glucoseMgdl: value.glucoseMgdl!,
        timeOffsetMin: value.timeOffsetMin,
        octets: value.octets,
        trendMgdlPerMin: vector.name === "trend_unavailable" ? "unavailable" : value.trend?.value,
        quality: value.quality?.value,
      },
      options,
    );
    expect(inWords(decodeCgmMeasurement(again, options))).toEqual(inWords(value));
  });
  test.each(cgm.measurement_concatenated)("$name", (vector) => {
    check(
      vector,
      (bytes) => decodeCgmMeasurements(bytes, crc),
      (values) => values.map(inWords),
    );
  });
  test("0 and special words are no reading, an impossible trend is none", () => {
    const read = (name: string) => decodeCgmMeasurement(fromHex(cgm.measurement.find((vector) => vector.name === name)!.bytes), crc);
    expect(glucoseOf(read("zero_marker"))).toBeUndefined();
    expect(glucoseOf(read("typical_780g"))).toBe(114);
    expect(trendOf(read("trend_unavailable"))).toBeUndefined();
    expect(trendOf(read("falling_fast"))).toBe(-3.25);
    expect(trendOf(read("minimal"))).toBeUndefined();
    expect(glucoseOf(decodeCgmMeasurement(fromHex("0600ff073700"), { e2eCrc: false }))).toBeUndefined();
    expect(trendOf(decodeCgmMeasurement(fromHex("0801640037000008"), { e2eCrc: false }))).toBeUndefined();
  });
  test("the second of two records is checked like the first", () => {
    const two = fromHex(cgm.measurement_concatenated[0]!.bytes);
    two[16]! ^= 1;
    expect(problemOf(() => decodeCgmMeasurements(two, crc))).toBe("crc");
    expect(problemOf(() => decodeCgmMeasurements(two.subarray(0, 20), crc))).toBe("length");
    expect(problemOf(() => decodeCgmMeasurements(new Uint8Array(), crc))).toBe("length");
  });
  test("is robust", () => {
    isRobust((bytes) => decodeCgmMeasurement(bytes, crc), cgm.measurement[0]!.bytes);
    isRobust((bytes) => decodeCgmMeasurements(bytes, { e2eCrc: false }), "0cc382003e00000001000a00");
  });
});

describe("sessions", () => {
  test.each(cgm.session_start_time)("start: $name", (vector) => {
    check(
      vector,
      (bytes) => decodeSessionStartTime(bytes, crc),
      (value) => ({
        local_date_time: value.local && formatLocal(value.local),
        time_zone_min: value.timeZoneMin ?? null,
        dst_offset_min: value.dstOffsetMin ?? null,
        utc: value.utc ?? null,
      }),
    );
  });
  test("start: the pump's own form is written", () => {
    const local = parseLocal("2025-04-28T10:31:42");
    expect(toHex(encodeSessionStartTime(local, crc))).toBe(cgm.session_start_time[0]!.bytes);
    expect(decodeSessionStartTime(encodeSessionStartTime(local, { e2eCrc: false }), { e2eCrc: false }).local).toEqual(local);
  });
  test("start: an unknown or impossible date is told apart", () => {
    expect(decodeSessionStartTime(fromHex("0000000000000080ff"), { e2eCrc: false }).local).toBeUndefined();
    for (const date of ["e9070d010000008000", "e907021d0000008000", "e9070401180000ff00", "e90704010a3c008000", "e9070401000000ff"])
      expect(problemOf(() => decodeSessionStartTime(fromHex(date), { e2eCrc: false }))).toMatch(/value|length/);
  });
  test.each(cgm.session_run_time)("run time: $bytes", (vector) => {
    check(
      vector,
      (bytes) => decodeSessionRunTime(bytes, crc),
      (run_time_hours) => ({ run_time_hours }),
    );
    if (vector.expected) expect(toHex(encodeSessionRunTime(vector.expected.run_time_hours, crc))).toBe(vector.bytes);
  });
  test.each(cgm.status)("status: $bytes", (vector) => {
    check(
      vector,
      (bytes) => decodeCgmStatus(bytes, crc),
      (value) => ({
        time_offset_min: value.timeOffsetMin,
        status: value.names.status,
        cal_temp: value.names.calibration,
        warning: value.names.warning,
      }),
    );
  });
  test.each(cgm.remaining_time)(
    "remaining: $remaining_seconds s",
    ({ session_start_local, run_time_hours, now_local, remaining_seconds }) => {
      const [start, now] = [session_start_local, now_local].map(parseLocal) as [LocalDateTime, LocalDateTime];
      expect(remainingSessionSeconds(start, run_time_hours, now)).toBe(remaining_seconds);
    },
  );
  test("are robust", () => {
    isRobust((bytes) => decodeSessionStartTime(bytes, crc), cgm.session_start_time[0]!.bytes);
    isRobust((bytes) => decodeSessionStartTime(bytes, { e2eCrc: false }), "e907041c0a1f2a80ff");
    isRobust((bytes) => decodeSessionRunTime(bytes, crc), cgm.session_run_time[0]!.bytes);
    isRobust((bytes) => decodeCgmStatus(bytes, crc), cgm.status[0]!.bytes);
  });
});

describe("control points", () => {
  test.each(cgm.racp.responses)("record access: $bytes", (vector) => {
    check(vector, decodeRecordAccessResponse, (value) =>
      value.kind === "response_code"
        ? { kind: value.kind, request_opcode: value.requestOpcode, code: value.code }
        : { kind: value.kind, count: value.count },
    );
  });
  test("record access: responses are written, requests are no responses", () => {
    expect(toHex(encodeRecordAccessResponse(1, 6))).toBe("06000106");
    expect(toHex(encodeNumberOfRecords(12))).toBe("05000c00");
    expect(problemOf(() => decodeRecordAccessResponse(fromHex("0106")))).toBe("opcode");
    expect(decodeRecordAccessResponse(fromHex("060001ee"))).toMatchObject({ code: "code_0xee" });
    isRobust(decodeRecordAccessResponse, "06000101");
  });

  const { socp } = cgm;
  const decode = (bytes: Uint8Array) => decodeSpecificOpsResponse(bytes, { ...crc, expected: undefined });
  test.each(socp.sensor_details)("sensor details: $name", (vector) => {
    check(
      vector,
      (bytes) => decodeSpecificOpsResponse(bytes, { ...crc, expected: 0x91 }),
      (value) =>
        value.kind !== "sensor_details"
          ? value
          : {
              opcode: "91",
              flags: value.flags,
              annunciation: value.annunciation ?? null,
              maximum_calibration_interval: value.maximumCalibrationInterval ?? null,
              maximum_sensor_life_min: value.maximumSensorLifeMin ?? null,
              sensor_flex_package_version: value.sensorFlexPackageVersion ?? null,
              warm_up_period: value.warmUpPeriod ?? null,
            },
    );
  });
  test.each(socp.response_code)("specific ops: $bytes", (vector) => {
    check(vector, decode, (value) =>
      value.kind === "response_code"
        ? { kind: value.kind, request_opcode: value.requestOpcode.toString(16).padStart(2, "0"), code: value.code }
        : value,
    );
  });
  test.each(socp.calibration_value)("$name", (vector) => {
    check(vector, decode, (value) =>
      value.kind !== "calibration_value"
        ? value
        : {
            opcode: "06",
            glucose_mgdl: value.glucoseMgdl,
            time_offset_min: value.timeOffsetMin,
            type: value.type,
            sample_location: value.sampleLocation,
            next_calibration_min: value.nextCalibrationMin ?? null,
            record_number: value.recordNumber,
            status: {
              rejected: value.status.rejected,
              out_of_range: value.status.outOfRange,
              process_pending: value.status.processPending,
            },
          },
    );
  });
  test.each(socp.calibration_context)("calibration context $bytes", (vector) => {
    check(vector, decode, (value) =>
      value.kind !== "calibration_context"
        ? value
        : {
            opcode: "82",
            change_sensor_needed: value.changeSensorNeeded,
            no_further_calibrations: value.noFurtherCalibrations,
            calibration_factor: value.calibrationFactor,
          },
    );
  });
  test.each(socp.session_id)("session id $bytes", (vector) => {
    check(vector, decode, (value) => (value.kind === "session_id" ? { opcode: "8d", session_id: value.sessionId } : value));
  });
  test("specific ops: bits that have no name are kept", () => {
    expect(decodeSpecificOpsResponse(fromHex("91e19d00"), { e2eCrc: false })).toMatchObject({
      flags: ["sensor_details_annunciation_present"],
      flagBits: 0xe1,
      annunciation: ["approved_treatment", "cal_free", "has_calibration_recommended", "has_abnormal_sg_increase_detection"],
      annunciationBits: 0x9d,
    });
    expect(decodeSpecificOpsResponse(fromHex("0664000a0015ffff0700f2"), { e2eCrc: false })).toMatchObject({
      status: { rejected: false, outOfRange: true, processPending: false },
      statusBits: 0xf2,
    });
    expect(decodeSpecificOpsResponse(fromHex("82f10a00"), { e2eCrc: false })).toMatchObject({ changeSensorNeeded: true, statusBits: 0xf1 });
    expect(decodeSpecificOpsResponse(fromHex("9100"), { e2eCrc: false })).toMatchObject({ annunciationBits: undefined, flagBits: 0 });
  });
  test.each<[string, (bytes: Uint8Array, options: never) => unknown]>([
    ["CGM Measurement", decodeCgmMeasurement],
    ["CGM Measurements", decodeCgmMeasurements],
    ["CGM Session Start Time", decodeSessionStartTime],
    ["CGM Session Run Time", decodeSessionRunTime],
    ["CGM Status", decodeCgmStatus],
    ["CGM Specific Ops", decodeSpecificOpsResponse],
  ])("%s is not guessed to have a CRC or none", (_name, decoder) => {
    for (const options of [undefined, null, {}, false, { e2eCrc: "yes" }])
      expect(() => decoder(fromHex("00"), options as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    for (const bytes of [undefined, null, "00"])
      expect(() => decoder(bytes as never, crc as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
  test("specific ops: an answer to another request is refused", () => {
    expect(problemOf(() => decodeSpecificOpsResponse(fromHex("8d0b006d69"), { ...crc, expected: 0x91 }))).toBe("opcode");
    isRobust(decode, socp.calibration_value[0]!.bytes);
    isRobust((bytes) => decodeSpecificOpsResponse(bytes, { e2eCrc: false }), "9100");
  });
});

describe("fragments", () => {
  const keys = { key: fromHex(fragments.key), nonce: fromHex(fragments.nonce) };
  test.each([
    [23, fragments.mtu_23],
    [184, fragments.mtu_184],
  ])("at an ATT_MTU of %i each notification is a frame of its own", (mtu, frames) => {
    const parts = fragment(fromHex(fragments.record), mtu - 3, 3);
    expect(parts.map((part, i) => toHex(sealFrame(keys, fragments.first_seq + 2 * i, part)!))).toEqual(frames);
    let joined = "";
    let sequence = fragments.first_seq;
    for (const frame of frames) {
      const opened = openFrame(keys, sequence, fromHex(frame));
      if (!opened.ok) throw new Error(opened.problem);
      joined += toHex(opened.plaintext);
      sequence = opened.nextSequence;
    }
    expect(joined).toBe(fragments.record);
  });

  test("a measurement is joined from parts of any size, and two in one notification are parted", () => {
    const record = fromHex("0fe39101ffff3f7fff1ff001102682");
    for (let size = 1; size <= 40; size++) {
      const assembler = new MeasurementAssembler();
      const records = fragment(Uint8Array.of(...record, ...record), size + 3, 3).flatMap((part) => assembler.push(part));
      expect(records).toEqual([record, record]);
      expect(assembler.pending).toBe(0);
    }
  });
  test("a size that no record has is refused, and what follows is taken afresh", () => {
    const assembler = new MeasurementAssembler();
    expect(assembler.push(Uint8Array.of(8, 0, 120))).toEqual([]);
    expect(assembler.pending).toBe(3);
    assembler.reset();
    expect(problemOf(() => assembler.push(Uint8Array.of(5, 1, 2)))).toBe("length");
    expect(assembler.push(fromHex("080078003700e658"))).toHaveLength(1);
  });
});
