import { ImageFileError } from "../protocol/error.ts";

/** Types of the entries (tag, length, value) behind an image's body, as MCUboot numbers them. */
export const ImageTlvType = Object.freeze({
  KeyHash: 0x01,
  PublicKey: 0x02,
  Sha256: 0x10,
  Sha384: 0x11,
  Sha512: 0x12,
  Rsa2048Pss: 0x20,
  Ecdsa224: 0x21,
  Ecdsa: 0x22,
  Rsa3072Pss: 0x23,
  Ed25519: 0x24,
  PureSignature: 0x25,
  KeyRsaOaep: 0x30,
  KeyAesKw: 0x31,
  KeyEciesP256: 0x32,
  KeyEciesX25519: 0x33,
  KeyEciesX25519Sha512: 0x34,
  Dependency: 0x40,
  SecurityCounter: 0x50,
  BootRecord: 0x60,
  DecompressedSize: 0x70,
  DecompressedSha: 0x71,
  DecompressedSignature: 0x72,
  CompressedDecryptedSize: 0x73,
  VendorUuid: 0x74,
  ClassUuid: 0x75,
});

const NAMES = new Map<number, string>([
  [0x01, "key hash"],
  [0x02, "public key"],
  [0x10, "SHA-256"],
  [0x11, "SHA-384"],
  [0x12, "SHA-512"],
  [0x20, "RSA-2048 PSS"],
  [0x21, "ECDSA-224"],
  [0x22, "ECDSA"],
  [0x23, "RSA-3072 PSS"],
  [0x24, "Ed25519"],
  [0x25, "pure signature"],
  [0x30, "key RSA-OAEP"],
  [0x31, "key AES-KW"],
  [0x32, "key ECIES-P256"],
  [0x33, "key ECIES-X25519"],
  [0x34, "key ECIES-X25519 SHA-512"],
  [0x40, "dependency"],
  [0x50, "security counter"],
  [0x60, "boot record"],
  [0x70, "decompressed size"],
  [0x71, "decompressed SHA"],
  [0x72, "decompressed signature"],
  [0x73, "compressed decrypted size"],
  [0x74, "vendor UUID"],
  [0x75, "class UUID"],
  // Where older versions had the two.
  [0x80, "vendor UUID"],
  [0x81, "class UUID"],
]);

/** What an entry's type is called: "SHA-256", "vendor 0x01a0", "0x0099" where it has no name. */
export function imageTlvName(type: number): string {
  const known = NAMES.get(type);
  if (known !== undefined) return known;
  const digits = `0x${type.toString(16).padStart(4, "0")}`;
  const low = type & 0xff;
  return low >= 0xa0 && low <= 0xfe ? `vendor ${digits}` : digits;
}

/** One entry behind the body. */
export interface ImageTlv {
  /** 16 bits; those of vendors use the upper octet. @see ImageTlvType */
  readonly type: number;
  readonly name: string;
  readonly value: Uint8Array;
  /** In the area that the digest, and so the signature, covers. */
  readonly isProtected: boolean;
  /** Of the entry, in octets from the start of the image. */
  readonly offset: number;
}

/** Octets of an area's header and of an entry's. */
export const TLV_HEADER_LENGTH = 4;
export const PROTECTED_AREA_MAGIC = 0x6908;
export const AREA_MAGIC = 0x6907;

/** An area of entries, decoded. `length` counts its header. */
export interface ImageTlvArea {
  readonly length: number;
  readonly tlvs: ImageTlv[];
}

/** @throws {ImageFileError} cut, another magic, or entries that do not fit it */
export function decodeTlvArea(image: Uint8Array, start: number, isProtected: boolean): ImageTlvArea {
  const kind = isProtected ? "protected TLV area" : "TLV area";
  if (image.length - start < TLV_HEADER_LENGTH) throw new ImageFileError(`the image ends before its ${kind}`, { offset: image.length });
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const magic = view.getUint16(start, true);
  const expected = isProtected ? PROTECTED_AREA_MAGIC : AREA_MAGIC;
  if (magic !== expected) {
    const found = `magic 0x${magic.toString(16).padStart(4, "0")}, expected 0x${expected.toString(16)}`;
    throw new ImageFileError(`no ${kind} behind the body (${found})`, { offset: start });
  }
  const length = view.getUint16(start + 2, true);
  if (length < TLV_HEADER_LENGTH) throw new ImageFileError(`the ${kind} has a length of ${length}`, { offset: start + 2 });
  if (length > image.length - start)
    throw new ImageFileError(`the ${kind} has ${length} octets, ${image.length - start} are there`, { offset: image.length });
  const end = start + length;
  const tlvs: ImageTlv[] = [];
  for (let at = start + TLV_HEADER_LENGTH; at < end; ) {
    if (end - at < TLV_HEADER_LENGTH) throw new ImageFileError(`${end - at} octets are left over in the ${kind}`, { offset: at });
    const type = view.getUint16(at, true);
    const size = view.getUint16(at + 2, true);
    const valueAt = at + TLV_HEADER_LENGTH;
    if (size > end - valueAt)
      throw new ImageFileError(`${imageTlvName(type)} has ${size} octets, the ${kind} ${end - valueAt}`, { offset: at + 2 });
    tlvs.push({ type, name: imageTlvName(type), value: image.slice(valueAt, valueAt + size), isProtected, offset: at });
    at = valueAt + size;
  }
  return { length, tlvs };
}
