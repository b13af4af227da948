import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { concat } from "../../bytes/hex.ts";
import { ImageFileError } from "../protocol/error.ts";
import { isZip, readZip } from "./zip.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const content = utf8("firmware ".repeat(20));
const ZIP = zipSync({ "app.bin": content }, { level: 6 });
const STORED = zipSync({ "app.bin": content }, { level: 0 });
/** Where the last record begins, and the directory with its one entry. */
const END = ZIP.length - 22;
const ENTRY = new DataView(ZIP.buffer, ZIP.byteOffset).getUint32(END + 16, true);

/** With a number at a place, of 16 or 32 bits. */
function changed(zip: Uint8Array, at: number, value: number, size: 2 | 4): Uint8Array {
  const copy = zip.slice();
  const view = new DataView(copy.buffer);
  if (size === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return copy;
}

test("files are found by the directory, whatever stands around it", () => {
  for (const zip of [ZIP, STORED, concat(new Uint8Array(3), ZIP).subarray(3)]) {
    const [entry, ...others] = readZip(zip);
    expect([entry!.name, entry!.size, others]).toEqual(["app.bin", content.length, []]);
    expect(entry!.read(content.length)).toEqual(content);
  }
  expect(readZip(zipSync({ a: { "b.bin": content }, empty: {} })).map(({ name }) => name)).toEqual(["a/b.bin"]);
  expect(readZip(zipSync({ "": content })).map(({ name, size }) => [name, size])).toEqual([["", content.length]]);
});

test("a comment at the end is passed, even one that looks like an end", () => {
  const comment = concat(ZIP.subarray(END), utf8("!"));
  const zip = concat(changed(ZIP, END + 20, comment.length, 2), comment);
  expect(readZip(zip)[0]!.read(1000)).toEqual(content);
  const longest = concat(changed(ZIP, END + 20, 0xffff, 2), new Uint8Array(0xffff));
  expect(readZip(longest)[0]!.read(1000)).toEqual(content);
  expect(() => readZip(concat(longest, new Uint8Array(1)))).toThrow(/no end/);
});

test("names of several entries, their extra fields and comments follow each other", () => {
  const zip = zipSync({
    "a.bin": [utf8("a"), { extra: { 1: new Uint8Array(5) }, comment: "first" }],
    "b.bin": [utf8("bb"), { extra: { 2: new Uint8Array(7) }, comment: "second" }],
  });
  expect(readZip(zip).map((entry) => [entry.name, entry.read(10)])).toEqual([
    ["a.bin", utf8("a")],
    ["b.bin", utf8("bb")],
  ]);
});

test.each<[string, Uint8Array, number, RegExp]>([
  ["more entries than a package has", changed(ZIP, END + 10, 1025, 2), END + 10, /has 1025 entries/],
  ["the 64-bit form", changed(ZIP, END + 16, 0xffff_ffff, 4), END + 16, /64-bit form/],
  ["a directory that begins elsewhere", changed(ZIP, END + 16, ENTRY + 1, 4), ENTRY + 1, /directory of the zip file is damaged/],
  ["a directory beyond the end", changed(ZIP, END + 16, 0x7fff_ffff, 4), ZIP.length, /directory of the zip file is damaged/],
  ["an entry more than there are", changed(ZIP, END + 10, 2, 2), END, /directory of the zip file is damaged/],
  ["no end", ZIP.subarray(0, -1), ZIP.length - 1, /no end/],
])("refused, with the place: %s", (_, zip, offset, message) => {
  expect(() => readZip(zip)).toThrow(message);
  expect(() => readZip(zip)).toThrow(expect.objectContaining({ code: "ERR_IMAGE_FILE", offset }));
});

test("1024 entries are read", () => {
  const files = Object.fromEntries(Array.from({ length: 1024 }, (_, i) => [`${i}`, new Uint8Array(0)]));
  expect(readZip(zipSync(files, { level: 0 })).length).toBe(1024);
});

test.each<[string, Uint8Array, number | undefined, RegExp]>([
  ["a password", changed(ZIP, ENTRY + 8, 1, 2), undefined, /password/],
  ["an unknown method", changed(ZIP, ENTRY + 10, 9, 2), undefined, /packed by method 9/],
  ["another CRC", changed(ZIP, ENTRY + 16, 0, 4), 37, /its CRC is another/],
  ["a beginning elsewhere", changed(ZIP, ENTRY + 42, 1, 4), 1, /the zip file is damaged/],
  ["a beginning beyond the end", changed(ZIP, ENTRY + 42, 0x7fff_ffff, 4), ZIP.length, /the zip file is damaged/],
  ["more octets than there are", changed(ZIP, ENTRY + 20, ZIP.length, 4), ZIP.length, /is cut/],
  ["fewer packed octets than it has", changed(ZIP, ENTRY + 20, 5, 4), undefined, /cannot be unpacked/],
  ["no packed octets", changed(ZIP, ENTRY + 20, 0, 4), undefined, /cannot be unpacked|does not have/],
  ["a larger size than it has", changed(ZIP, ENTRY + 24, content.length + 1, 4), undefined, /does not have the 181 octets/],
  ["a smaller size than it has", changed(ZIP, ENTRY + 24, content.length - 1, 4), undefined, /does not have the 179 octets/],
  ["another size where it is stored", changed(STORED, STORED.length - 22 - 53 + 24, 5, 4), undefined, /does not have the 5 octets/],
])("refused by its name when it is read: %s", (_, zip, offset, message) => {
  const [entry] = readZip(zip);
  expect(() => entry!.read(1000)).toThrow(message);
  expect(() => entry!.read(1000)).toThrow(expect.objectContaining({ code: "ERR_IMAGE_FILE", file: "app.bin", offset }));
});

test("what cannot be unpacked says why", () => {
  const [entry] = readZip(changed(ZIP, ENTRY + 20, 5, 4));
  const error = ((): unknown => {
    try {
      return entry!.read(1000);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(ImageFileError);
  expect((error as Error).cause).toMatchObject({ message: expect.stringContaining("EOF") as string });
});

test("no more is unpacked than is wanted", () => {
  const [entry] = readZip(ZIP);
  expect(() => entry!.read(content.length - 1)).toThrow(/app.bin: has 180 octets, more than 179/);
  expect(entry!.read(content.length).length).toBe(180);
});

test.each([
  ["504b0304", true],
  ["504b0506", true],
  ["504b0305", false],
  ["504b0504", false],
  ["514b0304", false],
  ["504c0304", false],
  ["504b", false],
])("octets that begin with %s are a zip: %s", (hex, is) => {
  expect(isZip(Uint8Array.from(hex.match(/../g)!, (digits) => Number.parseInt(digits, 16)))).toBe(is);
});
