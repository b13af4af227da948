import type { Clock } from "jelling/async";
import type { Firmware, McumgrClient, OpenMcumgrLink } from "jelling/mcumgr";
import { pairingAgent, pairingPolicy } from "../../agent.ts";
import { Closing } from "../../closing.ts";
import { type Context, durationText } from "../../context.ts";
import { CommandError, codeOf, UsageError } from "../../errors.ts";
import { readInput } from "../../input-file.ts";
import { openSession } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { printable } from "../../text.ts";
import { isSimulated, transportSpec } from "../../transport.ts";
import { openSimulated } from "./simulated.ts";

/** Which device, and how to speak to it: options of every subcommand. */
export interface TargetOptions {
  ble?: string | true;
  serial?: string;
  udp?: string;
  framing?: "console" | "raw";
  protocol?: number;
  window?: number;
  messageLimit?: number;
}

/** One call of a subcommand. */
export interface Invocation {
  readonly context: Context;
  readonly target: TargetOptions;
}

/** What a subcommand works with. */
export interface Managed {
  readonly client: McumgrClient;
  /** Ends with the command's time, and when the user asks to stop. */
  readonly signal: AbortSignal;
  readonly clock: Clock | undefined;
}

export const UDP_PORT = 1337;

/** "HOST", "HOST:PORT", "[ADDRESS]:PORT", or an IPv6 address alone. */
export function parseUdp(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? (/^[0-9a-f:.%]+$/i.test(text) ? ["", text] : null);
  const port = Number(match?.[3] ?? UDP_PORT);
  const host = match?.[1] ?? match?.[2];
  if (!host || !(port >= 1 && port <= 65_535)) throw new UsageError(`--udp "${text}": expected HOST, HOST:PORT or [ADDRESS]:PORT`);
  return { host, port };
}

/** "PORT" or "PORT@BAUD". */
export function parseSerial(text: string): { path: string; baudRate?: number } {
  const match = /^(.+?)(?:@(\d+))?$/.exec(text);
  const baudRate = match?.[2] === undefined ? undefined : Number(match[2]);
  if (!match?.[1] || baudRate === 0) throw new UsageError(`--serial "${text}": expected PORT or PORT@BAUD, like /dev/ttyACM0@115200`);
  return { path: match[1], ...(baudRate === undefined ? {} : { baudRate }) };
}

/** How long a port that is not there, or not ours yet, is waited for: a device that was reset comes back. */
const SERIAL_OPEN_MS = 5000;
/** Of the command's time, so that what stands in the way is known when that is over. */
const SERIAL_SHARE = 0.8;

async function openerOf({ context, target }: Invocation, closing: Closing): Promise<{ open: OpenMcumgrLink; clock?: Clock | undefined }> {
  const { ble, serial, udp } = target;
  const { clock } = context.io;
  const given = [ble, serial, udp].filter((value) => value !== undefined);
  if (given.length > 1) throw new UsageError("which device? --ble, --serial and --udp exclude each other");
  if (target.framing !== undefined && serial === undefined) throw new UsageError("--framing is for --serial");
  if (udp !== undefined) {
    const { createUdpOpener } = await import("jelling/node");
    return { open: createUdpOpener(parseUdp(udp)), clock };
  }
  if (serial !== undefined) {
    const { createSerialOpener } = await import("jelling/node");
    const { terminal } = context;
    return {
      open: createSerialOpener({
        ...parseSerial(serial),
        framing: target.framing,
        ...(clock && { clock }),
        timeoutMs: context.timeoutMs(SERIAL_OPEN_MS / SERIAL_SHARE) * SERIAL_SHARE,
        ...(target.framing === "raw" ? {} : { onConsole: (octets: Uint8Array) => tellConsole(terminal, octets) }),
      }),
      clock,
    };
  }
  const spec = transportSpec(context);
  if (ble === undefined && (spec === "sim:" || spec === "sim:mcumgr")) return await openSimulated(context, closing);
  if (ble === undefined && !isSimulated(spec))
    throw new UsageError("which device? --ble NAME or ADDRESS, --serial PORT, --udp HOST, or -t sim: for a simulated one");
  // Servers may demand a link that is paired with, and then pairing begins by itself.
  const session = await openSession(context, { agent: pairingAgent(context, {}), pairing: pairingPolicy(context, {}) });
  closing.add(() => session[Symbol.asyncDispose]());
  const { createBleOpener } = await import("jelling/mcumgr");
  return { open: createBleOpener(session.device, ble === true || ble === undefined ? undefined : bleTarget(ble)) };
}

/** What a device prints beside the messages. */
function tellConsole(terminal: Terminal, octets: Uint8Array): void {
  for (const line of new TextDecoder().decode(octets).split(/[\r\n]+/)) if (line !== "") terminal.note(printable(line));
}

/** "name:TEXT" is a name whatever it looks like, as in other commands. */
function bleTarget(text: string): string | { name: string } {
  return text.startsWith("name:") && text.length > 5 ? { name: text.slice(5) } : text;
}

/** Opens the device that was asked for, does `work`, and closes everything. */
export async function withClient(at: Invocation, work: (managed: Managed) => Promise<void>): Promise<void> {
  const { context, target } = at;
  const { terminal } = context;
  await using closing = new Closing();
  using deadline = context.deadline(undefined, "the command");
  const { signal } = deadline;
  let isOpen = false;
  const { open, clock } = await openerOf(at, closing);
  const { McumgrClient: ClientClass } = await import("jelling/mcumgr");
  try {
    terminal.status("connecting …");
    const client = await ClientClass.open(open, {
      clock,
      signal,
      logger: await context.logger(),
      version: target.protocol === undefined ? undefined : target.protocol - 1,
      window: target.window,
      messageLimit: target.messageLimit,
    });
    closing.add(() => client[Symbol.asyncDispose]());
    isOpen = true;
    terminal.status("");
    await work({ client, signal, clock });
  } catch (error) {
    if (!deadline.timedOut()) throw explained(error);
    if (isOpen) throw error instanceof CommandError ? error : signal.reason;
    const where = target.serial ?? target.udp ?? (target.ble === true ? undefined : target.ble) ?? "the device";
    throw new CommandError(`no connection to ${where} within ${durationText(context.timeoutMs(0))}`, { cause: error });
  } finally {
    terminal.status("");
  }
}

/** What a failure means here, where the library's sentence does not say it. */
function explained(error: unknown): unknown {
  const { timeoutMs } = error as { timeoutMs?: number };
  const { message } = error as Error;
  if (codeOf(error) === "ERR_TIMEOUT" && timeoutMs !== undefined)
    return new CommandError(
      `no answer within ${durationText(timeoutMs)} (${message}): is the device on and in reach, and does it serve mcumgr there?`,
      { cause: error },
    );
  if (codeOf(error) === "ERR_MCUMGR" && (error as { rcName?: string }).rcName === "NotSupported")
    return new CommandError(`the device was built without this command (${message})`, { cause: error });
  return error;
}

/** Longest file that is read. */
const LONGEST_FILE = 256 << 20;

/** All of a file, or of a pipe. @throws the system's error, which names it · {CommandError} it is empty, or too long */
export async function readDataFile({ signal }: Context, file: string, { mayBeEmpty = false } = {}): Promise<Uint8Array> {
  try {
    const octets = await readInput(file, { signal, maxOctets: LONGEST_FILE });
    if (octets.length > 0 || mayBeEmpty) return octets;
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError(`${file} is ${error.message}`, { cause: error });
    throw error instanceof Error && !signal.aborted ? Object.assign(error, { path: file }) : error;
  }
  throw new CommandError(`${file} is empty`);
}

/** Reads a file of firmware; what is wrong with it is said with its name. @param wayOut what is said behind that */
export async function readFirmwareFile(context: Context, file: string, wayOut = ""): Promise<Firmware> {
  const { ImageFileError, readFirmware } = await import("jelling/mcumgr");
  const octets = await readDataFile(context, file);
  try {
    return readFirmware(octets);
  } catch (error) {
    if (!(error instanceof ImageFileError)) throw error;
    throw new CommandError(`${file}: ${error.message}${wayOut}`, { cause: error });
  }
}
