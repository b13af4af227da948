import { describePumpEvent, formatGlucose, type LatestGlucose, type PumpEvent, type PumpMode, runPumpConnector } from "@jelling/minimed";
import { SystemClock } from "jelling/async";
import { Closing } from "../../closing.ts";
import { type Context, durationText } from "../../context.ts";
import { CommandError, UsageError } from "../../errors.ts";
import type { TimedFault } from "../../pump/fault-words.ts";
import { readKeys } from "../../pump/keys.ts";
import { explained, refuseFaultsOfRealPumps } from "../../pump/open.ts";
import { timelineText } from "../../pump/timeline-text.ts";
import { CARELINK_BONDS, openHostParts, PUMP_BONDS } from "../../session.ts";
import { isSimulated, transportSpec } from "../../transport.ts";

interface ConnectorOptions {
  keys: string;
  name?: string;
  watch?: number;
  pump?: string;
  anew?: boolean;
  mode?: "phone" | "carelink";
  code?: number;
  fault?: readonly TimedFault[];
}

export function pair(context: Context, options: ConnectorOptions): Promise<void> {
  const { mode = "phone", code } = options;
  if (mode === "carelink" && code === undefined) throw new UsageError("--code is missing: the six digits that the pump shows");
  if (mode === "phone" && code !== undefined) throw new UsageError("--code is for --mode carelink: a pump shows no code to a phone");
  return runConnector(context, mode === "carelink" ? mode : "pair", options);
}

export function read(context: Context, options: ConnectorOptions): Promise<void> {
  return runConnector(context, "reconnect", options);
}

async function runConnector(context: Context, mode: PumpMode, options: ConnectorOptions): Promise<void> {
  const { terminal } = context;
  refuseFaultsOfRealPumps(isSimulated(transportSpec(context)), options.fault ?? []);
  const keyDatabase = await readKeys(context, options.keys);
  await using closing = new Closing();
  const isUploader = mode === "carelink";
  const host = await openHostParts(context, closing, isUploader ? CARELINK_BONDS : PUMP_BONDS, {
    faults: options.fault,
    carelinkCode: isUploader ? options.code : undefined,
  });
  const { transport, capture, population: _, clock = new SystemClock(), ...parts } = host;
  const startMs = clock.now();
  const onEvent = (event: PumpEvent): void => {
    if (event.type === "reading") return; // told below
    terminal.result(
      () => ({ ...event, timeMs: event.timeMs - startMs }),
      () => timelineText(context, event.timeMs - startMs, "phone", describePumpEvent(event)),
    );
  };
  let wasRead = false;
  const onReading = (latest: LatestGlucose): void => {
    wasRead = true;
    terminal.result(
      () => ({ type: "glucose", timeMs: clock.now() - startMs, ...latest }),
      () => timelineText(context, clock.now() - startMs, "result", `glucose ${formatGlucose(latest, clock.now())}`),
    );
  };
  const watch = options.watch !== undefined;
  using deadline = context.deadline(undefined, "waiting for the pump");
  terminal.status(mode !== "reconnect" ? "choose “pair new device” on the pump; Ctrl-C ends …" : "waiting for the pump, Ctrl-C ends …");
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
      confirmationCode: isUploader ? options.code : undefined,
      address: isUploader ? "public" : undefined,
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
    if (watch && wasRead) return;
    throw new CommandError(`no pump gave its glucose within ${durationText(context.timeoutMs(0))}`, { cause: error });
  } finally {
    terminal.status("");
  }
}
