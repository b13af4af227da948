import { checkImageDigest } from "../image/verify.ts";
import { compareImageVersions, parseImageVersion } from "../image/version.ts";
import type { UpgradeFacts } from "./facts.ts";
import { runningOf } from "./running.ts";
import type { PlannedImage, UpgradeMethod, UpgradeObstacle, UpgradePlanOptions } from "./types.ts";

type Found = Omit<UpgradeObstacle, "image">;

/** What keeps one image from being brought to life as things are. What is on its way already is not looked at again. */
export function obstaclesOf(
  facts: UpgradeFacts,
  planned: PlannedImage,
  method: UpgradeMethod,
  options: UpgradePlanOptions,
): UpgradeObstacle[] {
  const { condition, image } = planned;
  if (condition === "running" || condition === "on-trial") return [];
  const found: (Found | undefined)[] = [placeOf(facts, planned, method, options), ageOf(facts, planned, method)];
  if (condition === "absent") found.push(...fileOf(facts, planned, method, options), othersOf(facts, planned, method));
  else if (condition === "stored") found.push(othersOf(facts, planned, method));
  return found.flatMap((obstacle) => (obstacle === undefined ? [] : [{ ...obstacle, image }]));
}

function fileOf(
  { sizes }: UpgradeFacts,
  { firmware, image }: PlannedImage,
  method: UpgradeMethod,
  { slot }: UpgradePlanOptions,
): (Found | undefined)[] {
  const check = checkImageDigest(firmware.image);
  const target = method === "recovery" ? 0 : slot;
  const slots = sizes?.find((entry) => entry.image === image)?.slots.filter((entry) => target === undefined || entry.slot === target);
  const size = Math.max(...(slots ?? []).map((entry) => entry.size ?? 0));
  const { length } = firmware.octets;
  return [
    check === "invalid"
      ? {
          reason: "damaged",
          message: "The image is damaged: its digest is not that of its octets.",
          advice: "Build or fetch it anew; a bootloader would not start it.",
          canForce: true,
        }
      : undefined,
    check === "absent"
      ? {
          reason: "no-digest",
          message: "The image carries no digest, so that the device cannot name it.",
          advice: "Sign it with imgtool; forced, it is uploaded and the device is reset, and nothing can be checked.",
          canForce: true,
        }
      : undefined,
    size > 0 && length > size
      ? {
          reason: "too-large",
          message: `The image has ${length} octets, and the slot ${size}.`,
          advice: "Build a smaller image.",
          canForce: false,
        }
      : undefined,
  ];
}

/** Whether the device has such an image, and the file was built for the slot it would go to. */
function placeOf(
  { sizes, slots }: UpgradeFacts,
  planned: PlannedImage,
  method: UpgradeMethod,
  options: UpgradePlanOptions,
): Found | undefined {
  const { image, firmware, condition } = planned;
  const known = sizes?.map((entry) => entry.image) ?? slots.map((entry) => entry.image);
  if (image > 0 && !known.includes(image))
    return {
      reason: "no-such-image",
      message: `The device ${sizes ? "has" : "shows"} no image ${image}.`,
      advice: "Look at the images it has, and say which is meant; a server for one image would put it into that one's slot.",
      canForce: sizes === undefined,
    };
  if (condition !== "absent" || !method.startsWith("direct-xip")) return undefined;
  const running = runningOf({ slots, isRecovery: false }, image);
  const wanted = options.slot ?? (running?.slot === 1 ? 0 : 1);
  const own = sizes?.find((entry) => entry.image === image)?.slots;
  if (options.slot !== undefined && own !== undefined && !own.some(({ slot }) => slot === options.slot))
    return {
      reason: "no-such-slot",
      message: `Image ${image} has no slot ${options.slot}.`,
      advice: `It has ${own.map(({ slot }) => slot).join(" and ")}.`,
      canForce: false,
    };
  if (firmware.slot !== undefined && firmware.slot !== wanted)
    return {
      reason: "wrong-slot",
      message: `The file was built for slot ${firmware.slot}, and slot ${wanted} is to take it.`,
      advice: "Images run where they stand on this device: take the file for the other slot.",
      canForce: true,
    };
  return undefined;
}

/** Another image in the way. */
function othersOf(facts: UpgradeFacts, { image, condition }: PlannedImage, method: UpgradeMethod): Found | undefined {
  if (method === "recovery" || method === "direct-xip" || method === "ram-load") return undefined;
  const running = runningOf(facts, image);
  if (running !== undefined && !running.confirmed)
    return {
      reason: "other-on-trial",
      message: `Version ${running.version} runs on trial and is not confirmed; what it would go back to is in the other slot.`,
      advice: "Confirm it first, or reset the device, which goes back; forced, it is confirmed.",
      canForce: condition === "absent",
    };
  const pending = facts.slots.find((entry) => entry.image === image && entry !== running && entry.pending);
  if (pending === undefined) return undefined;
  return {
    reason: "other-pending",
    message: `Version ${pending.version} is uploaded and waits for a reset.`,
    advice: "Reset the device to let it start, or erase its slot; forced, it is erased.",
    canForce: condition === "absent",
  };
}

function ageOf(facts: UpgradeFacts, { firmware, image, version }: PlannedImage, method: UpgradeMethod): Found | undefined {
  const running = runningOf(facts, image);
  const runningVersion = running && parseImageVersion(running.version);
  if (!running || !runningVersion) return undefined;
  const age = compareImageVersions(firmware.image.header.version, runningVersion);
  const startsNewest = method === "direct-xip" || method === "direct-xip-revert" || method === "ram-load";
  if (startsNewest && age <= 0)
    return {
      reason: "not-newer",
      message: `Version ${version} is not newer than ${running.version}, which runs, and this device starts the newest.`,
      advice: "Give it a higher version.",
      canForce: false,
    };
  if (age >= 0) return undefined;
  if (facts.noDowngrade && method !== "recovery")
    return {
      reason: "running-is-newer",
      message: `Version ${running.version} runs, which is newer than ${version}, and the bootloader takes no older one.`,
      advice: "Give the image a higher version.",
      canForce: false,
    };
  return {
    reason: "running-is-newer",
    message: `Version ${running.version} runs, which is newer than ${version}.`,
    advice: "Take a newer file; forced, the device goes back to the older version.",
    canForce: true,
  };
}

/** Images of the firmware that run on trial and are not to be confirmed, while another one needs a reset. */
export function trialsOf(images: readonly PlannedImage[], { confirm, reset }: UpgradePlanOptions): UpgradeObstacle[] {
  const needsReset = images.some(({ condition }) => condition !== "running" && condition !== "on-trial");
  if (confirm !== "never" || reset === false || !needsReset) return [];
  return images
    .filter(({ condition }) => condition === "on-trial")
    .map(({ image, version }) => ({
      reason: "other-on-trial",
      image,
      message: `Version ${version} of image ${image} runs on trial, and the reset that the others need would send it back.`,
      advice: "Confirm it first, or let the upgrade confirm what runs.",
      canForce: false,
    }));
}
