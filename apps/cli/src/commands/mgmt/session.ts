import type { Mgmt } from "jelling/mgmt";
import type { KernelSocket } from "jelling/transport";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { CommandError, UsageError } from "../../errors.ts";
import { radios, thisMachine } from "../../machine.ts";
import { isSimulated } from "../../transport.ts";

/** What a subcommand of `mgmt` was called with. */
export interface Invocation {
  readonly context: Context;
  /** The controller that `-i` or `-t hci:N` names. */
  readonly index: number | undefined;
  /** Arguments in their order; a variadic one is a list. */
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** The controller that is meant where none is named, as in btmgmt. */
export function indexOf({ index }: Invocation): number {
  return index ?? 0;
}

/** "hci0", or "-" where a command or an event belongs to no controller. */
export function hci(index: number): string {
  return index === 0xffff ? "-" : `hci${index}`;
}

/** The number in "0" or "hci0". */
export function parseIndex(text: string): number {
  const match = /^(?:hci)?(\d{1,5})$/i.exec(text);
  const index = match ? Number(match[1]) : Number.NaN;
  if (!(index < 0xffff)) throw new UsageError(`controller index "${text}": expected a number, or a name like hci0`);
  return index;
}

/** What `-t` means here: the kernel's adapter hci:N, or sim:, a simulated kernel. Of the environment only these two are heeded. */
export function managementSpec({ options, io }: Context): { readonly simulated: boolean; readonly index: number | undefined } {
  const spec = options.transport ?? io.env.JELLING_TRANSPORT;
  if (isSimulated(spec)) return { simulated: true, index: undefined };
  const adapter = /^hci:(\d+)$/.exec(spec ?? "");
  if (adapter) return { simulated: false, index: parseIndex(adapter[1]!) };
  if (options.transport === undefined) return { simulated: false, index: undefined };
  if (/^([012]|le-?(public|random)|public|random|br\/?edr)$/i.test(options.transport))
    throw new UsageError(
      `-t is the transport here, unlike in btmgmt: write the kind of address behind it, C0:11:22:33:44:55/random, or with --type ${options.transport}`,
    );
  throw new UsageError(
    `transport "${options.transport}": the management interface is the kernel's: expected hci:N, or sim: for a simulated one`,
  );
}

/** Opens the management socket, of this kernel or of a simulated one, for the time of one command. */
export async function withMgmt(invocation: Invocation, work: (mgmt: Mgmt) => Promise<void>): Promise<void> {
  const { context } = invocation;
  const { simulated } = managementSpec(context);
  if (context.options.capture !== undefined)
    throw new UsageError("--capture: this command has no HCI packets of its own; jelling mgmt monitor --capture FILE records what passes");
  const { openMgmt, MgmtError } = await import("jelling/mgmt");
  const logger = await context.logger();
  const closing = new Closing();
  await using _closing = closing;
  let socket: KernelSocket | undefined;
  if (simulated) {
    const { openSimulatedKernel } = await import("./simulated.ts");
    const kernel = openSimulatedKernel(context.options.transport ?? context.io.env.JELLING_TRANSPORT!, {
      strict: context.options.transport !== undefined,
      clock: context.io.clock,
    });
    closing.add(async () => kernel[Symbol.dispose]());
    socket = kernel.socket;
  } else await giveBack(context);
  const { clock } = context.io;
  const mgmt = await openMgmt({
    logger,
    signal: context.signal,
    timeoutMs: context.options.timeout,
    ...(clock && { clock }),
    ...(socket && { socket }),
  });
  closing.add(() => mgmt[Symbol.asyncDispose]());
  try {
    await work(mgmt);
  } catch (error) {
    if (!(error instanceof MgmtError)) throw error;
    throw (await explained(mgmt, error, simulated)) ?? error;
  }
}

/** Adapters that a crashed program of this user had borrowed go back to how they were; it is said, since it changes what is shown next. */
export async function giveBack(context: Context): Promise<void> {
  const { restoreLeftBehind } = await import("jelling/node");
  for (const { index, outcome, settings, error } of await restoreLeftBehind({ signal: context.signal })) {
    const why = "a program that had borrowed it ended without giving it back";
    if (outcome === "restored") context.terminal.note(`hci${index} was restored (${settings.join(", ")}): ${why}`);
    if (outcome === "failed") context.terminal.note(`hci${index} could not be restored: ${error?.message ?? "nothing says why"}; ${why}`);
  }
}

/** What the kernel's answer leaves open, looked up: which controllers there are, what rfkill says. */
async function explained(
  mgmt: Mgmt,
  error: { readonly statusName: string; readonly index: number; readonly command: string; readonly message: string },
  simulated: boolean,
): Promise<CommandError | undefined> {
  if (error.statusName === "InvalidIndex" && error.index !== 0xffff) {
    const { controllerIndexes } = await mgmt.readControllerIndexList();
    const there = controllerIndexes
      .toSorted((a, b) => a - b)
      .map((index) => `hci${index}`)
      .join(", ");
    return new CommandError(
      controllerIndexes.includes(error.index)
        ? error.message
        : `there is no hci${error.index}, or another program has it to itself; there ${there ? `is ${there}` : "are no controllers"}: jelling mgmt list`,
      { cause: error },
    );
  }
  if (error.command !== "SetPowered" || error.statusName !== "Failed" || simulated) return undefined;
  const block = (await radios(thisMachine())).find(({ name }) => name === `hci${error.index}`)?.block;
  if (block === undefined) return undefined;
  return new CommandError(
    block === "hard"
      ? `hci${error.index} is switched off by a switch or key of the machine`
      : `hci${error.index} is blocked by rfkill: sudo rfkill unblock bluetooth`,
    { cause: error },
  );
}
