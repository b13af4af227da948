import { type Clock, Deadline, type OperationOptions, Pending, Semaphore } from "../async/index.ts";
import { ownTerms } from "../async/own-terms.ts";
import { type BleError, TimeoutError } from "../core/error.ts";

/** The link layer ends every procedure of its own after 40 s without an answer, and with it the link (Vol 6 Part B 5.2). */
export const PROCEDURE_TIMEOUT_MS = 45_000;

export interface LinkRequestsParts {
  readonly clock: Clock;
  /** Names the procedure in a TimeoutError. */
  readonly operation: string;
  /** What is thrown in place of an error of the controller. */
  readonly explain: (error: unknown) => unknown;
  /** No event came: nobody has said what is in force now. */
  readonly onSilence?: () => void;
}

/**
 * One kind of procedure on one link: a command begins it, and an event ends it which does not say whose it is. So one is asked for at a time,
 * whoever gave up waiting for it, and whoever leads the event here compares it with what is `wanted`.
 */
export class LinkRequests<Wanted, Result> {
  readonly #parts: LinkRequestsParts;
  readonly #turns: Semaphore;
  #asked: { readonly wanted: Wanted; readonly pending: Pending<Result> } | undefined;
  #closed: BleError | undefined;

  constructor(parts: LinkRequestsParts) {
    this.#parts = parts;
    this.#turns = new Semaphore(parts.clock);
  }

  /** What was asked for and is not answered yet. */
  get wanted(): Wanted | undefined {
    return this.#asked?.wanted;
  }

  /** Sends the command when those who asked before have been answered, and waits for `resolve` or `reject`. */
  async run(wanted: Wanted, send: () => Promise<unknown>, { signal, timeoutMs = PROCEDURE_TIMEOUT_MS }: OperationOptions): Promise<Result> {
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    const { clock, operation } = this.#parts;
    using deadline = new Deadline({ clock, operation, signal, timeoutMs });
    const turn = await this.#turns.acquire({ signal: deadline.signal }, operation);
    // The controllers go on with it when the caller has left, and until they are done no other may be asked for.
    const procedure = this.#ask(wanted, send).finally(() => turn[Symbol.dispose]());
    return await ownTerms(clock, operation, procedure, { signal: deadline.signal });
  }

  async #ask(wanted: Wanted, send: () => Promise<unknown>): Promise<Result> {
    if (this.#closed) throw this.#closed;
    const { clock, operation, onSilence } = this.#parts;
    const pending = new Pending<Result>({
      clock,
      operation,
      timeoutMs: PROCEDURE_TIMEOUT_MS,
      onSettled: () => {
        this.#asked = undefined;
      },
    });
    this.#asked = { wanted, pending };
    send().catch((error: unknown) => pending.reject(this.#closed ?? this.#parts.explain(error)));
    try {
      return await pending.promise;
    } catch (error) {
      if (error instanceof TimeoutError && !this.#closed) onSilence?.();
      throw error;
    }
  }

  /** The event is what was asked for. */
  resolve(result: Result): void {
    this.#asked?.pending.resolve(result);
  }

  /** The event says that it came to nothing. */
  reject(error: unknown): void {
    this.#asked?.pending.reject(this.#parts.explain(error));
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#closed = reason;
    this.#turns.close(reason);
    this.#asked?.pending.reject(reason);
  }
}
