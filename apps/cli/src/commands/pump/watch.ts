import { type GlucoseReading, type NoGlucoseValue, type PumpSession, type PumpState, toMmolPerLitre } from "@jelling/minimed";
import { callOut, delay } from "jelling/async";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { type CurvePoint, drawCurve } from "../../pump/curve.ts";
import { type FollowedPump, followPump } from "../../pump/follow.ts";
import { openPump, type PumpOptions } from "../../pump/open.ts";
import { pumpTime, stateJson } from "../../pump/state-json.ts";
import { headline, linkText, stateRows } from "../../pump/state-text.ts";
import { Screen } from "../../screen.ts";

/** Ages are told in minutes. */
const REFRESH_MS = 10_000;
const DEFAULT_HOURS = 6;
const HOUR_MS = 3_600_000;
/** What the curve may take of the screen. */
const CURVE_LINES = { least: 8, most: 18 };
/** What paints, or one character. */
const PAINTED = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m|.`, "gu");
/** Where the pump tells no limits of its own, mg/dL. */
const USUAL_BAND = { low: 70, high: 180 };

interface WatchOptions extends PumpOptions {
  /** Milliseconds. */
  readonly hours?: number;
  readonly unit?: "mg/dL" | "mmol/L";
}

/** What the pump shows, kept up to date until Ctrl-C: drawn in its place on a terminal, a line for each new reading otherwise. */
export async function watch(context: Context, options: WatchOptions): Promise<void> {
  const { terminal } = context;
  await using closing = new Closing();
  const pump = await openPump(context, closing, options);
  const isDrawn = context.io.stdout.isTTY && !terminal.json;
  const followed = await followPump(context, closing, pump, { quiet: isDrawn });
  await followed.until((signal) => (isDrawn ? draw(context, followed, options, signal) : list(context, followed, signal)));
}

/** One line, or one object, for each change that a reader would want to know of. */
async function list({ terminal }: Context, { monitor, clock }: FollowedPump, signal: AbortSignal): Promise<void> {
  let last = "";
  for await (const state of monitor.changes({ signal })) {
    const latest = state.values.glucose?.value;
    const key = latest && (latest.kind === "no-sensor" ? latest.kind : `${latest.kind} ${latest.timeOffsetMin}`);
    if (!terminal.json && (key === undefined || key === last)) continue;
    last = key ?? "";
    terminal.result(
      () => stateJson(state),
      () => `${pumpTime(state)?.(clock.now()).replace("T", " ") ?? ""}  ${headline(state, clock.now()).text}`.trimStart(),
    );
    await terminal.flush();
  }
}

async function draw(context: Context, { monitor, clock }: FollowedPump, options: WatchOptions, signal: AbortSignal): Promise<void> {
  using screen = new Screen(context.io);
  const spanMs = options.hours ?? DEFAULT_HOURS * HOUR_MS;
  const points = new Map<number, CurvePoint>();
  const keep = (reading: GlucoseReading | NoGlucoseValue): void => {
    const atMs = reading.takenAtMs ?? reading.receivedAtMs;
    points.set(Math.round(atMs / 60_000), { atMs, mgdl: reading.kind === "reading" ? reading.mgdl : undefined });
    for (const [minute, point] of points) if (point.atMs < clock.now() - spanMs) points.delete(minute);
  };
  const show = (state: PumpState): void => {
    const latest = state.values.glucose?.value;
    if (latest && latest.kind !== "no-sensor") keep(latest);
    screen.draw(frame(context, state, { points: [...points.values()], spanMs, nowMs: clock.now(), unit: options.unit, rows: screen.rows }));
  };
  using _session = monitor.onSession((session) => callOut(() => readBack(session, spanMs).then((readings) => readings.forEach(keep))));
  using _changes = monitor.on(show);
  for (;;) {
    show(monitor.state);
    await delay(clock, REFRESH_MS, { signal });
  }
}

/** Readings from before the program was started. */
async function readBack(session: PumpSession, spanMs: number): Promise<readonly (GlucoseReading | NoGlucoseValue)[]> {
  const latest = await session.readLatest().catch(() => undefined);
  if (!latest || latest.kind === "no-sensor") return [];
  const fromOffsetMin = Math.max(0, latest.timeOffsetMin - Math.ceil(spanMs / 60_000));
  return (await session.readReadings({ fromOffsetMin }).catch(() => undefined)) ?? [];
}

interface Frame {
  readonly points: readonly CurvePoint[];
  readonly spanMs: number;
  readonly nowMs: number;
  readonly unit: "mg/dL" | "mmol/L" | undefined;
  readonly rows: number;
}

/** The whole block: the value, the curve, what the pump tells, where the connection stands, and what this is not for. */
function frame({ terminal, io }: Context, state: PumpState, { points, spanMs, nowMs, unit: asked, rows }: Frame): string[] {
  const { text, stale } = headline(state, nowMs);
  const unit = asked ?? (state.values.features?.value?.displaysMgdl === false ? "mmol/L" : "mg/dL");
  const head = terminal.paint(stale ? "red" : "bold", stale ? `OLD  ${text}` : text);
  const told = stateRows(state, nowMs)
    .filter(({ label }) => label !== "glucose")
    .map(
      ({ label, text: value, oldMin }) =>
        `${label.padEnd(20)}${value}${oldMin === undefined ? "" : terminal.paint("dim", ` (${oldMin} min ago)`)}`,
    );
  const foot = [
    terminal.paint(state.link.kind === "ready" ? "dim" : "yellow", linkText(state, nowMs)),
    terminal.paint("dim", "For information only: no dose may be based on it. Ctrl-C ends."),
  ];
  const height = Math.min(CURVE_LINES.most, Math.max(CURVE_LINES.least, rows - told.length - foot.length - 3));
  const localTime = pumpTime(state) ?? ((atMs: number) => new Date(atMs + state.epochMs).toISOString().slice(0, 19));
  const curve = drawCurve({
    points: [...points].sort((a, b) => a.atMs - b.atMs),
    fromMs: nowMs - spanMs,
    toMs: nowMs,
    width: terminal.columns,
    height,
    band: bandOf(state, localTime(nowMs)),
    unit,
    convert: unit === "mmol/L" ? toMmolPerLitre : (mgdl) => Math.round(mgdl),
    timeLabel: (atMs) => localTime(atMs).slice(11, 16),
    paint: terminal.paint,
    ascii: !isUnicode(io.env),
  });
  const room = rows - curve.length - foot.length - 3;
  return [head, "", ...curve, "", ...told.slice(0, Math.max(0, room)), ...foot].map((line) => cut(line, terminal.columns));
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

function isUnicode(env: Context["io"]["env"]): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  return locale === undefined || /utf-?8/i.test(locale);
}

/** Shortens a painted line; what paints it takes no room. */
function cut(line: string, columns: number): string {
  let width = 0;
  let out = "";
  for (const [part] of line.matchAll(PAINTED)) {
    if (part.length > 2) out += part;
    else if (width < columns) {
      out += part;
      width++;
    }
  }
  return out;
}
