import type { ImageSlotState, UpgradeFacts } from "./facts.ts";

/** The entry of what runs as this image. Some servers call active only what they run in themselves: it is slot 0 of the others. */
export function runningOf({ slots, isRecovery }: Pick<UpgradeFacts, "slots" | "isRecovery">, image: number): ImageSlotState | undefined {
  if (isRecovery) return undefined;
  const own = slots.filter((entry) => entry.image === image);
  return own.find(({ active }) => active) ?? own.find(({ slot, pending }) => slot === 0 && !pending);
}
