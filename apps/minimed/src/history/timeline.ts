import { addSeconds, type LocalDateTime } from "../data/date-time.ts";
import type { HistoryRecord } from "./record.ts";

/** When something happened. */
export interface HistoryTime {
  /** As the pump's display told time; undefined before the first reference time, and where the clock was lost. */
  readonly local: LocalDateTime | undefined;
  /** Of the sample that a record is about, which is older than the record; undefined for records without one. */
  readonly sampleLocal: LocalDateTime | undefined;
  /** Seconds since the segment's first reference time: it runs on, whatever the user does to the clock. */
  readonly elapsedSeconds: number | undefined;
  /** Counts the times that the pump lost its clock. */
  readonly segment: number;
  /** The clock was lost, and not set since: what the display told is no fact. */
  readonly isLost: boolean;
}

/** Gives records their times. They are pushed in the order of their sequence numbers. */
export class HistoryTimeline {
  #reference: LocalDateTime | undefined;
  #elapsed: number | undefined;
  #segment = 0;
  #isLost = false;

  push({ data, relativeOffsetSeconds }: HistoryRecord): HistoryTime {
    if (data?.name === "ngp_reference_time") return this.#onReference(data, relativeOffsetSeconds);
    const reference = this.#reference;
    const offsetMin = data && "timeOffsetMin" in data ? data.timeOffsetMin : undefined;
    return {
      local: reference && addSeconds(reference, relativeOffsetSeconds),
      sampleLocal: reference && offsetMin !== undefined ? addSeconds(reference, 60 * offsetMin) : undefined,
      elapsedSeconds: this.#elapsed === undefined ? undefined : this.#elapsed + relativeOffsetSeconds,
      segment: this.#segment,
      isLost: this.#isLost,
    };
  }

  #onReference(
    { reason, local }: { readonly reason: unknown; readonly local: LocalDateTime | undefined },
    sinceLastSeconds: number,
  ): HistoryTime {
    if (reason === "date_time_loss") {
      if (this.#elapsed !== undefined) this.#segment++;
      this.#elapsed = 0;
      this.#isLost = true;
    } else {
      this.#elapsed = this.#elapsed === undefined ? 0 : this.#elapsed + sinceLastSeconds;
      if (reason === "set_date_time") this.#isLost = false;
    }
    this.#reference = local;
    return { local, sampleLocal: undefined, elapsedSeconds: this.#elapsed, segment: this.#segment, isLost: this.#isLost };
  }
}
