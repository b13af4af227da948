import { type Clock, type OperationOptions, onAbort, Pending } from "jelling/async";
import { type Logger, TimeoutError } from "jelling/core";
import { PumpDataError } from "../data/error.ts";
import type { PumpWrite } from "./requests.ts";

/** Without any progress for so long an exchange has failed. */
export const EXCHANGE_TIMEOUT_MS = 10_000;

/** Makes one write that the table permits, and waits for its response. */
export type WriteRequest = (request: PumpWrite, options?: OperationOptions) => Promise<void>;

export interface ControlPointExchange<T> {
  readonly request: PumpWrite;
  /**
   * Reads an indication: the result, or undefined when it answers something else. What it throws fails the exchange; at once, but for a
   * `PumpDataError` "opcode": it may be the answer to an earlier request, and the right one is waited for.
   */
  readonly onResponse: (plaintext: Uint8Array) => T | undefined;
  /** Ends it, once the write is answered: a write that is given up half way would leave the link waiting for its response. */
  readonly signal?: AbortSignal | undefined;
  /** False: what arrives meanwhile does not prolong it. */
  readonly prolonged?: boolean | undefined;
  /** Called when the pump has taken the request. */
  readonly onTaken?: (() => void) | undefined;
}

/** One control point of the pump: a request is written, an indication answers. One exchange at a time; its owner sees to that. */
export class ControlPoint {
  readonly #name: string;
  readonly #write: WriteRequest;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #current: { receive(plaintext: Uint8Array): void; progress(): void; fail(error: unknown): void } | undefined;

  constructor(name: string, { write, clock, logger }: { write: WriteRequest; clock: Clock; logger: Logger }) {
    this.#name = name;
    this.#write = write;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** An indication, decrypted. One that nobody waits for is dropped: it answers a request that was given up. */
  receive(plaintext: Uint8Array): void {
    if (this.#current) this.#current.receive(plaintext);
    else this.#logger.warn(`indication of ${plaintext.length} octets from ${this.#name} without a request, dropped`);
  }

  /** Something else arrived that belongs to the exchange: its time starts again. */
  progress(): void {
    this.#current?.progress();
  }

  /** Ends a running exchange, because its answer cannot be read or the session is over. */
  fail(error: unknown): void {
    this.#current?.fail(error);
  }

  /** @throws {TimeoutError} 10 s without progress · {PumpDataError} "opcode": the same, and something else was answered · what the write or `onResponse` throws · `signal.reason` */
  async exchange<T>({ request, onResponse, signal, prolonged = true, onTaken }: ControlPointExchange<T>): Promise<T> {
    const operation = `request ${request.text}`;
    const pending = new Pending<T>({ clock: this.#clock, operation });
    const giveUp = new AbortController();
    pending.promise.catch((error: unknown) => giveUp.abort(error)); // awaited below, maybe after the write has failed already
    let timer: Disposable | undefined;
    let stray: PumpDataError | undefined;
    const begin = (): void => {
      timer?.[Symbol.dispose]();
      timer = this.#clock.setTimer(EXCHANGE_TIMEOUT_MS, operation, () =>
        pending.reject(stray ?? new TimeoutError(operation, EXCHANGE_TIMEOUT_MS)),
      );
    };
    this.#current = {
      progress: prolonged ? begin : () => undefined,
      receive: (plaintext) => {
        // An answer that came twice, or late, while the pump is asked what is at its handles.
        if (!request.isTaken) {
          this.#logger.warn(`indication from ${this.#name} before its request was sent, dropped`);
          return;
        }
        try {
          const result = onResponse(plaintext);
          if (result === undefined) this.#logger.warn(`indication from ${this.#name} that answers another request, dropped`);
          else pending.resolve(result);
        } catch (error) {
          if (!(error instanceof PumpDataError) || error.problem !== "opcode") pending.reject(error);
          else {
            stray = error;
            this.#logger.warn(`indication from ${this.#name} that is no answer to its request, dropped`);
          }
        }
      },
      fail: (error) => pending.reject(error),
    };
    begin();
    try {
      // The answer may overtake the write's own response, so both are waited for.
      await this.#write(request, { signal: giveUp.signal });
      onTaken?.();
      using _ = onAbort(signal, () => pending.reject(signal?.reason));
      if (signal?.aborted) pending.reject(signal.reason);
      return await pending.promise;
    } finally {
      timer?.[Symbol.dispose]();
      this.#current = undefined;
    }
  }
}
