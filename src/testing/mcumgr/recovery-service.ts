import { McumgrReturnCode } from "../../mcumgr/protocol/codes.ts";
import { command, group } from "../../mcumgr/protocol/declare.ts";
import { cbor, int, octets, optional, otherwise, uint } from "../../mcumgr/protocol/fields.ts";
import { ImageGroup } from "../../mcumgr/protocol/groups/image.ts";
import { OsGroup } from "../../mcumgr/protocol/groups/os.ts";
import type { SimulatedImage } from "./bootloader.ts";
import { FlashFailure, type SimulatedFlash } from "./flash.ts";
import { type RequestContext, refuseProtocol, type ServedGroup, serveGroup } from "./service.ts";
import type { SimulatedSlot } from "./slot.ts";

// MCUboot's serial recovery: few commands, one buffer, every error a code of the protocol, and `rc` 0 in most answers.

const rc = otherwise(int(), 0);
const RecoveryOsGroup = group("os", {
  id: OsGroup.id,
  commands: {
    setConsoleEcho: command("setConsoleEcho", { id: 1, write: { request: { echo: optional(cbor()) }, response: { rc } } }),
    reset: command("reset", { id: 5, write: { response: { rc } } }),
    parameters: OsGroup.commands.parameters,
  },
});
const RecoveryImageGroup = group("image", {
  id: ImageGroup.id,
  commands: {
    state: ImageGroup.commands.state,
    upload: command("upload", {
      id: 1,
      write: {
        request: { image: otherwise(uint(), 0), len: optional(uint()), off: uint(), data: octets() },
        response: { rc, off: uint() },
      },
    }),
  },
});

interface RecoveryUpload {
  readonly slot: SimulatedSlot;
  readonly len: number;
  off: number;
  erasedTo: number;
}

export interface RecoveryOptions {
  readonly images: readonly SimulatedImage[];
  readonly flash: SimulatedFlash;
  readonly progressiveErase: boolean;
  readonly bufSize: number;
  /** Octets that can be written at a time: the rest of a chunk is asked for again. */
  readonly alignment: number;
  readonly without: ReadonlySet<string>;
  reset(): void;
}

/** What the bootloader serves in place of an application. */
export class RecoveryService {
  readonly groups: readonly ServedGroup[];
  readonly #options: RecoveryOptions;
  #upload: RecoveryUpload | undefined;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    const { without } = options;
    this.groups = [
      serveGroup(
        RecoveryOsGroup,
        {
          setConsoleEcho: () => ({ rc: 0 }),
          reset: () => {
            options.reset();
            return { rc: 0 };
          },
          parameters: () => ({ bufSize: options.bufSize, bufCount: 1 }),
        },
        { without },
      ),
      serveGroup(
        RecoveryImageGroup,
        { state: () => ({ images: this.#images() }), upload: async (chunk, context) => await this.#chunk(chunk, context) },
        { without },
      ),
    ];
  }

  get progress(): { slot: SimulatedSlot; off: number; len: number } | undefined {
    return this.#upload && { slot: this.#upload.slot, off: this.#upload.off, len: this.#upload.len };
  }

  /** Only what it could start: it looks at the whole of each. */
  #images() {
    const { images } = this.#options;
    return images.flatMap((image) =>
      image.slots.flatMap(({ slot, content, isSound }) =>
        content === undefined || !isSound
          ? []
          : [{ image: images.length > 1 ? image.number : undefined, slot, version: content.version, hash: content.digest?.value }],
      ),
    );
  }

  /** 0 and 1: the primary slot of image 0; 2: its secondary; 3 and 4 those of image 1. */
  #slotOf(number: number): SimulatedSlot | undefined {
    const place = Math.max(0, number - 1);
    return this.#options.images[Math.floor(place / 2)]?.slots[place % 2];
  }

  async #chunk(
    { image, len, off, data }: { image: number; len?: number; off: number; data: Uint8Array },
    context: RequestContext,
  ): Promise<{ rc: number; off: number }> {
    const { flash, progressiveErase } = this.#options;
    if (off === 0) {
      const slot = this.#slotOf(image);
      if (slot === undefined || len === undefined || len > slot.size || data.length > len) throw refuseProtocol(McumgrReturnCode.Invalid);
      this.#upload = { slot, len, off: 0, erasedTo: progressiveErase ? 0 : slot.size };
      await this.#guarded(async () => {
        if (progressiveErase) await slot.eraseTrailer(context.power);
        else if (!slot.area.isBlank()) await slot.erase(context.power);
      });
    }
    const upload = this.#upload;
    if (upload === undefined || off !== upload.off) return { rc: 0, off: upload?.off ?? 0 };
    if (off + data.length > upload.len) throw refuseProtocol(McumgrReturnCode.Invalid);
    const taken = this.#take(upload, data, context);
    const { area } = upload.slot;
    await this.#guarded(async () => {
      for (; upload.erasedTo < off + taken.length; upload.erasedTo += area.sectorSize)
        await flash.erase(context.power, area, area.sectorOf(upload.erasedTo));
      if (taken.length > 0) await flash.write(context.power, area, off, taken);
    });
    upload.off += taken.length;
    const answer = { rc: 0, off: upload.off };
    if (upload.off === upload.len) this.#upload = undefined;
    return answer;
  }

  #take(upload: RecoveryUpload, data: Uint8Array, { tampering }: RequestContext): Uint8Array {
    const isLast = upload.off + data.length === upload.len;
    const wanted = tampering.take?.(data.length) ?? (isLast ? data.length : data.length - (data.length % this.#options.alignment));
    const taken = data.slice(0, Math.max(0, Math.min(wanted, data.length)));
    if (tampering.corrupt && taken.length > 0) taken[taken.length - 1]! ^= 1;
    return taken;
  }

  async #guarded(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof FlashFailure)) throw error;
      this.#upload = undefined;
      throw refuseProtocol(McumgrReturnCode.Unknown);
    }
  }
}
