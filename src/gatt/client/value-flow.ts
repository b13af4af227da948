import { Subscription } from "../../async/broadcast.ts";
import type { Clock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import type { SecurityRequirement } from "../../att/security.ts";
import { checkChoice, checkInteger, checkOperation as checkOperationTerms, optionNames } from "../../core/arguments.ts";
import { ArgumentError, StateError } from "../../core/error.ts";
import { checkOperation } from "./options.ts";
import type { CharacteristicSubscriptions, ValueListener } from "./subscriptions.ts";

export interface ValueFlowOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * What becomes of a value that was not taken yet when the next one comes: "all" (default) keeps both, up to `capacity`; "latest" keeps the newer
   * one, for who wants to know how things stand and not how they came to.
   */
  readonly queue?: "all" | "latest" | undefined;
  /** Values kept for a loop that is behind, 256 by default; of more the oldest are lost. */
  readonly capacity?: number | undefined;
  /** What the link must have for the subscription and for each value, beyond what the connection demands. */
  readonly security?: SecurityRequirement | undefined;
}

const FLOW = optionNames<ValueFlowOptions>({ signal: true, queue: true, capacity: true, security: true });

/** What a flow needs of its characteristic; both may throw. */
export interface ValueFlowSource {
  readonly clock: Clock;
  readonly subscriptions: CharacteristicSubscriptions;
  /** @throws {UnsupportedError} it cannot send such values · {StateError} it is no longer there */
  listener(deliver: (value: Uint8Array) => void, end: (error: unknown) => void, security?: SecurityRequirement): ValueListener;
}

/**
 * Values of a characteristic as a loop. The subscription begins with the first `next()`. Leaving the loop - by `break`, an error or the signal -
 * waits for nobody: the peer is told afterwards, where this was the last subscription.
 */
export class ValueFlow implements AsyncIterableIterator<Uint8Array, void>, AsyncDisposable {
  readonly #source: ValueFlowSource;
  readonly #options: ValueFlowOptions;
  #queue: Subscription<Uint8Array> | undefined;
  #beginning: Promise<void> | undefined;
  #isOpen = false;
  #isOver = false;

  /** Made by `RemoteCharacteristic.notifications`. @internal */
  constructor(source: ValueFlowSource, options: ValueFlowOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Values that were lost because the loop was behind. */
  get dropped(): number {
    return this.#queue?.dropped ?? 0;
  }

  /** @throws the reason, once the link is gone · `signal.reason` once `signal` aborts · what `subscribe` throws */
  next(): Promise<IteratorResult<Uint8Array, void>> {
    if (this.#isOpen) return this.#queue!.next();
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return this.#beginAndNext();
  }

  /**
   * Subscribes now, and resolves when the peer has answered: for who has to be subscribed before it asks for what is notified. Values that come
   * from then on wait for the first turn of the loop.
   *
   * @throws what `subscribe` throws · {TimeoutError} not in `timeoutMs`; the subscribing goes on, and the next call joins it
   */
  async begin(options: OperationOptions = {}): Promise<void> {
    checkOperationTerms("begin", options);
    options.signal?.throwIfAborted();
    if (this.#isOpen || this.#isOver) return;
    const begun = new Pending<void>({ clock: this.#source.clock, operation: "subscribing", ...options });
    this.#beginning ??= this.#begin();
    this.#beginning.then(
      () => begun.resolve(),
      (error: unknown) => {
        this.#isOver = true;
        begun.reject(error);
      },
    );
    await begun.promise;
  }

  /**
   * The next value; subscribes where that was not done yet. One that comes after `timeoutMs` or `signal` is for the next call, so that nothing
   * is lost between two of them.
   *
   * @throws as `next` · {TimeoutError} none came in `timeoutMs` · {StateError} the loop is over
   */
  async take(options: OperationOptions = {}): Promise<Uint8Array> {
    checkOperationTerms("take", options);
    options.signal?.throwIfAborted();
    const operation = "waiting for a value";
    const { clock } = this.#source;
    const deadline = new Deadline({ clock, operation, ...options });
    try {
      const { signal } = deadline;
      await this.begin({ signal });
      const next = this.#isOpen ? await this.#queue!.take({ clock, operation, signal }) : undefined;
      if (!next || next.done) throw new StateError("no more values come: the loop is over");
      return next.value;
    } finally {
      deadline[Symbol.dispose]();
    }
  }

  async #beginAndNext(): Promise<IteratorResult<Uint8Array, void>> {
    const isFirst = this.#beginning === undefined;
    this.#beginning ??= this.#begin();
    try {
      await this.#beginning;
    } catch (error) {
      this.#isOver = true;
      if (isFirst) throw error; // told once; after that the loop is simply over
    }
    return await this.next();
  }

  async #begin(): Promise<void> {
    checkOperation("notifications", this.#options, FLOW);
    const { signal, queue: kept = "all", security } = this.#options;
    const isLatest = checkChoice("notifications: queue", kept, ["all", "latest"]) === "latest";
    if (isLatest && this.#options.capacity !== undefined)
      throw new ArgumentError('notifications: capacity: expected none, since "latest" keeps one value');
    const { capacity = isLatest ? 1 : 256 } = this.#options;
    checkInteger("capacity", capacity, 1, Number.MAX_SAFE_INTEGER);
    signal?.throwIfAborted();
    const { subscriptions } = this.#source;
    const listener = this.#source.listener(
      (value) => queue.push(value),
      (error) => queue.end(error),
      security,
    );
    const queue = new Subscription<Uint8Array>({ capacity, signal, leave: () => subscriptions.leave(listener) });
    this.#queue = queue;
    try {
      await subscriptions.join(listener, { signal, security });
    } catch (error) {
      queue[Symbol.dispose]();
      throw error;
    }
    this.#isOpen = !this.#isOver;
  }

  return(_value?: unknown): Promise<IteratorResult<Uint8Array, void>> {
    this.#isOver = true;
    this.#isOpen = false;
    this.#queue?.[Symbol.dispose]();
    return Promise.resolve({ value: undefined, done: true });
  }

  async throw(error: unknown): Promise<IteratorResult<Uint8Array, void>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
