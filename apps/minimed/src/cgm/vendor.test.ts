import { fromHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { appendE2eCrc } from "../data/e2e-crc.ts";
import { decodeNextCalibration, decodeSensorExpiration } from "./vendor.ts";

const NEXT = "e8030000 01000000 3412";

describe.each([
  ["Time of Sensor Expiration", decodeSensorExpiration, "60 27", 10_080],
  ["Time of Next Calibration Recommended", decodeNextCalibration, NEXT, { timeStamp: 1000, clockId: 1, timeOffsetMin: 0x1234 }],
] as const)("%s", (_name, decode, hex, value) => {
  const content = fromHex(hex);

  test("is the same with a CRC, with ff ff in its place, and without", () => {
    for (const octets of [content, Uint8Array.of(...content, 0xff, 0xff), appendE2eCrc(content)]) expect(decode(octets)).toEqual(value);
  });

  test("of another length, or with a CRC that does not match, is a fault of the data", () => {
    for (let length = 0; length < content.length + 6; length++) {
      if (length === content.length || length === content.length + 2) continue;
      expect(() => decode(Uint8Array.from({ length }, (_, i) => content[i] ?? 0)), `${length} octets`).toThrow(
        expect.objectContaining({ code: "ERR_PUMP_DATA" }),
      );
    }
    const wrong = appendE2eCrc(content);
    wrong[wrong.length - 1]! ^= 1;
    expect(() => decode(wrong)).toThrow(expect.objectContaining({ problem: "crc" }));
    expect(() => decode(Uint8Array.of(...content, 0xff, 0xfe))).toThrow(expect.objectContaining({ problem: "crc" }));
  });
});
