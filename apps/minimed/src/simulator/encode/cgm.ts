import { encodeSfloat, Writer } from "jelling/bytes";
import type { CgmOctets } from "../../cgm/octets.ts";
import { appendE2eCrc } from "../../data/e2e-crc.ts";

const NONE_PLANNED = 0xffff;

/** CGM Status, with its CRC. */
export function encodeCgmStatus(timeOffsetMin: number, { status = 0, calibration = 0, warning = 0 }: CgmOctets): Uint8Array {
  return appendE2eCrc(Uint8Array.of(timeOffsetMin & 0xff, timeOffsetMin >> 8, status, calibration, warning));
}

/** A calibration as the specific operations control point tells it; times in minutes since the session began. */
export interface CalibrationWords {
  readonly glucoseMgdl: number;
  readonly timeOffsetMin: number;
  readonly nextCalibrationMin?: number | undefined;
  readonly recordNumber: number;
  /** Bits: rejected, out of range, pending. */
  readonly status: number;
}

/** Capillary whole blood, taken from a finger. */
const FINGERSTICK = 0x11;

/** Without CRC, as all answers here. @param opcode of the answer */
export function encodeCalibrationValue(opcode: number, calibration: CalibrationWords): Uint8Array {
  const writer = new Writer(16);
  writer.u8(opcode);
  writer.u16(encodeSfloat(calibration.glucoseMgdl));
  writer.u16(calibration.timeOffsetMin);
  writer.u8(FINGERSTICK);
  writer.u16(calibration.nextCalibrationMin ?? NONE_PLANNED);
  writer.u16(calibration.recordNumber);
  writer.u8(calibration.status);
  return writer.finish();
}

/** @param level mg/dL, or mg/dL a minute */
export function encodeAlertLevel(opcode: number, level: number): Uint8Array {
  const word = encodeSfloat(level);
  return Uint8Array.of(opcode, word & 0xff, word >> 8);
}

/** @param status bits: sensor to be changed, no further calibrations */
export function encodeCalibrationContext(opcode: number, status: number, factor: number): Uint8Array {
  return Uint8Array.of(opcode, status, factor & 0xff, factor >> 8);
}
