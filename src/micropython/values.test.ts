import { expect, test } from "vitest";
import { Values } from "./values.ts";

const octets = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => from + i);

function one(): Values {
  const values = new Values();
  values.add(5);
  return values;
}

test("a value is empty at first, and has room for 20 octets of a client", () => {
  const values = one();
  expect(values.read(5)).toEqual(octets(0));
  expect(values.writeByClient(5, octets(20))).toBe(true);
  expect(values.read(5)).toEqual(octets(20));
  values.writeByClient(5, octets(21, 7));
  expect(values.read(5)).toEqual(octets(20, 7));
  values.writeByClient(5, octets(3));
  expect(values.read(5)).toEqual(octets(3)); // replaced, whatever was there
});

test("the program's write makes room, and never takes it away", () => {
  const values = one();
  expect(values.write(5, octets(30))).toBe(true);
  expect(values.read(5)).toEqual(octets(30));
  values.write(5, octets(1));
  values.writeByClient(5, octets(40));
  expect(values.read(5)).toEqual(octets(30));
});

test("setBuffer empties the value and says how much room there is, also less", () => {
  const values = one();
  values.write(5, octets(30));
  expect(values.setBuffer(5, 4, false)).toBe(true);
  expect(values.read(5)).toEqual(octets(0));
  values.writeByClient(5, octets(9));
  expect(values.read(5)).toEqual(octets(4));
  values.setBuffer(5, 0, false);
  values.writeByClient(5, octets(9));
  expect(values.read(5)).toEqual(octets(0));
});

test("what is appended adds up to the room that there is, and the program's reading takes it away", () => {
  const values = one();
  values.setBuffer(5, 10, true);
  values.writeByClient(5, octets(4));
  values.writeByClient(5, octets(4, 4));
  expect(values.get(5)).toEqual(octets(8)); // a client's reading does not
  values.writeByClient(5, octets(4, 8));
  expect(values.read(5)).toEqual(octets(10));
  expect(values.read(5)).toEqual(octets(0));
  values.writeByClient(5, octets(2));
  expect(values.write(5, octets(3, 50))).toBe(true); // replaces all the same
  values.writeByClient(5, octets(1, 90));
  expect([...values.read(5)]).toEqual([50, 51, 52, 90]);
  values.setBuffer(5, 10, false);
  values.writeByClient(5, octets(2));
  values.writeByClient(5, octets(2));
  expect(values.read(5)).toEqual(octets(2));
});

test("a part of a value is written over what is there, but not where writes are appended", () => {
  const values = one();
  values.write(5, octets(3));
  expect(values.base(5)).toEqual(octets(3));
  values.setBuffer(5, 10, true);
  values.writeByClient(5, octets(3));
  expect(values.base(5)).toEqual(octets(0));
});

test("what is read is the program's own", () => {
  const values = one();
  values.write(5, octets(3));
  values.read(5).fill(9);
  expect(values.read(5)).toEqual(octets(3));
});

test("a handle without a value is empty, and nothing can be done to it", () => {
  const values = one();
  expect(values.read(6)).toEqual(octets(0));
  expect(values.get(6)).toEqual(octets(0));
  expect(values.has(6)).toBe(false);
  expect(values.write(6, octets(1))).toBe(false);
  expect(values.writeByClient(6, octets(1))).toBe(false);
  expect(values.setBuffer(6, 1, false)).toBe(false);
  expect(values.has(5)).toBe(true);
  values.clear();
  expect(values.has(5)).toBe(false);
});
