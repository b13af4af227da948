import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync, type Zippable, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../bytes/crc32.ts";
import { concat, equalBytes, fromHex, toHex } from "../../bytes/hex.ts";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import { ImageFileError } from "../protocol/error.ts";
import { isIntelHex, parseIntelHex, readFirmware } from "./index.ts";
import { parseManifest } from "./manifest.ts";

const vectors: { intel_hex: { name: string; hex_text: string; start_address: number; image_hex: string; version_string: string }[] } =
  JSON.parse(readFileSync(join(import.meta.dirname, "../../../test/vectors/mcumgr.json"), "utf8"));

const utf8 = (text: string) => new TextEncoder().encode(text);

function record(type: number, address: number, data: Uint8Array = new Uint8Array()): string {
  const octets = concat(Uint8Array.of(data.length, address >> 8, address & 0xff, type), data);
  const sum = octets.reduce((sum, octet) => sum + octet, 0);
  return `:${toHex(concat(octets, Uint8Array.of(-sum & 0xff))).toUpperCase()}\n`;
}
const END = record(1, 0);

function hexOf(octets: Uint8Array, start: number): string {
  let text = "";
  let base = -1;
  for (let at = 0; at < octets.length; at += 16) {
    const address = start + at;
    if (address >>> 16 !== base) {
      base = address >>> 16;
      text += record(4, 0, Uint8Array.of(base >> 8, base & 0xff));
    }
    text += record(0, address & 0xffff, octets.subarray(at, at + 16));
  }
  return text + END;
}

/** Reads, or fails as files may fail. */
function isRead(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (!(error instanceof ImageFileError)) throw error;
    return false;
  }
}

describe("Intel HEX", () => {
  for (const { name, hex_text, start_address, image_hex, version_string } of vectors.intel_hex) {
    test(name, () => {
      const { startAddress, octets } = parseIntelHex(utf8(hex_text));
      expect(startAddress).toBe(start_address);
      expect(toHex(octets)).toBe(image_hex);
      const firmware = readFirmware(utf8(hex_text));
      expect(firmware).toMatchObject({ kind: "intel-hex", startAddress: start_address });
      expect(firmware.images.map(({ image, imageIndex }) => [image.version, imageIndex])).toEqual([[version_string, 0]]);
    });

    test(`${name}: cut anywhere it is refused, for nobody could tell that something is missing`, () => {
      const text = utf8(hex_text.trimEnd());
      for (let length = 0; length < text.length; length++) expect(isRead(() => parseIntelHex(text.subarray(0, length)))).toBe(false);
    });

    test(`${name}: with any character changed it is refused, or means the same`, () => {
      const text = utf8(hex_text);
      for (let at = 0; at < text.length; at++) {
        for (const character of [0x00, 0x0a, 0x3a, 0x46, text[at]! ^ 1]) {
          const changed = text.slice();
          changed[at] = character;
          if (isRead(() => parseIntelHex(changed))) expect(toHex(parseIntelHex(changed).octets)).toBe(image_hex);
        }
      }
    });
  }

  test("small letters, carriage returns, blank lines and a byte order mark change nothing", () => {
    const octets = createImage();
    const text = hexOf(octets, 0xfff8).toLowerCase().replaceAll("\n", "\r\n\r\n");
    const marked = concat(fromHex("efbbbf"), utf8(`${text} \t`));
    expect(isIntelHex(marked)).toBe(true);
    expect(parseIntelHex(marked)).toEqual({ startAddress: 0xfff8, octets });
  });

  test("records in any order are put in theirs, gaps are filled with 0xFF", () => {
    const text = record(0, 0x20, Uint8Array.of(3)) + record(0, 0x10, Uint8Array.of(1, 2)) + record(5, 0, new Uint8Array(4)) + END;
    expect(parseIntelHex(utf8(text))).toEqual({
      startAddress: 0x10,
      octets: concat(Uint8Array.of(1, 2), new Uint8Array(14).fill(0xff), Uint8Array.of(3)),
    });
  });

  test("addresses go round within a segment, and on where they are linear", () => {
    const wrapping = record(2, 0, fromHex("1000")) + record(0, 0xffff, Uint8Array.of(1, 2)) + END;
    const segment = parseIntelHex(utf8(wrapping));
    expect([segment.startAddress, segment.octets[0], segment.octets[0xffff], segment.octets.length]).toEqual([0x1_0000, 2, 1, 0x1_0000]);
    const going = record(4, 0, fromHex("0001")) + record(0, 0xffff, Uint8Array.of(1, 2)) + END;
    expect(parseIntelHex(utf8(going))).toEqual({ startAddress: 0x1_ffff, octets: Uint8Array.of(1, 2) });
  });

  test.each([
    ["a wrong checksum", ":0100000001FF\n", /checksum/],
    ["two octets at one address", record(0, 0, Uint8Array.of(1, 2)) + record(0, 1, Uint8Array.of(2)) + END, /two octets at 0x1/],
    ["no octets", END, /no octets/],
    ["no last record", record(0, 0, Uint8Array.of(1)), /before its last record/],
    ["something behind it", record(0, 0, Uint8Array.of(1)) + END + record(0, 1, Uint8Array.of(1)), /follows the last record/],
    ["an unknown record", record(6, 0) + END, /type 6/],
    ["an address of three octets", record(4, 0, new Uint8Array(3)) + END, /has 2 octets, not 3/],
    ["a record longer than it says", `${record(0, 0, Uint8Array.of(1)).trimEnd()}00\n${END}`, /longer than it says/],
    ["text", ":hello\n", /hexadecimal/],
    ["a line that is none", `${record(0, 0, Uint8Array.of(1))}junk`, /colon/],
    ["an end of the address space", record(4, 0, fromHex("ffff")) + record(0, 0xffff, new Uint8Array(2)) + END, /address space/],
    ["a span of gigabytes", record(0, 0, Uint8Array.of(1)) + record(4, 0, fromHex("f000")) + record(0, 0, Uint8Array.of(1)) + END, /spans/],
  ])("refused: %s", (_, text, message) => {
    expect(() => parseIntelHex(utf8(text))).toThrow(message);
    expect(() => parseIntelHex(utf8(text))).toThrow(ImageFileError);
  });

  test("errors say where, and the last record needs no end of line", () => {
    const one = record(0, 0, Uint8Array.of(1));
    const at = (text: string, offset: number) => expect(() => parseIntelHex(utf8(text))).toThrow(expect.objectContaining({ offset }));
    at(`${one}:0100000001FF\n${END}`, one.length); // a checksum
    at(`${one}:02000004${"00".repeat(2)}`, one.length + 13); // cut before its checksum
    at(`${one}${record(4, 0, new Uint8Array(3))}${END}`, one.length + 1); // a length
    at(`${one}${record(9, 0)}${END}`, one.length + 7); // a type
    expect(parseIntelHex(utf8(one + END.trimEnd())).octets).toEqual(Uint8Array.of(1));
  });

  test("a file that begins with a bootloader is not taken for an image", () => {
    expect(() => readFirmware(utf8(hexOf(concat(new Uint8Array(64), createImage()), 0)))).toThrow(/does not begin with an MCUboot image/);
  });

  test("the permitted span is the caller's choice", () => {
    const text = utf8(hexOf(createImage(), 0));
    expect(() => parseIntelHex(text, { maxOctets: 100 })).toThrow(ImageFileError);
    expect(() => parseIntelHex(text, { maxOctets: 0 })).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});

const application = createImage({ version: "2.0.0" });
const network = createImage({ version: "1.5.0", seed: 2 });

function packageOf(manifest: unknown, files: Zippable = { "app.bin": application, "net.bin": network }): Uint8Array {
  return zipSync({ "manifest.json": utf8(typeof manifest === "string" ? manifest : JSON.stringify(manifest)), ...files });
}
const MANIFEST = {
  "format-version": 1,
  time: 1700000000,
  name: "thing",
  files: [
    { file: "app.bin", size: application.length, type: "application", image_index: "0", version_MCUBOOT: "2.0.0+0", board: "thing" },
    { file: "net.bin", size: network.length, image_index: 1, slot: "0" },
  ],
};

describe("packages", () => {
  test("several images with their numbers, whether they are numbers or text", () => {
    const firmware = readFirmware(packageOf(MANIFEST));
    expect(firmware.kind).toBe("package");
    expect(firmware.images.map(({ file, imageIndex, slot, image }) => ({ file, imageIndex, slot, version: image.version }))).toEqual([
      { file: "app.bin", imageIndex: 0, slot: undefined, version: "2.0.0" },
      { file: "net.bin", imageIndex: 1, slot: 0, version: "1.5.0" },
    ]);
    expect(firmware.images[0]!.octets).toEqual(application);
    expect(firmware.manifest).toMatchObject({ formatVersion: 1, name: "thing", files: [{ type: "application", version: "2.0.0+0" }, {}] });
    expect(firmware.manifest!.files[0]!.more.board).toBe("thing");
  });

  test("stored files, HEX files and folders are read too", () => {
    const text = utf8(hexOf(application, 0x1_0000));
    const zip = zipSync({
      "manifest.json": [utf8('{"files":[{"file":"a/app.hex"}]}'), { level: 0 }],
      a: { "app.hex": [text, { level: 0 }] },
    });
    expect(readFirmware(zip).images.map(({ file, octets }) => [file, octets])).toEqual([["a/app.hex", application]]);
  });

  test("two images for two slots of one are a choice, two for the same a contradiction", () => {
    const files = [
      { file: "app.bin", slot: 0 },
      { file: "net.bin", slot: 1 },
    ];
    expect(readFirmware(packageOf({ files })).images.map(({ slot }) => slot)).toEqual([0, 1]);
    expect(() => readFirmware(packageOf({ files: files.map(({ file }) => ({ file })) }))).toThrow(/two files for image 0/);
  });

  test.each([
    ["no JSON", "{", /manifest.json: is no JSON/],
    ["a list", [], /expected an object/],
    ["null", "null", /expected an object/],
    ["no files", {}, /list `files`/],
    ["an empty list", { files: [] }, /lists 0 files/],
    ["a file without a name", { files: [{ image_index: 0 }] }, /files\[0\]\.file/],
    ["a file that is text", { files: ["app.bin"] }, /files\[0\]: expected an object/],
    ["a name that is none", { files: [{ file: 5 }] }, /files\[0\]\.file: expected a name/],
    ["no name", { files: [{ file: "" }] }, /files\[0\]\.file: expected a name/],
    ["a size that is too large", { files: [{ file: "app.bin", size: 2 ** 32 }] }, /size: expected a whole number from 0 to 4294967295/],
    ["a slot that is too large", { files: [{ file: "app.bin", slot: 256 }] }, /slot: expected a whole number from 0 to 255/],
    ["a file that is a number", { files: [7] }, /files\[0\]: expected an object/],
    ["a file that is not there", { files: [{ file: "other.bin" }] }, /other.bin: .*lacks it/],
    ["an image number that is none", { files: [{ file: "app.bin", image_index: "first" }] }, /image_index: expected a whole number/],
    ["an image number that is too large", { files: [{ file: "app.bin", image_index: 256 }] }, /image_index/],
    ["another size", { files: [{ file: "app.bin", size: 5 }] }, /app.bin: has \d+ octets, manifest.json says 5/],
    ["a file that is the manifest", { files: [{ file: "manifest.json" }] }, /manifest.json: no MCUboot image/],
  ])("refused: %s", (_, manifest, message) => {
    expect(() => readFirmware(packageOf(manifest))).toThrow(message);
    expect(() => readFirmware(packageOf(manifest))).toThrow(ImageFileError);
  });

  test("what is said in another form than expected is not said", () => {
    const files = [{ file: "app.bin", type: 5, version: 1, version_MCUBOOT: null, size: "4294967295" }];
    const manifest = parseManifest(utf8(JSON.stringify({ name: 5, "format-version": "one", files })));
    expect(manifest).toMatchObject({ name: undefined, formatVersion: undefined });
    expect(manifest.files[0]).toMatchObject({ type: undefined, version: undefined, size: 2 ** 32 - 1, slot: undefined, imageIndex: 0 });
    const { files: named } = parseManifest(utf8('{"files":[{"file":"a","version":"1.0.0"}]}'));
    expect(named[0]!.version).toBe("1.0.0");
  });

  test("a manifest that cannot be read says why", () => {
    expect(() => parseManifest(utf8("{"))).toThrow(
      expect.objectContaining({ file: "manifest.json", cause: expect.any(SyntaxError) as SyntaxError }),
    );
    expect(() => parseManifest(fromHex("7b22ff227d"))).toThrow(/is no JSON/); // no UTF-8
  });

  test("numbers may be text, also hexadecimal; negative ones and others are none", () => {
    const read = (index: unknown) => readFirmware(packageOf({ files: [{ file: "app.bin", image_index: index }] })).images[0]!.imageIndex;
    expect([read("3"), read("0x10"), read(7), read(null), read(undefined)]).toEqual([3, 16, 7, 0, 0]);
    for (const wrong of [-1, 1.5, "", " 1", "0xfg", "1 2", true, {}])
      expect(() => read(wrong), JSON.stringify(wrong)).toThrow(/image_index/);
  });

  test("a manifest of more files than any device has images is refused", () => {
    const files = Array.from({ length: 65 }, (_, i) => ({ file: "app.bin", image_index: i }));
    expect(() => readFirmware(packageOf({ files }))).toThrow(/lists 65 files/);
    expect(readFirmware(packageOf({ files: files.slice(1) })).images).toHaveLength(64);
  });

  test("a file with a password, and one packed in another way, are named", () => {
    const change = (at: number, value: number) => {
      const zip = packageOf({ files: [{ file: "app.bin" }] });
      // The second entry of the directory, which begins where the name stands for the second time.
      const name = [...utf8("app.bin")];
      const places = [...zip.keys()].filter((i) => name.every((octet, k) => zip[i + k] === octet));
      zip[places.at(-1)! - 46 + at] = value;
      return () => readFirmware(zip);
    };
    expect(change(8, 1)).toThrow(/app.bin: is protected by a password/);
    expect(change(10, 12)).toThrow(/app.bin: is packed by method 12/);
  });

  test("an image of a package does not change with the file it came from", () => {
    const zip = packageOf({ files: [{ file: "app.bin" }] }, { "app.bin": [application, { level: 0 }] });
    const { octets } = readFirmware(zip).images[0]!;
    zip.fill(0);
    expect(octets).toEqual(application);
  });

  test("a zip without a manifest says so", () => {
    expect(() => readFirmware(zipSync({ "app.bin": application }))).toThrow(/no manifest.json/);
    expect(() => readFirmware(zipSync({}))).toThrow(/no manifest.json/);
  });

  test("cut at any length it is refused", () => {
    const zip = packageOf(MANIFEST);
    for (let length = 0; length < zip.length; length++) expect(isRead(() => readFirmware(zip.subarray(0, length)))).toBe(false);
  });

  test("with any octet changed it is refused, or holds the same images", () => {
    const image = createImage({ bodySize: 40 });
    const zip = packageOf({ files: [{ file: "app.bin" }] }, { "app.bin": image });
    for (let at = 0; at < zip.length; at++) {
      for (const bits of [0x01, 0xff]) {
        const changed = zip.slice();
        changed[at]! ^= bits;
        if (isRead(() => readFirmware(changed))) expect(readFirmware(changed).images[0]!.octets).toEqual(image);
      }
    }
  });

  test("a zip bomb is refused by the size it claims, and by the one it has where it lies", () => {
    const bomb = packageOf({ files: [{ file: "app.bin" }] }, { "app.bin": new Uint8Array(2 << 20) });
    expect(() => readFirmware(bomb, { maxOctets: 1 << 20 })).toThrow(/app.bin: has 2097152 octets, more than 1048576/);
    const size = new DataView(new ArrayBuffer(4));
    size.setUint32(0, 2 << 20, true);
    let replaced = 0;
    for (let at = 0; at + 4 <= bomb.length; at++) {
      if (!new Uint8Array(size.buffer).every((octet, i) => bomb[at + i] === octet)) continue;
      bomb.set([0, 1, 0, 0], at);
      replaced++;
    }
    expect(replaced).toBe(2);
    expect(() => readFirmware(bomb, { maxOctets: 1 << 20 })).toThrow(/does not have the 256 octets that the zip file claims/);
  });

  test("images of a package count together", () => {
    expect(() => readFirmware(packageOf(MANIFEST), { maxOctets: application.length + network.length - 1 })).toThrow(/net.bin: has/);
    expect(readFirmware(packageOf(MANIFEST), { maxOctets: application.length + network.length }).images).toHaveLength(2);
  });

  test("a damaged image is named by its file", () => {
    expect(() => readFirmware(packageOf({ files: [{ file: "app.bin" }] }, { "app.bin": application.subarray(0, 100) }))).toThrow(
      expect.objectContaining({ file: "app.bin", offset: 100 }),
    );
  });

  test("a deflated file is read however its parts fall", () => {
    const large = createImage({ bodySize: 100_000 });
    expect(deflateSync(large).length).toBeGreaterThan(64 << 10); // several pushes
    const { octets } = readFirmware(packageOf({ files: [{ file: "app.bin" }] }, { "app.bin": large })).images[0]!;
    expect(equalBytes(octets, large)).toBe(true);
  });
});

describe("files of other kinds", () => {
  test.each([
    ["nothing", new Uint8Array()],
    ["text", utf8("hello, this is a text and no firmware at all")],
    ["an ELF file", concat(fromHex("7f454c46"), new Uint8Array(100))],
  ])("refused: %s", (_, octets) => expect(() => readFirmware(octets)).toThrow(ImageFileError));
});

test("CRC-32 of zlib", () => {
  expect(crc32(utf8("123456789"))).toBe(0xcbf4_3926);
  expect(crc32(utf8("6789"), crc32(utf8("12345")))).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array())).toBe(0);
});
