import type { Reader } from "jelling/bytes";
import { PumpDataError, type PumpDataProblem } from "./error.ts";

/** Wall-clock time as the pump's display shows it: it knows of no time zones. */
export interface LocalDateTime {
  readonly year: number;
  readonly month: number; // 1 to 12
  readonly day: number; // 1 to 31
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Days before 1970-01-01 of year 0 are never needed; Date only serves as a calendar here, not as a clock. */
const secondsOf = ({ year, month, day, hour, minute, second }: LocalDateTime): number => {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return date.getTime() / 1000;
};

/** "2025-04-28T10:31:42", without an offset since none is known. */
export function formatLocal(time: LocalDateTime): string {
  const two = (value: number): string => value.toString().padStart(2, "0");
  const date = `${time.year.toString().padStart(4, "0")}-${two(time.month)}-${two(time.day)}`;
  return `${date}T${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
}

/** @throws {PumpDataError} "value" not of the form that `formatLocal` gives, or no such day */
export function parseLocal(text: string): LocalDateTime {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(text);
  if (!match) throw new PumpDataError("value", `"${text}": expected a local time like 2025-04-28T10:31:42`);
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number];
  return checked("local time", { year, month, day, hour, minute, second });
}

export function addSeconds(time: LocalDateTime, seconds: number): LocalDateTime {
  const date = new Date((secondsOf(time) + seconds) * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/** Seconds from `from` to `to`, by the same clock. */
export function secondsBetween(from: LocalDateTime, to: LocalDateTime): number {
  return secondsOf(to) - secondsOf(from);
}

/**
 * Date Time, 7 octets. undefined when year, month or day is 0, which means unknown.
 *
 * @param fault told of a day or an hour that does not exist, which is then undefined
 * @throws {PumpDataError} "value" the same, where nobody is told
 */
export function readDateTime(
  name: string,
  reader: Reader,
  fault?: (problem: PumpDataProblem, message: string) => void,
): LocalDateTime | undefined {
  const [year, month, day, hour, minute, second] = [reader.u16(), reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u8()];
  if (year === 0 || month === 0 || day === 0) return undefined;
  const time = { year, month, day, hour, minute, second };
  if (!fault || exists(time)) return checked(name, time);
  fault("value", `${name}: no such date or time`);
  return undefined;
}

export function dateTimeBytes(time: LocalDateTime): Uint8Array {
  return Uint8Array.of(time.year & 0xff, time.year >> 8, time.month, time.day, time.hour, time.minute, time.second);
}

function checked(name: string, time: LocalDateTime): LocalDateTime {
  if (!exists(time)) throw new PumpDataError("value", `${name}: no such date or time`);
  return time;
}

/** The calendar itself decides: a day that does not exist comes back as another one. */
function exists(time: LocalDateTime): boolean {
  return time.year >= 1582 && time.year <= 9999 && formatLocal(addSeconds(time, 0)) === formatLocal(time);
}

/** Offset from UTC in minutes: quarters of an hour, −48 to 56; −128 (and anything else) is unknown. */
export function timeZoneMinutes(quarters: number): number | undefined {
  return quarters >= -48 && quarters <= 56 ? quarters * 15 : undefined;
}

/** Daylight saving in minutes: 0, 30, 60 or 120 in quarters of an hour; 0xFF (and anything else) is unknown. */
export function dstOffsetMinutes(quarters: number): number | undefined {
  return [0, 2, 4, 8].includes(quarters) ? quarters * 15 : undefined;
}
