import type { PumpState } from "../live/state.ts";
import type { PartState } from "./part.ts";

/** One part of the service, for whoever looks after it. */
export interface PartHealth {
  readonly state: PartState | "off";
  /** Since when it does not run, UTC; null: it runs, or is off. */
  readonly downSince: string | null;
  /** An error code; null: none. */
  readonly problem: string | null;
  readonly failures: number;
}

/**
 * How the service stands. It tells times and states, and no values, names, addresses or secrets: whoever reaches the port may read it. Times are
 * UTC, null where there is none yet.
 */
export interface ServiceHealth {
  /** "failing": somebody should look. */
  readonly status: "ok" | "failing";
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
  readonly startedAt: string;
  readonly uptimeS: number;
  readonly pump: PartHealth & {
    readonly link: PumpState["link"]["kind"];
    readonly linkSince: string;
    readonly lastHeard: string | null;
    /** When the sensor took the newest glucose value that was read. */
    readonly lastReading: string | null;
    readonly lastReadingAgeS: number | null;
    /** What to do, where the connection does not come about by itself. */
    readonly hint: string | null;
  };
  readonly store: PartHealth & { readonly lastSync: string | null; readonly syncing: boolean; readonly newRecords: number };
  readonly page: PartHealth;
  readonly nightscout: PartHealth & { readonly lastUpload: string | null; readonly sent: number };
  readonly homeAssistant: PartHealth & { readonly connected: boolean; readonly lastPublished: string | null };
}

/** A pump is out of reach now and then, and a sensor is changed; after so long somebody should know. */
export const PUMP_SILENT_MS = 30 * 60_000;
/** A part that comes back by itself has so long for it. */
export const PART_DOWN_MS = 10 * 60_000;

const NAMES = { pump: "Pump", store: "History database", page: "Page", nightscout: "Nightscout", homeAssistant: "Home Assistant" } as const;

/** Everything that somebody should look at. @param nowMs UTC */
export function problemsOf(health: Omit<ServiceHealth, "status" | "problems">, nowMs: number): string[] {
  const problems: string[] = [];
  const startedMs = Date.parse(health.startedAt);
  const since = (text: string | null): number => nowMs - (text === null ? startedMs : Math.max(startedMs, Date.parse(text)));
  for (const name of Object.keys(NAMES) as (keyof typeof NAMES)[]) {
    const { state, downSince, problem } = health[name];
    const said = problem === null ? "" : ` (${problem})`;
    if (state === "halted") problems.push(`${NAMES[name]}: it has stopped, and needs its user${said}.`);
    else if (state === "failed" && since(downSince) > PART_DOWN_MS)
      problems.push(`${NAMES[name]}: it has not run for ${minutes(since(downSince))}${said}.`);
    else if (state === "running" && problem !== null) problems.push(`${NAMES[name]}: ${problem}.`);
  }
  const { lastHeard } = health.pump;
  if (nowMs - startedMs > PUMP_SILENT_MS && nowMs - (lastHeard === null ? startedMs : Date.parse(lastHeard)) > PUMP_SILENT_MS)
    problems.push(
      lastHeard === null
        ? "Pump: it was not heard of since the start."
        : `Pump: it was not heard of for ${minutes(nowMs - Date.parse(lastHeard))}.`,
    );
  if (health.nightscout.state === "running" && since(health.nightscout.lastUpload) > PUMP_SILENT_MS)
    problems.push(`Nightscout: nothing could be sent for ${minutes(since(health.nightscout.lastUpload))}.`);
  return problems;
}

function minutes(ms: number): string {
  return ms < 120 * 60_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`;
}
