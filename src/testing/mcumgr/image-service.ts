import { equalBytes } from "../../bytes/hex.ts";
import { command, group } from "../../mcumgr/protocol/declare.ts";
import { bool, octets, optional, otherwise, uint } from "../../mcumgr/protocol/fields.ts";
import { ImageGroup } from "../../mcumgr/protocol/groups/image.ts";
import type { SimulatedBootloader, SimulatedImage } from "./bootloader.ts";
import type { PowerSession } from "./flash.ts";
import { isInUse, isUnconfirmed, slotFlags, slotStates } from "./image-states.ts";
import type { ImageUploads } from "./image-upload.ts";
import { refuse, type ServedGroup, serveGroup } from "./service.ts";
import type { SimulatedSlot } from "./slot.ts";

const NOTHING = new Uint8Array();

// As a server reads them: what is missing has errors of its own.
const { state, setState, upload, erase, slotInfo } = ImageGroup.commands;
const ServerImageGroup = group("image", {
  id: ImageGroup.id,
  commands: {
    state,
    setState: command("setState", {
      id: setState.id,
      write: { request: { hash: optional(octets()), confirm: otherwise(bool(), false) }, response: setState.response },
    }),
    upload: command("upload", {
      id: upload.id,
      write: {
        request: {
          image: otherwise(uint(), 0),
          len: optional(uint()),
          off: optional(uint()),
          sha: optional(octets()),
          data: otherwise(octets(), NOTHING),
          upgrade: otherwise(bool(), false),
        },
        response: upload.response,
      },
    }),
    erase,
    slotInfo,
  },
});

export interface ImageServiceOptions {
  readonly images: readonly SimulatedImage[];
  readonly bootloader: SimulatedBootloader;
  readonly uploads: ImageUploads;
  /** Octets of the digests that the server was built for. */
  readonly digestLength: number;
  /** Refuses to make an image permanent that does not run. */
  readonly denyConfirmOfOther: boolean;
  /** Flags that are false are left out of the state, as some servers are built. */
  readonly omitFalse: boolean;
  /** `image` of an upload is a slot's number plus one. */
  readonly directUpload: boolean;
  readonly without: ReadonlySet<string>;
}

/** The image group of an application. */
export class ImageService {
  readonly group: ServedGroup;
  readonly #options: ImageServiceOptions;

  constructor(options: ImageServiceOptions) {
    this.#options = options;
    const { uploads, without } = options;
    this.group = serveGroup(
      ServerImageGroup,
      {
        state: () => this.#state(),
        setState: async ({ hash, confirm }, { power }) => {
          await this.setState(power, hash, confirm);
          return this.#state();
        },
        upload: async (chunk, context) => await uploads.chunk(chunk, context),
        erase: async ({ slot }, { power }) => await this.#erase(power, slot),
        slotInfo: () => ({ images: options.images.map((image) => this.#info(image)) }),
      },
      { title: "img mgmt", without },
    );
  }

  /** Where an upload for this image goes; undefined where no slot is free. */
  destination(number: number): SimulatedSlot | undefined {
    const { images, bootloader, directUpload } = this.#options;
    if (directUpload && number > 0) {
      const slot = images.flatMap(({ slots }) => slots)[number - 1];
      return slot !== undefined && !isInUse(bootloader, images[slot.image]!, slot) ? slot : undefined;
    }
    // Built for one image, a server does not look at the number.
    const image = images[images.length === 1 ? 0 : number];
    return image?.slots.find((slot) => !isInUse(bootloader, image, slot));
  }

  #state() {
    const { bootloader, images, omitFalse } = this.#options;
    const states = slotStates(bootloader, images).map(({ image, ...state }) => {
      const entry = images.length > 1 ? { image, ...state } : state;
      if (!omitFalse) return entry;
      const { bootable, pending, confirmed, active, permanent, ...rest } = entry;
      const when = (flag: boolean) => flag || undefined;
      return {
        ...rest,
        bootable: when(bootable),
        pending: when(pending),
        confirmed: when(confirmed),
        active: when(active),
        permanent: when(permanent),
      };
    });
    return { images: states, splitStatus: omitFalse ? undefined : 0 };
  }

  /** Test, confirm, or make permanent. @throws {Refusal} */
  async setState(power: PowerSession, hash: Uint8Array | undefined, confirm: boolean): Promise<void> {
    const { images, digestLength } = this.#options;
    if (hash === undefined) {
      if (!confirm) throw refuse(ImageGroup, 24);
      await this.confirmRunning(power, images[0]!);
      return;
    }
    if (hash.length !== digestLength) throw refuse(ImageGroup, 24);
    const found = this.#find(hash);
    if (found === undefined) throw refuse(ImageGroup, 8);
    const [image, slot] = found;
    const flags = slotFlags(this.#options.bootloader, image, slot);
    if (flags.active) {
      if (!confirm) throw refuse(ImageGroup, 33);
      await this.confirmRunning(power, image);
      return;
    }
    if (confirm && this.#options.denyConfirmOfOther) throw refuse(ImageGroup, 32);
    await this.#mark(power, image, slot, confirm);
  }

  #find(hash: Uint8Array): [SimulatedImage, SimulatedSlot] | undefined {
    for (const image of this.#options.images)
      for (const slot of image.slots) {
        const digest = slot.content?.digest;
        if (digest !== undefined && equalBytes(digest.value, hash)) return [image, slot];
      }
    return undefined;
  }

  /** What runs stays. */
  async confirmRunning(power: PowerSession, image: SimulatedImage): Promise<void> {
    if (isUnconfirmed(this.#options.bootloader, image)) await image.slots[image.active]!.writeTrailer(power, { imageOk: true });
  }

  async #mark(power: PowerSession, image: SimulatedImage, slot: SimulatedSlot, permanent: boolean): Promise<void> {
    const { bootloader } = this.#options;
    const flags = slotFlags(bootloader, image, slot);
    const isOtherPending = image.slots.some((other) => other !== slot && slotFlags(bootloader, image, other).pending);
    if (isUnconfirmed(bootloader, image) || isOtherPending) throw refuse(ImageGroup, 28);
    if (flags.pending && (flags.permanent || !permanent)) return;
    const { mode } = bootloader.options;
    if (mode === "direct-xip" || mode === "ram-load") return; // only the version decides
    await slot.writeTrailer(power, { imageOk: permanent });
  }

  async #erase(power: PowerSession, number: number | undefined): Promise<void> {
    const { images, bootloader, uploads } = this.#options;
    const numbered = images.flatMap((image) => image.slots.map((slot) => [image, slot] as const));
    const found =
      number === undefined ? numbered.find(([image, slot]) => image.number === 0 && slot.slot !== image.active) : numbered[number];
    if (found === undefined) throw refuse(ImageGroup, 10);
    const [image, slot] = found;
    if (isInUse(bootloader, image, slot)) throw refuse(ImageGroup, 9);
    uploads.forget(slot);
    if (!slot.area.isBlank()) await slot.erase(power);
  }

  #info(image: SimulatedImage) {
    return {
      image: image.number,
      slots: image.slots.map((slot) => ({
        slot: slot.slot,
        size: slot.size,
        uploadImageId: this.#uploadId(image, slot),
      })),
    };
  }

  #uploadId(image: SimulatedImage, slot: SimulatedSlot): number | undefined {
    const { directUpload, images, bootloader } = this.#options;
    const place = images.flatMap(({ slots }) => slots).indexOf(slot);
    if (directUpload) return place + 1;
    if (slot.slot === image.active && bootloader.options.mode !== "single-application") return undefined;
    return slot.slot === image.active ? undefined : image.number;
  }
}
