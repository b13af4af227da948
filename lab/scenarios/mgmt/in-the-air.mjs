// @ts-check
/** What two controllers hear of each other: discovery, monitors, mesh, connections, and every way to pair. hci1 looks for hci0. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { ExperimentalFeature } from "jelling/mgmt";
import { until } from "../../guest/bluez.mjs";
import { Btmgmt } from "../../guest/btmgmt.mjs";
import { contains, next, pending, refused, settled } from "../../guest/mgmt.mjs";
import { absent, absentClassic, addresses } from "./context.mjs";

const le = /** @type {const} */ (["LEPublic", "LERandom"]);
/** The other one, as either of them sees it. */
const hci0 = Object.freeze({ address: addresses[0], addressType: /** @type {const} */ ("LEPublic") });
const hci1 = Object.freeze({ address: addresses[1], addressType: /** @type {const} */ ("LEPublic") });
const battery = Uint8Array.of(3, 0x03, 0x0f, 0x18);
const pattern = { adType: /** @type {const} */ ("CompleteUuid16"), offset: 0, value: Uint8Array.of(0x0f, 0x18) };
const mesh = { uuid: ExperimentalFeature.MgmtMesh.uuid };

/** @param {import("./context.mjs").Context} context */
export async function discoverySteps({ step, mgmt, other, btmgmt }) {
  const found = () => next(mgmt, "deviceFound", 1, ({ address, eirData }) => address === addresses[0] && contains(eirData, battery));

  await step("both are on, and a BR/EDR inquiry begins and ends", async () => {
    for (const set of /** @type {const} */ (["setLowEnergy", "setSecureSimplePairing", "setBondable", "setConnectable"]))
      await mgmt[set](1, true);
    await mgmt.setSecureConnections(1, "Enabled");
    await mgmt.setPowered(1, true);
    await mgmt.startDiscovery(1, ["BREDR"]);
    const over = next(mgmt, "discovering", 1, ({ discovering }) => discovering === 0);
    await mgmt.stopDiscovery(1, ["BREDR"]);
    await over;
  });

  await step("hci1 finds what hci0 advertises, in each kind of discovery", async () => {
    // The emulator reports an advertiser when it begins to advertise, and perhaps before the kernel listens: so it begins anew.
    const advertise = () => mgmt.addAdvertising(0, { instance: 1, flags: ["Connectable", "LimitedDiscoverable"], advData: battery });
    for (const start of [
      () => mgmt.startDiscovery(1, le),
      () => mgmt.startServiceDiscovery(1, { addressTypes: le, uuids: ["180f"], rssiThreshold: 127 }),
      () => mgmt.startLimitedDiscovery(1, le),
    ]) {
      const device = found();
      const discovering = next(other, "discovering", 1, ({ discovering }) => discovering === 1);
      assert.deepEqual(await start(), { addressTypes: 6 });
      assert.equal((await discovering).addressTypes, 6);
      let heard = false;
      device.finally(() => (heard = true)).catch(() => undefined);
      while (!heard) {
        await advertise();
        await delay(100);
      }
      assert.equal((await device).addressType, 1);
      await refused("Busy", other.startDiscovery(1, le));
      await refused("InvalidParameters", mgmt.confirmName(1, { ...absentClassic, nameKnown: "Known" }));
      await refused("InvalidParameters", mgmt.stopDiscovery(1, ["BREDR", ...le]));
      const over = next(mgmt, "discovering", 1);
      await mgmt.stopDiscovery(1, le);
      assert.equal((await over).discovering, 0);
    }
    await refused("Rejected", mgmt.stopDiscovery(1, le));
    await refused("Failed", mgmt.confirmName(1, { ...absentClassic, nameKnown: "Known" }));
    await refused("InvalidParameters", mgmt.startDiscovery(1, ["LEPublic"]));
    const events = next(mgmt, "discovering", 0);
    await btmgmt.do("find -l", /Discovery started/);
    assert.equal((await events).discovering, 1);
    await mgmt.stopDiscovery(0, le);
    await btmgmt.heard(/type 6 discovering off/);
    await mgmt.startDiscovery(1, le); // the filter of a limited one outlives it
    await mgmt.stopDiscovery(1, le);
  });

  await step("monitors report what hci0 advertises, and are counted by btmgmt", async () => {
    const features = await mgmt.readAdvertisementMonitorFeatures(0);
    assert.deepEqual(features, { supportedFeatures: 0, enabledFeatures: 0, maxNumHandles: 32, maxNumPatterns: 16, handles: [] });
    const { maxNumHandles, maxNumPatterns } = features;
    const added = next(other, "advertisementMonitorAdded", 0);
    const { monitorHandle } = await mgmt.addAdvertisementPatternsMonitor(0, [pattern]);
    assert.equal((await added).monitorHandle, monitorHandle);
    assert.deepEqual(await btmgmt.monitors(), { maxNumHandles, maxNumPatterns, handles: 1 });
    const limits = { highThreshold: -50, highThresholdTimer: 0, lowThreshold: -70, lowThresholdTimer: 5, samplingPeriod: 0 };
    const withRssi = await mgmt.addAdvertisementPatternsMonitorWithRssiThreshold(0, { ...limits, patterns: [pattern] });
    assert.deepEqual((await mgmt.readAdvertisementMonitorFeatures(0)).handles, [monitorHandle, withRssi.monitorHandle]);
    assert.deepEqual(await btmgmt.monitors(), { maxNumHandles, maxNumPatterns, handles: 2 });
    await refused("InvalidParameters", mgmt.addAdvertisementPatternsMonitor(0, []));
    await refused("InvalidParameters", mgmt.removeAdvertisementMonitor(0, 99));
    const removed = next(other, "advertisementMonitorRemoved", 0);
    await mgmt.removeAdvertisementMonitor(0, monitorHandle);
    assert.equal((await removed).monitorHandle, monitorHandle);
    await btmgmt.askMonitor(`remove ${withRssi.monitorHandle}`);
    assert.deepEqual((await mgmt.readAdvertisementMonitorFeatures(0)).handles, []);
    // The same on hci1, which hears hci0
    const device = next(mgmt, "advertisementMonitorDeviceFound", 1);
    await mgmt.addAdvertisementPatternsMonitor(1, [pattern]);
    const { address, monitorHandle: handle, adData } = await device;
    assert.deepEqual([address, handle], [addresses[0], 0]);
    assert.ok(contains(adData, battery));
    await mgmt.removeAdvertisementMonitor(1, 0);
    await mgmt.removeAdvertising(0, 0);
  });

  await step("mesh packets go from hci0 to hci1", async () => {
    const changed = next(other, "experimentalFeatureChanged", 0);
    await other.readExperimentalFeaturesInformation(undefined); // from now on it is told
    const { flags } = await mgmt.setExperimentalFeature(0, { ...mesh, action: true });
    assert.equal(flags & 1, 1);
    assert.equal((await changed).flags & 1, 1);
    await mgmt.setExperimentalFeature(1, { ...mesh, action: true });
    assert.deepEqual(await mgmt.readMeshFeatures(0), { index: 0, maxHandles: 3, handles: [] });
    await refused("InvalidParameters", mgmt.setMeshReceiver(1, { enable: true, window: 96, period: 48 }));
    await mgmt.setMeshReceiver(1, { enable: true, window: 48, period: 96, adTypes: ["MeshMessage"] });
    const heard = next(mgmt, "meshDeviceFound", 1);
    const done = next(other, "meshPacketTransmitComplete", 0);
    const message = Uint8Array.of(4, 0x2a, 1, 2, 3);
    const { handle } = await mgmt.transmitMeshPacket(0, { ...hci0, data: message, count: 2, delay: 10 });
    assert.deepEqual((await heard).adData, message);
    assert.equal((await done).handle, handle);
    await mgmt.cancelTransmitMeshPacket(0, 0);
    await mgmt.setMeshReceiver(1, { enable: false, window: 48, period: 96 });
    // The receiver leaves the controller discovering, with the address types of the last discovery.
    await refused("Busy", mgmt.startDiscovery(1, le));
    await mgmt.stopDiscovery(1, le);
    for (const index of [0, 1]) await mgmt.setExperimentalFeature(index, { ...mesh, action: false });
  });

  await step("an automatic connection, as btmgmt sees it on hci1", async () => {
    const seen = await Btmgmt.start(1);
    try {
      const connected = next(mgmt, "deviceConnected", 1);
      await mgmt.addAdvertising(0, { instance: 1, flags: ["Connectable", "Discoverable"], advData: battery });
      await mgmt.addDevice(1, { ...hci0, action: "AutoConnect" });
      assert.equal((await connected).address, addresses[0]);
      // A link that nobody uses is closed after two seconds, and made again.
      await until("both to see the link", async () => {
        const { connections } = await mgmt.getConnections(1);
        const [link] = await seen.connections();
        if (connections.length === 0 || !link) return false;
        assert.deepEqual([connections, link], [[{ address: addresses[0], addressType: 1 }], { address: addresses[0], type: "LE Public" }]);
        return true;
      });
      await until("the link's information", async () => {
        const info = await mgmt.getConnectionInformation(1, hci0).catch(() => undefined);
        const text = await seen.ask(`conn-info -t 1 ${addresses[0]}`);
        if (!info || /failed/.test(text)) return false;
        assert.match(text, new RegExp(`RSSI ${info.rssi}\\s+TX power ${info.txPower}\\s+maximum TX power ${info.maxTxPower}`));
        return true;
      });
      await mgmt.removeDevice(1, hci0);
      const gone = next(other, "deviceDisconnected", 1);
      await mgmt.disconnect(1, hci0).catch(({ statusName }) => assert.equal(statusName, "Disconnected"));
      await gone;
    } finally {
      await seen[Symbol.asyncDispose]();
    }
  });
}

/**
 * Pairings between the two. btmgmt must not run: it would ask its own user.
 *
 * @param {Omit<import("./context.mjs").Context, "btmgmt">} context
 */
export async function pairingSteps({ step, mgmt, other }) {
  /** The question to either side. */
  const asked = () => ({
    responder: next(mgmt, "userConfirmationRequest", 0),
    initiator: next(mgmt, "userConfirmationRequest", 1),
  });
  const unpair = async () => {
    for (const [index, device] of /** @type {const} */ ([
      [1, hci0],
      [0, hci1],
    ])) {
      await mgmt.unpairDevice(index, device).catch(({ statusName }) => assert.equal(statusName, "NotPaired"));
      await mgmt.unpairDevice(index, { ...device, addressType: "BREDR" }).catch(({ statusName }) => assert.equal(statusName, "NotPaired"));
    }
  };

  await step(
    "a pairing with nobody is never answered: it times out here, is cancelled there, and its late answer is nobody's",
    async () => {
      const request = { ...absent, ioCapability: /** @type {const} */ ("NoInputNoOutput") };
      await assert.rejects(mgmt.pairDevice(1, request, { timeoutMs: 500 }), { code: "ERR_TIMEOUT" });
      await refused("Busy", other.pairDevice(1, request));
      await mgmt.cancelPairDevice(1, absent);
      const again = pending(mgmt.pairDevice(1, request)); // waits for its own answer
      await settled(mgmt);
      await mgmt.cancelPairDevice(1, absent);
      await refused("Cancelled", again);
      await refused("InvalidParameters", mgmt.cancelPairDevice(1, absent));
    },
  );

  await step("numeric comparison: both show the same number, both say yes, both get keys", async () => {
    await mgmt.setIoCapability(0, "DisplayYesNo");
    const { responder, initiator } = asked();
    const keys = [
      next(mgmt, "newLongTermKey", 0),
      next(mgmt, "newLongTermKey", 1),
      next(mgmt, "newLinkKey", 0),
      next(mgmt, "newLinkKey", 1),
    ];
    const signing = next(other, "newSignatureResolvingKey", 1);
    const pairing = pending(mgmt.pairDevice(1, { ...hci0, ioCapability: "DisplayYesNo" }));
    const questions = await Promise.all([responder, initiator]);
    assert.equal(questions[0].value, questions[1].value);
    assert.deepEqual(
      questions.map(({ address, confirmHint }) => [address, confirmHint]),
      [
        [addresses[1], 0],
        [addresses[0], 0],
      ],
    );
    await refused("Busy", other.pairDevice(1, { ...hci0, ioCapability: "DisplayYesNo" }));
    await mgmt.userConfirmationReply(0, hci1);
    await mgmt.userConfirmationReply(1, hci0);
    assert.deepEqual(await pairing, { address: addresses[0], addressType: 1 });
    const received = await Promise.all(keys);
    assert.deepEqual(
      received.map(({ index, key, storeHint }) => [index, key.address, storeHint]),
      [
        [0, addresses[1], 1],
        [1, addresses[0], 1],
        [0, addresses[1], 1],
        [1, addresses[0], 1],
      ],
    );
    assert.deepEqual(received[0]?.key.value, received[1]?.key.value);
    assert.equal((await signing).address, addresses[0]);
    await refused("AlreadyPaired", mgmt.pairDevice(1, { ...hci0, ioCapability: "DisplayYesNo" }));
    await refused("AlreadyPaired", mgmt.pairDevice(1, { ...hci0, addressType: "BREDR", ioCapability: "DisplayYesNo" }));
    const gone = next(other, "deviceDisconnected", 1);
    await mgmt.disconnect(1, hci0);
    await gone;
    const told = next(other, "deviceUnpaired", 1);
    await unpair();
    assert.equal((await told).address, addresses[0]);
  });

  await step("a refusal on one side fails the pairing on both", async () => {
    const { responder } = asked();
    const failed = next(mgmt, "authenticationFailed", 0);
    const gone = next(mgmt, "deviceDisconnected", 1);
    const pairing = pending(mgmt.pairDevice(1, { ...hci0, ioCapability: "DisplayYesNo" }));
    await responder;
    await mgmt.userConfirmationNegativeReply(0, hci1);
    await refused("AuthenticationFailed", pairing);
    assert.equal((await failed).address, addresses[1]);
    await gone;
  });

  for (const agreed of [true, false])
    await step(`passkey entry: hci1 types what hci0 shows, ${agreed ? "and gets keys" : "or does not"}`, async () => {
      await mgmt.setIoCapability(0, "DisplayOnly");
      const shown = next(mgmt, "passkeyNotify", 0);
      const question = next(mgmt, "userPasskeyRequest", 1);
      const gone = next(other, "deviceDisconnected", 1);
      const pairing = pending(mgmt.pairDevice(1, { ...hci0, ioCapability: "KeyboardOnly" }));
      await question;
      const { passkey } = await shown;
      if (agreed) {
        await mgmt.userPasskeyReply(1, { ...hci0, passkey });
        await pairing;
        await mgmt.disconnect(1, hci0);
      } else {
        await mgmt.userPasskeyNegativeReply(1, hci0);
        await refused("AuthenticationFailed", pairing);
      }
      await gone;
      await unpair();
    });

  await step(
    "without Secure Connections legacy pairing compares no numbers: refused between two who can, asked where one cannot",
    async () => {
      for (const index of [0, 1]) await mgmt.setSecureConnections(index, "Disabled");
      await mgmt.setIoCapability(0, "DisplayYesNo");
      const failed = next(mgmt, "authenticationFailed", 0);
      const gone = next(other, "deviceDisconnected", 1);
      const refusal = pending(mgmt.pairDevice(1, { ...hci0, ioCapability: "DisplayYesNo" }));
      await refused("AuthenticationFailed", refusal);
      await assert.rejects(refusal, /Secure Connections/);
      assert.equal((await failed).address, addresses[1]);
      await gone;
      const { responder, initiator } = asked();
      const keys = next(mgmt, "newLongTermKey", 1);
      const pairing = pending(mgmt.pairDevice(1, { ...hci0, ioCapability: "NoInputNoOutput" }));
      assert.deepEqual([(await responder).confirmHint, (await initiator).confirmHint], [1, 1]);
      await mgmt.userConfirmationReply(0, hci1);
      await mgmt.userConfirmationReply(1, hci0);
      await pairing;
      assert.equal((await keys).key.keyType, 0);
      const over = next(other, "deviceDisconnected", 1);
      await mgmt.disconnect(1, hci0);
      await over;
      await unpair();
      for (const index of [0, 1]) await mgmt.setSecureConnections(index, "Enabled");
    },
  );

  await step("BR/EDR: paired by comparison, the clocks are read", async () => {
    await mgmt.setIoCapability(0, "DisplayYesNo");
    const { responder, initiator } = asked();
    const pairing = pending(mgmt.pairDevice(1, { ...hci0, addressType: "BREDR", ioCapability: "DisplayYesNo" }));
    await Promise.all([responder, initiator]);
    await mgmt.userConfirmationReply(0, { ...hci1, addressType: "BREDR" });
    await mgmt.userConfirmationReply(1, { ...hci0, addressType: "BREDR" });
    await pairing;
    const clock = await mgmt.getClockInformation(1, { ...hci0, addressType: "BREDR" });
    assert.equal(clock.address, addresses[0]);
    await mgmt.disconnect(1, { ...hci0, addressType: "BREDR" });
    await unpair();
  });
}
