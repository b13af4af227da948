import { bitsOf, commands, hasBit, type Mgmt, MgmtError, powerCycle, powerOff, powerOn, Settings } from "jelling/mgmt";
import { UsageError } from "../../errors.ts";
import { quoted } from "../../text.ts";
import { hci, type Invocation, indexOf, withMgmt } from "./session.ts";
import { deviceText, settingsText, showReturns } from "./show.ts";

const WORDS: Readonly<Record<string, "on" | "off" | "cycle">> = {
  on: "on",
  yes: "on",
  true: "on",
  1: "on",
  off: "off",
  no: "off",
  false: "off",
  0: "off",
  cycle: "cycle",
};

/** Powers on, off, or off and on again. */
export async function power(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const [text] = invocation.args as [string];
  const word = WORDS[text.toLowerCase()];
  if (word === undefined) throw new UsageError(`power ${quoted(text)}: expected on, off or cycle`);
  const index = indexOf(invocation);
  const options = { signal: context.signal, timeoutMs: context.options.timeout };
  await withMgmt(invocation, async (mgmt) => {
    if (word === "cycle") {
      const { lost } = await powerCycle(mgmt, index, options);
      for (const device of lost.connections) context.terminal.note(`the link to ${deviceText(device)} ended`);
      for (const instance of lost.advertisingInstances)
        context.terminal.note(`advertising instance ${instance} is gone: its owner has to add it again`);
    } else await (word === "on" ? powerOn : powerOff)(mgmt, index, options);
    await showSettings(invocation, mgmt, index);
  });
}

async function showSettings({ context }: Invocation, mgmt: Mgmt, index: number): Promise<void> {
  const { currentSettings } = await mgmt.readControllerInformation(index, { signal: context.signal });
  showReturns(context, commands.setPowered, index, { currentSettings });
}

/** What is switched on before the power, in an order that the kernel takes. */
const WANTED = ["BREDR", "SecureSimplePairing", "LowEnergy", "SecureConnections", "Bondable"] as const;
const SWITCHES = {
  BREDR: "setBredr",
  SecureSimplePairing: "setSecureSimplePairing",
  LowEnergy: "setLowEnergy",
  SecureConnections: "setSecureConnections",
  Bondable: "setBondable",
} as const satisfies Readonly<Record<(typeof WANTED)[number], keyof typeof commands>>;

/** Switches on what a controller can do, and the controller; waits for it where it is not there yet. */
export async function autoPower(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  await withMgmt(invocation, async (mgmt) => {
    using deadline = context.deadline(undefined, "waiting for a controller");
    const { signal } = deadline;
    const index = await whenPresent(invocation, mgmt, signal);
    const before = await mgmt.readControllerInformation(index, { signal });
    for (const name of WANTED) {
      if (!hasBit(Settings, before.supportedSettings, name) || hasBit(Settings, before.currentSettings, name)) continue;
      try {
        await mgmt[SWITCHES[name]](index, 1, { signal });
      } catch (error) {
        // A controller that is on refuses some of them: it is used as it is.
        if (!(error instanceof MgmtError && ["Rejected", "NotSupported"].includes(error.statusName))) throw error;
        terminal.note(`${settingsText(bitsOf(Settings, [name]))} stays off: ${error.message}`);
      }
    }
    await powerOn(mgmt, index, { signal });
    await showSettings(invocation, mgmt, index);
  });
}

/** The controller's number, once it is there. */
async function whenPresent({ context, index }: Invocation, mgmt: Mgmt, signal: AbortSignal): Promise<number> {
  using added = mgmt.events("indexAdded", { signal }); // before looking, so that none is missed in between
  const { controllerIndexes } = await mgmt.readControllerIndexList({ signal });
  const [first] = controllerIndexes.toSorted((a, b) => a - b); // the kernel lists the youngest first
  if (index === undefined ? first !== undefined : controllerIndexes.includes(index)) return index ?? first!;
  context.terminal.note(`waiting for ${index === undefined ? "a controller" : hci(index)}`);
  for await (const event of added) if (index === undefined || event.index === index) return event.index;
  throw signal.reason;
}
