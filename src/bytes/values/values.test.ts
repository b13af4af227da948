import { describe, expect, test } from "vitest";
import { Uuid } from "../../core/index.ts";
import {
  adjustReason,
  always,
  bitFields,
  bitsAt,
  byWidth,
  type Codec,
  currentTime,
  currentTimeOf,
  dateTime,
  dayDateTime,
  dayOfWeek,
  decode,
  encode,
  enumeration,
  flag,
  flagged,
  float,
  formOf,
  fromHex,
  i8,
  i16,
  i24,
  i32,
  orUnknown,
  ranged,
  repeated,
  scaled,
  sfloat,
  struct,
  text,
  toHex,
  u8,
  u16,
  u24,
  u32,
  unless,
  utf8,
  uuid,
  uuid16,
  uuid128,
  when,
} from "../index.ts";

const celsius = scaled(i16, { decimal: -2, unit: "°C", min: -273.15, unknown: -0x8000 });
const interval = scaled(u16, { binary: -10, unit: "s" });
const location = enumeration(u8, { 0: "other", 1: "chest" });
const state = bitFields(u16, {
  present: flag(0),
  wired: bitsAt(1, 2, { 0: "no", 1: "yes", 2: "unknown" }),
  level: bitsAt(7, 3),
  top: flag(15),
});
const measurement = flagged(u8, {
  rate: byWidth(0, u8, u16),
  contact: flag(1),
  mode: bitsAt(5, 2, { 0: "calm", 1: "sport" }),
  energy: when(3, u16),
  always: always(u8),
  more: unless(2, u8),
  intervals: when(4, repeated(interval)),
});
const noon = { year: 2024, month: 2, day: 29, hour: 12, minute: 5, second: 59 };
const noReason = { manualTimeUpdate: false, externalReferenceTimeUpdate: false, changeOfTimeZone: false, changeOfDst: false };

// biome-ignore lint/suspicious/noExplicitAny: tables of codecs of any kind
type AnyCodec = Codec<any>; // oxlint-disable-line typescript/no-explicit-any

const cases: [name: string, codec: AnyCodec, value: unknown, hex: string][] = [
  ["i24, least", i24, -0x800000, "000080"],
  ["i24, −1", i24, -1, "ffffff"],
  ["i24, most", i24, 0x7fffff, "ffff7f"],
  ["u24", u24, 0xabcdef, "efcdab"],
  ["i32, least", i32, -0x80000000, "00000080"],
  ["i32, −2", i32, -2, "feffffff"],
  ["SFLOAT 36.6", sfloat, 36.6, "6ef1"],
  ["SFLOAT −0.5", sfloat, -0.5, "fbff"],
  ["SFLOAT NaN", sfloat, "nan", "ff07"],
  ["SFLOAT NRes", sfloat, "nres", "0008"],
  ["SFLOAT +INFINITY", sfloat, "positive_infinity", "fe07"],
  ["SFLOAT −INFINITY", sfloat, "negative_infinity", "0208"],
  ["SFLOAT reserved", sfloat, "reserved", "0108"],
  ["FLOAT 36.4", float, 36.4, "6c0100ff"],
  ["FLOAT NaN", float, "nan", "ffff7f00"],
  ["FLOAT NRes", float, "nres", "00008000"],
  ["FLOAT +INFINITY", float, "positive_infinity", "feff7f00"],
  ["FLOAT −INFINITY", float, "negative_infinity", "02008000"],
  ["FLOAT reserved", float, "reserved", "01008000"],
  ["temperature", celsius, 21.57, "6d08"],
  ["temperature below zero", celsius, -0.01, "ffff"],
  ["temperature not known", celsius, undefined, "0080"],
  ["an interval of 2⁻¹⁰ s", interval, 0.8203125, "4803"],
  ["multiplier and power", scaled(u8, { multiplier: 5, decimal: -1 }), 12.5, "19"],
  ["power of ten", scaled(u8, { decimal: 3 }), 42_000, "2a"],
  ["pressure", scaled(u32, { decimal: -1 }), 101_325.1, "03760f00"],
  ["in range", ranged(u8, 0, 100), 100, "64"],
  ["not known", orUnknown(u8, 255), undefined, "ff"],
  ["known", orUnknown(u8, 255), 254, "fe"],
  ["a word", location, "chest", "01"],
  ["a number that has no word", location, 77, "4d"],
  ["named bits", state, { present: true, wired: "unknown", level: 5, top: true }, "8582"],
  ["no bits", state, { present: false, wired: "no", level: 0, top: false }, "0000"],
  ["bits without a word", state, { present: false, wired: 3, level: 0, top: false }, "0600"],
  ["fewest fields", measurement, { rate: 255, contact: false, mode: "calm", always: 7 }, "04ff07"],
  [
    "all fields",
    measurement,
    { rate: 256, contact: true, mode: "sport", energy: 1, always: 7, more: 9, intervals: [1, 0.5] },
    "3b000101000709".concat("00040002"),
  ],
  ["a field that may be missing, empty", measurement, { rate: 1, contact: false, mode: 3, always: 0, intervals: [] }, "740100"],
  ["date and time", dateTime, noon, "e8 07 02 1d 0c 05 3b"],
  ["nothing known of a date", dateTime, { ...noon, year: undefined, month: undefined, day: undefined }, "0000 00 00 0c053b"],
  ["a leap day of a year that is not known", dateTime, { ...noon, year: undefined }, "0000 02 1d 0c053b"],
  ["weekday", dayOfWeek, "sunday", "07"],
  ["weekday not known", dayOfWeek, undefined, "00"],
  ["weekday that is none", dayOfWeek, 9, "09"],
  ["day date time", dayDateTime, { ...noon, dayOfWeek: "thursday" }, "e807021d0c053b 04"],
  [
    "current time",
    currentTime,
    { ...noon, dayOfWeek: "thursday", fractions256: 128, adjustReason: { ...noReason, manualTimeUpdate: true, changeOfDst: true } },
    "e807021d0c053b 04 80 09",
  ],
  ["text", utf8, "Grüße", "4772c3bcc39f65"],
  ["no text", utf8, "", ""],
  ["a byte order mark is kept", utf8, "\ufeffa", "efbbbf61"],
  ["UUID of 16 bits", uuid16, Uuid.from(0x2a37), "372a"],
  ["UUID of 128 bits", uuid128, Uuid.from("6e400001-b5a3-f393-e0a9-e50e24dcca9e"), "9ecadc240ee5a9e093f3a3b50100406e"],
  ["UUID, short", uuid, Uuid.from(0x2a37), "372a"],
  ["UUID, long", uuid, Uuid.from("6e400001-b5a3-f393-e0a9-e50e24dcca9e"), "9ecadc240ee5a9e093f3a3b50100406e"],
];

test.each(cases)("%s, both ways", (_name, codec, value, hex) => {
  const octets = fromHex(hex);
  expect(decode(codec, octets)).toEqual(value);
  expect(toHex(encode(codec, value))).toBe(toHex(octets));
});

const openEnded = new Set(["text", "a byte order mark is kept"]);
test.each(cases.filter(([name, , , hex]) => hex !== "" && !openEnded.has(name)))(
  "%s, cut short at every length",
  (name, codec, _value, hex) => {
    const octets = fromHex(hex);
    for (let length = 0; length < octets.length; length++) {
      if (name === "all fields" && length === octets.length - 2) continue; // one interval less
      if (name === "all fields" && length === octets.length - 4) continue; // no interval
      if (name === "UUID, long" && length === 2) continue; // a short one
      expect(() => decode(codec, octets.subarray(0, length))).toThrow(expect.objectContaining({ code: "ERR_DECODE", fault: "short" }));
    }
  },
);

describe("octets that are left over", () => {
  const octets = fromHex("050607");
  test("are an error by default", () => {
    expect(() => decode(struct({ level: u8 }), octets, { name: "Battery" })).toThrow(
      expect.objectContaining({ code: "ERR_DECODE", fault: "trailing", path: "Battery" }),
    );
  });
  test("are ignored where a later version may have them", () => {
    expect(decode(struct({ level: u8 }), octets, { trailing: "ignore" })).toEqual({ level: 5 });
  });
});

const undecodable: [name: string, codec: AnyCodec, hex: string, problem: RegExp][] = [
  ["below absolute zero", celsius, "4b95", /-273.17: expected at least -273.15/],
  ["101 %", ranged(u8, 0, 100), "65", /101: expected 0 to 100/],
  ["month 13", dateTime, "e807 0d 01 000000", /month 13: expected 0 to 12/],
  ["30 February", dateTime, "e807 02 1e 000000", /day 30: expected 0 to 29/],
  ["29 February of 2023", dateTime, "e707 02 1d 000000", /day 29: expected 0 to 28/],
  ["29 February of 1900", dateTime, "6c07 02 1d 000000", /day 29/],
  ["31 April", dateTime, "e807 04 1f 000000", /day 31: expected 0 to 30/],
  ["year 1581", dateTime, "2d06 01 01 000000", /year 1581: expected 1582 to 9999/],
  ["year 10000", dateTime, "1027 01 01 000000", /year 10000/],
  ["hour 24", dateTime, "e807 01 01 180000", /hour 24: expected 0 to 23/],
  ["minute 60", dateTime, "e807 01 01 003c00", /minute 60/],
  ["second 60", dateTime, "e807 01 01 00003c", /second 60/],
  ["octets that are not UTF-8", utf8, "c328", /not UTF-8/],
];
test.each(undecodable)("%s cannot be decoded", (_name, codec, hex, problem) => {
  expect(() => decode(codec, fromHex(hex))).toThrow(
    expect.objectContaining({ code: "ERR_DECODE", fault: "value", message: expect.stringMatching(problem) }),
  );
});

const unencodable: [name: string, codec: AnyCodec, value: unknown, problem: RegExp][] = [
  ["a scaled text", celsius, "warm", /expected a finite number/],
  ["a scaled NaN", celsius, Number.NaN, /expected a finite number/],
  ["undefined where everything is known", interval, undefined, /expected a finite number/],
  ["too warm for the field", celsius, 400, /40000/],
  ["colder than there is", celsius, -300, /expected at least -273.15/],
  ["the number for not known", scaled(i16, { decimal: -2, unknown: -0x8000 }), -327.68, /not known/],
  ["the number for not known, plain", orUnknown(u8, 255), 255, /not known/],
  ["out of range", ranged(u8, 0, 100), 101, /expected 0 to 100/],
  ["a word that is none", location, "nose", /"nose": expected a number, or one of other, chest/],
  ["a text for a bit", state, { present: "yes", wired: 0, level: 0 }, /present: expected true or false/],
  ["a bit field too large", state, { present: true, wired: 4, level: 0 }, /wired: 4: expected a whole number from 0 to 3/],
  ["a bit that is not declared", state, { present: true, wird: 1 }, /unknown option "wird", did you mean "wired"/],
  ["a field that is not declared", measurement, { rate: 1, always: 0, mode: 0, enrgy: 1 }, /unknown option "enrgy", did you mean "energy"/],
  ["a field too large", measurement, { rate: 70_000, always: 0, mode: 0 }, /rate: 70000/],
  ["nothing", measurement, undefined, /expected an object/],
  ["29 February of 2023", dateTime, { ...noon, year: 2023 }, /day 29/],
  ["half an hour as one", dateTime, { ...noon, hour: 0.5 }, /hour 0.5/],
  ["text too long", text({ maxLength: 3 }), "äö", /4 octets: expected at most 3/],
  ["a number as text", utf8, 5, /expected text/],
  ["a long UUID as a short one", uuid16, Uuid.from("6e400001-b5a3-f393-e0a9-e50e24dcca9e"), /16 bits/],
];
test.each(unencodable)("%s cannot be encoded", (_name, codec, value, problem) => {
  expect(() => encode(codec, value)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT", message: expect.stringMatching(problem) }));
});

test("a number is rounded to what its field can hold", () => {
  expect(decode(celsius, encode(celsius, 21.574))).toBe(21.57);
  expect(decode(celsius, encode(celsius, 21.576))).toBe(21.58);
  expect(Object.is(decode(celsius, encode(celsius, -0.001)), 0)).toBe(true);
});

test("every scaled number comes back as it was, in its shortest decimal form", () => {
  for (let raw = -0x7fff; raw <= 0x7fff; raw += 7) {
    const octets = encode(i16, raw);
    if (raw < -27_315) continue;
    const value = decode(celsius, octets) as number;
    expect(value).toBe(Number((raw / 100).toFixed(2)));
    expect(encode(celsius, value)).toEqual(octets);
  }
});

test("reserved bits are ignored when they come, and 0 when they are sent", () => {
  const value = decode(adjustReason, Uint8Array.of(0xf1));
  expect(value).toEqual({ ...noReason, manualTimeUpdate: true });
  expect(encode(adjustReason, value)).toEqual(Uint8Array.of(0x01));
  expect(decode(measurement, fromHex("8c 50 0100 07"))).toMatchObject({ rate: 0x50, energy: 1, always: 7 });
});

test("a bit of the flags tells of one field", () => {
  expect(() => flagged(u8, { a: when(1, u8), b: bitsAt(0, 2) })).toThrow(/bit 1 of the flags: expected one field, got a and b/);
});

test("a text of a device that ends it with a NUL", () => {
  expect(decode(text({ nul: "ends" }), fromHex("4142004344"))).toBe("AB");
  expect(decode(text({ nul: "ends" }), fromHex("4142"))).toBe("AB");
  expect(decode(utf8, fromHex("410042"))).toBe("A\0B");
});

test("this computer's clock as a Current Time", () => {
  expect(currentTimeOf(new Date(2024, 1, 29, 12, 5, 59, 500), { changeOfDst: true })).toEqual({
    ...noon,
    dayOfWeek: "thursday",
    fractions256: 128,
    adjustReason: { ...noReason, changeOfDst: true },
  });
  expect(currentTimeOf(new Date(2024, 2, 3)).dayOfWeek).toBe("sunday");
});

test("a fault names its field", () => {
  expect(() => decode(measurement, fromHex("0c 50 01"), { name: "Measurement" })).toThrow(/^Measurement.energy: needs 2 bytes, has 1/);
  expect(() => encode(struct({ clock: dateTime }), { clock: { ...noon, month: 13 } })).toThrow(/^clock: month 13/);
});

test("codecs say what their octets are", () => {
  expect(formOf(celsius).text).toBe("sint16 × 10⁻² °C, at least -273.15, -32768: not known");
  expect(formOf(interval).text).toBe("uint16 × 2⁻¹⁰ s");
  expect(formOf(orUnknown(u8, 255)).text).toBe("uint8, 0xFF: not known");
  expect(formOf(location).text).toBe("uint8, 0: other, 1: chest");
  expect(formOf(i8).text).toBe("sint8");
  expect(formOf(repeated(interval)).text).toBe("to the end, each uint16 × 2⁻¹⁰ s");
  expect(formOf(measurement).parts?.map(({ name, when: there }) => [name, there])).toEqual([
    ["flags", undefined],
    ["rate", undefined],
    ["energy", "bit 3 is set"],
    ["always", undefined],
    ["more", "bit 2 is not set"],
    ["intervals", "bit 4 is set"],
  ]);
});
