import type { Reader } from "jelling/bytes";
import { checkE2eCrc } from "../data/e2e-crc.ts";
import { decodeValue } from "../data/error.ts";

/** Where no CRC is in use, its place is there all the same in some values. */
const NO_CRC = 0xff;
const CRC_OCTETS = 2;

/** Time of Next Calibration Recommended, as its layout was published; what the clock's number stands for is not known. */
export interface NextCalibration {
  /** Seconds, by the pump's own count. */
  readonly timeStamp: number;
  readonly clockId: number;
  /** Minutes since the sensor's session began. */
  readonly timeOffsetMin: number;
}

/** Time of Sensor Expiration: minutes. @throws {PumpDataError} */
export function decodeSensorExpiration(bytes: Uint8Array): number {
  return decode("Time of Sensor Expiration", bytes, 2, (reader) => reader.u16());
}

/** @throws {PumpDataError} */
export function decodeNextCalibration(bytes: Uint8Array): NextCalibration {
  return decode("Time of Next Calibration Recommended", bytes, 10, (reader) => ({
    timeStamp: reader.u32(),
    clockId: reader.u32(),
    timeOffsetMin: reader.u16(),
  }));
}

/** Whether these values end with a CRC was never seen: they are taken with one, with `ff ff` in its place, and without. */
function decode<T>(name: string, bytes: Uint8Array, contentOctets: number, read: (reader: Reader) => T): T {
  const hasPlace = bytes.length === contentOctets + CRC_OCTETS;
  if (!hasPlace) return decodeValue(name, bytes, read);
  const isUnused = bytes.at(-1) === NO_CRC && bytes.at(-2) === NO_CRC;
  return decodeValue(name, isUnused ? bytes.subarray(0, contentOctets) : checkE2eCrc(name, bytes), read);
}
