import { type Clock, callOut, Subscription, SystemClock } from "../async/index.ts";
import { DecodeError } from "../bytes/index.ts";
import {
  decodeMonitorPayload,
  decodeMonitorRecord,
  MonitoredSockets,
  MonitorOpcode,
  type MonitorRecord,
  SIMULATED_EPOCH_MS,
} from "../capture/index.ts";
import { checkFunction, checkOptions, Logger, optionNames } from "../core/index.ts";
import { type KernelSocket, openKernelSocket } from "../transport/index.ts";

/** Records that wait for the reader; a burst of adverts is some hundred a second. */
const RECORD_CAPACITY = 4096;

export interface MonitorOptions {
  /** Stamps the records. Real time by default. */
  readonly clock?: Clock | undefined;
  /** Milliseconds since 1970-01-01 UTC at time 0 of the clock. Default: the start of this process for real time, the year 2000 for another clock. */
  readonly epochMs?: number | undefined;
  /** Gives up opening; afterwards ends the records with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Records that may wait for the reader. Default 4096; of a reader further behind the oldest are dropped and counted. */
  readonly capacity?: number | undefined;
  readonly logger?: Logger | undefined;
  /** The kernel; another one in tests. It is closed with the monitor. */
  readonly socket?: KernelSocket | undefined;
}

const monitorOptions = optionNames<MonitorOptions>({
  clock: true,
  epochMs: true,
  signal: true,
  capacity: true,
  logger: true,
  socket: true,
});

/**
 * Opens the kernel's monitor channel: everything that passes between this machine and its controllers, and between programs and the
 * management interface, told once more. First the kernel tells what is there: its version, adapters, open management sockets.
 *
 * The records hold keys and whatever is said to devices: CaptureRedactor takes keys out, CaptureDecoder and CaptureWriter do so of themselves.
 *
 * @throws {TransportError} one sentence: no CAP_NET_RAW, not Linux, a kernel without Bluetooth, koffi missing
 * @throws `signal.reason` once `signal` aborts
 */
export async function openMonitor(options: MonitorOptions = {}): Promise<Monitor> {
  checkOptions("openMonitor", options, monitorOptions);
  options.signal?.throwIfAborted();
  const socket = options.socket ?? (await openKernelSocket("monitor", { signal: options.signal }));
  return new Monitor(socket, options);
}

/** The monitor channel: its records, in order, in one loop from the opening on. `openMonitor` makes one. */
export class Monitor implements AsyncIterable<MonitorRecord>, AsyncDisposable {
  readonly #socket: KernelSocket;
  readonly #clock: Clock;
  readonly #epochMs: number;
  readonly #logger: Logger;
  readonly #queue: Subscription<MonitorRecord>;
  readonly #listeners = new Set<MonitorListener>();
  readonly #sockets = new MonitoredSockets();
  #ended: { readonly reason: unknown } | undefined;

  constructor(socket: KernelSocket, options: MonitorOptions = {}) {
    const { clock, epochMs, capacity = RECORD_CAPACITY, signal, logger = Logger.silent } = options;
    this.#socket = socket;
    this.#clock = clock ?? new SystemClock();
    this.#epochMs = epochMs ?? (clock ? SIMULATED_EPOCH_MS : performance.timeOrigin);
    this.#logger = logger.child("monitor");
    this.#queue = new Subscription({ capacity, signal, leave: () => {} });
    socket.onClose = (reason) => this.#end(reason);
    socket.onPacket = (packet) => this.#receive(packet);
  }

  /** Records that the reader lost because it was slow. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Records that the kernel threw away because this process did not take them in time; 0 where it does not tell. */
  get droppedByKernel(): number {
    return this.#socket.droppedPackets ?? 0;
  }

  /** Sockets of programs that are open now, as far as the kernel has told. */
  get sockets(): MonitoredSockets {
    return new MonitoredSockets(this.#sockets);
  }

  /** The records since the opening. The loop ends by `break`, by the signal, or with the socket; there is one, and it is over after that. */
  [Symbol.asyncIterator](): AsyncIterator<MonitorRecord> {
    return this.#queue;
  }

  /** Calls `record` at every record from now on as it comes, and `end` when no more will. Dispose the result to stop. */
  listen(listener: MonitorListener): Disposable {
    checkFunction("listen: record", listener.record);
    checkFunction("listen: end", listener.end);
    if (this.#ended) callOut(() => listener.end?.(this.#ended?.reason));
    else this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Closes the socket. What is queued is still read, then the loop is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(undefined);
    await this.#socket[Symbol.asyncDispose]();
  }

  #receive(packet: Uint8Array): void {
    if (this.#ended) return;
    let record: MonitorRecord;
    try {
      record = decodeMonitorRecord(packet, this.#epochMs + this.#clock.now());
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#logger.warn(() => `a record that cannot be read: ${error.message}`);
      return;
    }
    followSockets(this.#sockets, record);
    this.#queue.push(record);
    for (const listener of [...this.#listeners]) callOut(() => listener.record(record));
  }

  #end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = { reason };
    this.#queue.end(reason);
    for (const listener of [...this.#listeners]) callOut(() => listener.end?.(reason));
    this.#listeners.clear();
  }
}

export interface MonitorListener {
  record(record: MonitorRecord): void;
  /** @param reason why; undefined where the monitor was closed by its owner */
  end?(reason: unknown): void;
}

/** Takes sockets that open and close into account. */
export function followSockets(sockets: MonitoredSockets, record: MonitorRecord): void {
  if (record.opcode !== MonitorOpcode.ControlOpen && record.opcode !== MonitorOpcode.ControlClose) return;
  try {
    const { name, fields } = decodeMonitorPayload(record);
    if (name === "ControlOpen") sockets.open(fields);
    else if (name === "ControlClose") sockets.close(fields.cookie);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error; // whose socket it is stays unknown, which is legal
  }
}
