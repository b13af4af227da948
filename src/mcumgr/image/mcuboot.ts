import { checkOctets } from "../../core/arguments.ts";
import { ImageFileError } from "../protocol/error.ts";
import { decodeTlvArea, type ImageTlv, ImageTlvType } from "./tlvs.ts";
import { findTrailer, type ImageTrailer } from "./trailer.ts";
import { formatImageVersion, type ImageVersion } from "./version.ts";

export const IMAGE_MAGIC = 0x96f3b83d;
/** Octets that the fields of the header take; `headerSize` is where the body begins. */
export const IMAGE_HEADER_LENGTH = 32;

/** Bits of `flags` in the header. */
export const ImageFlag = Object.freeze({
  PositionIndependent: 0x01,
  EncryptedAes128: 0x04,
  EncryptedAes256: 0x08,
  NonBootable: 0x10,
  RamLoad: 0x20,
  FixedRomAddress: 0x100,
  CompressedLzma1: 0x200,
  CompressedLzma2: 0x400,
  ArmThumbFilter: 0x800,
});

const FLAG_NAMES: readonly (readonly [flag: number, name: string])[] = [
  [ImageFlag.PositionIndependent, "position independent"],
  [ImageFlag.EncryptedAes128, "encrypted AES-128"],
  [ImageFlag.EncryptedAes256, "encrypted AES-256"],
  [ImageFlag.NonBootable, "not bootable"],
  [ImageFlag.RamLoad, "RAM load"],
  [ImageFlag.FixedRomAddress, "fixed ROM address"],
  [ImageFlag.CompressedLzma1, "LZMA1"],
  [ImageFlag.CompressedLzma2, "LZMA2"],
  [ImageFlag.ArmThumbFilter, "ARM Thumb filter"],
];

/** The header of 32 octets. */
export interface ImageHeader {
  readonly loadAddress: number;
  /** Where the body begins, in octets. */
  readonly headerSize: number;
  /** Octets of the protected TLV area, 0 for none. */
  readonly protectedTlvSize: number;
  /** Octets of the body. */
  readonly imageSize: number;
  /** @see ImageFlag */
  readonly flags: number;
  readonly version: ImageVersion;
}

export type DigestAlgorithm = "SHA-256" | "SHA-384" | "SHA-512";

/** The digest that an image carries; by its value servers name the image. */
export interface ImageDigest {
  readonly algorithm: DigestAlgorithm;
  readonly value: Uint8Array;
}

/** Another image that must have at least this version. */
export interface ImageDependency {
  readonly image: number;
  /** 0 also where an older tool left it out. */
  readonly slot: number;
  readonly version: ImageVersion;
}

/** An MCUboot image, decoded. It stands on the octets it was decoded from. */
export interface McubootImage {
  readonly header: ImageHeader;
  /** "1.2.3.4", as servers write it. */
  readonly version: string;
  /** Names of the header's flags; those without one as "0x1000". */
  readonly flagNames: readonly string[];
  /** Protected entries first, each area in its own order. */
  readonly tlvs: readonly ImageTlv[];
  /** Undefined where the image carries none: no server can name it then. */
  readonly digest: ImageDigest | undefined;
  /** Names of the signatures' types; empty for an unsigned image. */
  readonly signatures: readonly string[];
  readonly dependencies: readonly ImageDependency[];
  /** The body is encrypted; the digest is over what it is when decrypted. */
  readonly isEncrypted: boolean;
  /** Where the last TLV area ends. What follows is padding. */
  readonly end: number;
  /** The file is as long as its slot and ends with what the bootloader looks for there. */
  readonly trailer: ImageTrailer | undefined;
  readonly octets: Uint8Array;
}

/**
 * Decodes an MCUboot image. Its digest is not computed: see `checkImageDigest`.
 *
 * @throws {ImageFileError} no such image, or a damaged one
 */
export function parseImage(octets: Uint8Array): McubootImage {
  checkOctets("parseImage: octets", octets);
  const header = decodeHeader(octets);
  const bodyEnd = header.headerSize + header.imageSize;
  if (bodyEnd > octets.length)
    throw new ImageFileError(`header and body have ${bodyEnd} octets, the file ${octets.length}`, { offset: octets.length });
  const tlvs: ImageTlv[] = [];
  let end = bodyEnd;
  if (header.protectedTlvSize !== 0) {
    const area = decodeTlvArea(octets, end, true);
    if (area.length !== header.protectedTlvSize)
      throw new ImageFileError(`the protected TLV area has ${area.length} octets, the header says ${header.protectedTlvSize}`, {
        offset: end,
      });
    tlvs.push(...area.tlvs);
    end += area.length;
  }
  const area = decodeTlvArea(octets, end, false);
  tlvs.push(...area.tlvs);
  end += area.length;
  return {
    header,
    version: formatImageVersion(header.version),
    flagNames: imageFlagNames(header.flags),
    tlvs,
    digest: digestOf(tlvs),
    signatures: tlvs.filter(({ type }) => isSignature(type)).map(({ name }) => name),
    dependencies: tlvs.flatMap(({ type, value }) => (type === ImageTlvType.Dependency ? decodeDependency(value) : [])),
    isEncrypted: (header.flags & (ImageFlag.EncryptedAes128 | ImageFlag.EncryptedAes256)) !== 0,
    end,
    trailer: findTrailer(octets, end),
    octets,
  };
}

/** Whether the octets begin as an MCUboot image does; nothing else is looked at. */
export function isImage(octets: Uint8Array): boolean {
  return octets.length >= 4 && new DataView(octets.buffer, octets.byteOffset, 4).getUint32(0, true) === IMAGE_MAGIC;
}

/** Decodes the header alone, as a server does with the first chunk. @throws {ImageFileError} */
export function decodeHeader(octets: Uint8Array): ImageHeader {
  if (octets.length < IMAGE_HEADER_LENGTH)
    throw new ImageFileError(`an image begins with a header of ${IMAGE_HEADER_LENGTH} octets`, { offset: octets.length });
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const magic = view.getUint32(0, true);
  if (magic !== IMAGE_MAGIC)
    throw new ImageFileError(
      `no MCUboot image: it begins with 0x${magic.toString(16).padStart(8, "0")}, not 0x${IMAGE_MAGIC.toString(16)}`,
      {
        offset: 0,
      },
    );
  const headerSize = view.getUint16(8, true);
  if (headerSize < IMAGE_HEADER_LENGTH)
    throw new ImageFileError(`the header claims ${headerSize} octets, it has at least ${IMAGE_HEADER_LENGTH}`, { offset: 8 });
  return {
    loadAddress: view.getUint32(4, true),
    headerSize,
    protectedTlvSize: view.getUint16(10, true),
    imageSize: view.getUint32(12, true),
    flags: view.getUint32(16, true),
    version: decodeVersion(view, 20),
  };
}

function decodeVersion(view: DataView, at: number): ImageVersion {
  return {
    major: view.getUint8(at),
    minor: view.getUint8(at + 1),
    revision: view.getUint16(at + 2, true),
    build: view.getUint32(at + 4, true),
  };
}

/** Names of the flags that are set; bits without a name together as "0x1000". */
export function imageFlagNames(flags: number): string[] {
  const names = FLAG_NAMES.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name);
  const unnamed = FLAG_NAMES.reduce((rest, [flag]) => rest & ~flag, flags) >>> 0;
  return unnamed === 0 ? names : [...names, `0x${unnamed.toString(16)}`];
}

const DIGESTS: readonly (readonly [type: number, algorithm: DigestAlgorithm])[] = [
  [ImageTlvType.Sha256, "SHA-256"],
  [ImageTlvType.Sha384, "SHA-384"],
  [ImageTlvType.Sha512, "SHA-512"],
];

/** Of one type the protected entry counts, else the last one. */
function digestOf(tlvs: readonly ImageTlv[]): ImageDigest | undefined {
  for (const [type, algorithm] of DIGESTS) {
    const entries = tlvs.filter((tlv) => tlv.type === type);
    const entry = entries.findLast(({ isProtected }) => isProtected) ?? entries.at(-1);
    if (entry !== undefined) return { algorithm, value: entry.value };
  }
  return undefined;
}

function isSignature(type: number): boolean {
  return type >= ImageTlvType.Rsa2048Pss && type <= ImageTlvType.PureSignature;
}

/** Empty for a value of another length, which names nothing. */
function decodeDependency(value: Uint8Array): ImageDependency[] {
  if (value.length !== 12) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return [{ image: view.getUint8(0), slot: view.getUint8(1), version: decodeVersion(view, 4) }];
}
