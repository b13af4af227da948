import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError, fromHex, toHex } from "../../bytes/index.ts";
import { ArgumentError } from "../../core/error.ts";
import { CBOR_MAX_DEPTH, type CborMap, type CborValue, cborLength, decodeCbor, encodeCbor } from "./cbor.ts";

const integers = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
);
const leaves = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  integers,
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }),
  fc.double({ noNaN: true }).map((value) => (Number.isInteger(value) ? 0.5 : value)),
);
const { map } = fc.letrec<{ value: CborValue; map: CborMap }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, leaves, fc.array(tie("value"), { maxLength: 4 }), tie("map")),
  map: fc.dictionary(fc.string({ unit: "grapheme", maxLength: 30 }), tie("value"), { maxKeys: 6, noNullPrototype: true }),
}));

const read = (hex: string) => decodeCbor(fromHex(hex));

describe("CBOR", () => {
  test("what is written reads the same, with either kind of lengths", () => {
    fc.assert(
      fc.property(map, (value) => {
        const definite = encodeCbor(value);
        expect(decodeCbor(definite)).toEqual(value);
        expect(decodeCbor(encodeCbor(value, "indefinite"))).toEqual(value);
        expect(cborLength(value)).toBe(definite.length);
      }),
      { numRuns: 150 },
    );
  });

  test("any octets read, or are a DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom("a1", "bf", "a261", "9f", ""), (octets, head) => {
        try {
          decodeCbor(Uint8Array.of(...fromHex(head), ...octets));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("keys stand by length in octets, then bytewise; as given where lengths are indefinite", () => {
    const keys = ["upgrade", "off", "é", "len", "image", "sha", "zz", "data", "a", "Z"];
    const value = Object.fromEntries(keys.map((key) => [key, 0]));
    expect(Object.keys(decodeCbor(encodeCbor(value)))).toEqual(["Z", "a", "zz", "é", "len", "off", "sha", "data", "image", "upgrade"]);
    expect(Object.keys(decodeCbor(encodeCbor(value, "indefinite")))).toEqual(keys);
  });

  test.each<[CborValue, string]>([
    [0, "00"],
    [-0, "00"],
    [23, "17"],
    [24, "1818"],
    [255, "18ff"],
    [256, "190100"],
    [65_535, "19ffff"],
    [65_536, "1a00010000"],
    [2 ** 32 - 1, "1affffffff"],
    [2 ** 32, "1b0000000100000000"],
    [Number.MAX_SAFE_INTEGER, "1b001fffffffffffff"],
    [2n ** 53n, "1b0020000000000000"],
    [2n ** 64n - 1n, "1bffffffffffffffff"],
    [-1, "20"],
    [-24, "37"],
    [-25, "3818"],
    [Number.MIN_SAFE_INTEGER, "3b001ffffffffffffe"],
    [-(2n ** 53n), "3b001fffffffffffff"],
    [-(2n ** 64n), "3bffffffffffffffff"],
    [0.5, "f93800"],
    [1e300, "fb7e37e43c8800759c"],
    [Number.POSITIVE_INFINITY, "f97c00"],
    [true, "f5"],
    [false, "f4"],
    [null, "f6"],
    ["", "60"],
    [new Uint8Array(0), "40"],
    [[], "80"],
    [{}, "a0"],
  ])("%s is %s, exactly, both ways", (value, hex) => {
    expect(toHex(encodeCbor({ a: value }))).toBe(`a16161${hex}`);
    expect(read(`a16161${hex}`)).toEqual({ a: value === 0 ? 0 : value });
  });

  test("small bigints are written like numbers, and read as numbers", () => {
    expect(decodeCbor(encodeCbor({ a: 5n, b: -5n }))).toEqual({ a: 5, b: -5 });
  });

  test("numbers that are longer than they need be are read", () => {
    expect(read("a16161 1b0000000000000005")).toEqual({ a: 5 });
    expect(read("bf 7801 61 1a00000005 ff")).toEqual({ a: 5 });
  });

  test("text and octets in parts are joined", () => {
    expect(read("a1 6161 7f 6161 60 626263 ff")).toEqual({ a: "abc" });
    expect(read("a1 7f 6161 ff 5f 4101 420203 ff")).toEqual({ a: Uint8Array.of(1, 2, 3) });
    expect(read("a1 6161 7f ff")).toEqual({ a: "" });
  });

  test("text that is not UTF-8 is read with replacement; a byte order mark stays", () => {
    expect(read("a1 6161 63 61ff62")).toEqual({ a: "a\ufffdb" });
    for (const text of ["\ufeffa", `\ufeff${"x".repeat(30)}`, `\ufeff${"x".repeat(300)}`])
      expect(decodeCbor(encodeCbor({ [text]: text }))).toEqual({ [text]: text });
  });

  test("undefined is null, a tag says nothing, a key that is a number is its digits, and the last of equal keys counts", () => {
    expect(read("a1 6161 f7")).toEqual({ a: null });
    expect(read("a1 6161 c1 1a00010000")).toEqual({ a: 65_536 });
    expect(read("c1 a1 c2 6161 05".replace("c2 ", ""))).toEqual({ a: 5 });
    expect(read("a2 05 01 1bffffffffffffffff 02")).toEqual({ 5: 1, "18446744073709551615": 2 });
    expect(read("a2 6161 01 6161 02")).toEqual({ a: 2 });
  });

  test("a key named __proto__ is one like others", () => {
    const value = read("a2 69 5f5f70726f746f5f5f a1 6161 01 6162 02");
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__", "b"]);
    const { b, ["__proto__"]: proto } = Object.getOwnPropertyDescriptors(value) as Record<string, PropertyDescriptor>;
    expect({ ...proto, value: 2 }).toEqual(b);
    expect(toHex(encodeCbor(value))).toBe("a2616202695f5f70726f746f5f5fa1616101");
    expect(toHex(encodeCbor(value, "indefinite"))).toBe("bf695f5f70726f746f5f5fbf616101ff616202ff");
  });

  test("octets that were read are a copy", () => {
    const packet = fromHex("a1616143010203");
    const { a } = decodeCbor(packet);
    packet.fill(0);
    expect(a).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("an error names path and offset", () => {
    expect(() => decodeCbor(fromHex("0000 a1 66696d61676573 82 a0 a1 64736c6f74 ff"), 2)).toThrow(
      expect.objectContaining({ path: "payload.images[1].slot", offset: 18, problem: "a break where a value belongs" }),
    );
  });

  test("undefined values are left out, at any depth", () => {
    expect(toHex(encodeCbor({ a: undefined, b: { c: undefined } }))).toBe("a16162a0");
    expect(toHex(encodeCbor({ a: undefined, b: { c: undefined } }, "indefinite"))).toBe("bf6162bfffff");
    expect(cborLength({ a: undefined, b: { c: undefined } })).toBe(4);
  });

  test("what CBOR has no form for is an ArgumentError", () => {
    const circle: Record<string, CborValue> = {};
    circle.a = { b: [circle] };
    let deep: CborMap = {};
    for (let i = 0; i < CBOR_MAX_DEPTH; i++) deep = { deep };
    for (const value of [{ a: () => 1 }, { a: Symbol("a") }, { a: 2n ** 64n }, { a: new Date() }, circle, deep])
      for (const lengths of ["definite", "indefinite"] as const) expect(() => encodeCbor(value as CborMap, lengths)).toThrow(ArgumentError);
    expect(decodeCbor(encodeCbor(deep.deep as CborMap))).toEqual(deep.deep);
  });
});
