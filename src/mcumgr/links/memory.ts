import { type Clock, SystemClock } from "../../async/clock.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import { checkFunction, checkInteger, checkMilliseconds, checkOctets, checkOptions, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError } from "../../core/error.ts";
import { type RandomSource, SeededRandom } from "../../core/random.ts";
import type { McumgrLink, ServerBuffers } from "./link.ts";
import { LinkBase, LONGEST_MESSAGE } from "./link-base.ts";
import { checkRate } from "./memory-port.ts";

/** Whom a message goes to. */
export type MemoryLinkDirection = "server" | "client";

export interface MemoryLinksOptions {
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /** How long a message is on its way, in milliseconds; 0 by default, which is the next microtask. Messages never overtake each other. */
  readonly delayMs?: number | ((message: Uint8Array, to: MemoryLinkDirection) => number) | undefined;
  /** How fast messages leave each end, in octets a second; as fast as they come by default. `send` resolves when its message has left. */
  readonly octetsPerSecond?: number | undefined;
  /** Share of the messages that is lost, from 0 to 1, or a function that is asked of each and says true for those that are lost. */
  readonly loss?: number | ((message: Uint8Array, to: MemoryLinkDirection) => boolean) | undefined;
  /** Longest message in octets that either end takes; what a header can tell by default. */
  readonly limit?: number | undefined;
  /**
   * The links' `provenLimit`, in octets; `limit` by default. Where it is left out, a server that does not tell its buffers is taken to have the
   * smallest that are built, of 384 octets.
   */
  readonly provenLimit?: number | undefined;
  /** Draws what is lost; the same each time by default. */
  readonly random?: RandomSource | undefined;
}

export interface MemoryLinks {
  readonly client: McumgrLink;
  readonly server: McumgrLink;
  /** Ends both links at once, as a radio out of reach does. What is on its way is lost. @param reason a ClosedError by default */
  cut(reason?: BleError): void;
}

const OPTIONS = optionNames<MemoryLinksOptions>({
  clock: true,
  delayMs: true,
  octetsPerSecond: true,
  loss: true,
  limit: true,
  provenLimit: true,
  random: true,
});

/** The buffers that servers are built with by default. */
const DEFAULT_BUF_SIZE = 384;

interface Shared {
  readonly clock: Clock;
  readonly delayOf: (message: Uint8Array, to: MemoryLinkDirection) => number;
  readonly isLost: (message: Uint8Array, to: MemoryLinkDirection) => boolean;
  readonly octetsPerSecond: number;
  readonly limit: number;
  readonly provenLimit: number;
  /** Longest message where the server does not tell. */
  readonly untoldLimit: number;
  readonly isLossy: boolean;
}

/** Two links inside the process: what one end sends the other's `onMessage` gets. Closing one end ends the other. @throws {ArgumentError} */
export function createMemoryLinks(options: MemoryLinksOptions = {}): MemoryLinks {
  checkOptions("createMemoryLinks", options, OPTIONS);
  const { clock = new SystemClock(), delayMs = 0, octetsPerSecond = Number.POSITIVE_INFINITY, loss = 0 } = options;
  const { limit = LONGEST_MESSAGE, provenLimit = limit, random = new SeededRandom(1, "mcumgr memory link") } = options;
  checkInteger("createMemoryLinks: limit", limit, 8, LONGEST_MESSAGE);
  checkInteger("createMemoryLinks: provenLimit", provenLimit, 8, limit);
  if (typeof delayMs === "number") checkMilliseconds("createMemoryLinks: delayMs", delayMs, 0, Number.MAX_SAFE_INTEGER);
  else checkFunction("createMemoryLinks: delayMs", delayMs);
  if (typeof loss === "function") checkFunction("createMemoryLinks: loss", loss);
  else if (typeof loss !== "number" || !(loss >= 0 && loss <= 1))
    throw new ArgumentError(`createMemoryLinks: loss: expected a share from 0 to 1, got ${kindOf(loss)}`);
  checkRate("createMemoryLinks: octetsPerSecond", octetsPerSecond);
  const drawn = new Uint32Array(1);
  const draw = (): number => {
    random.fill(new Uint8Array(drawn.buffer));
    return drawn[0]! / 2 ** 32;
  };
  const shared: Shared = {
    clock,
    delayOf: typeof delayMs === "number" ? () => delayMs : delayMs,
    isLost: typeof loss === "number" ? () => loss > 0 && draw() < loss : loss,
    octetsPerSecond,
    limit,
    provenLimit,
    untoldLimit: options.provenLimit ?? Math.min(limit, DEFAULT_BUF_SIZE),
    isLossy: loss !== 0,
  };
  const [client, server] = MemoryLink.pair(shared);
  return {
    client,
    server,
    cut: (reason = new ClosedError("the link was cut")) => {
      client.cut(reason);
      server.cut(reason);
    },
  };
}

class MemoryLink extends LinkBase {
  readonly isLossy: boolean;
  readonly provenLimit: number;
  readonly #shared: Shared;
  readonly #to: MemoryLinkDirection;
  readonly #leaving = new Set<Pending<void>>();
  readonly #timers = new Set<Disposable>();
  #peer: MemoryLink | undefined;
  /** When the last octet of what was sent before has left, and when it arrives. */
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #arrivesAtMs = Number.NEGATIVE_INFINITY;

  static pair(shared: Shared): [client: MemoryLink, server: MemoryLink] {
    const [client, server] = [new MemoryLink(shared, "server"), new MemoryLink(shared, "client")];
    client.#peer = server;
    server.#peer = client;
    return [client, server];
  }

  private constructor(shared: Shared, to: MemoryLinkDirection) {
    super({ kind: "memory", target: `the ${to} at the other end` });
    this.#shared = shared;
    this.#to = to;
    this.isLossy = shared.isLossy;
    this.provenLimit = shared.provenLimit;
  }

  messageLimit(buffers: ServerBuffers | undefined): number {
    return buffers ? Math.min(this.#shared.limit, buffers.bufSize) : this.#shared.untoldLimit;
  }

  async send(message: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("send: message", message);
    this.checkSend(message, this.#shared.limit);
    options.signal?.throwIfAborted();
    const { clock, octetsPerSecond, isLost, delayOf } = this.#shared;
    const copy = message.slice(); // the receiver's, and the sender may use its own again
    const nowMs = clock.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (copy.length / octetsPerSecond) * 1000;
    const leavesInMs = this.#freeAtMs - nowMs;
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, this.#freeAtMs + delayOf(copy, this.#to));
    const arrivesInMs = this.#arrivesAtMs - nowMs;
    if (!isLost(copy, this.#to)) this.#after(arrivesInMs, "mcumgr message arrives", () => this.#peer?.deliver(copy));
    if (leavesInMs === 0) return;
    const pending: Pending<void> = new Pending<void>({
      clock,
      operation: "sending an mcumgr message",
      ...options,
      onSettled: () => this.#leaving.delete(pending),
    });
    this.#leaving.add(pending);
    this.#after(leavesInMs, "mcumgr message leaves", () => pending.resolve());
    await pending.promise;
  }

  resynchronise(): void {}

  /** The end comes from outside. */
  cut(reason: BleError): void {
    if (this.#peer) this.#peer.#peer = undefined; // which would tell it that we have closed
    this.#peer = undefined;
    this.end(reason);
  }

  protected release(reason: BleError): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
    for (const pending of [...this.#leaving]) pending.reject(reason);
    const peer = this.#peer;
    this.#peer = undefined;
    peer?.end(new ClosedError("the link was closed by the other side"));
  }

  #after(ms: number, name: string, act: () => void): void {
    if (ms <= 0 && this.#timers.size === 0) {
      // Only where nothing is due at this instant that was sent before.
      queueMicrotask(() => {
        if (!this.reason) act();
      });
      return;
    }
    const timer = this.#shared.clock.setTimer(ms, name, () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }
}
