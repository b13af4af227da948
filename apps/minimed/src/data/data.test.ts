import fc from "fast-check";
import { decodeFloat, decodeSfloat, encodeFloat, encodeSfloat, fromHex, toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { type DecodeVector, readVectors } from "../../test/vectors.ts";
import { addSeconds, dstOffsetMinutes, formatLocal, parseLocal, secondsBetween, timeZoneMinutes } from "./date-time.ts";
import { appendE2eCrc, checkE2eCrc, e2eCrc } from "./e2e-crc.ts";
import { PumpDataError } from "./error.ts";
import { formatTrend, toMmolPerLitre, toMmolPerLitreConventional, trendArrows } from "./glucose.ts";
import { decodeBatteryLevel, decodeCurrentTime, decodeInformationString, decodePnpId, encodeCurrentTime } from "./standard.ts";

interface FloatVector {
  bytes: string;
  mantissa?: number;
  exponent?: number;
  value?: number;
  special?: string;
}
interface Vectors {
  number_formats: { sfloat16: FloatVector[]; float32: FloatVector[] };
  e2e_crc: {
    sig_sample_with_pump_crc: { data: string; crc16: string };
    vectors: { data: string; crc16: string; appended: string }[];
    invalid: { bytes: string; note: string }[];
  };
  other: {
    device_information_strings: DecodeVector<string>[];
    battery: DecodeVector<{ percent: number }>[];
    current_time: DecodeVector<{ local_date_time: string; day_of_week: number; fractions256: number; adjust_reason: string[] }>[];
    pnp_id: DecodeVector<{ vendor_id_source: number; vendor_id: string; product_id: string; product_version: string }>[];
    mmol: { mgdl: number; reference_mmol_l: number; pump_display_mmol_l: number }[];
  };
}
const vectors = readVectors<Vectors>("minimed");
const littleEndian = (bytes: string): number => fromHex(bytes).reduceRight((value, octet) => value * 256 + octet, 0);

describe("floats", () => {
  const cases = [
    ...vectors.number_formats.sfloat16.map((vector) => ({ ...vector, decode: decodeSfloat, encode: encodeSfloat })),
    ...vectors.number_formats.float32.map((vector) => ({ ...vector, decode: decodeFloat, encode: encodeFloat })),
  ];
  test.each(cases)("$bytes is $value $special", ({ bytes, mantissa, exponent, value, special, decode, encode }) => {
    const decoded = decode(littleEndian(bytes));
    if (special) expect(decoded).toMatchObject({ special, value: undefined });
    else {
      expect(decoded).toEqual({ mantissa, exponent, value, special: undefined });
      expect(decode(encode(value!)).value).toBe(value);
    }
  });
  test("a special mantissa with an exponent is a number", () => {
    expect(decodeSfloat(0x17ff)).toMatchObject({ value: 20470, special: undefined });
    expect(decodeFloat(0xff7fffff)).toMatchObject({ value: 838860.7, special: undefined });
  });
  test("glucose and trend words are the pump's own", () => {
    expect(encodeSfloat(114)).toBe(0x0072);
    expect(encodeSfloat(1.16)).toBe(0xe074);
    expect(encodeSfloat(-3.25)).toBe(0xeebb);
    expect(encodeSfloat(0)).toBe(0);
    expect(() => encodeSfloat(1e12)).toThrow("too large");
    expect(() => encodeFloat(Number.NaN)).toThrow("too large");
  });
  test("every word decodes, and its number encodes to a word of the same number", () => {
    for (let word = 0; word <= 0xffff; word++) {
      const { value } = decodeSfloat(word);
      if (value !== undefined && decodeSfloat(encodeSfloat(value)).value !== value) expect.fail(`0x${word.toString(16)}: ${value}`);
    }
  });
});

describe("E2E-CRC", () => {
  test.each(vectors.e2e_crc.vectors)("of $data is $crc16", ({ data, crc16, appended }) => {
    expect(e2eCrc(fromHex(data)).toString(16).padStart(4, "0")).toBe(crc16);
    expect(toHex(appendE2eCrc(fromHex(data)))).toBe(appended);
    expect(toHex(checkE2eCrc("value", fromHex(appended)))).toBe(data);
  });
  test("is not the reflected one of the service text", () => {
    const { data, crc16 } = vectors.e2e_crc.sig_sample_with_pump_crc;
    expect(e2eCrc(fromHex(data)).toString(16)).toBe(crc16);
  });
  test.each(vectors.e2e_crc.invalid)("$note is refused", ({ bytes }) => {
    expect(() => checkE2eCrc("value", fromHex(bytes))).toThrow(PumpDataError);
  });
  test("a value without room for one is refused", () => {
    expect(() => checkE2eCrc("value", Uint8Array.of(1))).toThrow("no room");
  });
});

describe("local time", () => {
  test("is text without an offset, both ways", () => {
    for (const text of ["2024-02-29T23:59:59", "1999-12-31T00:00:00", "2031-01-01T12:00:00"])
      expect(formatLocal(parseLocal(text))).toBe(text);
    for (const text of ["2023-02-29T00:00:00", "2023-13-01T00:00:00", "2023-01-01T24:00:00", "2023-01-01", "1500-01-01T00:00:00"])
      expect(() => parseLocal(text)).toThrow(PumpDataError);
  });
  test("is counted across months and leap days", () => {
    expect(formatLocal(addSeconds(parseLocal("2024-02-28T23:59:59"), 1))).toBe("2024-02-29T00:00:00");
    expect(secondsBetween(parseLocal("2024-02-28T00:00:00"), parseLocal("2024-03-01T00:00:00"))).toBe(2 * 86_400);
  });
  test("zone and daylight saving are quarters of an hour, or unknown", () => {
    expect([timeZoneMinutes(-48), timeZoneMinutes(56), timeZoneMinutes(-128), timeZoneMinutes(57)]).toEqual([
      -720,
      840,
      undefined,
      undefined,
    ]);
    expect([0, 2, 4, 8, 0xff, 3].map(dstOffsetMinutes)).toEqual([0, 30, 60, 120, undefined, undefined]);
  });
});

describe("standard values", () => {
  test.each(vectors.other.device_information_strings)("string $bytes", ({ bytes, expected }) => {
    expect(decodeInformationString(fromHex(bytes))).toBe(expected);
  });
  test.each(vectors.other.battery)("battery $bytes", ({ bytes, expected }) => {
    expect(decodeBatteryLevel(fromHex(bytes))).toBe(expected!.percent);
  });
  test.each(vectors.other.current_time)("current time $bytes", ({ bytes, expected }) => {
    const time = decodeCurrentTime(fromHex(bytes));
    expect({ ...time, local: formatLocal(time.local!) }).toEqual({
      local: expected!.local_date_time,
      dayOfWeek: expected!.day_of_week,
      fractions256: expected!.fractions256,
      adjustReason: 0,
    });
    expect(toHex(encodeCurrentTime(time))).toBe(bytes);
  });
  test.each(vectors.other.pnp_id)("PnP ID $bytes", ({ bytes, expected }) => {
    const hex = (value: number): string => value.toString(16).padStart(4, "0");
    const { vendorIdSource, vendorId, productId, productVersion } = decodePnpId(fromHex(bytes));
    expect({
      vendor_id_source: vendorIdSource,
      vendor_id: hex(vendorId),
      product_id: hex(productId),
      product_version: hex(productVersion),
    }).toEqual(expected);
  });
  test("octets of any kind give a value or a typed refusal", () => {
    for (const decode of [decodeBatteryLevel, decodeCurrentTime, decodePnpId, decodeInformationString])
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 14 }), (bytes) => {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(PumpDataError);
          }
        }),
      );
    expect(() => decodeBatteryLevel(Uint8Array.of(101))).toThrow("at most 100");
    expect(() => decodeBatteryLevel(Uint8Array.of(1, 2))).toThrow("unread");
  });
});

describe("display", () => {
  test.each(vectors.other.mmol)(
    "$mgdl mg/dL is $pump_display_mmol_l mmol/L on the pump",
    ({ mgdl, reference_mmol_l, pump_display_mmol_l }) => {
      expect(toMmolPerLitre(mgdl)).toBe(pump_display_mmol_l);
      expect(toMmolPerLitreConventional(mgdl)).toBe(reference_mmol_l);
    },
  );
  test.each([
    [0, 0, "→"],
    [0.99, 0, "→"],
    [-0.5, 0, "→"],
    [1, 1, "↑"],
    [1.99, 1, "↑"],
    [2, 2, "↑↑"],
    [3, 3, "↑↑↑"],
    [40, 3, "↑↑↑"],
    [-1, -1, "↓"],
    [-2.5, -2, "↓↓"],
    [-3.25, -3, "↓↓↓"],
  ])("a trend of %d mg/dL a minute shows %d arrows", (trend, arrows, text) => {
    expect(trendArrows(trend)).toBe(arrows);
    expect(formatTrend(trend)).toBe(text);
  });
  test("no trend shows nothing", () => expect(formatTrend(undefined)).toBe(""));
});
