import { AirEvent, type Scheduler } from "../../air/index.ts";

/** Procedure Response Timeout, Vol 6 Part B 5.2. */
export const RESPONSE_TIMEOUT_US = 40_000_000;

/** The time that a peer has for its answer in one procedure. Each procedure has its own: the end of another one does not stop it. */
export class ResponseTimer {
  readonly #scheduler: Scheduler;
  readonly #event: AirEvent;

  constructor(scheduler: Scheduler, onExpired: () => void) {
    this.#scheduler = scheduler;
    this.#event = new AirEvent(onExpired);
  }

  /** From here on, also where it ran before. */
  start(afterUs: number = RESPONSE_TIMEOUT_US): void {
    this.#scheduler.set(this.#event, this.#scheduler.nowUs + afterUs);
  }
  stop(): void {
    this.#scheduler.clear(this.#event);
  }
}
