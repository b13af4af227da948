// @ts-check
/** What a controller answers that is off: settings that need that, those that do not mind, and commands that are refused. */
import assert from "node:assert/strict";
import { commands, ExperimentalFeature } from "jelling/mgmt";
import { until } from "../../guest/bluez.mjs";
import { settingNames } from "../../guest/btmgmt.mjs";
import { next, notTaken, refused, settled } from "../../guest/mgmt.mjs";
import { absent, absentClassic, key } from "./context.mjs";

const none = new Uint8Array(16);
const pattern = { adType: 0xff, offset: 0, value: Uint8Array.of(1, 2) };

/**
 * Commands that need power: what they are given, and their answer where it is not NotPowered.
 *
 * @type {Record<string, { value?: unknown, answer?: import("../../guest/mgmt.mjs").StatusName }>}
 */
const needPower = {
  disconnect: { value: absent },
  getConnections: {},
  pinCodeReply: { value: { ...absentClassic, pinCode: Uint8Array.of(0x30, 0x30, 0x30, 0x30) } },
  pinCodeNegativeReply: { value: absentClassic },
  pairDevice: { value: { ...absent, ioCapability: "NoInputNoOutput" } },
  cancelPairDevice: { value: absent },
  unpairDevice: { value: absent },
  userConfirmationReply: { value: absent },
  userConfirmationNegativeReply: { value: absent },
  userPasskeyReply: { value: { ...absent, passkey: 1 } },
  userPasskeyNegativeReply: { value: absent },
  readLocalOutOfBandData: {},
  startDiscovery: { value: ["LEPublic", "LERandom"] },
  stopDiscovery: { value: ["LEPublic", "LERandom"], answer: "Rejected" },
  confirmName: { value: { ...absent, nameKnown: "Known" }, answer: "Failed" },
  getConnectionInformation: { value: absent },
  getClockInformation: { value: absentClassic },
  startServiceDiscovery: { value: { addressTypes: ["LEPublic", "LERandom"], uuids: ["180f"] } },
  readLocalOutOfBandExtendedData: { value: ["LEPublic", "LERandom"] },
  startLimitedDiscovery: { value: ["LEPublic", "LERandom"] },
  setPhyConfiguration: { value: ["BR1M1Slot", "LE1MTx", "LE1MRx"], answer: "Rejected" },
  addExtendedAdvertisingParameters: { value: { instance: 1 }, answer: "Rejected" },
  addExtendedAdvertisingData: { value: { instance: 1 }, answer: "Rejected" },
  transmitMeshPacket: { value: { ...absent, data: Uint8Array.of(2, 0x29, 1) }, answer: "NotSupported" },
  sendHciCommandAndWaitForEvent: { value: { opcode: 0x0c03 }, answer: "UnknownCommand" },
};

/** @param {import("./context.mjs").Context} context */
export async function poweredOffSteps({ step, mgmt, other, btmgmt }) {
  const bredr = /** @type {const} */ ({ ...absentClassic, action: "AllowIncoming" });

  await step("a closed controller: Add Device cannot even be written, and gets no reply", async () => {
    const add = () => mgmt.addDevice(0, { ...absent, action: "BackgroundScan" }).then(() => false);
    // For about two seconds after it appeared a controller is off and still running.
    const refusal = await until("the end of the grace period", () => add().catch((error) => error));
    assert.equal(refusal.code, "ERR_MGMT_WRITE");
    await notTaken("ENETDOWN", mgmt.addDevice(0, { ...absent, action: "BackgroundScan" }));
    // The entry is stored all the same, and the next commands go through.
    assert.deepEqual(await mgmt.getDeviceFlags(0, absent), { ...address(absent), supportedFlags: 1, currentFlags: 0 });
    await mgmt.addDevice(0, bredr);
    await refused("InvalidParameters", mgmt.addDevice(0, { ...absentClassic, action: "AutoConnect" }));
  });

  await step("every setting that may change while off is set by either and read by the other", async () => {
    await refused("Rejected", mgmt.setAdvertising(0, "Enabled"));
    await refused("Rejected", mgmt.addAdvertising(0, { instance: 1 }));
    await refused("Rejected", mgmt.setSecureConnections(0, "Enabled"));
    await refused("Rejected", mgmt.setBredr(0, false));
    await refused("Rejected", mgmt.setDiscoverable(0, { discoverable: "General" }));
    for (const { setting, word, set } of /** @type {const} */ ([
      { setting: "le", word: "le", set: (/** @type {boolean} */ on) => mgmt.setLowEnergy(0, on) },
      { setting: "ssp", word: "ssp", set: (/** @type {boolean} */ on) => mgmt.setSecureSimplePairing(0, on) },
      { setting: "secure-conn", word: "sc", set: (/** @type {boolean} */ on) => mgmt.setSecureConnections(0, Number(on)) },
      { setting: "bondable", word: "bondable", set: (/** @type {boolean} */ on) => mgmt.setBondable(0, on) },
      { setting: "link-security", word: "linksec", set: (/** @type {boolean} */ on) => mgmt.setLinkSecurity(0, on) },
      { setting: "fast-connectable", word: "fast-conn", set: (/** @type {boolean} */ on) => mgmt.setFastConnectable(0, on) },
      { setting: "debug-keys", word: "debug-keys", set: (/** @type {boolean} */ on) => mgmt.setDebugKeys(0, Number(on)) },
      { setting: "advertising", word: "advertising", set: (/** @type {boolean} */ on) => mgmt.setAdvertising(0, Number(on)) },
      { setting: "connectable", word: "connectable", set: (/** @type {boolean} */ on) => mgmt.setConnectable(0, on) },
    ])) {
      await settled(other);
      const told = next(other, "newSettings", 0);
      const { currentSettings } = await set(true);
      assert.ok(settingNames(currentSettings).includes(setting), setting);
      assert.equal((await told).currentSettings, currentSettings);
      assert.deepEqual((await btmgmt.info()).currentSettings, settingNames(currentSettings));
      const toldUs = next(mgmt, "newSettings", 0);
      await btmgmt.do(`${word} off`, /complete, settings:/);
      assert.ok(!settingNames((await toldUs).currentSettings).includes(setting), setting);
      assert.equal((await mgmt.readControllerInformation(0)).currentSettings, (await toldUs).currentSettings);
      if (setting !== "advertising" && setting !== "debug-keys") await set(true);
    }
    assert.deepEqual(
      (await btmgmt.info()).currentSettings,
      "connectable fast-connectable bondable link-security ssp br/edr le secure-conn".split(" "),
    );
  });

  await step("what these controllers or this kernel have not is not supported", async () => {
    // Kernels are built with AMP controllers or without, and lost them in the course of 6.1.
    await mgmt.setHighSpeed(0, true).then(
      () => mgmt.setHighSpeed(0, false),
      ({ statusName }) => assert.equal(statusName, "NotSupported"),
    );
    await refused("NotSupported", mgmt.setWidebandSpeech(0, true));
    await refused("NotSupported", mgmt.setExternalConfiguration(0, "Configured"));
    await refused("NotSupported", mgmt.setPublicAddress(0, "00:11:22:33:44:66"));
    await refused("InvalidParameters", mgmt.setPublicAddress(0, "00:00:00:00:00:00"));
    await refused("NotSupported", mgmt.setExperimentalFeature(undefined, { uuid: "d4992530-b9ec-469f-ab01-6c481c47da1c", action: true }));
    const quality = { uuid: ExperimentalFeature.QualityReport.uuid };
    await refused("NotSupported", mgmt.setExperimentalFeature(0, { ...quality, action: true }));
    await refused("InvalidParameters", mgmt.setExperimentalFeature(0, { ...quality, action: /** @type {any} */ (255) }));
    const offload = { uuid: ExperimentalFeature.OffloadCodecs.uuid };
    assert.equal((await mgmt.setExperimentalFeature(0, { ...offload, action: true })).flags & 1, 1);
    await mgmt.setExperimentalFeature(0, { ...offload, action: false });
    await refused("NotSupported", mgmt.readMeshFeatures(0));
    await refused("NotSupported", mgmt.setMeshReceiver(0, { enable: true, window: 48, period: 96 }));
    await refused("NotSupported", mgmt.cancelTransmitMeshPacket(0, 0));
  });

  await step("an advertising instance is added while off, and cannot be removed: writing that fails, too", async () => {
    await mgmt.addAdvertising(0, { instance: 1 });
    await notTaken("ENETDOWN", mgmt.removeAdvertising(0, 1));
    assert.equal((await btmgmt.advinfo()).instances, (await mgmt.readAdvertisingFeatures(0)).instances.length);
    await refused("Rejected", mgmt.addAdvertising(0, { instance: 2, timeout: 5 }));
  });

  await step("discoverable: what it needs", async () => {
    await refused("NotPowered", mgmt.setDiscoverable(0, { discoverable: "General", timeout: 10 }));
    await refused("InvalidParameters", mgmt.setDiscoverable(0, { discoverable: "Limited" }));
    await refused("InvalidParameters", mgmt.setDiscoverable(0, { discoverable: "NotDiscoverable", timeout: 10 }));
    const on = await mgmt.setDiscoverable(0, { discoverable: "General" });
    assert.ok(settingNames(on.currentSettings).includes("discoverable"));
    assert.deepEqual((await btmgmt.info()).currentSettings, settingNames(on.currentSettings));
    const off = await mgmt.setConnectable(0, false); // takes Discoverable with it
    assert.ok(!settingNames(off.currentSettings).includes("discoverable"));
    await mgmt.setConnectable(0, true);
  });

  await step("BR/EDR may go while LE stays, and takes its settings with it", async () => {
    const { currentSettings } = await mgmt.setBredr(0, false);
    assert.deepEqual(settingNames(currentSettings), ["connectable", "bondable", "le", "secure-conn"]);
    assert.deepEqual((await btmgmt.info()).currentSettings, settingNames(currentSettings));
    await refused("Rejected", mgmt.setLowEnergy(0, false));
    await refused("NotSupported", mgmt.setFastConnectable(0, true));
    await refused("Rejected", mgmt.setSecureSimplePairing(0, true));
    await refused("Rejected", mgmt.setLinkSecurity(0, true));
  });

  await step("static address and privacy, set by either and read by the other", async () => {
    await refused("InvalidParameters", mgmt.setStaticAddress(0, "00:11:22:33:44:55"));
    await settled(other);
    const told = next(other, "newSettings", 0);
    const fixed = await mgmt.setStaticAddress(0, absent.address);
    assert.equal((await told).currentSettings, fixed.currentSettings);
    assert.ok((await btmgmt.info()).currentSettings.includes("static-addr"));
    const given = await mgmt.setPrivacy(0, { privacy: "Always", identityResolvingKey: key(1) });
    assert.deepEqual(settingNames(given.currentSettings).slice(-2), ["privacy", "static-addr"]);
    assert.deepEqual((await btmgmt.info()).currentSettings, settingNames(given.currentSettings));
    const gone = next(mgmt, "newSettings", 0);
    await btmgmt.do("static-addr 00:00:00:00:00:00", /success/);
    assert.ok(!settingNames((await gone).currentSettings).includes("static-addr"));
    await refused("InvalidParameters", mgmt.setPrivacy(0, { privacy: 3, identityResolvingKey: none }));
    await mgmt.setPrivacy(0, { privacy: "Disabled", identityResolvingKey: none });
    const back = await mgmt.setBredr(0, true);
    assert.deepEqual(settingNames(back.currentSettings), ["connectable", "bondable", "br/edr", "le", "secure-conn"]);
    await mgmt.setSecureSimplePairing(0, true);
  });

  await step("name, appearance and extended information, told to both kinds of listeners", async () => {
    const info = next(other, "extendedControllerInformationChanged", 0);
    assert.deepEqual(await mgmt.setLocalName(0, { name: "Jelling é", shortName: "J é" }), { name: "Jelling é", shortName: "J é" });
    assert.ok(Buffer.from((await info).eirData).includes(Buffer.from("Jelling é")));
    const { name, shortName } = await btmgmt.info();
    assert.deepEqual({ name, shortName }, { name: "Jelling é", shortName: "J é" });
    const changed = next(mgmt, "localNameChanged", 0);
    await btmgmt.do("name named-by-btmgmt short");
    assert.deepEqual(await changed, { event: "localNameChanged", index: 0, name: "named-by-btmgmt", shortName: "short" });
    assert.equal((await mgmt.readControllerInformation(0)).name, "named-by-btmgmt");
    await mgmt.setAppearance(0, 0x0340);
    const read = await other.readExtendedControllerInformation(0);
    const extended = await btmgmt.extinfo();
    assert.deepEqual(
      {
        address: read.address,
        currentSettings: settingNames(read.currentSettings),
        supportedSettings: settingNames(read.supportedSettings),
      },
      { address: extended.address, currentSettings: extended.currentSettings, supportedSettings: extended.supportedSettings },
    );
    assert.ok(Buffer.from(read.eirData).includes(Buffer.from([3, 0x19, 0x40, 0x03])), "the appearance");
  });

  await step("class, device identification, IO capability, UUIDs and scan parameters", async () => {
    assert.deepEqual(await mgmt.setDeviceClass(0, { majorClass: 2, minorClass: 0x0c }), { classOfDevice: 0 }); // until it is on
    await refused("InvalidParameters", mgmt.setDeviceClass(0, { majorClass: 2, minorClass: 3 }));
    await mgmt.setDeviceId(0, { source: "USBImplementersForum", vendor: 0x1d6b, product: 0x0246, version: 0x0542 });
    await refused("InvalidParameters", mgmt.setDeviceId(0, { source: 3, vendor: 0, product: 0, version: 0 }));
    await mgmt.setIoCapability(0, "DisplayYesNo");
    await refused("InvalidParameters", mgmt.setIoCapability(0, 5));
    await mgmt.addUuid(0, { uuid: "110b", svcHint: 0x20 });
    await btmgmt.do("add-uuid 180f 0", /succeeded/);
    await mgmt.removeUuid(0, "180f");
    await refused("InvalidParameters", mgmt.removeUuid(0, "180f"));
    await mgmt.setScanParameters(0, { interval: 96, window: 48 });
    await btmgmt.do("scan-params 96 48", /success/);
  });

  await step("keys are loaded, with entries and without", async () => {
    const device = { address: "C0:AA:BB:CC:DD:01", addressType: /** @type {const} */ ("LERandom") };
    const classic = { address: "00:AA:BB:CC:DD:02", addressType: /** @type {const} */ ("BREDR") };
    const ltk = { ...device, keyType: /** @type {const} */ ("UnauthenticatedP256"), central: 0, encryptionSize: 16 };
    await mgmt.loadBlockedKeys(0, [{ keyType: "LongTermKey", value: key(0x60) }]);
    await mgmt.loadLinkKeys(0, { debugKeys: false, keys: [{ ...classic, keyType: "AuthenticatedP256", value: key(0x20), pinLength: 0 }] });
    const other = { ...ltk, address: "C0:AA:BB:CC:DD:03", value: key(0x60), encryptionDiversifier: 0, randomNumber: 0n };
    await mgmt.loadLongTermKeys(0, [{ ...ltk, value: key(0x40), encryptionDiversifier: 0, randomNumber: 0n }, other]);
    await mgmt.loadIdentityResolvingKeys(0, [{ ...device, value: key(0x10) }]);
    await refused(
      "InvalidParameters",
      mgmt.loadIdentityResolvingKeys(0, [{ address: "40:AA:BB:CC:DD:01", addressType: "LERandom", value: key(0x10) }]),
    );
    await mgmt.loadConnectionParameters(0, [
      { ...absent, minConnectionInterval: 24, maxConnectionInterval: 40, connectionLatency: 0, supervisionTimeout: 42 },
    ]);
  });

  await step("every command that needs power says so", async () => {
    const named = Object.entries(commands).filter(([, { power }]) => power === "on");
    assert.deepEqual(Object.keys(needPower).sort(), named.map(([name]) => name).sort());
    /** @type {Record<string, unknown>} */
    const answers = {};
    /** @type {Record<string, unknown>} */
    const expected = {};
    for (const [method, { value, answer = "NotPowered" }] of Object.entries(needPower)) {
      const call = /** @type {Record<string, Function>} */ (/** @type {unknown} */ (mgmt))[method];
      expected[method] = answer;
      answers[method] = await call?.(0, ...(value === undefined ? [] : [value])).then(
        () => "Success",
        (/** @type {{ statusName?: string, message: string }} */ error) => error.statusName ?? error.message,
      );
    }
    assert.deepEqual(answers, expected);
    assert.deepEqual(await btmgmt.connections(), []);
  });

  await step("devices are blocked and let in again by either", async () => {
    const blocked = next(other, "deviceBlocked", 0);
    await mgmt.blockDevice(0, absent);
    assert.equal((await blocked).address, absent.address);
    await refused("Failed", mgmt.blockDevice(0, absent));
    const unblocked = next(mgmt, "deviceUnblocked", 0);
    await btmgmt.do(`unblock -t 2 ${absent.address}`, /succeeded/);
    assert.equal((await unblocked).addressType, 2);
    await refused("InvalidParameters", mgmt.unblockDevice(0, absent));
    await btmgmt.do(`block -t 2 ${absent.address}`, /succeeded/);
    await mgmt.unblockDevice(0, { address: "00:00:00:00:00:00", addressType: "BREDR" });
  });

  await step(
    "a monitor on a controller that is off fails, and leaves the kernel busy until the controller was on and off again",
    async () => {
      await refused("Failed", mgmt.addAdvertisementPatternsMonitor(1, [pattern]));
      await refused("Busy", mgmt.removeAdvertisementMonitor(1, 0));
      await mgmt.setLowEnergy(1, true);
      await mgmt.setPowered(1, true);
      await mgmt.setPowered(1, false); // answers the failed command once more: nobody waits for it
      await mgmt.removeAdvertisementMonitor(1, 0);
    },
  );
}

/** @param {{ address: string }} device */
const address = ({ address }) => ({ address, addressType: 2 });
