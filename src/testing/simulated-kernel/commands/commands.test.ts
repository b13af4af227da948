import { describe, expect, test } from "vitest";
import { type Program, program, statusOf, testKernel } from "../../../../test/support/kernel-client.ts";
import { fromHex } from "../../../bytes/index.ts";
import { commands, ExperimentalFeature, type Mgmt } from "../../../mgmt/index.ts";
import type { KernelControllerOptions, SettingName } from "../options.ts";

const OFF: readonly SettingName[] = ["Bondable", "BREDR", "LowEnergy"];
const ON: readonly SettingName[] = ["Powered", ...OFF];
const LE_ONLY: readonly SettingName[] = ["Powered", "LowEnergy"];
const DEVICE = { address: "C0:11:22:33:44:55", addressType: "LERandom" } as const;
const PRIVATE = { address: "40:11:22:33:44:55", addressType: "LERandom" } as const;
const CLASSIC = { address: "00:11:22:33:44:55", addressType: "BREDR" } as const;
const ANY = { address: "00:00:00:00:00:00", addressType: 0 } as const;
const IRK = new Uint8Array(16);

async function at(settings: readonly SettingName[], more: KernelControllerOptions = {}) {
  const { kernel, clock } = testKernel({ controllers: [{ ...more, settings }] });
  return { kernel, clock, ...(await program(kernel)), other: await program(kernel) };
}

describe("a command that cannot be is refused as Linux refuses it:", () => {
  type Case = readonly [what: string, settings: readonly SettingName[], call: (mgmt: Mgmt) => Promise<unknown>, status: string];
  const cases: readonly Case[] = [
    ["discoverable without connectable", ON, (mgmt) => mgmt.setDiscoverable(0, { discoverable: 1 }), "Rejected"],
    ["limited without a timeout", [...ON, "Connectable"], (mgmt) => mgmt.setDiscoverable(0, { discoverable: 2 }), "InvalidParameters"],
    ["off with a timeout", [...ON, "Connectable"], (mgmt) => mgmt.setDiscoverable(0, { discoverable: 0, timeout: 3 }), "InvalidParameters"],
    ["a timeout without power", [...OFF, "Connectable"], (mgmt) => mgmt.setDiscoverable(0, { discoverable: 1, timeout: 3 }), "NotPowered"],
    ["connectable without a transport", [], (mgmt) => mgmt.setConnectable(0, true), "Rejected"],
    ["a value that is none", ON, (mgmt) => mgmt.setConnectable(0, 2 as never), "InvalidParameters"],
    ["fast connectable without BR/EDR", LE_ONLY, (mgmt) => mgmt.setFastConnectable(0, true), "NotSupported"],
    ["SSP without BR/EDR", LE_ONLY, (mgmt) => mgmt.setSecureSimplePairing(0, true), "Rejected"],
    ["high speed", ON, (mgmt) => mgmt.setHighSpeed(0, true), "NotSupported"],
    ["LE off where there is nothing else", LE_ONLY, (mgmt) => mgmt.setLowEnergy(0, false), "Rejected"],
    ["BR/EDR off with power", ON, (mgmt) => mgmt.setBredr(0, false), "Rejected"],
    ["a static address with power", ON, (mgmt) => mgmt.setStaticAddress(0, DEVICE.address), "Rejected"],
    ["a static address that is private", OFF, (mgmt) => mgmt.setStaticAddress(0, PRIVATE.address), "InvalidParameters"],
    ["privacy with power", ON, (mgmt) => mgmt.setPrivacy(0, { privacy: 1, identityResolvingKey: IRK }), "Rejected"],
    ["a window above its interval", ON, (mgmt) => mgmt.setScanParameters(0, { interval: 16, window: 17 }), "InvalidParameters"],
    ["secure connections without SSP", ON, (mgmt) => mgmt.setSecureConnections(0, 1), "Rejected"],
    ["wideband speech", ON, (mgmt) => mgmt.setWidebandSpeech(0, true), "NotSupported"],
    ["a minor class with its low bits", ON, (mgmt) => mgmt.setDeviceClass(0, { majorClass: 1, minorClass: 1 }), "InvalidParameters"],
    ["a UUID that is not there", ON, (mgmt) => mgmt.removeUuid(0, "180D"), "InvalidParameters"],
    [
      "an unknown source of device numbers",
      ON,
      (mgmt) => mgmt.setDeviceId(0, { source: 3, vendor: 1, product: 1, version: 1 }),
      "InvalidParameters",
    ],
    ["discovery without power", OFF, (mgmt) => mgmt.startDiscovery(0, 6), "NotPowered"],
    ["discovery of one kind of LE address", ON, (mgmt) => mgmt.startDiscovery(0, 2), "InvalidParameters"],
    ["discovery of BR/EDR while that is off", LE_ONLY, (mgmt) => mgmt.startDiscovery(0, 7), "Rejected"],
    ["the end of no discovery", ON, (mgmt) => mgmt.stopDiscovery(0, 6), "Rejected"],
    ["a name without discovery", ON, (mgmt) => mgmt.confirmName(0, { ...CLASSIC, nameKnown: 1 }), "Failed"],
    ["connections without power", OFF, (mgmt) => mgmt.getConnections(0), "NotPowered"],
    ["the end of no link", ON, (mgmt) => mgmt.disconnect(0, DEVICE), "Disconnected"],
    ["what a link is like without link", ON, (mgmt) => mgmt.getConnectionInformation(0, DEVICE), "NotConnected"],
    ["a clock of LE", ON, (mgmt) => mgmt.getClockInformation(0, DEVICE), "InvalidParameters"],
    ["a clock without link", ON, (mgmt) => mgmt.getClockInformation(0, ANY), "NotConnected"],
    ["who is not blocked", ON, (mgmt) => mgmt.unblockDevice(0, DEVICE), "InvalidParameters"],
    ["a device that cannot be told again", ON, (mgmt) => mgmt.addDevice(0, { ...PRIVATE, action: 2 }), "InvalidParameters"],
    ["a BR/EDR device to be connected", ON, (mgmt) => mgmt.addDevice(0, { ...CLASSIC, action: 2 }), "InvalidParameters"],
    ["a device not on the list", ON, (mgmt) => mgmt.removeDevice(0, DEVICE), "InvalidParameters"],
    ["flags of a device not on the list", ON, (mgmt) => mgmt.getDeviceFlags(0, DEVICE), "InvalidParameters"],
    [
      "keys of identities that are none",
      ON,
      (mgmt) => mgmt.loadIdentityResolvingKeys(0, [{ ...PRIVATE, value: IRK }]),
      "InvalidParameters",
    ],
    ["pairing without power", OFF, (mgmt) => mgmt.pairDevice(0, { ...DEVICE, ioCapability: 3 }), "NotPowered"],
    ["pairing over what is off", LE_ONLY, (mgmt) => mgmt.pairDevice(0, { ...CLASSIC, ioCapability: 3 }), "Rejected"],
    ["the end of no pairing", ON, (mgmt) => mgmt.cancelPairDevice(0, DEVICE), "InvalidParameters"],
    ["keys that are not there", ON, (mgmt) => mgmt.unpairDevice(0, DEVICE), "NotPaired"],
    ["a confirmation without link", ON, (mgmt) => mgmt.userConfirmationReply(0, DEVICE), "NotConnected"],
    ["a PIN without link", ON, (mgmt) => mgmt.pinCodeReply(0, { ...CLASSIC, pinCode: fromHex("30") }), "NotConnected"],
    ["an instance too many", ON, (mgmt) => mgmt.addAdvertising(0, { instance: 4 }), "InvalidParameters"],
    ["two secondary PHYs", ON, (mgmt) => mgmt.addAdvertising(0, { instance: 1, flags: 0x180 }), "InvalidParameters"],
    [
      "flags the kernel adds itself",
      ON,
      (mgmt) => mgmt.addAdvertising(0, { instance: 1, flags: 2, advData: fromHex("020106") }),
      "InvalidParameters",
    ],
    ["flags in the scan response", ON, (mgmt) => mgmt.addAdvertising(0, { instance: 1, scanRsp: fromHex("020106") }), "InvalidParameters"],
    ["data that are cut short", ON, (mgmt) => mgmt.addAdvertising(0, { instance: 1, advData: fromHex("0509") }), "InvalidParameters"],
    ["an advertising timeout without power", OFF, (mgmt) => mgmt.addAdvertising(0, { instance: 1, timeout: 3 }), "Rejected"],
    ["an instance that is not there", ON, (mgmt) => mgmt.removeAdvertising(0, 0), "InvalidParameters"],
    ["two steps without power", OFF, (mgmt) => mgmt.addExtendedAdvertisingParameters(0, { instance: 1 }), "Rejected"],
    [
      "a monitor without power",
      OFF,
      (mgmt) => mgmt.addAdvertisementPatternsMonitor(0, [{ adType: 9, offset: 0, value: fromHex("41") }]),
      "Failed",
    ],
    ["a monitor without pattern", ON, (mgmt) => mgmt.addAdvertisementPatternsMonitor(0, []), "InvalidParameters"],
    ["a monitor that is not there", ON, (mgmt) => mgmt.removeAdvertisementMonitor(0, 7), "InvalidParameters"],
    ["a PHY that has to be", ON, (mgmt) => mgmt.setPhyConfiguration(0, ["LE1MTx"]), "InvalidParameters"],
    ["other PHYs without power", OFF, (mgmt) => mgmt.setPhyConfiguration(0, 0x0601), "Rejected"],
    ["an unknown feature", ON, (mgmt) => mgmt.setExperimentalFeature(0, { uuid: "180D", action: 1 }), "NotSupported"],
    [
      "a feature of no controller",
      ON,
      (mgmt) => mgmt.setExperimentalFeature(0, { uuid: ExperimentalFeature.IsoSocket.uuid, action: 1 }),
      "InvalidIndex",
    ],
    [
      "LL privacy with power",
      ON,
      (mgmt) => mgmt.setExperimentalFeature(0, { uuid: ExperimentalFeature.LLPrivacy.uuid, action: 1 }),
      "Rejected",
    ],
    ["no configuration", ON, (mgmt) => mgmt.setDefaultSystemConfiguration(0, []), "InvalidParameters"],
    [
      "a configuration of a wrong length",
      ON,
      (mgmt) => mgmt.setDefaultSystemConfiguration(0, [{ type: 0, value: IRK }]),
      "InvalidParameters",
    ],
    ["runtime configuration", ON, (mgmt) => mgmt.setDefaultRuntimeConfiguration(0, [{ type: 1, value: IRK }]), "InvalidParameters"],
    ["mesh before it is switched on", ON, (mgmt) => mgmt.readMeshFeatures(0), "NotSupported"],
    ["out of band data of an unknown device", ON, (mgmt) => mgmt.removeRemoteOutOfBandData(0, CLASSIC), "InvalidParameters"],
    ["local out of band data of half of LE", ON, (mgmt) => mgmt.readLocalOutOfBandExtendedData(0, 2), "InvalidParameters"],
  ];

  test.each(cases)("%s", async (_, settings, call, status) => {
    const { mgmt, clock, other } = await at(settings);
    expect(await statusOf(clock, call(mgmt))).toBe(status);
    expect(other.names()).toEqual([]);
  });

  test("values out of their limits", async () => {
    const { mgmt, clock } = await at(ON);
    const call = mgmt.request(commands.setScanParameters, 0, { interval: 3, window: 3 }, { unchecked: true });
    expect(await statusOf(clock, call)).toBe("InvalidParameters");
  });
});

describe("what is changed is told to the others, and to whom else it is due:", () => {
  const told = async (who: Program, call: Promise<unknown>, clock: { run<T>(promise: Promise<T>): Promise<T> }): Promise<string[]> => {
    await clock.run(call);
    return who.names();
  };

  test("names, class and appearance, in the form that a socket has chosen", async () => {
    const { kernel, clock, mgmt, other, names } = await at(ON);
    const extended = await program(kernel);
    await extended.mgmt.readExtendedControllerInformation(0);
    expect(await told(other, mgmt.setLocalName(0, { name: "desk", shortName: "d" }), clock)).toEqual(["localNameChanged 0"]);
    expect(await told(other, mgmt.setDeviceClass(0, { majorClass: 2, minorClass: 0x0c }), clock)).toEqual(["classOfDeviceChanged 0"]);
    expect(await told(other, mgmt.addUuid(0, { uuid: "110A", svcHint: 0x20 }), clock)).toEqual(["classOfDeviceChanged 0"]);
    expect(await told(other, mgmt.setAppearance(0, 0x03c1), clock)).toEqual([]);
    expect(extended.names()).toEqual(Array.from({ length: 4 }, () => "extendedControllerInformationChanged 0"));
    expect(names()).toEqual(["classOfDeviceChanged 0", "classOfDeviceChanged 0"]);
    expect(await mgmt.readControllerInformation(0)).toMatchObject({ name: "desk", shortName: "d", classOfDevice: 0x20020c });
  });

  test("device lists and flags", async () => {
    const { clock, mgmt, other, names } = await at(ON);
    expect(await told(other, mgmt.blockDevice(0, DEVICE), clock)).toEqual(["deviceBlocked 0"]);
    expect(await told(other, mgmt.unblockDevice(0, ANY), clock)).toEqual(["deviceUnblocked 0"]);
    expect(await told(other, mgmt.addDevice(0, { ...DEVICE, action: 0 }), clock)).toEqual(["deviceAdded 0", "deviceFlagsChanged 0"]);
    expect(names()).toEqual(["deviceFlagsChanged 0"]);
    expect(await told(other, mgmt.setDeviceFlags(0, { ...DEVICE, currentFlags: ["RemoteWakeup"] }), clock)).toEqual([
      "deviceFlagsChanged 0",
    ]);
    expect(await mgmt.getDeviceFlags(0, DEVICE)).toMatchObject({ currentFlags: 1 });
    await clock.run(mgmt.removeDevice(0, ANY));
    expect(other.told()).toMatchObject([{ event: "deviceRemoved", addressType: 1 }]); // the kernel's slip
  });

  test("advertising: data, sizes, a timeout that everybody hears of, and power off that takes all", async () => {
    const { clock, mgmt, other, names } = await at(ON);
    expect(await told(other, mgmt.addAdvertising(0, { instance: 1, timeout: 3 }), clock)).toEqual(["advertisingAdded 0"]);
    expect(await told(other, mgmt.addAdvertising(0, { instance: 1, timeout: 3 }), clock)).toEqual([]);
    await clock.advance(3000);
    expect([names(), other.names()]).toEqual([["advertisingRemoved 0"], ["advertisingRemoved 0"]]);
    await clock.run(mgmt.setLocalName(0, { name: "a desk" }));
    const flags = ["ManagedFlags", "TxPower", "Appearance", "LocalName"] as const;
    expect(await mgmt.getAdvertisingSizeInformation(0, { instance: 1, flags })).toMatchObject({ maxAdvDataLen: 245, maxScanRspLen: 239 });
    await clock.run(mgmt.addAdvertising(0, { instance: 2 }));
    other.names();
    expect(await told(other, mgmt.setPowered(0, false), clock)).toEqual(["advertisingRemoved 0", "newSettings 0"]);
    expect(names()).toContain("advertisingRemoved 0");
  });

  test("advertising in two steps: the data that fail take the instance with them", async () => {
    const { clock, mgmt, other } = await at(ON);
    const parameters = { instance: 1, flags: ["Connectable", "ParamTxPower"], txPower: -7 } as const;
    expect(await clock.run(mgmt.addExtendedAdvertisingParameters(0, parameters))).toMatchObject({ txPower: -7, maxAdvDataLen: 251 });
    expect(await statusOf(clock, mgmt.addExtendedAdvertisingData(0, { instance: 1, advData: fromHex("0509") }))).toBe("InvalidParameters");
    expect(await statusOf(clock, mgmt.addExtendedAdvertisingData(0, { instance: 1 }))).toBe("InvalidParameters");
    expect(other.names()).toEqual([]);
    await clock.run(mgmt.addExtendedAdvertisingParameters(0, parameters));
    expect(await told(other, mgmt.addExtendedAdvertisingData(0, { instance: 1 }), clock)).toEqual(["advertisingAdded 0"]);
  });

  test("experimental features, to sockets that have asked for them; mesh after it is switched on", async () => {
    const { clock, mgmt, other, names } = await at(ON);
    await other.mgmt.readExperimentalFeaturesInformation(0);
    const feature = { uuid: ExperimentalFeature.MgmtMesh.uuid, action: true };
    expect(await told(other, mgmt.setExperimentalFeature(0, feature), clock)).toEqual(["experimentalFeatureChanged 0"]);
    expect(await clock.run(mgmt.transmitMeshPacket(0, { ...DEVICE, data: fromHex("042b010203") }))).toEqual({ handle: 1 });
    expect(await mgmt.readMeshFeatures(0)).toEqual({ index: 0, maxHandles: 3, handles: [1] });
    await clock.advance(100);
    expect([names(), other.names()]).toEqual([["meshPacketTransmitComplete 0"], ["meshPacketTransmitComplete 0"]]);
    await clock.run(mgmt.setMeshReceiver(0, { enable: true, window: 48, period: 96 }));
    expect(await statusOf(clock, mgmt.startDiscovery(0, 6))).toBe("Busy");
    await clock.run(mgmt.stopDiscovery(0, 0));
    expect(await statusOf(clock, mgmt.startDiscovery(0, 6))).toBe("Success");
  });

  test("PHYs, configuration and out of band data", async () => {
    const { clock, mgmt, other } = await at([...ON, "SecureSimplePairing", "SecureConnections"]);
    expect(await told(other, mgmt.setPhyConfiguration(0, 0x7fff), clock)).toEqual(["phyConfigurationChanged 0"]);
    await mgmt.setDefaultSystemConfiguration(0, [{ type: 0x17, value: Uint8Array.of(6, 0) }]);
    const { parameters } = await mgmt.readDefaultSystemConfiguration(0);
    expect(parameters).toHaveLength(31);
    expect(parameters.find(({ type }) => type === 0x17)).toEqual({ type: 0x17, value: Uint8Array.of(6, 0) });
    await other.mgmt.readLocalOutOfBandExtendedData(0, 6);
    expect(await told(other, mgmt.readLocalOutOfBandExtendedData(0, 6), clock)).toEqual(["localOutOfBandExtendedDataUpdated 0"]);
    expect(Object.keys(await mgmt.readLocalOutOfBandData(0))).toEqual(["hash192", "randomizer192", "hash256", "randomizer256"]);
  });
});

describe("discovery", () => {
  const SENSOR = { ...DEVICE, eirData: { serviceUuids: ["180D"] }, rssi: -70, advertisingIntervalMs: 2000 } as const;
  const LIMITED = { address: "C0:11:22:33:44:66", addressType: "LERandom", eirData: { flags: 0x05 }, advertisingIntervalMs: 2000 } as const;
  const HEADSET = { ...CLASSIC, name: "headset" };

  const addresses = (who: Program): string[] =>
    who.told().flatMap((event) => (event.event === "deviceFound" ? [event.address.slice(-2)] : []));

  async function around() {
    const { kernel, clock } = testKernel({ controllers: [{ settings: ON }], devices: [SENSOR, LIMITED, HEADSET] });
    return { clock, ...(await program(kernel)) };
  }

  test("of services reports what has one and is strong enough", async () => {
    const { clock, ...who } = await around();
    await clock.run(who.mgmt.startServiceDiscovery(0, { addressTypes: 6, uuids: ["180D"] }));
    await clock.advance(11_000);
    expect(new Set(addresses(who))).toEqual(new Set(["55"]));
    await clock.run(who.mgmt.startServiceDiscovery(0, { addressTypes: 6, rssiThreshold: -65 }));
    await clock.advance(11_000);
    expect(new Set(addresses(who))).toEqual(new Set(["66"]));
  });

  test("of limited devices outlives itself: the next plain one ends its filter", async () => {
    const { clock, ...who } = await around();
    await clock.run(who.mgmt.startLimitedDiscovery(0, 6));
    await clock.advance(11_000);
    expect(new Set(addresses(who))).toEqual(new Set(["66"]));
    await clock.run(who.mgmt.addAdvertisementPatternsMonitor(0, [{ adType: 1, offset: 0, value: fromHex("00") }]));
    await clock.advance(3000);
    expect(new Set(who.told().map((event) => ("address" in event ? event.address.slice(-2) : "")))).toEqual(new Set(["66"]));
  });

  test("of BR/EDR asks for names that somebody wants", async () => {
    const { clock, ...who } = await around();
    await clock.run(who.mgmt.startDiscovery(0, 1));
    await clock.advance(700);
    expect(who.told().at(-1)).toMatchObject({ event: "deviceFound", address: CLASSIC.address, flags: 1 });
    expect(await clock.run(who.mgmt.confirmName(0, { ...CLASSIC, nameKnown: "NeedsResolving" }))).toMatchObject({
      address: CLASSIC.address,
    });
    await clock.advance(10_000);
    expect(who.told()).toMatchObject([
      { event: "deviceFound", eirData: Uint8Array.from([8, 9, ...new TextEncoder().encode("headset")]) },
      { event: "discovering", discovering: 0 },
    ]);
  });

  test("of both takes its half of the time for each", async () => {
    const { clock, ...who } = await around();
    await clock.run(who.mgmt.startDiscovery(0, 7));
    await clock.advance(5119);
    expect(addresses(who)).toEqual(["55", "66", "55", "66", "55", "66"]);
    await clock.advance(6000);
    expect(addresses(who)).toEqual(["55"]); // the headset ends with 55 too
  });
});

describe("as seen on Linux 6.1:", () => {
  test.each([
    ["Debug", 1, "NotSupported"],
    ["Debug", 255, "NotSupported"],
    ["QualityReport", 1, "NotSupported"],
    ["QualityReport", 255, "InvalidParameters"],
    ["OffloadCodecs", 1, "Success"],
    ["OffloadCodecs", 255, "InvalidParameters"],
    ["LLPrivacy", 255, "InvalidParameters"],
    ["Zero", 255, "Success"],
  ] as const)("experimental feature %s with action %i: %s", async (name, action, status) => {
    const { clock, mgmt } = await at(OFF);
    const { uuid } = ExperimentalFeature[name];
    expect(await statusOf(clock, mgmt.request(commands.setExperimentalFeature, 0, { uuid, action }, { unchecked: true }))).toBe(status);
  });

  test("experimental features that are not there come after the index, those unknown before it", async () => {
    const { clock, mgmt } = await at(OFF);
    const set = (uuid: string) => statusOf(clock, mgmt.setExperimentalFeature(undefined, { uuid, action: true }));
    expect(await set(ExperimentalFeature.QualityReport.uuid)).toBe("InvalidIndex");
    expect(await set("12345678-1234-1234-1234-123456789abc")).toBe("NotSupported");
  });

  test("without extended advertising there are no secondary channels and no power to choose", async () => {
    const legacy = await at(ON, { extendedAdvertising: false });
    expect((await legacy.mgmt.readAdvertisingFeatures(0)).supportedFlags).toBe(0x1f07f);
    const refused = legacy.mgmt.addAdvertising(0, { instance: 1, flags: ["Secondary1M"] });
    expect(await statusOf(legacy.clock, refused)).toBe("InvalidParameters");
    const parameters = { instance: 1, flags: ["ParamTxPower"], txPower: -4 } as const;
    expect(await legacy.mgmt.addExtendedAdvertisingParameters(0, parameters)).toMatchObject({ txPower: 127 });
    const extended = await at(ON);
    expect((await extended.mgmt.readAdvertisingFeatures(0)).supportedFlags).toBe(0x1ffff);
    expect(await extended.mgmt.addExtendedAdvertisingParameters(0, parameters)).toMatchObject({ txPower: -4 });
    expect(await extended.mgmt.addExtendedAdvertisingParameters(0, { ...parameters, txPower: 127 })).toMatchObject({ txPower: 0 });
  });

  test("an instance alone is listed only as number 1", async () => {
    const { clock, mgmt } = await at(ON);
    const instances = async () => (await mgmt.readAdvertisingFeatures(0)).instances;
    await clock.run(mgmt.addAdvertising(0, { instance: 2 }));
    expect(await instances()).toEqual([]);
    await clock.run(mgmt.addAdvertising(0, { instance: 1 }));
    expect(await instances()).toEqual([1, 2]);
  });

  test("at power-off the class is gone, though the extended event still has it", async () => {
    const { clock, mgmt, other } = await at(ON, { classOfDevice: 0x20c });
    await other.mgmt.readExtendedControllerInformation(0);
    other.told();
    await clock.run(mgmt.setPowered(0, false));
    expect(other.told()[0]).toMatchObject({
      event: "extendedControllerInformationChanged",
      eirData: fromHex("040d0c02000319000001090108"),
    });
    expect((await mgmt.readControllerInformation(0)).classOfDevice).toBe(0);
  });

  test("the last UUIDs go, and the class a while later, because they may come back", async () => {
    const { clock, mgmt } = await at(ON);
    await clock.run(mgmt.addUuid(0, { uuid: "180f", svcHint: 0x20 }));
    const any = "00000000-0000-0000-0000-000000000000";
    expect(await clock.run(mgmt.removeUuid(0, any))).toEqual({ classOfDevice: 0x20_0000 });
    await clock.advance(2_000);
    expect((await mgmt.readControllerInformation(0)).classOfDevice).toBe(0);
  });
});
