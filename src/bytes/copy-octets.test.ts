import fc from "fast-check";
import { expect, test } from "vitest";
import { copyOctets, ownOctets } from "./copy-octets.ts";

/** What a kept copy may hold on to, beyond which it has a buffer of its own. */
const SHARED = 2112;

/** A packet somewhere in a larger piece, and a part of it. */
const partArb = fc
  .record({ packet: fc.uint8Array({ maxLength: 700 }), around: fc.nat(40), from: fc.nat(40), after: fc.nat(20) })
  .map(({ packet, around, from, after }) => {
    const bytes = new Uint8Array(packet.length + 2 * around).subarray(around, around + packet.length);
    bytes.set(packet);
    const offset = Math.min(from, bytes.length);
    return { bytes, offset, end: Math.max(offset, bytes.length - after) };
  });

test("copies are what slice gives, and stay so whatever becomes of the packets and of each other", () => {
  fc.assert(
    fc.property(fc.array(partArb, { minLength: 1, maxLength: 30 }), fc.nat(), (parts, chosen) => {
      const plain = parts.map(({ bytes, offset, end }) => [...bytes.slice(offset, end)]);
      const copies = parts.map(({ bytes, offset, end }) => copyOctets(bytes, offset, end));
      for (const { bytes } of parts) new Uint8Array(bytes.buffer).fill(0xee);
      expect(copies.map((copy) => [...copy])).toEqual(plain);
      const at = chosen % copies.length;
      copies[at]!.fill(0xdd);
      expect(copies.filter((_, i) => i !== at).map((copy) => [...copy])).toEqual(plain.filter((_, i) => i !== at));
    }),
  );
});

test("a copy is a plain Uint8Array, begins where any typed array may begin, and holds on to 2 KiB or itself", () => {
  fc.assert(
    fc.property(partArb, ({ bytes, offset, end }) => {
      const copy = copyOctets(bytes, offset, end);
      const { buffer, length } = copy;
      expect(Object.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
      expect([length, copy.byteOffset % 8]).toEqual([end - offset, 0]);
      expect(buffer.byteLength === length || buffer.byteLength <= SHARED).toBe(true);
      expect(buffer).toBeInstanceOf(ArrayBuffer);
    }),
  );
});

test("a buffer that the program transfers takes no later copy along", () => {
  const packet = new Uint8Array(256).fill(7);
  const first = copyOctets(packet, 12, 256);
  structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
  expect(first.length).toBe(0);
  expect(copyOctets(packet, 12, 256)).toEqual(new Uint8Array(244).fill(7));
});

test.each([70, 100, 244])("copies of %i octets share what they hold on to", (length) => {
  const packet = new Uint8Array(length + 12);
  const buffers = Array.from({ length: 240 }, () => copyOctets(packet, 12, length + 12).buffer);
  const inOne = Math.floor(SHARED / (length + 20));
  expect(new Set(buffers).size).toBeLessThanOrEqual(Math.ceil(240 / inOne) + 1); // what was left of the one before
});

test("a packet's owner gets a view where the packet is alone in its buffer, and else what a copy gives", () => {
  fc.assert(
    fc.property(partArb, ({ bytes, offset, end }) => {
      const own = ownOctets(bytes, offset, end);
      expect([...own]).toEqual([...bytes.slice(offset, end)]);
      expect(Object.getPrototypeOf(own)).toBe(Uint8Array.prototype);
      const isView = own.length > 64 && bytes.buffer.byteLength <= bytes.length + 64;
      expect(own.buffer === bytes.buffer).toBe(isView);
      if (!isView) expect(own.buffer.byteLength === own.length || own.buffer.byteLength <= SHARED).toBe(true);
    }),
  );
});
