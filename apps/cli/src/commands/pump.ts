import {
  type Actor,
  describePumpEvent,
  formatGlucose,
  type LatestGlucose,
  type PumpEvent,
  parseKeyDatabaseFile,
  runPumpConnector,
  runPumpDemo,
  SakeDeviceType,
  type SakeKeyDatabase,
} from "@jelling/minimed";
import { SystemClock } from "jelling/async";
import { Closing } from "../closing.ts";
import { type Context, durationText } from "../context.ts";
import { CommandError } from "../errors.ts";
import { readInput } from "../input-file.ts";
import { closeCapture, openCapture, openHostParts, PUMP_BONDS } from "../session.ts";
import { type Style, wrap } from "../terminal.ts";
import { quoted } from "../text.ts";

const ACTORS: Readonly<Record<Actor, Style>> = { user: "cyan", phone: "green", pump: "magenta", result: "bold" };
/** 87 octets in the usual case, several times as many where they are written as text. */
const LONGEST_KEY_FILE = 1024 * 1024;
/** Where the text of a timeline begins. */
const INDENT = 21;

/** One line of a timeline, broken where the terminal ends. */
function timelineText({ terminal }: Context, timeMs: number, actor: Actor, text: string): string {
  const time = `${(timeMs / 1000).toFixed(3).padStart(10)} s`;
  const who = (actor === "result" ? "" : actor).padEnd(INDENT - 14);
  const broken = wrap(text, terminal.columns - INDENT, "").replaceAll("\n", `\n${" ".repeat(INDENT)}`);
  return `${terminal.paint("dim", time)}  ${terminal.paint(ACTORS[actor], who + broken)}`;
}

/** A simulated pump from pairing to glucose, and once more after the link was lost. */
export async function demo(context: Context, options: { realTime?: boolean; seed: number }): Promise<void> {
  const { terminal } = context;
  const realTime = options.realTime ?? false;
  const capture = await openCapture(context, { simulatedTime: !realTime });
  try {
    using deadline = context.deadline(undefined, "the demonstration");
    const { handshakes, readings, durationMs } = await runPumpDemo({
      out: ({ timeMs, actor, text }) =>
        terminal.result(
          () => ({ timeMs, actor, text }),
          () => timelineText(context, timeMs, actor, text),
        ),
      realTime,
      seed: options.seed,
      capture: capture?.write,
      logger: await context.logger(),
      signal: deadline.signal,
    });
    terminal.object({ type: "result", handshakes, durationMs, readings: readings.map((reading) => ({ ...reading })) });
  } finally {
    if (capture) await closeCapture(context, capture);
  }
}

async function readKeys({ signal }: Context, path: string): Promise<SakeKeyDatabase> {
  let content: Uint8Array;
  try {
    content = await readInput(path, {
      signal,
      maxOctets: LONGEST_KEY_FILE,
      check: (stats) => {
        // As ssh does it: keys that others can read are no secret, and who goes on using them does not learn of it. Windows has no such modes.
        if (process.platform === "win32" || !stats.isFile() || (stats.mode & 0o077) === 0) return;
        throw new CommandError(
          `the key database ${path} is open to other users (mode 0${(stats.mode & 0o777).toString(8)}): chmod 600 ${quoted(path)}`,
        );
      },
    });
  } catch (error) {
    if (error instanceof RangeError)
      throw new CommandError(`the key database ${path} is ${error.message}: it is another file`, { cause: error });
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EISDIR") throw new CommandError(`the key database ${path} is a folder: name the file`, { cause: error });
    if (code !== "ENOENT") throw error;
    throw new CommandError(`the key database ${path} is missing: no such file`, { cause: error });
  }
  return parseKeyDatabaseFile(content);
}

/** Says what a key database is for, or what is wrong with it. No key is shown. */
export async function keys(context: Context, path: string): Promise<void> {
  const { terminal } = context;
  const { localDeviceType, remoteDeviceTypes } = (await readKeys(context, path)).toJSON();
  const name = (type: number): string => {
    const word = Object.entries(SakeDeviceType).find(([, value]) => value === type)?.[0];
    return word ? `${word.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()} (${type})` : `type ${type}`;
  };
  terminal.result(
    () => ({ localDeviceType, remoteDeviceTypes }),
    () => `key database of a ${name(localDeviceType)}, with keys for ${remoteDeviceTypes.map(name).join(", ") || "nobody"}`,
  );
}

interface ConnectorOptions {
  keys: string;
  name?: string;
  watch?: number;
  pump?: string;
  anew?: boolean;
}

export function pair(context: Context, options: ConnectorOptions): Promise<void> {
  return runConnector(context, "pair", options);
}

export function read(context: Context, options: ConnectorOptions): Promise<void> {
  return runConnector(context, "reconnect", options);
}

async function runConnector(context: Context, mode: "pair" | "reconnect", options: ConnectorOptions): Promise<void> {
  const { terminal } = context;
  const keyDatabase = await readKeys(context, options.keys);
  await using closing = new Closing();
  const { transport, capture, population: _, clock = new SystemClock(), ...parts } = await openHostParts(context, closing, PUMP_BONDS);
  const startMs = clock.now();
  const onEvent = (event: PumpEvent): void => {
    if (event.type === "reading") return; // told below
    terminal.result(
      () => ({ ...event, timeMs: event.timeMs - startMs }),
      () => timelineText(context, event.timeMs - startMs, "phone", describePumpEvent(event)),
    );
  };
  const onReading = (latest: LatestGlucose): void =>
    terminal.result(
      () => ({ type: "glucose", timeMs: clock.now() - startMs, ...latest }),
      () => timelineText(context, clock.now() - startMs, "result", `glucose ${formatGlucose(latest, clock.now())}`),
    );
  const watch = options.watch !== undefined;
  using deadline = context.deadline(undefined, "waiting for the pump");
  terminal.status(mode === "pair" ? "choose “pair new device” on the pump; Ctrl-C ends …" : "waiting for the pump, Ctrl-C ends …");
  try {
    await runPumpConnector({
      ...parts,
      controller: transport,
      clock,
      capture: capture?.write,
      captureIdentity: context.options.secrets,
      keyDatabase,
      mode,
      anew: options.anew,
      watch,
      pollMs: options.watch,
      name: options.name,
      pump: options.pump,
      onEvent,
      onReading,
      signal: deadline.signal,
    });
  } catch (error) {
    if (!deadline.timedOut()) throw explained(error);
    if (watch) return;
    throw new CommandError(`no pump gave its glucose within ${durationText(context.timeoutMs(0))}`, { cause: error });
  } finally {
    terminal.status("");
  }
}

/** What a refusal means here, with what to type. */
function explained(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (code === "ERR_PUMP_BONDED")
    return new CommandError(
      "there is a bond with a pump already: jelling pump read reads it; jelling pump pair --anew pairs again, and the new bond replaces the old one",
      { cause: error },
    );
  if (code === "ERR_PUMP_NOT_BONDED")
    return new CommandError("there is no bond with a pump: jelling pump pair first, and choose “pair new device” on the pump", {
      cause: error,
    });
  return error;
}
