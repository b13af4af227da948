import { readFile } from "node:fs/promises";
import {
  type Actor,
  describePumpEvent,
  formatGlucose,
  type LatestGlucose,
  type PumpEvent,
  parseKeyDatabaseFile,
  phoneDeviceOptions,
  runPumpConnector,
  runPumpDemo,
  SakeDeviceType,
  type SakeKeyDatabase,
} from "@jelling/minimed";
import { type Context, durationText } from "../context.ts";
import { CommandError } from "../errors.ts";
import { closeCapture, openCapture, openSession, PUMP_BONDS } from "../session.ts";
import { type Style, wrap } from "../terminal.ts";

const ACTORS: Readonly<Record<Actor, Style>> = { user: "cyan", phone: "green", pump: "magenta", result: "bold" };
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

async function readKeys(path: string): Promise<SakeKeyDatabase> {
  let content: Uint8Array;
  try {
    content = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CommandError(`the key database ${path} is missing: no such file`, { cause: error });
  }
  return parseKeyDatabaseFile(content);
}

/** Says what a key database is for, or what is wrong with it. No key is shown. */
export async function keys({ terminal }: Context, path: string): Promise<void> {
  const { localDeviceType, remoteDeviceTypes } = (await readKeys(path)).toJSON();
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
}

export function pair(context: Context, options: ConnectorOptions): Promise<void> {
  return runConnector(context, "pair", options);
}

export function read(context: Context, options: ConnectorOptions): Promise<void> {
  return runConnector(context, "reconnect", options);
}

async function runConnector(context: Context, mode: "pair" | "reconnect", options: ConnectorOptions): Promise<void> {
  const { terminal } = context;
  const keyDatabase = await readKeys(options.keys);
  await using session = await openSession(context, { ...phoneDeviceOptions, bondsFile: PUMP_BONDS });
  const { device } = session;
  const startMs = device.clock.now();
  const onEvent = (event: PumpEvent): void => {
    if (event.type === "reading") return; // told below
    terminal.result(
      () => ({ ...event, timeMs: event.timeMs - startMs }),
      () => timelineText(context, event.timeMs - startMs, "phone", describePumpEvent(event)),
    );
  };
  const onReading = (latest: LatestGlucose): void =>
    terminal.result(
      () => ({ type: "glucose", timeMs: device.clock.now() - startMs, ...latest }),
      () => timelineText(context, device.clock.now() - startMs, "result", `glucose ${formatGlucose(latest, device.clock.now())}`),
    );
  const watch = options.watch !== undefined;
  using deadline = context.deadline(undefined, "waiting for the pump");
  terminal.status(mode === "pair" ? "choose “pair new device” on the pump; Ctrl-C ends …" : "waiting for the pump, Ctrl-C ends …");
  try {
    await runPumpConnector({
      device,
      keyDatabase,
      mode,
      watch,
      pollMs: options.watch,
      name: options.name,
      pump: options.pump,
      onEvent,
      onReading,
      signal: deadline.signal,
      logger: await context.logger(),
    });
  } catch (error) {
    if (!deadline.timedOut()) throw error;
    if (watch) return;
    throw new CommandError(`no pump gave its glucose within ${durationText(context.timeoutMs(0))}`, { cause: error });
  } finally {
    terminal.status("");
  }
}
