import { compareImageVersions } from "../../mcumgr/image/version.ts";
import type { ResponseOf } from "../../mcumgr/protocol/declare.ts";
import type { ImageGroup } from "../../mcumgr/protocol/groups/image.ts";
import { type SimulatedBootloader, type SimulatedImage, swapTypeOf } from "./bootloader.ts";
import type { SimulatedSlot } from "./slot.ts";

/** What a server says of one slot. */
export interface SlotFlags {
  readonly active: boolean;
  readonly confirmed: boolean;
  readonly pending: boolean;
  readonly permanent: boolean;
}

/** One entry of the state list: the slot, its image and its flags. */
export type SlotState = ResponseOf<(typeof ImageGroup)["commands"]["state"]>["images"][number];

export function slotFlags(bootloader: SimulatedBootloader, image: SimulatedImage, slot: SimulatedSlot): SlotFlags {
  const active = slot.slot === image.active;
  const { mode } = bootloader.options;
  if (bootloader.isSwapping || mode === "single-application") {
    const type = swapTypeOf(image, mode);
    const pending = !active && (type === "test" || type === "permanent");
    // While a test runs it is the fallback that stays.
    return { active, confirmed: active === (type !== "revert"), pending, permanent: pending && type === "permanent" } satisfies SlotFlags;
  }
  const running = image.slots[image.active]!;
  const isNewer =
    !active &&
    bootloader.accepts(slot) &&
    (running.content === undefined || compareImageVersions(slot.content!.header.version, running.content.header.version) > 0);
  if (mode !== "direct-xip-revert") return { active, confirmed: active, pending: isNewer, permanent: isNewer };
  const { isMarked, imageOk, copyDone } = slot.trailer;
  const pending = isNewer && isMarked && (imageOk || !copyDone);
  return { active, confirmed: active ? imageOk : !running.trailer.imageOk, pending, permanent: pending && imageOk };
}

/** The slot must stay as it is: it runs, or is what the device falls back to. */
export function isInUse(bootloader: SimulatedBootloader, image: SimulatedImage, slot: SimulatedSlot): boolean {
  const { active, confirmed } = slotFlags(bootloader, image, slot);
  return active || confirmed;
}

/** Whether what runs has yet to prove itself. */
export function isUnconfirmed(bootloader: SimulatedBootloader, image: SimulatedImage): boolean {
  return !slotFlags(bootloader, image, image.slots[image.active]!).confirmed;
}

/** The state of all slots that hold an image with a digest. */
export function slotStates(bootloader: SimulatedBootloader, images: readonly SimulatedImage[]): SlotState[] {
  return images.flatMap((image) =>
    image.slots.flatMap((slot): SlotState[] => {
      const { content } = slot;
      if (content?.digest === undefined) return [];
      const { active, confirmed, pending, permanent } = slotFlags(bootloader, image, slot);
      return [
        {
          image: image.number,
          slot: slot.slot,
          version: content.version,
          hash: content.digest.value,
          bootable: !content.flagNames.includes("not bootable"),
          pending,
          confirmed,
          active,
          permanent,
        },
      ];
    }),
  );
}
