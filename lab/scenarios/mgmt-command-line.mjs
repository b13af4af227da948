// @ts-check
/**
 * `jelling mgmt` and the examples as a user starts them, without a terminal, and what btmgmt says of the same state. Inside the lab, with the
 * command built and the examples bundled (tools/run-examples.mjs): node lab/run.mjs -- node lab/scenarios/mgmt-command-line.mjs
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bitsOf, openMgmt, Settings } from "jelling/mgmt";
import { Program, run, startEmulator, until } from "../guest/bluez.mjs";
import { Btmgmt, settingNames } from "../guest/btmgmt.mjs";
import { runScenario } from "../guest/scenario.mjs";

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const example = (/** @type {string} */ name) => fileURLToPath(new URL(`../../node_modules/.cache/examples/${name}.mjs`, import.meta.url));

/**
 * Runs `jelling` with its standard input closed.
 *
 * @param {string[]} args
 * @returns {Promise<{ status: number | null, stdout: string, stderr: string }>}
 */
function jelling(...args) {
  const child = spawn(process.execPath, [command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of /** @type {const} */ (["stdout", "stderr"]))
    child[name].setEncoding("utf8").on("data", (/** @type {string} */ text) => (output[name] += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...output }));
  });
}

/** One that must be done, and the object that it prints. @param {string[]} args */
async function answer(...args) {
  const { status, stdout, stderr } = await jelling("mgmt", "--json", ...args);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Settings as btmgmt names them. @param {readonly string[]} names */
const asBtmgmt = (names) => settingNames(bitsOf(Settings, names));

await runScenario("mgmt-command-line", async ({ use, step, capturePath }) => {
  use(await startEmulator());
  const btmgmt = use(await Btmgmt.start(0));
  const capture = capturePath("monitor");
  const monitor = use(new Program(process.execPath, [command, "mgmt", "monitor", "--capture", capture, "--json"], { quiet: true }));
  await until("the monitor's capture", () => existsSync(capture) && statSync(capture).size > 16);

  // A command needs some seconds here to be loaded: those that do not mind each other run at the same time.
  await step("what is there, as JSON, is what btmgmt prints", async () => {
    const [info, phys, configuration] = await Promise.all([answer("info", "-i", "0"), answer("phy"), answer("read-sysconfig")]);
    const { address, manufacturer, supportedSettings, currentSettings, name, shortName } = info;
    const { bluetoothVersion: _, classOfDevice: __, ...printed } = await btmgmt.info();
    assert.deepEqual(
      {
        address,
        manufacturer,
        supportedSettings: asBtmgmt(supportedSettings),
        currentSettings: asBtmgmt(currentSettings),
        name,
        shortName,
      },
      printed,
    );
    assert.deepEqual(
      phys.selectedPhys.map((/** @type {string} */ phy) => phy.toUpperCase()),
      (await btmgmt.phy()).selectedPhys,
    );
    const values = configuration.parameters.map((/** @type {{ type: number, value: string }} */ { type, value }) => [type, value]);
    assert.deepEqual(Object.fromEntries(values), await btmgmt.sysconfig());
  });

  await step("wrong words have one line and status 2, an adapter that is not there one line and status 1", async () => {
    const [absent, wrong] = await Promise.all([jelling("mgmt", "info", "-i", "7"), jelling("mgmt", "bondable", "maybe")]);
    assert.equal(absent.status, 1);
    assert.match(absent.stderr, /^jelling: .*hci7.*hci0, hci1.*\n$/);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /expected one of Off, On/);
  });

  await step("power, without -i for hci0", async () => {
    await btmgmt.do("le on", /complete/);
    const { currentSettings } = await answer("power", "on");
    assert.deepEqual(asBtmgmt(currentSettings), (await btmgmt.info()).currentSettings);
  });

  await step("a name, any command by its name with its parameters as words, and a refusal of the kernel: one line, status 1", async () => {
    const [, , refused] = await Promise.all([
      answer("name", "from the shell", "shell"),
      answer("send", "Add Advertising", "instance=1", "flags=Connectable,Discoverable", "advData=0303180f"),
      jelling("mgmt", "static-addr", "C0:11:22:33:44:55"),
    ]);
    assert.equal((await btmgmt.info()).name, "from the shell");
    assert.equal((await btmgmt.advinfo()).instances, 1);
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /^jelling: Set Static Address on hci0: Rejected \(0x0b\); .*\n$/);
    await btmgmt.do("rm-adv 1", /removed/);
  });

  await step("Ctrl-C ends the listener for events with 130", async () => {
    const events = use(new Program(process.execPath, [command, "--json", "mgmt", "events"], { quiet: true }));
    await until("an event", async () => {
      await btmgmt.do("bondable on", /complete/);
      await btmgmt.do("bondable off", /complete/);
      return events.output.includes("NewSettings");
    });
    events.kill("SIGINT");
    assert.equal(await events.ended(), 130);
  });

  await step("the monitor's capture is read by btmon, with the programs' names in it", async () => {
    await btmgmt.do("name seen-by-monitor s");
    await until("it in the monitor", () => monitor.output.includes("seen-by-monitor"));
    monitor.kill("SIGINT");
    assert.equal(await monitor.ended(), 130);
    const printed = await run("btmon", ["-r", capture]);
    assert.match(printed, /@ MGMT Command: Set Local Name/);
    assert.match(printed, /seen-by-monitor/);
    assert.match(printed, /btmgmt/);
  });

  await btmgmt[Symbol.asyncDispose]();
  await step("the examples mgmt-advertise and mgmt-find hear each other", async () => {
    // As long as the other one may take to start and to listen, on a busy machine too.
    const advertiser = use(new Program(process.execPath, [example("mgmt-advertise"), "0", "150"], { quiet: true }));
    await advertiser.expect(/instance 1 of 3; under way: 1\n/);
    // The emulator advertises by its own clock, and in ten seconds of a busy machine it may not come to it.
    await until("the advertiser heard", async () => /"Heart"/.test(await run(process.execPath, [example("mgmt-find"), "1"])), 140_000);
    advertiser.kill("SIGINT"); // takes what it added with it
    assert.equal(await advertiser.ended(), 0, advertiser.output);
    const printed = await run(process.execPath, [example("mgmt-advertise"), "0", "1"]);
    assert.match(printed, /lost: duration\n.*every 100 to 150 ms, not connectable\nlost: duration\n/);
  });
  for (const { name, args, says } of [
    { name: "mgmt-power", args: ["0"], says: /off and on again: .*\n(.*\n)*off; it was on/ },
    {
      name: "mgmt-pair",
      args: ["0", "1"],
      says: /initiator: paired with 00:AA:01:00:00:00; .*LongTermKey.*\n(.*\n)*unpaired again, on both/,
    },
  ])
    await step(`the example ${name} runs on the kernel's adapters`, async () => {
      const printed = await run(process.execPath, [example(name), ...args]);
      assert.match(printed, says);
    });

  await step("what a killed borrower took is given back by the next command", async () => {
    const mgmt = await openMgmt();
    try {
      await mgmt.setPowered(1, true);
      const { currentSettings } = await mgmt.readControllerInformation(1);
      const borrow =
        'const { openTransport } = await import("jelling/transport"); await openTransport("hci:1"); console.log("open"); setInterval(() => {}, 1000);';
      const borrower = use(new Program(process.execPath, ["--input-type=module", "-e", borrow], { quiet: true }));
      await borrower.expect(/open\n/);
      borrower.kill("SIGKILL");
      await borrower.ended();
      await until("hci1 again, off", async () => {
        const left = await mgmt.readControllerInformation(1).catch(() => undefined);
        return left && !settingNames(left.currentSettings).includes("powered");
      });
      const { status, stdout, stderr } = await jelling("mgmt", "--json", "info", "-i", "1");
      assert.equal(status, 0, stderr);
      assert.deepEqual(asBtmgmt(JSON.parse(stdout).currentSettings), settingNames(currentSettings));
      assert.match(stderr, /hci1/); // it says what it did
    } finally {
      await mgmt[Symbol.asyncDispose]();
    }
  });

  await step("nothing is left behind: no keys, no advertising", async () => {
    const mgmt = await openMgmt();
    try {
      await mgmt.setPowered(0, true);
      assert.deepEqual((await mgmt.readAdvertisingFeatures(0)).instances, []);
    } finally {
      await mgmt[Symbol.asyncDispose]();
    }
  });
});
