import { Broadcast, type Clock, callOut, onAbort, rethrowLater } from "jelling/async";
import {
  ArgumentError,
  BleError,
  ClosedError,
  checkFunction,
  checkMilliseconds,
  checkOperation,
  checkOptions,
  kindOf,
  Logger,
  optionNames,
} from "jelling/core";
import type { PumpConnectorOptions } from "../connector/options.ts";
import { PumpConnector } from "../connector/pump-connector.ts";
import type { PumpSession, PumpSnapshot } from "../connector/pump-session.ts";
import { changesOf } from "../connector/session-changes.ts";
import { redactingLogger, redactText } from "../redact.ts";
import { SessionFollower } from "./session-follower.ts";
import { olderBy, SleepLedger } from "./sleep.ts";
import type { PumpProblems, PumpState, PumpValueName, PumpValues, Told, WallClock } from "./state.ts";

const DEFAULT_POLL_MS = 60_000;
const SHORTEST_POLL_MS = 1000;
const LONGEST_POLL_MS = 3600_000;
/** A pump that is near comes within a minute or two. */
const LONG_WAIT_MS = 5 * 60_000;
/** Whether the computer slept is looked at so often, where nothing else happens. */
const SLEEP_LOOK_MS = 60_000;
/** What the clock said so shortly before is of the time after a sleep. */
const AWAKE_MS = 1000;
const LONG_WAIT_HINT =
  "The pump has not come for minutes. Is it near, and is no other phone paired with it? Where it does not list this device any more, or lists it and does not come: remove it there and pair again.";

export interface PumpMonitorOptions {
  /** How often the pump is asked until it pushes what has changed, in ms: a minute by default. */
  readonly pollMs?: number | undefined;
  /** Of what goes wrong while reading. Lines have no full address, name or serial number. */
  readonly logger?: Logger | undefined;
  /**
   * Keeps the history: called when the first reads of a session are done, and when the pump says that it has recorded something; never again before
   * what it returned has settled. The signal aborts with the session. What it throws is reported as the program's, and harms nothing.
   */
  readonly history?: ((session: PumpSession, signal: AbortSignal) => void | Promise<void>) | undefined;
  /** Dates the state: `Date.now` by default. */
  readonly wallClock?: WallClock | undefined;
}

const CHANGES_OPTIONS = optionNames<{ signal?: AbortSignal }>({ signal: true });
const OPTIONS = optionNames<PumpMonitorOptions>({ pollMs: true, logger: true, history: true, wallClock: true });

/**
 * What a pump shows, kept up to date for as long as its connector lives: what it pushes as changed is read again, what it does not push is asked
 * for, and values outlive their connection with their age. For information only: no dose may be based on it.
 */
export class PumpMonitor implements AsyncDisposable {
  readonly #connector: PumpConnector;
  readonly #ownsConnector: boolean;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pollMs: number;
  readonly #sleeps: SleepLedger;
  readonly #history: PumpMonitorOptions["history"];
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(state: PumpState) => void>();
  readonly #sessionListeners = new Set<(session: PumpSession) => void>();
  readonly #changes = new Broadcast<PumpState>();
  readonly #subscription: Disposable;
  readonly #running: Promise<void>;
  #state!: PumpState;
  #values: PumpState["values"] = Object.freeze({});
  #problems: PumpProblems = Object.freeze({});
  #heardAtMs: number | undefined;
  #session: PumpSession | undefined;
  /** Of the pump whose values these are. */
  #identity: string | undefined;
  #longWait: Disposable | undefined;
  #sleepLook: Disposable | undefined;
  #isLongWait = false;
  #ended: string | undefined;
  #endedAtMs = 0;

  /**
   * Follows a connector, which stays its owner's.
   *
   * @throws {ArgumentError} an unknown option, or a value of a wrong kind
   */
  constructor(
    connector: PumpConnector,
    options: PumpMonitorOptions = {},
    { ownsConnector = false }: { readonly ownsConnector?: boolean } = {},
  ) {
    checkMonitorOptions(options);
    if (typeof connector?.session !== "function" || typeof connector.on !== "function")
      throw new ArgumentError(`PumpMonitor: expected a PumpConnector, got ${kindOf(connector)}`);
    const { pollMs = DEFAULT_POLL_MS, logger = Logger.silent, history, wallClock = Date.now } = options;
    this.#connector = connector;
    this.#ownsConnector = ownsConnector;
    this.#clock = connector.clock;
    this.#logger = redactingLogger(logger).child("monitor");
    this.#pollMs = pollMs;
    this.#history = history;
    this.#sleeps = new SleepLedger(wallClock, this.#clock.now());
    this.#change();
    this.#subscription = connector.on((event) => {
      if (event.type === "connected") this.#heardAtMs = event.timeMs;
      this.#change();
    });
    this.#watchSleep();
    this.#running = this.#run();
  }

  /**
   * Opens a connector, follows it, and closes it at its own end.
   *
   * @throws what `PumpConnector.open` throws
   */
  static async open(given: PumpConnectorOptions & PumpMonitorOptions): Promise<PumpMonitor> {
    const { pollMs, logger, history, wallClock, ...options } = given ?? {};
    const own = { pollMs, logger, history, wallClock };
    checkMonitorOptions(own);
    return new PumpMonitor(await PumpConnector.open({ ...options, logger }), own, { ownsConnector: true });
  }

  /** What is known now. */
  get state(): PumpState {
    return this.#state;
  }
  /** The session that is up. Its operations take turns with those of the monitor. */
  get session(): PumpSession | undefined {
    return this.#session;
  }
  get connector(): PumpConnector {
    return this.#connector;
  }

  /**
   * The present state, then the newest after every change; who is slow misses those in between. Ends with the monitor.
   *
   * @throws `signal.reason`
   */
  changes(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<PumpState> {
    checkOperation("PumpMonitor.changes", options, CHANGES_OPTIONS);
    const subscription = this.#changes.subscribe({ capacity: 1, signal: options.signal });
    subscription.push(this.#state);
    return subscription;
  }

  /** Calls `listener` with every change; dispose the result to stop. What it throws is the program's, and harms nothing. */
  on(listener: (state: PumpState) => void): Disposable {
    checkFunction("PumpMonitor.on", listener ?? null);
    const entry = (state: PumpState): void => listener(state); // so that a function given twice is two
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) };
  }

  /** Calls `listener` with every session that is ready, and at once with the one that is. */
  onSession(listener: (session: PumpSession) => void): Disposable {
    checkFunction("PumpMonitor.onSession", listener ?? null);
    const entry = (session: PumpSession): void => listener(session);
    this.#sessionListeners.add(entry);
    if (this.#session) callOut(entry, this.#session);
    return { [Symbol.dispose]: () => void this.#sessionListeners.delete(entry) };
  }

  /** Resolves when it has ended: it was closed, or its connector was. Never rejects. */
  get closed(): Promise<void> {
    return this.#running;
  }

  /** Stops following. A connector that it has opened is closed, another one goes on. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError("the pump monitor was closed"));
    await this.#running;
    if (this.#ownsConnector) await this.#connector.close();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // --- sessions -----------------------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    try {
      for (;;) {
        signal.throwIfAborted(); // a session that is up is given to who asks, whatever its signal says
        const { session, snapshot } = await this.#connector.session({ signal });
        await this.#follow(session, snapshot);
      }
    } catch (error) {
      // What a connector ends with may be the reason of its own signal, of any kind; that is nobody's fault.
      const isEnd = signal.aborted || this.#connector.ended === error;
      this.#ended = signal.aborted
        ? "the monitor was closed"
        : error instanceof Error && (isEnd || error instanceof BleError)
          ? redactText(error.message)
          : "an error of the program";
      if (!isEnd && !(error instanceof BleError)) rethrowLater(error);
      this.#endedAtMs = this.#clock.now();
    } finally {
      this.#session = undefined;
      this.#subscription[Symbol.dispose]();
      this.#change();
      this.#longWait?.[Symbol.dispose]();
      this.#sleepLook?.[Symbol.dispose]();
      this.#listeners.clear();
      this.#sessionListeners.clear();
      this.#changes.close();
    }
  }

  async #follow(
    session: PumpSession,
    { atMs: snapshotAtMs, information, batteryPercent, sensor, latest, problems }: PumpSnapshot,
  ): Promise<void> {
    const identity = session.identity.toHex();
    // Another pump's values are not this one's.
    if (this.#identity !== identity) {
      this.#values = Object.freeze({});
      this.#problems = Object.freeze({});
    }
    this.#identity = identity;
    this.#session = session;
    this.#noticeSleep();
    // Who comes late to a session gets what it began with.
    const told = <T>(value: T | undefined): Told<T> => Object.freeze({ value, atMs: snapshotAtMs });
    const begun: [name: PumpValueName, value: unknown, problem: Error | undefined][] = [
      ["information", information, problems.information],
      ["battery", batteryPercent, problems.batteryPercent],
      ["sensorSession", sensor, problems.sensor],
      ["glucose", latest, problems.latest],
    ];
    const unread = begun.filter(([, , problem]) => problem !== undefined).map(([name]) => name);
    for (const [name, value, problem] of begun) {
      this.#noteProblem(name, problem?.message);
      if (!problem) this.#values = Object.freeze({ ...this.#values, [name]: told(value) });
    }
    this.#change();
    for (const listener of [...this.#sessionListeners]) callOut(listener, session);
    const over = new AbortController();
    using _closing = onAbort(this.#closing.signal, () => over.abort(this.#closing.signal.reason));
    using _ended = session.onEnded((reason) => over.abort(reason));
    const follower = new SessionFollower({
      session,
      changes: changesOf(session),
      clock: this.#clock,
      logger: this.#logger,
      pollMs: this.#pollMs,
      snapshotAtMs,
      unread,
      tell: (name, value) => this.#tell(name, value),
      fail: (name, error) => {
        if (this.#noteProblem(name, error.message)) this.#change();
      },
      last: (name) => this.#values[name]?.value as never,
      onHistory: this.#historyKeeper(session, over.signal),
      signal: this.#closing.signal,
    });
    try {
      await follower.run();
    } finally {
      this.#session = undefined;
      this.#heardAtMs = session.heardAtMs;
      this.#change();
    }
  }

  /** Calls `history` when it is wanted, once more when it was wanted meanwhile. */
  #historyKeeper(session: PumpSession, signal: AbortSignal): () => void {
    const history = this.#history;
    if (!history) return () => undefined;
    let isRunning = false;
    let isWanted = false;
    const run = async (): Promise<void> => {
      isRunning = true;
      while (isWanted && !signal.aborted) {
        isWanted = false;
        try {
          await history(session, signal);
        } catch (error) {
          if (signal.aborted && error === signal.reason) break;
          if (error instanceof BleError) this.#logger.warn(() => `keeping the history: ${error.message}`);
          else rethrowLater(error);
        }
      }
      isRunning = false;
    };
    return () => {
      isWanted = true;
      if (!isRunning) void run();
    };
  }

  // --- the state ----------------------------------------------------------------------------------------------------------------

  #tell<Name extends PumpValueName>(name: Name, value: PumpValues[Name] | undefined): void {
    this.#noticeSleep(); // which this value is not older by
    this.#noteProblem(name, undefined);
    this.#values = Object.freeze({ ...this.#values, [name]: Object.freeze({ value, atMs: this.#clock.now() }) });
    this.#change();
  }

  /** @param message undefined: it was read @returns whether that is new */
  #noteProblem(name: PumpValueName, message: string | undefined): boolean {
    const text = message === undefined ? undefined : redactText(message);
    if (this.#problems[name] === text) return false;
    const { [name]: _, ...others } = this.#problems;
    this.#problems = Object.freeze(text === undefined ? others : { ...others, [name]: text });
    return true;
  }

  #change(): void {
    const { link, hint } = this.#connector.standing;
    if (this.#session) this.#heardAtMs = this.#session.heardAtMs;
    this.#watchWait(link);
    this.#noticeSleep();
    const sinceMs = this.#sleeps.moment(link.sinceMs + AWAKE_MS) - AWAKE_MS;
    this.#state = Object.freeze({
      epochMs: this.#sleeps.epochMs,
      link:
        this.#ended === undefined
          ? Object.freeze({ ...link, sinceMs })
          : Object.freeze({ kind: "ended", sinceMs: this.#endedAtMs, reason: this.#ended }),
      heardAtMs: this.#heardAtMs === undefined ? undefined : this.#sleeps.moment(this.#heardAtMs),
      hint: hint ?? (this.#isLongWait ? LONG_WAIT_HINT : undefined),
      problems: this.#problems,
      values: this.#values,
    });
    for (const listener of [...this.#listeners]) callOut(listener, this.#state);
    this.#changes.publish(this.#state);
  }

  #noticeSleep(): boolean {
    const forMs = this.#sleeps.look(this.#clock.now());
    this.#values = olderBy(this.#values, forMs);
    return forMs > 0;
  }

  /** Nothing else may tell of a sleep: no pump comes, no link is lost. */
  #watchSleep(): void {
    this.#sleepLook = this.#clock.setTimer(SLEEP_LOOK_MS, "a look for a sleep", () => {
      this.#watchSleep();
      if (this.#noticeSleep()) this.#change();
    });
  }

  /** A pump that is waited for and does not come for long: its user can do something. */
  #watchWait(link: PumpState["link"]): void {
    const isWaiting = link.kind === "advertising" && link.mode === "reconnect" && !this.#ended;
    if (isWaiting) {
      this.#longWait ??= this.#clock.setTimer(LONG_WAIT_MS, "a pump that does not come", () => {
        this.#isLongWait = true;
        this.#change();
      });
      return;
    }
    this.#longWait?.[Symbol.dispose]();
    this.#longWait = undefined;
    this.#isLongWait = false;
  }
}

/** @throws {ArgumentError} */
function checkMonitorOptions(options: PumpMonitorOptions): void {
  const what = "PumpMonitor";
  checkOptions(what, options ?? null, OPTIONS);
  if (options.pollMs !== undefined) checkMilliseconds(`${what}: pollMs`, options.pollMs, SHORTEST_POLL_MS, LONGEST_POLL_MS);
  if (options.logger !== undefined && typeof options.logger?.child !== "function")
    throw new ArgumentError(`${what}: logger: expected a Logger, got ${kindOf(options.logger)}`);
  for (const name of ["history", "wallClock"] as const) checkFunction(`${what}: ${name}`, options[name]);
}
