import type { GlucoseReading, NoGlucoseValue, PumpSession } from "@jelling/minimed";
import { type Clock, delay } from "jelling/async";
import { oneLine } from "../errors.ts";

type Reading = GlucoseReading | NoGlucoseValue;

/** After a failure, while the session goes on: the last one again and again. */
const RETRY_MS = [15_000, 60_000, 300_000] as const;

export interface EarlierReadingsOptions {
  readonly spanMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onRead: (readings: readonly Reading[]) => void;
}

/** Readings from before the program was started, or from while the pump was away: each session is asked for them, until it has given them. */
export class EarlierReadings {
  readonly #options: EarlierReadingsOptions;
  #session: Pick<PumpSession, "ended" | "readLatest" | "readReadings"> | undefined;
  #problem: string | undefined;

  constructor(options: EarlierReadingsOptions) {
    this.#options = options;
  }

  /** Why there are none at present, though there may be some: a sentence to show. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Never throws. */
  async read(session: Pick<PumpSession, "ended" | "readLatest" | "readReadings">): Promise<void> {
    this.#session = session;
    const { clock, signal } = this.#options;
    for (let failures = 0; this.#isWanted(session); failures++) {
      try {
        await this.#readOnce(session);
        return;
      } catch (error) {
        if (!this.#isWanted(session)) return; // the next session is asked
        this.#problem = `Earlier readings are missing: ${oneLine(error instanceof Error ? error.message : String(error))}`;
      }
      const waitMs = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]!;
      await delay(clock, waitMs, { signal, name: "earlier readings" }).catch(() => undefined);
    }
  }

  #isWanted(session: Pick<PumpSession, "ended">): boolean {
    return session === this.#session && session.ended === undefined && !this.#options.signal.aborted;
  }

  async #readOnce(session: Pick<PumpSession, "readLatest" | "readReadings">): Promise<void> {
    const { spanMs, signal, onRead } = this.#options;
    const latest = await session.readLatest({ signal });
    let readings: readonly Reading[] | undefined = [];
    if (latest.kind !== "no-sensor")
      readings = await session.readReadings({ fromOffsetMin: Math.max(0, latest.timeOffsetMin - Math.ceil(spanMs / 60_000)), signal });
    this.#problem = readings === undefined ? "Earlier readings are missing: the pump does not give them." : undefined;
    onRead(readings ?? []);
  }
}
