import { checkInteger, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import { ImageFileError } from "../protocol/error.ts";
import { isIntelHex, parseIntelHex } from "./intel-hex.ts";
import { type FirmwareManifest, MANIFEST_NAME, type ManifestFile, parseManifest } from "./manifest.ts";
import { isImage, type McubootImage, parseImage } from "./mcuboot.ts";
import { isZip, readZip, type ZipEntry } from "./zip.ts";

/** One image of a file, to be uploaded. */
export interface FirmwareImage {
  /** Its name within a package; undefined for a file that is one image. */
  readonly file: string | undefined;
  /** Which of the device's images it is. */
  readonly imageIndex: number;
  /** The slot that it was built for, where the package says so. */
  readonly slot: number | undefined;
  /** What is to be uploaded. */
  readonly octets: Uint8Array;
  readonly image: McubootImage;
}

/** What a file of firmware holds. */
export interface Firmware {
  readonly kind: "mcuboot" | "intel-hex" | "package";
  /** In the order of the package. */
  readonly images: readonly FirmwareImage[];
  /** Where the lowest octet of an Intel HEX file belongs. */
  readonly startAddress?: number;
  readonly manifest?: FirmwareManifest;
}

export interface ReadFirmwareOptions {
  /** Most octets of one image, and of all of a package together, by default 64 MiB. */
  maxOctets?: number;
}
const OPTIONS = optionNames<ReadFirmwareOptions>({ maxOctets: true });

const DEFAULT_MAX_OCTETS = 64 << 20;
const MAX_MANIFEST_OCTETS = 1 << 20;

/**
 * Reads a file of firmware of any kind: an MCUboot image, one as Intel HEX, or a zip package with `manifest.json`. The kind is told by the
 * content. Digests are not computed: `verifyImage` does.
 *
 * @throws {ImageFileError} another kind of file, or a damaged one
 */
export function readFirmware(octets: Uint8Array, options: ReadFirmwareOptions = {}): Firmware {
  checkOctets("readFirmware: octets", octets);
  checkOptions("readFirmware", options, OPTIONS);
  const maxOctets = checkInteger("readFirmware: maxOctets", options.maxOctets ?? DEFAULT_MAX_OCTETS, 1, 2 ** 31);
  if (isZip(octets)) return readPackage(octets, maxOctets);
  if (!isImage(octets) && isIntelHex(octets)) {
    const hex = parseIntelHex(octets, { maxOctets });
    return { kind: "intel-hex", images: [single(imageOfHex(hex.octets))], startAddress: hex.startAddress };
  }
  return { kind: "mcuboot", images: [single(parseImage(octets))] };
}

function single(image: McubootImage): FirmwareImage {
  return { file: undefined, imageIndex: 0, slot: undefined, octets: image.octets, image };
}

function imageOfHex(octets: Uint8Array): McubootImage {
  if (!isImage(octets))
    throw new ImageFileError(
      "the Intel HEX file does not begin with an MCUboot image; one that holds the bootloader too is not for uploading",
    );
  return parseImage(octets);
}

function readPackage(zip: Uint8Array, maxOctets: number): Firmware {
  const entries = readZip(zip);
  const manifestEntry = entries.find(({ name }) => name === MANIFEST_NAME);
  if (manifestEntry === undefined) throw new ImageFileError(`the zip file has no ${MANIFEST_NAME}, so it is no package of firmware`);
  const manifest = parseManifest(manifestEntry.read(MAX_MANIFEST_OCTETS));
  const images: FirmwareImage[] = [];
  let left = maxOctets;
  for (const listed of manifest.files) {
    if (images.some(({ imageIndex, slot }) => imageIndex === listed.imageIndex && slot === listed.slot))
      throw new ImageFileError(`the package has two files for image ${listed.imageIndex}`, { file: listed.file });
    const image = imageOfPackage(entries, listed, left);
    left -= image.octets.length;
    images.push({ file: listed.file, imageIndex: listed.imageIndex, slot: listed.slot, octets: image.octets, image });
  }
  return { kind: "package", images, manifest };
}

function imageOfPackage(entries: readonly ZipEntry[], { file, size }: ManifestFile, maxOctets: number): McubootImage {
  const entry = entries.find(({ name }) => name === file);
  if (entry === undefined) throw new ImageFileError(`${MANIFEST_NAME} lists it, the package lacks it`, { file });
  const octets = entry.read(maxOctets);
  if (size !== undefined && size !== octets.length)
    throw new ImageFileError(`has ${octets.length} octets, ${MANIFEST_NAME} says ${size}`, { file });
  try {
    return !isImage(octets) && isIntelHex(octets) ? imageOfHex(parseIntelHex(octets, { maxOctets }).octets) : parseImage(octets);
  } catch (cause) {
    if (!(cause instanceof ImageFileError)) throw cause;
    throw new ImageFileError(cause.problem, { file, ...(cause.offset === undefined ? {} : { offset: cause.offset }), cause });
  }
}
