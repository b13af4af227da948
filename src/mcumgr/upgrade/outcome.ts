import { McumgrReturnCode } from "../protocol/codes.ts";
import type { McumgrError } from "../protocol/error.ts";
import { ImageGroup } from "../protocol/groups/image.ts";
import { UpgradeError } from "./error.ts";
import type { UpgradeFacts } from "./facts.ts";
import { runningOf } from "./running.ts";
import type { UpgradePlan, UpgradePlanOptions, UpgradeStep } from "./types.ts";
import { describeUpgradeStep } from "./words.ts";

/**
 * What is wrong after the reset; undefined where the new images run. An image without a digest cannot be looked for. "not-started" may come too
 * early, where the reset was not heard.
 *
 * @param started images that were seen to run since
 */
export function afterReset(
  facts: UpgradeFacts,
  plan: UpgradePlan,
  started: ReadonlySet<number>,
  { confirm }: UpgradePlanOptions,
): UpgradeError | "unchecked" | undefined {
  const missing = plan.images.find(({ condition }) => condition !== "running" && condition !== "on-trial");
  if (missing === undefined) return undefined;
  if (facts.isRecovery)
    return new UpgradeError("not-bootable", {
      message: "the bootloader found no image that it may start, and waits in its recovery",
      advice: "check how the image was signed and for which board it was built, and upload one that fits",
    });
  if (missing.hash === undefined) return "unchecked";
  const { image, version, condition } = missing;
  const now = runningOf(facts, image)?.version;
  const runs = now === undefined ? "it runs what it ran before" : `version ${now} runs`;
  if (started.has(image))
    return new UpgradeError("reverted", {
      image,
      message: `version ${version} ran and was not confirmed before the next start, so that the device has gone back: ${runs}`,
      advice: "upgrade again; where that comes to the same, the new version does not keep running long enough to be confirmed",
    });
  if (condition === "pending")
    return new UpgradeError("not-started", {
      image,
      message: `version ${version} still waits for its start after the reset, and ${runs}`,
      advice: "reset the device once more; where that changes nothing, another image that it depends on may be missing",
    });
  if (condition === "absent" && plan.method !== "direct-xip-revert")
    return new UpgradeError("not-started", {
      image,
      message: `the bootloader did not take version ${version} and has thrown it away; ${runs}`,
      advice: "check with which key it was signed, for which board it was built, and whether it is older than the bootloader allows",
    });
  if (plan.method === "direct-xip" || plan.method === "ram-load" || confirm === "at-once")
    return new UpgradeError("not-started", {
      image,
      message: `the bootloader did not start version ${version}; ${runs}`,
      advice: "check with which key it was signed and for which board and slot it was built",
    });
  return new UpgradeError("reverted", {
    image,
    message: `version ${version} was started and did not get as far as its confirmation, so that the device has gone back: ${runs}`,
    advice: "the new version may not get as far as its mcumgr server; look at its console, mend it, and upgrade again",
  });
}

/** A step was done, and the device says that it has to be done again. */
export function repeated(step: UpgradeStep, { images }: UpgradePlan): UpgradeError {
  const image = step.image;
  const version = images.find((planned) => planned.image === image)?.version ?? "";
  switch (step.kind) {
    case "upload":
      return new UpgradeError("not-stored", {
        image,
        message: `version ${version} was uploaded, and the device does not list its digest`,
        advice: "upgrade again; where it stays so, another client may be uploading, or the image went to another slot",
      });
    case "enter-recovery":
      return new UpgradeError("no-recovery", {
        message: "the device was told to start its bootloader's recovery, and its application runs",
        advice: "start the recovery by hand (a button or a pin at reset), then upgrade again",
      });
    case "confirm":
    case "confirm-running":
      return new UpgradeError("not-confirmed", {
        image,
        message: "the device said that the image stays, and lists it as on trial",
        advice: "confirm it again before the next reset, or the device goes back to the image before",
      });
    default:
      return new UpgradeError("not-marked", {
        image,
        message: `the device said yes to "${describeUpgradeStep(step)}", and its state has not changed`,
        advice: "read the image state and try again",
      });
  }
}

const ADVICE: Readonly<Record<number, string>> = {
  9: "the slot is in use or kept for a revert: confirm the image that runs, or erase what is pending",
  27: "the server takes only newer versions",
  28: "another image waits for its start, or the running one is not confirmed: reset, or confirm it",
  30: "build a smaller image",
  32: "this server confirms only what runs: leave it to be confirmed once it runs",
};

/** The server refused a step. */
export function refused(step: UpgradeStep, cause: McumgrError): UpgradeError {
  const known = cause.group === ImageGroup.id ? ADVICE[cause.rc] : undefined;
  const isBusy = cause.group === undefined && cause.rc === McumgrReturnCode.Busy;
  return new UpgradeError(
    "refused",
    {
      image: step.image,
      message: `the device refused to ${describeUpgradeStep(step)} (${cause.message})`,
      advice:
        known ??
        (isBusy ? "its application is busy: try again later" : "nothing was changed by this step; upgrade again when it is mended"),
    },
    { cause },
  );
}
