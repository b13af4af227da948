import { describe, expect, test } from "vitest";
import { information, type Script, ScriptedKernel } from "../../../test/support/scripted-kernel.ts";
import { SimulatedKernel } from "../../testing/index.ts";
import { type Mgmt, type MgmtEventOf, openMgmt, Status } from "../index.ts";
import type { FoundDevice } from "./found-device.ts";
import { scan } from "./scan.ts";

const LE_ON = 0x201;
const NAMED = "00:00:00:00:AA:01";
const FLAGS = [2, 0x01, 0x06];
const NAME = [4, 0x09, 0x61, 0x62, 0x63];
const SERVICE = [3, 0x03, 0x0d, 0x18];

/** A kernel whose discoveries end by themselves, as Linux's do. */
function discovering(script: Script = {}): ScriptedKernel {
  const kernel: ScriptedKernel = new ScriptedKernel({
    ReadControllerInformation: information(LE_ON),
    StartDiscovery: ({ addressTypes }) => {
      kernel.clock.setTimer(1, "on", () => kernel.say("discovering", 0, { addressTypes: addressTypes as number, discovering: 1 }));
      kernel.clock.setTimer(10_240, "off", () => kernel.say("discovering", 0, { addressTypes: addressTypes as number, discovering: 0 }));
      return { addressTypes };
    },
    ...script,
  });
  return kernel;
}

function found(kernel: ScriptedKernel, eirData: number[], more: Partial<Omit<MgmtEventOf<"deviceFound">, "eirData">> = {}): void {
  kernel.say("deviceFound", 0, { address: NAMED, addressType: 1, rssi: -60, flags: 0, eirData: Uint8Array.from(eirData), ...more });
}

async function collect(devices: AsyncIterable<FoundDevice>, say: () => void, kernel: ScriptedKernel): Promise<string[]> {
  kernel.clock.setTimer(100, "reports", say);
  const texts: string[] = [];
  for await (const device of devices) texts.push(String(device));
  return texts;
}

describe("a scan", () => {
  test("starts with its loop, of what is switched on, and stops the same types when it is left by break", async () => {
    const kernel = discovering();
    const mgmt = await kernel.open();
    const devices = scan(mgmt, 0);
    expect(kernel.names).toEqual([]);
    kernel.clock.setTimer(100, "report", () => found(kernel, [...FLAGS, ...NAME]));
    for await (const device of devices) {
      expect(device).toMatchObject({ address: NAMED, addressType: 1, rssi: -60, connectable: true, name: "abc" });
      break;
    }
    expect(kernel.names).toEqual(["ReadControllerInformation 0", "StartDiscovery 0", "StopDiscovery 0"]);
    expect(kernel.written.at(-1)?.parameters).toEqual({ addressTypes: 6 });
  });

  test("is started again whenever the kernel has ended the discovery", async () => {
    const kernel = discovering();
    for await (const device of scan(await kernel.open(), 0, { durationMs: 35_000 })) expect(device).toBeUndefined();
    expect(kernel.count("StartDiscovery")).toBe(4);
    expect(kernel.count("StopDiscovery")).toBe(1);
  });

  test("waits before it starts a discovery again that ended at once", async () => {
    const kernel = discovering({
      StartDiscovery: () => {
        queueMicrotask(() => kernel.say("discovering", 0, { addressTypes: 6, discovering: 1 }));
        queueMicrotask(() => kernel.say("discovering", 0, { addressTypes: 6, discovering: 0 }));
        return { addressTypes: 6 };
      },
    });
    for await (const device of scan(await kernel.open(), 0, { durationMs: 9_500 })) expect(device).toBeUndefined();
    expect(kernel.count("StartDiscovery")).toBe(10);
  });

  test("ends with the reason of its signal, after the discovery was stopped", async () => {
    const kernel = discovering();
    const abort = new AbortController();
    kernel.clock.setTimer(500, "abort", () => abort.abort(new Error("enough")));
    const loop = (async () => {
      for await (const device of scan(await kernel.open(), 0, { signal: abort.signal })) expect(device).toBeUndefined();
    })();
    await expect(loop).rejects.toThrow("enough");
    expect(kernel.names.at(-1)).toBe("StopDiscovery 0");
  });

  test("that is disposed of while its loop waits ends quietly", async () => {
    const kernel = discovering();
    const devices = scan(await kernel.open(), 0);
    const next = devices.next();
    await kernel.settle();
    await devices[Symbol.asyncDispose]();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(kernel.names.at(-1)).toBe("StopDiscovery 0");
  });

  test("left before the start is answered stops what the start has started", async () => {
    const kernel = discovering({ StartDiscovery: "silence" });
    const devices = scan(await kernel.open(), 0, { types: "le", timeoutMs: 3_000 });
    const next = devices.next();
    await kernel.settle();
    await devices.return();
    await next;
    expect(kernel.clock.now()).toBe(500); // whoever leaves is not held up; the rest goes on
    await kernel.clock.advance(3_000);
    expect(kernel.names).toEqual(["StartDiscovery 0", "StopDiscovery 0"]);
  });

  test.each(["return", "abort", "duration"])("ended by %s is over soon though the kernel answers nothing any more", async (how) => {
    const kernel = discovering({ StopDiscovery: "silence" });
    const abort = new AbortController();
    const devices = scan(await kernel.open(), 0, { types: "le", limited: true, signal: abort.signal, durationMs: 100 });
    const next = devices.next().catch((error: unknown) => error);
    await kernel.settle();
    if (how === "return") await devices.return();
    if (how === "abort") abort.abort(new Error("enough"));
    await next;
    expect(kernel.clock.now()).toBeLessThanOrEqual(600);
    await kernel.clock.advance(60_000);
    expect(kernel.clock.pending).toEqual([]);
  });

  test("that was never looked at sends nothing", async () => {
    const kernel = discovering();
    await scan(await kernel.open(), 0)[Symbol.asyncDispose]();
    expect(kernel.written).toEqual([]);
  });

  test.each([
    ["services", { services: ["180f"] }, "StartServiceDiscovery 0"],
    ["limited", { limited: true }, "StartLimitedDiscovery 0"],
  ] as const)("of a kernel without the filter for %s filters by itself", async (_, filter, lacking) => {
    const kernel = discovering({ StartServiceDiscovery: Status.UnknownCommand, StartLimitedDiscovery: Status.UnknownCommand });
    const devices = scan(await kernel.open(), 0, { types: "le", ...filter });
    const next = devices.next();
    await kernel.settle();
    expect(kernel.names).toEqual([lacking, "StartDiscovery 0"]);
    const say = (address: string, eirData: Uint8Array): void =>
      kernel.say("deviceFound", 0, { address, addressType: 2, rssi: -50, flags: 0, eirData });
    say("C0:00:00:00:00:01", Uint8Array.of(2, 1, 6));
    say("C0:00:00:00:00:02", Uint8Array.of(2, 1, 5, 3, 3, 0x0f, 0x18));
    expect((await next).value).toMatchObject({ address: "C0:00:00:00:00:02" });
    await devices.return();
    expect(kernel.names).toEqual([lacking, "StartDiscovery 0", "StopDiscovery 0"]);
  });

  test("fails with the kernel's answer, and stops nothing then", async () => {
    const kernel = discovering({ StartDiscovery: Status.NotPowered });
    await expect(scan(await kernel.open(), 0, { types: "le" }).next()).rejects.toMatchObject({ statusName: "NotPowered" });
    expect(kernel.names).toEqual(["StartDiscovery 0"]);
  });

  test("ends with an error when the adapter is unplugged, whichever event tells", async () => {
    for (const name of ["indexRemoved", "extendedIndexRemoved"] as const) {
      const kernel = discovering();
      const next = scan(await kernel.open(), 0).next();
      kernel.clock.setTimer(50, "unplug", () => kernel.say(name, 0, { controllerType: 0, controllerBus: 0 }));
      await expect(next).rejects.toMatchObject({ code: "ERR_CLOSED" });
    }
  });

  test("ends quietly when its client is closed", async () => {
    const kernel = discovering();
    const mgmt = await kernel.open();
    const next = scan(mgmt, 0).next();
    await kernel.settle();
    await mgmt[Symbol.asyncDispose]();
    expect(await next).toEqual({ value: undefined, done: true });
  });
});

describe("a discovery of another program", () => {
  test("is shared, filtered, and followed by an own one; only the own one is stopped", async () => {
    let busy = true;
    const kernel = discovering({
      StartServiceDiscovery: () => (busy ? Status.Busy : { addressTypes: 6 }),
    });
    kernel.clock.setTimer(3_000, "the other ends", () => {
      busy = false;
      kernel.say("discovering", 0, { addressTypes: 7, discovering: 0 });
    });
    const devices = scan(await kernel.open(), 0, { services: ["180D"], rssiThreshold: -70, durationMs: 4_000 });
    const heard = await collect(
      devices,
      () => {
        found(kernel, [...FLAGS, ...NAME]);
        found(kernel, [...FLAGS, ...SERVICE], { address: "00:00:00:00:AA:02" });
        found(kernel, [...FLAGS, ...SERVICE], { address: "00:00:00:00:AA:03", rssi: -80 });
      },
      kernel,
    );
    expect(heard).toEqual(["00:00:00:00:AA:02 -60 dBm"]);
    expect(kernel.names.filter((name) => name.includes("Discovery"))).toEqual([
      "StartServiceDiscovery 0",
      "StartServiceDiscovery 0",
      "StopDiscovery 0",
    ]);
  });

  test("may have told of a device before it was wanted", async () => {
    const kernel = discovering({ StartServiceDiscovery: Status.Busy });
    const heard = await collect(
      scan(await kernel.open(), 0, { services: ["180D"], rssiThreshold: -70, duplicates: "once", durationMs: 4_000 }),
      () => {
        found(kernel, [...FLAGS, ...SERVICE], { rssi: -90 });
        found(kernel, [...FLAGS, ...SERVICE], { rssi: -50 }); // closer
        found(kernel, [...FLAGS, ...NAME], { address: "00:00:00:00:AA:02" });
        found(kernel, [...SERVICE], { address: "00:00:00:00:AA:02" }); // its scan response
        found(kernel, [...SERVICE], { address: "00:00:00:00:AA:02" });
      },
      kernel,
    );
    expect(heard).toEqual([`${NAMED} -50 dBm`, '00:00:00:00:AA:02 -60 dBm "abc"']);
  });

  test("is left alone when the loop is left", async () => {
    const kernel = discovering({ StartDiscovery: Status.Busy });
    for await (const device of scan(await kernel.open(), 0, { durationMs: 12_000 })) expect(device).toBeUndefined();
    expect(kernel.count("StartDiscovery")).toBe(3);
    expect(kernel.count("StopDiscovery")).toBe(0);
  });

  test("is an error for those who want it so", async () => {
    const kernel = discovering({ StartDiscovery: Status.Busy });
    await expect(scan(await kernel.open(), 0, { whenBusy: "fail" }).next()).rejects.toMatchObject({ statusName: "Busy" });
  });
});

describe("what is found", () => {
  const reports = (kernel: ScriptedKernel) => (): void => {
    found(kernel, [...FLAGS, ...SERVICE]);
    found(kernel, [...NAME], { flags: 4 }); // the scan response, apart
    found(kernel, [...FLAGS, ...SERVICE]);
    found(kernel, [...FLAGS, ...SERVICE, ...NAME], { rssi: 127 }); // both, merged by the kernel
  };

  test("is told once, at changes, or always; a scan response that comes apart completes its advertisement", async () => {
    const expected = {
      once: [undefined],
      changes: [undefined, "abc"],
      all: [undefined, "abc", "abc", "abc"],
    };
    for (const duplicates of ["once", "changes", "all"] as const) {
      const kernel = discovering();
      kernel.clock.setTimer(100, "reports", reports(kernel));
      const names: (string | undefined)[] = [];
      for await (const device of scan(await kernel.open(), 0, { duplicates, durationMs: 200 })) {
        names.push(device.name);
        expect(device.serviceUuids.map(String)).toHaveLength(1);
        expect(device.connectable).toBe(true);
      }
      expect(names).toEqual(expected[duplicates]);
    }
  });

  test("has no signal strength where the controller has none", async () => {
    const kernel = discovering();
    const heard = await collect(
      scan(await kernel.open(), 0, { duplicates: "all", durationMs: 200 }),
      () => {
        found(kernel, [], { rssi: 127 });
        found(kernel, [], { rssi: 0, addressType: 0 });
        found(kernel, [], { rssi: 0 });
      },
      kernel,
    );
    expect(heard).toEqual([NAMED, NAMED, `${NAMED} 0 dBm`]);
  });

  test("waits in a bounded queue that counts what it loses", async () => {
    const kernel = discovering();
    const devices = scan(await kernel.open(), 0, { capacity: 4, duplicates: "all", durationMs: 200 });
    const first = devices.next();
    kernel.clock.setTimer(100, "flood", () => {
      for (let i = 0; i < 11; i++) found(kernel, [...FLAGS], { rssi: -i - 1 });
    });
    const strengths = [(await first).value?.rssi];
    for await (const device of devices) strengths.push(device.rssi);
    expect(strengths).toEqual([-1, -8, -9, -10, -11]);
    expect(devices.dropped).toBe(6);
  });

  test("is asked for its name when the kernel wants to know, and a late answer's failure is nobody's", async () => {
    const kernel = discovering({ ConfirmName: Status.Failed });
    await collect(
      scan(await kernel.open(), 0, { durationMs: 300 }),
      () => {
        found(kernel, [], { addressType: 0, flags: 1 });
        found(kernel, [...NAME], { addressType: 0, flags: 1, address: "00:00:00:00:AA:02" });
      },
      kernel,
    );
    const answers = kernel.written.filter(({ name }) => name === "ConfirmName").map(({ parameters }) => parameters.nameKnown);
    expect(answers).toEqual([0, 1]);
  });
});

test("a limited discovery is followed by a short plain one, because its filter would stay in force", async () => {
  const kernel = discovering();
  for await (const device of scan(await kernel.open(), 0, { limited: true, types: "le", durationMs: 500 })) expect(device).toBeUndefined();
  expect(kernel.names).toEqual(["StartLimitedDiscovery 0", "StopDiscovery 0", "StartDiscovery 0", "StopDiscovery 0"]);
});

describe("against a kernel", () => {
  const devices = [
    { address: "00:00:00:00:AA:01", eirData: { flags: 6, serviceUuids: ["180D"], name: "heart" }, rssi: -50 },
    { address: "00:00:00:00:AA:02", eirData: { flags: 6, name: "far away", serviceUuids: ["180D"] }, rssi: -90 },
    { address: "C0:00:00:00:AA:03", addressType: "LERandom", eirData: { flags: 5, name: "limited" } },
    { address: "00:00:00:00:AA:04", addressType: "BREDR", name: "old", isConnectable: true },
  ] as const;

  async function kernelWith(): Promise<{ kernel: SimulatedKernel; mgmt: Mgmt; other: Mgmt }> {
    const kernel = new SimulatedKernel({ controllers: [{ settings: ["BREDR", "LowEnergy"] }], devices });
    const open = () => openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    const [mgmt, other] = [await open(), await open()];
    await mgmt.setPowered(0, true);
    return { kernel, mgmt, other };
  }
  const namesOf = async (found: AsyncIterable<FoundDevice>): Promise<string[]> => {
    const names = new Set<string>();
    for await (const device of found) if (device.name !== undefined) names.add(device.name);
    return [...names].sort();
  };

  test("everything in range is found, the names of BR/EDR devices too", async () => {
    const { mgmt } = await kernelWith();
    expect(await namesOf(scan(mgmt, 0, { durationMs: 45_000 }))).toEqual(["far away", "heart", "limited", "old"]);
  });

  test("only what is wanted is found", async () => {
    const { mgmt } = await kernelWith();
    expect(await namesOf(scan(mgmt, 0, { durationMs: 15_000, services: ["180D"], rssiThreshold: -70 }))).toEqual(["heart"]);
    expect(await namesOf(scan(mgmt, 0, { durationMs: 15_000, limited: true, types: "le" }))).toEqual(["limited"]);
  });

  test("two programs scan at the same time, and either may leave first", async () => {
    for (const firstLeavesFirst of [true, false]) {
      const { kernel, mgmt, other } = await kernelWith();
      const first = scan(mgmt, 0, { types: "le", duplicates: "all" });
      await first.next();
      const second = scan(other, 0, { types: "le", duplicates: "all" });
      await second.next();
      const [leaving, staying] = firstLeavesFirst ? [first, second] : [second, first];
      await leaving.return();
      const from = kernel.clock.now();
      while (kernel.clock.now() < from + 30_000) expect((await staying.next()).done).toBe(false);
      await staying.return();
      await expect(other.stopDiscovery(0, 6)).rejects.toMatchObject({ statusName: "Rejected" }); // nothing runs
    }
  });

  test("a scan that loses its power says so", async () => {
    const { kernel, mgmt } = await kernelWith();
    kernel.clock.setTimer(2_000, "switch", () => kernel.blockRadio(0, true));
    await expect(namesOf(scan(mgmt, 0))).rejects.toMatchObject({ statusName: "NotPowered" });
  });
});
