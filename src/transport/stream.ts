import { type Clock, delay, SystemClock } from "../async/clock.ts";
import { DecodeError } from "../bytes/decode-error.ts";
import { checkOptions, checkText, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { INBOX_MARK, TransportBase } from "../hci/base-transport.ts";
import { type HciTransport, TransportClosed } from "../hci/transport.ts";
import { H4Framer } from "./h4.ts";

/** Octets that may wait for a stream that does not take them; at more the transport is ended. */
const LONGEST_QUEUE = 16 * 1024 * 1024;
/** How long closing waits for what was sent before, in milliseconds. */
const FLUSH_MS = 500;

export interface StreamTransportOptions {
  /** What the controller sends, in pieces of any size. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the controller gets, a packet at a time. */
  readonly writable: WritableStream<Uint8Array>;
  /** Names the transport in messages; "stream:" by default. */
  readonly spec?: string | undefined;
  /** The controller's device address, where it is known. */
  readonly address?: string | undefined;
  /** Real time by default: closing waits half a second at most for what was sent before. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = optionNames<StreamTransportOptions>({ readable: true, writable: true, spec: true, address: true, clock: true });

/**
 * H4 (Vol 4 Part A) over any pair of Web streams: Web Serial, WebUSB behind a bulk endpoint, WebTransport, a `TransformStream`, a socket by
 * `Duplex.toWeb`. The streams belong to the transport, which closes them; an error of either is its end.
 *
 * @throws {ArgumentError} no streams, or streams that somebody else reads or writes
 */
export function createStreamTransport(options: StreamTransportOptions): HciTransport {
  checkOptions("createStreamTransport", options, OPTIONS);
  const { readable, writable, spec = "stream:", address, clock = new SystemClock() } = options ?? {};
  if (typeof readable?.getReader !== "function")
    throw new ArgumentError(`createStreamTransport: readable: expected a ReadableStream, got ${kindOf(readable)}`);
  if (typeof writable?.getWriter !== "function")
    throw new ArgumentError(`createStreamTransport: writable: expected a WritableStream, got ${kindOf(writable)}`);
  if (readable.locked || writable.locked)
    throw new ArgumentError(`createStreamTransport: ${readable.locked ? "readable" : "writable"}: the stream is in use (locked)`);
  checkText("createStreamTransport: spec", spec);
  if (address !== undefined) checkText("createStreamTransport: address", address);
  return new StreamTransport(readable.getReader(), writable.getWriter(), address === undefined ? { spec } : { spec, address }, clock);
}

class StreamTransport extends TransportBase {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #clock: Clock;
  /** Octets that the stream has not taken yet. */
  #waiting = 0;
  #isPaused = false;
  /** Set while reading waits for the host to take what was read. */
  #resume: (() => void) | undefined;

  constructor(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    info: HciTransport["info"],
    clock: Clock,
  ) {
    super(info);
    this.#reader = reader;
    this.#writer = writer;
    this.#clock = clock;
    void this.#read();
    // The other side may go without a packet to notice it by.
    writer.closed.then(
      () => this.#endWith(),
      (error: unknown) => this.#endWith(error),
    );
  }

  async #read(): Promise<void> {
    const framer = new H4Framer((packet) => this.deliver(packet));
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        framer.push(octetsOf(value));
        if (this.waitingPackets >= INBOX_MARK) await this.#whenDrained();
      }
      this.#endWith();
    } catch (error) {
      this.#endWith(error);
    }
  }

  #whenDrained(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  protected override onDrained(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  /** The end, by an error or without one. */
  #endWith(error?: unknown): void {
    const what =
      error === undefined
        ? "was closed by the other side"
        : error instanceof DecodeError
          ? "ended: the peer does not speak H4"
          : `failed: ${error instanceof Error ? error.message : kindOf(error)}`;
    this.end(new TransportClosed(`transport "${this.info.spec}" ${what}`, error === undefined ? {} : { cause: error }));
  }

  send(packet: Uint8Array): void {
    if (this.isOver) return;
    this.#waiting += packet.length;
    if (this.#waiting > LONGEST_QUEUE) {
      this.end(new TransportClosed(`transport "${this.info.spec}" ended: the other side does not read`));
      return;
    }
    this.#writer.write(packet).then(
      () => {
        this.#waiting -= packet.length;
        if (this.#isPaused && this.writable) {
          this.#isPaused = false;
          this.onWritable?.();
        }
      },
      (error: unknown) => this.#endWith(error),
    );
    if (!this.writable) this.#isPaused = true;
  }

  get writable(): boolean {
    return !this.isOver && (this.#writer.desiredSize ?? 0) > 0;
  }

  protected async release(): Promise<void> {
    this.onDrained();
    const patience = new AbortController();
    const closed = this.#writer.close().catch(() => undefined); // of a stream that failed before
    const tooLong = delay(this.#clock, FLUSH_MS, { signal: patience.signal, name: "flushing a stream" }).then(
      () => {
        // Settles with the write under way, which may never end.
        this.#writer.abort(new TransportClosed(`transport "${this.info.spec}" was closed`)).catch(() => undefined);
      },
      () => undefined,
    );
    await Promise.race([closed, tooLong]);
    patience.abort();
    this.#reader.cancel().catch(() => undefined); // the same
  }
}

/** Octets of a chunk, as a plain Uint8Array: a Buffer of Node is cut into Buffers. @throws {ArgumentError} a stream of something else */
function octetsOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array)
    return chunk.constructor === Uint8Array ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new ArgumentError(`the stream gave ${kindOf(chunk)}, expected octets`);
}
