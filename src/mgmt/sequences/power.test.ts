import { expect, test } from "vitest";
import { information, ScriptedKernel } from "../../../test/support/scripted-kernel.ts";
import { Status } from "../index.ts";
import { powerCycle, powerOff, powerOn } from "./power.ts";

const ON = 0x281; // powered, BR/EDR, low energy
const OFF = 0x280;

test("powering on tells what was before and which settings are on now", async () => {
  const kernel = new ScriptedKernel({ ReadControllerInformation: information(OFF), SetPowered: { currentSettings: ON } });
  const report = await powerOn(await kernel.open(), 0);
  expect(report).toEqual({ wasPowered: false, settings: ["Powered", "BREDR", "LowEnergy"] });
});

test("another program's Set Powered is waited for", async () => {
  let attempts = 0;
  const kernel = new ScriptedKernel({
    ReadControllerInformation: information(ON),
    SetPowered: () => (++attempts < 4 ? Status.Busy : { currentSettings: OFF }),
  });
  await powerOff(await kernel.open(), 0);
  expect(attempts).toBe(4);
  expect(kernel.clock.now()).toBe(750);
});

test("a power change that stays Busy ends with a TimeoutError, after the time it was given", async () => {
  const kernel = new ScriptedKernel({ ReadControllerInformation: information(OFF), SetPowered: Status.Busy });
  await expect(powerOn(await kernel.open(), 0, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 5_000 });
  expect(kernel.clock.now()).toBe(5_000);
});

test("a blocked radio is told with the command that unblocks it", async () => {
  const kernel = new ScriptedKernel({ ReadControllerInformation: information(OFF), SetPowered: Status.Failed });
  await expect(powerOn(await kernel.open(), 0)).rejects.toThrow("rfkill unblock bluetooth");
});

test("a power cycle tells which links and advertising instances ended with the power", async () => {
  const kernel = new ScriptedKernel({
    ReadControllerInformation: information(ON),
    GetConnections: { connections: [{ address: "00:00:00:00:AA:01", addressType: 1 }] },
    ReadAdvertisingFeatures: { supportedFlags: 0, maxAdvDataLen: 31, maxScanRspLen: 31, maxInstances: 5, instances: [2, 5] },
    SetPowered: ({ powered }) => ({ currentSettings: powered ? ON : OFF }),
  });
  const { lost, wasPowered } = await powerCycle(await kernel.open(), 0);
  expect(wasPowered).toBe(true);
  expect(lost).toEqual({ connections: [{ address: "00:00:00:00:AA:01", addressType: 1 }], advertisingInstances: [2, 5] });
  const powered = kernel.written.filter(({ name }) => name === "SetPowered").map(({ parameters }) => parameters.powered);
  expect(powered).toEqual([0, 1]);
});

test("an adapter that was off is only switched on", async () => {
  const kernel = new ScriptedKernel({ ReadControllerInformation: information(OFF), SetPowered: { currentSettings: ON } });
  const { wasPowered, lost } = await powerCycle(await kernel.open(), 0);
  expect(wasPowered).toBe(false);
  expect(lost).toEqual({ connections: [], advertisingInstances: [] });
  expect(kernel.count("SetPowered")).toBe(1);
});

test("a power cycle that is aborted while the adapter is off switches it on again, then rejects with the reason", async () => {
  const abort = new AbortController();
  const kernel = new ScriptedKernel({
    ReadControllerInformation: information(ON),
    ReadAdvertisingFeatures: { supportedFlags: 0, maxAdvDataLen: 31, maxScanRspLen: 31, maxInstances: 5, instances: [] },
    GetConnections: { connections: [] },
    SetPowered: ({ powered }) => {
      if (powered === 0) queueMicrotask(() => abort.abort(new Error("enough")));
      return { currentSettings: powered ? ON : OFF };
    },
  });
  await expect(powerCycle(await kernel.open(), 0, { signal: abort.signal })).rejects.toThrow("enough");
  const powered = kernel.written.filter(({ name }) => name === "SetPowered").map(({ parameters }) => parameters.powered);
  expect(powered).toEqual([0, 1]);
});

test("a power cycle of an adapter whose kernel knows no advertising instances loses none", async () => {
  const kernel = new ScriptedKernel({
    ReadControllerInformation: information(ON),
    GetConnections: { connections: [] },
    ReadAdvertisingFeatures: Status.UnknownCommand,
    SetPowered: ({ powered }) => ({ currentSettings: powered === 1 ? ON : OFF }),
  });
  expect(await powerCycle(await kernel.open(), 0)).toMatchObject({ wasPowered: true, lost: { connections: [], advertisingInstances: [] } });
});
