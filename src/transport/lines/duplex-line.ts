import type { Duplex } from "node:stream";
import { callOut } from "../../async/call-out.ts";
import { delay, SystemClock } from "../../async/clock.ts";
import type { OctetLine } from "./octet-line.ts";

/** How long closing waits for what was written before, in milliseconds. */
const FLUSH_MS = 500;

/** A stream of Node as a line. */
export class DuplexLine implements OctetLine {
  onEnd: ((error: Error | undefined) => void) | undefined;
  onDrain: (() => void) | undefined;
  readonly #stream: Duplex;
  readonly #giveBack: () => Promise<void>;
  readonly #lostPast: number;
  #onOctets: ((octets: Uint8Array) => void) | undefined;
  #isReading = false;
  #isCorked = false;
  #isOver = false;
  #onFlushed: (() => void) | undefined;
  readonly #uncork = (): void => {
    this.#isCorked = false;
    if (!this.#stream.destroyed) this.#stream.uncork();
  };

  /**
   * @param giveBack closes what is behind the stream; called once, after an end too
   * @param lostPast octets that may wait; what is written when more do is lost, as on a line that nobody listens to
   */
  constructor(stream: Duplex, giveBack: () => Promise<void>, lostPast = Number.POSITIVE_INFINITY) {
    this.#stream = stream;
    this.#giveBack = giveBack;
    this.#lostPast = lostPast;
    stream.on("error", (error) => this.#end(error));
    stream.on("close", (error?: Error | null) => this.#end(error ?? undefined)); // a serial port that was unplugged gives one
    stream.on("drain", () => {
      if (!this.#isOver && this.onDrain) callOut(this.onDrain);
    });
  }

  get onOctets(): ((octets: Uint8Array) => void) | undefined {
    return this.#onOctets;
  }
  set onOctets(receiver: ((octets: Uint8Array) => void) | undefined) {
    this.#onOctets = receiver;
    if (!receiver || this.#isReading) return;
    this.#isReading = true;
    this.#stream.on("data", (octets: Uint8Array) => {
      if (!this.#isOver && this.#onOctets) callOut(this.#onOctets, new Uint8Array(octets.buffer, octets.byteOffset, octets.length));
    });
  }

  write(octets: Uint8Array): void {
    if (this.#isOver || this.#stream.destroyed || this.#stream.writableLength > this.#lostPast) return;
    if (!this.#isCorked) {
      // What is written in one turn leaves in one system call.
      this.#isCorked = true;
      this.#stream.cork();
      process.nextTick(this.#uncork);
    }
    this.#stream.write(octets, () => {
      if (this.#stream.writableLength === 0) this.#onFlushed?.();
    });
  }

  get waitingOctets(): number {
    return this.#stream.writableLength;
  }

  get writable(): boolean {
    return !this.#isOver && !this.#stream.writableNeedDrain;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (this.#isReading) this.#stream.resume();
  }

  async close(): Promise<void> {
    const wasOver = this.#isOver;
    this.#isOver = true;
    if (!wasOver && this.#stream.writableLength > 0 && !this.#stream.destroyed) {
      if (this.#isCorked) this.#uncork();
      const patience = new AbortController();
      this.#onFlushed = () => patience.abort();
      await delay(new SystemClock(), FLUSH_MS, { signal: patience.signal, name: "flushing a line" }).catch(() => undefined);
    }
    await this.#giveBack();
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.onEnd) callOut(this.onEnd, error);
  }
}
