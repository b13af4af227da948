import { callOut } from "../../async/call-out.ts";
import { type Clock, delay, SystemClock } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { checkFunction, checkInteger, checkMilliseconds, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import type { BleError } from "../../core/error.ts";
import { MessageAssembler } from "./fragments.ts";
import type { ServerBuffers } from "./link.ts";
import { LinkBase, LONGEST_MESSAGE } from "./link-base.ts";
import type { OctetPort } from "./octet-port.ts";
import { SendQueue } from "./send-queue.ts";

/** The buffers that servers are built with by default. */
const DEFAULT_BUF_SIZE = 384;
/** What a header may claim where nobody has said how long a buffer is; more is the midst of a message. */
const LONGEST_BELIEVED = 8192;
/** A rest that comes later is none: MCUboot waits so long. */
const REST_MS = 3000;
/** Longer than a server waits for the rest of a message. */
const SILENCE_MS = 3500;

export interface RawLinkOptions {
  /**
   * Octets of the server's buffer: the longest message either way. For a server that does not tell, or has more than 8192; 384 by default
   * until it tells.
   */
  readonly bufSize?: number | undefined;
  /**
   * How long the line rests after a message was lost, in milliseconds; 3500 by default. Nothing else tells the server where the next message
   * begins: it gives up what it has of the last one when nothing comes.
   */
  readonly silenceMs?: number | undefined;
  /** Octets that were no message. */
  readonly onDropped?: ((octets: number) => void) | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
}

/** For those who hand these options on. */
export const RAW_LINK_OPTION_NAMES = { bufSize: true, silenceMs: true, onDropped: true, clock: true } as const;
const OPTIONS = optionNames<RawLinkOptions>(RAW_LINK_OPTION_NAMES);

/** Messages as they are over a line that nobody else uses. No checksum guards them. */
export class RawLink extends LinkBase {
  readonly isLossy = true;
  readonly provenLimit: number;
  readonly #port: OctetPort;
  readonly #bufSize: number | undefined;
  readonly #silenceMs: number;
  readonly #clock: Clock;
  readonly #queue: SendQueue;
  readonly #assembler: MessageAssembler;
  readonly #over = new AbortController();
  #quietUntilMs = Number.NEGATIVE_INFINITY;

  /** @throws {ArgumentError} */
  constructor(port: OctetPort, options: RawLinkOptions = {}) {
    checkOptions("RawLink", options, OPTIONS);
    const { bufSize, silenceMs = SILENCE_MS, onDropped, clock = new SystemClock() } = options;
    if (bufSize !== undefined) checkInteger("RawLink: bufSize", bufSize, 8, LONGEST_MESSAGE);
    checkMilliseconds("RawLink: silenceMs", silenceMs, 0, 3_600_000);
    checkFunction("RawLink: onDropped", onDropped);
    super(port.info);
    this.#port = port;
    this.#bufSize = bufSize;
    this.#silenceMs = silenceMs;
    this.#clock = clock;
    this.provenLimit = bufSize ?? DEFAULT_BUF_SIZE;
    this.#queue = new SendQueue(clock);
    this.#assembler = new MessageAssembler({
      clock,
      onMessage: (message) => this.deliver(message),
      onDropped: onDropped && ((octets) => callOut(onDropped, octets)),
      limit: bufSize ?? LONGEST_BELIEVED,
      patienceMs: REST_MS,
    });
    port.onOctets = (octets) => {
      if (clock.now() < this.#quietUntilMs) callOut(onDropped, octets.length);
      else this.#assembler.push(octets);
    };
    port.onClose = (reason) => this.end(reason);
  }

  messageLimit(buffers: ServerBuffers | undefined): number {
    return this.#bufSize ?? Math.min(buffers?.bufSize ?? this.provenLimit, LONGEST_BELIEVED);
  }

  async send(message: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("send: message", message);
    this.checkSend(message, this.#bufSize ?? LONGEST_BELIEVED);
    const copy = message.slice();
    await this.#queue.run(async () => {
      const restMs = this.#quietUntilMs - this.#clock.now();
      if (restMs > 0) await delay(this.#clock, restMs, { signal: this.#over.signal, name: "a raw line rests" });
      await this.#port.write(copy);
    }, options);
  }

  /** The line rests, both ways, until the server must have given up what it had of a message. */
  resynchronise(): void {
    this.#assembler.reset();
    this.#quietUntilMs = this.#clock.now() + this.#silenceMs;
  }

  protected async release(reason: BleError): Promise<void> {
    this.#over.abort(reason);
    this.#queue.close(reason);
    await this.#port[Symbol.asyncDispose]();
  }
}
