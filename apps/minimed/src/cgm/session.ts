import type { Reader } from "jelling/bytes";
import { checkedFlag } from "../data/checked-flag.ts";
import {
  addSeconds,
  dateTimeBytes,
  dstOffsetMinutes,
  formatLocal,
  type LocalDateTime,
  readDateTime,
  secondsBetween,
  timeZoneMinutes,
} from "../data/date-time.ts";
import { appendE2eCrc, checkE2eCrc } from "../data/e2e-crc.ts";
import { decodeValue } from "../data/error.ts";
import { type CgmOctets, type CgmStateNames, nameCgmOctets } from "./octets.ts";

/** Every value of the service has a CRC behind it where CGM Feature says so. */
const content = (name: string, bytes: Uint8Array, options: { e2eCrc: boolean }): Uint8Array =>
  checkedFlag(name, options, "e2eCrc") ? checkE2eCrc(name, bytes) : bytes;

export interface SessionStartTime {
  /** As the pump's display showed it; undefined when unknown. */
  readonly local: LocalDateTime | undefined;
  readonly timeZoneMin: number | undefined;
  readonly dstOffsetMin: number | undefined;
  /** "2025-07-01T21:00:00"; only when zone and daylight saving are both known, which this pump never says. */
  readonly utc: string | undefined;
}

/** CGM Session Start Time (inside SAKE). @throws {ArgumentError} · {PumpDataError} */
export function decodeSessionStartTime(bytes: Uint8Array, options: { e2eCrc: boolean }): SessionStartTime {
  const name = "CGM Session Start Time";
  return decodeValue(name, content(name, bytes, options), (reader) => readSessionStartTime(name, reader));
}

/** Date Time, zone and daylight saving, as several values hold them. */
export function readSessionStartTime(name: string, reader: Reader): SessionStartTime {
  const local = readDateTime(name, reader);
  const timeZoneMin = timeZoneMinutes(reader.i8());
  const dstOffsetMin = dstOffsetMinutes(reader.u8());
  const known = local !== undefined && timeZoneMin !== undefined && dstOffsetMin !== undefined;
  // The local time includes both, so UTC is without them.
  const utc = known ? formatLocal(addSeconds(local, -60 * (timeZoneMin + dstOffsetMin))) : undefined;
  return { local, timeZoneMin, dstOffsetMin, utc };
}

/** As the pump sends it: zone and daylight saving unknown. */
export function encodeSessionStartTime(local: LocalDateTime, { e2eCrc }: { e2eCrc: boolean }): Uint8Array {
  const bytes = Uint8Array.of(...dateTimeBytes(local), 0x80, 0xff);
  return e2eCrc ? appendE2eCrc(bytes) : bytes;
}

/** CGM Session Run Time, hours (plain). @throws {ArgumentError} · {PumpDataError} */
export function decodeSessionRunTime(bytes: Uint8Array, options: { e2eCrc: boolean }): number {
  const name = "CGM Session Run Time";
  return decodeValue(name, content(name, bytes, options), (reader) => reader.u16());
}

export function encodeSessionRunTime(hours: number, { e2eCrc }: { e2eCrc: boolean }): Uint8Array {
  const bytes = Uint8Array.of(hours & 0xff, hours >> 8);
  return e2eCrc ? appendE2eCrc(bytes) : bytes;
}

/** Seconds until the sensor's session ends, negative after it. All times by the pump's clock. */
export function remainingSessionSeconds(start: LocalDateTime, runTimeHours: number, now: LocalDateTime): number {
  return runTimeHours * 3600 - secondsBetween(start, now);
}

export interface CgmStatus {
  readonly timeOffsetMin: number;
  readonly octets: CgmOctets;
  readonly names: CgmStateNames;
}

/** CGM Status (inside SAKE). @throws {ArgumentError} · {PumpDataError} */
export function decodeCgmStatus(bytes: Uint8Array, options: { e2eCrc: boolean }): CgmStatus {
  const name = "CGM Status";
  return decodeValue(name, content(name, bytes, options), (reader) => {
    const timeOffsetMin = reader.u16();
    const octets = { status: reader.u8(), calibration: reader.u8(), warning: reader.u8() };
    return { timeOffsetMin, octets, names: nameCgmOctets(octets) };
  });
}
