import type { Clock } from "jelling/async";

/** After so long without anything from the pump it is asked for something small; one that does not answer is gone, whatever the controller says. */
const PROBE_AFTER_MS = 5 * 60_000;
/** After so long it is given up, whatever was asked. */
const GONE_AFTER_MS = 15 * 60_000;

export interface SilenceWatchOptions {
  readonly clock: Clock;
  /** Asks the pump for something small. Called again after as long a silence. */
  readonly probe: () => void;
  /** Called once: the pump is gone. */
  readonly onSilent: () => void;
}

/** Watches how long a pump has been silent, with one timer, which what arrives does not have to set anew. */
export class SilenceWatch implements Disposable {
  readonly #options: SilenceWatchOptions;
  #heardAtMs: number;
  #probedAtMs: number;
  #timer: Disposable | undefined;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.now();
    this.#probedAtMs = this.#heardAtMs;
    this.#arm();
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  onHeard(): void {
    this.#heardAtMs = this.#options.clock.now();
  }

  #arm(): void {
    const { clock } = this.#options;
    const dueMs = Math.min(Math.max(this.#heardAtMs, this.#probedAtMs) + PROBE_AFTER_MS, this.#heardAtMs + GONE_AFTER_MS);
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.now()), "silence of the pump", () => this.#onDue());
  }

  #onDue(): void {
    const { clock, probe, onSilent } = this.#options;
    const nowMs = clock.now();
    if (nowMs >= this.#heardAtMs + GONE_AFTER_MS) {
      this.#timer = undefined;
      onSilent();
      return;
    }
    const isDue = nowMs >= Math.max(this.#heardAtMs, this.#probedAtMs) + PROBE_AFTER_MS;
    if (isDue) this.#probedAtMs = nowMs;
    this.#arm();
    if (isDue) probe();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}
