import { type Clock, delay, onAbort, Pending } from "jelling/async";
import { BleError, type Logger } from "jelling/core";
import type { PumpSession } from "../connector/pump-session.ts";
import type { SessionChanges } from "../connector/session-changes.ts";
import { type LocalDateTime, secondsBetween } from "../data/date-time.ts";
import type { PumpValueName, PumpValues } from "./state.ts";
import { FIRST_READS, isRecorded, POLLED, READERS, SLOW, SLOW_UNPUSHED, valuesOf } from "./values.ts";

/** Bits that change together come together, or nearly so: they are collected for so long. */
const COLLECT_MS = 500;
/** Readings come every five minutes; without a push for so long one is missing. */
const DEAD_MAN_MS = 6 * 60_000;
/** What changes rarely, or of which the pump tells nothing. */
const SLOW_MS = 30 * 60_000;
/** What cannot be read is tried so often. */
const MOST_REPEATS = 5;
/** How often the history is looked at where no push tells of it. */
const HISTORY_MS = 5 * 60_000;
/** The pump's clock is read to the second, and takes a moment to be read; its user sets it by minutes. */
const CLOCK_SET_MS = 30_000;
/** What every session begins with. */
const SNAPSHOT: readonly PumpValueName[] = ["glucose", "battery", "sensorSession", "information"];

export interface SessionFollowerOptions {
  readonly session: PumpSession;
  readonly changes: SessionChanges;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pollMs: number;
  /** When what every session begins with was read; a moment ago by default. */
  readonly snapshotAtMs?: number | undefined;
  /** Of what every session begins with: what could not be read. */
  readonly unread?: readonly PumpValueName[] | undefined;
  /** A value could not be read, and stays what it was. */
  readonly fail?: ((name: PumpValueName, error: BleError) => void) | undefined;
  /** A value was read. */
  readonly tell: <Name extends PumpValueName>(name: Name, value: PumpValues[Name] | undefined) => void;
  /** The value that was told last. */
  readonly last: <Name extends PumpValueName>(name: Name) => PumpValues[Name] | undefined;
  /** The history may have grown. */
  readonly onHistory: () => void;
  readonly signal: AbortSignal;
}

/**
 * Reads what a pump shows for as long as a session lasts: first everything, then what the pump pushes as changed. Until its first push, and after
 * a push that could not be reset, it is asked every minute.
 */
export class SessionFollower {
  readonly #options: SessionFollowerOptions;
  readonly #over = new AbortController();
  readonly #readAtMs = new Map<PumpValueName, number>();
  /** What could not be read, and how often. */
  readonly #again = new Map<PumpValueName, number>();
  /** What the pump's clock showed last, and when. */
  #clock: { readonly local: LocalDateTime; readonly atMs: number } | undefined;
  #wake: (() => void) | undefined;
  #isPushed = false;
  /** Whether the pump pushes: it has, and was reset. */
  #isPushing = false;
  #historyAtMs: number;

  constructor(options: SessionFollowerOptions) {
    this.#options = options;
    this.#historyAtMs = options.clock.now();
  }

  /** Resolves when the session is over, or `signal` has aborted; never rejects for what the pump does. */
  async run(): Promise<void> {
    const { session, signal } = this.#options;
    using _signal = onAbort(signal, () => this.#over.abort(signal.reason));
    using _ended = session.onEnded((reason) => this.#over.abort(reason));
    if (signal.aborted) this.#over.abort(signal.reason);
    if (session.ended) this.#over.abort(session.ended);
    try {
      await this.#follow();
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    }
  }

  async #follow(): Promise<void> {
    const { clock, changes, pollMs, onHistory, snapshotAtMs = clock.now(), unread = [] } = this.#options;
    for (const name of SNAPSHOT) this.#readAtMs.set(name, snapshotAtMs);
    for (const name of unread) this.#again.set(name, 1);
    await this.#read(clock.now() - snapshotAtMs > pollMs ? [...SNAPSHOT, ...FIRST_READS] : FIRST_READS);
    onHistory();
    // Last of all: what has changed before is pushed at once.
    const follow = (): Promise<Disposable | undefined> =>
      this.#attempt("following its changes", () =>
        changes.follow(() => {
          this.#isPushed = true;
          this.#wake?.();
        }),
      );
    let following = await follow();
    let followedAtMs = clock.now();
    try {
      for (let dueMs = clock.now() + pollMs; ; ) {
        await this.#wait(dueMs);
        const isPushed = this.#isPushed;
        if (isPushed) {
          await this.#onPushed();
          followedAtMs = clock.now();
        }
        if (!isPushed || this.#isReadingOverdue()) {
          const again = [...this.#again.keys()].filter((name) => !POLLED.includes(name));
          await this.#poll();
          await this.#read(again);
          // A push that was lost, or a reset that was refused, leaves the pump silent for good: to whom subscribes it tells all of it again.
          if (following && clock.now() - followedAtMs >= DEAD_MAN_MS - pollMs) {
            following[Symbol.dispose]();
            following = await follow();
            followedAtMs = clock.now();
          }
        }
        await this.#read(this.#slow());
        dueMs = clock.now() + (this.#isPushing && this.#again.size === 0 ? DEAD_MAN_MS : pollMs);
      }
    } finally {
      following?.[Symbol.dispose]();
    }
  }

  /** A pump that pushes other things all the time has not pushed what it did not push. */
  #isReadingOverdue(): boolean {
    return this.#options.clock.now() - this.#readAtMs.get("glucose")! >= DEAD_MAN_MS + this.#options.pollMs;
  }

  async #onPushed(): Promise<void> {
    const { clock, changes } = this.#options;
    await delay(clock, COLLECT_MS, { signal: this.#over.signal });
    this.#isPushed = false;
    const pushed = changes.take();
    if (!pushed) return;
    await this.#read(valuesOf(pushed.bits));
    // What changes between a read and the reset is told by the next push, or asked for after six minutes.
    this.#isPushing = (await this.#attempt("resetting what has changed", () => changes.reset(pushed))) ?? false;
    if (!this.#isPushing) this.#options.logger.warn("the pump did not take the reset of what has changed: it is asked every so often");
    if (isRecorded(pushed.bits)) this.#onHistory();
  }

  async #poll(): Promise<void> {
    await this.#read(POLLED);
    if (this.#options.clock.now() - this.#historyAtMs >= HISTORY_MS) this.#onHistory();
  }

  #onHistory(): void {
    this.#historyAtMs = this.#options.clock.now();
    this.#options.onHistory();
  }

  #slow(): PumpValueName[] {
    const nowMs = this.#options.clock.now();
    const names = this.#isPushing ? SLOW : [...SLOW, ...SLOW_UNPUSHED];
    return names.filter((name) => nowMs - (this.#readAtMs.get(name) ?? Number.NEGATIVE_INFINITY) >= SLOW_MS);
  }

  /** One after the other. A value that cannot be read stays what it was. */
  async #read(names: readonly PumpValueName[]): Promise<void> {
    const open = [...names];
    for (let name = open.shift(); name; name = open.shift()) {
      const also = await this.#readOne(name);
      for (const next of also) if (!open.includes(next)) open.push(next);
    }
  }

  /** @returns what has to be read as well */
  async #readOne<Name extends PumpValueName>(name: Name): Promise<PumpValueName[]> {
    const { session, clock, tell, fail, last } = this.#options;
    const before = last(name);
    const read = await this.#attempt(
      `reading ${name}`,
      async () => ({ value: await READERS[name](session, { signal: this.#over.signal }) }),
      (error) => fail?.(name, error),
    );
    // Also of one that cannot be read: it is not asked for the sooner.
    this.#readAtMs.set(name, clock.now());
    if (!read) {
      // The pump does not push again what it has pushed: it is asked once more a little later, though not for ever.
      const times = (this.#again.get(name) ?? 0) + 1;
      if (times <= MOST_REPEATS) this.#again.set(name, times);
      else this.#again.delete(name);
      return [];
    }
    this.#again.delete(name);
    tell(name, read.value);
    if (name === "clock" && this.#wasSet(read.value as PumpValues["clock"] | undefined)) return ["sensorSession", "glucose"];
    return follows(name, before, read.value);
  }

  /** Whether the pump's clock was set since it was read before: all of its times are others then. */
  #wasSet(local: LocalDateTime | undefined): boolean {
    if (!local) return false;
    const atMs = this.#options.clock.now();
    const before = this.#clock;
    this.#clock = { local, atMs };
    return before !== undefined && Math.abs(1000 * secondsBetween(before.local, local) - (atMs - before.atMs)) >= CLOCK_SET_MS;
  }

  /** undefined where it fails and the session goes on. @throws why it does not */
  async #attempt<T>(what: string, act: () => Promise<T>, onFailure?: (error: BleError) => void): Promise<T | undefined> {
    this.#over.signal.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      this.#over.signal.throwIfAborted();
      if (!(error instanceof BleError)) throw error;
      this.#options.logger.warn(() => `${what}: ${error.message}`);
      onFailure?.(error);
      return undefined;
    }
  }

  /** Until something was pushed, or it is time. */
  async #wait(untilMs: number): Promise<void> {
    const { clock } = this.#options;
    const operation = "the pump's next change";
    const pending = new Pending<void>({ clock, operation, signal: this.#over.signal });
    using _ = clock.setTimer(Math.max(0, untilMs - clock.now()), operation, () => pending.resolve());
    this.#wake = () => pending.resolve();
    if (this.#isPushed) pending.resolve();
    await pending.promise;
  }
}

/** What a value's change asks for. */
function follows(name: PumpValueName, before: unknown, after: unknown): PumpValueName[] {
  if (name === "status") {
    // The reason why there was no value is gone: there is one.
    const [was, is] = [before, after].map((status) => (status as PumpValues["status"] | undefined)?.sensorMessage);
    return was !== undefined && was !== "no_message" && is === "no_message" ? ["glucose"] : [];
  }
  if (name !== "glucose") return [];
  const [was, is] = [before, after].map((latest) => offsetOf(latest as PumpValues["glucose"] | undefined));
  // Its offset counts from the beginning of its session: a smaller one is of another sensor.
  const isOther = was !== is && (was === undefined || is === undefined || is < was);
  return isOther ? ["sensorSession", "sensorDetails"] : [];
}

function offsetOf(latest: PumpValues["glucose"] | undefined): number | undefined {
  return latest === undefined || latest.kind === "no-sensor" ? undefined : latest.timeOffsetMin;
}
