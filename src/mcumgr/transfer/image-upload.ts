import { sha256 } from "@noble/hashes/sha2.js";
import { readAnswer } from "../protocol/answer.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { ImageMismatchError, McumgrResponseError, MessageTooLongError } from "../protocol/error.ts";
import { ImageGroup } from "../protocol/groups/image.ts";
import { IntercreateGroup } from "../protocol/groups/intercreate.ts";
import { chunkEnd, dataRoom } from "./chunk.ts";
import type { Chunk, UploadAnswer, UploadDestination } from "./destination.ts";
import { type McumgrLimits, requestOf, type TransferHost, type TransferOptions } from "./host.ts";
import { limitsOf } from "./recovery.ts";
import { Uploader } from "./uploader.ts";

export interface ImageUploadOptions extends TransferOptions {
  /** Which of several images; see `uploadImageId` of `image.slotInfo`. The server's first by default. */
  readonly image?: number | undefined;
  /** The server is to refuse an image that is not newer than the running one. */
  readonly upgrade?: boolean | undefined;
  /**
   * An offset in octets that a server was known to have reached with this very image: for servers that cannot tell by a digest (MCUboot's serial
   * recovery), within the same power cycle. What lies before is not sent again.
   */
  readonly resumeFrom?: number | undefined;
  /** Ends of chunks fall on multiples of so many octets; found out by default, where a server cuts chunks. */
  readonly alignment?: number | undefined;
}

export interface ImageUploadResult {
  readonly length: number;
  /** Octets that the server had before. `length`: all of it was there. */
  readonly resumedFrom: number;
  /** Whether the server compared the digest of what it has; where it does not, `image.state` shows the image when it is whole. */
  readonly isVerified: boolean;
  /** Milliseconds. */
  readonly durationMs: number;
  /** SHA-256 of the file, which is not the digest that `image.state` shows. */
  readonly sha256: Uint8Array;
}

/** The header of an image: the first chunk has to hold it. */
const IMAGE_HEADER_LENGTH = 32;
const LAST_TIMEOUT_MS = 20_000;
const LAST_TIMEOUT_LOSSY_MS = 5000;

/** @param isComplete asks whether the server has the image, where its answers leave that open */
export async function uploadImage(
  host: TransferHost,
  image: Uint8Array,
  options: ImageUploadOptions,
  isComplete?: (signal: AbortSignal | undefined) => Promise<boolean>,
): Promise<ImageUploadResult> {
  const destination = new ImageDestination(host, image, options, { group: ImageGroup, command: ImageGroup.commands.upload }, isComplete);
  return uploadTo(host, destination, options);
}

/** The same for another chip behind the server: group 64 of Intercreate's servers. */
export async function uploadIntercreate(
  host: TransferHost,
  image: Uint8Array,
  options: Omit<ImageUploadOptions, "upgrade">,
): Promise<ImageUploadResult> {
  const target = { group: IntercreateGroup, command: IntercreateGroup.commands.upload };
  return uploadTo(host, new ImageDestination(host, image, options, target), options);
}

async function uploadTo(host: TransferHost, destination: ImageDestination, options: ImageUploadOptions): Promise<ImageUploadResult> {
  const startMs = host.clock.now();
  const { signal, onProgress, resumeFrom = 0, alignment = 1 } = options;
  const limits = await limitsOf(host, signal);
  const uploader = new Uploader(host, destination, {
    signal,
    onProgress,
    window: windowOf(limits, options.window),
    limit: limits.messageLimit,
    from: resumeFrom,
    alignment,
  });
  const { resumedFrom, match } = await uploader.run();
  if (match === false) throw new ImageMismatchError(`${destination.what}: the digest of what the server has is not that of the image`);
  const { length, sha } = destination;
  return { length, resumedFrom, isVerified: match === true, durationMs: host.clock.now() - startMs, sha256: sha };
}

/** @param asked the caller's own, which may be more than the server's buffers promise */
export function windowOf(limits: McumgrLimits, asked: number | undefined): number {
  return asked ?? limits.window;
}

interface Target {
  readonly group: typeof ImageGroup | typeof IntercreateGroup;
  readonly command: typeof ImageGroup.commands.upload | typeof IntercreateGroup.commands.upload;
}

class ImageDestination implements UploadDestination {
  readonly what: string;
  readonly length: number;
  readonly sha: Uint8Array;
  readonly lastTimeoutMs: number;
  readonly isComplete: ((signal: AbortSignal | undefined) => Promise<boolean>) | undefined;
  readonly #host: TransferHost;
  readonly #image: Uint8Array;
  readonly #options: ImageUploadOptions;
  readonly #target: Target;
  #hasDigest = false;
  /** Answers with `rc` 0 come from MCUboot and Mynewt: the former knows no digest, and both tell their offset to any chunk. */
  #tellsSuccess = false;

  constructor(
    host: TransferHost,
    image: Uint8Array,
    options: ImageUploadOptions,
    target: Target,
    isComplete?: (signal: AbortSignal | undefined) => Promise<boolean>,
  ) {
    this.#host = host;
    this.#image = image;
    this.#options = options;
    this.#target = target;
    this.what = `${target.group.name}.${target.command.name}`;
    this.length = image.length;
    this.sha = sha256(image);
    this.lastTimeoutMs = host.isLossy ? LAST_TIMEOUT_LOSSY_MS : LAST_TIMEOUT_MS;
    this.isComplete = isComplete;
  }

  get resumesByOffset(): boolean {
    return this.#tellsSuccess || !this.#hasDigest;
  }

  /** By its digest the server knows it again. */
  get mayRepeatFirst(): boolean {
    return this.#hasDigest;
  }

  first(limit: number): Chunk {
    const fields = this.#firstFields(limit);
    return this.#request({ ...fields, off: 0 }, chunkEnd(0, dataRoom(limit, { ...fields, off: 0 }), this.length, this.#options.alignment));
  }

  chunk(off: number, limit: number, alignment: number, most: number): Chunk {
    const room = dataRoom(limit, { off });
    if (room < 1) throw new MessageTooLongError(limit - room + 1, limit);
    return this.#request({ off }, chunkEnd(off, Math.min(room, most), this.length, alignment));
  }

  #request(fields: CborMap & { readonly off: number }, to: number): Chunk {
    const { group, command } = this.#target;
    return { request: requestOf(group, command, { ...fields, data: this.#image.subarray(fields.off, to) }), to };
  }

  /** What goes with the first chunk, whose data has to hold the image's header: on a narrow link what can be spared is left out. */
  #firstFields(limit: number): CborMap {
    const { image, upgrade } = this.#options;
    const least = Math.min(IMAGE_HEADER_LENGTH, this.length);
    const base = { off: 0, len: this.length, ...(upgrade && { upgrade }) };
    const candidates: CborMap[] = [
      { ...base, sha: this.sha, ...(image !== undefined && { image }) },
      { ...base, sha: this.sha, ...(image && { image }) },
      { ...base, ...(image && { image }) },
    ];
    for (const fields of candidates) {
      if (dataRoom(limit, fields) < least) continue;
      this.#hasDigest = "sha" in fields;
      if (!this.#hasDigest)
        this.#host.tell({ what: "resume", from: 1, to: 0, why: `no room for the digest in a message of ${limit} octets` });
      return fields;
    }
    throw new MessageTooLongError(limit - dataRoom(limit, candidates.at(-1)!) + least, limit);
  }

  read(payload: CborMap): UploadAnswer {
    if (payload.rc === 0) this.#tellsSuccess = true;
    const { group, command } = this.#target;
    const { off, match } = readAnswer<typeof ImageGroup.commands.upload>(
      group,
      command as typeof ImageGroup.commands.upload,
      payload,
      this.#host.names,
    );
    if (off === undefined) throw new McumgrResponseError({ command: this.what, path: "off", problem: "missing", payload });
    return { off, match };
  }
}
