import type { TherapyView } from "../store/view.ts";
import { alertText, type LastEvents } from "./values.ts";

/** The newest bolus and alert are looked for so far back, and not more often than that. */
const LOOK_BACK_MS = 3 * 86_400_000;
const AHEAD_MS = 3_600_000;
const LOOK_EVERY_MS = 60_000;

/** Asks a history for its newest bolus and alert, seldom, and keeps what it has while the history does not answer. */
export class LastEventsReader {
  readonly #view: (() => TherapyView | undefined) | undefined;
  readonly #failed: (error: unknown) => void;
  #events: LastEvents = {};
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(view: (() => TherapyView | undefined) | undefined, failed: (error: unknown) => void) {
    this.#view = view;
    this.#failed = failed;
  }

  /** @param nowMs on the program's clock @param utcMs the same moment since 1970 */
  read(nowMs: number, utcMs: number): LastEvents {
    if (!this.#view || nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return this.#events;
    this.#lookedAtMs = nowMs;
    try {
      const view = this.#view();
      if (view) this.#events = lastEventsOf(view, utcMs);
    } catch (error) {
      this.#failed(error);
    }
    return this.#events;
  }
}

function lastEventsOf(view: TherapyView, utcMs: number): LastEvents {
  const range = { fromMs: utcMs - LOOK_BACK_MS, toMs: utcMs + AHEAD_MS };
  const bolus = view.boluses(range).findLast(({ deliveredIu }) => deliveredIu !== undefined);
  const alert = view.alerts(range).at(-1);
  return {
    bolus: bolus?.deliveredIu && { atMs: bolus.atMs, amountIu: bolus.deliveredIu.fast + bolus.deliveredIu.extended },
    alert: alert && { atMs: alert.atMs, instanceId: alert.instanceId, text: alertText(alert.code, alert.name) },
  };
}
