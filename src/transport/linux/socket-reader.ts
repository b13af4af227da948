/**
 * Reads a descriptor in a thread of its own, since a blocking read in the event loop would stop the program and one in libuv's thread
 * pool would take a thread from the file system. Packets come over in a ring of shared memory: the thread copies them in, the event loop
 * takes out whatever is there in one go, and a message is sent only when the event loop does not know yet that there is something.
 * A full ring makes the thread wait, so that memory is bounded and what is not read stays with the kernel.
 */

/** Words of the header. */
export const Word = Object.freeze({ Head: 0, Tail: 1, Told: 2, WantWritable: 3, Stop: 4, Descriptor: 5 });
export const HEADER_BYTES = 64;
/** Octets of the ring; several of the longest packets fit. */
export const RING_BYTES = 1 << 20;
/** H4 packet type, header and 65535 octets, rounded up. A shorter buffer would lose the end of a packet for good. */
export const LONGEST_PACKET = 0x11000;
/** Stands in place of a length where the rest of the ring is skipped. */
export const SKIP = 0xffff_ffff;

/** What the thread says. "ready" when it can read; it then waits for a descriptor plus 1 in its word. */
export type ReaderMessage = "ready" | "data" | "writable" | "closed" | { readonly ended: number };

export interface ReaderData {
  /** Path of the FFI package. */
  readonly package: string;
  /** An eventfd that makes the thread look at the header's words. */
  readonly wake: number;
  readonly shared: SharedArrayBuffer;
  readonly constants: { headerBytes: number; longestPacket: number; skip: number };
}

/** The thread's program. Self-contained, so that it is the same whether it runs from the sources, from a build or from a bundle. */
export const readerProgram = `(${readerMain.toString()})(require, require("node:worker_threads"));`;

/** Only the text of this function reaches the thread: it must not use anything from outside but the globals of JavaScript. */
function readerMain(
  require: (path: string) => unknown,
  { parentPort, workerData }: { parentPort: { postMessage(message: ReaderMessage): void }; workerData: ReaderData },
): void {
  const { wake, shared, constants } = workerData;
  let descriptor = -1;
  const words = new Int32Array(shared, 0, constants.headerBytes / 4);
  const ring = new Uint8Array(shared, constants.headerBytes);
  const lengths = new Uint32Array(shared, constants.headerBytes);
  const scratch = new Uint8Array(constants.longestPacket);
  const HEAD = 0;
  const TAIL = 1;
  const TOLD = 2;
  const WANT_WRITABLE = 3;
  const STOP = 4;
  const DESCRIPTOR = 5;
  const POLLIN = 1;
  const POLLOUT = 4;
  const EINTR = 4;
  const EBADF = 9;
  const EAGAIN = 11;
  // Never for ever: the thread can only be terminated from outside while it is in JavaScript.
  const patienceMs = 500;

  const koffi = require(workerData.package) as {
    load(path: null): { func(name: string, result: string, parameters: string[]): (...args: unknown[]) => number };
    errno(): number;
  };
  const library = koffi.load(null);
  const poll = library.func("poll", "int", ["void *", "unsigned long", "int"]);
  const read = library.func("read", "long", ["int", "void *", "size_t"]);
  const close = library.func("close", "int", ["int"]);

  // struct pollfd { int fd; short events; short revents; } for the descriptor and for the eventfd
  const polled = new ArrayBuffer(16);
  const descriptors = new Int32Array(polled);
  const events = new Int16Array(polled);
  descriptors[2] = wake;
  events[6] = POLLIN;

  const stopped = () => Atomics.load(words, STOP) !== 0;

  /** Where a packet of `size` octets (its length included) fits, or -1. */
  const place = (size: number): number => {
    const head = words[HEAD]!;
    const tail = Atomics.load(words, TAIL);
    if (head < tail) return size < tail - head ? head : -1;
    const rest = ring.length - head;
    if (size < rest || (size === rest && tail > 0)) return head;
    if (size >= tail) return -1;
    lengths[head / 4] = constants.skip;
    return 0;
  };

  const put = (length: number): void => {
    const size = 4 + ((length + 3) & ~3);
    let at = place(size);
    while (at < 0) {
      if (stopped()) return;
      const tail = Atomics.load(words, TAIL);
      at = place(size);
      if (at < 0) Atomics.wait(words, TAIL, tail, patienceMs);
    }
    lengths[at / 4] = length;
    ring.set(scratch.subarray(0, length), at + 4);
    Atomics.store(words, HEAD, (at + size) % ring.length);
    if (Atomics.exchange(words, TOLD, 1) === 0) parentPort.postMessage("data");
  };

  /** Reads until nothing is left. Returns the error that ends the descriptor, 0 for its end, undefined while it goes on. */
  const drain = (): number | undefined => {
    while (!stopped()) {
      const length = read(descriptor, scratch, scratch.length);
      if (length > 0) put(length);
      else if (length === 0) return 0;
      else {
        const errno = koffi.errno();
        if (errno === EAGAIN) return undefined;
        if (errno !== EINTR) return errno;
      }
    }
    return undefined;
  };

  const watch = (): number | undefined => {
    while (!stopped()) {
      events[2] = POLLIN | (Atomics.load(words, WANT_WRITABLE) === 0 ? 0 : POLLOUT);
      events[3] = 0;
      events[7] = 0;
      if (poll(polled, 2, patienceMs) < 0) {
        const errno = koffi.errno();
        if (errno !== EINTR) return errno;
        continue;
      }
      if (events[7] !== 0) read(wake, scratch, 8);
      const happened = events[3]!;
      if (happened & 0x20) return EBADF;
      if (happened & POLLOUT) {
        Atomics.store(words, WANT_WRITABLE, 0);
        parentPort.postMessage("writable");
      }
      // Input, an error or the end: read() tells which.
      if (happened & ~POLLOUT) {
        const ended = drain();
        if (ended !== undefined) return ended;
      }
    }
    return undefined;
  };

  parentPort.postMessage("ready");
  while (Atomics.load(words, DESCRIPTOR) === 0 && !stopped()) Atomics.wait(words, DESCRIPTOR, 0, patienceMs);
  descriptor = Atomics.load(words, DESCRIPTOR) - 1; // also when stopped: it is closed here
  descriptors[0] = descriptor;
  const ended = watch();
  if (ended !== undefined) parentPort.postMessage({ ended });
  while (!stopped()) Atomics.wait(words, STOP, 0, patienceMs);
  // Closed here and not in the event loop, for the kernel may wait for the controller's answer to a reset.
  if (descriptor >= 0) close(descriptor);
  parentPort.postMessage("closed");
}
