import { callOut } from "../../async/call-out.ts";
import { type Clock, delay } from "../../async/clock.ts";
import type { OctetLine } from "../lines/octet-line.ts";
import type { WebSerialPort } from "./web-serial.ts";

/** Octets that wait before the line is not writable. */
const QUEUE_MARK = 16 * 1024;
/** How long closing waits for what was written before, and for the platform, in milliseconds. */
const FLUSH_MS = 500;
const CLOSE_MS = 1000;
/** Faults of the line one after the other, with no octet between them, after which it is given up. */
const MOST_FAULTS = 64;

/**
 * A port of Web Serial that is open, as a line. A fault that loses octets - an overrun, a frame, a parity bit - ends the port's stream and
 * gives it a new one, which is read on: what was lost is for the framing to find out.
 */
export class PortLine implements OctetLine {
  onEnd: ((error: Error | undefined) => void) | undefined;
  onDrain: (() => void) | undefined;
  waitingOctets = 0;
  readonly #port: WebSerialPort;
  readonly #clock: Clock;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #onOctets: ((octets: Uint8Array) => void) | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isReading = false;
  #isPaused = false;
  #resume: (() => void) | undefined;
  #isFull = false;
  #isOver = false;
  #onFlushed: (() => void) | undefined;

  constructor(port: WebSerialPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
    this.#writer = port.writable!.getWriter();
  }

  get onOctets(): ((octets: Uint8Array) => void) | undefined {
    return this.#onOctets;
  }
  set onOctets(receiver: ((octets: Uint8Array) => void) | undefined) {
    this.#onOctets = receiver;
    if (!receiver || this.#isReading) return;
    this.#isReading = true;
    void this.#read();
  }

  async #read(): Promise<void> {
    let faults = 0;
    for (let stream = this.#port.readable; stream && !this.#isOver; ) {
      const reader = stream.getReader();
      this.#reader = reader;
      let fault: unknown;
      try {
        for (;;) {
          if (this.#isPaused) await new Promise<void>((resolve) => (this.#resume = resolve));
          const { done, value } = await reader.read();
          if (done || this.#isOver) break;
          faults = 0;
          if (this.#onOctets) callOut(this.#onOctets, value);
        }
      } catch (error) {
        fault = error;
      }
      reader.releaseLock();
      const next = this.#port.readable;
      if (next === stream || next === null || ++faults > MOST_FAULTS) return this.#end(fault);
      stream = next;
    }
  }

  write(octets: Uint8Array): void {
    if (this.#isOver) return;
    this.waitingOctets += octets.length;
    if (!this.writable) this.#isFull = true;
    this.#writer.write(octets).then(
      () => {
        this.waitingOctets -= octets.length;
        if (this.waitingOctets > 0) return;
        this.#onFlushed?.();
        if (!this.#isFull || this.#isOver) return;
        this.#isFull = false;
        if (this.onDrain) callOut(this.onDrain);
      },
      (error: unknown) => this.#end(error),
    );
  }

  get writable(): boolean {
    return !this.#isOver && this.waitingOctets < QUEUE_MARK;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#resume?.();
    this.#resume = undefined;
  }

  async close(): Promise<void> {
    const wasOver = this.#isOver;
    this.#isOver = true;
    if (!wasOver && this.waitingOctets > 0) await this.#within(FLUSH_MS, new Promise<void>((resolve) => (this.#onFlushed = resolve)));
    this.resume();
    const ended = (async () => {
      // A port is closed when neither of its streams is in use; either may have failed before.
      await this.#reader?.cancel().catch(() => undefined);
      await this.#writer.abort().catch(() => undefined);
      this.#reader?.releaseLock();
      this.#writer.releaseLock();
      await this.#port.close();
    })();
    await this.#within(
      CLOSE_MS,
      ended.catch(() => undefined),
    );
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const patience = new AbortController();
    await Promise.race([work, delay(this.#clock, ms, { signal: patience.signal, name: "closing a port" }).catch(() => undefined)]);
    patience.abort();
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.onEnd) callOut(this.onEnd, error instanceof Error ? error : undefined);
  }
}
