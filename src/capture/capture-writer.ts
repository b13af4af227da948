import { type CaptureDirection, encodeBtsnoopHeader, encodeBtsnoopRecord } from "./btsnoop.ts";
import { Redactor } from "./redact.ts";

/** Where a capture's octets go: a file, a pipe, memory. */
export interface CaptureSink {
  /** Takes the chunk, or refuses it with `false` because its own queue is full or it has failed. Never blocks, never throws. */
  write(chunk: Uint8Array): boolean;
  /** Writes out what is queued and lets go. Rejects with the fault of an earlier `write`, if there was one. */
  close(): Promise<void>;
}

export interface CaptureWriterOptions {
  /** Milliseconds since 1970-01-01 UTC at time 0 of the clock that stamps the packets. Default 946,684,800,000: the year 2000, for simulated time. */
  readonly epochMs?: number | undefined;
  /** Keep keys and passkeys. Without it zeros stand in their place. */
  readonly secrets?: boolean | undefined;
}

/** The year 2000: simulated time has no date, and the same run must give the same file. */
const SIMULATED_EPOCH_MS = 946_684_800_000;

/** Writes packets as a btsnoop capture, record by record. A packet that the sink refuses is counted in the records after it. */
export class CaptureWriter implements AsyncDisposable {
  readonly #sink: CaptureSink;
  readonly #epochMs: number;
  readonly #redactor: Redactor | undefined;
  #records = 0;
  #dropped = 0;
  #closed: Promise<void> | undefined;

  constructor(sink: CaptureSink, { epochMs = SIMULATED_EPOCH_MS, secrets = false }: CaptureWriterOptions = {}) {
    this.#sink = sink;
    this.#epochMs = epochMs;
    this.#redactor = secrets ? undefined : new Redactor();
    sink.write(encodeBtsnoopHeader());
  }

  /** Records written. */
  get records(): number {
    return this.#records;
  }

  /** Packets that the sink refused. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Appends a packet, H4 type first. Bound, so that it is a device's `capture` option as it is.
   *
   * @param where direction in the words of a capture, or of the host: "sent" to the controller, "received" from it
   * @param timeMs time of the clock whose zero is `epochMs`
   */
  readonly write = (where: CaptureDirection | "sent" | "received", packet: Uint8Array, timeMs: number): void => {
    if (this.#closed || packet.length === 0) return;
    const direction = where === "sent" ? "host-to-controller" : where === "received" ? "controller-to-host" : where;
    const shown = this.#redactor ? this.#redactor.redact(direction, packet) : packet;
    const record = encodeBtsnoopRecord({ direction, packet: shown, timeMs: this.#epochMs + timeMs, drops: this.#dropped });
    if (this.#sink.write(record)) this.#records++;
    else this.#dropped++;
  };

  /** Writes out what is queued; later packets are ignored. @throws what went wrong with the sink */
  close(): Promise<void> {
    this.#closed ??= this.#sink.close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Keeps a capture in memory, at most `capacity` octets of it. */
export class MemorySink implements CaptureSink {
  readonly #capacity: number;
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(capacity = 64 * 1024 * 1024) {
    this.#capacity = capacity;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#length + chunk.length > this.#capacity) return false;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The whole file. */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}
