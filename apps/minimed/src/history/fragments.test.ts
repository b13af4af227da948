import { fromHex, toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { RecordAssembler } from "./fragments.ts";

const assembler = (options: Partial<ConstructorParameters<typeof RecordAssembler>[0]> = {}): RecordAssembler =>
  new RecordAssembler({ largest: 4, isWhole: () => false, ...options });
const texts = (records: readonly Uint8Array[]): string[] => records.map(toHex);
const push = (to: RecordAssembler, hex: string): string[] => texts(to.push(fromHex(hex)));

test("a part that does not fill its notification is a record, or ends one", () => {
  const to = assembler();
  expect(push(to, "0102")).toEqual(["0102"]);
  expect(push(to, "01020304")).toEqual([]);
  expect(push(to, "05060708")).toEqual([]);
  expect(push(to, "09")).toEqual(["010203040506070809"]);
  expect(texts(to.finish())).toEqual([]);
});

test("what fills its notifications exactly is ended by the end, by an empty one, by its own length, or by another's beginning", () => {
  const to = assembler();
  push(to, "01020304");
  expect(texts(to.finish())).toEqual(["01020304"]);
  expect(texts(to.finish())).toEqual([]);
  push(to, "01020304");
  expect(push(to, "")).toEqual(["01020304"]);
  expect(push(to, "")).toEqual([]);
  const whole = assembler({ isWhole: (held) => held.length === 8 });
  expect([push(whole, "01020304"), push(whole, "05060708"), push(whole, "0a0b")]).toEqual([[], [], ["0102030405060708", "0a0b"]]);
  const begins = assembler({ begins: ([first], held) => first === 0xff && held.length === 4 });
  expect([push(begins, "01020304"), push(begins, "ff020304"), push(begins, "05")]).toEqual([[], ["01020304"], ["ff02030405"]]);
});

test("what never ends is cut, and fills no memory", () => {
  const to = assembler();
  const lengths: number[] = [];
  for (let i = 0; i < 1000; i++) lengths.push(...to.push(fromHex("01020304")).map(({ length }) => length));
  expect(lengths.length).toBeGreaterThan(5);
  expect(Math.max(...lengths)).toBeLessThan(600);
});
