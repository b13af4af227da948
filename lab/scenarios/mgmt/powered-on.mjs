// @ts-check
/** What a controller does that is on, without anybody connected: power, visibility, class, advertising, PHYs, out-of-band data. */
import assert from "node:assert/strict";
import { bitsOf, Phys } from "jelling/mgmt";
import { settingNames } from "../../guest/btmgmt.mjs";
import { eventsDuring, next, refused } from "../../guest/mgmt.mjs";
import { absent, absentClassic, addresses, key } from "./context.mjs";

const le = /** @type {const} */ (["LEPublic", "LERandom"]);
const manufacturerData = Uint8Array.of(5, 0xff, 0xff, 0xff, 1, 2);
const battery = Uint8Array.of(3, 0x03, 0x0f, 0x18);

/** @param {import("./context.mjs").Context} context */
export async function poweredOnSteps({ step, mgmt, other, btmgmt }) {
  await step("power: a second command meanwhile is refused, other ones are answered, and the others are told", async () => {
    const told = next(other, "newSettings", 0, ({ currentSettings }) => settingNames(currentSettings).includes("powered"));
    const changed = next(mgmt, "classOfDeviceChanged", 0);
    const on = mgmt.setPowered(0, true);
    const again = refused("Busy", other.setPowered(0, true));
    const asked = mgmt.readControllerInformation(1);
    await again;
    assert.equal((await asked).address, addresses[1]);
    const { currentSettings } = await on;
    assert.equal((await told).currentSettings, currentSettings);
    // The class that was set while it was off, with the service bits of the UUID.
    assert.equal((await changed).classOfDevice, 0x20020c);
    const info = await btmgmt.info();
    assert.deepEqual(info.currentSettings, settingNames(currentSettings));
    assert.equal(info.classOfDevice, 0x20020c);
    assert.deepEqual(await mgmt.setPowered(0, true), { currentSettings });
    const away = next(mgmt, "newSettings", 0, (event) => !settingNames(event.currentSettings).includes("powered"));
    await btmgmt.do("power off", /complete/);
    await away;
    const back = next(mgmt, "newSettings", 0, (event) => settingNames(event.currentSettings).includes("powered"));
    await btmgmt.do("power on", /complete/);
    await back;
  });

  await step("what must not be changed while on is rejected", async () => {
    await refused("Rejected", mgmt.setBredr(0, false));
    await refused("Rejected", mgmt.setStaticAddress(0, absent.address));
    await refused("Rejected", mgmt.setPrivacy(0, { privacy: "Always", identityResolvingKey: key(1) }));
    await refused("Rejected", mgmt.setPublicAddress(0, "00:11:22:33:44:66"));
    await refused("Rejected", mgmt.setExternalConfiguration(0, "Configured"));
    await refused("Rejected", mgmt.setExperimentalFeature(0, { uuid: "15c0a148-c273-11ea-b3de-0242ac130004", action: true }));
  });

  await step("name and class while on", async () => {
    await mgmt.setLocalName(0, { name: "Jelling lab", shortName: "lab" });
    assert.equal((await btmgmt.info()).name, "Jelling lab");
    assert.deepEqual(await mgmt.setDeviceClass(0, { majorClass: 1, minorClass: 4 }), { classOfDevice: 0x200104 });
    assert.equal((await btmgmt.info()).classOfDevice, 0x200104);
    // The kernel keeps the service bits for some seconds after the last UUID is gone.
    assert.deepEqual(await mgmt.removeUuid(0, "00000000-0000-0000-0000-000000000000"), { classOfDevice: 0x200104 });
  });

  await step("limited discoverable ends by itself, and even the one who asked is told", async () => {
    const over = next(mgmt, "newSettings", 0, ({ currentSettings }) => !settingNames(currentSettings).includes("discoverable"));
    const { currentSettings } = await mgmt.setDiscoverable(0, { discoverable: "Limited", timeout: 1 });
    assert.ok(settingNames(currentSettings).includes("discoverable"));
    assert.deepEqual((await btmgmt.info()).currentSettings, settingNames(currentSettings));
    await over;
    assert.ok(!(await btmgmt.info()).currentSettings.includes("discoverable"));
    await btmgmt.do("discov yes", /complete/);
    assert.ok(settingNames((await mgmt.readControllerInformation(0)).currentSettings).includes("discoverable"));
    await mgmt.setDiscoverable(0, { discoverable: "NotDiscoverable" });
  });

  await step("advertising in one step: instances, sizes, refusals, replacement, expiry", async () => {
    const features = await mgmt.readAdvertisingFeatures(0);
    const counted = ({ maxAdvDataLen, maxScanRspLen, maxInstances, instances } = features) => ({
      maxAdvDataLen,
      maxScanRspLen,
      maxInstances,
      instances: instances.length,
    });
    const { supportedFlags: _, ...printed } = await btmgmt.advinfo();
    assert.deepEqual(counted(), printed);
    const size = { instance: 1, flags: /** @type {const} */ (["Connectable", "Discoverable", "TxPower"]) };
    const room = await mgmt.getAdvertisingSizeInformation(0, size);
    const { instance, maxAdvDataLen, maxScanRspLen } = room;
    assert.deepEqual({ instance, maxAdvDataLen, maxScanRspLen }, await btmgmt.advsize("-c -g -p 1"));
    assert.equal(room.maxAdvDataLen, features.maxAdvDataLen - 6);
    await refused("InvalidParameters", mgmt.getAdvertisingSizeInformation(0, { instance: features.maxInstances + 1 }));
    const added = next(other, "advertisingAdded", 0);
    const { flags } = size;
    await mgmt.addAdvertising(0, { instance: 1, flags, advData: battery, scanRsp: manufacturerData });
    assert.equal((await added).instance, 1);
    // Data that the flags leave to the kernel, and flags in a scan response
    await refused("InvalidParameters", mgmt.addAdvertising(0, { instance: 2, flags, advData: Uint8Array.of(2, 1, 6) }));
    await refused("InvalidParameters", mgmt.addAdvertising(0, { instance: 2, scanRsp: Uint8Array.of(2, 1, 6) }));
    await refused("InvalidParameters", mgmt.addAdvertising(0, { instance: 2, advData: Uint8Array.of(9, 9) }));
    await refused("InvalidParameters", mgmt.addAdvertising(0, { instance: features.maxInstances + 1 }));
    const told = await eventsDuring(other, () => mgmt.addAdvertising(0, { instance: 1, flags, advData: battery }));
    // The kernel may still tell what earlier steps have changed.
    assert.deepEqual(
      told.map(({ event }) => event).filter((event) => event.startsWith("advertising")),
      [],
      "replacing is no news",
    );
    const gone = next(mgmt, "advertisingRemoved", 0); // told to all, since nobody asked
    await mgmt.addAdvertising(0, { instance: 2, advData: manufacturerData, timeout: 1 });
    assert.equal((await gone).instance, 2);
    assert.deepEqual((await mgmt.readAdvertisingFeatures(0)).instances, [1]);
    assert.equal((await btmgmt.advinfo()).instances, 1);
    const byOther = next(mgmt, "advertisingAdded", 0);
    await btmgmt.do("add-adv -c 3", /Instance added: 3/);
    assert.equal((await byOther).instance, 3);
    const removed = next(mgmt, "advertisingRemoved", 0);
    await btmgmt.do("rm-adv 3", /Instance removed: 3/);
    await removed;
    await refused("InvalidParameters", mgmt.removeAdvertising(0, 3));
    assert.deepEqual(await mgmt.removeAdvertising(0, 1), { instance: 1 });
  });

  await step("advertising in two steps, with intervals and power", async () => {
    const parameters = await mgmt.addExtendedAdvertisingParameters(0, {
      instance: 3,
      flags: ["Connectable", "ParamIntervals", "ParamTxPower"],
      minInterval: 160,
      maxInterval: 240,
      txPower: -10,
    });
    const { maxAdvDataLen, maxScanRspLen } = await mgmt.readAdvertisingFeatures(0);
    assert.deepEqual({ ...parameters, txPower: undefined }, { instance: 3, txPower: undefined, maxAdvDataLen, maxScanRspLen });
    const added = next(other, "advertisingAdded", 0);
    assert.deepEqual(await mgmt.addExtendedAdvertisingData(0, { instance: 3, advData: battery }), { instance: 3 });
    assert.equal((await added).instance, 3);
    // 6.1 lists only numbers up to how many there are: one alone must be number 1 to be seen.
    assert.deepEqual([(await mgmt.readAdvertisingFeatures(0)).instances, (await btmgmt.advinfo()).instances], [[], 0]);
    await refused("InvalidParameters", mgmt.addExtendedAdvertisingData(0, { instance: 2, advData: battery }));
    await btmgmt.do("add-ext-adv-params -c 2", /Instance added: 2/);
    await btmgmt.do("add-ext-adv-data -d 03ff0102 2", /Instance added: 2/);
    assert.deepEqual((await mgmt.readAdvertisingFeatures(0)).instances, [2]);
    await mgmt.addAdvertising(0, { instance: 1, advData: manufacturerData });
    assert.deepEqual(
      (await mgmt.readAdvertisingFeatures(0)).instances.toSorted((a, b) => a - b),
      [1, 2, 3],
    );
    assert.equal((await btmgmt.advinfo()).instances, 3);
    assert.deepEqual(await mgmt.removeAdvertising(0, 0), { instance: 0 });
    assert.equal((await btmgmt.advinfo()).instances, 0);
    const on = await mgmt.setAdvertising(0, "EnabledConnectable");
    assert.ok(settingNames(on.currentSettings).includes("advertising"));
    assert.deepEqual((await btmgmt.info()).currentSettings, settingNames(on.currentSettings));
    await btmgmt.do("advertising off", /complete/);
  });

  await step("PHYs are selected by either and read by the other", async () => {
    const { selectedPhys } = await mgmt.getPhyConfiguration(0);
    const changed = next(other, "phyConfigurationChanged", 0);
    await mgmt.setPhyConfiguration(0, ["BR1M1Slot", "LE1MTx", "LE1MRx", "LE2MTx", "LE2MRx"]);
    assert.equal((await changed).selectedPhys, bitsOf(Phys, ["BR1M1Slot", "LE1MTx", "LE1MRx", "LE2MTx", "LE2MRx"]));
    assert.deepEqual((await btmgmt.phy()).selectedPhys, ["BR1M1SLOT", "LE1MTX", "LE1MRX", "LE2MTX", "LE2MRX"]);
    await refused("InvalidParameters", mgmt.setPhyConfiguration(0, ["LE2MTx"]));
    const told = next(mgmt, "phyConfigurationChanged", 0);
    await btmgmt.do("phy BR1M1SLOT LE1MTX LE1MRX", /success/);
    assert.equal((await told).selectedPhys, bitsOf(Phys, ["BR1M1Slot", "LE1MTx", "LE1MRx"]));
    await mgmt.setPhyConfiguration(0, selectedPhys);
  });

  await step("out-of-band data, of our own and of others", async () => {
    const { hash192, randomizer192, hash256, randomizer256 } = await mgmt.readLocalOutOfBandData(0);
    const text = await btmgmt.ask("local-oob"); // the emulator has zeros
    for (const value of [hash192, randomizer192, hash256, randomizer256])
      assert.ok(text.includes(Buffer.from(value ?? []).toString("hex")), text);
    const told = next(other, "localOutOfBandExtendedDataUpdated", 0, ({ eirData }) => eirData.length > 0);
    await other.readLocalOutOfBandExtendedData(0, ["BREDR"]);
    const { addressTypes, eirData } = await mgmt.readLocalOutOfBandExtendedData(0, le);
    assert.equal(addressTypes, 6);
    assert.deepEqual((await told).eirData, eirData);
    assert.match(await btmgmt.ask("le-oob"), new RegExp(`LE Device Address: ${addresses[0]}`));
    assert.ok(Buffer.from(eirData).includes(Buffer.from(addresses[0].replaceAll(":", ""), "hex").reverse()));
    await refused("InvalidParameters", mgmt.readLocalOutOfBandExtendedData(0, ["BREDR", "LEPublic", "LERandom"]));
    const given = { hash192: key(1), randomizer192: key(2) };
    await mgmt.addRemoteOutOfBandData(0, { ...absentClassic, ...given });
    await refused("InvalidParameters", mgmt.addRemoteOutOfBandData(0, { ...absent, ...given }));
    const zero = new Uint8Array(16);
    const secure = { hash192: zero, randomizer192: zero, hash256: key(3), randomizer256: key(4) };
    await mgmt.addRemoteOutOfBandData(0, { ...absent, ...secure });
    await mgmt.removeRemoteOutOfBandData(0, absentClassic);
    await refused("InvalidParameters", mgmt.removeRemoteOutOfBandData(0, absentClassic));
    const hex = (/** @type {number} */ first) => Buffer.from(key(first)).toString("hex");
    await btmgmt.do(`remote-oob -t 0 -r ${hex(1)} -h ${hex(2)} ${absentClassic.address}`, /added/);
    await mgmt.removeRemoteOutOfBandData(0, absentClassic);
    await mgmt.removeRemoteOutOfBandData(0, { address: "00:00:00:00:00:00", addressType: "BREDR" });
  });

  await step("the device list, its flags, and loaded keys", async () => {
    const added = next(other, "deviceAdded", 0);
    const flags = next(mgmt, "deviceFlagsChanged", 0);
    await mgmt.addDevice(0, { ...absent, action: "BackgroundScan" });
    assert.deepEqual(
      { ...(await added), action: 0 },
      { event: "deviceAdded", index: 0, address: absent.address, addressType: 2, action: 0 },
    );
    assert.equal((await flags).address, absent.address);
    await mgmt.setDeviceFlags(0, { ...absent, currentFlags: ["RemoteWakeup"] });
    assert.deepEqual(await btmgmt.flags(`-t 2 ${absent.address}`), { supportedFlags: 1, currentFlags: 1 });
    await refused("InvalidParameters", mgmt.setDeviceFlags(0, { ...absent, currentFlags: ["DevicePrivacy"] }));
    const changed = next(mgmt, "deviceFlagsChanged", 0);
    await btmgmt.ask(`set-flags -t 2 -f 0 ${absent.address}`);
    assert.equal((await changed).currentFlags, 0);
    assert.equal((await mgmt.getDeviceFlags(0, absent)).currentFlags, 0);
    const removed = next(mgmt, "deviceRemoved", 0);
    await btmgmt.ask(`del-device -t 2 ${absent.address}`);
    assert.equal((await removed).address, absent.address);
    await refused("InvalidParameters", mgmt.removeDevice(0, absent));
    await refused("InvalidParameters", mgmt.getDeviceFlags(0, absent));
    await mgmt.removeDevice(0, { address: "00:00:00:00:00:00", addressType: "BREDR" });
    // Keys that were loaded make a device a paired one: one of either kind.
    const paired = { address: "C0:AA:BB:CC:DD:01", addressType: /** @type {const} */ ("LERandom") };
    const classic = { address: "00:AA:BB:CC:DD:02", addressType: /** @type {const} */ ("BREDR") };
    const unpaired = next(other, "deviceUnpaired", 0);
    for (const device of [paired, classic]) {
      await refused("AlreadyPaired", mgmt.pairDevice(0, { ...device, ioCapability: "NoInputNoOutput" }));
      await mgmt.unpairDevice(0, device);
      await refused("NotPaired", mgmt.unpairDevice(0, device));
    }
    assert.equal((await unpaired).address, paired.address);
    await refused("NotPaired", mgmt.unpairDevice(0, { ...paired, address: "C0:AA:BB:CC:DD:03" })); // its key is blocked
    assert.match(await btmgmt.ask(`unpair -t 2 ${paired.address}`), /Not Paired/);
    for (const [word, load] of /** @type {const} */ ([
      ["keys", () => mgmt.loadLinkKeys(0, { keys: [] })],
      ["ltks", () => mgmt.loadLongTermKeys(0, [])],
      ["irks", () => mgmt.loadIdentityResolvingKeys(0, [])],
    ])) {
      await btmgmt.do(word, /successfully loaded/);
      await load();
    }
    await mgmt.loadBlockedKeys(0, []);
    await mgmt.loadConnectionParameters(0, []);
  });

  await step("without a link, what needs one is not connected", async () => {
    for (const call of [
      () => mgmt.getConnectionInformation(0, absent),
      () => mgmt.getClockInformation(0, absentClassic),
      () => mgmt.getClockInformation(0, { address: "00:00:00:00:00:00", addressType: "BREDR" }),
      () => mgmt.pinCodeReply(0, { ...absentClassic, pinCode: Uint8Array.of(0x30, 0x30, 0x30, 0x30) }),
      () => mgmt.pinCodeNegativeReply(0, absentClassic),
      () => mgmt.userConfirmationReply(0, absent),
      () => mgmt.userConfirmationNegativeReply(0, absent),
      () => mgmt.userPasskeyReply(0, { ...absent, passkey: 123456 }),
      () => mgmt.userPasskeyNegativeReply(0, absent),
    ])
      await refused("NotConnected", call());
    await refused("InvalidParameters", mgmt.getClockInformation(0, absent));
    await assert.rejects(mgmt.disconnect(0, absent), ({ statusName }) => ["Disconnected", "NotConnected"].includes(statusName));
    await refused("InvalidParameters", mgmt.cancelPairDevice(0, absent));
    assert.deepEqual(await mgmt.getConnections(0), { connections: [] });
    assert.deepEqual(await btmgmt.connections(), []);
    assert.match(await btmgmt.ask(`conn-info -t 2 ${absent.address}`), /Not Connected/);
    assert.match(await btmgmt.ask("get-clock"), /Not Connected/);
  });
}
