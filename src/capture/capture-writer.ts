import { checkChoice, checkOptions, optionNames } from "../core/index.ts";
import { BtsnoopEncoder } from "./btsnoop-encoder.ts";
import type { CaptureFormat } from "./capture-reader.ts";
import type { CaptureEncoder } from "./encoder.ts";
import { PcapEncoder } from "./pcap.ts";
import { PcapngEncoder } from "./pcapng-encoder.ts";
import {
  type AnyCaptureRecord,
  type CaptureDirection,
  hciPacketOf,
  isMonitorRecord,
  monitorRecordOf,
  SIMULATED_EPOCH_MS,
} from "./record.ts";
import { shownBy } from "./shown.ts";

/** Where a capture's octets go: a file, a pipe, memory. */
export interface CaptureSink {
  /** Takes the chunk, or refuses it with `false` because its own queue is full or it has failed. Never blocks, never throws. */
  write(chunk: Uint8Array): boolean;
  /** True once nobody takes it any more, who only looked on: what comes then is not lost. */
  readonly isOver?: boolean;
  /**
   * Writes out what is queued, behind it `last` whether or not the queue is full, and lets go. Rejects with the fault of an earlier `write`,
   * if there was one.
   */
  close(last?: Uint8Array): Promise<void>;
}

export interface CaptureWriterOptions {
  /** Milliseconds since 1970-01-01 UTC at time 0 of the clock that stamps the packets. Default 946,684,800,000: the year 2000, for simulated time. */
  readonly epochMs?: number | undefined;
  /** Keep keys and passkeys. Without it zeros stand in their place. */
  readonly secrets?: boolean | undefined;
  /** Leave out who it was, too: names, addresses, values of attributes. See CaptureAnonymizer. Not with `secrets`. */
  readonly anonymous?: boolean | undefined;
  /** Default "btsnoop". */
  readonly format?: CaptureFormat | undefined;
  /**
   * What the capture is to hold: HCI packets of one adapter ("hci", the default), or all that the Linux monitor channel tells ("monitor"),
   * with the adapters' numbers. HCI packets of several numbered adapters need pcapng, which has an interface for each.
   */
  readonly content?: "hci" | "monitor" | undefined;
}

const OPTIONS = optionNames<CaptureWriterOptions>({ epochMs: true, secrets: true, anonymous: true, format: true, content: true });

const ENCODERS: Readonly<Record<CaptureFormat, new (content: "hci" | "monitor") => CaptureEncoder>> = {
  btsnoop: BtsnoopEncoder,
  pcapng: PcapngEncoder,
  pcap: PcapEncoder,
};

/** Writes a capture record by record, without blocking. A packet that the sink refuses is counted, and the file says how many there were. */
export class CaptureWriter implements AsyncDisposable {
  readonly #sink: CaptureSink;
  readonly #epochMs: number;
  readonly #shown: (record: AnyCaptureRecord) => AnyCaptureRecord;
  readonly #encoder: CaptureEncoder;
  readonly #content: "hci" | "monitor";
  #records = 0;
  #dropped = 0;
  /** Packets that were missing already in what is written. */
  #missing = 0;
  #lastMs = 0;
  #closed: Promise<void> | undefined;

  constructor(sink: CaptureSink, options: CaptureWriterOptions = {}) {
    checkOptions("CaptureWriter", options, OPTIONS);
    const { epochMs = SIMULATED_EPOCH_MS, format = "btsnoop", content = "hci" } = options;
    checkChoice("CaptureWriter content", content, ["hci", "monitor"]);
    checkChoice("CaptureWriter format", format, ["btsnoop", "pcapng", "pcap"]);
    this.#sink = sink;
    this.#epochMs = epochMs;
    this.#shown = shownBy(options);
    this.#encoder = new ENCODERS[format](content);
    this.#content = content;
    sink.write(this.#encoder.header());
  }

  /** Records written. */
  get records(): number {
    return this.#records;
  }

  /** Whoever looked on is gone: nothing is written any more. */
  get isOver(): boolean {
    return this.#sink.isOver ?? false;
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
   * @param comment is kept by pcapng: what the packet comes from, as a device tells it
   */
  readonly write = (where: CaptureDirection | "sent" | "received", packet: Uint8Array, timeMs: number, comment?: string): void => {
    this.#write(undefined, where, { packet, timeMs, comment });
  };

  /** As `write`, for one of several adapters that go into one capture: each has links and attributes of its own. */
  adapter(index: number): CaptureWriter["write"] {
    return (where, packet, timeMs, comment) => this.#write(index, where, { packet, timeMs, comment });
  }

  #write(
    index: number | undefined,
    where: CaptureDirection | "sent" | "received",
    { packet, timeMs, comment }: { packet: Uint8Array; timeMs: number; comment: string | undefined },
  ): void {
    const direction = where === "sent" ? "host-to-controller" : where === "received" ? "controller-to-host" : where;
    this.writeRecord({ direction, packet, index, timeMs: this.#epochMs + timeMs, originalLength: packet.length, drops: 0, comment });
  }

  /**
   * Appends a record of another capture or of the monitor channel; `epochMs` has no part in its time. A capture of HCI packets takes those
   * alone, and what is left out is not counted.
   *
   * @throws {ArgumentError} an HCI packet of another adapter than the first, in a format that cannot tell them apart
   */
  writeRecord(record: AnyCaptureRecord): void {
    const encoded = this.#closed || this.isOver ? undefined : this.#encode(record);
    if (!encoded) return;
    this.#lastMs = record.timeMs;
    if (this.#sink.write(encoded)) {
      this.#records++;
      this.#encoder.accepted?.(record);
    } else this.#dropped++;
  }

  #encode(record: AnyCaptureRecord): Uint8Array | undefined {
    const shown = this.#shown(record);
    this.#missing = Math.max(this.#missing, record.drops ?? 0);
    const drops = this.#dropped + this.#missing;
    if (this.#content === "monitor") {
      const told = isMonitorRecord(shown) ? shown : monitorRecordOf(shown);
      return told && this.#encoder.monitor({ ...told, drops });
    }
    const packet = isMonitorRecord(shown) ? hciPacketOf(shown) : shown;
    return packet && packet.packet.length > 0 ? this.#encoder.packet({ ...packet, drops }) : undefined;
  }

  /** Writes out what is queued; later packets are ignored. @throws what went wrong with the sink */
  close(): Promise<void> {
    const drops = this.#dropped + this.#missing;
    this.#closed ??= this.#sink.close(drops > 0 ? this.#encoder.trailer({ drops, timeMs: this.#lastMs }) : undefined);
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

  close(last?: Uint8Array): Promise<void> {
    if (last) {
      this.#chunks.push(last);
      this.#length += last.length;
    }
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
