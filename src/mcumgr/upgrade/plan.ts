import { equalBytes } from "../../bytes/hex.ts";
import { checkBoolean, checkChoice, checkInteger, checkOptions, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { imageWarnings } from "../image/describe.ts";
import type { Firmware, FirmwareImage } from "../image/package.ts";
import { BootloaderMode } from "../protocol/groups/os.ts";
import type { UpgradeFacts } from "./facts.ts";
import { obstaclesOf, trialsOf } from "./obstacles.ts";
import { runningOf } from "./running.ts";
import { destinationOf, slotNumber } from "./slots.ts";
import type { ImageCondition, PlannedImage, UpgradeMethod, UpgradePlan, UpgradePlanOptions, UpgradeStep } from "./types.ts";
import { conditionText } from "./words.ts";

export const PLAN_OPTIONS = optionNames<UpgradePlanOptions>({ image: true, slot: true, confirm: true, reset: true, force: true });

export function checkPlanOptions(what: string, options: UpgradePlanOptions): void {
  if (options.image !== undefined) checkInteger(`${what}: image`, options.image, 0, 255);
  if (options.slot !== undefined) checkInteger(`${what}: slot`, options.slot, 0, 255);
  if (options.confirm !== undefined) checkChoice(`${what}: confirm`, options.confirm, ["when-running", "never", "at-once"]);
  checkBoolean(`${what}: reset`, options.reset);
  checkBoolean(`${what}: force`, options.force);
}

/** How the device brings an uploaded image to life. What a bootloader does not tell, and modes that came later, are taken for a swap. */
export function methodOf({ mode, isRecovery }: Pick<UpgradeFacts, "mode" | "isRecovery">): UpgradeMethod {
  if (isRecovery) return "recovery";
  switch (mode) {
    case BootloaderMode.SingleApplication:
    case BootloaderMode.FirmwareLoader:
      return "recovery";
    case BootloaderMode.OverwriteOnly:
      return "overwrite";
    case BootloaderMode.DirectXip:
      return "direct-xip";
    case BootloaderMode.DirectXipWithRevert:
      return "direct-xip-revert";
    case BootloaderMode.RamLoad:
      return "ram-load";
    default:
      return "swap";
  }
}

/** What is to be done, in which order and why, from what a device says of itself. Pure: nothing is asked, and nothing is done. @throws {ArgumentError} */
export function planUpgrade(facts: UpgradeFacts, firmware: Firmware, options: UpgradePlanOptions = {}): UpgradePlan {
  checkOptions("planUpgrade", options, PLAN_OPTIONS);
  checkPlanOptions("planUpgrade", options);
  if (firmware.kind === "package" && options.image !== undefined && firmware.images.every(({ imageIndex }) => imageIndex !== options.image))
    throw new ArgumentError(`planUpgrade: image: the package has none for image ${options.image}`);
  const method = methodOf(facts);
  const images = chosenImages(facts, firmware, method, options).map((chosen) => planImage(facts, chosen, method, options));
  const found = [...images.flatMap((image) => obstaclesOf(facts, image, method, options)), ...trialsOf(images, options)];
  const obstacles = found.filter(({ canForce }) => !(canForce && options.force));
  const overruled = found.filter((obstacle) => !obstacles.includes(obstacle)).map(({ message }) => `${message} It is done all the same.`);
  const steps = obstacles.length === 0 ? stepsOf(facts, images, method, options) : [];
  return {
    status: obstacles.length > 0 ? "blocked" : steps.length > 0 ? "ready" : "complete",
    method,
    images,
    steps,
    obstacles,
    notes: [...overruled, ...notesOf(facts, images, method)],
  };
}

interface Chosen {
  readonly image: number;
  readonly firmware: FirmwareImage;
}

/** One file for each image of the device: of several that were built for different slots the one that runs, else the one for the free slot. */
function chosenImages(facts: UpgradeFacts, firmware: Firmware, method: UpgradeMethod, options: UpgradePlanOptions): Chosen[] {
  if (firmware.kind !== "package") {
    const [only] = firmware.images;
    if (only === undefined) throw new ArgumentError("planUpgrade: firmware: expected an image");
    return [{ image: options.image ?? only.imageIndex, firmware: only }];
  }
  const numbers = [...new Set(firmware.images.map(({ imageIndex }) => imageIndex))];
  return numbers
    .filter((image) => options.image === undefined || image === options.image)
    .map((image) => {
      const files = firmware.images.filter(({ imageIndex }) => imageIndex === image);
      const running = runningOf(facts, image);
      const target = method === "recovery" ? 0 : (options.slot ?? (running?.slot === 1 ? 0 : 1));
      const runs = files.find((file) => running?.hash && file.image.digest && equalBytes(running.hash, file.image.digest.value));
      const fits = files.find(({ slot }) => slot === target) ?? files.find(({ slot }) => slot === undefined);
      return { image, firmware: runs ?? fits ?? files[0]! };
    });
}

function planImage(facts: UpgradeFacts, { image, firmware }: Chosen, method: UpgradeMethod, options: UpgradePlanOptions): PlannedImage {
  const { version } = firmware.image;
  const hash = firmware.image.digest?.value;
  const running = runningOf(facts, image);
  const condition = conditionOf(facts, image, hash, method);
  const text = conditionText({ condition, version, image, running, method, confirm: options.confirm, reset: options.reset });
  return { image, firmware, version, hash, condition, runningVersion: running?.version, ...text };
}

function conditionOf(facts: UpgradeFacts, image: number, hash: Uint8Array | undefined, method: UpgradeMethod): ImageCondition {
  if (hash === undefined) return "absent";
  const entries = facts.slots.filter((entry) => entry.image === image && entry.hash !== undefined && equalBytes(entry.hash, hash));
  const running = runningOf(facts, image);
  // Both slots may hold it.
  if (running !== undefined && entries.includes(running)) {
    const stays = method === "direct-xip" || method === "ram-load" || method === "recovery" || running.confirmed;
    return stays ? "running" : "on-trial";
  }
  const other = method === "recovery" ? entries.find(({ slot }) => slot === 0) : entries[0];
  if (other === undefined) return "absent";
  return other.pending ? "pending" : "stored";
}

function stepsOf(facts: UpgradeFacts, images: readonly PlannedImage[], method: UpgradeMethod, options: UpgradePlanOptions): UpgradeStep[] {
  const steps: UpgradeStep[] = [];
  const waiting = images.filter(({ condition }) => condition !== "running" && condition !== "on-trial");
  // The reset that one image needs would send another back that is on trial.
  if (waiting.length > 0 && options.confirm !== "never") steps.push(...confirming(images.filter(isOnTrial)));
  const uploads = waiting.filter(({ condition }) => condition === "absent");
  if (method === "recovery" && uploads.length > 0 && !facts.isRecovery)
    steps.push({
      kind: "enter-recovery",
      image: undefined,
      why: "The device has one slot: its bootloader takes the image while no application runs.",
    });
  for (const planned of uploads) steps.push(...preparing(facts, planned, method), uploading(facts, planned, method, options));
  if (method === "swap" || method === "overwrite" || method === "direct-xip-revert") {
    for (const planned of waiting) {
      const mark = marking(facts, planned, method, options);
      if (mark !== undefined) steps.push(mark);
    }
  }
  if (waiting.length > 0 && options.reset !== false) steps.push({ kind: "reset", image: undefined, why: RESET_REASONS[method] });
  if (options.confirm === "never") return steps;
  const goesBack = method === "swap" || method === "direct-xip-revert";
  const resets = options.confirm !== "at-once" && options.reset !== false;
  if (waiting.length === 0) steps.push(...confirming(images.filter(isOnTrial)));
  else if (goesBack && resets) steps.push(...confirming(waiting.filter(({ hash }) => hash !== undefined)));
  return steps;
}

const RESET_REASONS: Readonly<Record<UpgradeMethod, string>> = {
  swap: "The bootloader exchanges the images when the device starts.",
  overwrite: "The bootloader copies the image over the old one when the device starts.",
  "direct-xip": "The bootloader starts the newest image where it stands.",
  "direct-xip-revert": "The bootloader starts the newest image that is marked, where it stands.",
  "ram-load": "The bootloader loads the newest image when the device starts.",
  recovery: "The bootloader starts the application.",
};

/** What has to go before there is room; only with `force`, or it would stand among the obstacles. */
function preparing(facts: UpgradeFacts, { image }: PlannedImage, method: UpgradeMethod): UpgradeStep[] {
  const running = runningOf(facts, image);
  if (method === "recovery" || method === "direct-xip" || method === "ram-load") return [];
  if (running !== undefined && !running.confirmed)
    return [
      {
        kind: "confirm-running",
        image,
        hash: running.hash,
        why: `Version ${running.version} is on trial, and the slot it came from is needed.`,
      },
    ];
  const pending = facts.slots.find((entry) => entry.image === image && entry !== running && entry.pending);
  if (pending === undefined) return [];
  const slot = slotNumber(facts, image, pending.slot);
  return [{ kind: "erase", image, slot, why: `Version ${pending.version} waits in the slot that is needed.` }];
}

function uploading(
  facts: UpgradeFacts,
  { image, firmware, version, runningVersion }: PlannedImage,
  method: UpgradeMethod,
  options: UpgradePlanOptions,
): UpgradeStep {
  const destination = destinationOf(facts, image, method, options.slot, runningOf(facts, image));
  const instead = runningVersion === undefined ? "" : `, ${runningVersion} runs`;
  return { kind: "upload", image, firmware, destination, why: `Version ${version} is not on the device${instead}.` };
}

function marking(facts: UpgradeFacts, planned: PlannedImage, method: UpgradeMethod, options: UpgradePlanOptions): UpgradeStep | undefined {
  const { image, hash, condition } = planned;
  if (hash === undefined) return undefined;
  const entry = facts.slots.find((slot) => slot.image === image && slot.hash !== undefined && equalBytes(slot.hash, hash));
  if (options.confirm === "at-once") {
    if (condition === "pending" && entry?.permanent) return undefined;
    return { kind: "make-permanent", image, hash, why: "It is to stay from its first start on, with no way back." };
  }
  if (condition === "pending") return undefined;
  const why =
    method === "overwrite"
      ? "The bootloader copies only what is marked; it keeps nothing to go back to."
      : "The bootloader starts it once, and goes back to the old image at the next start unless it is confirmed.";
  return { kind: "test", image, hash, why };
}

const isOnTrial = ({ condition }: PlannedImage): boolean => condition === "on-trial";

function confirming(images: readonly PlannedImage[]): UpgradeStep[] {
  const why = "It runs and answers, so that it may stay; without this the next start goes back.";
  return images.map(({ image, hash }) => ({ kind: "confirm", image, hash, why }));
}

function notesOf(facts: UpgradeFacts, images: readonly PlannedImage[], method: UpgradeMethod): string[] {
  const notes = images
    .filter(({ condition }) => condition === "absent")
    .flatMap(({ firmware, image }) =>
      imageWarnings(firmware.image).map((warning) => (images.length > 1 ? `Image ${image}: ${warning}` : warning)),
    );
  if (facts.mode === undefined && !facts.isRecovery)
    notes.push("The device does not tell how its bootloader works: it is taken to swap images.");
  else if (facts.mode !== undefined && (facts.mode < 0 || facts.mode > BootloaderMode.FirmwareLoader))
    notes.push(`The bootloader's mode ${facts.mode} is not known: it is taken to swap images.`);
  if (method === "overwrite" && images.some(({ condition }) => condition !== "running"))
    notes.push("The bootloader overwrites the old image: there is no way back to it.");
  return notes;
}
