import { expect, test } from "vitest";
import { DataPieces } from "./data-pieces.ts";

const octets = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => first + i);

test("pieces of one key are one, whatever comes between", () => {
  const pieces = new DataPieces({ mostOctets: 100, most: 2 });
  pieces.add(1, octets(3));
  pieces.add(2, octets(1, 50));
  pieces.add(1, octets(2, 3));
  expect(pieces.finish(1, octets(1, 5))).toEqual({ data: octets(6), isOverfull: false });
  expect([pieces.finish(2, octets(0)).data, pieces.size]).toEqual([octets(1, 50), 0]);
  expect(pieces.finish(3, octets(100))).toEqual({ data: octets(100), isOverfull: false });
});

test("more than there is room for is left out, in one piece or in many", () => {
  const pieces = new DataPieces({ mostOctets: 10, most: 2 });
  expect(pieces.finish(1, octets(11))).toEqual({ data: octets(10), isOverfull: true });
  pieces.add(1, octets(10));
  pieces.add(1, octets(1));
  expect(pieces.finish(1, octets(0))).toEqual({ data: octets(10), isOverfull: true });
  pieces.add(1, octets(5));
  expect(pieces.finish(1, octets(5, 5))).toEqual({ data: octets(10), isOverfull: false });
});

test("of more keys than there is room for the oldest is dropped", () => {
  const pieces = new DataPieces({ mostOctets: 10, most: 2 });
  for (const key of [1, 2, 3]) pieces.add(key, octets(1, key));
  expect(pieces.size).toBe(2);
  expect(pieces.finish(1, octets(1)).data).toEqual(octets(1));
  expect(pieces.finish(3, octets(1)).data).toEqual(Uint8Array.of(3, 0));
  pieces.drop(2);
  expect([pieces.size, pieces.finish(2, octets(1)).data]).toEqual([0, octets(1)]);
});

test("a piece is a copy: what it came in may change", () => {
  const pieces = new DataPieces({ mostOctets: 10, most: 2 });
  const packet = octets(3);
  pieces.add(1, packet);
  packet.fill(9);
  expect(pieces.finish(1, octets(0)).data).toEqual(octets(3));
});
