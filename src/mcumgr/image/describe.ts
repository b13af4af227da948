import { toHex } from "../../bytes/hex.ts";
import type { McubootImage } from "./mcuboot.ts";
import { checkImageDigest, type ImageDigestCheck } from "./verify.ts";
import { formatImageVersion } from "./version.ts";

/** An image for people and for JSON: numbers, names, octets as hexadecimal text. */
export interface ImageDescription {
  readonly version: string;
  /** Octets of the file. */
  readonly fileSize: number;
  /** Octets that the image takes, without padding behind it. */
  readonly size: number;
  readonly headerSize: number;
  readonly imageSize: number;
  readonly protectedTlvSize: number;
  readonly loadAddress: number;
  readonly flags: readonly string[];
  /** What servers name the image by. */
  readonly digest: { readonly algorithm: string; readonly value: string; readonly check: ImageDigestCheck } | null;
  readonly isEncrypted: boolean;
  readonly signatures: readonly string[];
  readonly dependencies: readonly { readonly image: number; readonly slot: number; readonly version: string }[];
  readonly tlvs: readonly {
    readonly type: number;
    readonly name: string;
    readonly length: number;
    readonly protected: boolean;
    readonly value: string;
  }[];
  /** What speaks against uploading it as it is, in sentences; empty for a sound image. */
  readonly warnings: readonly string[];
}

/** Everything that is known of an image, its digest recomputed. */
export function describeImage(image: McubootImage): ImageDescription {
  const { header, digest } = image;
  return {
    version: image.version,
    fileSize: image.octets.length,
    size: image.end,
    headerSize: header.headerSize,
    imageSize: header.imageSize,
    protectedTlvSize: header.protectedTlvSize,
    loadAddress: header.loadAddress,
    flags: image.flagNames,
    digest: digest === undefined ? null : { algorithm: digest.algorithm, value: toHex(digest.value), check: checkImageDigest(image) },
    isEncrypted: image.isEncrypted,
    signatures: image.signatures,
    dependencies: image.dependencies.map(({ image, slot, version }) => ({ image, slot, version: formatImageVersion(version) })),
    tlvs: image.tlvs.map(({ type, name, value, isProtected }) => ({
      type,
      name,
      length: value.length,
      protected: isProtected,
      value: toHex(value),
    })),
    warnings: imageWarnings(image),
  };
}

/** What speaks against uploading an image as it is, in sentences. The digest is recomputed. */
export function imageWarnings(image: McubootImage): string[] {
  const warnings: string[] = [];
  const check = checkImageDigest(image);
  if (check === "invalid") warnings.push("The image is damaged: its digest is not that of its octets.");
  if (check === "absent") warnings.push("The image carries no digest: servers cannot name it, so it can be neither tested nor confirmed.");
  if (image.tlvs.filter(({ type }) => type >= 0x10 && type <= 0x12).length > 1)
    warnings.push("The image carries several digests: servers may refuse it (image error 6).");
  if (image.flagNames.includes("not bootable")) warnings.push("The image is marked as not bootable.");
  if (image.trailer !== undefined) {
    const { isConfirmed } = image.trailer;
    warnings.push(
      `The image is padded to its slot and brings a trailer along: uploading the padding wastes time, and it would be ${isConfirmed ? "confirmed" : "pending"} without being asked.`,
    );
  } else if (image.octets.length > image.end) {
    const count = image.octets.length - image.end;
    warnings.push(`${count} ${count === 1 ? "octet follows" : "octets follow"} the image.`);
  }
  return warnings;
}
