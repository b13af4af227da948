import { describe, expect, test } from "vitest";
import { information, type Script, ScriptedKernel } from "../../../test/support/scripted-kernel.ts";
import { toHex } from "../../bytes/index.ts";
import { SimulatedKernel } from "../../testing/index.ts";
import { commands, openMgmt, Status } from "../index.ts";
import { type AdvertiseOptions, advertise } from "./advertise.ts";
import { powerCycle } from "./power.ts";
import { scan } from "./scan.ts";

const ON = 0x201;
const OFF = 0x200;
const FEATURES = { supportedFlags: 0x1_ffff, maxAdvDataLen: 31, maxScanRspLen: 31, maxInstances: 3, instances: [1] };
const ENETDOWN = { errno: 100, code: "ENETDOWN" };

function advertiser(script: Script = {}): ScriptedKernel {
  return new ScriptedKernel({
    ReadControllerInformation: information(ON),
    ReadAdvertisingFeatures: FEATURES,
    GetAdvertisingSizeInformation: ({ flags }) => ({ maxAdvDataLen: (flags as number) & 0x0e ? 28 : 31, maxScanRspLen: 31 }),
    ReadManagementSupportedCommands: { commands: Object.values(commands).map(({ opcode }) => opcode), events: [] },
    AddExtendedAdvertisingParameters: { txPower: -4, maxAdvDataLen: 28, maxScanRspLen: 31 },
    ...script,
  });
}

const last = (kernel: ScriptedKernel, name: string) => kernel.written.findLast((command) => command.name === name)?.parameters;

describe("advertising", () => {
  test("takes the first free instance, lays its data out, and is removed on disposal", async () => {
    const kernel = advertiser();
    const mgmt = await kernel.open();
    {
      await using advertising = await advertise(mgmt, 0, { services: ["180D"], name: "Heart", appearance: 832 });
      expect(advertising.instance).toBe(2);
      expect(advertising.active).toBe(true);
    }
    const added = last(kernel, "AddAdvertising");
    expect(added).toMatchObject({ instance: 2, flags: 0b11, duration: 0, timeout: 0 });
    expect(toHex(added?.advData as Uint8Array)).toBe("03030d18" + "03194003" + "06094865617274");
    expect(kernel.names.slice(-1)).toEqual(["RemoveAdvertising 0"]);
    expect(kernel.count("AddExtendedAdvertisingParameters")).toBe(0);
  });

  test("on a kernel that does not tell the room there is takes the whole, and the kernel's word for what is too long", async () => {
    const kernel = advertiser({ GetAdvertisingSizeInformation: Status.UnknownCommand });
    await advertise(await kernel.open(), 0, { services: ["180D"] });
    expect(kernel.names.at(-1)).toBe("AddAdvertising 0");
    const refused = advertiser({ GetAdvertisingSizeInformation: Status.Rejected });
    await expect(advertise(await refused.open(), 0, { services: ["180D"] })).rejects.toMatchObject({ statusName: "Rejected" });
  });

  test("puts a name that does not fit into the scan response", async () => {
    const kernel = advertiser();
    await advertise(await kernel.open(), 0, { services: ["9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11"], name: "a long name for it" });
    expect(last(kernel, "AddAdvertising")?.advData).toHaveLength(18);
    expect(last(kernel, "AddAdvertising")?.scanRsp).toHaveLength(20);
  });

  test("of data that do not fit adds nothing, and says what takes how much", async () => {
    const kernel = advertiser();
    const manufacturerData = { companyIdentifier: 0xffff, data: new Uint8Array(26) };
    await expect(advertise(await kernel.open(), 0, { manufacturerData })).rejects.toThrow("at most 28 fit (ManufacturerSpecificData 30)");
    expect(kernel.count("AddAdvertising")).toBe(0);
  });

  test("says what is asked for by flags that the kernel fills in", async () => {
    const cases: [AdvertiseOptions, number][] = [
      [{}, 0b11],
      [{ discoverable: "limited" }, 0b101],
      [{ discoverable: false }, 0b1001],
      [{ connectable: false }, 0],
      [{ connectable: false, discoverable: true, includeTxPower: true }, 0b1_0010],
      [{ name: true, appearance: true, secondaryPhy: "2M" }, 0b1_0110_0011],
    ];
    for (const [options, flags] of cases) {
      const kernel = advertiser();
      await advertise(await kernel.open(), 0, options);
      expect(last(kernel, "AddAdvertising")?.flags).toBe(flags);
    }
  });

  test("takes two steps for an interval or a transmit power, and tells the power it got", async () => {
    const kernel = advertiser();
    const options = { intervalMs: [100, 150] as const, txPowerDbm: -5, durationMs: 1_500, name: "x" };
    const { txPowerDbm } = await advertise(await kernel.open(), 0, options);
    expect(txPowerDbm).toBe(-4);
    expect(last(kernel, "AddExtendedAdvertisingParameters")).toEqual({
      instance: 2,
      flags: 0x00e003, // timeout, intervals and power count
      duration: 0,
      timeout: 2,
      minInterval: 160,
      maxInterval: 240,
      txPower: -5,
    });
    expect(toHex(last(kernel, "AddExtendedAdvertisingData")?.advData as Uint8Array)).toBe("020978");
  });

  test("in two steps announces a scan response", async () => {
    const kernel = advertiser();
    await advertise(await kernel.open(), 0, { method: "extended", scanResponse: { name: "x" }, turnMs: 5_000 });
    expect(last(kernel, "AddExtendedAdvertisingParameters")).toMatchObject({ flags: 0x1_1003, duration: 5 });
  });

  test("in two steps asks a kernel that has only one for none", async () => {
    const kernel = advertiser({ ReadManagementSupportedCommands: { commands: [0x3e], events: [] } });
    await expect(advertise(await kernel.open(), 0, { intervalMs: 100 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(kernel.count("AddExtendedAdvertisingParameters")).toBe(0);
  });

  test("of two at the same time takes two instances; a third finds none free", async () => {
    const kernel = advertiser();
    const mgmt = await kernel.open();
    const all = await Promise.allSettled([advertise(mgmt, 0), advertise(mgmt, 0), advertise(mgmt, 0)]);
    expect(all.map((one) => (one.status === "fulfilled" ? one.value.instance : one.reason.code))).toEqual([2, 3, "ERR_STATE"]);
  });

  test("that cannot be had is refused before anything is added", async () => {
    const kernel = advertiser({ ReadAdvertisingFeatures: { ...FEATURES, supportedFlags: 0x7f } });
    const mgmt = await kernel.open();
    await expect(advertise(mgmt, 0, { secondaryPhy: "coded" })).rejects.toThrow("hci0 cannot advertise with SecondaryCoded");
    await expect(advertise(mgmt, 0, { instance: 4 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(advertise(mgmt, 0, { method: "legacy", intervalMs: 100 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(kernel.count("AddAdvertising")).toBe(0);
  });
});

describe("advertising that fails", () => {
  test("at its only command leaves nothing to remove", async () => {
    const kernel = advertiser({ AddAdvertising: Status.Rejected });
    await expect(advertise(await kernel.open(), 0)).rejects.toMatchObject({ statusName: "Rejected" });
    expect(kernel.count("RemoveAdvertising")).toBe(0);
  });

  test("at its second step, by its signal or by its timeout is removed, and its number is free again", async () => {
    for (const end of ["second step", "signal", "timeout"] as const) {
      const kernel = advertiser({ AddExtendedAdvertisingData: end === "second step" ? Status.InvalidParameters : "silence" });
      const mgmt = await kernel.open();
      const abort = new AbortController();
      kernel.clock.setTimer(100, "abort", () => end === "signal" && abort.abort(new Error("enough")));
      const failing = advertise(mgmt, 0, { method: "extended", signal: abort.signal, timeoutMs: 5_000 });
      await expect(failing).rejects.toThrow(end === "signal" ? "enough" : end === "timeout" ? "5000 ms" : "InvalidParameters");
      expect(kernel.names.at(-1)).toBe("RemoveAdvertising 0");
      const again = await advertise(mgmt, 0, {});
      expect(again.instance).toBe(2);
    }
  });
});

describe("advertising that is lost", () => {
  const losses: Record<string, [(kernel: ScriptedKernel) => unknown, AdvertiseOptions?]> = {
    removed: [(kernel) => kernel.say("advertisingRemoved", 0, { instance: 2 })],
    duration: [
      (kernel) => kernel.clock.setTimer(2_000, "over", () => kernel.say("advertisingRemoved", 0, { instance: 2 })),
      { durationMs: 2_000 },
    ],
    "powered off": [(kernel) => kernel.say("newSettings", 0, { currentSettings: OFF })],
    "adapter removed": [(kernel) => kernel.say("extendedIndexRemoved", 0, { controllerType: 0, controllerBus: 1 })],
  };
  test.each(Object.keys(losses))("says how: %s; and is not removed any more", async (reason) => {
    const [lose, options] = losses[reason]!;
    const kernel = advertiser();
    const advertising = await advertise(await kernel.open(), 0, options);
    kernel.say("advertisingRemoved", 0, { instance: 1 });
    kernel.say("advertisingRemoved", 1, { instance: 2 });
    expect(advertising.active).toBe(true);
    lose(kernel);
    expect(await advertising.lost).toBe(reason);
    expect(advertising.active).toBe(false);
    await advertising[Symbol.asyncDispose]();
    expect(kernel.count("RemoveAdvertising")).toBe(0);
  });

  test("with its client says so", async () => {
    const mgmt = await advertiser().open();
    const advertising = await advertise(mgmt, 0);
    await mgmt[Symbol.asyncDispose]();
    expect(await advertising.lost).toBe("client closed");
    await advertising[Symbol.asyncDispose]();
  });

  test("waits for the power when it was added without", async () => {
    const kernel = advertiser({ ReadControllerInformation: information(OFF) });
    const advertising = await advertise(await kernel.open(), 0);
    kernel.say("newSettings", 0, { currentSettings: OFF | 2 });
    expect(advertising.active).toBe(true);
  });

  test("without being told may be gone when it is removed; other failures are errors", async () => {
    for (const [answer, fails] of [
      [Status.InvalidParameters, false],
      [Status.InvalidIndex, false],
      [ENETDOWN, false],
      [Status.Busy, true],
    ] as const) {
      const kernel = advertiser({ RemoveAdvertising: answer });
      const advertising = await advertise(await kernel.open(), 0);
      const disposed = advertising[Symbol.asyncDispose]();
      await (fails ? expect(disposed).rejects.toMatchObject({ statusName: "Busy" }) : disposed);
      expect(await advertising.lost).toBe("disposed");
    }
  });
});

test("a signal ends advertising that is under way", async () => {
  const kernel = advertiser();
  const abort = new AbortController();
  const advertising = await advertise(await kernel.open(), 0, { signal: abort.signal });
  abort.abort();
  expect(await advertising.lost).toBe("disposed");
  expect(kernel.names.at(-1)).toBe("RemoveAdvertising 0");
});

describe("against a kernel", () => {
  test.each(["legacy", "extended"] as const)("what is advertised is heard, %s, until its duration is over", async (method) => {
    const kernel = new SimulatedKernel({ controllers: [{ settings: ["LowEnergy"], name: "computer" }, { settings: ["LowEnergy"] }] });
    const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    for (const index of [0, 1]) await mgmt.setPowered(index, true);
    const advertising = await advertise(mgmt, 0, { method, services: ["180D"], name: true, durationMs: 3_000 });
    for await (const device of scan(mgmt, 1)) {
      expect(device.name).toBe("computer");
      expect(device.serviceUuids.map(({ short }) => short)).toEqual([0x180d]);
      expect(device.data.flags).toBe(6);
      break;
    }
    expect(await advertising.lost).toBe("duration");
    expect(kernel.clock.now()).toBeGreaterThan(3_000);
    expect((await mgmt.readAdvertisingFeatures(0)).instances).toEqual([]);
  });

  test("a power cycle ends it, and says which instance that was", async () => {
    const kernel = new SimulatedKernel({ controllers: [{ settings: ["LowEnergy"] }] });
    const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    await mgmt.setPowered(0, true);
    const advertising = await advertise(mgmt, 0);
    expect((await powerCycle(mgmt, 0)).lost).toEqual({ connections: [], advertisingInstances: [1] });
    expect(await advertising.lost).toBe("removed");
  });

  test("data that the kernel refuses leave nothing behind", async () => {
    const kernel = new SimulatedKernel({ controllers: [{ settings: ["LowEnergy"] }] });
    const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    await mgmt.setPowered(0, true);
    for (const method of ["legacy", "extended"] as const) {
      const failing = advertise(mgmt, 0, { method, data: { flags: 6 } }); // the kernel writes the flags
      await expect(failing).rejects.toMatchObject({ statusName: "InvalidParameters" });
      expect((await mgmt.readAdvertisingFeatures(0)).instances).toEqual([]);
    }
  });
});
