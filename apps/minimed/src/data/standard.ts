import { dateTimeBytes, type LocalDateTime, readDateTime } from "./date-time.ts";
import { decodeValue, PumpDataError } from "./error.ts";

/** A string of the Device Information service. The pump ends them with a NUL; what follows one is not part of it. */
export function decodeInformationString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Appearance, as of the assigned numbers. @throws {PumpDataError} not two octets */
export function decodeAppearance(bytes: Uint8Array): number {
  return decodeValue("Appearance", bytes, (reader) => reader.u16());
}

/** Battery Level, percent. @throws {PumpDataError} not one octet, or over 100 */
export function decodeBatteryLevel(bytes: Uint8Array): number {
  const percent = decodeValue("Battery Level", bytes, (reader) => reader.u8());
  if (percent > 100) throw new PumpDataError("value", `Battery Level: ${percent}, at most 100`);
  return percent;
}

export interface CurrentTime {
  /** undefined when the clock is not set. */
  readonly local: LocalDateTime | undefined;
  /** 1 Monday to 7 Sunday, 0 unknown. */
  readonly dayOfWeek: number;
  readonly fractions256: number;
  /** Bits: manual, external reference, time zone, daylight saving. */
  readonly adjustReason: number;
}

/** Current Time, the only direct way to the pump's clock. @throws {PumpDataError} */
export function decodeCurrentTime(bytes: Uint8Array): CurrentTime {
  return decodeValue("Current Time", bytes, (reader) => ({
    local: readDateTime("Current Time", reader),
    dayOfWeek: reader.u8(),
    fractions256: reader.u8(),
    adjustReason: reader.u8(),
  }));
}

export function encodeCurrentTime({ local, dayOfWeek, fractions256, adjustReason }: CurrentTime): Uint8Array {
  const bytes = new Uint8Array(10);
  if (local) bytes.set(dateTimeBytes(local));
  bytes.set([dayOfWeek, fractions256, adjustReason], 7);
  return bytes;
}

export interface PnpId {
  readonly vendorIdSource: number;
  readonly vendorId: number;
  readonly productId: number;
  readonly productVersion: number;
}

/** PnP ID of the Device Information service. @throws {PumpDataError} */
export function decodePnpId(bytes: Uint8Array): PnpId {
  return decodeValue("PnP ID", bytes, (reader) => ({
    vendorIdSource: reader.u8(),
    vendorId: reader.u16(),
    productId: reader.u16(),
    productVersion: reader.u16(),
  }));
}
