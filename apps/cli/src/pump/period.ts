import { UsageError } from "../errors.ts";

/** A span of time, UTC: `fromMs` included, `toMs` not. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PeriodOptions {
  readonly last?: number;
  readonly from?: string;
  readonly to?: string;
}

/** The whole history. */
export const EVER = "ever";

/** As far as an ECMAScript date goes. */
const LATEST_MS = 8_640_000_000_000_000;
/** Nobody has a history of more; what is meant is everything. */
const LONGEST_SPAN_MS = 1000 * 366 * 86_400_000;

const UNITS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** Reads "90min", "24h", "14d", "2w" as milliseconds. */
export function parseSpan(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(min|h|d|w)$/.exec(text.trim());
  const ms = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (!(ms > 0)) throw new UsageError(`"${text}" is no span of time: expected for example 90min, 24h, 14d or 2w`);
  return Math.min(ms, LONGEST_SPAN_MS);
}

/** A day or a time of day with a zone: "2026-03-01", "2026-03-01T09:00Z", "2026-03-01T09:00+01:00"; without one it is this computer's. */
function parseMoment(text: string, option: string): number {
  const day = /^\d{4}-\d\d-\d\d$/.test(text);
  const ms =
    day || /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/.test(text)
      ? Date.parse(day ? `${text}T00:00` : text)
      : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`${option} "${text}": expected a day or a time like 2026-03-01 or 2026-03-01T09:00+01:00`);
  // A date that a calendar has not, such as 2026-02-30, would be taken for one in the next month.
  if (new Date(`${text.slice(0, 10)}T00:00Z`).getUTCDate() !== Number(text.slice(8, 10)))
    throw new UsageError(`${option} "${text}": there is no such day`);
  return ms;
}

/**
 * What `--last`, `--from` and `--to` choose; where nothing is said about the beginning, `usual` back from the end. The whole history has no end
 * either: the clock of a pump, or of this computer at an earlier time, may have been ahead.
 *
 * @param usual milliseconds, or the whole history
 */
export function periodOf({ last, from, to }: PeriodOptions, nowMs: number, usual: number | typeof EVER): Period {
  if (last !== undefined && from !== undefined) throw new UsageError("--last and --from both say where to begin: leave one out");
  const back = last ?? (usual === EVER ? undefined : usual);
  const fromMs = from === undefined ? undefined : parseMoment(from, "--from");
  const endMs = to === undefined ? undefined : parseMoment(to, "--to");
  if (fromMs !== undefined) {
    if (endMs !== undefined && fromMs >= endMs) throw new UsageError("--from lies behind --to");
    // From a day on: whatever came since, also what is dated after now.
    return { fromMs, toMs: endMs ?? LATEST_MS };
  }
  const toMs = endMs ?? (last === undefined && usual === EVER ? LATEST_MS : nowMs + 1);
  return { fromMs: back === undefined ? -LATEST_MS : toMs - back, toMs };
}

/** "from 2026-03-01T00:00:00Z on", "from … to …". */
export function periodText({ fromMs, toMs }: Period): string {
  const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, -5)}Z`;
  return `from ${iso(fromMs)} ${toMs === LATEST_MS ? "on" : `to ${iso(toMs - 1)}`}`;
}
