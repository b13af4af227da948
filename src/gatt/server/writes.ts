import { type Flow, Subscription } from "../../async/broadcast.ts";
import type { Clock } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { checkInteger, checkOperation, checkOptions, checkSignal, optionNames } from "../../core/arguments.ts";
import { StateError } from "../../core/error.ts";

export interface WritesOptions {
  readonly signal?: AbortSignal | undefined;
  /** Writes kept for a loop that is behind, 256 by default; of more the oldest are lost. */
  readonly capacity?: number | undefined;
}

const OPTIONS = optionNames<WritesOptions>({ signal: true, capacity: true });

/** What can be written, and tells of it. */
export interface WriteSource<Write> {
  addSink(sink: WriteSink<Write>): void;
  removeSink(sink: WriteSink<Write>): void;
}

/** Who is told. */
export interface WriteSink<Write> {
  push(write: Write): void;
  /** Nothing more comes from this characteristic: its service was removed, or its device closed. */
  onEnd(source: WriteSource<Write>, error: unknown): void;
}

/**
 * What clients write to one or several characteristics, as a loop, in the order in which it took effect: each write once, after the stored
 * value has changed or the `write` handler has agreed, and before the response leaves. It begins when it is made; leave it by `break`, its
 * signal or its disposal. `dropped` counts what a loop that is behind has lost.
 */
export class WriteFlow<Write> implements Flow<Write>, AsyncDisposable {
  readonly #clock: Clock;
  readonly #queue: Subscription<Write>;
  /** Those that may still tell something. */
  readonly #open = new Set<WriteSource<Write>>();

  /** Made by `writes`. @internal */
  constructor(characteristics: readonly WriteSource<Write>[], clock: Clock, options: WritesOptions) {
    checkOptions("writes", options, OPTIONS);
    const { signal, capacity = 256 } = options;
    checkSignal("writes: signal", signal);
    checkInteger("writes: capacity", capacity, 1, Number.MAX_SAFE_INTEGER);
    this.#clock = clock;
    const sink: WriteSink<Write> = {
      push: (write) => this.#queue.push(write),
      onEnd: (source, error) => {
        if (this.#open.delete(source) && this.#open.size === 0) this.#queue.end(error);
      },
    };
    const leave = (): void => {
      for (const characteristic of this.#open) characteristic.removeSink(sink);
    };
    this.#queue = new Subscription<Write>({ capacity, signal, leave });
    if (signal?.aborted) return;
    for (const characteristic of characteristics) this.#open.add(characteristic);
    for (const characteristic of characteristics) characteristic.addSink(sink);
  }

  get dropped(): number {
    return this.#queue.dropped;
  }

  /** @throws `signal.reason` once `signal` aborts · {StateError} the service was removed · why the device is closed, where it was not its owner */
  next(): Promise<IteratorResult<Write>> {
    return this.#queue.next();
  }

  /**
   * The next write. One that comes after `timeoutMs` or `signal` is for the next call.
   *
   * @throws as `next` · {TimeoutError} none came in `timeoutMs` · {StateError} the loop is over
   */
  async take(options: OperationOptions = {}): Promise<Write> {
    checkOperation("take", options);
    const next = await this.#queue.take({ clock: this.#clock, operation: "waiting for a write", ...options });
    if (next.done) throw new StateError("no more writes come: the loop is over");
    return next.value;
  }

  return(): Promise<IteratorResult<Write>> {
    return this.#queue.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
