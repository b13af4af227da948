import { callOut } from "../../async/call-out.ts";
import { type Clock, SystemClock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { checkFunction, checkInteger, checkMilliseconds, checkOptions, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError } from "../../core/error.ts";
import { Ending } from "./ending.ts";
import type { OctetPort } from "./octet-port.ts";

export interface MemoryPortsOptions {
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /** How fast the line is, in octets a second each way: 11,520 for 115,200 baud with a start and a stop bit. Without limit by default. */
  readonly octetsPerSecond?: number | undefined;
  /** How long an octet is on its way, in milliseconds; 0 by default. */
  readonly delayMs?: number | undefined;
  /** Octets that each end takes ahead of the line, as the driver of a port does; 4096 by default. */
  readonly buffer?: number | undefined;
  /** What becomes of octets on their way; noise, losses. As they are by default. */
  readonly distort?: ((octets: Uint8Array, to: "server" | "client") => Uint8Array) | undefined;
}

const OPTIONS = optionNames<MemoryPortsOptions>({ clock: true, octetsPerSecond: true, delayMs: true, buffer: true, distort: true });
/** Octets of one arrival at the other end: a full line of a console takes some. */
const PIECE = 64;

/** Two ends of a line inside the process, for the links that stand on one. Closing one end ends the other. @throws {ArgumentError} */
export function createMemoryPorts(options: MemoryPortsOptions = {}): { readonly client: OctetPort; readonly server: OctetPort } {
  checkOptions("createMemoryPorts", options, OPTIONS);
  const { clock = new SystemClock(), octetsPerSecond = Number.POSITIVE_INFINITY, delayMs = 0, buffer = 4096, distort } = options;
  checkRate("createMemoryPorts: octetsPerSecond", octetsPerSecond);
  checkMilliseconds("createMemoryPorts: delayMs", delayMs, 0, Number.MAX_SAFE_INTEGER);
  checkInteger("createMemoryPorts: buffer", buffer, 1, Number.MAX_SAFE_INTEGER);
  checkFunction("createMemoryPorts: distort", distort);
  const [client, server] = MemoryPort.pair({ clock, octetsPerSecond, delayMs, buffer, distort });
  return { client, server };
}

/** Octets a second, Infinity for no limit. @throws {ArgumentError} */
export function checkRate(what: string, value: unknown): void {
  if (typeof value !== "number" || !(value > 0)) throw new ArgumentError(`${what}: expected more than 0, got ${kindOf(value)}`);
}

interface Shared {
  readonly clock: Clock;
  readonly octetsPerSecond: number;
  readonly delayMs: number;
  readonly buffer: number;
  readonly distort: MemoryPortsOptions["distort"];
}

class MemoryPort extends Ending implements OctetPort {
  readonly info: OctetPort["info"];
  onOctets: ((octets: Uint8Array) => void) | undefined;
  readonly #shared: Shared;
  readonly #to: "server" | "client";
  readonly #waiting: Uint8Array[] = [];
  #waitingOctets = 0;
  #isSending = false;
  readonly #timers = new Set<Disposable>();
  readonly #room = new Set<Pending<void>>();
  #peer: MemoryPort | undefined;

  static pair(shared: Shared): [client: MemoryPort, server: MemoryPort] {
    const [client, server] = [new MemoryPort(shared, "server"), new MemoryPort(shared, "client")];
    client.#peer = server;
    server.#peer = client;
    return [client, server];
  }

  private constructor(shared: Shared, to: "server" | "client") {
    super();
    this.info = { kind: "memory", target: `the ${to} at the other end` };
    this.#shared = shared;
    this.#to = to;
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.reason) throw this.reason;
    for (let at = 0; at < octets.length; at += PIECE) this.#waiting.push(octets.slice(at, at + PIECE));
    this.#waitingOctets += octets.length;
    this.#sendNext();
    if (this.#waitingOctets <= this.#shared.buffer) return;
    const pending: Pending<void> = new Pending<void>({
      clock: this.#shared.clock,
      operation: "writing to a line",
      onSettled: () => this.#room.delete(pending),
    });
    this.#room.add(pending);
    await pending.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close(new ClosedError(`${this.info.target}: the line was closed`));
  }

  #sendNext(): void {
    if (this.#isSending) return;
    const piece = this.#waiting.shift();
    if (!piece) return;
    this.#isSending = true;
    const { octetsPerSecond, delayMs, distort, buffer } = this.#shared;
    this.#after((piece.length / octetsPerSecond) * 1000, () => {
      this.#isSending = false;
      this.#waitingOctets -= piece.length;
      const arriving = distort ? distort(piece, this.#to) : piece;
      if (arriving.length > 0) this.#after(delayMs, () => callOut(this.#peer?.onOctets, arriving));
      if (this.#waitingOctets <= buffer) for (const pending of [...this.#room]) pending.resolve();
      this.#sendNext();
    });
  }

  #after(ms: number, act: () => void): void {
    const timer = this.#shared.clock.setTimer(ms, "octets on a line", () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }

  protected leave(reason: BleError): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
    for (const pending of [...this.#room]) pending.reject(reason);
    this.#peer?.end(new ClosedError("the line was closed by the other side"));
  }
}
