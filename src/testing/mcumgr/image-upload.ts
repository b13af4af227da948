import { sha256 } from "@noble/hashes/sha2.js";
import { equalBytes } from "../../bytes/hex.ts";
import { decodeHeader, IMAGE_HEADER_LENGTH, isImage } from "../../mcumgr/image/mcuboot.ts";
import { compareImageVersions } from "../../mcumgr/image/version.ts";
import { ImageGroup } from "../../mcumgr/protocol/groups/image.ts";
import { FlashFailure, type PowerSession, type SimulatedFlash } from "./flash.ts";
import { type RequestContext, refuse } from "./service.ts";
import type { SimulatedSlot } from "./slot.ts";
import type { SimulatedUploadState } from "./state.ts";

/** One chunk, as the server reads it: everything may be missing. */
export interface UploadChunk {
  readonly image: number;
  readonly len?: number;
  readonly off?: number;
  readonly sha?: Uint8Array;
  readonly data: Uint8Array;
  readonly upgrade: boolean;
}

export interface UploadAnswer {
  readonly off: number;
  readonly match?: boolean | undefined;
}

/** An upload under way. */
interface Upload {
  readonly slot: SimulatedSlot;
  readonly len: number;
  readonly sha: Uint8Array | undefined;
  off: number;
  /** Octets of the slot, from where the image begins, that are erased; sectors beyond are erased when they are reached. */
  erasedTo: number;
}

export interface UploadTargetOptions {
  readonly flash: SimulatedFlash;
  /** Erases sector by sector while the image comes, in place of all at once before the first answer. */
  readonly progressiveErase: boolean;
  /** The digest of the whole is checked: before the first chunk is written, and after the last. */
  readonly imageCheck: boolean;
  /** Where an upload for this image goes; undefined where no slot is free. */
  destination(image: number): SimulatedSlot | undefined;
  /** What runs of the image that a slot belongs to. */
  running(slot: SimulatedSlot): SimulatedSlot | undefined;
}

/** The state machine of an application's image upload. One for all links; a reset ends it. */
export class ImageUploads {
  readonly #options: UploadTargetOptions;
  #upload: Upload | undefined;

  constructor(options: UploadTargetOptions) {
    this.#options = options;
  }

  /** The offset that is expected next; undefined while no upload is under way. */
  get progress(): { slot: SimulatedSlot; off: number; len: number } | undefined {
    return this.#upload && { slot: this.#upload.slot, off: this.#upload.off, len: this.#upload.len };
  }

  /** For a state that is kept. One whose slot is still being erased has not begun. */
  save(): SimulatedUploadState | undefined {
    if (this.#upload === undefined || this.#upload.off === 0) return undefined;
    const { slot, len, off, erasedTo, sha } = this.#upload;
    return { image: slot.image, slot: slot.slot, len, off, erasedTo, ...(sha && { sha: sha.slice() }) };
  }

  restore({ len, off, erasedTo, sha }: SimulatedUploadState, slot: SimulatedSlot): void {
    this.#upload = { slot, len, off, erasedTo, sha: sha?.slice() };
  }

  /** The slot gets another content, or the device starts anew. */
  forget(slot?: SimulatedSlot): void {
    if (slot === undefined || this.#upload?.slot === slot) this.#upload = undefined;
  }

  async chunk(chunk: UploadChunk, context: RequestContext): Promise<UploadAnswer> {
    if (chunk.off === undefined) throw refuse(ImageGroup, 20);
    if (chunk.off === 0) return await this.#first(chunk, context);
    const upload = this.#upload;
    // A gap or a duplicate is no error: the answer tells what is wanted.
    if (upload === undefined || chunk.off !== upload.off) return { off: upload?.off ?? 0 };
    return await this.#append(upload, chunk.data, context);
  }

  async #first({ image, len, sha, data, upgrade }: UploadChunk, context: RequestContext): Promise<UploadAnswer> {
    if (data.length < IMAGE_HEADER_LENGTH) throw refuse(ImageGroup, 22, { reason: "header malformed" });
    if (len === undefined) throw refuse(ImageGroup, 21);
    if (!isImage(data)) throw refuse(ImageGroup, 23, { reason: "magic mismatch" });
    if (sha !== undefined && sha.length > 32) throw refuse(ImageGroup, 24);
    const digest = sha?.length === 0 ? undefined : sha;
    const before = this.#upload;
    if (before?.sha !== undefined && digest !== undefined && equalBytes(before.sha, digest)) return { off: before.off };
    const slot = this.#options.destination(image);
    if (slot === undefined) throw refuse(ImageGroup, 9);
    if (len > slot.size - slot.uploadBase) throw refuse(ImageGroup, 30, { reason: "img too large" });
    if (upgrade && !this.#isNewer(data, slot)) throw refuse(ImageGroup, 27, { reason: "downgrade" });
    if (data.length > len) throw refuse(ImageGroup, 31);
    if (this.#options.imageCheck && digest !== undefined && this.#holds(slot, slot.base, len, digest)) {
      this.#upload = undefined;
      return { off: len, match: true };
    }
    const upload: Upload = { slot, len, sha: digest, off: 0, erasedTo: 0 };
    this.#upload = upload;
    await this.#guarded(13, async () => await this.#prepare(upload, context.power));
    return await this.#append(upload, data, context);
  }

  #isNewer(data: Uint8Array, slot: SimulatedSlot): boolean {
    const running = this.#options.running(slot)?.content;
    const headerSize = data[8]! | (data[9]! << 8);
    if (headerSize < IMAGE_HEADER_LENGTH) throw refuse(ImageGroup, 22, { reason: "header malformed" });
    return running === undefined || compareImageVersions(decodeHeader(data).version, running.header.version) > 0;
  }

  #holds(slot: SimulatedSlot, base: number, len: number, digest: Uint8Array): boolean {
    return digest.length === 32 && equalBytes(sha256(slot.area.octets.subarray(base, base + len)), digest);
  }

  /** What was in the slot must not look like an image any more, be it only half replaced. */
  async #prepare(upload: Upload, power: PowerSession): Promise<void> {
    const { slot } = upload;
    if (slot.area.isBlank()) {
      upload.erasedTo = slot.size;
      return;
    }
    if (!this.#options.progressiveErase) {
      await slot.erase(power);
      upload.erasedTo = slot.size;
      return;
    }
    await slot.discard(power);
    upload.erasedTo = 0;
  }

  async #append(upload: Upload, given: Uint8Array, context: RequestContext): Promise<UploadAnswer> {
    const { slot, len, sha } = upload;
    if (upload.off + given.length > len) throw refuse(ImageGroup, 31);
    const { take, corrupt } = context.tampering;
    let data = take ? given.subarray(0, Math.max(0, Math.min(given.length, take(given.length)))) : given;
    if (corrupt && data.length > 0) {
      data = data.slice();
      data[data.length - 1]! ^= 1;
    }
    const at = slot.uploadBase + upload.off;
    await this.#guarded(13, async () => await this.#eraseTo(upload, at + data.length, context.power));
    if (data.length > 0) await this.#guarded(12, async () => await this.#options.flash.write(context.power, slot.area, at, data));
    upload.off += data.length;
    if (upload.off < len) return { off: upload.off };
    this.#upload = undefined;
    if (!this.#options.imageCheck || sha === undefined) return { off: len };
    return { off: len, match: this.#holds(slot, slot.uploadBase, len, sha) };
  }

  async #eraseTo(upload: Upload, end: number, power: PowerSession): Promise<void> {
    const { area, imageSectors } = upload.slot;
    while (upload.erasedTo < end) {
      const sector = area.sectorOf(upload.erasedTo);
      // The sectors of the trailer were erased first.
      if (sector < imageSectors && !area.isBlank(sector * area.sectorSize, (sector + 1) * area.sectorSize))
        await this.#options.flash.erase(power, area, sector);
      upload.erasedTo = (sector + 1) * area.sectorSize;
    }
  }

  async #guarded(rc: number, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof FlashFailure)) throw error;
      this.#upload = undefined;
      throw refuse(ImageGroup, rc);
    }
  }
}
