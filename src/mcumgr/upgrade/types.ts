import type { FirmwareImage } from "../image/package.ts";

/** How the device brings an image to life; `recovery`: its bootloader takes the image in place of the one that runs. */
export type UpgradeMethod = "swap" | "overwrite" | "direct-xip" | "direct-xip-revert" | "ram-load" | "recovery";

/**
 * Where an image is. `absent`: not on the device. `stored`: in a slot, and nothing more. `pending`: it waits for a reset. `on-trial`: it runs, and the
 * next start goes back to the one before unless it is confirmed. `running`: it runs and stays.
 */
export type ImageCondition = "absent" | "stored" | "pending" | "on-trial" | "running";

/**
 * What keeps an upgrade from being done as things are. `other-pending`: another image waits for its start. `other-on-trial`: what runs is not
 * confirmed, and what it would go back to is in the slot that is needed. `running-is-newer`: than what is to be uploaded. `not-newer`: the device
 * only ever starts the newest. `too-large`, `no-such-image`, `no-such-slot`: for this device. `wrong-slot`: built for the slot that is in use.
 * `damaged`: the digest is not that of the octets. `no-digest`: the image has none, so that no server can name it.
 */
export type UpgradeObstacleReason =
  | "other-pending"
  | "other-on-trial"
  | "running-is-newer"
  | "not-newer"
  | "too-large"
  | "no-such-image"
  | "no-such-slot"
  | "wrong-slot"
  | "damaged"
  | "no-digest";

export interface UpgradeObstacle {
  readonly reason: UpgradeObstacleReason;
  readonly image: number;
  /** What is the case, and what can be done, a sentence each. */
  readonly message: string;
  readonly advice: string;
  /** `force` overrules it. */
  readonly canForce: boolean;
}

/** One image of the firmware, and where it is. */
export interface PlannedImage {
  /** Which of the device's images. */
  readonly image: number;
  readonly firmware: FirmwareImage;
  readonly version: string;
  /** By which servers name it; undefined where it carries none. */
  readonly hash: Uint8Array | undefined;
  readonly condition: ImageCondition;
  /** The version that runs in its place, as the server has it. */
  readonly runningVersion: string | undefined;
  /** A sentence about the condition. */
  readonly message: string;
  /** What comes next, where that is not part of the plan; empty where nothing has to. */
  readonly advice: string;
}

interface StepBase {
  /** Which of the device's images; undefined where it is about all of them. */
  readonly image: number | undefined;
  /** A sentence: why it is done. */
  readonly why: string;
}

export type UpgradeStep =
  /** Start the bootloader's recovery. */
  | (StepBase & { readonly kind: "enter-recovery" })
  /** What runs stays, although it is not what is upgraded to. */
  | (StepBase & { readonly kind: "confirm-running"; readonly image: number; readonly hash: Uint8Array | undefined })
  /** @param slot counted over all images */
  | (StepBase & { readonly kind: "erase"; readonly image: number; readonly slot: number })
  | (StepBase & {
      readonly kind: "upload";
      readonly image: number;
      readonly firmware: FirmwareImage;
      readonly destination: number | undefined;
    })
  /** Try it at the next start, and go back at the one after it unless it is confirmed. */
  | (StepBase & { readonly kind: "test"; readonly image: number; readonly hash: Uint8Array })
  /** Start it from now on. */
  | (StepBase & { readonly kind: "make-permanent"; readonly image: number; readonly hash: Uint8Array })
  /** Reset, wait until the device answers, and look what runs. */
  | (StepBase & { readonly kind: "reset" })
  | (StepBase & { readonly kind: "confirm"; readonly image: number; readonly hash: Uint8Array | undefined });

export type UpgradeStepKind = UpgradeStep["kind"];

export interface UpgradePlan {
  /** `ready`: there are steps. `complete`: all that was asked for is done. `blocked`: see `obstacles`. */
  readonly status: "ready" | "complete" | "blocked";
  readonly method: UpgradeMethod;
  readonly images: readonly PlannedImage[];
  /** In order; empty unless `ready`. */
  readonly steps: readonly UpgradeStep[];
  readonly obstacles: readonly UpgradeObstacle[];
  /** Sentences worth knowing, which change nothing. */
  readonly notes: readonly string[];
}

export interface UpgradePlanOptions {
  /** Which of the device's images a file is for that is one image; the first by default. A package says it itself. */
  readonly image?: number | undefined;
  /** The slot to upload to, where images run in place; the one that is not in use by default. */
  readonly slot?: number | undefined;
  /**
   * `when-running` (default): once the new image runs and answers. `never`: it stays on trial, for the application or somebody else to confirm. `at-once`:
   * made permanent before it has run, with no way back.
   */
  readonly confirm?: "when-running" | "never" | "at-once" | undefined;
  /** False: end before the reset, for somebody else to do it. */
  readonly reset?: boolean | undefined;
  /** Overrules what is there for safety: see `UpgradeObstacle.canForce`. */
  readonly force?: boolean | undefined;
}
