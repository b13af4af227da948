import { decodeSfloat, encodeSfloat, type MedicalFloat, Writer } from "jelling/bytes";
import { checkOctets } from "jelling/core";
import { checkedFlag } from "../data/checked-flag.ts";
import { appendE2eCrc, checkE2eCrc } from "../data/e2e-crc.ts";
import { decodeValue, PumpDataError } from "../data/error.ts";
import { type CgmOctets, type CgmStateNames, nameCgmOctets } from "./octets.ts";

/** Bits of the flags octet: which optional fields a record has. */
const Flag = Object.freeze({ Trend: 0x01, Quality: 0x02, Warning: 0x20, Calibration: 0x40, Status: 0x80 });
/** Size, flags, glucose, time offset. */
const SHORTEST = 6;
/** A trend beyond it is not one: the pump sends −10^7 for "unavailable". */
const LARGEST_TREND = 100;

/** A CGM Measurement record. A record is not always a reading: see `reading`. */
export interface CgmMeasurement {
  readonly size: number;
  readonly flags: number;
  /** mg/dL as sent, 0 included; undefined for a special word. */
  readonly glucoseMgdl: number | undefined;
  /** Minutes since the session began. */
  readonly timeOffsetMin: number;
  readonly octets: CgmOctets;
  readonly names: CgmStateNames;
  /** mg/dL a minute as sent; undefined when the field is absent. */
  readonly trend: MedicalFloat | undefined;
  readonly quality: MedicalFloat | undefined;
}

function sizeOf(flags: number, e2eCrc: boolean): number {
  const { Trend, Quality, Warning, Calibration, Status } = Flag;
  const has = (bit: number): number => (flags & bit ? 1 : 0);
  return SHORTEST + has(Status) + has(Calibration) + has(Warning) + 2 * has(Trend) + 2 * has(Quality) + (e2eCrc ? 2 : 0);
}

/** One record that fills `bytes`. @throws {ArgumentError} · {PumpDataError} */
export function decodeCgmMeasurement(bytes: Uint8Array, options: { e2eCrc: boolean }): CgmMeasurement {
  const name = "CGM Measurement";
  checkOctets(name, bytes);
  const e2eCrc = checkedFlag(name, options, "e2eCrc");
  const size = bytes[0];
  const flags = bytes[1];
  if (size === undefined || flags === undefined) throw new PumpDataError("length", `${name}: ${bytes.length} octets`);
  const expected = sizeOf(flags, e2eCrc);
  if (size < expected || size > bytes.length)
    throw new PumpDataError("length", `${name}: size ${size} where its flags need ${expected} and ${bytes.length} came`);
  if (size > expected || size < bytes.length)
    throw new PumpDataError("trailing", `${name}: size ${size} where its flags need ${expected} and ${bytes.length} came`);
  const content = e2eCrc ? checkE2eCrc(name, bytes) : bytes;
  return decodeValue(name, content, (reader) => {
    reader.take(2);
    const glucose = decodeSfloat(reader.u16());
    const timeOffsetMin = reader.u16();
    const octets: CgmOctets = {
      status: flags & Flag.Status ? reader.u8() : undefined,
      calibration: flags & Flag.Calibration ? reader.u8() : undefined,
      warning: flags & Flag.Warning ? reader.u8() : undefined,
    };
    return {
      size,
      flags,
      glucoseMgdl: glucose.value,
      timeOffsetMin,
      octets,
      names: nameCgmOctets(octets),
      trend: flags & Flag.Trend ? decodeSfloat(reader.u16()) : undefined,
      quality: flags & Flag.Quality ? decodeSfloat(reader.u16()) : undefined,
    };
  });
}

/** All records of one notification: their size octets tell them apart. @throws {PumpDataError} any of them malformed, or none */
export function decodeCgmMeasurements(bytes: Uint8Array, options: { e2eCrc: boolean }): CgmMeasurement[] {
  const e2eCrc = checkedFlag("CGM Measurement", options, "e2eCrc");
  if (checkOctets("CGM Measurement", bytes).length === 0) throw new PumpDataError("length", "CGM Measurement: 0 octets");
  const records: CgmMeasurement[] = [];
  for (let at = 0; at < bytes.length; ) {
    // A size that lies is left to the record's own checks, over all that remains.
    const size = bytes[at]!;
    const fits = size >= SHORTEST && at + size < bytes.length && size === sizeOf(bytes[at + 1]!, e2eCrc);
    const record = decodeCgmMeasurement(fits ? bytes.subarray(at, at + size) : bytes.subarray(at), options);
    records.push(record);
    at += record.size;
  }
  return records;
}

/** The glucose value, or undefined: 0 and special words mean that the pump has none to show. */
export function glucoseOf(measurement: CgmMeasurement): number | undefined {
  return measurement.glucoseMgdl !== undefined && measurement.glucoseMgdl > 0 ? measurement.glucoseMgdl : undefined;
}

/** mg/dL a minute, or undefined when absent, special or beyond ±100. */
export function trendOf({ trend }: CgmMeasurement): number | undefined {
  return trend?.value !== undefined && Math.abs(trend.value) <= LARGEST_TREND ? trend.value : undefined;
}

/** What a sensor's server sends. Octets, trend and quality are present where they are given. */
export interface CgmMeasurementFields {
  readonly glucoseMgdl: number;
  readonly timeOffsetMin: number;
  readonly octets: CgmOctets;
  /** mg/dL a minute; "unavailable" is sent as the word ff 7f. */
  readonly trendMgdlPerMin?: number | "unavailable" | undefined;
  readonly quality?: number | undefined;
}

export function encodeCgmMeasurement(fields: CgmMeasurementFields, { e2eCrc }: { e2eCrc: boolean }): Uint8Array {
  const { octets, trendMgdlPerMin: trend, quality } = fields;
  const flags =
    (octets.status === undefined ? 0 : Flag.Status) |
    (octets.calibration === undefined ? 0 : Flag.Calibration) |
    (octets.warning === undefined ? 0 : Flag.Warning) |
    (trend === undefined ? 0 : Flag.Trend) |
    (quality === undefined ? 0 : Flag.Quality);
  const writer = new Writer();
  writer.u8(sizeOf(flags, e2eCrc));
  writer.u8(flags);
  writer.u16(encodeSfloat(fields.glucoseMgdl));
  writer.u16(fields.timeOffsetMin);
  for (const octet of [octets.status, octets.calibration, octets.warning]) if (octet !== undefined) writer.u8(octet);
  if (trend !== undefined) writer.u16(trend === "unavailable" ? 0x7fff : encodeSfloat(trend));
  if (quality !== undefined) writer.u16(encodeSfloat(quality));
  return e2eCrc ? appendE2eCrc(writer.finish()) : writer.finish();
}
