import { expect, test } from "vitest";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import { readFirmware } from "../image/package.ts";
import type { ImageSlotState } from "./facts.ts";
import type { UpgradeStep } from "./types.ts";
import { conditionText, describeUpgradeStep } from "./words.ts";

const running = { image: 0, slot: 0, version: "1.0.0" } as unknown as ImageSlotState;

test("conditions are sentences, with what comes next where nobody does it", () => {
  const at = { version: "2.0.0", image: 0, running, method: "swap", confirm: undefined, reset: undefined } as const;
  expect(conditionText({ ...at, condition: "absent" })).toEqual({ message: "Version 2.0.0 is not on the device; 1.0.0 runs.", advice: "" });
  expect(conditionText({ ...at, condition: "absent", running: undefined }).message).toBe("Version 2.0.0 is not on the device.");
  expect(conditionText({ ...at, condition: "stored" })).toEqual({
    message: "Version 2.0.0 is uploaded and not marked for its start; 1.0.0 runs.",
    advice: "",
  });
  expect(conditionText({ ...at, condition: "pending" })).toEqual({
    message: "Version 2.0.0 is uploaded and waits for a reset; 1.0.0 runs.",
    advice: "",
  });
  expect(conditionText({ ...at, condition: "pending", reset: false }).advice).toBe("Reset the device to start it.");
  expect(conditionText({ ...at, condition: "stored", reset: false }).advice).toBe("Reset the device to start it.");
  expect(conditionText({ ...at, condition: "on-trial" })).toEqual({ message: "Version 2.0.0 runs and is not confirmed yet.", advice: "" });
  expect(conditionText({ ...at, condition: "on-trial", confirm: "never" }).advice).toMatch(/^Confirm it, or the next start goes back/);
  expect(conditionText({ ...at, condition: "running", image: 1 })).toEqual({
    message: "Version 2.0.0 of image 1 runs and is confirmed: the same image is there already.",
    advice: "",
  });
});

test("steps are told in words, with the image where it is not the first", () => {
  const firmware = readFirmware(createImage({ version: "2.0.0", bodySize: 10 })).images[0]!;
  const hash = new Uint8Array(32);
  const steps: [UpgradeStep, string][] = [
    [{ kind: "enter-recovery", image: undefined, why: "" }, "start the bootloader's recovery"],
    [{ kind: "confirm-running", image: 0, hash, why: "" }, "confirm what runs"],
    [{ kind: "erase", image: 1, slot: 3, why: "" }, "erase slot 3"],
    [{ kind: "upload", image: 1, firmware, destination: 1, why: "" }, `upload version 2.0.0 of image 1 (${firmware.octets.length} octets)`],
    [{ kind: "test", image: 1, hash, why: "" }, "mark it for a test of image 1"],
    [{ kind: "make-permanent", image: 0, hash, why: "" }, "mark it to stay"],
    [{ kind: "reset", image: undefined, why: "" }, "reset, and wait until the device answers"],
    [{ kind: "confirm", image: 0, hash, why: "" }, "confirm that it stays"],
  ];
  for (const [step, text] of steps) expect(describeUpgradeStep(step)).toBe(text);
});
