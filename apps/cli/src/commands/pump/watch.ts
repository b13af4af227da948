import type { GlucoseReading, NoGlucoseValue, PumpState } from "@jelling/minimed";
import { onAbort } from "jelling/async";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { EarlierReadings } from "../../pump/earlier-readings.ts";
import { type FollowedPump, followPump } from "../../pump/follow.ts";
import { openPump, type PumpOptions } from "../../pump/open.ts";
import { pumpTime, stateJson } from "../../pump/state-json.ts";
import { headline } from "../../pump/state-text.ts";
import { UtcPoints } from "../../pump/utc-points.ts";
import { watchFrame } from "../../pump/watch-frame.ts";
import { Screen } from "../../screen.ts";

/** Ages are told in minutes. */
const REFRESH_MS = 10_000;
/** Changes that come closer together are drawn as one: a simulated pump may live a day in a minute. */
const LEAST_MS = 50;
const DEFAULT_HOURS = 6;
const HOUR_MS = 3_600_000;

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
  await followed.stay((signal) => (isDrawn ? draw(context, followed, options, signal) : list(context, followed, signal)));
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
  const { terminal, io } = context;
  using screen = new Screen(io, terminal);
  const spanMs = options.hours ?? DEFAULT_HOURS * HOUR_MS;
  // In UTC: the clock stands still while the computer sleeps, and what was before would close up with what comes behind.
  const points = new UtcPoints(spanMs);
  let wake = (): void => undefined;
  const keep = (readings: readonly (GlucoseReading | NoGlucoseValue)[], { epochMs }: PumpState): void =>
    points.keep(readings, { epochMs, nowMs: clock.now() });
  const earlier = new EarlierReadings({ spanMs, clock, signal, onRead: (readings) => keep(readings, monitor.state) });
  using _session = monitor.onSession((session) => void earlier.read(session).then(() => wake()));
  using _changes = monitor.on((state) => {
    const latest = state.values.glucose?.value;
    if (latest && latest.kind !== "no-sensor") keep([latest], state);
    wake();
  });
  for (;;) {
    screen.draw(
      watchFrame({
        state: monitor.state,
        points: points.on(monitor.state),
        spanMs,
        nowMs: clock.now(),
        unit: options.unit,
        notes: earlier.problem === undefined ? [] : [earlier.problem],
        rows: screen.rows,
        columns: terminal.columns,
        paint: terminal.paint,
        ascii: !isUnicode(io.env),
      }),
    );
    const changed = pause(context, REFRESH_MS, signal, (end) => {
      wake = end;
    });
    await Promise.all([changed, pause(context, LEAST_MS, signal)]);
  }
}

/** Waits, in the time of who looks on: that of a simulated pump may fly. @throws `signal.reason` */
function pause(context: Context, ms: number, signal: AbortSignal, onBegin?: (end: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const end = (): void => {
      timer[Symbol.dispose]();
      aborted[Symbol.dispose]();
      resolve();
    };
    const timer = context.timer(ms, "the next drawing", end);
    const aborted = onAbort(signal, () => {
      timer[Symbol.dispose]();
      reject(signal.reason as Error);
    });
    onBegin?.(end);
  });
}

function isUnicode(env: Context["io"]["env"]): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  return locale === undefined || /utf-?8/i.test(locale);
}
