import { Worker } from "node:worker_threads";
import { onAbort } from "../../async/on-abort.ts";
import { LONGEST_PIECE, TransportBase } from "../../hci/base-transport.ts";
import { type HciTransport, TransportClosed, TransportError } from "../../hci/transport.ts";
import { Errno, type LinuxCalls, O_CLOEXEC, O_NONBLOCK, SystemError } from "./socket-calls.ts";
import {
  HEADER_BYTES,
  LONGEST_PACKET,
  type ReaderData,
  type ReaderMessage,
  RING_BYTES,
  readerProgram,
  SKIP,
  Word,
} from "./socket-reader.ts";

/** Packets that wait for a kernel that takes none. A controller's own flow control ends far below. */
const QUEUE_CAPACITY = 1024;

export interface DescriptorOptions<Info> {
  readonly info: Info;
  /** Packets that were read already; they are delivered first. */
  readonly early?: readonly Uint8Array[];
  /** Runs once the descriptor is closed; the transport's disposal waits for it. */
  readonly afterClose?: () => Promise<void>;
  /** Gives up opening: the thread is not waited for. */
  readonly signal?: AbortSignal | undefined;
}

/** A thread that is ready to read, and what it shares with this one. */
class Reader {
  readonly words: Int32Array;
  readonly ring: Uint8Array;
  onMessage: (message: ReaderMessage) => void = () => {};
  /** The thread is over without having closed its descriptor. */
  onFailure: (cause: unknown) => void = () => {};
  readonly #calls: LinuxCalls;
  readonly #wake: number;

  private constructor(calls: LinuxCalls) {
    this.#calls = calls;
    const shared = new SharedArrayBuffer(HEADER_BYTES + RING_BYTES);
    this.words = new Int32Array(shared, 0, HEADER_BYTES / 4);
    this.ring = new Uint8Array(shared, HEADER_BYTES);
    this.#wake = calls.eventfd(0, O_CLOEXEC | O_NONBLOCK);
    const workerData: ReaderData = {
      package: calls.package,
      wake: this.#wake,
      shared,
      constants: { headerBytes: HEADER_BYTES, longestPacket: LONGEST_PACKET, skip: SKIP },
    };
    // execArgv: what the program was started with (loaders, inspectors) is none of the thread's business
    const worker = new Worker(readerProgram, { eval: true, workerData, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 32 } });
    let failure: unknown;
    let closed = false;
    worker.on("message", (message: ReaderMessage) => {
      if (message === "closed") {
        closed = true;
        calls.close(this.#wake);
      }
      this.onMessage(message);
    });
    worker.once("error", (error) => {
      failure = error;
    });
    worker.once("exit", () => {
      if (closed) return;
      calls.close(this.#wake);
      this.onFailure(failure);
    });
  }

  /**
   * @throws {TransportError} it does not start
   * @throws `signal.reason` once `signal` aborts; the thread ends as soon as it runs
   */
  static start(calls: LinuxCalls, spec: string, signal?: AbortSignal): Promise<Reader> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const reader = new Reader(calls);
      const listener = onAbort(signal, () => {
        reader.stop();
        reject(signal?.reason);
      });
      reader.onMessage = () => {
        listener[Symbol.dispose]();
        resolve(reader);
      };
      reader.onFailure = (cause) => {
        listener[Symbol.dispose]();
        reject(new TransportError("io", `${spec} cannot be read, its thread does not run`, { cause }));
      };
    });
  }

  /** Begins to read; the thread closes the descriptor in the end. */
  read(descriptor: number): void {
    Atomics.store(this.words, Word.Descriptor, descriptor + 1);
    Atomics.notify(this.words, Word.Descriptor);
  }

  stop(): void {
    Atomics.store(this.words, Word.Stop, 1);
    for (const word of [Word.Stop, Word.Tail, Word.Descriptor]) Atomics.notify(this.words, word);
    this.poke();
  }

  /** Makes it look at its words. */
  poke(): void {
    this.#calls.write(this.#wake, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  }
}

/**
 * A descriptor of the kernel that gives one packet at each read and takes one at each write, as a transport. Reading happens in a thread
 * of its own; writing never blocks.
 */
export class DescriptorTransport<Info extends HciTransport["info"]> extends TransportBase {
  declare readonly info: Info;
  readonly #calls: LinuxCalls;
  readonly #descriptor: number;
  readonly #reader: Reader;
  readonly #words: Int32Array;
  readonly #ring: Uint8Array;
  readonly #afterClose: (() => Promise<void>) | undefined;
  readonly #outgoing: Uint8Array[] = [];
  /** Taken out of the ring and not delivered yet; `#at` is the place in the first. */
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #at = 0;
  #receiving = false;
  #disposal: Promise<void> | undefined;
  #released!: () => void;
  readonly #whenReleased = new Promise<void>((resolve) => {
    this.#released = resolve;
  });

  /**
   * Takes over a non-blocking descriptor, and closes it in the end, also when this fails.
   *
   * @throws {TransportError} the reading thread does not start
   * @throws `options.signal`'s reason once it aborts
   */
  static async open<Info extends HciTransport["info"]>(
    calls: LinuxCalls,
    descriptor: number,
    options: DescriptorOptions<Info>,
  ): Promise<DescriptorTransport<Info>> {
    try {
      const reader = await Reader.start(calls, options.info.spec, options.signal);
      return new DescriptorTransport(calls, reader, descriptor, options);
    } catch (error) {
      calls.close(descriptor);
      throw error;
    }
  }

  /**
   * Opens the descriptor only when its thread can read, which on a busy machine takes seconds: for a kernel that asks at once, and takes a
   * late answer for a dead controller.
   *
   * @throws {TransportError} the reading thread does not start
   * @throws what `open` throws
   */
  static async openWhenReady<Info extends HciTransport["info"]>(
    calls: LinuxCalls,
    spec: string,
    open: () => DescriptorOptions<Info> & { readonly descriptor: number },
  ): Promise<DescriptorTransport<Info>> {
    const reader = await Reader.start(calls, spec);
    try {
      const { descriptor, ...options } = open();
      return new DescriptorTransport(calls, reader, descriptor, options);
    } catch (error) {
      reader.stop();
      throw error;
    }
  }

  private constructor(calls: LinuxCalls, reader: Reader, descriptor: number, { info, early = [], afterClose }: DescriptorOptions<Info>) {
    super(info);
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.#reader = reader;
    this.#words = reader.words;
    this.#ring = reader.ring;
    this.#afterClose = afterClose;
    for (const packet of early) this.deliver(packet);
    reader.onMessage = (message) => {
      if (message === "data") this.#receive();
      else if (message === "writable") this.#flush();
      else if (message === "closed") this.#released();
      else if (message !== "ready") this.#lose(message.ended === 0 ? undefined : new SystemError("read", message.ended));
    };
    reader.onFailure = (cause) => {
      this.#lose(cause);
      this.#calls.close(this.#descriptor);
      this.#released();
    };
    reader.read(descriptor);
  }

  override get onPacket(): ((packet: Uint8Array) => void) | undefined {
    return super.onPacket;
  }

  override set onPacket(handler: ((packet: Uint8Array) => void) | undefined) {
    super.onPacket = handler;
    this.#receive();
  }

  /** False once disposed of or lost: the descriptor's number may belong to another file. */
  get isOpen(): boolean {
    return !this.isOver;
  }

  get writable(): boolean {
    return this.#outgoing.length === 0;
  }

  send(packet: Uint8Array): void {
    if (this.isOver) return;
    if (this.#outgoing.length === 0) {
      const errno = this.write(packet);
      if (errno === 0) return;
      if (errno !== Errno.EAGAIN) {
        this.#lose(new SystemError("write", errno));
        return;
      }
    }
    if (this.#outgoing.length === QUEUE_CAPACITY) {
      this.#lose(new SystemError("write", Errno.ENOBUFS));
      return;
    }
    this.#outgoing.push(packet);
    this.#askForWritable();
  }

  /**
   * Hands one packet to the kernel now. For protocols where the kernel answers each write; `send` queues instead.
   *
   * @returns 0, or the error's number
   */
  write(packet: Uint8Array): number {
    if (this.isOver) return Errno.EBADF;
    for (;;) {
      if (this.#calls.write(this.#descriptor, packet, packet.length) >= 0) return 0;
      const errno = this.#calls.errno();
      if (errno !== Errno.EINTR) return errno;
    }
  }

  /** Resolves when the descriptor is closed and what had to follow is done. */
  override [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#whenReleased; // when the transport was lost, its base has begun with this and not waited
    await this.#afterClose?.();
  }

  protected release(): Promise<void> {
    this.#outgoing.length = 0;
    this.#pieces.length = 0;
    this.#reader.stop();
    return this.#whenReleased;
  }

  #flush(): void {
    if (this.isOver) return;
    let sent = 0;
    while (sent < this.#outgoing.length) {
      const errno = this.write(this.#outgoing[sent]!);
      if (errno === Errno.EAGAIN) break;
      if (errno !== 0) {
        this.#lose(new SystemError("write", errno));
        return;
      }
      sent += 1;
    }
    this.#outgoing.splice(0, sent);
    if (this.#outgoing.length > 0) this.#askForWritable();
    else this.onWritable?.();
  }

  #askForWritable(): void {
    if (Atomics.exchange(this.#words, Word.WantWritable, 1) === 0) this.#reader.poke();
  }

  /**
   * Delivers what has come so far, and what comes meanwhile with the thread's next message, so that a flood leaves the event loop its turns.
   * Without a receiver the packets stay in the ring, and a full ring makes the thread wait.
   */
  #receive(): void {
    if (this.#receiving) return; // a receiver that sets its successor
    this.#receiving = true;
    this.#hand(); // what a receiver left that went away
    if (this.onPacket) {
      this.#fetch();
      this.#hand();
    }
    this.#receiving = false;
  }

  /** Takes everything out of the ring, in one or, over its end, two pieces. */
  #fetch(): void {
    Atomics.store(this.#words, Word.Told, 0);
    const tail = this.#words[Word.Tail]!;
    const head = Atomics.load(this.#words, Word.Head);
    if (head === tail) return;
    if (head > tail) this.#copy(tail, head);
    else {
      this.#copy(tail, this.#ring.length);
      this.#copy(0, head);
    }
    Atomics.store(this.#words, Word.Tail, head);
    Atomics.notify(this.#words, Word.Tail);
  }

  /** Delivers the packets of the pieces while somebody takes them; `all`: to the base's inbox, too. */
  #hand(all = false): void {
    for (;;) {
      const piece = this.#pieces[0];
      if (!piece || !(all || this.onPacket)) return;
      const at = this.#at;
      if (at === piece.length) {
        this.#pieces.shift();
        this.#at = 0;
        continue;
      }
      this.#at = recordEnd(piece, at);
      this.deliver(piece.subarray(at + 4, at + 4 + lengthAt(piece, at)));
    }
  }

  /** Copies whole packets out of a part of the ring, some at a time. */
  #copy(start: number, end: number): void {
    const ring = this.#ring;
    for (let from = start; from < end && lengthAt(ring, from) !== SKIP; ) {
      let to = recordEnd(ring, from);
      while (to < end && lengthAt(ring, to) !== SKIP && recordEnd(ring, to) - from <= LONGEST_PIECE) to = recordEnd(ring, to);
      this.#pieces.push(new Uint8Array(ring.subarray(from, to)));
      from = to;
    }
  }

  #lose(cause: unknown): void {
    if (this.isOver) return;
    this.#fetch(); // what came before the end
    this.#hand(true);
    this.end(new TransportClosed(`${this.info.spec} is gone: ${explainLoss(cause)}`, { cause }));
  }
}

/** What the reader wrote in front of a packet. */
function lengthAt(octets: Uint8Array, at: number): number {
  return (octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24)) >>> 0;
}

function recordEnd(octets: Uint8Array, at: number): number {
  return at + 4 + ((lengthAt(octets, at) + 3) & ~3);
}

function explainLoss(cause: unknown): string {
  if (!(cause instanceof SystemError)) return cause === undefined ? "the other side closed it" : "its reading thread ended";
  switch (cause.errno) {
    case Errno.EPIPE:
    case Errno.ENODEV:
      return "the adapter was removed";
    case Errno.ENOBUFS:
      return `it took none of the last ${QUEUE_CAPACITY} packets`;
    default:
      return `the kernel reports ${cause.code}`;
  }
}
