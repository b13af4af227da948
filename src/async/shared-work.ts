import type { Clock } from "./clock.ts";
import type { OperationOptions } from "./pending.ts";
import { Waiters } from "./waiters.ts";

export interface SharedWorkOptions<T> {
  clock: Clock;
  /** Names the work in a caller's TimeoutError. */
  operation: string;
  /** Does the work, once. `signal` aborts when the last caller has left before the end. */
  run: (signal: AbortSignal) => Promise<T>;
}

/**
 * One piece of work that several callers wait for. They share the work and not the terms: each has its own signal and its own deadline, and
 * one that leaves harms no other. Whether the work meets a caller's demands is for the caller to ask before it joins.
 */
export class SharedWork<T> {
  readonly #waiters: Waiters<T>;
  readonly #abandoned = new AbortController();
  #settled = false;

  constructor({ clock, operation, run }: SharedWorkOptions<T>) {
    this.#waiters = new Waiters<T>(clock, operation, () => {
      if (this.#waiters.size === 0 && !this.#settled)
        this.#abandoned.abort(new DOMException(`nobody waits for ${operation}`, "AbortError"));
    });
    run(this.#abandoned.signal).then(
      (value) => {
        this.#settled = true;
        this.#waiters.resolve(value);
      },
      (error: unknown) => {
        this.#settled = true;
        this.#waiters.reject(error);
      },
    );
  }

  /** Nothing can be joined any more: it has ended, or nobody waited and it was given up. */
  get over(): boolean {
    return this.#settled || this.#abandoned.signal.aborted;
  }

  /** @throws what the work throws, {TimeoutError}, or `signal.reason`. Ask `over` first, and join in the turn in which the work was begun. */
  join(options: OperationOptions): Promise<T> {
    return this.#waiters.add(options);
  }
}
