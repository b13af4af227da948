import type { Clock, OperationOptions } from "../../async/index.ts";
import { TimeoutError } from "../../core/index.ts";

/** The limits of a sequence of commands: its signal aborts with the caller's, or with a TimeoutError when the time is over. */
export class Scope implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: Disposable | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);

  /** @param operation names the sequence in the TimeoutError */
  constructor(clock: Clock, operation: string, { signal, timeoutMs }: OperationOptions) {
    this.#outer = signal;
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return;
    const timedOut = new TimeoutError(operation, timeoutMs); // made here so that its stack shows who asked
    this.#timer = clock.setTimer(timeoutMs, operation, () => this.#controller.abort(timedOut));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#outer?.removeEventListener("abort", this.#onAbort);
  }
}

const settled = (): void => undefined;

/**
 * Waits for something that puts away what a sequence left in the kernel, whatever becomes of it: it may be gone already, with its
 * controller or with the socket, and the outcome of the sequence is what its caller has to learn.
 */
export async function putAway(action: Promise<unknown>): Promise<void> {
  await action.then(settled, settled);
}
