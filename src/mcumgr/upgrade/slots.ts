import type { ImageSlotState, UpgradeFacts } from "./facts.ts";
import type { UpgradeMethod } from "./types.ts";

/** A slot's number over all images, as an erase wants it. */
export function slotNumber({ sizes }: Pick<UpgradeFacts, "sizes">, image: number, slot: number): number {
  let before = 0;
  for (let other = 0; other < image; other++) before += sizes?.find((entry) => entry.image === other)?.slots.length ?? 2;
  return before + slot;
}

/**
 * The number that reaches the slot by an upload; undefined leaves it to the server, which then takes the first image's free slot.
 *
 * In MCUboot's recovery 0 is the primary slot of the first image, and 3, 5, … those of the further ones.
 */
export function destinationOf(
  { sizes, isRecovery }: UpgradeFacts,
  image: number,
  method: UpgradeMethod,
  slot: number | undefined,
  running: ImageSlotState | undefined,
): number | undefined {
  if (method === "recovery" || isRecovery) return image === 0 ? undefined : 2 * image + 1;
  const slots = sizes?.find((entry) => entry.image === image)?.slots;
  const wanted = slot ?? slots?.find((entry) => entry.slot !== (running?.slot ?? 0))?.slot;
  const told = slots?.find((entry) => entry.slot === wanted)?.uploadImageId;
  return told ?? (image === 0 ? undefined : image);
}
