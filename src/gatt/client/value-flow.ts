import { Subscription } from "../../async/broadcast.ts";
import type { SecurityRequirement } from "../../att/security.ts";
import { checkInteger, optionNames } from "../../core/arguments.ts";
import { checkOperation } from "./options.ts";
import type { CharacteristicSubscriptions, ValueListener } from "./subscriptions.ts";

export interface ValueFlowOptions {
  readonly signal?: AbortSignal | undefined;
  /** Values kept for a loop that is behind, 256 by default; of more the oldest are lost. */
  readonly capacity?: number | undefined;
  /** What the link must have for the subscription and for each value, beyond what the connection demands. */
  readonly security?: SecurityRequirement | undefined;
}

const FLOW = optionNames<ValueFlowOptions>({ signal: true, capacity: true, security: true });

/** What a flow needs of its characteristic; both may throw. */
export interface ValueFlowSource {
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
    const { signal, capacity = 256, security } = this.#options;
    checkOperation("notifications", this.#options, FLOW);
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
