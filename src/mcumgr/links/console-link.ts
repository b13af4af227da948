import { callOut } from "../../async/call-out.ts";
import { type Clock, SystemClock } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { concat } from "../../bytes/hex.ts";
import { checkFunction, checkInteger, checkOctets, checkOptions, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, type BleError } from "../../core/error.ts";
import {
  ConsoleDecoder,
  type ConsoleDecoderHandlers,
  type ConsoleFault,
  type ConsoleFrameOptions,
  encodeConsoleFrame,
  LONGEST_FRAMED_MESSAGE,
} from "./console-framing.ts";
import type { ServerBuffers } from "./link.ts";
import { LinkBase } from "./link-base.ts";
import type { OctetPort } from "./octet-port.ts";
import { SendQueue } from "./send-queue.ts";

/** Lines that every server keeps. */
const PROVEN_LINES = 2;
/** Length and checksum, which the server's buffer holds too. */
const FRAME_OVERHEAD = 4;

/**
 * How long messages may be. "auto" takes what the server tells of its buffers and two lines until it has. A number of octets of the server's
 * buffer, or of lines that it keeps, is for a server that does not tell, or not the truth.
 */
export type ConsoleSizing = "auto" | { readonly bufSize: number } | { readonly lineBuffers: number };

export interface ConsoleLinkOptions extends ConsoleFrameOptions {
  /** "auto" by default. */
  readonly sizing?: ConsoleSizing | undefined;
  /** What comes outside of messages: log lines, prompts, output of a shell. Octets as they come, in order. */
  readonly onConsole?: ((text: Uint8Array) => void) | undefined;
  /** Lines with markers that came to nothing. */
  readonly onFault?: ((fault: ConsoleFault) => void) | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
}

/** For those who hand these options on. */
export const CONSOLE_LINK_OPTION_NAMES = {
  lineLength: true,
  layout: true,
  sizing: true,
  onConsole: true,
  onFault: true,
  clock: true,
} as const;
const OPTIONS = optionNames<ConsoleLinkOptions>(CONSOLE_LINK_OPTION_NAMES);

/** Messages as lines of text over a line that a console uses too. */
export class ConsoleLink extends LinkBase {
  readonly isLossy = true;
  readonly provenLimit: number;
  readonly #port: OctetPort;
  readonly #frame: ConsoleFrameOptions;
  readonly #sizing: ConsoleSizing;
  readonly #decoder: ConsoleDecoder;
  readonly #queue: SendQueue;

  /** @throws {ArgumentError} */
  constructor(port: OctetPort, options: ConsoleLinkOptions = {}) {
    checkOptions("ConsoleLink", options, OPTIONS);
    const { lineLength = 128, layout = "client", sizing = "auto", onConsole, onFault, clock = new SystemClock() } = options;
    checkInteger("ConsoleLink: lineLength", lineLength, 8, 0xffff);
    checkFunction("ConsoleLink: onConsole", onConsole);
    checkFunction("ConsoleLink: onFault", onFault);
    super(port.info);
    this.#port = port;
    this.#frame = { lineLength, layout };
    this.#sizing = sizing;
    this.provenLimit = provenLimit(sizing, lineLength);
    this.#queue = new SendQueue(clock);
    const handlers: ConsoleDecoderHandlers = {
      onMessage: (message) => this.deliver(message),
      onText: onConsole && ((text) => callOut(onConsole, text)),
      onFault: onFault && ((fault) => callOut(onFault, fault)),
    };
    this.#decoder = new ConsoleDecoder(handlers, layout === "server" ? lineLength : undefined);
    port.onOctets = (octets) => this.#decoder.push(octets);
    port.onClose = (reason) => this.end(reason);
  }

  messageLimit(buffers: ServerBuffers | undefined): number {
    if (buffers === undefined || typeof this.#sizing === "object") return this.provenLimit;
    return Math.max(0, Math.min(LONGEST_FRAMED_MESSAGE, buffers.bufSize - FRAME_OVERHEAD));
  }

  async send(message: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("send: message", message);
    this.checkSend(message, this.#sizing === "auto" ? LONGEST_FRAMED_MESSAGE : this.provenLimit);
    const octets = concat(...encodeConsoleFrame(message, this.#frame));
    await this.#queue.run(() => this.#port.write(octets), options);
  }

  /** Types at the console, between messages. */
  async writeConsole(octets: Uint8Array, options: OperationOptions = {}): Promise<void> {
    const copy = checkOctets("writeConsole: octets", octets).slice();
    this.checkSend(new Uint8Array(0), 0);
    await this.#queue.run(() => this.#port.write(copy), options);
  }

  resynchronise(): void {
    this.#decoder.reset();
  }

  protected async release(reason: BleError): Promise<void> {
    this.#queue.close(reason);
    this.#decoder.reset();
    await this.#port[Symbol.asyncDispose]();
  }
}

function provenLimit(sizing: ConsoleSizing, lineLength: number): number {
  if (sizing === "auto") return lineLimit(PROVEN_LINES, lineLength);
  if (typeof sizing === "object" && sizing !== null && "bufSize" in sizing)
    return checkInteger("ConsoleLink: sizing.bufSize", sizing.bufSize, FRAME_OVERHEAD + 1, 0xffff + 2) - FRAME_OVERHEAD;
  if (typeof sizing === "object" && sizing !== null && "lineBuffers" in sizing)
    return lineLimit(checkInteger("ConsoleLink: sizing.lineBuffers", sizing.lineBuffers, 1, 1024), lineLength);
  throw new ArgumentError(`ConsoleLink: sizing: expected "auto", { bufSize } or { lineBuffers }, got ${kindOf(sizing)}`);
}

/** Longest message that fits so many lines: three octets of four characters, without markers and ends of lines, length and checksum. */
function lineLimit(lines: number, lineLength: number): number {
  // Some octets under what would fit, which is what others reckon with too.
  return Math.min(LONGEST_FRAMED_MESSAGE, Math.max(0, Math.floor((lineLength * lines * 3) / 4) - 2 - (10 * lines + 1)));
}
