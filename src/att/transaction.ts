import type { Clock } from "../async/clock.ts";
import { onAbort } from "../async/on-abort.ts";
import type { OperationOptions } from "../async/pending.ts";
import { type BleError, TimeoutError } from "../core/error.ts";
import type { SecurityRequirement } from "./security.ts";

/** Reads a response in place, `bytes[offset, end)` after its opcode. It may throw DecodeError. */
export type ResponseParser<T> = (bytes: Uint8Array, offset: number, end: number) => T;

/** Judges a frame that has waited: what it gives rejects the promise, and the frame does not leave. `undefined` lets it go. */
export type Refuse = () => BleError | undefined;

/** Asked about a failure. */
export interface Recovery<T> {
  /** What takes the place of the transaction; `undefined` lets it fail. */
  recover(error: unknown): Promise<T> | undefined;
}

/** What all transactions of a queue have in common. */
export interface TransactionKind {
  readonly clock: Clock;
  /** Names it in a TimeoutError. */
  readonly operation: (frame: Uint8Array) => string;
  /** The caller's signal or deadline ended the wait; what is on its way stays on its way. */
  readonly onGivenUp: (transaction: Transaction<unknown>) => void;
}

/** What one transaction has of its own, besides its frame. */
export interface TransactionParts<T> extends OperationOptions {
  readonly parse?: ResponseParser<T> | undefined;
  /** What the link must have when the frame leaves. */
  readonly security?: SecurityRequirement | undefined;
  /** Sends the frame, in place of the channel's own way. */
  readonly send?: (() => void) | undefined;
  /** Asked when the frame could leave. */
  readonly refuse?: Refuse | undefined;
  readonly recovery?: Recovery<T> | undefined;
}

/**
 * One promise of a bearer: a request, an indication or a queued flow PDU. Like `Pending`, without a closure for each way it may settle,
 * since every request and every waiting notification makes one.
 */
export class Transaction<T> {
  readonly promise: Promise<T>;
  /** The whole frame, headers included. */
  readonly frame: Uint8Array;
  readonly parse: TransactionParts<T>["parse"];
  readonly security: TransactionParts<T>["security"];
  readonly send: TransactionParts<T>["send"];
  readonly refuse: TransactionParts<T>["refuse"];
  readonly #recovery: Recovery<T> | undefined;
  /** The frame was handed to the channel. */
  sent = false;
  settled = false;
  /** The transaction timer of a request or indication that was sent. */
  timer: Disposable | undefined;
  #resolve!: (value: T | Promise<T>) => void;
  #reject!: (error: unknown) => void;
  #abort: Disposable | undefined;
  #deadline: Disposable | undefined;

  constructor(kind: TransactionKind, frame: Uint8Array, parts: TransactionParts<T>) {
    const { signal, timeoutMs, parse, security, send, refuse, recovery } = parts;
    this.#recovery = recovery;
    this.frame = frame;
    this.parse = parse;
    this.security = security;
    this.send = send;
    this.refuse = refuse;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal) this.#abort = onAbort(signal, () => this.#giveUp(kind, signal.reason));
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      const operation = kind.operation(frame);
      const error = new TimeoutError(operation, timeoutMs);
      this.#deadline = kind.clock.setTimer(timeoutMs, operation, () => this.#giveUp(kind, error));
    }
  }

  #giveUp(kind: TransactionKind, reason: unknown): void {
    if (this.reject(reason)) kind.onGivenUp(this as Transaction<unknown>);
  }

  resolve(value: T): void {
    if (this.#finish()) this.#resolve(value);
  }

  /** False where it was settled before. */
  reject(error: unknown): boolean {
    if (!this.#finish()) return false;
    const instead = this.#recovery?.recover(error);
    if (instead) this.#resolve(instead);
    else this.#reject(error);
    return true;
  }

  #finish(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#abort?.[Symbol.dispose]();
    this.#deadline?.[Symbol.dispose]();
    return true;
  }

  stopTimer(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = undefined;
  }
}
