import fc from "fast-check";
import { expect, test } from "vitest";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { concat, DecodeError } from "../bytes/index.ts";
import { H4Framer } from "./h4.ts";

const packetArb = fc.oneof(
  fc.uint8Array({ maxLength: 255 }).map((data) => concat(Uint8Array.of(1, 3, 12, data.length), data)),
  fc.uint8Array({ maxLength: 600 }).map((data) => concat(Uint8Array.of(2, 1, 0x20, data.length & 0xff, data.length >> 8), data)),
  fc.uint8Array({ maxLength: 255 }).map((data) => concat(Uint8Array.of(3, 1, 0, data.length), data)),
  fc.uint8Array({ maxLength: 255 }).map((data) => concat(Uint8Array.of(4, 0x3e, data.length), data)),
  fc.uint8Array({ maxLength: 600 }).map((data) => concat(Uint8Array.of(5, 1, 0, data.length & 0xff, data.length >> 8), data)),
);

test("a stream cut anywhere gives the same packets", () => {
  fc.assert(
    fc.property(fc.array(packetArb, { maxLength: 6 }), fc.array(fc.nat(700), { maxLength: 12 }), (packets, cuts) => {
      const stream = concat(...packets);
      const got: number[][] = [];
      const framer = new H4Framer((packet) => got.push([...packet]));
      let at = 0;
      for (const cut of cuts) {
        framer.push(stream.slice(at, at + cut));
        at = Math.min(stream.length, at + cut);
      }
      framer.push(stream.slice(at));
      expect(got).toEqual(packets.map((packet) => [...packet]));
    }),
  );
});

test("one octet at a time", () => {
  const packet = Uint8Array.of(2, 1, 0x20, 2, 0, 7, 8);
  const got: Uint8Array[] = [];
  const framer = new H4Framer((bytes) => got.push(bytes));
  for (const octet of [...packet, ...packet]) framer.push(Uint8Array.of(octet));
  expect(got).toEqual([packet, packet]);
});

test("a packet in one piece is not copied", () => {
  const chunk = Uint8Array.of(4, 0xff, 0, 4, 0xff, 1, 9);
  const got: Uint8Array[] = [];
  new H4Framer((bytes) => got.push(bytes)).push(chunk);
  expect(got.map((bytes) => [...bytes])).toEqual([
    [4, 0xff, 0],
    [4, 0xff, 1, 9],
  ]);
  expect(got.every((bytes) => bytes.buffer === chunk.buffer)).toBe(true);
});

test("a packet of a large piece, or of a part of one, holds on to 4 KiB or to itself", () => {
  const packets = Array.from({ length: 600 }, (_, i) =>
    concat(Uint8Array.of(2, 1, 0x20, (i * 7) & 0xff, i & 0x0f), new Uint8Array(((i * 7) & 0xff) | ((i & 0x0f) << 8)).fill(i)),
  );
  const stream = concat(...packets);
  const parts = Array.from({ length: Math.ceil(stream.length / 300) }, (_, i) => stream.subarray(300 * i, 300 * (i + 1)));
  for (const chunks of [[stream], parts]) {
    const got: Uint8Array[] = [];
    const framer = new H4Framer((packet) => got.push(packet));
    for (const chunk of chunks) framer.push(chunk);
    expect(got.map((packet) => [...packet])).toEqual(packets.map((packet) => [...packet]));
    expect(got.filter(({ buffer, length }) => buffer.byteLength > 4096 && buffer.byteLength !== length)).toEqual([]);
  }
});

test("where a large piece is wrong is told as it was pushed", () => {
  const framer = new H4Framer(() => {});
  framer.push(Uint8Array.of(4, 0xff, 0));
  const chunk = concat(...Array.from({ length: 3000 }, () => Uint8Array.of(4, 0xff, 0)), Uint8Array.of(0x77, 1, 2));
  expect(() => framer.push(chunk)).toThrow("H4 stream: 0x77 is no packet type at offset 9003 of 9006");
});

test("a callback that throws loses no packet, and its fault is the program's", async () => {
  const got: number[] = [];
  const framer = new H4Framer((packet) => {
    got.push(packet[1]!);
    if (packet[1] === 1 || packet[1] === 4) throw new Error(`at ${packet[1]}`);
  });
  const uncaught = await uncaughtDuring(() => {
    framer.push(Uint8Array.of(4, 1, 0, 4, 2, 0, 4, 3, 0, 4, 4));
    framer.push(Uint8Array.of(0, 4, 5, 0));
  });
  expect(got).toEqual([1, 2, 3, 4, 5]);
  expect(uncaught).toEqual([new Error("at 1"), new Error("at 4")]);
});

test("an octet that starts no packet is a typed error with its place in the stream", () => {
  const framer = new H4Framer(() => {});
  framer.push(Uint8Array.of(4, 0xff, 0));
  expect(() => framer.push(Uint8Array.of(4, 0xff, 0, 0x77))).toThrow("H4 stream: 0x77 is no packet type at offset 6 of 7");
});

test("random octets give packets or a DecodeError, never anything else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
      const framer = new H4Framer((packet) => expect([1, 2, 3, 4, 5]).toContain(packet[0]));
      try {
        for (const chunk of chunks) framer.push(chunk);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
