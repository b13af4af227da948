import { type Clock, type OperationOptions, Semaphore, Subscription, Waiters } from "../../async/index.ts";
import { checkOctets, checkOperation, StateError } from "../../core/index.ts";
import { bounded } from "../bounded.ts";

/** Octets kept for a reader that is behind. */
export const UART_CAPACITY = 65_536;

/** What a port is made of. */
export interface UartPortParts {
  readonly clock: Clock;
  readonly capacity: number;
  /** Longest piece that one write or notification carries now. */
  readonly pieceLength: () => number;
  /** Sends a piece; resolves when the next one may follow. */
  readonly send: (piece: Uint8Array, options: OperationOptions) => Promise<void>;
  /** The port is over, by its owner or otherwise. Called once. */
  readonly onEnd: () => void;
}

/**
 * One end of a serial line: what comes is read as a loop or by `take`, and `write` sends. Octets are a stream: how they are cut into pieces
 * says nothing.
 */
export class UartPort implements AsyncIterable<Uint8Array, void>, AsyncDisposable {
  readonly #parts: UartPortParts;
  readonly #inbound: Subscription<Uint8Array>;
  readonly #turns: Semaphore;
  readonly #room: Waiters<void>;
  #buffered = 0;
  #ended: { readonly error: unknown } | undefined;

  /** Made by `openUart` and `serveUart`. @internal */
  constructor(parts: UartPortParts) {
    this.#parts = parts;
    this.#inbound = new Subscription<Uint8Array>({ capacity: parts.capacity, leave: () => undefined });
    this.#turns = new Semaphore(parts.clock);
    this.#room = new Waiters<void>(parts.clock, "waiting for the reader of a serial line", () => undefined);
  }

  /** Octets that came and were not read yet. */
  get buffered(): number {
    return this.#buffered;
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /**
   * Sends octets behind those of earlier calls; resolves when the link has taken them, and now and then when the reader at the other end has
   * room: await it, and no more is sent than that end takes.
   *
   * @throws {StateError} the port is closed · the reason, once the link is gone or the other end has refused
   * @throws {TimeoutError} not all was sent in `timeoutMs`; how much was is not known, so that the port is over
   */
  async write(octets: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("write", octets);
    checkOperation("write", options);
    const copy = octets.slice(); // the caller's buffer may change before its turn comes
    await bounded(this.#parts.clock, "writing to a serial line", options, (bound) => this.#write(copy, bound));
  }

  async #write(octets: Uint8Array, options: OperationOptions): Promise<void> {
    const permit = await this.#turns.acquire(options, "waiting for earlier writes");
    let isBegun = false;
    try {
      for (let at = 0; at < octets.length; ) {
        if (this.#ended) throw this.#ended.error;
        options.signal?.throwIfAborted();
        const piece = octets.subarray(at, at + this.#parts.pieceLength());
        isBegun = true;
        await this.#parts.send(piece, options);
        at += piece.length;
      }
      if (this.#ended) throw this.#ended.error;
    } catch (error) {
      if (isBegun) this.end(error); // part of it may be there, and nobody knows how much
      throw error;
    } finally {
      permit[Symbol.dispose]();
    }
  }

  /** The next octets, as many as came at once; `undefined` when the line is over. */
  async #next(next: Promise<IteratorResult<Uint8Array>>): Promise<Uint8Array | undefined> {
    const { value, done } = await next;
    if (done) return undefined;
    this.#buffered -= value.length;
    if (this.#hasRoom) this.#room.resolve();
    return value;
  }

  /**
   * The next octets, as many as came at once. What comes after `timeoutMs` or `signal` is for the next call.
   *
   * @throws {TimeoutError} none came in `timeoutMs` · {StateError} the port is closed · the reason, once the link is gone and all was read
   */
  async take(options: OperationOptions = {}): Promise<Uint8Array> {
    checkOperation("take", options);
    const octets = await this.#next(this.#inbound.take({ clock: this.#parts.clock, operation: "waiting for octets", ...options }));
    if (!octets) throw new StateError("no more octets come: the serial line is closed");
    return octets;
  }

  /** Leaving the loop leaves the port open. @throws the reason, once the link is gone and all was read */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void> {
    return {
      next: async () => {
        const value = await this.#next(this.#inbound.next());
        return value ? { value, done: false } : { value: undefined, done: true };
      },
    };
  }

  get #hasRoom(): boolean {
    return this.#buffered <= this.#parts.capacity / 2;
  }

  /** Octets came. More than are kept for the reader end the port: a stream with a gap is none. @internal */
  receive(octets: Uint8Array): void {
    if (this.#ended || octets.length === 0) return;
    if (this.#buffered + octets.length > this.#parts.capacity) {
      this.end(new StateError(`the reader of a serial line is ${this.#parts.capacity} octets behind, and nothing holds the sender back`));
      return;
    }
    this.#buffered += octets.length;
    this.#inbound.push(octets);
  }

  /** Resolves when the reader is not far behind; `undefined` where it is not. @internal */
  whenRoom(signal: AbortSignal): Promise<void> | undefined {
    if (this.#hasRoom || this.#ended) return undefined;
    if (signal.aborted) return Promise.reject(signal.reason);
    return this.#room.add({ signal });
  }

  /** Nothing more comes or goes; what came is read first. @internal */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = { error: error ?? new StateError("the serial line is closed") };
    this.#inbound.end(error);
    this.#turns.close(this.#ended.error);
    this.#room.resolve();
    this.#parts.onEnd();
  }

  /** Closes this end; the link stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }
}
