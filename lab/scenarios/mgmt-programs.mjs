// @ts-check
/**
 * Several programs at the management interface at once, one of them without CAP_NET_ADMIN, and one that watches all of them through the
 * monitor channel. Inside the lab: node lab/run.mjs -- node lab/scenarios/mgmt-programs.mjs
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CaptureDecoder } from "jelling/capture";
import { openMgmt, openMgmtSync, openMonitor, sendSync, watchSettings } from "jelling/mgmt";
import { Program, run, startEmulator, until } from "../guest/bluez.mjs";
import { Btmgmt, settingNames } from "../guest/btmgmt.mjs";
import { settled } from "../guest/mgmt.mjs";
import { startMgmtProgram } from "../guest/mgmt-program.mjs";
import { runScenario } from "../guest/scenario.mjs";

const rounds = 10;
/** All that a program without the right may be told. */
const unprivilegedEvents = new Set([
  "indexAdded",
  "indexRemoved",
  "unconfiguredIndexAdded",
  "unconfiguredIndexRemoved",
  "extendedIndexAdded",
  "extendedIndexRemoved",
  "newSettings",
  "classOfDeviceChanged",
  "localNameChanged",
  "newConfigurationOptions",
  "extendedControllerInformationChanged",
  "experimentalFeatureChanged",
]);

await runScenario("mgmt-programs", async ({ use, step }) => {
  use(await startEmulator());
  const monitor = use(await openMonitor());
  const mgmt = use(await openMgmt());
  const program = use(await startMgmtProgram());
  const stranger = use(await startMgmtProgram({ privileged: false }));
  const btmgmt = use(await Btmgmt.start(0));
  const changes = watchSettings(monitor);
  /** @type {import("jelling/mgmt").SettingsChange[]} */
  const seen = [];
  const watching = (async () => {
    for await (const change of changes) seen.push(change);
  })();
  /** @type {import("jelling/mgmt").MgmtEvent[]} */
  const heard = [];
  mgmt.on("event", (event) => void heard.push(event));
  const newSettings = (/** @type {readonly object[]} */ events) =>
    /** @type {{ event: string, currentSettings: number }[]} */ (events).filter(({ event }) => event === "newSettings");

  await step(
    "the blocking form: one command on a socket of its own, a client with methods and events, refusals and deadlines",
    async () => {
      const { eventFrame, commandResponseFrame } = sendSync("SetConnectable", 0, 1);
      assert.deepEqual([eventFrame.commandOpcode, eventFrame.status], ["SetConnectable", "Success"]);
      assert.match(String(commandResponseFrame?.currentSettings), /\bConnectable\b/);
      const blocking = openMgmtSync();
      try {
        assert.equal(blocking.readControllerInformation(0).address, (await mgmt.readControllerInformation(0)).address);
        const { currentSettings } = blocking.setConnectable(0, false);
        assert.equal(currentSettings & 2, 0);
        assert.throws(() => blocking.readControllerInformation(99), { code: "ERR_MGMT", statusName: "InvalidIndex" });
        assert.deepEqual(blocking.setIoCapability(0, "DisplayYesNo"), {});
        const began = performance.now();
        assert.equal(blocking.nextEvent("deviceFound", { timeoutMs: 300 }), undefined);
        assert.ok(performance.now() - began >= 300);
        await mgmt.setConnectable(0, true); // told to the other one of this process too
        assert.equal((blocking.nextEvent("newSettings", { timeoutMs: 5_000 })?.currentSettings ?? 0) & 2, 2);
        await mgmt.setConnectable(0, false);
      } finally {
        blocking[Symbol.dispose]();
      }
      assert.throws(() => blocking.readControllerIndexList(), { code: "ERR_CLOSED" });
    },
  );

  await step("two programs change things at the same time: each gets its own answers, and is told what the other did", async () => {
    await settled(mgmt); // what the steps before have changed has been told
    await program.call("readManagementVersionInformation");
    const before = { heard: newSettings(heard).length, told: newSettings(program.events).length };
    const ours = async () => {
      const answers = [];
      for (let i = 0; i < rounds; i++) answers.push((await mgmt.setConnectable(0, i % 2 === 0)).currentSettings);
      return answers;
    };
    const theirs = async () => {
      const answers = [];
      for (let i = 0; i < rounds; i++) answers.push((await program.call("setBondable", 0, i % 2 === 0)).currentSettings);
      return answers;
    };
    const [connectable, bondable] = await Promise.all([ours(), theirs()]);
    for (let i = 0; i < rounds; i++) {
      assert.equal(settingNames(connectable[i] ?? 0).includes("connectable"), i % 2 === 0);
      assert.equal(settingNames(bondable[i] ?? 0).includes("bondable"), i % 2 === 0);
    }
    await settled(mgmt);
    await program.call("readManagementVersionInformation");
    assert.deepEqual(
      newSettings(heard)
        .slice(before.heard)
        .map(({ currentSettings }) => currentSettings),
      bondable,
    );
    assert.deepEqual(
      newSettings(program.events)
        .slice(before.told)
        .map(({ currentSettings }) => currentSettings),
      connectable,
    );
  });

  await step("the same command of two programs at once: one is refused while the other is on its way", async () => {
    await mgmt.setLowEnergy(0, true);
    const results = await Promise.allSettled([mgmt.setPowered(0, true), program.call("setPowered", 0, true)]);
    const refusals = results.flatMap((result) => (result.status === "rejected" ? [result.reason.statusName] : []));
    // The other process may come when ours is done: then it is told that it is on already.
    assert.ok(refusals.length < 2 && refusals.every((statusName) => statusName === "Busy"), String(refusals));
    assert.ok((await btmgmt.info()).currentSettings.includes("powered"));
  });

  await step("without CAP_NET_ADMIN: questions are answered", async () => {
    const information = await stranger.call("readControllerInformation", 0);
    assert.deepEqual(information, JSON.parse(JSON.stringify(await mgmt.readControllerInformation(0))));
    const { commands, events } = await stranger.call("readManagementSupportedCommands");
    assert.deepEqual([commands.length, events.length], [10, 12]);
    for (const method of ["readControllerIndexList", "readUnconfiguredControllerIndexList", "readExtendedControllerIndexList"])
      await stranger.call(method);
    for (const method of ["readControllerConfigurationInformation", "readExtendedControllerInformation", "readControllerCapabilities"])
      await stranger.call(method, 0);
    for (const method of ["readDefaultSystemConfiguration", "readDefaultRuntimeConfiguration"]) await stranger.call(method, 0);
  });

  await step("without CAP_NET_ADMIN: changes are refused, and the sentence says what helps", async () => {
    const sentence = /^Set Powered on hci0: PermissionDenied \(0x14\); .*CAP_NET_ADMIN.*sudo setcap cap_net_admin.*node/;
    await assert.rejects(stranger.call("setPowered", 0, false), { code: "ERR_MGMT", statusName: "PermissionDenied", message: sentence });
    for (const method of ["getConnections", "readAdvertisingFeatures", "readLocalOutOfBandData"])
      await assert.rejects(stranger.call(method, 0), { statusName: "PermissionDenied" });
    // Before the index is looked at
    await assert.rejects(stranger.call("setPowered", 77, false), { statusName: "PermissionDenied" });
  });

  await step("without CAP_NET_ADMIN: it hears of settings and names, and of nobody's devices", async () => {
    await program.call("setLocalName", 0, { name: "for all", shortName: "" });
    await mgmt.startDiscovery(0, ["LEPublic", "LERandom"]);
    await mgmt.stopDiscovery(0, ["LEPublic", "LERandom"]);
    await mgmt.addAdvertising(0, { instance: 1 });
    await mgmt.setConnectable(0, true);
    await stranger.call("readManagementVersionInformation");
    const names = new Set(stranger.events.map(({ event }) => event));
    assert.ok(names.has("newSettings") && names.has("extendedControllerInformationChanged"), [...names].join(" "));
    assert.deepEqual(
      [...names].filter((name) => !unprivilegedEvents.has(name)),
      [],
    );
    const privileged = new Set(program.events.map(({ event }) => event));
    for (const name of ["discovering", "advertisingAdded", "newSettings"]) assert.ok(privileged.has(name), name);
  });

  await step("the monitor tells who changed what: btmgmt, the other process, and the one that may not", async () => {
    await btmgmt.do("bondable off", /complete/);
    await until("btmgmt's change", () => seen.some(({ program: name, command }) => name === "btmgmt" && command === "SetBondable"));
    const change = seen.find(({ program: name }) => name === "btmgmt");
    assert.deepEqual(
      { ...change, timeMs: 0, cookie: 0, settings: settingNames(change?.settings ?? 0).includes("bondable") },
      {
        timeMs: 0,
        index: 0,
        program: "btmgmt",
        cookie: 0,
        privileged: true,
        command: "SetBondable",
        opcode: 0x0009,
        parameters: { bondable: 0 },
        status: 0,
        statusName: "Success",
        settings: false,
      },
    );
    const denied = seen.find(({ statusName }) => statusName === "PermissionDenied");
    assert.deepEqual([denied?.command, denied?.privileged, denied?.program], ["SetPowered", false, "node"]);
    assert.equal(seen.filter(({ command, program: name }) => command === "SetBondable" && name === "node").length, rounds);
    await changes.return?.();
    await watching;
  });

  await step("every record of the monitor is decoded, btmgmt's commands by the names that btmon has for them", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "btmon-")), "btmon.snoop");
    const btmon = use(new Program("btmon", ["--write", path], { quiet: true }));
    await until("btmon", () => existsSync(path) && statSync(path).size > 16);
    const size = () => statSync(path).size;
    const begun = size();
    await btmgmt.do("bondable on", /complete/);
    await btmgmt.do("name monitored m");
    await until("what btmgmt did", () => size() > begun);
    await btmon[Symbol.asyncDispose]();
    const printed = await run("btmon", ["-r", path]);
    assert.match(printed, /MGMT Command: Set Bondable/);
    const decoder = new CaptureDecoder();
    const names = [];
    await settled(mgmt);
    for await (const record of monitor) {
      const packet = decoder.decode(record);
      assert.equal(packet.malformed, undefined, packet.name);
      names.push(packet.name);
      if (packet.fields.name === "monitored") break;
    }
    for (const name of ["SetBondable", "SetLocalName", "SetPowered"])
      assert.ok(names.includes(name), `${name} in ${new Set(names).size} names`);
    assert.equal(monitor.dropped, 0);
  });
});
