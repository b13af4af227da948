/// <reference lib="esnext.disposable" preserve="true" />
export { describeImage, type ImageDescription, imageWarnings } from "./describe.ts";
export { type IntelHex, type IntelHexOptions, isIntelHex, parseIntelHex } from "./intel-hex.ts";
export { type FirmwareManifest, type ManifestFile, parseManifest } from "./manifest.ts";
export {
  type DigestAlgorithm,
  type ImageDependency,
  type ImageDigest,
  ImageFlag,
  type ImageHeader,
  imageFlagNames,
  isImage,
  type McubootImage,
  parseImage,
} from "./mcuboot.ts";
export { type Firmware, type FirmwareImage, type ReadFirmwareOptions, readFirmware } from "./package.ts";
export { type ImageTlv, ImageTlvType, imageTlvName } from "./tlvs.ts";
export type { ImageTrailer } from "./trailer.ts";
export { checkImageDigest, computeImageDigest, type ImageDigestCheck, verifyImage } from "./verify.ts";
export { compareImageVersions, formatImageVersion, type ImageVersion, parseImageVersion } from "./version.ts";
