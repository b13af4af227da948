import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { ArgumentError } from "../core/error.ts";
import type { AdvertisingDataFields } from "./ad-fields.ts";
import { AdType } from "./ad-types.ts";
import { AdvertisingSession } from "./advertising-session.ts";
import { packAdvertisingData } from "./packing.ts";

/** A structure of so many octets on the air, its own two included. */
const filling = (size: number, type = 0xe0) => ({ type, data: new Uint8Array(size - 2) });
const sizes = (fields: AdvertisingDataFields): [number[], number[] | undefined] => {
  const { data, scanResponse } = packAdvertisingData(fields);
  const of = ({ structures }: { structures: readonly { data: Uint8Array }[] }) => structures.map((each) => 2 + each.data.length);
  return [of(data), scanResponse && of(scanResponse)];
};

describe("one description is divided over advertising data and scan response", () => {
  test("all of it stays in the advertising data where it fits, flags first where none are given", () => {
    const { data, scanResponse } = packAdvertisingData({ name: "Lamp", serviceUuids: ["180F"] });
    expect(toHex(data.bytes)).toBe(toHex(fromHex("020106 05094c616d70 03030f18")));
    expect(scanResponse).toBeUndefined();
  });

  test("31 octets are 31: the last one is used", () => {
    expect(sizes({ other: [filling(28)] })).toEqual([[3, 28], undefined]);
    expect(sizes({ other: [filling(29)] })).toEqual([[3], [29]]);
    expect(sizes({ other: [filling(28), filling(31)] })).toEqual([[3, 28], [31]]);
  });

  test("what comes first has the first claim to the advertising data", () => {
    expect(sizes({ other: [filling(10), filling(12), filling(8)] })).toEqual([[3, 10, 12], [8]]);
    expect(sizes({ other: [filling(20), filling(12), filling(8)] })).toEqual([[3, 20, 8], [12]]);
  });

  test("the first claim gives way where the others would find no place", () => {
    // 10 beside the flags would leave no place for 28 and 21 both.
    expect(sizes({ other: [filling(10), filling(28), filling(21)] })).toEqual([
      [3, 28],
      [10, 21],
    ]);
  });

  test("flags are in the advertising data wherever they are written, and those given replace the default", () => {
    const { data, scanResponse } = packAdvertisingData({ name: "x".repeat(29), flags: 5 });
    expect(toHex(data.bytes)).toBe("020105");
    expect(scanResponse?.name).toBe("x".repeat(29));
    expect(toHex(packAdvertisingData({ flags: 0 }).data.bytes)).toBe("020100");
    expect(toHex(packAdvertisingData({ flags: undefined }).data.bytes)).toBe("020106");
  });

  test("62 octets are used to the last, in whatever order they are written", () => {
    const other = [17, 14, 18, 10].map((size, i) => filling(size, 0xe0 + i)); // 59 beside the flags
    expect(sizes({ other })).toEqual([
      [3, 18, 10],
      [17, 14],
    ]);
    expect(sizes({ other: other.toReversed() })).toEqual([
      [3, 10, 18],
      [14, 17],
    ]);
  });

  test("whatever fits in any way is packed, and nothing is lost or cut", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 2, max: 31 }), { maxLength: 7 }), (lengths) => {
        const other = lengths.map((length, i) => filling(length, 0xe0 + i));
        // Every subset beside the flags in the advertising data, the rest in the scan response.
        let isPossible = false;
        for (let mask = 0; mask < 1 << lengths.length; mask++) {
          const inData = lengths.reduce((sum, length, i) => sum + (mask & (1 << i) ? length : 0), 3);
          const inResponse = lengths.reduce((sum, length, i) => sum + (mask & (1 << i) ? 0 : length), 0);
          isPossible ||= inData <= 31 && inResponse <= 31;
        }
        if (!isPossible) {
          expect(() => packAdvertisingData({ other })).toThrow(ArgumentError);
          return;
        }
        const { data, scanResponse } = packAdvertisingData({ other });
        expect(data.bytes.length).toBeLessThanOrEqual(31);
        expect(scanResponse?.bytes.length ?? 1).toBeLessThanOrEqual(31);
        const all = [...data.structures, ...(scanResponse?.structures ?? [])];
        expect(new Map(all.map(({ type, data: { length } }) => [type, length + 2]))).toEqual(
          new Map([[AdType.Flags as number, 3], ...other.map((each, i) => [each.type, lengths[i]!] as const)]),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe("what does not fit is named", () => {
  test.each<[AdvertisingDataFields, string]>([
    [
      { name: "x".repeat(30) },
      "payload: CompleteLocalName of 32 octets does not fit: there are 31 octets of advertising data and 31 of scan response (Flags 3, CompleteLocalName 32)",
    ],
    [
      { other: [filling(20), filling(20, 0xe1), filling(20, 0xe2)] },
      "payload: 0xE2 of 20 octets does not fit beside what is written before it: there are 31 octets of advertising data and 31 of scan response (Flags 3, 0xE0 20, 0xE1 20, 0xE2 20)",
    ],
    [
      { other: Array.from({ length: 40 }, () => filling(2)) },
      expect.stringContaining("payload: 0xE0 of 2 octets does not fit beside what is written before it") as unknown as string,
    ],
  ])("case %#", (fields, message) => {
    expect(() => packAdvertisingData(fields)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT", message }) as Error);
  });

  test("without a scan response there are 31 octets", () => {
    expect(() => packAdvertisingData({ other: [filling(29)] }, { scanResponse: false })).toThrow(
      "payload: 0xE0 of 29 octets does not fit beside what is written before it: there are 31 octets of advertising data (Flags 3, 0xE0 29)",
    );
    expect(packAdvertisingData({ other: [filling(28)] }, { scanResponse: false }).scanResponse).toBeUndefined();
  });

  test("what is no description is refused", () => {
    for (const wrong of [new Uint8Array(3), [], "Lamp", null]) expect(() => packAdvertisingData(wrong as object)).toThrow(ArgumentError);
    expect(() => packAdvertisingData({ nam: "x" } as object)).toThrow('advertising data field "nam"');
    expect(() => packAdvertisingData({}, { scanRespons: true } as object)).toThrow('did you mean "scanResponse"?');
  });
});

describe("an advertisement of a payload", () => {
  const session = (options: ConstructorParameters<typeof AdvertisingSession>[0]) => new AdvertisingSession(options, "public");
  const LONG = { name: "x".repeat(29) };

  test("carries both parts, and is scannable where it needs a scan response", () => {
    expect(session({ payload: LONG }).content.scanResponse.name).toBe(LONG.name);
    expect(session({ payload: LONG, connectable: false }).isScannable).toBe(true);
    expect(session({ payload: { name: "x" }, connectable: false }).isScannable).toBe(false);
    expect(session({ payload: { name: "x" } }).isScannable).toBe(true);
  });

  test("stands in place of data and scan response, and is nothing for directed advertising", () => {
    expect(() => session({ payload: LONG, data: {} })).toThrow('"payload" stands in place of "data" and "scanResponse"');
    expect(() => session({ payload: LONG, scanResponse: {} })).toThrow('"payload" stands in place of "data" and "scanResponse"');
    const peer = Address.from("00:00:00:00:00:01");
    expect(() => session({ payload: LONG, direct: { peer } })).toThrow("directed advertising carries no data");
  });
});
