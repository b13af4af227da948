import { onAbort } from "./on-abort.ts";
import { Pending, type PendingOptions } from "./pending.ts";

/** A flow for one loop, which keeps a bounded number of items for it. `dropped` counts those it lost because it was slow. */
export interface Flow<T> extends AsyncIterableIterator<T> {
  readonly dropped: number;
}

interface Reader<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** One reader's bounded queue on a Broadcast. A reader that falls behind loses the oldest items; `dropped` counts them. */
export class Subscription<T> implements AsyncIterableIterator<T>, Disposable {
  readonly capacity: number;
  /** Items this reader lost because it was slow. */
  dropped = 0;
  #ring: (T | undefined)[] = [];
  #head = 0;
  #size = 0;
  #waiting: Reader<T>[] = [];
  #ended: { error: unknown } | undefined;
  readonly #listener: Disposable | undefined;
  readonly #leave: (subscription: Subscription<T>) => void;

  constructor({ capacity, signal, leave }: { capacity: number; signal?: AbortSignal | undefined; leave: (s: Subscription<T>) => void }) {
    this.capacity = capacity;
    this.#leave = leave;
    if (signal?.aborted) this.end(signal.reason);
    else this.#listener = onAbort(signal, () => this.end(signal?.reason));
  }

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#ended) return;
    const reader = this.#waiting.shift();
    if (reader) {
      reader.resolve({ value: item, done: false });
      return;
    }
    if (this.#size === this.capacity) {
      this.#take();
      this.dropped++;
    }
    this.#ring[(this.#head + this.#size) % this.capacity] = item;
    this.#size++;
  }

  /** Ends the flow: what is queued is still delivered, then `error` is thrown, or without one the loop ends. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = { error };
    this.#listener?.[Symbol.dispose]();
    this.#leave(this);
    const waiting = this.#waiting.splice(0);
    if (waiting.length > 0) this.#ended = { error: undefined }; // they are told of it: thrown once
    for (const reader of waiting) {
      if (error === undefined) reader.resolve({ value: undefined, done: true });
      else reader.reject(error);
    }
  }

  #take(): T {
    const item = this.#ring[this.#head] as T;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.capacity;
    this.#size--;
    return item;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#size > 0) return Promise.resolve({ value: this.#take(), done: false });
    if (this.#ended) {
      const { error } = this.#ended;
      this.#ended = { error: undefined }; // thrown once; after that the loop is simply over
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** As `next`, waited for no longer than the options say. What comes after that is for the next call. */
  take(options: Omit<PendingOptions, "onSettled">): Promise<IteratorResult<T>> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#size > 0 || this.#ended) return this.next();
    const leave = (): void => {
      const at = this.#waiting.indexOf(reader);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
    const pending = new Pending<IteratorResult<T>>({ ...options, onSettled: leave });
    const reader: Reader<T> = { resolve: (result) => pending.resolve(result), reject: (error) => pending.reject(error) };
    this.#waiting.push(reader);
    return pending.promise;
  }

  return(): Promise<IteratorResult<T>> {
    this[Symbol.dispose]();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.dispose](): void {
    this.end();
    this.#ring = [];
    this.#size = 0;
  }
}

/** One writer, any number of readers with a bounded queue each. */
export class Broadcast<T> {
  readonly #subscriptions = new Set<Subscription<T>>();
  #closed: { error: unknown } | undefined;
  readonly #onCount: ((count: number) => void) | undefined;

  /** @param onCount called with the number of readers whenever it changes */
  constructor(onCount?: (count: number) => void) {
    this.#onCount = onCount;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  subscribe({ capacity = 256, signal }: { capacity?: number; signal?: AbortSignal | undefined } = {}): Subscription<T> {
    const subscription = new Subscription<T>({
      capacity,
      signal,
      leave: (left) => {
        if (this.#subscriptions.delete(left)) this.#onCount?.(this.#subscriptions.size);
      },
    });
    if (this.#closed) subscription.end(this.#closed.error);
    else if (!signal?.aborted) {
      this.#subscriptions.add(subscription);
      this.#onCount?.(this.#subscriptions.size);
    }
    return subscription;
  }

  publish(item: T): void {
    for (const subscription of this.#subscriptions) subscription.push(item);
  }

  /** Ends every reader, now and to come; with `error` they throw it after what they have queued. */
  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = { error };
    for (const subscription of [...this.#subscriptions]) subscription.end(error);
  }
}
