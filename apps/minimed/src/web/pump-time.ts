import { type LocalDateTime, parseLocal, secondsBetween } from "../data/date-time.ts";
import type { EventTime } from "../store/view.ts";

const EPOCH: LocalDateTime = Object.freeze({ year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 });
/** Two clocks drift; what is less than that is no change of time. */
const DRIFT_MS = 90_000;

/** A wall-clock time as if it were UTC, in milliseconds: it orders and subtracts, and is no moment. */
export function wallMs(local: LocalDateTime): number {
  return 1000 * secondsBetween(EPOCH, local);
}

/** How far the pump's display was ahead of UTC at an event; undefined where its local time is not known. */
export function offsetOf({ atMs, local }: EventTime): number | undefined {
  return local === undefined ? undefined : wallMs(parseLocal(local)) - atMs;
}

export interface PumpOffset {
  readonly fromMs: number;
  readonly offsetMs: number;
}

/** From when on the display was how far ahead. Drift is left out; a clock that was set, or a summer time, is not. */
export function pumpOffsets(events: readonly EventTime[]): PumpOffset[] {
  const offsets: PumpOffset[] = [];
  for (const event of events) {
    const offsetMs = offsetOf(event);
    if (offsetMs === undefined) continue;
    const last = offsets.at(-1);
    if (last && Math.abs(last.offsetMs - offsetMs) < DRIFT_MS) continue;
    offsets.push({ fromMs: event.atMs, offsetMs: 60_000 * Math.round(offsetMs / 60_000) });
  }
  return offsets;
}
