import { expect, test } from "vitest";
import { kindOf } from "../core/index.ts";
import { type Bytes, toOctets, toWritable } from "./bytes.ts";

const TYPE_ERROR = { name: "BleArgumentError", pythonName: "TypeError" };
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const caught = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

test("octets of any kind are copied, within their view", () => {
  const { buffer } = Uint8Array.of(1, 2, 3, 4);
  const shared = new SharedArrayBuffer(2);
  const given: [Bytes, string][] = [
    [new Uint8Array(buffer, 1, 2), "0203"],
    [Buffer.from(buffer, 2, 2), "0304"],
    [new DataView(buffer, 3), "04"],
    [new Uint16Array(buffer, 2, 1), "0304"],
    [buffer, "01020304"],
    [shared, "0000"],
    ["\u00e4", "c3a4"],
    [{ toLittleEndian: () => new Uint8Array(buffer, 0, 2) }, "0102"],
  ];
  const copies = given.map(([value]) => toOctets("data", value));
  new Uint8Array(buffer).fill(9);
  new Uint8Array(shared).fill(9);
  expect(copies.map(hex)).toEqual(given.map(([, expected]) => expected));
  expect(copies.every((copy) => copy.buffer instanceof ArrayBuffer && copy.constructor === Uint8Array)).toBe(true);
});

test("memory that was transferred away is a TypeError of MicroPython's, to read and to write", () => {
  for (const make of [
    (buffer: ArrayBuffer) => buffer,
    (buffer: ArrayBuffer) => new Uint8Array(buffer),
    (buffer: ArrayBuffer) => Buffer.from(buffer),
    (buffer: ArrayBuffer) => new DataView(buffer),
    (buffer: ArrayBuffer) => new Uint16Array(buffer),
  ]) {
    const buffer = new ArrayBuffer(8);
    const value = make(buffer);
    structuredClone(buffer, { transfer: [buffer] });
    for (const take of [toOctets, toWritable]) {
      const error = caught(() => take("data", value));
      expect(error).toMatchObject(TYPE_ERROR);
      expect((error as Error).message).toBe(`data: ${kindOf(value)} whose memory was transferred away`);
    }
  }
});

test("what only looks like a UUID is a TypeError, too", () => {
  const fail = (): never => {
    throw new RangeError("no");
  };
  for (const value of [
    { toLittleEndian: () => "x" },
    { toLittleEndian: () => [1, 2] },
    { toLittleEndian: fail },
    { toLittleEndian: 1 },
    {},
    null,
  ])
    expect(caught(() => toOctets("data", value as unknown as Bytes))).toMatchObject(TYPE_ERROR);
});
