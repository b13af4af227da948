import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { equalBytes } from "../../bytes/hex.ts";
import { ImageFileError } from "../protocol/error.ts";
import type { DigestAlgorithm, McubootImage } from "./mcuboot.ts";

const HASHES: Readonly<Record<DigestAlgorithm, (octets: Uint8Array) => Uint8Array>> = {
  "SHA-256": sha256,
  "SHA-384": sha384,
  "SHA-512": sha512,
};

/** What recomputing an image's digest showed; "encrypted": it is over what only the device can decrypt; "absent": the image has none. */
export type ImageDigestCheck = "valid" | "invalid" | "encrypted" | "absent";

/** The digest over header, body and protected area. */
export function computeImageDigest(image: McubootImage, algorithm: DigestAlgorithm): Uint8Array {
  const { headerSize, imageSize, protectedTlvSize } = image.header;
  return HASHES[algorithm](image.octets.subarray(0, headerSize + imageSize + protectedTlvSize));
}

/** Recomputes the digest and compares it with the one that the image carries. */
export function checkImageDigest(image: McubootImage): ImageDigestCheck {
  if (image.digest === undefined) return "absent";
  if (image.isEncrypted) return "encrypted";
  return equalBytes(computeImageDigest(image, image.digest.algorithm), image.digest.value) ? "valid" : "invalid";
}

/**
 * Refuses an image that was damaged after it was built. An encrypted one passes: only the device can check it.
 *
 * @throws {ImageFileError} the digest is another, or there is none
 */
export function verifyImage(image: McubootImage): void {
  const check = checkImageDigest(image);
  if (check === "invalid")
    throw new ImageFileError(`the image is damaged: its ${image.digest!.algorithm} digest is not that of its octets`);
  if (check === "absent") throw new ImageFileError("the image carries no digest, so no server can name it");
}
