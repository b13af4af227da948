import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Device } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import type { HciTransport } from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

// What a device was given, or has opened itself, is given back however the opening fails, and nobody waits longer than he said.

let clock: VirtualClock;
let controller: ScriptedController;
let disposals: number;

beforeEach(() => {
  clock = new VirtualClock();
  controller = new ScriptedController();
  disposals = 0;
  const dispose = controller.transport[Symbol.asyncDispose].bind(controller.transport);
  controller.transport[Symbol.asyncDispose] = () => {
    disposals++;
    return dispose();
  };
});
afterEach(() => expect(clock.pending).toEqual([]));

/** A store whose bonds come when `until` settles. */
function storeThat(until: Promise<never>): MemoryBondStore {
  const bonds = new MemoryBondStore();
  bonds.all = async function* () {
    yield await until;
  };
  return bonds;
}
const never = new Promise<never>(() => {});

test("a store that cannot be read: its error, and the transport is closed", async () => {
  const bonds = storeThat(Promise.reject(new Error("disk on fire")));
  await expect(Device.open(controller.transport, { clock, bonds })).rejects.toThrow("disk on fire");
  expect([disposals, controller.commands]).toEqual([1, []]);
  const opener = vi.fn(() => Promise.resolve(controller.transport));
  await expect(Device.open(opener, { clock, bonds: storeThat(Promise.reject(new Error("again"))) })).rejects.toThrow("again");
  expect(opener).not.toHaveBeenCalled();
});

test("a store or a function that never answers is left by the signal, with its reason", async () => {
  for (const open of [
    (signal: AbortSignal) => Device.open(controller.transport, { clock, signal, bonds: storeThat(never) }),
    (signal: AbortSignal) => Device.open(() => never, { clock, signal }),
  ]) {
    const abort = new AbortController();
    const opened = open(abort.signal);
    await delay(clock, 60_000);
    abort.abort(new Error("enough"));
    await expect(opened).rejects.toThrow("enough");
  }
  expect(disposals).toBe(1);
});

test("a transport that is opened after the signal is closed at once", async () => {
  let give!: (transport: HciTransport) => void;
  const abort = new AbortController();
  const opened = Device.open(() => new Promise<HciTransport>((resolve) => (give = resolve)), { clock, signal: abort.signal });
  await delay(clock, 1);
  abort.abort(new Error("enough"));
  await expect(opened).rejects.toThrow("enough");
  give(controller.transport);
  await delay(clock, 1);
  expect([disposals, controller.commands]).toEqual([1, []]);
});

test.each<[string, () => never | Promise<never>]>([
  [
    "throws",
    () => {
      throw new Error("no adapter");
    },
  ],
  ["rejects", () => Promise.reject(new Error("no adapter"))],
])("a function that %s: its error", async (_how, open) => {
  await expect(Device.open(open, { clock })).rejects.toThrow("no adapter");
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["a name", "hci:0"],
])("a function that gives %s: an ArgumentError, with a capture too", async (_what, given) => {
  for (const capture of [undefined, () => {}])
    await expect(Device.open(() => Promise.resolve(given as never), { clock, capture })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      message: expect.stringContaining("Device.open: expected a transport, got"),
    });
});

test("an option that is refused closes nothing: the transport can be used for another try", async () => {
  await expect(Device.open(controller.transport, { clock, maxBonds: 5, policy: { elevate: "always" as never } })).rejects.toThrow(
    "elevate",
  );
  expect(disposals).toBe(0);
  await (await Device.open(controller.transport, { clock })).close();
});

describe.each<[string, () => Promise<void>]>([
  ["hangs", () => never],
  ["cannot be closed", () => Promise.reject(new Error("stuck"))],
])("a transport that %s does not hide why", (_how, dispose) => {
  beforeEach(() => {
    controller.transport[Symbol.asyncDispose] = dispose;
  });

  test("the controller was not opened", async () => {
    controller.answers.set("LeReadBufferSize", 0x1f);
    controller.answers.set("LeReadBufferSizeV2", 0x1f);
    await expect(Device.open(controller.transport, { clock })).rejects.toMatchObject({ code: "ERR_HCI", status: 0x1f });
    expect(clock.now()).toBeLessThanOrEqual(5000);
  });

  test("the store was not read", async () => {
    const bonds = storeThat(Promise.reject(new Error("disk on fire")));
    await expect(Device.open(controller.transport, { clock, bonds })).rejects.toThrow("disk on fire");
    expect(clock.now()).toBeLessThanOrEqual(5000);
  });

  test("an address cannot be had", async () => {
    await expect(Device.open(controller.transport, { clock, irk: new Uint8Array(15) })).rejects.toThrow("identity resolving key of 15");
    expect(clock.now()).toBeLessThanOrEqual(6000);
  });
});
