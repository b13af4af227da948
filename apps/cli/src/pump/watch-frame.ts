import { type PumpState, toMmolPerLitre } from "@jelling/minimed";
import { cut } from "../painted.ts";
import { type Paint, wrap } from "../terminal.ts";
import { type CurvePoint, drawCurve, MIN_CURVE_WIDTH } from "./curve.ts";
import { pumpTime } from "./state-json.ts";
import { headline, linkText, type StateRow, stateRows } from "./state-text.ts";

/** What the curve may take of the screen. */
const CURVE_LINES = { least: 8, most: 18 };
/** Below that, names and values do not stand side by side. */
const TWO_COLUMNS = 48;
const LABEL_COLUMNS = 20;
/** Where the pump tells no limits of its own, mg/dL. */
const USUAL_BAND = { low: 70, high: 180 };

export interface WatchFrame {
  readonly state: PumpState;
  readonly points: readonly CurvePoint[];
  readonly spanMs: number;
  readonly nowMs: number;
  /** As the pump shows it where it is not said. */
  readonly unit: "mg/dL" | "mmol/L" | undefined;
  /** What else there is to say, a sentence each. */
  readonly notes: readonly string[];
  readonly rows: number;
  readonly columns: number;
  readonly paint: Paint;
  /** For a terminal that knows no Unicode. */
  readonly ascii: boolean;
}

/**
 * The whole block: the value, the curve, what the pump tells, where the connection stands, and what this is not for. Where there is too little room
 * the curve goes first, then what the pump tells.
 */
export function watchFrame({ state, points, spanMs, nowMs, unit: asked, notes, rows, columns, paint, ascii }: WatchFrame): string[] {
  const { text, stale } = headline(state, nowMs);
  const broken = (sentence: string): string[] => wrap(sentence, columns).split("\n");
  const isOld = stale && state.values.glucose !== undefined;
  const head = broken(isOld ? `OLD  ${text}` : text).map((line) => paint(stale ? "red" : "bold", line));
  const told = stateRows(state, nowMs)
    .filter(({ label }) => label !== "glucose")
    .flatMap((row) => rowLines(row, columns, paint));
  const foot = [
    ...notes.flatMap((note) => broken(note).map((line) => paint("yellow", line))),
    ...broken(linkText(state, nowMs)).map((line) => paint(state.link.kind === "ready" ? "dim" : "yellow", line)),
    ...broken("For information only: no dose may be based on it. Ctrl-C ends.").map((line) => paint("dim", line)),
  ];
  const room = rows - head.length - foot.length;
  const height = Math.min(CURVE_LINES.most, Math.max(CURVE_LINES.least, room - told.length - 2));
  const unit = asked ?? (state.values.features?.value?.displaysMgdl === false ? "mmol/L" : "mg/dL");
  const localTime = pumpTime(state) ?? ((atMs: number) => new Date(atMs + state.epochMs).toISOString().slice(0, 19));
  const isDrawn = columns >= MIN_CURVE_WIDTH && room >= height + 2;
  const curve = isDrawn
    ? drawCurve({
        points: [...points].sort((a, b) => a.atMs - b.atMs),
        fromMs: nowMs - spanMs,
        toMs: nowMs,
        width: columns,
        height,
        band: bandOf(state, localTime(nowMs)),
        unit,
        convert: unit === "mmol/L" ? toMmolPerLitre : (mgdl) => Math.round(mgdl),
        timeLabel: (atMs) => localTime(atMs).slice(11, 16),
        paint,
        ascii,
      })
    : [];
  const body = ["", ...(isDrawn ? [...curve, ""] : []), ...told];
  return [...head, ...body.slice(0, Math.max(0, room)), ...foot].map((line) => cut(line, columns));
}

function rowLines({ label, text, oldMin }: StateRow, columns: number, paint: Paint): string[] {
  const age = oldMin === undefined ? "" : ` (${oldMin} min ago)`;
  return columns < TWO_COLUMNS
    ? wrap(`${label}: ${text}${age}`, columns, "  ").split("\n")
    : [`${label.padEnd(LABEL_COLUMNS)}${text}${age === "" ? "" : paint("dim", age)}`];
}

/** Limits of the pump's alerts at that time of its day. */
function bandOf({ values }: PumpState, local: string): { low: number; high: number } {
  const minute = 60 * Number(local.slice(11, 13)) + Number(local.slice(14, 16));
  const limit = (settings: (typeof values)["highSettings"]): number | undefined => {
    let until = 0;
    for (const { durationMin, limitMgdl } of settings?.value?.blocks ?? []) {
      until += durationMin;
      if (minute < until) return limitMgdl === 0 ? undefined : limitMgdl;
    }
    return undefined;
  };
  return { low: limit(values.lowSettings) ?? USUAL_BAND.low, high: limit(values.highSettings) ?? USUAL_BAND.high };
}
