import fc from "fast-check";
import { expect, test } from "vitest";
import { Uuid } from "./uuid.ts";

test.each([
  ["180D", "180d", 0x180d],
  ["0x2a00", "2a00", 0x2a00],
  [0x2902, "2902", 0x2902],
  ["0000180d-0000-1000-8000-00805f9b34fb", "180d", 0x180d],
  ["12345678", "12345678", undefined],
  ["6E400001-B5A3-F393-E0A9-E50E24DCCA9E", "6e400001-b5a3-f393-e0a9-e50e24dcca9e", undefined],
  ["0000fe82-0000-1000-0000-009132591325", "0000fe82-0000-1000-0000-009132591325", undefined],
])("%s reads as %s", (input, text, short) => {
  const uuid = Uuid.from(input);
  expect(uuid.text).toBe(text);
  expect(uuid.short).toBe(short);
  expect(Uuid.fromBytes(uuid.bytes128).text).toBe(text);
  expect(Uuid.fromBytes(uuid.attBytes).equals(uuid)).toBe(true);
});

test.each(["", "18", "180g", "180d0", "6e400001-b5a3-f393-e0a9", -1, 1.5, 2 ** 32])("%s is refused with what was expected", (input) => {
  expect(() => Uuid.from(input)).toThrow(/expected/);
});

test("any 16 octets survive the way through text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const uuid = Uuid.fromBytes(bytes);
      expect(Uuid.from(uuid.text).bytes128).toEqual(bytes);
    }),
  );
});
