import { TimeoutError } from "../core/error.ts";
import type { Clock } from "./clock.ts";
import { onAbort } from "./on-abort.ts";

/** What every operation takes: `signal` rejects it with `signal.reason`, `timeoutMs` with a TimeoutError. */
export interface OperationOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** What a wait inside the stack takes: `timeoutError` makes, when it is due, what replaces the TimeoutError. */
export interface WaitOptions extends OperationOptions {
  timeoutError?: (() => Error) | undefined;
}

export interface PendingOptions extends WaitOptions {
  clock: Clock;
  /** Names the operation in the TimeoutError. */
  operation: string;
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
  readonly #onSettled: PendingOptions["onSettled"];
  readonly #listener: Disposable | undefined;

  constructor({ clock, operation, signal, timeoutMs, timeoutError, onSettled }: PendingOptions) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#onSettled = onSettled;
    if (signal?.aborted) {
      this.#settled = true;
      this.#reject(signal.reason);
      queueMicrotask(() => onSettled?.("aborted")); // not from within the constructor: the caller has no Pending yet
      return;
    }
    this.#listener = onAbort(signal, () => this.#settle("aborted", () => this.#reject(signal?.reason)));
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
    this.#listener?.[Symbol.dispose]();
    this.#onSettled?.(outcome);
    act();
  }
}
