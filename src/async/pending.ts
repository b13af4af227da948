import { TimeoutError } from "../core/error.ts";
import type { Clock } from "./clock.ts";

/** What every operation takes: `signal` rejects it with `signal.reason`, `timeoutMs` with a TimeoutError. */
export interface OperationOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

export interface PendingOptions extends OperationOptions {
  clock: Clock;
  /** Names the operation in the TimeoutError. */
  operation: string;
  /** Replaces the TimeoutError. */
  timeoutError?: (() => Error) | undefined;
  /** Called once, however it settles, before the promise's reactions run: the place to free what the operation held. */
  onSettled?: ((outcome: "resolved" | "rejected" | "timeout" | "aborted") => void) | undefined;
}

/** A promise that cannot be left hanging: it has a deadline and a signal, and cleans both up when it settles. */
export class Pending<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  readonly #timer: Disposable | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onSettled: PendingOptions["onSettled"];
  readonly #onAbort = (): void => this.#settle("aborted", () => this.#reject(this.#signal?.reason));

  constructor({ clock, operation, signal, timeoutMs, timeoutError, onSettled }: PendingOptions) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#signal = signal;
    this.#onSettled = onSettled;
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      // Made here so that its stack shows who asked.
      const error = timeoutError ? undefined : new TimeoutError(operation, timeoutMs);
      this.#timer = clock.setTimer(timeoutMs, operation, () => this.#settle("timeout", () => this.#reject(error ?? timeoutError?.())));
    }
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(value: T): void {
    this.#settle("resolved", () => this.#resolve(value));
  }

  reject(error: unknown): void {
    this.#settle("rejected", () => this.#reject(error));
  }

  #settle(outcome: "resolved" | "rejected" | "timeout" | "aborted", act: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer?.[Symbol.dispose]();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onSettled?.(outcome);
    act();
  }
}
