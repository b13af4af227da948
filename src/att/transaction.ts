import type { Clock } from "../async/clock.ts";
import { onAbort } from "../async/on-abort.ts";
import type { OperationOptions } from "../async/pending.ts";
import { type BleError, TimeoutError } from "../core/error.ts";
import type { SecurityRequirement } from "./security.ts";

/** Reads a response in place, `bytes[offset, end)` after its opcode. It may throw DecodeError. */
export type ResponseParser<T> = (bytes: Uint8Array, offset: number, end: number) => T;

/** Judges a frame that has waited: what it gives rejects the promise, and the frame does not leave. `undefined` lets it go. */
export type Refuse = () => BleError | undefined;

/**
 * One promise of a bearer: a request, an indication or a queued flow PDU. Like `Pending`, without a closure for each way it may settle,
 * since every request and every waiting notification makes one.
 */
export class Transaction<T> {
  readonly promise: Promise<T>;
  /** The whole frame, headers included. */
  readonly frame: Uint8Array;
  readonly parse: ResponseParser<T> | undefined;
  /** What the link must have when the frame leaves. */
  readonly security: SecurityRequirement | undefined;
  /** Sends the frame, in place of the channel's own way. */
  readonly send: (() => void) | undefined;
  /** Asked when the frame could leave. */
  readonly refuse: Refuse | undefined;
  /** The frame was handed to the channel. */
  sent = false;
  settled = false;
  /** The transaction timer of a request or indication that was sent. */
  timer: Disposable | undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  readonly #abort: Disposable;
  #deadline: Disposable | undefined;

  /** @param onGivenUp called when the caller's signal or deadline ends the wait; what is on its way stays on its way */
  constructor(
    frame: Uint8Array,
    at: {
      parse?: ResponseParser<T> | undefined;
      security?: SecurityRequirement | undefined;
      send?: (() => void) | undefined;
      refuse?: Refuse | undefined;
      clock: Clock;
      operation: string;
      options: OperationOptions;
      onGivenUp: () => void;
    },
  ) {
    this.frame = frame;
    this.parse = at.parse;
    this.security = at.security;
    this.send = at.send;
    this.refuse = at.refuse;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal, timeoutMs } = at.options;
    this.#abort = onAbort(signal, () => {
      if (this.reject(signal?.reason)) at.onGivenUp();
    });
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      const error = new TimeoutError(at.operation, timeoutMs);
      this.#deadline = at.clock.setTimer(timeoutMs, at.operation, () => {
        if (this.reject(error)) at.onGivenUp();
      });
    }
  }

  resolve(value: T): void {
    if (this.#finish()) this.#resolve(value);
  }

  /** False where it was settled before. */
  reject(error: unknown): boolean {
    if (!this.#finish()) return false;
    this.#reject(error);
    return true;
  }

  #finish(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#abort[Symbol.dispose]();
    this.#deadline?.[Symbol.dispose]();
    return true;
  }

  stopTimer(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = undefined;
  }
}
