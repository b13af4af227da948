import type { Clock } from "../async/clock.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { StateError } from "../core/error.ts";
import type { PduChannel } from "../l2cap/channel.ts";
import { type Refuse, Transaction, type TransactionKind } from "./transaction.ts";

/** Notifications and commands that may wait for room on the link. */
const CAPACITY = 256;

const OPERATION = "waiting for room on the link";

/** Whoever watches learns of the end from the bearer. */
function toldByTheBearer(): void {}

/** PDUs without an answer - notifications, commands, indications on their way out - in order, no faster than the link takes them. */
export class FlowQueue {
  readonly #channel: PduChannel;
  readonly #kind: TransactionKind;
  readonly #isWritable: () => boolean;
  #waiting: Transaction<unknown>[] = [];
  #emptied: Pending<void>[] = [];
  #pumping = false;
  /** Nothing leaves while true; `pump` afterwards. */
  paused = false;

  constructor(channel: PduChannel, clock: Clock, isWritable: () => boolean) {
    this.#channel = channel;
    this.#kind = { clock, operation: () => OPERATION, onGivenUp: (transaction) => this.#remove(transaction) };
    this.#isWritable = isWritable;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** `refuse` is asked when a frame that had to wait could leave. */
  push(frame: Uint8Array, options: OperationOptions, refuse?: Refuse): Promise<void> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#isWritable()) {
      this.#channel.sendFrame(frame);
      return Promise.resolve();
    }
    if (this.#waiting.length >= CAPACITY)
      return Promise.reject(new StateError(`${CAPACITY} notifications and commands wait for the link already`));
    return this.#queue(frame, options, { refuse }).promise;
  }

  /** As `push`, but the frame is sent by `send`; gives what takes it back, while it has not been. */
  pushWatched(frame: Uint8Array, send: () => void, refuse?: Refuse): (() => void) | undefined {
    if (this.#isWritable()) {
      send();
      return undefined;
    }
    const transaction = this.#queue(frame, {}, { send, refuse });
    transaction.promise.catch(toldByTheBearer);
    return () => this.#remove(transaction as Transaction<unknown>);
  }

  #queue(frame: Uint8Array, options: OperationOptions, at: { send?: () => void; refuse: Refuse | undefined }): Transaction<void> {
    const transaction = new Transaction<void>(this.#kind, frame, { signal: options.signal, timeoutMs: options.timeoutMs, ...at });
    this.#waiting.push(transaction as Transaction<unknown>);
    this.pump();
    return transaction;
  }

  #remove(transaction: Transaction<unknown>): void {
    const at = this.#waiting.indexOf(transaction);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    if (this.#waiting.length === 0) this.#tellEmptied();
  }

  whenEmpty(options: OperationOptions): Promise<void> {
    const pending: Pending<void> = new Pending<void>({
      clock: this.#kind.clock,
      operation: OPERATION,
      ...options,
      onSettled: () => {
        const at = this.#emptied.indexOf(pending);
        if (at >= 0) this.#emptied.splice(at, 1);
      },
    });
    if (!pending.settled) this.#emptied.push(pending);
    return pending.promise;
  }

  #tellEmptied(): void {
    for (const pending of this.#emptied.splice(0)) pending.resolve();
  }

  /** Sends what waits, as far as the link has room, and goes on when it has more. */
  pump(): void {
    if (this.#pumping) return;
    if (this.#waiting.length === 0) this.#tellEmptied();
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#pumping = true;
    try {
      while (this.#waiting.length > 0 && !this.paused) {
        if (!this.#channel.writable) await this.#channel.whenWritable();
        while (this.#channel.writable && !this.paused) {
          const transaction = this.#waiting.shift();
          if (!transaction) break;
          const refusal = transaction.refuse?.();
          if (refusal) {
            transaction.reject(refusal);
            continue;
          }
          if (transaction.send) transaction.send();
          else this.#channel.sendFrame(transaction.frame);
          transaction.resolve(undefined);
        }
      }
      if (this.#waiting.length === 0) this.#tellEmptied();
    } catch (error) {
      this.close(error); // the link is gone; the bearer learns it from the channel itself
    } finally {
      this.#pumping = false;
    }
  }

  close(error: unknown): void {
    for (const transaction of this.#waiting.splice(0)) transaction.reject(error);
    for (const pending of this.#emptied.splice(0)) pending.reject(error);
  }
}
