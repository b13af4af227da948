import { Subscription } from "../../async/index.ts";

/** Items that may wait at most. */
export const MOST_CAPACITY = 0x7fff_ffff;

/** Where the source of a feed puts its items. */
export interface Sink<T> {
  push(item: T): void;
  /** Ends the loop: after what is queued, `error` is thrown; without one the loop is over. */
  end(error?: unknown): void;
}

/**
 * A flow of items that runs from the first `next()` until its loop is left by `break`, an error, the signal or disposal. Items wait in a
 * bounded queue; a reader further behind loses the oldest, and `dropped` counts them.
 */
export class Feed<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  readonly #queue: Subscription<T>;
  readonly #begin: (sink: Sink<T>) => () => Promise<void> | undefined;
  #leave: (() => Promise<void> | undefined) | undefined;
  #begun = false;
  #over = false;
  #finished: Promise<void> | undefined;

  /** @param begin starts the source and returns what stops it, which is called once which must not fail and waits only so long as a loop may be held up */
  constructor(
    { capacity, signal }: { capacity: number; signal?: AbortSignal | undefined },
    begin: (sink: Sink<T>) => () => Promise<void> | undefined,
  ) {
    this.#begin = begin;
    this.#queue = new Subscription<T>({
      capacity,
      signal,
      leave: () => {
        this.#over = true;
        if (this.#leave) void this.#finish();
      },
    });
  }

  /** Items lost because the reader was slow. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** The next item. A loop that is over has put away what it left in the kernel by then, as far as that can be waited for. */
  async next(): Promise<IteratorResult<T>> {
    this.#start();
    try {
      const result = await this.#queue.next();
      if (result.done) await this.#finish();
      return result;
    } catch (error) {
      await this.#finish();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T>> {
    await this[Symbol.asyncDispose]();
    return { value: undefined, done: true };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue[Symbol.dispose]();
    await this.#finish();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #start(): void {
    if (this.#begun || this.#over) return;
    this.#begun = true;
    this.#leave = this.#begin({ push: (item) => this.#queue.push(item), end: (error) => this.#queue.end(error) });
    if (this.#over) void this.#finish();
  }

  #finish(): Promise<void> {
    this.#finished ??= Promise.resolve(this.#leave?.());
    return this.#finished;
  }
}
