import { closeSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { callOut } from "../async/call-out.ts";
import { delay, SystemClock } from "../async/clock.ts";
import { type BleError, ClosedError } from "../core/error.ts";
import { Ending } from "../mcumgr/links/ending.ts";
import type { OctetPort } from "../mcumgr/links/octet-port.ts";
import { openTerminalPair } from "../transport/linux/terminal-pair.ts";

/** Between attempts to write to a terminal that is full. */
const RETRY_MS = 1;
/** What nobody has read after this long is lost, as on a line that nobody listens to. */
const PATIENCE_MS = 1000;

/** One end of a line that other programs know as a serial port. */
export interface PseudoTerminal extends OctetPort {
  /** What others open: "/dev/pts/7". */
  readonly path: string;
}

/**
 * Makes a serial port that others open by its path, in Linux. They may come and go; what is sent while nobody reads is lost after a second.
 *
 * @throws {TransportError} not Linux, or the package koffi is missing, or there is no terminal left
 */
export function openPseudoTerminal(): PseudoTerminal {
  const { controller, terminal, path } = openTerminalPair();
  return new ControllerEnd(controller, terminal, path);
}

class ControllerEnd extends Ending implements PseudoTerminal {
  readonly path: string;
  readonly info: OctetPort["info"];
  onOctets: ((octets: Uint8Array) => void) | undefined;
  readonly #descriptor: number;
  readonly #terminal: number;
  readonly #reader: ReadStream;
  readonly #clock = new SystemClock();
  readonly #over = new AbortController();

  constructor(descriptor: number, terminal: number, path: string) {
    super();
    this.path = path;
    this.info = { kind: "serial", target: path };
    this.#descriptor = descriptor;
    this.#terminal = terminal;
    this.#reader = new ReadStream(descriptor);
    this.#reader.on("data", (octets: Buffer) => callOut(this.onOctets, new Uint8Array(octets)));
    this.#reader.on("error", (cause) => this.end(new ClosedError(`${path} failed: ${cause.message}`, { cause })));
  }

  async write(octets: Uint8Array): Promise<void> {
    let untilMs = this.#clock.now() + PATIENCE_MS;
    for (let at = 0; at < octets.length; ) {
      if (this.reason) throw this.reason;
      let written = 0;
      try {
        written = writeSync(this.#descriptor, octets, at);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
          this.end(new ClosedError(`${this.path} failed`, { cause: error }));
          throw this.reason;
        }
      }
      const nowMs = this.#clock.now();
      at += written;
      if (written > 0) untilMs = nowMs + PATIENCE_MS;
      else if (nowMs > untilMs) return;
      else await delay(this.#clock, RETRY_MS, { signal: this.#over.signal, name: "a terminal is full" });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close(new ClosedError(`${this.path} was closed`));
  }

  protected leave(reason: BleError): void {
    this.#over.abort(reason);
    this.#reader.destroy(); // and with it the descriptor
    closeSync(this.#terminal);
  }
}
