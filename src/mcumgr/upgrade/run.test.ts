import { expect, test } from "vitest";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import type { SimulatedBootloaderMode } from "../../testing/mcumgr/swap.ts";
import { UpgradeSetup } from "./test-setup.ts";

const V2 = createImage({ version: "2.0.0", bodySize: 3000 });

const MODES: readonly [mode: SimulatedBootloaderMode, steps: readonly string[]][] = [
  ["swap-scratch", ["upload", "mark it for a test", "reset", "confirm"]],
  ["swap-move", ["upload", "mark it for a test", "reset", "confirm"]],
  ["swap-offset", ["upload", "mark it for a test", "reset", "confirm"]],
  ["overwrite-only", ["upload", "mark it for a test", "reset"]],
  ["direct-xip", ["upload", "reset"]],
  ["direct-xip-revert", ["upload", "mark it for a test", "reset", "confirm"]],
  ["ram-load", ["upload", "reset"]],
  ["single-application", ["start the bootloader's recovery", "upload", "reset"]],
];

test.each(MODES)("%s: an upgrade ends with the new image, which stays; a second one finds it there", async (mode, steps) => {
  await using setup = new UpgradeSetup({ mode, images: [{ slotSize: 32 << 10 }], sectorSize: 4096 });
  const result = await setup.upgrade(V2);
  expect(result).toMatchObject({ outcome: "complete", wasThere: false, advice: "" });
  expect(setup.steps.map((step, i) => step.slice(0, steps[i]!.length))).toEqual(steps);
  expect(setup.device.runningImage()?.version).toBe("2.0.0");
  await setup.device.reset();
  expect(setup.device.runningImage()?.version).toBe("2.0.0");
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete", wasThere: true });
  expect(setup.steps).toHaveLength(steps.length);
});
