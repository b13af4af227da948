/** How a simulated bootloader brings an uploaded image to life. */
export type SimulatedBootloaderMode =
  | "single-application"
  | "swap-scratch"
  | "swap-move"
  | "swap-offset"
  | "overwrite-only"
  | "direct-xip"
  | "direct-xip-revert"
  | "ram-load";

/** Which areas take part. */
export type SwapArea = "primary" | "secondary" | "scratch";

/** One copy of a sector, the target erased before. Done again it has the same outcome, since it does not touch what it copies. */
export interface SwapStep {
  readonly from: readonly [area: SwapArea, sector: number];
  readonly to: readonly [area: SwapArea, sector: number];
}

/**
 * The copies that exchange two images, in order: after a power cut the bootloader goes on with the one that it had not finished.
 *
 * @param count sectors of the larger image
 * @param isShifted with "swap-offset": the image in the secondary slot stands one sector further
 */
export function swapSteps(mode: SimulatedBootloaderMode, count: number, isShifted: boolean): SwapStep[] {
  const up = Array.from({ length: count }, (_, i) => i);
  const down = up.toReversed();
  switch (mode) {
    case "swap-scratch":
      return up.flatMap((i) => [
        { from: ["secondary", i], to: ["scratch", 0] },
        { from: ["primary", i], to: ["secondary", i] },
        { from: ["scratch", 0], to: ["primary", i] },
      ]);
    case "swap-move":
      return [
        ...down.map((i): SwapStep => ({ from: ["primary", i], to: ["primary", i + 1] })),
        ...up.flatMap((i): SwapStep[] => [
          { from: ["secondary", i], to: ["primary", i] },
          { from: ["primary", i + 1], to: ["secondary", i] },
        ]),
      ];
    case "swap-offset":
      return isShifted
        ? up.flatMap((i) => [
            { from: ["primary", i], to: ["secondary", i] },
            { from: ["secondary", i + 1], to: ["primary", i] },
          ])
        : down.flatMap((i) => [
            { from: ["primary", i], to: ["secondary", i + 1] },
            { from: ["secondary", i], to: ["primary", i] },
          ]);
    default:
      return up.map((i) => ({ from: ["secondary", i], to: ["primary", i] }));
  }
}

/** Sectors that a swap needs besides the images themselves. */
export function spareSectors(mode: SimulatedBootloaderMode): number {
  return mode === "swap-move" || mode === "swap-offset" ? 1 : 0;
}
