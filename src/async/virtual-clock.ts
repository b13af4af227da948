import { StateError } from "../core/error.ts";
import { type Clock, overdue, quiet } from "./clock.ts";
import { Turns, turn } from "./turn.ts";

/** A timer, and what its owner disposes: the air sets one for each of its events, and an object of its own for that took most of the time. */
class Timer implements Disposable {
  readonly dueMs: number;
  readonly sequence: number;
  readonly name: string;
  fire: (() => unknown) | undefined;
  readonly #onDisposed: () => void;

  constructor(dueMs: number, sequence: number, name: string, fire: () => unknown, onDisposed: () => void) {
    this.dueMs = dueMs;
    this.sequence = sequence;
    this.name = name;
    this.fire = fire;
    this.#onDisposed = onDisposed;
  }

  [Symbol.dispose](): void {
    if (!this.fire) return;
    this.fire = undefined;
    this.#onDisposed();
  }
}

/** After so many quiet timers in a row the event loop gets a turn all the same, so that real signals and I/O are served. */
const LONGEST_QUIET_RUN = 4096;

/** Disposed timers are swept out together: this many at least, and as many as are still set, so that each costs the same however many there are. */
const LEAST_SWEPT = 256;

/**
 * Simulated time. It stands still while any code is running or about to run, and jumps to the next timer once every pending turn of the
 * event loop has settled; so a scenario's outcome depends on nothing but its inputs.
 *
 * By default it runs by itself whenever a timer is set: awaiting a simulated operation is all a program does. With `auto: false` only
 * `advance` and `run` move it.
 */
export class VirtualClock implements Clock, Disposable {
  readonly #auto: boolean;
  #nowMs: number;
  #sequence = 0;
  #heap: Timer[] = [];
  #live = 0;
  #driving = false;
  #stopped = false;
  #holds = 0;
  /** While a timer fires: up to when time may go on without a turn of the event loop, and after how many more quiet timers it must not. */
  #passUntilMs = Number.NEGATIVE_INFINITY;
  #quietLeft = 0;
  /** What fired last and was not quiet, and what did so twice in a row: a source of timers, such as the air. */
  #lastFire: (() => unknown) | undefined;
  #source: (() => unknown) | undefined;
  readonly #turns = new Turns((isOwn) => this.#goOn(isOwn));
  #onReleased: (() => void)[] = [];
  readonly #onDisposed = (): void => {
    this.#live--;
    const disposed = this.#heap.length - this.#live;
    if (disposed > LEAST_SWEPT && disposed > this.#live) this.#sweep();
  };

  constructor({ auto = true, startMs = 0 }: { auto?: boolean; startMs?: number } = {}) {
    this.#auto = auto;
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, name: string, fire: () => unknown): Disposable {
    const timer = new Timer(this.#nowMs + Math.max(0, delayMs), this.#sequence++, name, fire, this.#onDisposed);
    this.#push(timer);
    this.#live++;
    if (this.#auto && !this.#driving && !this.#stopped) {
      this.#driving = true;
      this.#turns.next();
    }
    return timer;
  }

  pass(delayMs: number): boolean {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    // Of the same time, what was set earlier comes first.
    if (dueMs > this.#passUntilMs || this.#quietLeft === 0 || (this.#next()?.dueMs ?? Number.POSITIVE_INFINITY) <= dueMs) return false;
    this.#quietLeft--;
    this.#nowMs = dueMs;
    return true;
  }

  /** Time stands still until the result is disposed; several holds add up. `advance` and `run` wait as well, `block` does not. */
  hold(): Disposable {
    this.#holds++;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        if (--this.#holds === 0) this.#release();
      },
    };
  }

  /** Names of the timers still set, the next one first. For diagnosing a scenario that does not end. */
  get pending(): string[] {
    return this.#heap
      .filter((timer) => timer.fire)
      .sort(before)
      .map((timer) => timer.name);
  }

  /** Timers held, disposed ones that were not let go of yet among them. */
  get held(): number {
    return this.#heap.length;
  }

  /** Lets `ms` of simulated time pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    if (this.#auto) {
      await new Promise<void>((resolve) => this.setTimer(ms, "advance", resolve));
      return;
    }
    await this.#settle();
    while ((this.#next()?.dueMs ?? Number.POSITIVE_INFINITY) <= untilMs) {
      this.#fireNext(untilMs);
      await this.#settle();
    }
    this.#nowMs = untilMs;
  }

  /**
   * Lets up to `ms` of simulated time pass within this call, as code does that blocks: timers fire, but no promise's reaction runs meanwhile.
   *
   * @param isEnough asked before each timer; true ends it there
   */
  block(ms: number, isEnough: () => boolean): void {
    const untilMs = this.#nowMs + ms;
    while (!isEnough()) {
      if ((this.#next()?.dueMs ?? Number.POSITIVE_INFINITY) > untilMs) {
        this.#nowMs = untilMs;
        return;
      }
      this.#fireNext(untilMs);
    }
  }

  /** Moves time until `promise` settles, and gives its outcome. @throws {StateError} no timer is left that could settle it */
  async run<T>(promise: Promise<T>): Promise<T> {
    if (this.#auto) return promise;
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.#settle();
    while (!settled) {
      if (!this.#next()) throw new StateError("the simulation stands still: something is awaited and no timer is set");
      this.#fireNext(Number.POSITIVE_INFINITY);
      await this.#settle();
    }
    return promise;
  }

  /** Stops the clock for good: no timer fires any more. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#passUntilMs = Number.NEGATIVE_INFINITY;
    this.#heap = [];
    this.#live = 0;
    this.#release();
  }

  /** Everything pending has settled: the next timer, and so on until none is left. */
  #goOn(isOwnTurn: boolean): void {
    if (this.#stopped || this.#live === 0) this.#driving = false;
    else if (this.#holds > 0) this.#onReleased.push(() => this.#turns.next());
    else {
      try {
        if (this.#fireNext(Number.POSITIVE_INFINITY, isOwnTurn)) this.#turns.soon();
        else this.#turns.next();
      } catch (error) {
        this.#driving = false; // until another timer is set
        throw error;
      }
    }
  }

  /** Until every pending turn has settled, and nothing holds the time. */
  async #settle(): Promise<void> {
    await turn();
    while (this.#holds > 0 && !this.#stopped) {
      await new Promise<void>((resolve) => this.#onReleased.push(resolve));
      await turn();
    }
  }

  #release(): void {
    for (const goOn of this.#onReleased.splice(0)) goOn();
  }

  /**
   * Fires the next timer, and those after it as long as they are quiet.
   *
   * @param isOwnTurn the event loop has had a turn; otherwise only what fires again and again does so, as the air for each of its events, and
   * whatever takes real time has had that turn before a deadline
   * @returns false where the event loop is to have a turn first
   */
  #fireNext(untilMs: number, isOwnTurn = true): boolean {
    for (this.#quietLeft = LONGEST_QUIET_RUN; this.#quietLeft > 0; this.#quietLeft--) {
      const timer = this.#next();
      if (!timer || timer.dueMs > untilMs) return true;
      const fire = timer.fire!;
      if (!isOwnTurn && fire !== this.#source) return false;
      this.#pop();
      this.#live--;
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.fire = undefined;
      this.#passUntilMs = untilMs;
      let outcome: unknown;
      try {
        outcome = fire();
      } finally {
        this.#passUntilMs = Number.NEGATIVE_INFINITY;
      }
      if (outcome === quiet) continue;
      if (fire === this.#lastFire) this.#source = fire;
      this.#lastFire = fire;
      return outcome !== overdue;
    }
    return false;
  }

  #next(): Timer | undefined {
    while (this.#heap.length > 0 && !this.#heap[0]!.fire) this.#pop();
    return this.#heap[0];
  }

  /** Lets go of disposed timers, which would else stay until they were due: a program that sets a timeout per request would keep them all. */
  #sweep(): void {
    // A list in order is a heap.
    this.#heap = this.#heap.filter((timer) => timer.fire).sort(before);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, timer) <= 0) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!) < 0) child++;
      if (before(last, heap[child]!) <= 0) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Timer, b: Timer): number {
  return a.dueMs - b.dueMs || a.sequence - b.sequence;
}
