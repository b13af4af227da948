import { formatGlucose, isStale, type PumpState, type PumpValueName, type PumpValues } from "@jelling/minimed";
import { printable } from "../text.ts";

/** One line of what is known of a pump. */
export interface StateRow {
  readonly label: string;
  readonly text: string;
  /** Minutes since it was read, where it is not fresh. */
  readonly oldMin: number | undefined;
}

/** From here on a value is told with its age: one that changes all the time, and one that the pump tells when it changes. */
const FRESH_MS = 11 * 60_000;
const LASTING_MS = 6 * 3_600_000;
const CHANGING: ReadonlySet<PumpValueName> = new Set(["insulinOnBoard", "boluses", "status", "annunciation"]);

const words = (name: string | number): string => (typeof name === "number" ? `unknown (${name})` : name.replaceAll("_", " "));
const units = (amount: number | undefined, unit = "U"): string | undefined => (amount === undefined ? undefined : `${amount} ${unit}`);
const clockText = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

type Describe<Name extends PumpValueName> = (value: PumpValues[Name], nowMs: number) => string | undefined;

/** What each value says to a person, in the order in which they are shown; undefined leaves it out. */
const ROWS: { readonly [Name in PumpValueName]?: readonly [label: string, describe: Describe<Name>] } = {
  glucose: ["glucose", (value, nowMs) => formatGlucose(value, nowMs)],
  insulinOnBoard: ["insulin on board", ({ insulinOnBoardIu }) => units(insulinOnBoardIu)],
  basalRate: [
    "basal rate",
    ({ configuredRate, temporaryBasal }) =>
      temporaryBasal
        ? `temporary, ${temporaryBasal.adjustment ?? "unknown"}${temporaryBasal.type === "absolute" ? " U/h" : ""} for ${temporaryBasal.remainingMin} min more`
        : units(configuredRate, "U/h"),
  ],
  boluses: [
    "bolus under way",
    (boluses) =>
      boluses
        .map(({ programmed, delivered }) => {
          const sum = (amounts: typeof programmed): number | undefined => amounts && (amounts.fastIu ?? 0) + (amounts.extendedIu ?? 0);
          return `${sum(delivered) ?? "?"} of ${sum(programmed) ?? "?"} U`;
        })
        .join(", ") || undefined,
  ],
  therapy: [
    "SmartGuard",
    ({ shield, readiness }) => {
      if (shield === undefined) return undefined;
      const mode = shield === "open_loop" ? "off (manual)" : words(shield);
      return readiness === undefined || readiness === "no_action_required" ? mode : `${mode}, ${words(readiness)}`;
    },
  ],
  timeInRange: [
    "time in range",
    ({ notEnoughData, inRangePercent, abovePercent, belowPercent, smartGuardPercent }) =>
      notEnoughData
        ? "not enough data"
        : `${inRangePercent} % in range, ${abovePercent} % above, ${belowPercent} % below, ${smartGuardPercent} % in SmartGuard`,
  ],
  status: [
    "pump",
    ({ therapyControlState, operationalState, reservoirRemainingIu }) =>
      [
        therapyControlState === "run" ? "delivering" : therapyControlState === "stop" ? "delivery stopped" : words(therapyControlState),
        words(operationalState),
        ...(reservoirRemainingIu === undefined ? [] : [`${reservoirRemainingIu} U in the reservoir`]),
      ].join(", "),
  ],
  annunciation: ["alert", ({ code, type, state }) => `${code === undefined ? `type ${type}` : `code ${code}`}, ${words(state)}`],
  sensorSession: [
    "sensor",
    ({ start, remainingMs }) => {
      if (!start) return "no sensor session";
      if (remainingMs === undefined) return "running";
      const hours = Math.floor(remainingMs / 3_600_000);
      return remainingMs < 0 ? "its time is over" : `${Math.floor(hours / 24)} d ${hours % 24} h left`;
    },
  ],
  battery: ["battery", (percent) => `${percent} %`],
  transmitterBattery: ["transmitter battery", (percent) => `${percent} %`],
  lowSettings: ["low limit", (settings) => limits(settings.blocks)],
  highSettings: ["high limit", (settings) => limits(settings.blocks)],
  information: [
    "model",
    ({ model, firmware }) => `${model ?? "unknown"}, firmware ${firmware ?? "unknown"}`, // the serial number is a person's
  ],
};

function limits(blocks: PumpValues["lowSettings"]["blocks"]): string {
  let at = 0;
  const parts = blocks.map(({ durationMin, limitMgdl }) => {
    const from = clockText(at);
    at += durationMin;
    const limit = limitMgdl === undefined ? "unknown" : limitMgdl === 0 ? "off" : `${limitMgdl} mg/dL`;
    return blocks.length === 1 ? limit : `${limit} from ${from}`;
  });
  return parts.join(", ");
}

/** Rows for the values that were read, and for those that the pump said it has not got. */
export function stateRows(state: PumpState, nowMs: number): StateRow[] {
  const rows: StateRow[] = [];
  for (const [name, row] of Object.entries(ROWS) as [PumpValueName, readonly [string, Describe<PumpValueName>]][]) {
    const told = state.values[name];
    if (!told) continue;
    const [label, describe] = row;
    const text =
      told.value === undefined
        ? name === "boluses" || name === "annunciation"
          ? undefined
          : "none"
        : describe(told.value as never, nowMs);
    if (text === undefined) continue;
    const age = nowMs - told.atMs;
    rows.push({
      label,
      text: printable(text), // some of it is the pump's own words
      oldMin: name !== "glucose" && age > (CHANGING.has(name) ? FRESH_MS : LASTING_MS) ? Math.floor(age / 60_000) : undefined,
    });
  }
  return rows;
}

/** Where the connection stands, in one sentence. */
export function linkText({ link, heardAtMs, hint }: PumpState, nowMs: number): string {
  const since = `for ${durationWords(nowMs - link.sinceMs)}`;
  const heard = heardAtMs === undefined ? "" : `; last heard ${durationWords(nowMs - heardAtMs)} ago`;
  const told = hint === undefined ? "" : `. ${hint}`;
  switch (link.kind) {
    case "advertising":
      return `advertising ${link.mode === "reconnect" ? "FE81" : "FE82"} ${since}, ${link.bonded ? "bonded" : "no bond yet"}${heard}${told}`;
    case "connecting":
      return `the pump is connecting ${since}${heard}${told}`;
    case "ready":
      return `connected ${since}${heard}${told}`;
    case "ended":
      return `ended: ${link.reason}${heard}${told}`;
  }
}

/** "12 s", "5 min", "3 h 20 min". */
export function durationWords(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The value to show large, and whether it is too old to be believed. */
export function headline(state: PumpState, nowMs: number): { text: string; stale: boolean } {
  const latest = state.values.glucose?.value;
  if (!latest) return { text: "no glucose yet", stale: true };
  const isOld = latest.kind !== "no-sensor" && isStale(latest, nowMs);
  return { text: formatGlucose(latest, nowMs), stale: isOld };
}
