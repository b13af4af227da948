import type { PumpConnectorOptions, WallClock } from "@jelling/minimed";
import { type Clock, SystemClock } from "jelling/async";
import type { Closing } from "../closing.ts";
import type { Context } from "../context.ts";
import { CommandError, UsageError } from "../errors.ts";
import { openHostParts, PUMP_BONDS } from "../session.ts";
import { isSimulated, transportSpec } from "../transport.ts";
import type { TimedFault } from "./fault-words.ts";
import { readKeys } from "./keys.ts";

/** Options of the commands that connect to a pump. */
export interface PumpOptions {
  readonly keys?: string;
  readonly name?: string;
  readonly pump?: string;
  /** How many times as fast as real time a simulated pump's goes. */
  readonly speed?: number;
  /** What goes wrong with a simulated pump. */
  readonly fault?: readonly TimedFault[];
}

/** What a connector is opened with, and the time that passes there. */
export interface OpenedPump {
  readonly connector: PumpConnectorOptions;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly simulated: boolean;
}

/**
 * Opens what a connector stands on. A real pump is one that was paired before; a simulated one is paired with on the spot, with the keys that
 * were invented for it.
 */
export async function openPump(context: Context, closing: Closing, options: PumpOptions): Promise<OpenedPump> {
  const simulated = isSimulated(transportSpec(context));
  const { speed = 1, fault: faults = [] } = options;
  if (speed !== 1 && !simulated) throw new UsageError("--speed is for simulated pumps: the time of a real one cannot be changed");
  refuseFaultsOfRealPumps(simulated, faults);
  // Before a controller is opened: what is wrong with them is told at once.
  const keys = options.keys ?? (context.io.env.JELLING_PUMP_KEYS || undefined);
  if (keys === undefined && !simulated)
    throw new UsageError("--keys FILE is missing: the key database of the phone's application, which this program has not");
  const given = keys === undefined ? undefined : await readKeys(context, keys);
  const paced = speed === 1 ? undefined : await pacedClock(speed);
  if (paced) closing.add(async () => paced[Symbol.dispose]());
  const host = await openHostParts(context, closing, PUMP_BONDS, { usual: "pump", clock: paced, faults });
  const { transport, capture, population, clock = new SystemClock(), ...parts } = host;
  const keyFile = population?.inhabitants.find(({ kind }) => kind === "pump")?.keys;
  if (population && keyFile === undefined) throw new UsageError("there is no pump in this air: -t sim:pump has one");
  const [startMs, startWallMs] = [clock.now(), Date.now()];
  return {
    connector: {
      ...parts,
      controller: transport,
      clock,
      capture: capture?.write,
      captureIdentity: context.options.secrets,
      keyDatabase: given ?? (await readKeys(context, keyFile!)),
      mode: simulated ? "pair" : "reconnect",
      anew: simulated,
      name: options.name,
      pump: options.pump,
    },
    clock,
    wallClock: simulated ? () => startWallMs + (clock.now() - startMs) : Date.now,
    simulated,
  };
}

/** @throws {UsageError} */
export function refuseFaultsOfRealPumps(simulated: boolean, faults: readonly TimedFault[]): void {
  if (faults.length > 0 && !simulated)
    throw new UsageError("--fault is for simulated pumps, with -t sim: here or with jelling pump sim: nothing can be done to a real one");
}

async function pacedClock(speed: number): Promise<Clock & Disposable> {
  const { PacedClock } = await import("../paced-clock.ts");
  return new PacedClock(speed);
}

/** What a refusal of the connector means here, with what to type. */
export function explained(error: unknown): unknown {
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
