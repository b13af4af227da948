import { describe, expect, test } from "vitest";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import { type Firmware, readFirmware } from "../image/package.ts";
import { BootloaderMode } from "../protocol/groups/os.ts";
import type { ImageSlotState, UpgradeFacts } from "./facts.ts";
import { planUpgrade } from "./plan.ts";
import type { UpgradePlanOptions } from "./types.ts";

const OLD = readFirmware(createImage({ version: "1.0.0" }));
const NEW = readFirmware(createImage({ version: "2.0.0" }));
const OTHER = readFirmware(createImage({ version: "1.5.0" }));
const hashOf = (firmware: Firmware): Uint8Array => firmware.images[0]!.image.digest!.value;

type Flags = Partial<Omit<ImageSlotState, "slot" | "hash">>;
function slot(number: number, firmware: Firmware, flags: Flags = {}): ImageSlotState {
  const { version } = firmware.images[0]!.image;
  const no = { bootable: true, pending: false, confirmed: false, active: false, permanent: false };
  return { image: 0, slot: number, version, hash: hashOf(firmware), ...no, ...flags } as ImageSlotState;
}
const runs = { active: true, confirmed: true };

const { SwapUsingScratch, OverwriteOnly, DirectXip, DirectXipWithRevert, RamLoad, SingleApplication, FirmwareLoader } = BootloaderMode;
const facts = (mode: number | undefined, slots: readonly ImageSlotState[], more: Partial<UpgradeFacts> = {}): UpgradeFacts => ({
  mode,
  slots,
  noDowngrade: false,
  sizes: undefined,
  isRecovery: false,
  ...more,
});

interface Row {
  readonly name: string;
  readonly facts: UpgradeFacts;
  readonly firmware?: Firmware;
  readonly options?: UpgradePlanOptions;
  readonly condition: string;
  readonly steps: string;
  readonly obstacle?: string;
}

const old = slot(0, OLD, runs);
const ROWS: readonly Row[] = [
  { name: "swap, nothing there", facts: facts(SwapUsingScratch, [old]), condition: "absent", steps: "upload test reset confirm" },
  { name: "mode not told", facts: facts(undefined, [old]), condition: "absent", steps: "upload test reset confirm" },
  { name: "unknown mode", facts: facts(12, [old]), condition: "absent", steps: "upload test reset confirm" },
  { name: "uploaded already", facts: facts(SwapUsingScratch, [old, slot(1, NEW)]), condition: "stored", steps: "test reset confirm" },
  {
    name: "waits for a reset",
    facts: facts(SwapUsingScratch, [old, slot(1, NEW, { pending: true })]),
    condition: "pending",
    steps: "reset confirm",
  },
  {
    name: "not confirmed yet",
    facts: facts(SwapUsingScratch, [slot(0, NEW, { active: true }), slot(1, OLD, { confirmed: true })]),
    condition: "on-trial",
    steps: "confirm",
  },
  {
    name: "not confirmed yet, and not to be",
    facts: facts(SwapUsingScratch, [slot(0, NEW, { active: true }), slot(1, OLD, { confirmed: true })]),
    options: { confirm: "never" },
    condition: "on-trial",
    steps: "",
  },
  { name: "there already", facts: facts(SwapUsingScratch, [slot(0, NEW, runs), slot(1, OLD)]), condition: "running", steps: "" },
  { name: "in both slots", facts: facts(SwapUsingScratch, [slot(0, NEW, runs), slot(1, NEW)]), condition: "running", steps: "" },
  {
    name: "left on trial",
    facts: facts(SwapUsingScratch, [old]),
    options: { confirm: "never" },
    condition: "absent",
    steps: "upload test reset",
  },
  {
    name: "at once",
    facts: facts(SwapUsingScratch, [old]),
    options: { confirm: "at-once" },
    condition: "absent",
    steps: "upload make-permanent reset",
  },
  {
    name: "at once, where it is only to be tested",
    facts: facts(SwapUsingScratch, [old, slot(1, NEW, { pending: true })]),
    options: { confirm: "at-once" },
    condition: "pending",
    steps: "make-permanent reset",
  },
  { name: "no reset", facts: facts(SwapUsingScratch, [old]), options: { reset: false }, condition: "absent", steps: "upload test" },
  {
    name: "another is pending",
    facts: facts(SwapUsingScratch, [old, slot(1, OTHER, { pending: true })]),
    condition: "absent",
    steps: "",
    obstacle: "other-pending",
  },
  {
    name: "another is pending, forced",
    facts: facts(SwapUsingScratch, [old, slot(1, OTHER, { pending: true })]),
    options: { force: true },
    condition: "absent",
    steps: "erase upload test reset confirm",
  },
  {
    name: "another runs on trial",
    facts: facts(SwapUsingScratch, [slot(0, OTHER, { active: true }), slot(1, OLD, { confirmed: true })]),
    condition: "absent",
    steps: "",
    obstacle: "other-on-trial",
  },
  {
    name: "another runs on trial, forced",
    facts: facts(SwapUsingScratch, [slot(0, OTHER, { active: true }), slot(1, OLD, { confirmed: true })]),
    options: { force: true },
    condition: "absent",
    steps: "confirm-running upload test reset confirm",
  },
  {
    name: "what it would go back to is wanted",
    facts: facts(SwapUsingScratch, [slot(0, NEW, { active: true }), slot(1, OLD, { confirmed: true })]),
    firmware: OLD,
    options: { force: true },
    condition: "stored",
    steps: "",
    obstacle: "other-on-trial",
  },
  {
    name: "the running version is newer",
    facts: facts(SwapUsingScratch, [slot(0, NEW, runs)]),
    firmware: OLD,
    condition: "absent",
    steps: "",
    obstacle: "running-is-newer",
  },
  {
    name: "the running version is newer, forced",
    facts: facts(SwapUsingScratch, [slot(0, NEW, runs)]),
    firmware: OLD,
    options: { force: true },
    condition: "absent",
    steps: "upload test reset confirm",
  },
  {
    name: "the bootloader takes no older one",
    facts: facts(SwapUsingScratch, [slot(0, NEW, runs)], { noDowngrade: true }),
    firmware: OLD,
    options: { force: true },
    condition: "absent",
    steps: "",
    obstacle: "running-is-newer",
  },
  { name: "overwrite only", facts: facts(OverwriteOnly, [old]), condition: "absent", steps: "upload test reset" },
  { name: "in place", facts: facts(DirectXip, [old]), condition: "absent", steps: "upload reset" },
  { name: "in place, uploaded", facts: facts(DirectXip, [old, slot(1, NEW, { pending: true })]), condition: "pending", steps: "reset" },
  { name: "in place, back in slot 0", facts: facts(DirectXip, [slot(1, OLD, runs)]), condition: "absent", steps: "upload reset" },
  {
    name: "in place, not newer",
    facts: facts(DirectXip, [slot(0, NEW, runs)]),
    firmware: OLD,
    options: { force: true },
    condition: "absent",
    steps: "",
    obstacle: "not-newer",
  },
  { name: "in place with revert", facts: facts(DirectXipWithRevert, [old]), condition: "absent", steps: "upload test reset confirm" },
  { name: "loaded into RAM", facts: facts(RamLoad, [old]), condition: "absent", steps: "upload reset" },
  { name: "RAM, flags say nothing", facts: facts(RamLoad, [slot(1, NEW, { active: true })]), condition: "running", steps: "" },
  { name: "one slot", facts: facts(SingleApplication, [old]), condition: "absent", steps: "enter-recovery upload reset" },
  { name: "firmware loader", facts: facts(FirmwareLoader, [old]), condition: "absent", steps: "enter-recovery upload reset" },
  { name: "recovery", facts: facts(undefined, [slot(0, OLD)], { isRecovery: true }), condition: "absent", steps: "upload reset" },
  { name: "recovery, empty", facts: facts(undefined, [], { isRecovery: true }), condition: "absent", steps: "upload reset" },
  { name: "recovery, there already", facts: facts(undefined, [slot(0, NEW)], { isRecovery: true }), condition: "stored", steps: "reset" },
  {
    name: "too large",
    facts: facts(SwapUsingScratch, [old], {
      sizes: [{ image: 0, slots: [0, 1].map((n) => ({ slot: n, size: 100, more: {} })), more: {} }] as never,
    }),
    options: { force: true },
    condition: "absent",
    steps: "",
    obstacle: "too-large",
  },
  {
    name: "no such image",
    facts: facts(SwapUsingScratch, [old]),
    options: { image: 1 },
    condition: "absent",
    steps: "",
    obstacle: "no-such-image",
  },
];

test.each(ROWS)("$name", ({ facts: given, firmware = NEW, options, condition, steps, obstacle }) => {
  const plan = planUpgrade(given, firmware, options);
  expect(plan.images[0]!.condition).toBe(condition);
  expect(plan.steps.map(({ kind }) => kind).join(" ")).toBe(steps);
  expect(plan.obstacles[0]?.reason).toBe(obstacle);
  expect(plan.status).toBe(obstacle ? "blocked" : steps === "" ? "complete" : "ready");
  for (const step of plan.steps) expect(step.why).toMatch(/^[A-Z].*\.$/);
  for (const { message, advice } of plan.obstacles) expect(`${message} ${advice}`).toMatch(/^[A-Z].*\. [A-Z].*\.$/);
});

describe("several images", () => {
  const second = readFirmware(createImage({ version: "3.0.0", seed: 7 }));
  const both: Firmware = { kind: "package", images: [NEW.images[0]!, { ...second.images[0]!, imageIndex: 1 }] };
  const other = slot(0, OLD, { image: 1, confirmed: true }); // not active: another core runs it

  test("all are uploaded and marked before the one reset", () => {
    const plan = planUpgrade(facts(SwapUsingScratch, [old, other]), both);
    expect(plan.steps.map(({ kind, image }) => `${kind} ${image ?? ""}`.trim())).toEqual([
      "upload 0",
      "upload 1",
      "test 0",
      "test 1",
      "reset",
      "confirm 0",
      "confirm 1",
    ]);
    expect(plan.steps[1]).toMatchObject({ destination: 1 });
  });

  test("one that runs on trial is confirmed before the reset that the other needs", () => {
    const trial = [slot(0, NEW, { active: true }), slot(1, OLD, { confirmed: true }), other];
    const kinds = (options: UpgradePlanOptions) => planUpgrade(facts(SwapUsingScratch, trial), both, options).steps.map(({ kind }) => kind);
    expect(kinds({})).toEqual(["confirm", "upload", "test", "reset", "confirm"]);
    expect(planUpgrade(facts(SwapUsingScratch, trial), both, { confirm: "never" }).obstacles[0]).toMatchObject({
      reason: "other-on-trial",
    });
  });

  test("where images run in place the file for the free slot is taken, and one that runs is known whichever slot it was built for", () => {
    const variants: Firmware = {
      kind: "package",
      images: [
        { ...NEW.images[0]!, slot: 0, file: "a" },
        { ...readFirmware(createImage({ version: "2.0.0", seed: 9 })).images[0]!, slot: 1, file: "b" },
      ],
    };
    const fileAt = (slots: readonly ImageSlotState[]) => planUpgrade(facts(DirectXip, slots), variants).images[0]!;
    expect(fileAt([old]).firmware.file).toBe("b");
    expect(fileAt([slot(1, OLD, runs)]).firmware.file).toBe("a");
    expect(fileAt([slot(0, NEW, runs)])).toMatchObject({ condition: "running", firmware: { file: "a" } });
  });

  test("the recovery reaches the slots of further images by other numbers", () => {
    const plan = planUpgrade(facts(undefined, [slot(0, OLD), slot(0, OLD, { image: 1 })], { isRecovery: true }), both);
    expect(plan.steps.filter(({ kind }) => kind === "upload")).toMatchObject([{ destination: undefined }, { destination: 3 }]);
  });
});

describe("slots and images are told apart", () => {
  const sizes = (...ids: (number | undefined)[][]) =>
    ids.map((slots, image) => ({
      image,
      slots: slots.map((uploadImageId, n) => ({ slot: n, size: 8192, uploadImageId, more: {} })),
      more: {},
    })) as never;
  const pendingOther = { pending: true };

  test("the number that reaches the free slot is the server's own, and that of the slot that is asked for", () => {
    const destination = (given: UpgradeFacts, options: UpgradePlanOptions = {}) =>
      planUpgrade(given, NEW, options).steps.find(({ kind }) => kind === "upload");
    const direct = sizes([1, 2]);
    expect(destination(facts(SwapUsingScratch, [old], { sizes: direct }))).toMatchObject({ destination: 2 });
    expect(destination(facts(DirectXip, [slot(1, OLD, runs)], { sizes: direct }))).toMatchObject({ destination: 1 });
    expect(destination(facts(DirectXip, [old], { sizes: direct }), { slot: 1 })).toMatchObject({ destination: 2 });
    expect(destination(facts(SwapUsingScratch, [], { sizes: direct }))).toMatchObject({ destination: 2 });
    const second = facts(SwapUsingScratch, [old, slot(0, OLD, { image: 1, confirmed: true })], {
      sizes: sizes([undefined, 0], [undefined, 7]),
    });
    expect(destination(second, { image: 1 })).toMatchObject({ image: 1, destination: 7 });
    expect(destination(second)).toMatchObject({ image: 0, destination: 0 });
  });

  test("a file that was built for the slot in use, and a slot that is not there, are in the way where images run in place", () => {
    const built = (at: number): Firmware => ({ kind: "mcuboot", images: [{ ...NEW.images[0]!, slot: at }] });
    const reasons = (given: UpgradeFacts, firmware: Firmware, options?: UpgradePlanOptions) =>
      planUpgrade(given, firmware, options).obstacles.map(({ reason }) => reason);
    expect(reasons(facts(DirectXip, [old]), built(0))).toEqual(["wrong-slot"]);
    expect(reasons(facts(DirectXip, [old]), built(1))).toEqual([]);
    expect(reasons(facts(DirectXip, [slot(1, OLD, runs)]), built(1))).toEqual(["wrong-slot"]);
    expect(reasons(facts(DirectXip, [slot(1, OLD, runs)]), built(0))).toEqual([]);
    expect(reasons(facts(SwapUsingScratch, [old]), built(0))).toEqual([]);
    expect(reasons(facts(DirectXip, [old], { sizes: sizes([0, 0]) }), NEW, { slot: 2 })).toEqual(["no-such-slot"]);
    expect(reasons(facts(DirectXip, [old], { sizes: sizes([0, 0]) }), NEW, { slot: 1 })).toEqual([]);
  });

  test("what another image has, holds back or waits for is not taken for this one's", () => {
    const apart = facts(SwapUsingScratch, [old, slot(0, OLD, { image: 1, confirmed: true }), slot(1, NEW, { image: 1, ...pendingOther })]);
    const plan = planUpgrade(apart, NEW);
    expect(plan.images[0]!.condition).toBe("absent");
    expect(plan.obstacles).toEqual([]);
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["upload", "test", "reset", "confirm"]);
    const permanent = facts(SwapUsingScratch, [
      old,
      slot(1, NEW, pendingOther),
      slot(1, NEW, { image: 1, permanent: true, pending: true }),
    ]);
    expect(planUpgrade(permanent, NEW, { confirm: "at-once" }).steps[0]).toMatchObject({ kind: "make-permanent", image: 0 });
    const done = facts(SwapUsingScratch, [old, slot(1, NEW, { pending: true, permanent: true })]);
    expect(planUpgrade(done, NEW, { confirm: "at-once" }).steps.map(({ kind }) => kind)).toEqual(["reset"]);
    const blocked = facts(SwapUsingScratch, [
      old,
      slot(0, OLD, { image: 1, confirmed: true }),
      slot(1, OTHER, { image: 1, ...pendingOther }),
    ]);
    expect(planUpgrade(blocked, NEW, { image: 1, force: true }).steps[0]).toMatchObject({ kind: "erase", slot: 3 });
  });

  test("the image of a further core runs though it is not called active, and one that waits does not", () => {
    const running = (...slots: ImageSlotState[]) => planUpgrade(facts(SwapUsingScratch, [old, ...slots]), NEW, { image: 1 }).images[0]!;
    expect(running(slot(0, NEW, { image: 1, confirmed: true }))).toMatchObject({ condition: "running", runningVersion: "2.0.0" });
    expect(running(slot(1, NEW, { image: 1 }))).toMatchObject({ condition: "stored", runningVersion: undefined });
    expect(running(slot(0, NEW, { image: 1, pending: true }))).toMatchObject({ condition: "pending" });
  });

  test("in the recovery only the primary slot counts", () => {
    const plan = planUpgrade(facts(undefined, [slot(0, OLD), slot(1, NEW)], { isRecovery: true }), NEW);
    expect(plan.images[0]!.condition).toBe("absent");
  });
});

test("notes tell what changes nothing: no way back, modes that are not known, what is odd about the file", () => {
  const notes = (mode: number | undefined, slots = [old], firmware: Firmware = NEW, more: Partial<UpgradeFacts> = {}) =>
    planUpgrade(facts(mode, slots, more), firmware).notes.join(" ");
  expect(notes(SwapUsingScratch)).toBe("");
  expect(notes(OverwriteOnly)).toMatch(/no way back/);
  expect(notes(OverwriteOnly, [slot(0, NEW, runs)])).toBe("");
  expect(notes(undefined)).toMatch(/does not tell how its bootloader works/);
  expect(notes(undefined, [], NEW, { isRecovery: true })).toBe("");
  expect(notes(12)).toMatch(/mode 12 is not known/);
  expect(notes(-1)).toMatch(/mode -1 is not known/);
  expect(notes(FirmwareLoader)).toBe("");
  const padded = readFirmware(createImage({ version: "2.0.0", slotSize: 4096 }));
  expect(notes(SwapUsingScratch, [old], padded)).toMatch(/^The image is padded/);
  const older = planUpgrade(facts(SwapUsingScratch, [slot(0, NEW, runs)]), OLD, { force: true }).notes;
  expect(older).toEqual(["Version 2.0.0 runs, which is newer than 1.0.0. It is done all the same."]);
});

test("options are checked", () => {
  const given = facts(SwapUsingScratch, [old]);
  expect(() => planUpgrade(given, NEW, { imag: 1 } as never)).toThrow(/imag/);
  expect(() => planUpgrade(given, NEW, { image: -1 })).toThrow(/image/);
  expect(() => planUpgrade(given, NEW, { confirm: "now" as never })).toThrow(/confirm/);
  const nothing: Firmware = { kind: "package", images: NEW.images };
  expect(() => planUpgrade(given, nothing, { image: 3 })).toThrow("the package has none for image 3");
});

test("the same version is no obstacle to a swap, and is one where the newest starts", () => {
  const same = readFirmware(createImage({ version: "1.0.0", seed: 5 }));
  expect(planUpgrade(facts(SwapUsingScratch, [old], { noDowngrade: true }), same).obstacles).toEqual([]);
  expect(planUpgrade(facts(DirectXipWithRevert, [old]), same).obstacles).toMatchObject([{ reason: "not-newer", canForce: false }]);
  expect(planUpgrade(facts(undefined, [slot(0, NEW)], { isRecovery: true }), OLD).obstacles).toEqual([]);
});

test("sizes that are zero or not told are no sizes", () => {
  const untold = [
    {
      image: 0,
      slots: [
        { slot: 0, size: 0, more: {} },
        { slot: 1, more: {} },
      ],
      more: {},
    },
  ] as never;
  expect(planUpgrade(facts(SwapUsingScratch, [old], { sizes: untold }), NEW).obstacles).toEqual([]);
});

test("which image may be forced though the device does not show it", () => {
  const unseen = planUpgrade(facts(SwapUsingScratch, [old]), NEW, { image: 1, force: true });
  expect(unseen).toMatchObject({ status: "ready", notes: [expect.stringMatching(/^The device shows no image 1\./)] });
  const known = [{ image: 0, slots: [{ slot: 0, more: {} }], more: {} }] as never;
  expect(planUpgrade(facts(SwapUsingScratch, [old], { sizes: known }), NEW, { image: 1, force: true })).toMatchObject({
    status: "blocked",
    obstacles: [{ message: "The device has no image 1.", canForce: false }],
  });
});
