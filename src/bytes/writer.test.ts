import { expect, test } from "vitest";
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
