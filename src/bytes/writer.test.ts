import { expect, test } from "vitest";
import { ArgumentError } from "../core/index.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

const FIELDS: [string, number, (writer: Writer) => void][] = [
  ["u8", 1, (writer) => writer.u8(1)],
  ["i8", 1, (writer) => writer.i8(1)],
  ["u16", 2, (writer) => writer.u16(1)],
  ["i16", 2, (writer) => writer.i16(1)],
  ["u24", 3, (writer) => writer.u24(1)],
  ["u32", 4, (writer) => writer.u32(1)],
  ["u64", 8, (writer) => writer.u64(1n)],
  ["bytes", 2, (writer) => writer.bytes(Uint8Array.of(1, 0))],
];

test.each(FIELDS)("a field %s that makes the buffer grow is written like any other", (_name, size, write) => {
  for (let capacity = 0; capacity < 10; capacity++) {
    const writer = new Writer(capacity);
    for (let i = 0; i < 9; i++) write(writer);
    const one = Array.from({ length: size }, (_, i) => (i === 0 ? 1 : 0));
    expect([...writer.finish()]).toEqual(Array.from({ length: 9 }, () => one).flat());
  }
});

test.each([
  ["u8", 0, 2 ** 8 - 1],
  ["i8", -(2 ** 7), 2 ** 7 - 1],
  ["u16", 0, 2 ** 16 - 1],
  ["i16", -(2 ** 15), 2 ** 15 - 1],
  ["u24", 0, 2 ** 24 - 1],
  ["i24", -(2 ** 23), 2 ** 23 - 1],
  ["u32", 0, 2 ** 32 - 1],
  ["i32", -(2 ** 31), 2 ** 31 - 1],
] as const)("%s holds %i to %i, and nothing else", (kind, least, most) => {
  for (const value of [least, least + 1, 0, 1, 0x12, Math.floor(most / 2), most - 1, most]) {
    const writer = new Writer();
    writer[kind](value);
    expect(new Reader(writer.finish())[kind]()).toBe(value);
  }
  for (const value of [least - 1, most + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => new Writer()[kind](value)).toThrow(new ArgumentError(`${value}: expected a whole number from ${least} to ${most}`));
});

test("a number is written with its least octet first, negative ones too", () => {
  const writer = new Writer();
  writer.u32(0x89ab_cdef);
  writer.i24(-2);
  writer.u64(0x8123_4567_89ab_cdefn);
  expect([...writer.finish()]).toEqual([0xef, 0xcd, 0xab, 0x89, 0xfe, 0xff, 0xff, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x81]);
});
