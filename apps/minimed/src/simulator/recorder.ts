import { addSeconds, type LocalDateTime, parseLocal, secondsBetween } from "../data/date-time.ts";
import { encodeHistoryRecord, HistoryEvent, RAISED_AT, referenceTimeData } from "./encode/history.ts";
import type { ClockStep, Draft } from "./life/draft.ts";

/** Annunciations count their seconds from here. */
const EPOCH = parseLocal("2000-01-01T00:00:00");
/** What the clock begins with when it was lost. */
const DEFAULT_TIME = parseLocal("2015-01-01T00:00:00");
/** Reasons of a reference time. */
const Reason = Object.freeze({ SetByUser: 0x33, Periodic: 0x3c, TimeLost: 0x55 });
const MOST_SECONDS = 0xffff;

/** Where a recorder stands: few numbers, from which it goes on. */
export interface RecorderState {
  readonly nextNumber: number;
  /** Of the latest reference time. */
  readonly referenceAtS: number;
  /** The clock showed `local` at that moment. */
  readonly clock: { readonly atS: number; readonly local: LocalDateTime };
  /** What it would show had it not been lost. */
  readonly lost: RecorderState["clock"] | undefined;
}

/** A record that was written. */
export interface Recorded {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Gives what happens its sequence number and its time, as the pump's memory and clock do. */
export class Recorder {
  #state: RecorderState;

  constructor(state: RecorderState) {
    this.#state = state;
  }

  get state(): RecorderState {
    return this.#state;
  }

  /** What the clock shows at a moment of the life. */
  localAt(atS: number): LocalDateTime {
    const { clock } = this.#state;
    return addSeconds(clock.local, Math.floor(atS - clock.atS));
  }

  /** undefined where nothing is recorded. */
  record(draft: Draft): Recorded | undefined {
    const { atS, type, skips = 0 } = draft;
    if (skips > 0) this.#state = { ...this.#state, nextNumber: this.#state.nextNumber + skips };
    if (type === undefined) return undefined;
    const { nextNumber: number, referenceAtS } = this.#state;
    let sinceReferenceS = Math.floor(atS - referenceAtS);
    let { data } = draft;
    if (draft.clock) {
      // A lost clock does not know how long ago the last reference was.
      if (draft.clock.kind === "lost") sinceReferenceS = 0;
      data = this.#reference(atS, draft.clock);
    } else if (draft.sampleAtS !== undefined) setMinutes(data, Math.floor((draft.sampleAtS - referenceAtS) / 60));
    else if (draft.isAnnunciation) setSeconds(data, secondsBetween(EPOCH, this.localAt(atS)));
    const bytes = encodeHistoryRecord(type, number, Math.min(MOST_SECONDS, Math.max(0, sinceReferenceS)), data);
    this.#state = { ...this.#state, nextNumber: number + 1, ...(type === HistoryEvent.ReferenceTime && { referenceAtS: atS }) };
    return { number, bytes };
  }

  /** The memory failed: numbers begin anew. */
  restart(): void {
    this.#state = { ...this.#state, nextNumber: 1 };
  }

  #reference(atS: number, step: ClockStep): Uint8Array {
    const { clock, lost } = this.#state;
    switch (step.kind) {
      case "periodic":
        return referenceTimeData(Reason.Periodic, this.localAt(atS));
      case "shift":
        this.#state = { ...this.#state, clock: { atS, local: addSeconds(this.localAt(atS), step.seconds) }, lost: undefined };
        return referenceTimeData(Reason.SetByUser, this.localAt(atS));
      case "lost":
        this.#state = { ...this.#state, clock: { atS, local: DEFAULT_TIME }, lost: lost ?? clock };
        return referenceTimeData(Reason.TimeLost, DEFAULT_TIME);
      case "restored":
        this.#state = { ...this.#state, clock: lost ?? clock, lost: undefined };
        return referenceTimeData(Reason.SetByUser, this.localAt(atS));
    }
  }
}

/** Data of a draft are its own, and the same however often they are recorded from the same state. */
function setMinutes(data: Uint8Array, minutes: number): void {
  data[0] = minutes;
  data[1] = minutes >> 8;
}

function setSeconds(data: Uint8Array, seconds: number): void {
  for (let i = 0; i < 4; i++) data[RAISED_AT + i] = seconds >>> (8 * i);
}
