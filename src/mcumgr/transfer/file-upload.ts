import { readAnswer } from "../protocol/answer.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { ImageMismatchError, McumgrError, MessageTooLongError } from "../protocol/error.ts";
import { FilesGroup } from "../protocol/groups/files.ts";
import { chunkEnd, dataRoom } from "./chunk.ts";
import type { Chunk, UploadAnswer, UploadDestination } from "./destination.ts";
import { compareFile, fileLength } from "./file-hash.ts";
import { requestOf, type TransferHost, type TransferOptions } from "./host.ts";
import { ProgressMeter } from "./progress.ts";
import { limitsOf } from "./recovery.ts";
import { Uploader } from "./uploader.ts";

export interface FileUploadOptions extends TransferOptions {
  /** Go on where an earlier upload of the same file ended, if the server can compare what it has; true by default. */
  readonly resume?: boolean | undefined;
  /** Compare the file with the server's checksum or digest at the end, where it has one; true by default. */
  readonly verify?: boolean | undefined;
}

export interface FileTransferResult {
  readonly length: number;
  /** Octets that were there before. */
  readonly resumedFrom: number;
  /** "crc32" or "sha256": the server's check that was compared; undefined where it has none, or none was wanted. */
  readonly verifiedBy: string | undefined;
  /** Milliseconds. */
  readonly durationMs: number;
}

const LAST_TIMEOUT_MS = 5000;
const INVALID_OFFSET = 11;

/** @throws as `Uploader.run` · {ImageMismatchError} the server has something else than was sent */
export async function uploadFile(
  host: TransferHost,
  name: string,
  data: Uint8Array,
  options: FileUploadOptions,
): Promise<FileTransferResult> {
  const startMs = host.clock.now();
  const { signal, onProgress, resume = true, verify = true } = options;
  const limits = await limitsOf(host, signal);
  const destination = new FileDestination(host, name, data);
  // A file that goes with one request is sent sooner than compared.
  const isShort = destination.first(limits.messageLimit).to === data.length;
  const from = resume && !isShort ? await lengthOfSame(host, name, data, signal) : 0;
  let resumedFrom = from;
  if (from < data.length || from === 0) {
    const window = options.window ?? (host.isLossy ? 1 : limits.window);
    const uploader = new Uploader(host, destination, { signal, onProgress, window, limit: limits.messageLimit, from, alignment: 1 });
    ({ resumedFrom } = await uploader.run());
  } else {
    const meter = new ProgressMeter(host.clock, data.length, onProgress);
    meter.resumedFrom = from;
    meter.at(from, limits.window);
  }
  const same = verify ? await compareFile(host, name, data, signal) : undefined;
  if (same === false) throw new ImageMismatchError(`${destination.what} ${name}: the file is not what was sent`);
  return { length: data.length, resumedFrom, verifiedBy: same?.type, durationMs: host.clock.now() - startMs };
}

/** How much of the file is there already, from its beginning. */
async function lengthOfSame(host: TransferHost, name: string, data: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
  try {
    const there = await fileLength(host, name, signal);
    if (there === 0 || there > data.length) return 0;
    return (await compareFile(host, name, data.subarray(0, there), signal)) ? there : 0;
  } catch (error) {
    if (error instanceof McumgrError) return 0; // it is not there, or the server cannot tell
    throw error;
  }
}

class FileDestination implements UploadDestination {
  readonly what = "files.upload";
  readonly length: number;
  readonly resumesByOffset = true;
  readonly mayRepeatFirst = true;
  readonly lastTimeoutMs = LAST_TIMEOUT_MS;
  readonly #host: TransferHost;
  readonly #name: string;
  readonly #data: Uint8Array;

  constructor(host: TransferHost, name: string, data: Uint8Array) {
    this.#host = host;
    this.#name = name;
    this.#data = data;
    this.length = data.length;
  }

  first(limit: number): Chunk {
    return this.#chunk({ off: 0, name: this.#name, len: this.length }, limit);
  }

  chunk(off: number, limit: number, _alignment: number, most: number): Chunk {
    return this.#chunk({ off, name: this.#name }, limit, most);
  }

  #chunk(fields: CborMap & { readonly off: number }, limit: number, most = Number.POSITIVE_INFINITY): Chunk {
    const room = dataRoom(limit, fields);
    const least = Math.min(1, this.length - fields.off);
    if (room < least) throw new MessageTooLongError(limit - room + least, limit);
    const to = chunkEnd(fields.off, Math.min(room, most), this.length);
    return { request: requestOf(FilesGroup, FilesGroup.commands.upload, { ...fields, data: this.#data.subarray(fields.off, to) }), to };
  }

  /** The server closes the file at a wrong offset, and opens it again at the next request, where it expects what it has. */
  read(payload: CborMap): UploadAnswer {
    try {
      return { off: readAnswer(FilesGroup, FilesGroup.commands.upload, payload, this.#host.names).off };
    } catch (error) {
      if (!(error instanceof McumgrError)) throw error;
      const { len } = error.payload;
      if (error.group === FilesGroup.id && error.rc === INVALID_OFFSET)
        return { off: typeof len === "number" && Number.isSafeInteger(len) && len >= 0 ? len : undefined, refused: error };
      // The first version of the protocol has no word for it; where the offset is right all the same, the attempts are soon used up.
      if (error.group === undefined && error.rc === 1) return { off: undefined, refused: error };
      throw error;
    }
  }

  locate(signal: AbortSignal | undefined): Promise<number> {
    return fileLength(this.#host, this.#name, signal);
  }
}
