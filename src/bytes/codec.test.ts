import fc from "fast-check";
import { expect, test } from "vitest";
import { bool8, bytes, bytes8, decode, encode, i8, list, repeated, rest, struct, typedAddress, u8, u16, u24, u32, u64 } from "./codec.ts";
import { DecodeError } from "./decode-error.ts";
import { fromHex, toHex } from "./hex.ts";

const packet = struct({
  enable: bool8,
  sets: list(u8, struct({ handle: u8, duration: u16 })),
  peer: typedAddress,
  rssi: i8,
  wide: u24,
  counter: u32,
  stamp: u64,
  key: bytes(2),
  name: bytes8,
});
const value = {
  enable: true,
  sets: [
    { handle: 1, duration: 0x1234 },
    { handle: 2, duration: 3 },
  ],
  rssi: -70,
  wide: 0x123456,
  counter: 0xdeadbeef,
  stamp: 0x0102030405060708n,
  key: Uint8Array.of(9, 8),
  name: Uint8Array.of(0x41),
};
const hex = `01 02 013412 020300 01 060504030201 ba 563412 efbeadde 0807060504030201 0908 0141`;

test("a struct reads and writes its table", () => {
  const decoded = decode(packet, fromHex(hex), { name: "Packet" });
  expect(decoded).toMatchObject(value);
  expect(`${decoded.peer}`).toBe("01:02:03:04:05:06/random");
  expect(toHex(encode(packet, decoded))).toBe(hex.replaceAll(" ", ""));
});

test("truncation at every length is a DecodeError that names the field", () => {
  const whole = fromHex(hex);
  for (let length = 0; length < whole.length; length++) {
    expect(() => decode(packet, whole.subarray(0, length), { name: "Packet" })).toThrow(DecodeError);
  }
  expect(() => decode(packet, whole.subarray(0, 7), { name: "Packet" })).toThrow(
    "Packet.sets[1].duration: needs 2 bytes, has 1 at offset 6 of 7",
  );
});

test("a DecodeError names all the fields around, as deep as they are, and none that were before", () => {
  const inner = struct({ before: list(u8, u8), values: list(u8, list(u8, u16)) });
  const codec = struct({ first: inner, deep: list(u8, struct({ deeper: struct({ deepest: inner }) })) });
  const octets = fromHex("01 09 00  02  00 00  01 07 02 01 0101 02 0101 01");
  const message = "deep[1].deeper.deepest.values[1][1]: needs 2 bytes, has 1 at offset 15 of 16";
  expect(() => decode(codec, octets)).toThrow(expect.objectContaining({ message }));
  expect(() => decode(codec, octets, { name: "Packet" })).toThrow(expect.objectContaining({ message: `Packet.${message}` }));
  expect(() => decode(list(u8, u16), Uint8Array.of(1))).toThrow("[0]: needs 2 bytes, has 0 at offset 1 of 1");
});

test("octets left over are an error", () => {
  expect(() => decode(u8, Uint8Array.of(1, 2), { name: "One" })).toThrow("One: 1 unread byte at offset 1 of 2");
});

test("a value that does not fit names its field", () => {
  expect(() => encode(struct({ handle: u16 }), { handle: 70_000 })).toThrow("handle: 70000: expected a whole number from 0 to 65535");
  expect(() => encode(bytes(4), Uint8Array.of(1))).toThrow("1 octets: expected 4");
});

test("an item of no length cannot loop for ever", () => {
  expect(() => decode(repeated({ decode: () => 0, encode: () => {} }), Uint8Array.of(1))).toThrow(DecodeError);
});

test("the packet of a DecodeError is kept but not printed", () => {
  try {
    decode(struct({ key: bytes(16) }), Uint8Array.of(0xaa, 0xbb));
    expect.unreachable();
  } catch (error) {
    expect((error as DecodeError).packet).toEqual(Uint8Array.of(0xaa, 0xbb));
    expect(Object.keys(error as object)).not.toContain("packet");
  }
});

test("random values survive both ways", () => {
  const codec = struct({ items: list(u8, u16), tail: rest });
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { maxLength: 255 }), fc.uint8Array({ maxLength: 300 }), (items, tail) => {
      expect(decode(codec, encode(codec, { items, tail }))).toEqual({ items, tail });
    }),
  );
});
