import { describe, expect, test } from "vitest";
import { program, statusOf, testKernel } from "../../test/support/kernel-client.ts";
import { decodeMonitorPayload, decodeMonitorRecord } from "../capture/index.ts";
import { commands, events, openMgmt } from "../mgmt/index.ts";
import type { SettingName } from "./simulated-kernel/options.ts";
import { SimulatedKernel } from "./simulated-kernel.ts";

const READY: readonly SettingName[] = ["Powered", "Connectable", "Bondable", "BREDR", "LowEnergy"];
const SENSOR = { address: "C0:11:22:33:44:55", addressType: "LERandom", eirData: { name: "sensor", serviceUuids: ["180D"] } } as const;

test("time runs by itself: a discovery finds a device until it ends after 10.24 s", async () => {
  const kernel = new SimulatedKernel({ devices: [{ ...SENSOR, advertisingIntervalMs: 1000 }] });
  await using mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
  await mgmt.setLowEnergy(0, true);
  await mgmt.setPowered(0, true);
  using found = mgmt.events(["deviceFound", "discovering"]);
  expect(await mgmt.startDiscovery(0, 6)).toEqual({ addressTypes: 6 });
  const before = kernel.clock.now();
  let reports = 0;
  for await (const event of found) {
    if (event.event === "discovering" && event.discovering === 0) break;
    if (event.event === "deviceFound") reports++;
  }
  expect(reports).toBe(11);
  expect(kernel.clock.now() - before).toBe(10_240);
});

test("the same inputs give the same packets", async () => {
  const run = async (): Promise<string[]> => {
    const { kernel, clock } = testKernel({ controllers: [{ settings: READY }], devices: [SENSOR] });
    const { mgmt, told } = await program(kernel);
    await clock.run(mgmt.startDiscovery(0, 6));
    await clock.advance(500);
    const pairing = mgmt.pairDevice(0, { address: SENSOR.address, addressType: 2, ioCapability: 3 }).catch(() => undefined);
    await clock.advance(500);
    await mgmt[Symbol.asyncDispose]();
    await pairing;
    return told().map((event) => JSON.stringify(event));
  };
  expect(await run()).toEqual(await run());
});

describe("a controller", () => {
  test("that comes and goes is told to everybody, and what was pending is answered", async () => {
    const { kernel, clock } = testKernel({ controllers: [] });
    const [trusted, plain] = [await program(kernel), await program(kernel, { privileged: false })];
    await trusted.mgmt.readExtendedControllerIndexList();
    expect(kernel.plug({ settings: READY })).toBe(0);
    expect(kernel.plug({ settings: READY })).toBe(1);
    const pairing = trusted.mgmt.pairDevice(0, { address: SENSOR.address, addressType: 2, ioCapability: 3 });
    const setting = trusted.mgmt.setConnectable(0, false);
    const outcomes = Promise.all([pairing, setting].map((call) => statusOf(clock, call)));
    kernel.unplug(0);
    expect(await outcomes).toEqual(["InvalidIndex", "InvalidIndex"]);
    expect(trusted.names().filter((name) => !name.startsWith("newSettings"))).toEqual([
      "extendedIndexAdded 0",
      "extendedIndexAdded 1",
      "connectFailed 0",
      "extendedIndexRemoved 0",
    ]);
    expect(plain.names()).toEqual(["indexAdded 0", "indexAdded 1", "newSettings 0", "indexRemoved 0"]);
    expect(kernel.plug()).toBe(0);
  });

  test("behind a switch that is off does not power on, and loses its power when it is switched off", async () => {
    const { kernel, clock } = testKernel({ controllers: [{ settings: READY, classOfDevice: 0x020c }] });
    const { mgmt, names } = await program(kernel);
    await clock.run(mgmt.startDiscovery(0, 6));
    names();
    kernel.blockRadio(0, true);
    await clock.advance(1);
    expect(names()).toEqual(["discovering 0", "classOfDeviceChanged 0", "newSettings 0"]);
    expect(await statusOf(clock, mgmt.setPowered(0, true))).toBe("Failed");
    kernel.blockRadio(0, false);
    expect(await statusOf(clock, mgmt.setPowered(0, true))).toBe("Success");
  });

  test("that another program has to itself is not there", async () => {
    const { kernel, clock } = testKernel({ controllers: [{}] });
    const { mgmt } = await program(kernel);
    const taken = kernel.takeUserChannel(0);
    expect(await mgmt.readControllerIndexList()).toEqual({ controllerIndexes: [] });
    expect(await statusOf(clock, mgmt.readControllerInformation(0))).toBe("InvalidIndex");
    taken[Symbol.dispose]();
    expect(await mgmt.readControllerIndexList()).toEqual({ controllerIndexes: [0] });
  });

  test("that is not configured answers what configures it, and then moves to the others", async () => {
    const { kernel, clock } = testKernel({ controllers: [{ address: "00:00:00:00:00:00", missing: ["PublicAddress"] }] });
    const { mgmt, names } = await program(kernel);
    expect(await mgmt.readUnconfiguredControllerIndexList()).toEqual({ controllerIndexes: [0] });
    expect(await statusOf(clock, mgmt.readControllerInformation(0))).toBe("InvalidIndex");
    expect(await mgmt.readControllerConfigurationInformation(0)).toMatchObject({ missingOptions: 2 });
    expect(await statusOf(clock, mgmt.setExternalConfiguration(0, "Configured"))).toBe("NotSupported");
    expect(await mgmt.setPublicAddress(0, "00:11:22:33:44:55")).toEqual({ missingOptions: 0 });
    expect(names()).toEqual(["unconfiguredIndexRemoved 0", "indexAdded 0"]);
    expect(await mgmt.readControllerInformation(0)).toMatchObject({ address: "00:11:22:33:44:55" });
  });

  test("that is silent neither does nor answers anything; other commands and controllers do", async () => {
    const { kernel, clock } = testKernel({ controllers: [{}, {}] });
    const { mgmt } = await program(kernel);
    const silence = kernel.silence({ index: 0, command: commands.setLowEnergy });
    const call = mgmt.setLowEnergy(0, true, { timeoutMs: 500 }).catch((error: unknown) => error);
    expect(await statusOf(clock, mgmt.setLowEnergy(1, true))).toBe("Success");
    await clock.advance(500);
    expect(await call).toMatchObject({ code: "ERR_TIMEOUT" });
    silence[Symbol.dispose]();
    expect(await mgmt.readControllerInformation(0)).toMatchObject({ currentSettings: 0xc0080 });
    await clock.advance(2000);
    expect(await statusOf(clock, mgmt.setLowEnergy(0, true))).toBe("Success");
  });
});

test("a program without rights asks, is refused changes whatever the controller, and hears little", async () => {
  const { kernel, clock } = testKernel({ controllers: [{ settings: READY }], devices: [SENSOR] });
  const [plain, trusted] = [await program(kernel, { privileged: false }), await program(kernel)];
  expect(await plain.mgmt.readManagementSupportedCommands()).toMatchObject({ commands: { length: 10 }, events: { length: 12 } });
  expect(await statusOf(clock, plain.mgmt.setPowered(9, true))).toBe("PermissionDenied");
  await clock.run(trusted.mgmt.startDiscovery(0, 6));
  await clock.run(trusted.mgmt.setBondable(0, false));
  await clock.advance(200);
  expect(plain.names()).toEqual(["newSettings 0"]);
  expect(trusted.names()).toContain("deviceFound 0");
});

test("commands that are newer than Linux 6.1 are not known", async () => {
  const { kernel, clock } = testKernel();
  const { mgmt } = await program(kernel);
  expect(await statusOf(clock, mgmt.sendHciCommandAndWaitForEvent(0, { opcode: 0x1001 }))).toBe("UnknownCommand");
  expect(await statusOf(clock, mgmt.loadConnectionSubrate(0, []))).toBe("UnknownCommand");
});

test("a socket that fails ends its client, and what it was told before is still delivered", async () => {
  const { kernel, clock } = testKernel();
  const { mgmt, names } = await program(kernel);
  kernel.send(events.controllerError, 0, { errorCode: 1 });
  kernel.loseSockets("somebody pulled the plug");
  await clock.advance(1);
  expect(names()).toEqual(["controllerError 0"]);
  expect(mgmt.ended?.message).toContain("somebody pulled the plug");
});

test("the monitor channel tells of sockets, controllers, commands and events, one record for each socket that gets one", async () => {
  const { kernel, clock } = testKernel({ controllers: [{ settings: READY }] });
  const { mgmt } = await program(kernel, { command: "first" });
  const monitor = kernel.openMonitor();
  const records: string[] = [];
  monitor.onPacket = (packet) => {
    const record = decodeMonitorRecord(packet, 0);
    const { name, fields } = decodeMonitorPayload(record);
    const { cookie, code, command } = fields as { cookie?: number; code?: number; command?: string };
    records.push(
      [name, record.index === 0xffff ? "-" : record.index, cookie, code, command].filter((part) => part !== undefined).join(" "),
    );
  };
  await clock.advance(1);
  expect(records.splice(0)).toEqual(["SystemNote -", "NewIndex 0", "OpenIndex 0", "IndexInfo 0", "ControlOpen - 1 first"]);
  const second = await program(kernel, { command: "second", privileged: false });
  await clock.run(mgmt.setBondable(0, false));
  await second.mgmt[Symbol.asyncDispose]();
  kernel.unplug(0);
  await clock.advance(1);
  expect(records).toEqual([
    "ControlOpen - 2 second",
    "ControlCommand 0 1 9",
    "ControlEvent 0 1 1",
    "ControlEvent 0 2 6",
    "ControlClose - 2",
    "ControlEvent 0 1 6",
    "CloseIndex 0",
    "DelIndex 0",
    "ControlEvent 0 1 5",
  ]);
  expect(monitor.write(new Uint8Array(6))).toMatchObject({ code: "EOPNOTSUPP" });
});
