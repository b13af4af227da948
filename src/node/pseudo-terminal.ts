import { closeSync, constants, openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { ReadStream } from "node:tty";
import { callOut } from "../async/call-out.ts";
import { delay, SystemClock } from "../async/clock.ts";
import { type BleError, ClosedError } from "../core/error.ts";
import { TransportError } from "../hci/transport.ts";
import { Ending } from "../mcumgr/links/ending.ts";
import type { OctetPort } from "../mcumgr/links/octet-port.ts";
import { loadLinuxCalls } from "../transport/linux/socket-calls.ts";

/** Longer than any libc's struct termios, and than the name of a terminal. */
const STRUCT_OCTETS = 256;
/** Between attempts to write to a terminal that is full. */
const RETRY_MS = 1;
/** What nobody has read after this long is lost, as on a line that nobody listens to. */
const PATIENCE_MS = 1000;

/** One end of a line that other programs know as a serial port. */
export interface PseudoTerminal extends OctetPort {
  /** What others open: "/dev/pts/7". */
  readonly path: string;
}

type Call = (...values: unknown[]) => number;

/**
 * Makes a serial port that others open by its path, in Linux. They may come and go; what is sent while nobody reads is lost after a second.
 *
 * @throws {TransportError} not Linux, or the package koffi is missing, or there is no terminal left
 */
export function openPseudoTerminal(): PseudoTerminal {
  const { package: koffi } = loadLinuxCalls("a pseudo-terminal");
  const library = (createRequire(import.meta.url)(koffi) as { load(path: null): { func(name: string, ...types: unknown[]): Call } }).load(
    null,
  );
  const call = (name: string, ...parameters: string[]): Call => library.func(name, "int", parameters);
  const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
  let controller: number;
  try {
    controller = openSync("/dev/ptmx", flags);
  } catch (cause) {
    throw new TransportError("io", `there is no pseudo-terminal to be had: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  try {
    const name = new Uint8Array(STRUCT_OCTETS);
    const failed =
      call("grantpt", "int")(controller) !== 0 ||
      call("unlockpt", "int")(controller) !== 0 ||
      call("ptsname_r", "int", "void *", "size_t")(controller, name, name.length) !== 0;
    if (failed) throw new TransportError("io", "the pseudo-terminal could not be unlocked");
    const path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
    // Held open, so that reading goes on while nobody else has it.
    const terminal = openSync(path, flags);
    const settings = new Uint8Array(STRUCT_OCTETS);
    call("tcgetattr", "int", "void *")(terminal, settings);
    library.func("cfmakeraw", "void", ["void *"])(settings); // no echo, no lines, every octet as it is
    call("tcsetattr", "int", "int", "void *")(terminal, 0, settings);
    return new ControllerEnd(controller, terminal, path);
  } catch (error) {
    closeSync(controller);
    throw error;
  }
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
