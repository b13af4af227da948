import { Deadline, type OperationOptions, Semaphore } from "../async/index.ts";
import { checkInteger, checkMilliseconds, checkOptions, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError } from "../core/error.ts";
import { type Hci, LePathLossThreshold, LeSetPathLossReportingEnable, LeSetPathLossReportingParameters } from "../hci/index.ts";
import type { LinkCommands } from "./link-commands.ts";

/** Three zones of path loss, in dB: low is near, high is far. */
export interface PathLossZones {
  /** Where the low zone ends, 0 to 254. */
  readonly lowDb: number;
  /** Where the high zone begins, `lowDb` to 254; there is none by default. */
  readonly highDb?: number | undefined;
  /** So far beyond such a boundary it has to go to count; 0 by default, at most `lowDb`, and half of what is between the two. */
  readonly hysteresisDb?: number | undefined;
  /** And for so long, in milliseconds: the connection events that are used in that time now. 0 by default. */
  readonly minTimeMs?: number | undefined;
}

export interface PathLoss {
  /** That was entered. */
  readonly zone: "low" | "middle" | "high";
  /** dB; `undefined` where the controller does not know. */
  readonly pathLossDb: number | undefined;
}

const OPTIONS = optionNames<PathLossZones>({ lowDb: true, highDb: true, hysteresisDb: true, minTimeMs: true });
const ZONES: readonly PathLoss["zone"][] = ["low", "middle", "high"];
/** High_Threshold where there is no high zone, and Current_Path_Loss where it is not known. */
const NONE = 255;
const MOST_EVENTS = 0xffff;

export interface PathLossMonitorParts {
  readonly hci: Hci;
  readonly handle: number;
  readonly commands: LinkCommands;
  /** Between two connection events that are used, in milliseconds. */
  readonly everyMs: () => number;
  readonly onChange: (pathLoss: PathLoss) => void;
}

/** Path loss of one link, told when it enters another zone (Vol 6 Part B 4.5.16). */
export class PathLossMonitor {
  readonly #parts: PathLossMonitorParts;
  /** Zones and switch are two commands: nobody else's come between them. */
  readonly #turns: Semaphore;
  #hasZones = false;

  constructor(parts: PathLossMonitorParts) {
    this.#parts = parts;
    this.#turns = new Semaphore(parts.hci.clock);
  }

  async set(zones: PathLossZones | "off", { signal, timeoutMs }: OperationOptions): Promise<void> {
    const { hci, handle: connectionHandle, commands, everyMs } = this.#parts;
    const parameters = zones === "off" ? undefined : pathLossParameters(zones, everyMs());
    const operation = "monitoring of path loss";
    using deadline = new Deadline({ clock: hci.clock, operation, signal, timeoutMs });
    const within = { signal: deadline.signal };
    using _turn = await this.#turns.acquire(within, operation);
    if (parameters) {
      await commands.enable(LePathLossThreshold, LeSetPathLossReportingParameters, within);
      this.#hasZones = true; // from when the command may have been taken
      await commands.ask(LeSetPathLossReportingParameters, { connectionHandle, ...parameters }, within);
    }
    // It is off at first, and there is no switch before there are zones (Vol 4 Part E 7.8.120).
    if (this.#hasZones) await commands.ask(LeSetPathLossReportingEnable, { connectionHandle, enable: parameters !== undefined }, within);
  }

  /** The event. */
  onThreshold({ currentPathLoss, zoneEntered }: LePathLossThreshold): void {
    const zone = ZONES[zoneEntered];
    if (zone) this.#parts.onChange({ zone, pathLossDb: currentPathLoss === NONE ? undefined : currentPathLoss });
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#turns.close(reason);
  }
}

/** In the units of the command. @throws {ArgumentError} what Vol 4 Part E 7.8.119 does not permit */
function pathLossParameters(zones: PathLossZones, everyMs: number) {
  const what = "monitorPathLoss";
  checkOptions(what, zones ?? null, OPTIONS);
  const { lowDb, highDb, hysteresisDb = 0, minTimeMs = 0 } = zones;
  checkInteger(`${what}: lowDb`, lowDb, 0, NONE - 1);
  if (highDb !== undefined) checkInteger(`${what}: highDb`, highDb, lowDb, NONE - 1);
  checkInteger(`${what}: hysteresisDb`, hysteresisDb, 0, lowDb);
  const most = highDb === undefined ? NONE - lowDb : Math.min(Math.floor((highDb - lowDb) / 2), NONE - highDb);
  if (hysteresisDb > most)
    throw new ArgumentError(
      `${what}: hysteresisDb ${hysteresisDb}: expected at most ${most} with these boundaries, or zones would overlap`,
    );
  checkMilliseconds(`${what}: minTimeMs`, minTimeMs, 0, MOST_EVENTS * everyMs);
  return {
    highThreshold: highDb ?? NONE,
    highHysteresis: highDb === undefined ? 0 : hysteresisDb,
    lowThreshold: lowDb,
    lowHysteresis: hysteresisDb,
    minTimeSpent: minTimeMs === 0 ? 0 : Math.ceil(minTimeMs / everyMs),
  };
}
