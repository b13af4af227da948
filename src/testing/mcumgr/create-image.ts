import { concat } from "../../bytes/hex.ts";
import { Writer } from "../../bytes/writer.ts";
import { checkBoolean, checkChoice, checkInteger, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { SeededRandom } from "../../core/random.ts";
import { type DigestAlgorithm, IMAGE_HEADER_LENGTH, IMAGE_MAGIC, parseImage } from "../../mcumgr/image/mcuboot.ts";
import { AREA_MAGIC, ImageTlvType, PROTECTED_AREA_MAGIC, TLV_HEADER_LENGTH } from "../../mcumgr/image/tlvs.ts";
import { TRAILER_MAGIC } from "../../mcumgr/image/trailer.ts";
import { computeImageDigest } from "../../mcumgr/image/verify.ts";
import { type ImageVersion, parseImageVersion } from "../../mcumgr/image/version.ts";

/** An entry behind the body: its type and its octets. */
export interface CreateImageTlv {
  type: number;
  value: Uint8Array;
}

export interface CreateImageOptions {
  /** "1.2.3" or "1.2.3.4", by default "1.0.0". */
  version?: string | ImageVersion;
  /** What the image holds; else `bodySize` octets (1024) that depend on `seed` and the version, so that two versions are two images. */
  body?: Uint8Array;
  bodySize?: number;
  seed?: number;
  /** Where the body begins, 32 by default; real images often have 512. */
  headerSize?: number;
  loadAddress?: number;
  /** `ImageFlag` names the bits. */
  flags?: number;
  /** By default SHA-256. */
  digest?: DigestAlgorithm | "none";
  dependencies?: readonly { image: number; slot?: number; version: string | ImageVersion }[];
  /** Further entries that the digest covers. */
  protectedTlvs?: readonly CreateImageTlv[];
  /** Further entries behind the digest: signatures, key hashes. */
  tlvs?: readonly CreateImageTlv[];
  /** Fills the file up to this many octets with 0xFF and a trailer, as tools do for programming a slot directly. */
  slotSize?: number;
  /** With `slotSize`: the trailer says that the image is confirmed. */
  confirmed?: boolean;
}
const OPTIONS = optionNames<CreateImageOptions>({
  version: true,
  body: true,
  bodySize: true,
  seed: true,
  headerSize: true,
  loadAddress: true,
  flags: true,
  digest: true,
  dependencies: true,
  protectedTlvs: true,
  tlvs: true,
  slotSize: true,
  confirmed: true,
});

const DIGEST_TYPES: Readonly<Record<DigestAlgorithm, number>> = {
  "SHA-256": ImageTlvType.Sha256,
  "SHA-384": ImageTlvType.Sha384,
  "SHA-512": ImageTlvType.Sha512,
};

/**
 * Builds an MCUboot image, as imgtool does: header, body, protected and other entries, digest. What it holds is no program; everything that
 * looks at images takes it for one.
 *
 * @throws {ArgumentError}
 */
export function createImage(options: CreateImageOptions = {}): Uint8Array {
  checkOptions("createImage", options, OPTIONS);
  const version = versionOf(options.version ?? "1.0.0");
  const headerSize = checkInteger("createImage: headerSize", options.headerSize ?? IMAGE_HEADER_LENGTH, IMAGE_HEADER_LENGTH, 0xffff);
  const body = options.body === undefined ? inventBody(options, version) : checkOctets("createImage: body", options.body);
  const protectedTlvs = [...(options.dependencies ?? []).map(dependencyTlv), ...(options.protectedTlvs ?? [])];
  const protectedArea = protectedTlvs.length === 0 ? new Uint8Array() : tlvArea(PROTECTED_AREA_MAGIC, protectedTlvs);
  const header = new Writer();
  header.u32(IMAGE_MAGIC);
  header.u32(checkInteger("createImage: loadAddress", options.loadAddress ?? 0, 0, 0xffff_ffff));
  header.u16(headerSize);
  header.u16(protectedArea.length);
  header.u32(body.length);
  header.u32(checkInteger("createImage: flags", options.flags ?? 0, 0, 0xffff_ffff));
  writeVersion(header, version);
  header.u32(0);
  const covered = concat(header.finish(), new Uint8Array(headerSize - IMAGE_HEADER_LENGTH), body, protectedArea);
  return pad(concat(covered, tlvArea(AREA_MAGIC, [...digestTlv(covered, options), ...(options.tlvs ?? [])])), options);
}

function digestTlv(covered: Uint8Array, { digest = "SHA-256" }: CreateImageOptions): CreateImageTlv[] {
  checkChoice("createImage: digest", digest, ["SHA-256", "SHA-384", "SHA-512", "none"]);
  if (digest === "none") return [];
  const image = parseImage(concat(covered, tlvArea(AREA_MAGIC, [])));
  return [{ type: DIGEST_TYPES[digest], value: computeImageDigest(image, digest) }];
}

function inventBody({ bodySize = 1024, seed = 1 }: CreateImageOptions, version: ImageVersion): Uint8Array {
  checkInteger("createImage: bodySize", bodySize, 0, 2 ** 31);
  checkInteger("createImage: seed", seed, 0, 0xffff_ffff);
  const { major, minor, revision, build } = version;
  const body = new Uint8Array(bodySize);
  new SeededRandom(seed, `image ${major}.${minor}.${revision}.${build}`).fill(body);
  return body;
}

function dependencyTlv({ image, slot = 0, version }: { image: number; slot?: number; version: string | ImageVersion }): CreateImageTlv {
  const value = new Writer();
  value.u8(checkInteger("createImage: dependency.image", image, 0, 255));
  value.u8(checkInteger("createImage: dependency.slot", slot, 0, 255));
  value.u16(0);
  writeVersion(value, versionOf(version));
  return { type: ImageTlvType.Dependency, value: value.finish() };
}

function tlvArea(magic: number, tlvs: readonly CreateImageTlv[]): Uint8Array {
  const area = new Writer();
  area.u16(magic);
  area.u16(
    checkInteger(
      "createImage: octets of an area",
      tlvs.reduce((sum, { value }) => sum + TLV_HEADER_LENGTH + value.length, TLV_HEADER_LENGTH),
      0,
      0xffff,
    ),
  );
  for (const { type, value } of tlvs) {
    area.u16(checkInteger("createImage: type of an entry", type, 0, 0xffff));
    area.u16(checkOctets("createImage: value of an entry", value).length);
    area.bytes(value);
  }
  return area.finish();
}

function versionOf(version: string | ImageVersion): ImageVersion {
  if (typeof version === "string") {
    const parsed = parseImageVersion(version);
    if (parsed === undefined) throw new ArgumentError(`createImage: version "${version}": expected "1.2.3" or "1.2.3.4"`);
    return parsed;
  }
  return {
    major: checkInteger("createImage: version.major", version.major, 0, 0xff),
    minor: checkInteger("createImage: version.minor", version.minor, 0, 0xff),
    revision: checkInteger("createImage: version.revision", version.revision, 0, 0xffff),
    build: checkInteger("createImage: version.build", version.build, 0, 0xffff_ffff),
  };
}

function writeVersion(writer: Writer, { major, minor, revision, build }: ImageVersion): void {
  writer.u8(major);
  writer.u8(minor);
  writer.u16(revision);
  writer.u32(build);
}

function pad(image: Uint8Array, { slotSize, confirmed = false }: CreateImageOptions): Uint8Array {
  checkBoolean("createImage: confirmed", confirmed);
  if (slotSize === undefined) {
    if (confirmed) throw new ArgumentError("createImage: confirmed: expected with slotSize, since it is written at the end of the slot");
    return image;
  }
  checkInteger("createImage: slotSize", slotSize, image.length + TRAILER_MAGIC.length + 8, 2 ** 31);
  const padded = new Uint8Array(slotSize).fill(0xff);
  padded.set(image);
  padded.set(TRAILER_MAGIC, slotSize - TRAILER_MAGIC.length);
  if (confirmed) padded[slotSize - TRAILER_MAGIC.length - 8] = 1;
  return padded;
}
