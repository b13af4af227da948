import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError, Reader, Writer } from "../bytes/index.ts";
import { Address, ArgumentError } from "../core/index.ts";
import {
  type AnyStruct,
  bdaddr,
  bits,
  countOf,
  cstring,
  decodeFields,
  encodeFields,
  enumerated,
  i8,
  lengthOf,
  list,
  octets,
  octetsFrom,
  onOff,
  optional,
  orElse,
  slot,
  struct,
  tlv16,
  u8,
  u16,
  u24,
  u32,
  u64,
  uuid128,
} from "./fields.ts";

const COLORS = { Red: 1, Green: 2 } as const;
const BITS = { First: 0, Last: 31 } as const;

const encoded = <S extends AnyStruct>(fields: S, values: Parameters<typeof encodeFields<S>>[1]): Uint8Array => encodeFields(fields, values);
const decoded = <S extends AnyStruct>(fields: S, packet: Uint8Array): unknown =>
  decodeFields(fields, packet, { name: "test", offset: 0 }).value;

describe("a value goes there and back", () => {
  test.each<[string, AnyStruct, unknown, number[], unknown?]>([
    [
      "unsigned numbers, little-endian",
      struct({ a: u8, b: u16, c: u24, d: u32 }),
      { a: 1, b: 2, c: 3, d: 4 },
      [1, 2, 0, 3, 0, 0, 4, 0, 0, 0],
    ],
    ["a negative one", struct({ a: i8 }), { a: -60 }, [0xc4]],
    ["64 bits", struct({ a: u64 }), { a: 0x0102n }, [2, 1, 0, 0, 0, 0, 0, 0]],
    ["an enumeration by name", struct({ a: enumerated(u8, COLORS) }), { a: "Green" }, [2], { a: 2 }],
    ["an enumeration by an unknown number", struct({ a: enumerated(u8, COLORS) }), { a: 9 }, [9]],
    ["on and off by truth", struct({ a: onOff({ Off: 0, On: 1 }) }), { a: true }, [1], { a: 1 }],
    ["bits by name", struct({ a: bits(u32, BITS) }), { a: ["First", "Last"] }, [1, 0, 0, 0x80], { a: 0x8000_0001 }],
    [
      "an address, as text",
      struct({ a: bdaddr }),
      { a: "c0:11:22:33:44:55" },
      [0x55, 0x44, 0x33, 0x22, 0x11, 0xc0],
      { a: "C0:11:22:33:44:55" },
    ],
    ["an address", struct({ a: bdaddr }), { a: Address.from("00:00:00:00:00:01") }, [1, 0, 0, 0, 0, 0], { a: "00:00:00:00:00:01" }],
    ["text in its slot", struct({ a: cstring(5) }), { a: "é!" }, [0xc3, 0xa9, 0x21, 0, 0]],
    ["octets", struct({ a: octets(2) }), { a: Uint8Array.of(1, 2) }, [1, 2]],
    ["octets behind their length", struct({ n: lengthOf(u16, "a"), a: octetsFrom("n") }), { a: Uint8Array.of(7) }, [1, 0, 7]],
    ["octets of which some are used", struct({ n: lengthOf(u8, "a"), a: slot(4, "n") }), { a: Uint8Array.of(7) }, [1, 7, 0, 0, 0]],
    ["a counted list", struct({ n: countOf(u8, "a"), a: list(u16, "n") }), { a: [1, 2] }, [2, 1, 0, 2, 0]],
    ["a list to the end", struct({ a: list(tlv16) }), { a: [{ type: 1, value: Uint8Array.of(5) }] }, [1, 0, 1, 5]],
    ["what may be missing, missing", struct({ a: u8, b: optional(u8) }), { a: 1 }, [1]],
    ["what may be missing, there", struct({ a: u8, b: optional(u8) }), { a: 1, b: 2 }, [1, 2]],
    ["what has a usual value", struct({ a: orElse(u8, 7) }), {}, [7], { a: 7 }],
  ])("%s", (_, fields, values, octetsOnWire, back = values) => {
    expect(encoded(fields, values as never)).toEqual(Uint8Array.from(octetsOnWire));
    expect(decoded(fields, Uint8Array.from(octetsOnWire))).toEqual(back);
  });

  test("a UUID of 16 bits is 128 on the wire", () => {
    const fields = struct({ a: uuid128 });
    const packet = encoded(fields, { a: "180D" });
    expect(packet).toHaveLength(16);
    expect(String((decoded(fields, packet) as { a: unknown }).a)).toMatch(/180d/);
  });
});

describe("a value that its field cannot hold names the field", () => {
  test.each<[string, AnyStruct, unknown, RegExp]>([
    ["out of range", struct({ a: u8 }), { a: 256 }, /^a: 256: expected/],
    ["not whole", struct({ a: u16 }), { a: 1.5 }, /^a: 1.5: expected/],
    ["missing", struct({ a: u8 }), {}, /^a: expected a value$/],
    ["an unknown name", struct({ a: enumerated(u8, COLORS) }), { a: "Blue" }, /^a: "Blue": expected a number, or one of Red, Green/],
    ["a name of Object", struct({ a: enumerated(u8, COLORS) }), { a: "constructor" }, /^a: "constructor": expected/],
    ["an unknown bit", struct({ a: bits(u32, BITS) }), { a: ["Middle"] }, /^a: "Middle": expected/],
    ["text too long", struct({ a: cstring(3) }), { a: "abc" }, /^a: text of 3 octets: expected at most 2/],
    ["a NUL in text", struct({ a: cstring(5) }), { a: "a\0b" }, /^a: a NUL/],
    ["octets of another length", struct({ a: octets(2) }), { a: new Uint8Array(3) }, /^a: 3 octets: expected 2/],
    [
      "too many octets for the slot",
      struct({ n: lengthOf(u8, "a"), a: slot(2, "n") }),
      { a: new Uint8Array(3) },
      /^a: 3 octets: expected at most 2/,
    ],
    ["more octets than the length can say", struct({ n: lengthOf(u8, "a"), a: octetsFrom("n") }), { a: new Uint8Array(256) }, /^a: 256/],
    [
      "in an entry of a list",
      struct({ n: countOf(u8, "a"), a: list(struct({ b: u8 }), "n") }),
      { a: [{ b: 1 }, { b: -1 }] },
      /^a\[1\]\.b: -1/,
    ],
  ])("%s", (_, fields, values, message) => {
    expect(() => encoded(fields, values as never)).toThrow(ArgumentError);
    expect(() => encoded(fields, values as never)).toThrow(message);
  });
});

describe("a packet that is too short names the field and the offset", () => {
  const fields = struct({ n: countOf(u8, "a"), a: list(struct({ b: u16, m: lengthOf(u8, "c"), c: slot(3, "m") }), "n") });
  const whole = encodeFields(fields, {
    a: [
      { b: 1, c: Uint8Array.of(9) },
      { b: 2, c: new Uint8Array(0) },
    ],
  });

  test("at every length", () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => decoded(fields, whole.subarray(0, length)), `${length} octets`).toThrow(DecodeError);
    expect(() => decoded(fields, whole.subarray(0, 8))).toThrow(/a\[1\]\.b/);
  });

  test("and so does one whose length is larger than its slot", () => {
    expect(() => decoded(fields, Uint8Array.of(1, 0, 0, 4, 0, 0, 0))).toThrow(/m says 4 octets, the field has 3/);
  });
});

test("any list of structures goes there and back", () => {
  const fields = struct({ n: countOf(u16, "a"), a: list(struct({ b: i8, l: lengthOf(u8, "c"), c: octetsFrom("l") }), "n"), rest: u16 });
  const entry = fc.record({ b: fc.integer({ min: -128, max: 127 }), c: fc.uint8Array({ maxLength: 255 }) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), fc.nat(0xffff), (a, rest) => {
      const values = { a, rest };
      expect(decoded(fields, encoded(fields, values))).toEqual(values);
    }),
  );
});

test("a field encodes by itself, too", () => {
  const writer = new Writer();
  u16.encode(writer, 0x0102);
  expect(u16.decode(new Reader(writer.finish()), { derived: {}, secrets: [] })).toBe(0x0102);
});
