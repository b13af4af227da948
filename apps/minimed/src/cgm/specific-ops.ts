import { decodeSfloat, type Reader } from "jelling/bytes";
import { checkedFlag } from "../data/checked-flag.ts";
import { checkE2eCrc } from "../data/e2e-crc.ts";
import { decodeValue, PumpDataError } from "../data/error.ts";
import { flagNames } from "../data/flags.ts";
import { readSessionStartTime, type SessionStartTime } from "./session.ts";

const NAME = "CGM Specific Ops Control Point";

/** Operation codes of the CGM specific operations control point that read; all other requests are not for us. */
export const SpecificOpsOpcode = Object.freeze({
  GetCommunicationInterval: 0x02,
  GetCalibrationValue: 0x05,
  GetPatientHighAlertLevel: 0x08,
  GetPatientLowAlertLevel: 0x0b,
  GetHypoAlertLevel: 0x0e,
  GetHyperAlertLevel: 0x11,
  GetRateOfDecreaseAlertLevel: 0x14,
  GetRateOfIncreaseAlertLevel: 0x17,
  GetCalibrationContext: 0x81,
  ReadSessionStartTime: 0x83,
  ReadCurrentSessionId: 0x8c,
  GetSensorDetails: 0x90,
});

const RESPONSE_OPCODE = 0x1c;
const RESPONSE_CODES = {
  1: "success",
  2: "opcode_not_supported",
  3: "invalid_operand",
  4: "procedure_not_completed",
  5: "parameter_out_of_range",
  128: "vendor_0x80",
} as const;
export type SpecificOpsResult = (typeof RESPONSE_CODES)[keyof typeof RESPONSE_CODES] | `code_0x${string}`;

export const SENSOR_DETAIL_FLAGS = [
  "sensor_details_annunciation_present",
  "maximum_calibration_interval_present",
  "maximum_sensor_life_present",
  "sensor_flex_package_version_present",
  "sensor_warm_up_period_present",
] as const;
export const SENSOR_ANNUNCIATIONS = [
  "approved_treatment",
  "disposable",
  "cal_free",
  "has_calibration_recommended",
  "has_abnormal_sg_increase_detection",
  "calibration_transfer_supported",
] as const;

export interface SensorDetails {
  readonly flags: readonly (typeof SENSOR_DETAIL_FLAGS)[number][];
  /** The same as they came, with bits that have no name. */
  readonly flagBits: number;
  readonly annunciation: readonly (typeof SENSOR_ANNUNCIATIONS)[number][] | undefined;
  /** As for `flagBits`. */
  readonly annunciationBits: number | undefined;
  /** Unit unknown; 0xFFFF has been seen. */
  readonly maximumCalibrationInterval: number | undefined;
  readonly maximumSensorLifeMin: number | undefined;
  readonly sensorFlexPackageVersion: number | undefined;
  /** Unit unknown. */
  readonly warmUpPeriod: number | undefined;
}

export interface CalibrationValue {
  readonly glucoseMgdl: number | undefined;
  readonly timeOffsetMin: number;
  readonly type: number;
  readonly sampleLocation: number;
  /** undefined when none is planned. */
  readonly nextCalibrationMin: number | undefined;
  readonly recordNumber: number;
  readonly status: { readonly rejected: boolean; readonly outOfRange: boolean; readonly processPending: boolean };
  /** The same as it came, with bits that have no name. */
  readonly statusBits: number;
}

export type SpecificOpsResponse =
  | { readonly kind: "response_code"; readonly requestOpcode: number; readonly code: SpecificOpsResult }
  | { readonly kind: "communication_interval"; readonly minutes: number }
  | ({ readonly kind: "calibration_value" } & CalibrationValue)
  | { readonly kind: "alert_level"; readonly requestOpcode: number; readonly level: number | undefined }
  | {
      readonly kind: "calibration_context";
      readonly changeSensorNeeded: boolean;
      readonly noFurtherCalibrations: boolean;
      /** Both of these as they came, with bits that have no name. */
      readonly statusBits: number;
      readonly calibrationFactor: number;
    }
  | { readonly kind: "session_start_time"; readonly sessionId: number; readonly start: SessionStartTime }
  | { readonly kind: "session_id"; readonly sessionId: number }
  | ({ readonly kind: "sensor_details" } & SensorDetails);

/** Readers of the responses, by their operation codes: each is one more than its request. */
const RESPONSES: Readonly<Record<number, (reader: Reader) => SpecificOpsResponse>> = {
  [RESPONSE_OPCODE]: (reader) => ({ kind: "response_code", requestOpcode: reader.u8(), code: resultName(reader.u8()) }),
  3: (reader) => ({ kind: "communication_interval", minutes: reader.u8() }),
  6: readCalibrationValue,
  9: alertLevel(0x08),
  12: alertLevel(0x0b),
  15: alertLevel(0x0e),
  18: alertLevel(0x11),
  21: alertLevel(0x14),
  24: alertLevel(0x17),
  130: (reader) => {
    const status = reader.u8();
    return {
      kind: "calibration_context",
      changeSensorNeeded: (status & 1) !== 0,
      noFurtherCalibrations: (status & 2) !== 0,
      statusBits: status,
      calibrationFactor: reader.u16(),
    };
  },
  132: (reader) => ({ kind: "session_start_time", sessionId: reader.u16(), start: readSessionStartTime(NAME, reader) }),
  // Both widths have been seen.
  141: (reader) => ({ kind: "session_id", sessionId: reader.remaining === 1 ? reader.u8() : reader.u16() }),
  145: readSensorDetails,
};

/**
 * An indication of the control point, decrypted.
 *
 * @param expected the only operation code that will do, beside a general response
 * @throws {ArgumentError} · {PumpDataError} "crc", "length", "trailing", or "opcode" for a response that is unknown or not the expected one
 */
export function decodeSpecificOpsResponse(
  bytes: Uint8Array,
  options: { e2eCrc: boolean; expected?: number | undefined },
): SpecificOpsResponse {
  const content = checkedFlag(NAME, options, "e2eCrc") ? checkE2eCrc(NAME, bytes) : bytes;
  return decodeValue(NAME, content, (reader) => {
    const { expected } = options;
    const opcode = reader.u8();
    const read = RESPONSES[opcode];
    if (!read || (expected !== undefined && opcode !== expected && opcode !== RESPONSE_OPCODE))
      throw new PumpDataError("opcode", `${NAME}: unexpected response 0x${opcode.toString(16)}`);
    return read(reader);
  });
}

function readCalibrationValue(reader: Reader): SpecificOpsResponse {
  const glucoseMgdl = decodeSfloat(reader.u16()).value;
  const timeOffsetMin = reader.u16();
  const types = reader.u8();
  const next = reader.u16();
  const recordNumber = reader.u16();
  const status = reader.u8();
  return {
    kind: "calibration_value",
    glucoseMgdl,
    timeOffsetMin,
    type: types & 0x0f,
    sampleLocation: types >> 4,
    nextCalibrationMin: next === 0xffff ? undefined : next,
    recordNumber,
    status: { rejected: (status & 1) !== 0, outOfRange: (status & 2) !== 0, processPending: (status & 4) !== 0 },
    statusBits: status,
  };
}

function readSensorDetails(reader: Reader): SpecificOpsResponse {
  const bits = reader.u8();
  const present = (bit: number): boolean => ((bits >> bit) & 1) !== 0;
  const annunciationBits = present(0) ? reader.u16() : undefined;
  return {
    kind: "sensor_details",
    flags: flagNames(bits, SENSOR_DETAIL_FLAGS),
    flagBits: bits,
    annunciation: annunciationBits === undefined ? undefined : flagNames(annunciationBits, SENSOR_ANNUNCIATIONS),
    annunciationBits,
    maximumCalibrationInterval: present(1) ? reader.u16() : undefined,
    maximumSensorLifeMin: present(2) ? reader.u16() : undefined,
    sensorFlexPackageVersion: present(3) ? reader.u16() : undefined,
    warmUpPeriod: present(4) ? reader.u8() : undefined,
  };
}

function alertLevel(requestOpcode: number): (reader: Reader) => SpecificOpsResponse {
  return (reader) => ({ kind: "alert_level", requestOpcode, level: decodeSfloat(reader.u16()).value });
}

function resultName(code: number): SpecificOpsResult {
  return (RESPONSE_CODES as Partial<Record<number, SpecificOpsResult>>)[code] ?? `code_0x${code.toString(16).padStart(2, "0")}`;
}
