import type { ImageSlotState } from "./facts.ts";
import type { ImageCondition, UpgradeMethod, UpgradePlanOptions, UpgradeStep } from "./types.ts";

/** A condition for people: what is the case, and what comes next where nobody does it. */
export function conditionText(
  at: {
    readonly condition: ImageCondition;
    readonly version: string;
    readonly image: number;
    readonly running: ImageSlotState | undefined;
    readonly method: UpgradeMethod;
  } & Pick<UpgradePlanOptions, "confirm" | "reset">,
): { message: string; advice: string } {
  const what = at.image === 0 ? `Version ${at.version}` : `Version ${at.version} of image ${at.image}`;
  const instead = at.running === undefined ? "" : `; ${at.running.version} runs`;
  const resetNext = at.reset === false ? "Reset the device to start it." : "";
  switch (at.condition) {
    case "running":
      return { message: `${what} runs and is confirmed: the same image is there already.`, advice: "" };
    case "on-trial":
      return {
        message: `${what} runs and is not confirmed yet.`,
        advice: at.confirm === "never" ? "Confirm it, or the next start goes back to the image before." : "",
      };
    case "pending":
      return { message: `${what} is uploaded and waits for a reset${instead}.`, advice: resetNext };
    case "stored":
      return { message: `${what} is uploaded and not marked for its start${instead}.`, advice: resetNext };
    case "absent":
      return { message: `${what} is not on the device${instead}.`, advice: "" };
  }
}

/** A step for people: "upload version 1.2.3 (image 1, 131072 octets)". */
export function describeUpgradeStep(step: UpgradeStep): string {
  const which = step.image === undefined || step.image === 0 ? "" : ` of image ${step.image}`;
  switch (step.kind) {
    case "enter-recovery":
      return "start the bootloader's recovery";
    case "confirm-running":
      return `confirm what runs${which}`;
    case "erase":
      return `erase slot ${step.slot}`;
    case "upload":
      return `upload version ${step.firmware.image.version}${which} (${step.firmware.octets.length} octets)`;
    case "test":
      return `mark it for a test${which}`;
    case "make-permanent":
      return `mark it to stay${which}`;
    case "reset":
      return "reset, and wait until the device answers";
    case "confirm":
      return `confirm that it stays${which}`;
  }
}
