import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import { StateError } from "../core/error.ts";
import type { PduChannel } from "../l2cap/channel.ts";
import { Departures } from "./departure.ts";
import { AttTimeoutError } from "./error.ts";
import type { FlowQueue } from "./flow-queue.ts";
import { AttOpcode, TRANSACTION_TIMEOUT_MS } from "./opcode.ts";
import { type Refuse, Transaction, type TransactionKind } from "./transaction.ts";

/** Indications that may wait for the confirmation of those before them. */
const CAPACITY = 64;

/** The server side's indications: the next leaves when the one before it is confirmed (Vol 3 Part F 3.3.2). */
export class IndicationQueue {
  readonly #departures: Departures<Transaction<void>>;
  readonly #flow: FlowQueue;
  readonly #kind: TransactionKind;
  readonly #onTimeout: (error: AttTimeoutError) => void;
  #current: Transaction<void> | undefined;
  /** Takes the current one back from the flow queue, while it has not left. */
  #takeBack: (() => void) | undefined;
  #waiting: Transaction<void>[] = [];

  constructor(channel: PduChannel, flow: FlowQueue, clock: Clock, onTimeout: (error: AttTimeoutError) => void) {
    this.#departures = new Departures(channel, (transaction) => this.#onLeft(transaction));
    this.#flow = flow;
    this.#kind = { clock, operation: () => "indication", onGivenUp: (transaction) => this.#onGivenUp(transaction as Transaction<void>) };
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#waiting.length + (this.#current ? 1 : 0);
  }

  /** `refuse` is asked when it could leave. */
  push(frame: Uint8Array, options: OperationOptions, refuse?: Refuse): Promise<void> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#waiting.length >= CAPACITY) return Promise.reject(new StateError(`${CAPACITY} indications wait for confirmation already`));
    const transaction = new Transaction<void>(this.#kind, frame, { signal: options.signal, timeoutMs: options.timeoutMs, refuse });
    this.#waiting.push(transaction);
    this.#next();
    return transaction.promise;
  }

  #onGivenUp(transaction: Transaction<void>): void {
    const at = this.#waiting.indexOf(transaction);
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (this.#current === transaction && !transaction.sent) {
      this.#takeBack!();
      this.#finish(transaction);
    }
  }

  #next(): void {
    if (this.#current) return;
    const transaction = this.#shiftPermitted();
    if (!transaction) return;
    this.#current = transaction;
    const takeBack = this.#flow.pushWatched(
      transaction.frame,
      () => {
        transaction.sent = true;
        this.#departures.send(transaction);
      },
      () => {
        const refusal = transaction.refuse?.();
        if (refusal) {
          transaction.reject(refusal);
          this.#finish(transaction);
        }
        return refusal;
      },
    );
    if (this.#current === transaction) this.#takeBack = takeBack; // else it was confirmed within the call
  }

  #onLeft(transaction: Transaction<void>): void {
    // It may have been confirmed before the controller's report.
    if (this.#current === transaction)
      transaction.timer = this.#kind.clock.setTimer(TRANSACTION_TIMEOUT_MS, "ATT indication", this.#expire);
  }

  /** The time of the current one is over: the timer ends with it. */
  readonly #expire = (): void => {
    const transaction = this.#current!;
    const error = new AttTimeoutError(AttOpcode.HandleValueInd);
    this.#current = undefined;
    transaction.reject(error);
    this.#onTimeout(error);
  };

  /** The next one that may still leave; those before it that may not are rejected. */
  #shiftPermitted(): Transaction<void> | undefined {
    for (;;) {
      const transaction = this.#waiting.shift();
      const refusal = transaction?.refuse?.();
      if (!refusal) return transaction;
      transaction?.reject(refusal);
    }
  }

  #finish(current: Transaction<void>): void {
    current.stopTimer();
    this.#current = undefined;
    this.#takeBack = undefined;
    this.#next();
  }

  /** A confirmation that nothing waits for is ignored. */
  onConfirmation(): void {
    const transaction = this.#current;
    if (!transaction?.sent) return;
    transaction.resolve();
    this.#finish(transaction);
  }

  /** @param unsent for those that have not left */
  close(error: unknown, unsent = error): void {
    const current = this.#current;
    this.#current = undefined;
    current?.stopTimer();
    current?.reject(current.sent ? error : unsent);
    for (const transaction of this.#waiting.splice(0)) transaction.reject(unsent);
  }
}
