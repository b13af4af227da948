import type { Clock } from "../async/clock.ts";
import { Pending } from "../async/pending.ts";
import { Semaphore } from "../async/semaphore.ts";
import { isDisallowed, isRefusal, Switch, type SwitchState } from "./switch.ts";

/** After a cancel the controller tells the outcome at once; one that does not is not waited for any longer. */
const CANCEL_TIMEOUT_MS = 2000;

/** What the controller works at until an event tells its outcome, from its command to that event. */
export interface CancellableAttempt {
  readonly outcome: Pick<Pending<unknown>, "settled" | "reject">;
  /** Set by a cancel; settles when the controller has said how the attempt ended. */
  completed: Pending<void> | undefined;
  /** What is being done about an outcome that came after nobody wanted it any more. */
  discarding: Promise<void> | undefined;
}

/** Attempts of one kind, one at a time, as controllers demand; a cancel ends one, and the outcome may win the race against it. */
export abstract class CancellableAttempts<A extends CancellableAttempt> {
  protected readonly turns: Semaphore;
  protected readonly switch = new Switch();
  protected attempt: A | undefined;
  /** What the controller is working on. */
  protected running: A | undefined;
  protected closed: { readonly error: unknown } | undefined;
  readonly #clock: Clock;
  readonly #cancelName: string;

  /** @param cancelName of the command, for a timeout's message */
  constructor(clock: Clock, cancelName: string) {
    this.#clock = clock;
    this.#cancelName = cancelName;
    this.turns = new Semaphore(clock);
  }

  /** Sends the command. */
  protected abstract sendCancel(): Promise<unknown>;

  get wanted(): boolean {
    return this.attempt !== undefined && !this.attempt.outcome.settled;
  }
  get state(): SwitchState {
    return this.switch.state;
  }
  get stale(): boolean {
    return this.switch.state !== "off" && this.running !== this.attempt;
  }

  /** Cancels, and waits until the controller has said what became of it: nothing, or what was attempted after all. */
  async turnOff(): Promise<void> {
    const attempt = this.running;
    const before = this.switch.state;
    if (before === "off") return;
    if (!attempt) return this.#cancel(); // the controller says that it is at it, and nobody knows for whom
    const completed = new Pending<void>({ clock: this.#clock, operation: this.#cancelName, timeoutMs: CANCEL_TIMEOUT_MS });
    attempt.completed = completed;
    completed.promise.catch(() => undefined); // it may be rejected before the command is answered
    try {
      await this.sendCancel();
    } catch (error) {
      // Command Disallowed: it had ended already, and the event is on its way; or it had never begun.
      if (!isDisallowed(error)) {
        if (isRefusal(error)) attempt.completed = undefined; // nothing that would be completed
        completed.reject(error);
        return this.switch.off(() => Promise.reject(error));
      }
      if (before === "unknown") completed.resolve();
    }
    try {
      await completed.promise;
      this.switch.ended();
    } catch {
      // No word of it in time. A second cancel tells whether there still is something: either answer ends it.
      this.switch.distrust();
      await this.#cancel();
    }
    if (this.running === attempt) this.running = undefined;
  }

  async #cancel(): Promise<void> {
    await this.switch.off(() => this.sendCancel());
  }

  distrust(): void {
    this.switch.distrust();
  }

  failed(error: unknown): void {
    const { attempt } = this;
    this.attempt = undefined;
    attempt?.outcome.reject(error);
  }

  /** Ends the attempt and those that wait; the next `update` of the radio cancels what the controller is doing. */
  close(error: unknown): void {
    this.closed ??= { error };
    this.turns.close(this.closed.error);
    this.attempt?.outcome.reject(this.closed.error);
  }

  reset(): void {
    this.running?.completed?.resolve();
    this.running = undefined;
    this.switch.reset();
  }

  gone(error: unknown): void {
    this.close(error);
    this.running?.completed?.reject(error);
    this.running = undefined;
    this.switch.ended();
  }
}
