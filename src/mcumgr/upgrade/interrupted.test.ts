import { expect, test } from "vitest";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import type { McumgrFault } from "../../testing/mcumgr/faults.ts";
import type { SimulatedMcumgrDeviceOptions } from "../../testing/mcumgr/options.ts";
import type { Firmware } from "../image/package.ts";
import { readFirmware } from "../image/package.ts";
import { UpgradeSetup } from "./test-setup.ts";

const V2 = createImage({ version: "2.0.0", bodySize: 1100 });
const SECOND = createImage({ version: "2.1.0", bodySize: 700, seed: 2 });

interface Case {
  readonly name: string;
  readonly device: SimulatedMcumgrDeviceOptions;
  readonly firmware: Firmware;
  /** Every so manieth place is tried, from another one on for each fault. */
  readonly stride?: number;
}

const small = { sectorSize: 512, images: [{ slotSize: 8 << 10 }] } as const;
const single = readFirmware(V2);
const both: Firmware = {
  kind: "package",
  images: [single.images[0]!, { ...readFirmware(SECOND).images[0]!, imageIndex: 1 }],
};

const CASES: readonly Case[] = [
  { name: "swap", device: { ...small, mode: "swap-move" }, firmware: single },
  { name: "overwrite", device: { ...small, mode: "overwrite-only" }, firmware: single, stride: 2 },
  { name: "direct-xip with revert", device: { ...small, mode: "direct-xip-revert" }, firmware: single, stride: 2 },
  { name: "direct-xip", device: { ...small, mode: "direct-xip" }, firmware: single, stride: 2 },
  { name: "one slot", device: { ...small, mode: "single-application" }, firmware: single },
  {
    name: "two images",
    device: { ...small, mode: "swap-scratch", images: [{ slotSize: 8 << 10 }, { slotSize: 8 << 10 }] },
    firmware: both,
    stride: 3,
  },
];

/** Whether something sound runs, or can be started. Where there is one slot it is written in place, and the recovery takes its part. */
function isAlive({ device }: UpgradeSetup, { device: options }: Case): boolean {
  if (options.mode === "single-application") return device.running !== "nothing";
  return (
    device.running === "off" || device.running === "starting" || (device.running === "application" && device.runningImage() !== undefined)
  );
}

async function expectDone(setup: UpgradeSetup, { firmware }: Case, what: string): Promise<void> {
  await setup.elapse(setup.device.powerOn());
  const versions = (): (string | undefined)[] => firmware.images.map(({ imageIndex }) => setup.device.runningImage(imageIndex)?.version);
  expect(versions(), what).toEqual(firmware.images.map(({ image }) => image.version));
  await setup.elapse(setup.device.reset()); // and it stays
  expect(versions(), `${what}, after another reset`).toEqual(firmware.images.map(({ image }) => image.version));
}

/** Requests of an upgrade, with those that opening a client takes or without. */
async function requestsOf(at: Case, options: { opening: boolean }): Promise<number> {
  await using setup = new UpgradeSetup(at.device);
  let before = 0;
  setup.onReady = () => {
    if (!options.opening) before = setup.device.counters.requests;
  };
  await setup.upgrade(at.firmware);
  return setup.device.counters.requests - before;
}

test.each(CASES)(
  "$name: a client that is killed at any request leaves a device that starts, and another one completes the upgrade",
  async (at) => {
    const count = await requestsOf(at, { opening: true });
    expect(count).toBeGreaterThan(8);
    for (let n = 1; n <= count; n += at.stride ?? 1) {
      const what = `killed at request ${n}`;
      await using setup = new UpgradeSetup(at.device);
      const killed = new AbortController();
      let seen = 0;
      using _ = setup.device.on("request", () => {
        if (++seen === n) killed.abort(new Error("killed"));
      });
      await expect(setup.upgrade(at.firmware, { signal: killed.signal }), what).rejects.toThrow("killed");
      await setup.clock.advance(5000);
      expect(isAlive(setup, at), what).toBe(true);
      expect(await setup.upgrade(at.firmware), what).toMatchObject({ outcome: "complete" });
      await expectDone(setup, at, what);
    }
  },
);

const FAULTS: readonly (readonly [name: string, fault: McumgrFault | "cut"])[] = [
  ["the link is cut", "cut"],
  ["the request is lost", { kind: "lose-request" }],
  ["the answer is lost", { kind: "lose-answer" }],
  ["the device starts anew", { kind: "reset" }],
  ["the power goes once it is done", { kind: "power-cut", after: true, offMs: 3000 }],
];

test.each(CASES.flatMap((at) => FAULTS.map(([name, fault]) => ({ ...at, what: name, fault }))))(
  "$name: $what, at any request: the same upgrade goes on to its end, or the next one does",
  async ({ fault, what, ...at }) => {
    const count = await requestsOf(at, { opening: false });
    for (let n = FAULTS.findIndex(([name]) => name === what) % (at.stride ?? 1); n < count; n += at.stride ?? 1) {
      const where = `${what} at request ${n + 1}`;
      await using setup = new UpgradeSetup(at.device);
      let seen = 0;
      setup.onReady = () => {
        if (fault !== "cut") setup.device.inject(fault, { skip: n });
        else
          setup.device.on("request", () => {
            if (seen++ === n) setup.links!.cut();
          });
      };
      const outcome = await setup.upgrade(at.firmware).then(
        (result) => result.outcome,
        (error: Error & { reason?: string }) => `${error.reason} ${error.message}`,
      );
      expect(isAlive(setup, at), where).toBe(true);
      // A new image that starts, and is lost again before it is confirmed, goes back: that is told, and the next run completes it.
      if (outcome !== "complete") {
        expect(outcome, where).toMatch(/^reverted /);
        expect(await setup.upgrade(at.firmware), where).toMatchObject({ outcome: "complete" });
      }
      await expectDone(setup, at, where);
    }
  },
);

test.each(CASES)("$name: the power goes within any write or erase of the flash memory", async (at) => {
  let steps: number;
  {
    await using setup = new UpgradeSetup(at.device);
    await setup.upgrade(at.firmware);
    steps = setup.device.flashSteps;
  }
  for (let n = 0; n < steps; n += 3 * (at.stride ?? 1)) {
    const where = `power cut within step ${n}`;
    await using setup = new UpgradeSetup(at.device);
    setup.device.powerCutAfter(n, { offMs: 2000 });
    const outcome = await setup.upgrade(at.firmware).then(
      (result) => result.outcome,
      (error: Error & { reason?: string }) => `${error.reason} ${error.message}`,
    );
    expect(isAlive(setup, at), where).toBe(true);
    if (outcome !== "complete") {
      expect(outcome, where).toMatch(/^reverted /);
      expect(await setup.upgrade(at.firmware), where).toMatchObject({ outcome: "complete" });
    }
    await expectDone(setup, at, where);
  }
});
