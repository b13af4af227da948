import { callOut } from "../../async/call-out.ts";
import { type Clock, delay, SystemClock } from "../../async/clock.ts";
import { checkOptions, checkText, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError } from "../../core/error.ts";
import { Ending } from "./ending.ts";
import type { OctetPort } from "./octet-port.ts";

/** How long closing waits for what was written before, in milliseconds. */
const FLUSH_MS = 500;

export interface StreamPortOptions {
  /** What the server sends, in pieces of any size. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the server gets. */
  readonly writable: WritableStream<Uint8Array>;
  /** Names the line in messages; "a stream" by default. */
  readonly target?: string | undefined;
  /** Real time by default: closing waits half a second at most for what was written before. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = optionNames<StreamPortOptions>({ readable: true, writable: true, target: true, clock: true });

/**
 * Any pair of Web streams as a line: an open port of Web Serial, a `TransformStream` each way, a socket of Node by `Duplex.toWeb`. The streams
 * belong to the port from here; an error of either, or the end of what can be read, is its end.
 *
 * @throws {ArgumentError} no streams, or streams that somebody else reads or writes
 */
export function createStreamPort(options: StreamPortOptions): OctetPort {
  checkOptions("createStreamPort", options, OPTIONS);
  const { readable, writable, target = "a stream", clock = new SystemClock() } = options ?? {};
  if (typeof readable?.getReader !== "function")
    throw new ArgumentError(`createStreamPort: readable: expected a ReadableStream, got ${kindOf(readable)}`);
  if (typeof writable?.getWriter !== "function")
    throw new ArgumentError(`createStreamPort: writable: expected a WritableStream, got ${kindOf(writable)}`);
  if (readable.locked || writable.locked)
    throw new ArgumentError(`createStreamPort: ${readable.locked ? "readable" : "writable"}: the stream is in use (locked)`);
  checkText("createStreamPort: target", target);
  return new StreamPort(readable.getReader(), writable.getWriter(), target, clock);
}

class StreamPort extends Ending implements OctetPort {
  readonly info: OctetPort["info"];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #clock: Clock;
  #onOctets: ((octets: Uint8Array) => void) | undefined;
  #isReading = false;
  #released: Promise<void> | undefined;

  constructor(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    target: string,
    clock: Clock,
  ) {
    super();
    this.info = { kind: "stream", target };
    this.#reader = reader;
    this.#writer = writer;
    this.#clock = clock;
    // The other side may go without a read to notice it by.
    writer.closed.then(
      () => this.#ended(),
      (error: unknown) => this.#ended(error),
    );
  }

  get onOctets(): ((octets: Uint8Array) => void) | undefined {
    return this.#onOctets;
  }
  /** Reading begins with the first receiver. */
  set onOctets(receiver: ((octets: Uint8Array) => void) | undefined) {
    this.#onOctets = receiver;
    if (!receiver || this.#isReading) return;
    this.#isReading = true;
    void this.#read();
  }

  async write(octets: Uint8Array): Promise<void> {
    this.#throwIfOver();
    this.#writer.write(octets).catch((error: unknown) => this.#ended(error));
    await this.#writer.ready.catch((error: unknown) => this.#ended(error));
    this.#throwIfOver();
  }

  #throwIfOver(): void {
    if (this.reason) throw this.reason;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close(new ClosedError(`${this.info.target} was closed`));
    await this.#released;
  }

  async #read(): Promise<void> {
    try {
      while (!this.reason) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        if (!this.reason) callOut(this.#onOctets, octetsOf(value));
      }
      this.#ended();
    } catch (error) {
      this.#ended(error);
    }
  }

  #ended(cause?: unknown): void {
    const what = cause === undefined ? "was closed by the other side" : `failed: ${cause instanceof Error ? cause.message : kindOf(cause)}`;
    this.end(new ClosedError(`${this.info.target} ${what}`, cause === undefined ? {} : { cause }));
  }

  protected leave(reason: BleError): void {
    this.#released = this.#release(reason);
  }

  async #release(reason: BleError): Promise<void> {
    const patience = new AbortController();
    const closed = this.#writer.close().catch(() => undefined); // of a stream that failed before
    const tooLong = delay(this.#clock, FLUSH_MS, { signal: patience.signal, name: "flushing a stream" }).then(
      () => {
        // Settles with the write under way, which may never end.
        this.#writer.abort(reason).catch(() => undefined);
      },
      () => undefined,
    );
    await Promise.race([closed, tooLong]);
    patience.abort();
    this.#reader.cancel().catch(() => undefined); // the same
    release(this.#reader);
    release(this.#writer);
  }
}

/** So that a port of Web Serial can be closed, which asks for unlocked streams. */
function release(lock: { releaseLock(): void }): void {
  try {
    lock.releaseLock();
  } catch {
    // With a read pending an older platform refuses; the stream is cancelled in any case.
  }
}

/** Octets of a chunk, as a plain Uint8Array: a Buffer of Node is cut into Buffers. @throws {ArgumentError} a stream of something else */
function octetsOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array)
    return chunk.constructor === Uint8Array ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new ArgumentError(`the stream gave ${kindOf(chunk)}, expected octets`);
}
