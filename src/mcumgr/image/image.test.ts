import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../bytes/hex.ts";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import { ImageFileError } from "../protocol/error.ts";
import {
  checkImageDigest,
  compareImageVersions,
  computeImageDigest,
  describeImage,
  formatImageVersion,
  ImageTlvType,
  imageTlvName,
  type McubootImage,
  parseImage,
  parseImageVersion,
  readFirmware,
  verifyImage,
} from "./index.ts";

interface Expected {
  error: boolean;
  header: {
    load_addr: number;
    hdr_size: number;
    protect_tlv_size: number;
    img_size: number;
    flags: number;
    version: { major: number; minor: number; revision: number; build: number };
  };
  version_string: string;
  tlv_total: number;
  protected_tlv_total: number | null;
  protected_tlvs: { type: number; length: number; value_hex: string }[] | null;
  tlvs: { type: number; length: number; value_hex: string }[];
  image_end: number;
  hash: { type: number; value_hex: string; valid: boolean } | null;
}
const vectors: {
  mcuboot_images: { name: string; file_hex: string; expected: Expected }[];
  mcuboot_image_parts: {
    name: string;
    header_hex: string;
    tlv_offset: number;
    tlv_area_hex: string;
    file_size: number;
    expected: Expected;
  }[];
} = JSON.parse(readFileSync(join(import.meta.dirname, "../../../test/vectors/mcumgr.json"), "utf8"));

const ALGORITHMS: Record<number, string> = { 16: "SHA-256", 17: "SHA-384", 18: "SHA-512" };

function expectImage(image: McubootImage, expected: Expected): void {
  const { header } = expected;
  expect(image.header).toEqual({
    loadAddress: header.load_addr,
    headerSize: header.hdr_size,
    protectedTlvSize: header.protect_tlv_size,
    imageSize: header.img_size,
    flags: header.flags,
    version: header.version,
  });
  expect(image.version).toBe(expected.version_string);
  expect(image.end).toBe(expected.image_end);
  const entry = (isProtected: boolean) =>
    image.tlvs
      .filter((tlv) => tlv.isProtected === isProtected)
      .map(({ type, value }) => ({ type, length: value.length, value_hex: toHex(value) }));
  expect(entry(true)).toEqual(expected.protected_tlvs ?? []);
  expect(entry(false)).toEqual(expected.tlvs);
  expect(image.digest && { algorithm: image.digest.algorithm, value: toHex(image.digest.value) }).toEqual(
    expected.hash ? { algorithm: ALGORITHMS[expected.hash.type], value: expected.hash.value_hex } : undefined,
  );
}

/** Parses, or fails as files may fail. Nothing else is allowed. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof ImageFileError)) throw error;
    expect(error.code).toBe("ERR_IMAGE_FILE");
    expect(error.message).not.toBe("");
    return undefined;
  }
}

describe("MCUboot images", () => {
  for (const { name, file_hex, expected } of vectors.mcuboot_images) {
    test(`${expected.error ? "refused" : "parsed"}: ${name}`, () => {
      const octets = fromHex(file_hex);
      if (expected.error) return expect(() => parseImage(octets)).toThrow(ImageFileError);
      const image = parseImage(octets);
      expectImage(image, expected);
      if (expected.hash) {
        // The digest of an encrypted image cannot be checked; this one was computed over what stands in the file.
        expect(toHex(computeImageDigest(image, image.digest!.algorithm)) === expected.hash.value_hex).toBe(expected.hash.valid);
        expect(checkImageDigest(image)).toBe(image.isEncrypted ? "encrypted" : expected.hash.valid ? "valid" : "invalid");
      } else expect(checkImageDigest(image)).toBe("absent");
    });
  }

  for (const { name, header_hex, tlv_offset, tlv_area_hex, file_size, expected } of vectors.mcuboot_image_parts) {
    test(name, () => {
      const octets = new Uint8Array(file_size);
      octets.set(fromHex(header_hex));
      octets.set(fromHex(tlv_area_hex), tlv_offset);
      const image = parseImage(octets);
      expectImage(image, expected);
      expect(checkImageDigest(image)).toBe("invalid"); // the body is not the real one
      expect(() => verifyImage(image)).toThrow(/damaged/);
    });
  }

  test("every vector, cut at every length, is refused or parsed", () => {
    for (const { file_hex, expected } of vectors.mcuboot_images) {
      const octets = fromHex(file_hex);
      for (let length = 0; length < octets.length; length++) {
        const image = attempt(() => parseImage(octets.subarray(0, length)));
        if (image !== undefined) expect(image.end).toBeLessThanOrEqual(length);
        // What an image needs is all of it: only what follows it may be missing.
        if (!expected.error && length < expected.image_end) expect(image).toBeUndefined();
      }
    }
  });

  test("every vector, with each octet changed, is refused or parsed, and a digest notices what it covers", () => {
    for (const { file_hex, expected } of vectors.mcuboot_images) {
      const octets = fromHex(file_hex);
      for (let at = 0; at < octets.length; at++) {
        for (const bits of [0x01, 0x80]) {
          const changed = octets.slice();
          changed[at]! ^= bits;
          const image = attempt(() => parseImage(changed));
          if (image === undefined || expected.error || !expected.hash) continue;
          describeImage(image);
          if (at < expected.header.hdr_size + expected.header.img_size + expected.header.protect_tlv_size)
            expect(["invalid", "encrypted"], `octet ${at}`).toContain(checkImageDigest(image));
        }
      }
    }
  });

  test("octets of any kind behind the magic are refused or parsed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
        const image = attempt(() => parseImage(concat(fromHex("3db8f396"), rest)));
        if (image !== undefined) describeImage(image);
      }),
    );
  });

  test("a header that claims fewer octets than it has is refused", () => {
    const octets = createImage();
    octets[8] = 31;
    expect(() => parseImage(octets)).toThrow(expect.objectContaining({ code: "ERR_IMAGE_FILE", offset: 8 }));
  });

  test("errors say where, and what is there", () => {
    const octets = createImage({ bodySize: 8 });
    const at = (change: (octets: Uint8Array) => Uint8Array, offset: number, message: RegExp) => {
      expect(() => parseImage(change(octets.slice()))).toThrow(expect.objectContaining({ offset }));
      expect(() => parseImage(change(octets.slice()))).toThrow(message);
    };
    const set = (index: number, value: number) => (copy: Uint8Array) => copy.with(index, value);
    at(set(0, 0), 0, /begins with 0x96f3b800/);
    at((copy) => copy.subarray(0, 31), 31, /header of 32 octets/);
    at((copy) => copy.subarray(0, 32), 32, /header and body have 40 octets, the file 32/);
    at((copy) => copy.subarray(0, 42), 42, /ends before its TLV area/);
    at(set(40, 9), 40, /magic 0x6909, expected 0x6907/);
    at(set(42, 3), 42, /length of 3/);
    at(set(42, 41), octets.length, /has 41 octets, 40 are there/);
    at(set(46, 33), 46, /SHA-256 has 33 octets, the TLV area 32/);
    at(set(10, 4), 40, /no protected TLV area/);
    const dependent = createImage({ bodySize: 8, dependencies: [{ image: 1, version: "1.0.0" }] });
    expect(() => parseImage(dependent.with(10, 21))).toThrow(
      expect.objectContaining({ offset: 40, message: expect.stringContaining("has 20 octets, the header says 21") as string }),
    );
  });

  test("an octet that is left over in an area is refused", () => {
    const octets = concat(createImage({ digest: "none" }), new Uint8Array(3));
    octets[octets.length - 5] = 7; // the area's length
    expect(() => parseImage(octets)).toThrow(/3 octets are left over/);
  });

  test("a part of a larger buffer is parsed as a whole file is", () => {
    const octets = createImage({ version: "1.2.3.4" });
    const image = parseImage(concat(new Uint8Array(5), octets).subarray(5));
    expect(image.version).toBe("1.2.3.4");
    expect(checkImageDigest(image)).toBe("valid");
  });

  test("the digest that counts is the protected one, else the last of its type", () => {
    const other = new Uint8Array(32).fill(9);
    const last = parseImage(createImage({ tlvs: [{ type: ImageTlvType.Sha256, value: other }] }));
    expect(last.digest?.value).toEqual(other);
    expect(checkImageDigest(last)).toBe("invalid");
    expect(describeImage(last).warnings).toContainEqual(expect.stringContaining("several digests"));
    expect(parseImage(createImage({ protectedTlvs: [{ type: ImageTlvType.Sha256, value: other }] })).digest?.value).toEqual(other);
  });

  test("a digest of a wrong length is no valid one", () => {
    const image = parseImage(createImage({ digest: "none", tlvs: [{ type: ImageTlvType.Sha256, value: new Uint8Array(31) }] }));
    expect(checkImageDigest(image)).toBe("invalid");
  });

  test("dependencies, signatures and flags are named", () => {
    const image = parseImage(
      createImage({
        flags: 0x8000_0920,
        dependencies: [
          { image: 1, version: "2.3.4" },
          { image: 2, slot: 1, version: "1.0.0.7" },
        ],
        protectedTlvs: [{ type: ImageTlvType.Dependency, value: new Uint8Array(11) }],
        tlvs: [
          { type: ImageTlvType.Ed25519, value: new Uint8Array(64) },
          { type: ImageTlvType.Rsa3072Pss, value: new Uint8Array(384) },
          { type: ImageTlvType.KeyHash, value: new Uint8Array(32) },
        ],
      }),
    );
    expect(image.dependencies).toEqual([
      { image: 1, slot: 0, version: { major: 2, minor: 3, revision: 4, build: 0 } },
      { image: 2, slot: 1, version: { major: 1, minor: 0, revision: 0, build: 7 } },
    ]);
    expect(image.signatures).toEqual(["Ed25519", "RSA-3072 PSS"]);
    expect(image.flagNames).toEqual(["RAM load", "fixed ROM address", "ARM Thumb filter", "0x80000000"]);
    expect(checkImageDigest(image)).toBe("valid");
  });

  test("types are named by all of their 16 bits", () => {
    expect([0x10, 0x24, 0x75, 0x81, 0x01a0, 0x00fe, 0x01ff, 0x0110, 0x99].map(imageTlvName)).toEqual([
      "SHA-256",
      "Ed25519",
      "class UUID",
      "class UUID",
      "vendor 0x01a0",
      "vendor 0x00fe",
      "0x01ff",
      "0x0110",
      "0x0099",
    ]);
  });

  test("a sound image that is signed has nothing against it", () => {
    const tlvs = [
      { type: ImageTlvType.KeyHash, value: new Uint8Array(32) },
      { type: ImageTlvType.Ed25519, value: new Uint8Array(64) },
    ];
    expect(describeImage(parseImage(createImage({ tlvs })))).toMatchObject({ signatures: ["Ed25519"], warnings: [] });
    expect(describeImage(parseImage(concat(createImage(), new Uint8Array(1)))).warnings).toEqual(["1 octet follows the image."]);
  });

  test("a padded image is told from one with something behind it", () => {
    const padded = parseImage(createImage({ slotSize: 8192, confirmed: true }));
    expect(padded.trailer).toEqual({ isConfirmed: true });
    expect(padded.octets.length).toBe(8192);
    expect(checkImageDigest(padded)).toBe("valid");
    expect(describeImage(padded).warnings).toEqual([expect.stringMatching(/padded to its slot.*confirmed without being asked/)]);
    expect(parseImage(createImage({ slotSize: 8192 })).trailer).toEqual({ isConfirmed: false });
    const trailed = parseImage(concat(createImage(), new Uint8Array(3)));
    expect(trailed.trailer).toBeUndefined();
    expect(describeImage(trailed).warnings).toEqual(["3 octets follow the image."]);
  });

  test("a trailer of wide writes is known too", () => {
    const slot = concat(createImage(), new Uint8Array(256).fill(0xff));
    slot.set(fromHex("20002de15d29410b8d77679c110f1f8a"), slot.length - 16);
    expect(parseImage(slot).trailer).toEqual({ isConfirmed: false });
    slot[slot.length - 64] = 1;
    expect(parseImage(slot).trailer).toEqual({ isConfirmed: true });
  });

  test("an encrypted image is not refused for a digest that only the device can check", () => {
    const octets = createImage({ flags: 0x04 });
    octets[40]! ^= 1;
    const image = parseImage(octets);
    expect(image.isEncrypted).toBe(true);
    expect(() => verifyImage(image)).not.toThrow();
    expect(describeImage(image)).toMatchObject({ isEncrypted: true, digest: { check: "encrypted" }, warnings: [] });
  });

  test("an image without a digest cannot be named", () => {
    const image = parseImage(createImage({ digest: "none" }));
    expect(() => verifyImage(image)).toThrow(/no digest/);
    expect(describeImage(image)).toMatchObject({ digest: null, warnings: [expect.stringContaining("no digest")] });
  });

  test("a description is JSON as it stands", () => {
    const description = describeImage(
      parseImage(createImage({ version: "3.1.4.15", headerSize: 512, dependencies: [{ image: 1, version: "1.0.0" }], flags: 0x10 })),
    );
    expect(JSON.parse(JSON.stringify(description))).toEqual(description);
    expect(description).toMatchObject({
      version: "3.1.4.15",
      headerSize: 512,
      imageSize: 1024,
      flags: ["not bootable"],
      dependencies: [{ image: 1, slot: 0, version: "1.0.0" }],
      tlvs: [
        { type: 0x40, name: "dependency", protected: true, length: 12 },
        { type: 0x10, name: "SHA-256", protected: false },
      ],
      warnings: ["The image is marked as not bootable."],
    });
  });

  test("something else than octets is the caller's fault", () => {
    expect(() => parseImage("image" as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    expect(() => readFirmware([1] as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    expect(() => createImage({ verion: "1" } as never)).toThrow(/did you mean "version"/);
    expect(() => createImage({ version: "1.2.3.4.5" })).toThrow(/expected "1.2.3"/);
    expect(() => createImage({ version: { major: 256, minor: 0, revision: 0, build: 0 } })).toThrow(/version.major/);
    expect(() => createImage({ confirmed: true })).toThrow(/slotSize/);
  });
});

describe("versions", () => {
  test.each([
    ["1.2.3", "1.2.3"],
    ["1.2.3.4", "1.2.3.4"],
    ["v1.2.3+4", "1.2.3.4"],
    ["1.2.3-build4", "1.2.3.4"],
    ["1.2.3.0", "1.2.3"],
    ["1", "1.0.0"],
    ["1.2", "1.2.0"],
    ["255.255.65535.4294967295", "255.255.65535.4294967295"],
    [" 0.0.0 ", "0.0.0"],
  ])("%s is %s", (text, expected) => expect(formatImageVersion(parseImageVersion(text)!)).toBe(expected));

  test.each(["<???>", "", "256.0.0", "1.2.65536", "1.2.3.4294967296", "1.2.3.", "1..3", "1.2+4", "1.2.3.4.5", "-1.0.0", "1.2.3-rc1"])(
    "%s is none",
    (text) => expect(parseImageVersion(text)).toBeUndefined(),
  );

  test("they are compared as numbers", () => {
    const ordered = ["0.0.1", "0.9.0", "0.10.0", "1.0.0", "1.0.0.1", "1.0.0.4294967295", "1.0.1", "10.0.0"].map(
      (text) => parseImageVersion(text)!,
    );
    for (const [i, a] of ordered.entries())
      for (const [j, b] of ordered.entries()) expect(Math.sign(compareImageVersions(a, b))).toBe(Math.sign(i - j));
  });
});
