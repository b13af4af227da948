import type { Clock } from "./clock.ts";
import { type OperationOptions, Pending } from "./pending.ts";

/** All who wait for one outcome. */
export class Waiters<T> {
  readonly #clock: Clock;
  readonly #operation: string;
  /** Called when one of them gave up: its signal aborted or its time was over. */
  readonly #onGone: () => void;
  readonly #pending = new Set<Pending<T>>();

  constructor(clock: Clock, operation: string, onGone: () => void) {
    this.#clock = clock;
    this.#operation = operation;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** @param options.signal must not have aborted yet */
  add(options: OperationOptions): Promise<T> {
    const waiter: Pending<T> = new Pending<T>({
      clock: this.#clock,
      operation: this.#operation,
      ...options,
      onSettled: (outcome) => {
        this.#pending.delete(waiter);
        if (outcome === "aborted" || outcome === "timeout") this.#onGone();
      },
    });
    this.#pending.add(waiter);
    return waiter.promise;
  }

  resolve(value: T): void {
    for (const waiter of this.#pending) waiter.resolve(value);
  }

  reject(error: unknown): void {
    for (const waiter of this.#pending) waiter.reject(error);
  }
}
