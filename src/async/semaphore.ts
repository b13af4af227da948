import type { Clock } from "./clock.ts";
import { type OperationOptions, Pending } from "./pending.ts";

/** Permits handed out first come, first served. One permit makes it a lock. */
export class Semaphore {
  readonly #clock: Clock;
  #free: number;
  #waiting: Pending<Disposable>[] = [];
  #closed: { error: unknown } | undefined;

  constructor(clock: Clock, permits = 1) {
    this.#clock = clock;
    this.#free = permits;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves with a permit; dispose it to give it back. */
  acquire({ signal, timeoutMs }: OperationOptions = {}, operation = "waiting for a turn"): Promise<Disposable> {
    if (this.#closed) return Promise.reject(this.#closed.error);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(this.#permit());
    }
    const pending: Pending<Disposable> = new Pending<Disposable>({
      clock: this.#clock,
      operation,
      signal,
      timeoutMs,
      onSettled: () => {
        const at = this.#waiting.indexOf(pending);
        if (at >= 0) this.#waiting.splice(at, 1);
      },
    });
    if (!pending.settled) this.#waiting.push(pending);
    return pending.promise;
  }

  /** Rejects all who wait, now and later. */
  close(error: unknown): void {
    this.#closed ??= { error };
    for (const pending of [...this.#waiting]) pending.reject(error);
  }

  #permit(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#waiting[0];
        if (next) next.resolve(this.#permit());
        else this.#free++;
      },
    };
  }
}
