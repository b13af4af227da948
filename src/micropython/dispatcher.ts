import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/index.ts";
import { kindOf, type Logger, TimeoutError } from "../core/index.ts";
import type { Connection } from "../device/index.ts";
import { EventQueue, type IrqResult } from "./event-queue.ts";
import { type BleEvent, FIRST_OWN_CODE, toTuple } from "./events.ts";

/** The program's handler. What it promises is waited for before the next event of the same connection. */
export type IrqHandler = (event: BleEvent) => IrqResult | Promise<IrqResult>;
/** The same in MicroPython's form. */
export type TupleHandler = (code: number, data: unknown[]) => IrqResult | Promise<IrqResult>;

/** How long a handler may take to keep its promise: the limit of an ATT transaction (Vol 3 Part F 3.3.3), in milliseconds. */
const GUARD_MS = 30_000;
/** What an event takes in the ring buffer of MicroPython's ports that have one, beside its data: code, lengths, address. */
const SCAN_RESULT_OVERHEAD = 12;

export interface DispatcherOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The handler is taken away when it fails, as MicroPython does. */
  readonly isStrict: boolean;
  readonly onHandlerError: ((error: unknown, event: BleEvent) => void) | undefined;
  /** Octets of scan results that may wait for a handler. */
  readonly rxbuf: () => number;
}

/**
 * Tells the program of events. Each connection has its own order; while the program is busy with an event of one, nothing of its peer is
 * looked at. The handler may throw, reject or never answer: its answer is then absent, and the program hears of it.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #links = new WeakMap<Connection, EventQueue>();
  readonly #loose: EventQueue;
  readonly #guards = new Set<() => void>();
  #handler: IrqHandler | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#loose = new EventQueue({ call: (event) => this.#call(event), admit: (waiting, event) => this.#admit(waiting, event) });
  }

  /** The handler from now on. */
  setHandler(handler: IrqHandler | undefined): void {
    this.#handler = handler;
  }

  /** @param withOwn also for Jelling's own events, of code 100 and above */
  setTupleHandler(handler: TupleHandler, withOwn: boolean): void {
    this.#handler = (event) => (event.code >= FIRST_OWN_CODE && !withOwn ? undefined : handler(...toTuple(event)));
  }

  /**
   * Calls the handler now, or when it is done with what came before on this connection. Where it gives a promise, what the peer sends waits
   * until that is kept, for 30 s at most. Events without a connection have an order of their own, in which scan results give way.
   *
   * @param onBegun called when the handler has been called, or is not going to be
   */
  raise(event: BleEvent, connection?: Connection, onBegun?: () => void): void {
    if (connection) this.#queue(connection).post(event, onBegun);
    else this.#loose.post(event, onBegun);
  }

  /**
   * The same, with the answer: at once where the handler answers at once. A question without a connection waits for nothing: it may be asked
   * on behalf of a handler that is under way.
   */
  ask(event: BleEvent, connection?: Connection): IrqResult | Promise<IrqResult> {
    return connection ? this.#queue(connection).ask(event) : this.#call(event);
  }

  /** Keeps back what happens on a new connection until `open`. */
  hold(connection: Connection): void {
    this.#queue(connection).hold();
  }

  /** Ends `hold`; `event` goes before all that was kept back. */
  open(connection: Connection, event: BleEvent): void {
    this.#queue(connection).open(event);
  }

  /** The last event of this connection has been raised. */
  seal(connection: Connection): void {
    this.#queue(connection).seal();
  }

  /** Calls `act` when the program is done with the last event of this connection. */
  whenDone(connection: Connection, act: () => void): void {
    this.#queue(connection).whenDone(act);
  }

  /** The program hears nothing more of this connection. */
  drop(connection: Connection): void {
    this.#queue(connection).drop();
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#handler = undefined;
    this.#loose.drop();
    for (const giveUp of this.#guards) giveUp();
  }

  #queue(connection: Connection): EventQueue {
    let queue = this.#links.get(connection);
    if (!queue) {
      queue = new EventQueue({ call: (event) => this.#call(event), pause: () => connection.pause() });
      this.#links.set(connection, queue);
    }
    return queue;
  }

  #call(event: BleEvent): IrqResult | Promise<IrqResult> {
    const handler = this.#handler;
    if (!handler) return undefined;
    try {
      const result = handler(event);
      return isThenable(result) ? this.#guard(handler, result, event) : result;
    } catch (error) {
      this.#failed(handler, error, event);
      return undefined;
    }
  }

  /** A promise that is kept in time, whatever becomes of the handler's. */
  #guard(handler: IrqHandler, answer: PromiseLike<IrqResult>, event: BleEvent): Promise<IrqResult> {
    return new Promise((resolve) => {
      const settle = (result: IrqResult): void => {
        timer[Symbol.dispose]();
        this.#guards.delete(giveUp);
        resolve(result);
      };
      const giveUp = (): void => settle(undefined);
      const timer = this.#options.clock.setTimer(GUARD_MS, "an answer of the irq handler", () => {
        settle(undefined);
        this.#report(new TimeoutError(`the irq handler (${event.type})`, GUARD_MS), event);
      });
      this.#guards.add(giveUp);
      // The program's own kind of promise may throw where it is asked.
      Promise.resolve(answer).then(settle, (error: unknown) => {
        settle(undefined);
        this.#failed(handler, error, event);
      });
    });
  }

  #failed(handler: IrqHandler, error: unknown, event: BleEvent): void {
    if (this.#options.isStrict && this.#handler === handler) this.#handler = undefined;
    this.#report(error, event);
  }

  #report(error: unknown, event: BleEvent): void {
    const { onHandlerError, logger } = this.#options;
    if (onHandlerError) callOut(onHandlerError, error, event);
    else logger.error(() => `unhandled exception in the irq handler (${event.type}): ${textOf(error)}`);
  }

  /** Scan results that wait are bounded, and give way to everything else. */
  #admit(waiting: { readonly event: BleEvent }[], event: BleEvent): boolean {
    const most = this.#options.rxbuf();
    let octets = sizeOf(event);
    for (const { event: other } of waiting) octets += sizeOf(other);
    if (octets <= most) return true;
    if (event.type === "scanResult") return !waiting.some((other) => other.event.type === "scanResult");
    for (let i = 0; i < waiting.length && octets > most; ) {
      if (waiting[i]!.event.type === "scanResult") octets -= sizeOf(waiting.splice(i, 1)[0]!.event);
      else i++;
    }
    return true;
  }
}

function sizeOf(event: BleEvent): number {
  return SCAN_RESULT_OVERHEAD + (event.type === "scanResult" ? event.advData.length : 0);
}

function isThenable(value: unknown): value is PromiseLike<IrqResult> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** What a program threw may be anything, also what refuses to be text. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return kindOf(error);
  }
}
