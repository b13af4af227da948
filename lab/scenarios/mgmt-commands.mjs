// @ts-check
/** Every command of the management interface against the kernel, and what it did, as btmgmt sees it. Inside the lab: node lab/run.mjs -- node lab/scenarios/mgmt-commands.mjs */
import assert from "node:assert/strict";
import { commands, openMgmt } from "jelling/mgmt";
import { startEmulator } from "../guest/bluez.mjs";
import { Btmgmt } from "../guest/btmgmt.mjs";
import { Outcomes } from "../guest/mgmt.mjs";
import { runScenario } from "../guest/scenario.mjs";
import { discoverySteps, pairingSteps } from "./mgmt/in-the-air.mjs";
import { poweredOffSteps } from "./mgmt/powered-off.mjs";
import { poweredOnSteps } from "./mgmt/powered-on.mjs";
import { readingSteps } from "./mgmt/reading.mjs";

/**
 * Commands that cannot succeed here, with the furthest they get. Every other one must succeed at least once.
 *
 * @type {Record<string, string>}
 */
const furthest = {
  setWidebandSpeech: "NotSupported", // a quirk of drivers that vhci does not have
  setExternalConfiguration: "NotSupported", // the emulated controllers need none
  setPublicAddress: "NotSupported", // vhci has no way to set it
  setDefaultRuntimeConfiguration: "InvalidParameters", // 6.1 knows no parameter
  pinCodeReply: "NotConnected", // the emulator does not do legacy BR/EDR pairing, so that nobody asks for a PIN
  pinCodeNegativeReply: "NotConnected",
  confirmName: "InvalidParameters", // the emulator answers no inquiry, so that no name is to be confirmed
  sendHciCommandAndWaitForEvent: "UnknownCommand", // newer than 6.1
  loadConnectionSubrate: "UnknownCommand",
};
/** @type {Record<string, string>} Commands that some kernels can and others cannot. */
const perhaps = { setHighSpeed: "NotSupported" };

await runScenario("mgmt-commands", async ({ use, step }) => {
  use(await startEmulator());
  const outcomes = new Outcomes();
  const mgmt = outcomes.of(use(await openMgmt()));
  const other = outcomes.of(use(await openMgmt()));
  await other.readExtendedControllerIndexList();
  await other.readExtendedControllerInformation(0);
  const btmgmt = use(await Btmgmt.start(0));
  const context = { step, mgmt, other, btmgmt };
  await readingSteps(context);
  await poweredOffSteps(context);
  await poweredOnSteps(context);
  await discoverySteps(context);
  await btmgmt[Symbol.asyncDispose]();
  await pairingSteps(context);

  await step("every command was sent, and has succeeded where it can", () => {
    const isMissed = (/** @type {string} */ method) => {
      const seen = outcomes.byMethod(method);
      return !seen.includes(furthest[method] ?? "Success") && !seen.includes(perhaps[method] ?? "Success");
    };
    const missed = Object.keys(commands).filter(isMissed);
    assert.deepEqual(Object.fromEntries(missed.map((method) => [method, outcomes.byMethod(method)])), {});
    const surprises = Object.keys(furthest).filter((method) => outcomes.byMethod(method).includes("Success"));
    assert.deepEqual(surprises, []);
  });
});
