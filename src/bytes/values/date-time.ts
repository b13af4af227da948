import { checkOptions } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { type Codec, struct, u8, u16 } from "../codec.ts";
import { bitFields, flag } from "./bit-fields.ts";
import { type Enumerated, enumeration } from "./enumeration.ts";

/** A date and time as a device's own clock shows it. `undefined` parts are not known. */
export interface DateTime {
  /** 1582 to 9999. */
  readonly year: number | undefined;
  /** 1 to 12. */
  readonly month: number | undefined;
  /** 1 to 31. */
  readonly day: number | undefined;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const raw = struct({ year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8 });
const NAMES = new Set(Object.keys(raw.fields));

/** What is wrong with a date or time, `undefined` where nothing is. 0 stands for a part that is not known. */
function mistake({ year, month, day, hour, minute, second }: Readonly<Record<keyof typeof raw.fields, number>>): string | undefined {
  const within = (name: string, value: number, min: number, max: number): string | undefined =>
    Number.isInteger(value) && value >= min && value <= max ? undefined : `${name} ${value}: expected ${min} to ${max}`;
  return (
    (year === 0 ? undefined : within("year", year, 1582, 9999)) ??
    within("month", month, 0, 12) ??
    within("day", day, 0, daysOf(year, month)) ??
    within("hour", hour, 0, 23) ??
    within("minute", minute, 0, 59) ??
    within("second", second, 0, 59)
  );
}

/** Days of a month; of one that is not known, the most that it can have. */
function daysOf(year: number, month: number): number {
  if (month === 2) return year === 0 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Date Time, 7 octets (GATT Specification Supplement 3.71). A day or an hour that does not exist is a DecodeError. */
export const dateTime: Codec<DateTime> = {
  form: {
    text: "Date Time",
    parts: [
      { name: "year", form: { text: "uint16, 1582 to 9999, 0: not known" } },
      { name: "month", form: { text: "uint8, 1 to 12, 0: not known" } },
      { name: "day", form: { text: "uint8, 1 to 31, 0: not known" } },
      { name: "hour", form: { text: "uint8, 0 to 23" } },
      { name: "minute", form: { text: "uint8, 0 to 59" } },
      { name: "second", form: { text: "uint8, 0 to 59" } },
    ],
  },
  decode: (reader) => {
    const read = raw.decode(reader);
    const problem = mistake(read);
    if (problem) reader.fail(problem);
    const { year, month, day, ...time } = read;
    return { year: year || undefined, month: month || undefined, day: day || undefined, ...time };
  },
  encode: (writer, value) => {
    if (value === undefined) throw new ArgumentError("expected a date and time, got undefined");
    checkOptions("date and time", value, NAMES);
    const { year = 0, month = 0, day = 0, ...time } = value;
    const problem = mistake({ year, month, day, ...time });
    if (problem) throw new ArgumentError(problem);
    raw.encode(writer, { year, month, day, ...time });
  },
};

const WEEKDAYS = { 1: "monday", 2: "tuesday", 3: "wednesday", 4: "thursday", 5: "friday", 6: "saturday", 7: "sunday" } as const;
export type Weekday = (typeof WEEKDAYS)[keyof typeof WEEKDAYS];

const namedDay = enumeration(u8, WEEKDAYS);
/** Day of Week: 0, not known, is `undefined`; a number above 7 stays one. */
export const dayOfWeek: Codec<Enumerated<Weekday> | undefined> = {
  form: { text: "uint8, 0: not known, 1: monday to 7: sunday" },
  decode: (reader) => {
    const day = namedDay.decode(reader);
    return day === 0 ? undefined : day;
  },
  encode: (writer, value) => namedDay.encode(writer, value ?? 0),
};

export interface DayDateTime extends DateTime {
  readonly dayOfWeek: Enumerated<Weekday> | undefined;
}

/** Day Date Time, 8 octets. */
export const dayDateTime: Codec<DayDateTime> = {
  form: { text: "Day Date Time", parts: [...dateTime.form!.parts!, { name: "dayOfWeek", form: dayOfWeek.form! }] },
  decode: (reader) => ({ ...dateTime.decode(reader), dayOfWeek: reader.field("dayOfWeek", dayOfWeek) }),
  encode: (writer, { dayOfWeek: day, ...rest }) => {
    dateTime.encode(writer, rest);
    dayOfWeek.encode(writer, day);
  },
};

/** Why the clock was set last. */
export const adjustReason = bitFields(u8, {
  manualTimeUpdate: flag(0),
  externalReferenceTimeUpdate: flag(1),
  changeOfTimeZone: flag(2),
  changeOfDst: flag(3),
});

export interface CurrentTime extends DayDateTime {
  /** Of a second, 0 to 255. */
  readonly fractions256: number;
  readonly adjustReason: {
    readonly manualTimeUpdate: boolean;
    readonly externalReferenceTimeUpdate: boolean;
    readonly changeOfTimeZone: boolean;
    readonly changeOfDst: boolean;
  };
}

/** Current Time, 10 octets: Exact Time 256 and the reason of its last adjustment. */
export const currentTime: Codec<CurrentTime> = {
  form: {
    text: "Current Time",
    parts: [
      ...dayDateTime.form!.parts!,
      { name: "fractions256", form: { text: "uint8, 1/256 of a second" } },
      { name: "adjustReason", form: adjustReason.form! },
    ],
  },
  decode: (reader) => ({
    ...dayDateTime.decode(reader),
    fractions256: reader.field("fractions256", u8),
    adjustReason: reader.field("adjustReason", adjustReason),
  }),
  encode: (writer, { fractions256, adjustReason: reason, ...rest }) => {
    dayDateTime.encode(writer, rest);
    u8.encode(writer, fractions256);
    adjustReason.encode(writer, reason);
  },
};

/** What the clock of this computer shows at `date`, as Current Time. */
export function currentTimeOf(date: Date, reason: Partial<CurrentTime["adjustReason"]> = {}): CurrentTime {
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
    dayOfWeek: WEEKDAYS[(date.getDay() || 7) as keyof typeof WEEKDAYS],
    fractions256: Math.floor((date.getMilliseconds() * 256) / 1000),
    adjustReason: {
      manualTimeUpdate: false,
      externalReferenceTimeUpdate: false,
      changeOfTimeZone: false,
      changeOfDst: false,
      ...reason,
    },
  };
}
