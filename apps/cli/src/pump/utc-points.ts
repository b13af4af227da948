import type { GlucoseReading, NoGlucoseValue, PumpState } from "@jelling/minimed";
import type { CurvePoint } from "./curve.ts";

const MINUTE_MS = 60_000;

/**
 * Points of a curve, kept in UTC for a span of time, one a minute: a `Clock` stands still while the computer sleeps, so that what it told before
 * is further back than it says.
 */
export class UtcPoints {
  readonly #spanMs: number;
  readonly #points = new Map<number, CurvePoint>();

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  /** @param at the clock's time, and what makes UTC of the times of the readings: both as they are now */
  keep(
    readings: readonly (GlucoseReading | NoGlucoseValue)[],
    { epochMs, nowMs }: Pick<PumpState, "epochMs"> & { readonly nowMs: number },
  ): void {
    for (const reading of readings) {
      const atMs = (reading.takenAtMs ?? reading.receivedAtMs) + epochMs;
      this.#points.set(Math.round(atMs / MINUTE_MS), { atMs, mgdl: reading.kind === "reading" ? reading.mgdl : undefined });
    }
    for (const [minute, { atMs }] of this.#points) if (atMs < nowMs + epochMs - this.#spanMs) this.#points.delete(minute);
  }

  /** On the clock of a state. */
  on({ epochMs }: Pick<PumpState, "epochMs">): CurvePoint[] {
    return Array.from(this.#points.values(), ({ atMs, mgdl }) => ({ atMs: atMs - epochMs, mgdl }));
  }
}
