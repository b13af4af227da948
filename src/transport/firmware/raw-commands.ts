import type { Clock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { type HciTransport, PacketType, type TransportClosed, TransportError } from "../../hci/transport.ts";

/** How long a controller may take for one command, in milliseconds. */
const ANSWER_MS = 3000;
const COMMAND_COMPLETE = 0x0e;
const COMMAND_STATUS = 0x0f;

/** Commands for a controller that has no host yet, one at a time. Disposed, the transport is left as it was. */
export class RawCommands implements Disposable {
  readonly #transport: HciTransport;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #waiting: { readonly opcode: number; readonly answered: Pending<Uint8Array> } | undefined;
  #expected: { readonly matches: (packet: Uint8Array) => boolean; readonly came: Pending<Uint8Array> } | undefined;
  #closed: TransportClosed | undefined;

  constructor(transport: HciTransport, clock: Clock, signal?: AbortSignal) {
    this.#transport = transport;
    this.#clock = clock;
    this.#signal = signal;
    transport.onPacket = (packet) => this.#onPacket(packet);
    transport.onClose = (reason) => {
      this.#closed = reason;
      this.#waiting?.answered.reject(reason);
      this.#expected?.came.reject(reason);
    };
  }

  [Symbol.dispose](): void {
    this.#transport.onPacket = undefined;
    this.#transport.onClose = undefined;
    // Where something else has failed before, its time would keep the program up.
    this.#expected?.came.reject(new TransportError("io", `${this.#transport.info.spec}: what was expected is not waited for any more`));
  }

  /** @returns the return parameters, status first, whatever it is @throws {TimeoutError} · {TransportClosed} · `signal.reason` */
  async ask(opcode: number, parameters: Uint8Array = new Uint8Array()): Promise<Uint8Array> {
    if (this.#closed) throw this.#closed;
    const operation = `HCI command 0x${opcode.toString(16).padStart(4, "0")}`;
    const answered = new Pending<Uint8Array>({ clock: this.#clock, operation, signal: this.#signal, timeoutMs: ANSWER_MS });
    this.#waiting = { opcode, answered };
    this.tell(opcode, parameters);
    try {
      return await answered.promise;
    } finally {
      this.#waiting = undefined;
    }
  }

  /** A command that is not answered. */
  tell(opcode: number, parameters: Uint8Array): void {
    const packet = new Uint8Array(4 + parameters.length);
    packet.set([PacketType.Command, opcode & 0xff, opcode >> 8, parameters.length]);
    packet.set(parameters, 4);
    this.#transport.send(packet);
  }

  /** The next event that matches, from now on. @throws {TimeoutError} · {TransportClosed} · `signal.reason` */
  expect(operation: string, timeoutMs: number, matches: (packet: Uint8Array) => boolean): Promise<Uint8Array> {
    const came = new Pending<Uint8Array>({ clock: this.#clock, operation, signal: this.#signal, timeoutMs });
    came.promise.catch(() => undefined); // told when it is waited for, if something else has not failed before
    this.#expected = { matches, came };
    return came.promise;
  }

  /** The same, which has to succeed. @throws {TransportError} `refused` */
  async command(opcode: number, parameters?: Uint8Array): Promise<Uint8Array> {
    const returns = await this.ask(opcode, parameters);
    if (returns[0] === 0) return returns;
    const status = (returns[0] ?? 0xff).toString(16).padStart(2, "0");
    throw new TransportError(
      "refused",
      `${this.#transport.info.spec}: the controller refuses command 0x${opcode.toString(16).padStart(4, "0")} with status 0x${status}`,
    );
  }

  #onPacket(packet: Uint8Array): void {
    if (packet[0] !== PacketType.Event) return;
    if (this.#expected?.matches(packet)) this.#expected.came.resolve(packet);
    if (!this.#waiting) return;
    const { opcode, answered } = this.#waiting;
    if (packet[1] === COMMAND_COMPLETE && packet.length >= 7 && (packet[4]! | (packet[5]! << 8)) === opcode)
      answered.resolve(packet.slice(6));
    // A status of success is followed by more.
    if (packet[1] === COMMAND_STATUS && packet.length >= 7 && packet[3] !== 0 && (packet[5]! | (packet[6]! << 8)) === opcode)
      answered.resolve(packet.slice(3, 4));
  }
}

export const RESET = 0x0c03;
export const READ_LOCAL_NAME = 0x0c14;
export const READ_LOCAL_VERSION = 0x1001;
