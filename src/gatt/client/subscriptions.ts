import { rethrowLater } from "../../async/call-out.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { Semaphore } from "../../async/semaphore.ts";
import { AttError } from "../../att/error.ts";
import type { ClientContext, ValueSink } from "./context.ts";

export const NOTIFICATIONS = 1;
export const INDICATIONS = 2;

/** Someone who wants the values of a characteristic. */
export interface ValueListener {
  /** NOTIFICATIONS, INDICATIONS or both: the bits of the CCCD. */
  readonly kinds: number;
  deliver(value: Uint8Array): void;
  /** No more will come. */
  end(error: unknown): void;
}

const UNKNOWN = -1;

/**
 * The listeners of one characteristic, and its Client Characteristic Configuration: on while someone listens, off when the last one has
 * left.
 */
export class CharacteristicSubscriptions implements ValueSink {
  readonly #context: ClientContext;
  readonly #valueHandle: number;
  readonly #findCccd: (options: OperationOptions) => Promise<number>;
  readonly #lock: Semaphore;
  #listeners: ValueListener[] = [];
  /** What the peer's CCCD holds by our doing. */
  #written = 0;
  #ended: { error: unknown } | undefined;

  constructor(context: ClientContext, valueHandle: number, findCccd: (options: OperationOptions) => Promise<number>) {
    this.#context = context;
    this.#valueHandle = valueHandle;
    this.#findCccd = findCccd;
    this.#lock = new Semaphore(context.requester.bearer.clock);
  }

  /** Values reach the listener from now on, even those that come before the peer has answered; resolves when it has. */
  async join(listener: ValueListener, options: OperationOptions): Promise<void> {
    if (this.#ended) throw this.#ended.error;
    const { refusal } = this.#context.requester.bearer;
    if (refusal) throw refusal;
    // A new array each time, so that a loop that delivers is not disturbed.
    this.#listeners = [...this.#listeners, listener];
    this.#context.setSink(this.#valueHandle, this);
    try {
      await this.#configure(options);
    } catch (error) {
      void this.leave(listener);
      throw error;
    }
  }

  /** Never rejects: a link that is gone, or a peer that refuses, leaves nothing to be done. */
  async leave(listener: ValueListener): Promise<void> {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    if (this.#listeners.length === 0) this.#context.removeSink(this.#valueHandle, this);
    const { bearer } = this.#context.requester;
    if (this.#ended || bearer.refusal) return;
    try {
      await this.#configure({});
    } catch (error) {
      bearer.logger.info(() => `unsubscribing from handle ${this.#valueHandle} failed: ${String(error)}`);
    }
  }

  get #wanted(): number {
    let bits = 0;
    for (const { kinds } of this.#listeners) bits |= kinds;
    return bits;
  }

  /** Writes the CCCD until it holds what is wanted; whoever changed that meanwhile finds it done. */
  async #configure(options: OperationOptions): Promise<void> {
    const permit = await this.#lock.acquire(options, "waiting for a subscription to change");
    try {
      while (this.#written !== this.#wanted && !this.#ended) {
        const cccd = await this.#findCccd(options);
        await this.#write(cccd, this.#wanted, options);
      }
      if (this.#ended) throw this.#ended.error;
    } finally {
      permit[Symbol.dispose]();
    }
  }

  async #write(cccd: number, bits: number, options: OperationOptions): Promise<void> {
    const before = this.#written;
    this.#written = UNKNOWN; // until the peer has answered, whoever still waits for that
    try {
      await this.#context.values.write(cccd, Uint8Array.of(bits, 0), options);
      this.#written = bits;
    } catch (error) {
      if (error instanceof AttError) this.#written = before;
      throw error;
    }
  }

  onValue(bytes: Uint8Array, offset: number, end: number, indication: boolean): void {
    const kind = indication ? INDICATIONS : NOTIFICATIONS;
    const listeners = this.#listeners;
    const value = bytes.slice(offset, end);
    for (let i = 0; i < listeners.length; i++) {
      const listener = listeners[i]!;
      if ((listener.kinds & kind) === 0) continue;
      try {
        listener.deliver(value);
      } catch (error) {
        rethrowLater(error);
      }
    }
  }

  end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = { error };
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#context.removeSink(this.#valueHandle, this);
    for (const listener of listeners) listener.end(error);
  }
}
