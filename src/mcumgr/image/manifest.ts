import { ImageFileError } from "../protocol/error.ts";

/** One file of a package, as the manifest lists it. */
export interface ManifestFile {
  readonly file: string;
  /** Octets; undefined where it is not said. */
  readonly size: number | undefined;
  /** Such as "application". */
  readonly type: string | undefined;
  /** Which of the device's images it is, 0 where it is not said. */
  readonly imageIndex: number;
  /** The slot that it was built for, where images run in place. */
  readonly slot: number | undefined;
  readonly version: string | undefined;
  /** The entry as it stands there. */
  readonly more: Readonly<Record<string, unknown>>;
}

/** `manifest.json` of a package (Nordic's form, versions 0 and 1). */
export interface FirmwareManifest {
  readonly formatVersion: number | undefined;
  readonly name: string | undefined;
  readonly files: readonly ManifestFile[];
}

export const MANIFEST_NAME = "manifest.json";
const MAX_FILES = 64;

/** @throws {ImageFileError} no JSON, or not of this form; the message says where */
export function parseManifest(octets: Uint8Array): FirmwareManifest {
  const refuse = (problem: string, options?: ErrorOptions): never => {
    throw new ImageFileError(problem, { file: MANIFEST_NAME, ...options });
  };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  } catch (cause) {
    return refuse("is no JSON", { cause });
  }
  if (!isObject(json)) return refuse("expected an object");
  const { files } = json;
  if (!Array.isArray(files)) return refuse("expected a list `files`");
  if (files.length === 0 || files.length > MAX_FILES) refuse(`lists ${files.length} files, expected 1 to ${MAX_FILES}`);
  return {
    formatVersion: numberOf(json["format-version"]),
    name: textOf(json.name),
    files: files.map((entry: unknown, i): ManifestFile => {
      if (!isObject(entry)) return refuse(`files[${i}]: expected an object`);
      const file = textOf(entry.file);
      if (file === undefined || file === "") return refuse(`files[${i}].file: expected a name`);
      // Numbers may be text: "image_index": "0". Zero is not absence.
      const number = (key: string, max: number): number | undefined => {
        if (entry[key] === undefined || entry[key] === null) return undefined;
        const value = numberOf(entry[key]);
        if (value === undefined || value > max) return refuse(`files[${i}].${key}: expected a whole number from 0 to ${max}`);
        return value;
      };
      return {
        file,
        size: number("size", 2 ** 32 - 1),
        type: textOf(entry.type),
        imageIndex: number("image_index", 255) ?? 0,
        slot: number("slot", 255),
        version: textOf(entry.version_MCUBOOT) ?? textOf(entry.version),
        more: entry,
      };
    }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A whole number from 0, also as text. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && /^(\d{1,10}|0x[0-9a-f]{1,8})$/i.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
