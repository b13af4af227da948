import { kindOf } from "../../../core/arguments.ts";
import { ArgumentError } from "../../../core/error.ts";
import { command, group } from "../declare.ts";
import { type Field, FieldMismatch, map, octets, optional, otherwise, struct, text, uint } from "../fields.ts";

/** Files 0, read. A piece of a file, as long as the server likes; `len`, the whole length, comes with offset 0. No data: the end. */
export const Download = command("download", {
  id: 0,
  read: { request: { off: uint(), name: text() }, response: { off: uint(), data: octets(), len: optional(uint()) } },
});

/** Files 0, write. A chunk of a file; the first has `len`, the length of the whole. The answer has the offset that is expected next. */
export const FileUpload = command("upload", {
  id: 0,
  write: { request: { off: uint(), data: octets(), name: text(), len: optional(uint()) }, response: { off: uint() } },
});

/** Files 1. The length of a file in octets. */
export const Status = command("status", { id: 1, read: { request: { name: text() }, response: { len: uint() } } });

const isOutput = (value: unknown): value is number | Uint8Array =>
  value instanceof Uint8Array || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0);
const OUTPUT = "a whole number from 0, or octets";
/** A checksum is a number, a digest is octets. */
const output: Field<number | Uint8Array, number | Uint8Array, "required"> = {
  key: undefined,
  presence: "required",
  expected: OUTPUT,
  missing: undefined,
  decode(value, path) {
    if (!isOutput(value)) throw new FieldMismatch(path, OUTPUT, value);
    return value;
  },
  encode(value, path) {
    if (!isOutput(value)) throw new ArgumentError(`${path}: expected ${OUTPUT}, got ${kindOf(value)}`);
    return value;
  },
};

/** Files 2. Checksum or digest of a file, or of `len` octets of it from `off`; `type` as supportedHashes names it, "crc32" or "sha256". */
export const Hash = command("hash", {
  id: 2,
  read: {
    request: { name: text(), type: optional(text()), off: optional(uint()), len: optional(uint()) },
    response: { type: text(), off: otherwise(uint(), 0), len: uint(), output },
  },
});

/** Files 3. The types that `hash` knows. `format` 0: a number, 1: octets; `size` in octets. */
export const SupportedHashes = command("supportedHashes", {
  id: 3,
  read: { response: { types: map(struct({ format: optional(uint()), size: optional(uint()) })) } },
});

/** Files 4. Closes the file that the server keeps open between chunks. */
export const Close = command("close", { id: 4, write: {} });

export const FilesGroup = group("files", {
  id: 8,
  errors: {
    2: ["InvalidName", "the name is not valid"],
    3: ["NotFound", "there is no such file"],
    4: ["IsDirectory", "this is a directory"],
    5: ["OpenFailed", "the file could not be opened"],
    6: ["SeekFailed", "the place in the file could not be reached"],
    7: ["ReadFailed", "the file could not be read"],
    8: ["TruncateFailed", "the file could not be cut"],
    9: ["DeleteFailed", "the file could not be deleted"],
    10: ["WriteFailed", "the file could not be written"],
    11: ["InvalidOffset", "the offset is not the one that was expected"],
    12: ["OffsetTooLarge", "the offset is beyond the end of the file"],
    13: ["UnknownHashType", "the server does not know this checksum or digest"],
    14: ["MountPointNotFound", "nothing is mounted there"],
    15: ["ReadOnly", "the file system is read-only"],
    16: ["EmptyFile", "the file is empty"],
    17: ["CloseFailed", "the file could not be closed"],
  },
  commands: { download: Download, upload: FileUpload, status: Status, hash: Hash, supportedHashes: SupportedHashes, close: Close },
});
