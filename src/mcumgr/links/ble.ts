import { type Clock, SystemClock } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { checkInteger, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import type { BleError } from "../../core/error.ts";
import { fragmentsOf, MessageAssembler } from "./fragments.ts";
import type { ServerBuffers } from "./link.ts";
import { LinkBase, LONGEST_MESSAGE } from "./link-base.ts";
import { SendQueue } from "./send-queue.ts";

/** The service of an mcumgr server, and its one characteristic: written without response, answers as notifications. */
export const MCUMGR_SERVICE = "8D53DC1D-1DB7-4CD3-868B-8A527460AA84";
export const MCUMGR_CHARACTERISTIC = "DA2E7828-FBCE-4E01-AE9E-261174997C48";

/** What a host has to offer for mcumgr over BLE: one characteristic of one peer. A server's side is the same the other way round. */
export interface BleMcumgrPort extends AsyncDisposable {
  /** For people: "Sensor 12 (C0:11:22:33:44:55/random)". */
  readonly target: string;
  /** Octets of the longest value that can be sent now. It may grow. */
  readonly maxWriteLength: number;
  /** Octets of the values that fill the radio's packets best, at most `maxWriteLength`, for messages that take several; that by default. */
  readonly fragmentLength?: number | undefined;
  /** What the peer sent: a notification, or a write. The octets belong to the receiver. */
  onValue: ((value: Uint8Array) => void) | undefined;
  /** The link is gone. Called once; not after disposing. */
  onClose: ((reason: BleError) => void) | undefined;
  /** Resolves when the link has taken the value. Called again only then. @throws the reason, when the link is gone */
  write(value: Uint8Array): Promise<void>;
}

export interface BleLinkOptions {
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /**
   * How what comes is joined. "client" (default) takes answers in any pieces. "server" does as a server that was built to join writes: the
   * first of a message holds its header, and what goes past its end spoils all of it. "whole": each write is a message, whatever it says.
   */
  readonly joining?: "client" | "server" | "whole" | undefined;
  /** Octets of the longest message that is taken from the peer; the first piece of a longer one is dropped. */
  readonly limit?: number | undefined;
}

const OPTIONS = optionNames<BleLinkOptions>({ clock: true, joining: true, limit: true });

/** Messages cut into the values of a characteristic. */
export class BleLink extends LinkBase {
  readonly isLossy = false;
  readonly #port: BleMcumgrPort;
  readonly #queue: SendQueue;
  readonly #assembler: MessageAssembler;

  /** @throws {ArgumentError} */
  constructor(port: BleMcumgrPort, options: BleLinkOptions = {}) {
    checkOptions("BleLink", options, OPTIONS);
    const { clock = new SystemClock(), joining = "client", limit = LONGEST_MESSAGE } = options;
    checkInteger("BleLink: limit", limit, 8, LONGEST_MESSAGE);
    super({ kind: "ble", target: port.target });
    this.#port = port;
    this.#queue = new SendQueue(clock);
    this.#assembler = new MessageAssembler({
      clock,
      limit,
      isStrict: joining === "server",
      onMessage: (message) => this.deliver(message),
    });
    port.onValue = joining === "whole" ? (value) => this.deliver(value) : (value) => this.#assembler.push(value);
    port.onClose = (reason) => this.end(reason);
  }

  get provenLimit(): number {
    return this.#port.maxWriteLength;
  }

  messageLimit(buffers: ServerBuffers | undefined): number {
    return Math.min(LONGEST_MESSAGE, buffers?.bufSize ?? this.provenLimit);
  }

  async send(message: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("send: message", message);
    this.checkSend(message, LONGEST_MESSAGE);
    const port = this.#port;
    await this.#queue.run(async () => {
      const { maxWriteLength } = port;
      const length = message.length <= maxWriteLength ? maxWriteLength : Math.min(maxWriteLength, port.fragmentLength ?? maxWriteLength);
      for (const fragment of fragmentsOf(message, length)) await port.write(fragment);
    }, options);
  }

  resynchronise(): void {
    this.#assembler.reset();
  }

  protected async release(reason: BleError): Promise<void> {
    this.#queue.close(reason);
    await this.#port[Symbol.asyncDispose]();
  }
}

/** Header of L2CAP and of a write or notification, which the radio's packets hold too. */
const VALUE_OVERHEAD = 4 + 3;

/**
 * Octets of a value that fills the last of its radio packets, so that none goes out nearly empty.
 *
 * @param maxWriteLength octets that a value may have
 * @param txOctets octets of a radio packet
 */
export function fillingLength(maxWriteLength: number, txOctets: number): number {
  const packets = Math.floor((maxWriteLength + VALUE_OVERHEAD) / txOctets);
  return packets === 0 ? maxWriteLength : packets * txOctets - VALUE_OVERHEAD;
}
