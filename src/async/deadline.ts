import { TimeoutError } from "../core/error.ts";
import type { Clock } from "./clock.ts";
import { onAbort } from "./on-abort.ts";
import type { OperationOptions } from "./pending.ts";

/**
 * One time limit, and one signal, over an operation of several steps: hand `signal` to each step. It aborts with the caller's reason, or with
 * a TimeoutError that names the whole operation. Dispose it when the operation has ended, however it did.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: Disposable | undefined;
  readonly #listener: Disposable | undefined;

  constructor({ clock, operation, signal, timeoutMs }: OperationOptions & { clock: Clock; operation: string }) {
    if (signal?.aborted) {
      this.#controller.abort(signal.reason);
      return;
    }
    this.#listener = onAbort(signal, () => this.#controller.abort(signal?.reason));
    if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return;
    const error = new TimeoutError(operation, timeoutMs); // made here so that its stack shows who asked
    this.#timer = clock.setTimer(timeoutMs, operation, () => this.#controller.abort(error));
  }

  /** For the steps. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#listener?.[Symbol.dispose]();
  }
}
