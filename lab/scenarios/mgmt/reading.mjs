// @ts-check
/** What can be read of a controller that is there and off, and its default configuration: the same as btmgmt reads. */
import assert from "node:assert/strict";
import { CapabilityType, ConfigurationOptions, commands, ExperimentalFeature, eventNames, nameOf, Phys } from "jelling/mgmt";
import { settingNames } from "../../guest/btmgmt.mjs";
import { refused } from "../../guest/mgmt.mjs";
import { addresses } from "./context.mjs";

/** Codes of events that 6.1 does not list: it never sends the first two, sends the mesh events all the same, and has never heard of the last. */
const unlistedEvents = [0x28, 0x29, 0x31, 0x32, 0x33];

/** @param {number} bits @param {Readonly<Record<string, number>>} names */
const namesOf = (bits, names) => Object.keys(names).filter((name) => (bits & (1 << (names[name] ?? 0))) !== 0);
const hex = (/** @type {Uint8Array} */ octets) => Buffer.from(octets).toString("hex");

/** @param {import("./context.mjs").Context} context */
export async function readingSteps({ step, mgmt, btmgmt }) {
  await step("version, commands and events are those that btmgmt lists, and the whole table", async () => {
    assert.deepEqual(await mgmt.readManagementVersionInformation(), await btmgmt.revision());
    const { commands: listed, events } = await mgmt.readManagementSupportedCommands();
    assert.deepEqual({ commands: listed, events }, await btmgmt.commands());
    const opcodes = Object.values(commands).map(({ opcode }) => opcode);
    assert.deepEqual(
      listed,
      opcodes.filter((opcode) => opcode > 0x02 && opcode < 0x5b).sort((a, b) => a - b),
    );
    assert.deepEqual(
      events,
      [...eventNames.keys()].filter((code) => !unlistedEvents.includes(code)).sort((a, b) => a - b),
    );
  });

  await step("lists of controllers", async () => {
    assert.deepEqual(
      (await mgmt.readControllerIndexList()).controllerIndexes.toSorted((a, b) => a - b),
      [0, 1],
    );
    assert.deepEqual(await mgmt.readUnconfiguredControllerIndexList(), { controllerIndexes: [] });
    // This switches the socket to the extended events: a client of its own has done it before.
  });

  await step("information, extended information and configuration are what btmgmt prints", async () => {
    const info = await btmgmt.info();
    const read = await mgmt.readControllerInformation(0);
    assert.deepEqual(
      { ...read, supportedSettings: settingNames(read.supportedSettings), currentSettings: settingNames(read.currentSettings) },
      info,
    );
    assert.equal(read.address, addresses[0]);
    const { manufacturer, supportedOptions, missingOptions } = await mgmt.readControllerConfigurationInformation(0);
    const options = (/** @type {number} */ bits) => namesOf(bits, ConfigurationOptions);
    assert.deepEqual(
      { manufacturer, supportedOptions: options(supportedOptions), missingOptions: options(missingOptions) },
      await btmgmt.config(),
    );
  });

  await step("capabilities, experimental features and PHYs are what btmgmt prints", async () => {
    const { capabilities } = await mgmt.readControllerCapabilities(0);
    /** @type {Map<number, Uint8Array>} */
    const entries = new Map();
    for (let at = 0; at < capabilities.length; at += 1 + (capabilities[at] ?? 0))
      entries.set(capabilities[at + 1] ?? 0, capabilities.subarray(at + 2, at + 1 + (capabilities[at] ?? 0)));
    assert.deepEqual(
      {
        length: capabilities.length,
        flags: entries.get(CapabilityType.Flags)?.[0],
        maxKeySize: entries.get(CapabilityType.MaxEncryptionKeySizeLE)?.[0],
      },
      await btmgmt.secinfo(),
    );
    const features = [];
    for (const index of [undefined, 0]) features.push((await mgmt.readExperimentalFeaturesInformation(index)).features);
    assert.deepEqual([features[1]?.length], await btmgmt.expinfo());
    const uuids = features.map((some) => some.map(({ uuid }) => uuid.text));
    assert.ok(
      uuids[0]?.includes(ExperimentalFeature.IsoSocket.uuid) && uuids[1]?.includes(ExperimentalFeature.MgmtMesh.uuid),
      String(uuids),
    );
    const phys = await mgmt.getPhyConfiguration(0);
    const printed = Object.entries(phys).map(([name, bits]) => [name, namesOf(bits, Phys).map((phy) => phy.toUpperCase())]);
    assert.deepEqual(Object.fromEntries(printed), await btmgmt.phy());
  });

  await step("the default configuration is changed by either and read by the other", async () => {
    const ours = async () => {
      const { parameters } = await mgmt.readDefaultSystemConfiguration(0);
      return Object.fromEntries(parameters.map(({ type, value }) => [type, hex(value)]));
    };
    const before = await ours();
    assert.equal(Object.keys(before).length, 31);
    assert.deepEqual(before, await btmgmt.sysconfig());
    const change = (/** @type {{ type: number, value: Uint8Array }[]} */ ...parameters) =>
      mgmt.setDefaultSystemConfiguration(0, parameters);
    await change({ type: 0x17, value: Uint8Array.of(0x10, 0) }, { type: 0x1a, value: Uint8Array.of(0x34, 0x12) });
    assert.deepEqual(await btmgmt.sysconfig(), { ...before, 23: "1000", 26: "3412" });
    await btmgmt.do(`set-sysconfig -v 0017:2:${before[0x17]} 001a:2:${before[0x1a]}`, /success/);
    assert.deepEqual(await ours(), before);
    await change({ type: 0x1234, value: Uint8Array.of(1) }); // unknown ones are ignored
    await refused("InvalidParameters", change());
    await refused("InvalidParameters", change({ type: 0x17, value: Uint8Array.of(0x10, 0) }, { type: 0x1a, value: Uint8Array.of(1) }));
    assert.deepEqual(await ours(), before);
  });

  await step("the default runtime configuration is empty, and what refuses a change is answered in another command's name", async () => {
    assert.deepEqual(await mgmt.readDefaultRuntimeConfiguration(0), { parameters: [] });
    const same = [{ type: 0x1234, value: Uint8Array.of(1) }];
    // Both at once: neither may take the other's answer.
    const results = await Promise.allSettled([mgmt.setDefaultRuntimeConfiguration(0, same), mgmt.setDefaultSystemConfiguration(0, same)]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
    await refused("InvalidParameters", mgmt.setDefaultRuntimeConfiguration(0, same));
  });

  await step("commands of newer kernels are not known", async () => {
    await refused("UnknownCommand", mgmt.sendHciCommandAndWaitForEvent(0, { opcode: 0x0c03 }));
    await refused("UnknownCommand", mgmt.loadConnectionSubrate(0, []));
  });

  await step("a controller that is not there, and a command that is not for controllers", async () => {
    await refused("InvalidIndex", mgmt.readControllerInformation(7));
    const reply = mgmt.send("Read Controller Information", 0);
    assert.equal((await reply).commandResponseFrame?.address, addresses[0]);
    assert.equal((await reply).eventFrame.status, nameOf({ Success: 0 }, 0));
  });
}
