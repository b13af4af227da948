// @ts-check
/**
 * The kernel drives the extended features of Jelling's virtual controllers by its management interface, with one of Jelling's devices in the same
 * air as its peer; and Jelling's host has such a controller on the kernel's user channel. Without bluetoothd. Inside the lab:
 * node lab/run.mjs -- node lab/scenarios/extended.mjs
 */
import assert from "node:assert/strict";
import { Device } from "jelling";
import { SystemClock } from "jelling/async";
import { Address } from "jelling/core";
import {
  EventCode,
  LeAddDeviceToResolvingList,
  LeSetAddressResolutionEnable,
  LeSetExtendedScanEnable,
  LeSetPrivacyMode,
  PacketType,
} from "jelling/hci";
import { bitsOf, ExperimentalFeature, openMgmt, Phys } from "jelling/mgmt";
import { IoCapability } from "jelling/smp";
import { SimulatedAir } from "jelling/testing";
import { openTransport } from "jelling/transport";
import { until } from "../guest/bluez.mjs";
import { next, pending } from "../guest/mgmt.mjs";
import { startMonitor } from "../guest/monitor.mjs";
import { runScenario } from "../guest/scenario.mjs";

/** Addresses of the two controllers; the first is the kernel's. */
const adapters = /** @type {const} */ (["00:AA:02:00:00:10", "00:AA:02:00:00:11"]);
const kernels = `adapter ${adapters[0]}`;
const features = { extendedAdvertising: true, periodicAdvertising: true, llPrivacy: true };
const le = /** @type {const} */ (["LEPublic", "LERandom"]);
const jelling = { address: "C0:00:00:00:00:10", addressType: /** @type {const} */ ("LERandom") };
const hidden = { address: "C0:00:00:00:00:11", addressType: /** @type {const} */ ("LERandom") };
const identityResolvingKey = new Uint8Array(16).fill(3);
const phys = /** @type {const} */ (["LE1MTx", "LE1MRx", "LE2MTx", "LE2MRx", "LECodedTx", "LECodedRx"]);
const instances = /** @type {const} */ ([
  { instance: 1, flag: "Secondary1M", phy: "1M" },
  { instance: 2, flag: "Secondary2M", phy: "2M" },
  { instance: 3, flag: "SecondaryCoded", phy: "coded" },
]);
const patienceMs = 60_000;
/** Manufacturer data of one octet. */
const advertised = (/** @type {number} */ value) => Uint8Array.of(4, 0xff, 0xff, 0xff, value);

await runScenario("extended", async ({ use, step, capturePath, capture }) => {
  const air = use(new SimulatedAir({ seed: 5, clock: new SystemClock() }));
  for (const address of adapters) {
    const transport = use(await openTransport("vhci:"));
    air.addController({ name: `adapter ${address}`, address, features }).attach(transport);
  }
  const mgmt = use(await openMgmt());
  const device = await air.device({
    name: "Jelling",
    address: Address.from(jelling.address, "random"),
    pairing: { ioCapability: IoCapability.NoInputNoOutput },
    capture: await capture("jelling"),
    agent: { confirm: async () => true, compare: async () => true, enterPasskey: async () => undefined, displayPasskey: () => {} },
  });

  /** Commands that the kernel's controller has completed with success, by opcode. */
  const completed = () => {
    const opcodes = new Set();
    for (const entry of air.air.trace.entries) {
      if (entry.kind !== "hci" || entry.direction !== "to-host" || entry.controller !== kernels) continue;
      const [type, code, , , low = 0, high = 0, status] = entry.packet;
      if (type === PacketType.Event && code === EventCode.CommandComplete && status === 0) opcodes.add(low | (high << 8));
    }
    return opcodes;
  };

  await step("the kernel brings up a controller that has LE 2M, LE Coded and eight advertising sets", async () => {
    await until("both adapters", async () => (await mgmt.readControllerIndexList()).controllerIndexes.length === 2);
    use(await startMonitor(0, capturePath("bluez")));
    await mgmt.setSecureConnections(0, "Enabled");
    await mgmt.setBondable(0, true);
    await mgmt.setPowered(0, true);
    const { supportedPhys } = await mgmt.getPhyConfiguration(0);
    assert.equal(supportedPhys, bitsOf(Phys, phys));
    const { maxAdvDataLen, maxInstances } = await mgmt.readAdvertisingFeatures(0);
    assert.deepEqual([maxAdvDataLen, maxInstances], [251, 8]);
  });

  await step("three advertising instances of the kernel are on the air at once, each on its secondary PHY, with its data", async () => {
    for (const { instance, flag } of instances) {
      await mgmt.addExtendedAdvertisingParameters(0, { instance, flags: [flag, "ParamIntervals"], minInterval: 160, maxInterval: 160 });
      await mgmt.addExtendedAdvertisingData(0, { instance, advData: advertised(instance) });
    }
    /** @type {Map<number, unknown>} */
    const heard = new Map();
    const options = { phys: /** @type {const} */ (["1M", "coded"]), duplicates: /** @type {const} */ ("report") };
    for await (const advertisement of device.scan({ ...options, signal: AbortSignal.timeout(patienceMs) })) {
      const value = advertisement.manufacturerData[0]?.data[0];
      if (value !== undefined && advertisement.isExtended) heard.set(value, advertisement.secondaryPhy);
      if (heard.size === instances.length) break;
    }
    assert.deepEqual(
      [...heard].toSorted(([a], [b]) => a - b),
      instances.map(({ instance, phy }) => [instance, phy]),
    );
    await mgmt.removeAdvertising(0, 0);
  });

  await step("with every PHY selected the kernel discovers who advertises on LE 1M and who on LE Coded, 150 octets of data", async () => {
    await mgmt.setPhyConfiguration(0, phys);
    assert.equal((await mgmt.getPhyConfiguration(0)).selectedPhys, bitsOf(Phys, phys));
    for (const primaryPhy of /** @type {const} */ (["1M", "coded"])) {
      const data = { name: `On ${primaryPhy}`, manufacturerData: [{ companyIdentifier: 0xffff, data: new Uint8Array(150).fill(7) }] };
      const advertising = await device.advertise({ type: "extended", connectable: false, primaryPhy, intervalMs: 100, data });
      const found = next(
        mgmt,
        "deviceFound",
        0,
        ({ address, eirData }) => address === jelling.address && Buffer.from(eirData).includes(data.name) && eirData.length > 150,
      );
      await mgmt.startDiscovery(0, le);
      await found;
      await mgmt.stopDiscovery(0, le);
      await advertising.stop();
    }
    assert.ok(completed().has(LeSetExtendedScanEnable.opcode));
  });

  await step("the kernel connects by LE Extended Create Connection, pairs and disconnects, on LE 1M and on LE Coded", async () => {
    for (const primaryPhy of /** @type {const} */ (["1M", "coded"])) {
      const advertising = await device.advertise({ type: "extended", primaryPhy, intervalMs: 100, data: { name: "Connect me" } });
      const arriving = advertising.connection({ timeoutMs: patienceMs });
      const asked = next(mgmt, "userConfirmationRequest", 0); // whether to pair at all: there is nothing to compare
      const pairing = pending(mgmt.pairDevice(0, { ...jelling, ioCapability: "NoInputNoOutput" }));
      const connection = await arriving;
      assert.deepEqual(connection.phy, { tx: primaryPhy, rx: primaryPhy });
      assert.equal((await asked).confirmHint, 1);
      await mgmt.userConfirmationReply(0, jelling);
      assert.deepEqual(await pairing, { address: jelling.address, addressType: 2 });
      const gone = next(mgmt, "deviceDisconnected", 0);
      await mgmt.unpairDevice(0, { ...jelling, disconnect: true });
      await gone;
      await connection.closed;
      await device.bonds.delete(Address.from(adapters[0], "public"));
      await advertising.stop();
    }
  });

  await step("Jelling connects to an instance of the kernel whose secondary PHY is LE 2M", async () => {
    const parameters = { instance: 1, flags: /** @type {const} */ (["Connectable", "Secondary2M", "ParamIntervals"]) };
    await mgmt.addExtendedAdvertisingParameters(0, { ...parameters, minInterval: 160, maxInterval: 160 });
    await mgmt.addExtendedAdvertisingData(0, { instance: 1, advData: advertised(9) });
    const told = next(mgmt, "deviceConnected", 0);
    const connection = await device.connect(Address.from(adapters[0], "public"), { phys: ["1M", "2M"], timeoutMs: patienceMs });
    assert.equal((await told).address, jelling.address);
    assert.deepEqual(connection.phy, { tx: "2M", rx: "2M" });
    await connection.disconnect();
    await mgmt.removeAdvertising(0, 0);
  });

  await step(
    "LL privacy: the kernel's resolving list is in the controller, which tells the identity of who comes behind a private address",
    async () => {
      await mgmt.setPowered(0, false);
      await mgmt.setExperimentalFeature(0, { uuid: ExperimentalFeature.LLPrivacy.uuid, action: true });
      await mgmt.loadIdentityResolvingKeys(0, [{ ...hidden, value: identityResolvingKey }]);
      await mgmt.setPowered(0, true);
      await mgmt.addDevice(0, { ...hidden, action: "AutoConnect" });
      await mgmt.setDeviceFlags(0, { ...hidden, currentFlags: ["DevicePrivacy"] });
      const told = next(mgmt, "deviceConnected", 0);
      const person = await air.device({ name: "Hidden", address: Address.from(hidden.address, "random"), irk: identityResolvingKey });
      const advertising = await person.advertise({ type: "extended", ownAddress: "resolvable", intervalMs: 100, data: { name: "Hidden" } });
      const connection = await advertising.connection({ timeoutMs: patienceMs });
      assert.equal((await told).address, hidden.address);
      for (const { opcode } of [LeAddDeviceToResolvingList, LeSetPrivacyMode, LeSetAddressResolutionEnable])
        assert.ok(completed().has(opcode));
      await mgmt.removeDevice(0, hidden);
      await mgmt.disconnect(0, hidden);
      await connection.closed;
    },
  );

  await step("Jelling's host has the other controller on the kernel's user channel: a set of 400 octets on LE 2M", async () => {
    const host = use(await Device.open("hci:1", { address: "random", capture: await capture("user-channel") }));
    assert.deepEqual([host.isExtended, host.maxAdvertisements], [true, 8]);
    const data = {
      name: "User channel",
      manufacturerData: [5, 6].map((octet) => ({ companyIdentifier: 0xffff, data: new Uint8Array(200).fill(octet) })),
    };
    await host.advertise({ type: "extended", connectable: false, secondaryPhy: "2M", intervalMs: 100, data });
    for await (const heard of device.scan({ name: data.name, signal: AbortSignal.timeout(patienceMs) })) {
      assert.equal(heard.secondaryPhy, "2M");
      assert.deepEqual(
        heard.manufacturerData.map((each) => [each.data.length, each.data[0]]),
        [
          [200, 5],
          [200, 6],
        ],
      );
      break;
    }
  });
});
