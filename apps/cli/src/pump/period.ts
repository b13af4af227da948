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

const UNITS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** Reads "90min", "24h", "14d", "2w" as milliseconds. */
export function parseSpan(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(min|h|d|w)$/.exec(text.trim());
  const ms = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (!(ms > 0)) throw new UsageError(`"${text}" is no span of time: expected for example 90min, 24h, 14d or 2w`);
  return ms;
}

/** A day or a time of day with a zone: "2026-03-01", "2026-03-01T09:00Z", "2026-03-01T09:00+01:00"; without one it is this computer's. */
function parseMoment(text: string, option: string): number {
  const day = /^\d{4}-\d\d-\d\d$/.test(text);
  const ms =
    day || /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/.test(text)
      ? Date.parse(day ? `${text}T00:00` : text)
      : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`${option} "${text}": expected a day or a time like 2026-03-01 or 2026-03-01T09:00+01:00`);
  return ms;
}

/** What `--last`, `--from` and `--to` choose; `usualMs` up to now where nothing is said. */
export function periodOf({ last, from, to }: PeriodOptions, nowMs: number, usualMs: number): Period {
  if (last !== undefined && from !== undefined) throw new UsageError("--last and --from both say where to begin: leave one out");
  const toMs = to === undefined ? nowMs + 1 : parseMoment(to, "--to");
  const fromMs = from === undefined ? toMs - (last ?? usualMs) : parseMoment(from, "--from");
  if (fromMs >= toMs) throw new UsageError("--from lies behind --to");
  return { fromMs, toMs };
}
