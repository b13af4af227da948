import { type Clock, callOut, delay, ownTerms } from "jelling/async";
import { BleError, checkChoice, checkFunction, checkOptions, Logger, optionNames } from "jelling/core";
import type { PumpSession } from "../connector/pump-session.ts";
import { codeOf, sentence } from "../error-words.ts";
import type { PumpState } from "../live/state.ts";
import { PumpStoreError } from "./error.ts";
import type { PumpHistory } from "./pump-history.ts";
import { type SyncOptions, type SyncProgress, type SyncResult, syncHistory } from "./sync.ts";

/** Reads follow one another when a pump connects: what they change is kept as one. */
const SETTLE_MS = 1_000;
/** A store that did not take something is asked again after so long. */
const RETRY_MS = 30_000;
const END_MS = 5_000;
const SYNC_WAITS_MS = [5_000, 15_000, 60_000, 300_000] as const;
/** Faults that pass while the store is open; with others it is opened anew. */
const PASSING: ReadonlySet<string> = new Set(["ERR_PUMP_STORE_FULL", "ERR_PUMP_STORE_SYNCING", "ERR_PUMP_STORE_PERMISSION"]);

export interface HistoryKeeperStatus {
  /** On the clock, of the last sync that came to its end. */
  readonly syncedAtMs: number | undefined;
  readonly isSyncing: boolean;
  /** New records since the beginning of the service. */
  readonly records: number;
  readonly syncProblem: string | undefined;
  /** Why the last state could not be kept. */
  readonly writeProblem: string | undefined;
}

export interface HistoryKeeperOptions extends Pick<SyncOptions, "order"> {
  /** The monitor's. */
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  /** Whether a sync that failed is tried again while its session lives; true by default. The next session begins with one in any case. */
  readonly retries?: boolean | undefined;
  /** Something new was kept. */
  readonly onKept?: (() => void) | undefined;
  readonly onProgress?: ((progress: SyncProgress) => void) | undefined;
  /** A sync came to its end. */
  readonly onSynced?: ((result: SyncResult, history: PumpHistory) => void) | undefined;
  /** A sync ended early, or the store does not take what is read: the first time of several in a row. */
  readonly onFailed?: ((error: unknown) => void) | undefined;
  /** The store is of no use as it is open. */
  readonly onBroken?: ((error: PumpStoreError) => void) | undefined;
}
const OPTIONS = optionNames<HistoryKeeperOptions>({
  clock: true,
  logger: true,
  order: true,
  retries: true,
  onKept: true,
  onProgress: true,
  onSynced: true,
  onFailed: true,
  onBroken: true,
});

/**
 * Keeps what is read of a pump: each state, when it was connected, and its history whenever that may have grown. What is not taken waits, and is
 * one state. Give `onState` the states of a `PumpMonitor`, and `sync` the sessions of its option `history`.
 */
export class HistoryKeeper {
  readonly #options: HistoryKeeperOptions;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #history: PumpHistory | undefined;
  #session: PumpSession | undefined;
  #state: PumpState | undefined;
  #isLinked = false;
  #timer: Disposable | undefined;
  #isWanted = false;
  #syncing: Promise<void> | undefined;
  /** Ends a pause between two attempts. */
  #pause = new AbortController();
  #status: HistoryKeeperStatus = { syncedAtMs: undefined, isSyncing: false, records: 0, syncProblem: undefined, writeProblem: undefined };

  /** @throws {ArgumentError} */
  constructor(options: HistoryKeeperOptions) {
    const what = "HistoryKeeper";
    checkOptions(what, options ?? null, OPTIONS);
    for (const name of ["onKept", "onProgress", "onSynced", "onFailed", "onBroken"] as const)
      checkFunction(`${what}: ${name}`, options[name]);
    if (options.order !== undefined) checkChoice(`${what}: order`, options.order, ["newest", "oldest"]);
    this.#options = options;
    this.#logger = options.logger ?? Logger.silent;
  }

  /** Where it is kept at present. */
  get history(): PumpHistory | undefined {
    return this.#history;
  }

  get status(): HistoryKeeperStatus {
    return this.#status;
  }

  /** Where it is kept from now on. */
  setHistory(history: PumpHistory | undefined): void {
    if (history === this.#history) return;
    this.#history = history;
    this.#isLinked = false;
    this.#schedule(0);
    if (this.#session) this.sync(this.#session);
  }

  onState(state: PumpState): void {
    this.#state = state;
    this.#schedule(SETTLE_MS);
  }

  /** The history of the pump may have grown; its first reads are done. */
  sync(session: PumpSession): void {
    this.#session = session;
    this.#isWanted = true;
    this.#pause.abort();
    this.#syncing ??= this.#syncAll().finally(() => {
      this.#syncing = undefined;
      this.#status = { ...this.#status, isSyncing: false };
    });
  }

  /** Keeps what is still to be kept, and ends; a sync under way is given up and goes on another time. Never throws. */
  async close(why = "the service was ended"): Promise<void> {
    this.#closing.abort(new Error("end"));
    this.#pause.abort();
    if (this.#syncing)
      await ownTerms(this.#options.clock, "the end of the sync", this.#syncing, { timeoutMs: END_MS }).catch(() => undefined);
    this.#timer?.[Symbol.dispose]();
    this.#write();
    if (this.#isLinked) this.#attempt(() => this.#history?.endLink(why));
  }

  #schedule(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer ??= this.#options.clock.setTimer(ms, "keeping the pump's state", () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  #write(): void {
    const [history, state] = [this.#history, this.#state];
    if (!history || !state) return;
    const isUp = state.link.kind === "ready";
    const isDone = this.#attempt(() => {
      if (isUp && !this.#isLinked) {
        history.beginLink(state.link.sinceMs + state.epochMs);
        this.#isLinked = true;
      }
      history.recordStatus(state);
      if (!isUp && this.#isLinked) {
        history.endLink(state.link.kind, state.link.sinceMs + state.epochMs);
        this.#isLinked = false;
      }
    });
    if (isDone) callOut(this.#options.onKept);
    else if (!this.#closing.signal.aborted) this.#schedule(RETRY_MS);
  }

  /** False: the store did not take it. */
  #attempt(act: () => void): boolean {
    try {
      act();
      if (this.#status.writeProblem !== undefined) this.#logger.info("history: it is kept again");
      this.#status = { ...this.#status, writeProblem: undefined };
      return true;
    } catch (error) {
      if (this.#status.writeProblem === undefined) {
        this.#logger.error(() => `history: what was read is not kept: ${sentence(error)}`);
        callOut(this.#options.onFailed, error);
      }
      this.#status = { ...this.#status, writeProblem: codeOf(error) };
      this.#judge(error);
      return false;
    }
  }

  #judge(error: unknown): void {
    if (error instanceof PumpStoreError && !PASSING.has(error.code)) callOut(this.#options.onBroken, error);
  }

  async #syncAll(): Promise<void> {
    let failures = 0;
    while (this.#isWanted && !this.#closing.signal.aborted) {
      this.#isWanted = false;
      const [history, session] = [this.#history, this.#session];
      if (!history || !session || session.ended) return;
      this.#pause = new AbortController();
      try {
        await this.#syncOnce(history, session);
        failures = 0;
      } catch (error) {
        if (this.#closing.signal.aborted || history !== this.#history || session !== this.#session) continue;
        this.#status = { ...this.#status, isSyncing: false, syncProblem: codeOf(error) };
        this.#judge(error);
        if (failures === 0) callOut(this.#options.onFailed, error);
        if (session.ended || this.#options.retries === false) return; // the next session begins with a sync
        const waitMs = SYNC_WAITS_MS[Math.min(failures++, SYNC_WAITS_MS.length - 1)]!;
        this.#logger.warn(() => `history: the sync ended early: ${sentence(error)} It goes on in ${waitMs / 1000} s.`);
        await delay(this.#options.clock, waitMs, { signal: this.#pause.signal, name: "next sync" }).catch(() => undefined);
        this.#isWanted = true;
        if (!(error instanceof BleError) && failures >= SYNC_WAITS_MS.length) return; // a fault of the program: at the next push
      }
    }
  }

  async #syncOnce(history: PumpHistory, session: PumpSession): Promise<void> {
    const { order, onKept, onProgress, onSynced } = this.#options;
    this.#status = { ...this.#status, isSyncing: true };
    // The state first: it tells how the pump's clock relates to ours, by which records are dated.
    this.#write();
    let counted = 0;
    const result = await syncHistory(history, session, {
      order,
      signal: this.#closing.signal,
      onProgress: (progress) => {
        const { records } = progress;
        this.#status = { ...this.#status, records: this.#status.records + records - counted };
        counted = records;
        callOut(onKept);
        callOut(onProgress, progress);
      },
    });
    this.#status = {
      ...this.#status,
      records: this.#status.records + result.records - counted,
      isSyncing: false,
      syncProblem: undefined,
      syncedAtMs: this.#options.clock.now(),
    };
    if (result.records > 0) this.#logger.info(() => `history: ${result.records} new records`);
    callOut(onKept);
    callOut(onSynced, result, history);
  }
}
