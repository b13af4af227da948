import { type Clock, type OperationOptions, Pending } from "../async/index.ts";
import { ownTerms } from "../async/own-terms.ts";
import type { BleError } from "../core/error.ts";
import { PROCEDURE_TIMEOUT_MS } from "./link-requests.ts";

/**
 * What the peer's controller is, and stays as long as the link lasts: a command asks for it once, for all who want to know, and an event tells.
 * Each who asks has own terms.
 */
export class PeerFact<T> {
  readonly #clock: Clock;
  readonly #operation: string;
  readonly #ask: () => Promise<unknown>;
  #value: { readonly known: T } | undefined;
  /** It is being asked for. */
  #reading: Pending<T> | undefined;
  #closed: BleError | undefined;

  /** @param ask sends the command; @param operation names it in a TimeoutError */
  constructor({ clock, operation, ask }: { clock: Clock; operation: string; ask: () => Promise<unknown> }) {
    this.#clock = clock;
    this.#operation = operation;
    this.#ask = ask;
  }

  async read(options: OperationOptions): Promise<T> {
    if (this.#closed) throw this.#closed;
    options.signal?.throwIfAborted();
    if (this.#value) return this.#value.known;
    const { promise } = this.#reading ?? this.#begin();
    return await ownTerms(this.#clock, this.#operation, promise, options);
  }

  #begin(): Pending<T> {
    const pending = new Pending<T>({
      clock: this.#clock,
      operation: this.#operation,
      timeoutMs: PROCEDURE_TIMEOUT_MS,
      onSettled: () => {
        this.#reading = undefined;
      },
    });
    this.#reading = pending; // before the command: the event may come within the call
    this.#ask().catch((error: unknown) => pending.reject(this.#closed ?? error));
    return pending;
  }

  /** The event tells. */
  resolve(value: T): void {
    if (!this.#reading) return; // nobody asked
    this.#value = { known: value };
    this.#reading.resolve(value);
  }

  /** The event says that it cannot be had. */
  reject(error: unknown): void {
    this.#reading?.reject(error);
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#closed = reason;
    this.#reading?.reject(reason);
  }
}
