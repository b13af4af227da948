import { expect, test } from "vitest";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import type { SimulatedMcumgrDeviceOptions } from "../../testing/mcumgr/options.ts";
import { parseImage } from "../image/mcuboot.ts";
import { group } from "../protocol/declare.ts";
import { ImageGroup } from "../protocol/groups/image.ts";
import { UpgradeError } from "./error.ts";
import type { UpgradeOptions } from "./run.ts";
import { UpgradeSetup } from "./test-setup.ts";

const V2 = createImage({ version: "2.0.0", bodySize: 1000 });
const small = { sectorSize: 512, images: [{ slotSize: 8 << 10 }] } as const;

async function failureOf(setup: UpgradeSetup, options: UpgradeOptions = {}): Promise<UpgradeError> {
  const error: unknown = await setup.upgrade(V2, options).then(
    (result) => result,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UpgradeError);
  const failure = error as UpgradeError;
  expect(failure.message).toContain(failure.advice);
  expect(failure.code).toBe("ERR_UPGRADE");
  return failure;
}

test("an image that the bootloader refuses is told as not started, and the old one runs", async () => {
  await using setup = new UpgradeSetup({ ...small, accepts: ({ version }) => version !== "2.0.0" });
  expect(await failureOf(setup)).toMatchObject({ reason: "not-started", image: 0 });
  expect(setup.device.runningImage()?.version).toBe("1.0.0");
});

test("a device that goes back before it is confirmed is told as reverted, and the next run completes the upgrade", async () => {
  await using setup = new UpgradeSetup(small);
  const once = setup.device.on("running", (running) => {
    if (running !== "application" || setup.device.runningImage()?.version !== "2.0.0") return;
    once[Symbol.dispose]();
    void setup.device.reset();
  });
  expect(await failureOf(setup)).toMatchObject({ reason: "reverted", image: 0 });
  expect(setup.device.runningImage()?.version).toBe("1.0.0");
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
});

test("one slot, and an image that does not start: the recovery waits, and takes another", async () => {
  await using setup = new UpgradeSetup({ ...small, mode: "single-application", accepts: ({ version }) => version !== "2.0.0" });
  expect(await failureOf(setup)).toMatchObject({ reason: "not-bootable" });
  expect(setup.device.running).toBe("recovery");
  expect(await setup.upgrade(createImage({ version: "2.0.1", bodySize: 900 }))).toMatchObject({ outcome: "complete" });
});

test("one slot and no recovery to be had", async () => {
  await using setup = new UpgradeSetup({ ...small, mode: "single-application", recovery: false });
  expect(await failureOf(setup)).toMatchObject({ reason: "no-recovery" });
  expect(setup.device.runningImage()?.version).toBe("1.0.0");
});

test("a device that does not come back is told after the time for its start, and may be gone on with", async () => {
  await using setup = new UpgradeSetup(small);
  setup.device.inject({ kind: "power-cut", after: true }, { on: "os.reset" });
  expect(await failureOf(setup, { startTimeoutMs: 5000 })).toMatchObject({ reason: "no-answer" });
  await setup.elapse(setup.device.powerOn());
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
});

test.each<[string, SimulatedMcumgrDeviceOptions, UpgradeOptions, RegExp]>([
  ["a reset that the application does not want", { mayReset: () => false }, {}, /busy: try again later/],
  ["an image that is not to be confirmed before it runs", { denyConfirmOfOther: true }, { confirm: "at-once" }, /confirms only what runs/],
])("%s: the refusal is told with what to do", async (_name, device, options, advice) => {
  await using setup = new UpgradeSetup({ ...small, ...device });
  const failure = await failureOf(setup, options);
  expect(failure).toMatchObject({ reason: "refused", cause: { code: "ERR_MCUMGR" } });
  expect(failure.advice).toMatch(advice);
});

test("an image that arrives damaged is sent once more", async () => {
  await using setup = new UpgradeSetup(small);
  setup.device.inject({ kind: "bad-hash" }, { on: "image.upload", skip: 1 });
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
  expect(setup.events.some((event) => event.type === "again" && /digest/.test(event.why))).toBe(true);
});

test("a server that says yes and marks nothing is found out", async () => {
  await using setup = new UpgradeSetup(small);
  const { state, setState, upload } = ImageGroup.commands;
  const old = {
    image: 0,
    slot: 0,
    version: "1.0.0",
    hash: new Uint8Array(32),
    bootable: true,
    pending: false,
    confirmed: true,
    active: true,
    permanent: false,
  };
  const stored = { ...old, slot: 1, version: "2.0.0", hash: parseImage(V2).digest!.value, confirmed: false, active: false };
  const lying = group("image", { id: 1, commands: { state, setState, upload } });
  setup.device.serve(lying, {
    state: () => ({ images: [old, stored] }),
    setState: () => ({}), // and some answer without the new state
    upload: () => ({ off: 0 }),
  });
  expect(await failureOf(setup)).toMatchObject({ reason: "not-marked", image: 0 });
});

test("what is in the way is a result with advice; left on trial, and left to be reset, are results too", async () => {
  await using setup = new UpgradeSetup({ ...small, images: [{ slotSize: 8 << 10, primary: createImage({ version: "3.0.0" }) }] });
  const blocked = await setup.upgrade(V2);
  expect(blocked).toMatchObject({ outcome: "blocked", wasThere: false, plan: { obstacles: [{ reason: "running-is-newer" }] } });
  expect(blocked.advice).toMatch(/forced/);
  expect(setup.steps).toEqual([]);
  expect(await setup.upgrade(V2, { force: true, reset: false })).toMatchObject({
    outcome: "waits-for-reset",
    advice: "Reset the device to start it.",
  });
  const trial = await setup.upgrade(V2, { force: true, confirm: "never" });
  expect(trial).toMatchObject({ outcome: "on-trial", advice: expect.stringMatching(/^Confirm it/) as string });
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
});

test("an image without a digest can be forced, and nothing is claimed of it", async () => {
  await using setup = new UpgradeSetup({ ...small, mode: "direct-xip" });
  const nameless = createImage({ version: "2.0.0", bodySize: 1000, digest: "none" });
  expect(await setup.upgrade(nameless)).toMatchObject({ outcome: "blocked", plan: { obstacles: [{ reason: "no-digest" }] } });
  expect(await setup.upgrade(nameless, { force: true })).toMatchObject({ outcome: "unchecked" });
  expect(setup.steps.map((step) => step.split(" ")[0])).toEqual(["upload", "reset,"]);
});

test("servers of the first version, without parameters, slot info and bootloader info, are upgraded as well", async () => {
  await using setup = new UpgradeSetup({
    ...small,
    errors: "first-only",
    alwaysRc: true,
    omitFalse: true,
    without: ["os.parameters", "os.bootloaderInfo", "image.slotInfo", "os.applicationInfo"],
  });
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
});

test("a server that says that an image stays, and lists it as on trial, is found out", async () => {
  await using setup = new UpgradeSetup(small);
  const { state, setState } = ImageGroup.commands;
  const flags = { image: 0, bootable: true, pending: false, permanent: false };
  const now = { ...flags, slot: 0, version: "2.0.0", hash: parseImage(V2).digest!.value, confirmed: false, active: true };
  const before = { ...flags, slot: 1, version: "1.0.0", hash: new Uint8Array(32), confirmed: true, active: false };
  setup.device.serve(group("image", { id: 1, commands: { state, setState } }), {
    state: () => ({ images: [now, before] }),
    setState: () => ({}),
  });
  const failure = await failureOf(setup);
  expect(failure).toMatchObject({ reason: "not-confirmed", image: 0 });
  expect(failure.advice).toMatch(/before the next reset/);
});

test("options are checked, and a signal that has aborted does nothing", async () => {
  await using setup = new UpgradeSetup(small);
  await expect(setup.upgrade(V2, { startTimeout: 3 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(setup.upgrade(V2, { startTimeoutMs: 0 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  const before = setup.device.counters.requests;
  await expect(setup.upgrade(V2, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
  expect(setup.device.counters.requests - before).toBeLessThanOrEqual(2); // those of opening the client
  await expect(setup.upgrade(V2, { timeoutMs: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "the upgrade" });
});
