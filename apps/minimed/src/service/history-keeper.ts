import { type Clock, delay, ownTerms } from "jelling/async";
import { BleError, type Logger } from "jelling/core";
import type { PumpSession } from "../connector/pump-session.ts";
import type { PumpState } from "../live/state.ts";
import { type PumpHistory, PumpStoreError, syncHistory } from "../store/index.ts";
import { codeOf, sentence } from "./part.ts";

/** Reads follow one another when a pump connects: what they change is kept as one. */
const SETTLE_MS = 1_000;
/** A store that did not take something is asked again after so long. */
const RETRY_MS = 30_000;
const END_MS = 5_000;
const SYNC_WAITS_MS = [5_000, 15_000, 60_000, 300_000] as const;
/** Faults that pass while the store is open; with others it is opened anew. */
const PASSING: ReadonlySet<string> = new Set(["ERR_PUMP_STORE_FULL", "ERR_PUMP_STORE_SYNCING", "ERR_PUMP_STORE_PERMISSION"]);

export interface KeeperStatus {
  /** UTC, of the last sync that came to its end. */
  readonly syncedAtMs: number | undefined;
  readonly isSyncing: boolean;
  /** New records since the beginning of the service. */
  readonly records: number;
  readonly syncProblem: string | undefined;
  /** Why the last state could not be kept. */
  readonly writeProblem: string | undefined;
}

export interface KeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something new was kept. */
  readonly onKept: () => void;
  /** The store is of no use as it is open. */
  readonly onBroken: (error: PumpStoreError) => void;
}

/** Keeps what is read of a pump: each state, and its history whenever that may have grown. What is not taken waits, and is one state. */
export class HistoryKeeper {
  readonly #options: KeeperOptions;
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
  #status: KeeperStatus = { syncedAtMs: undefined, isSyncing: false, records: 0, syncProblem: undefined, writeProblem: undefined };

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  get status(): KeeperStatus {
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
  async close(): Promise<void> {
    this.#closing.abort(new Error("end"));
    this.#pause.abort();
    if (this.#syncing)
      await ownTerms(this.#options.clock, "the end of the sync", this.#syncing, { timeoutMs: END_MS }).catch(() => undefined);
    this.#timer?.[Symbol.dispose]();
    this.#write();
    if (this.#isLinked) this.#attempt(() => this.#history?.endLink("the service was ended"));
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
    if (isDone) this.#options.onKept();
    else if (!this.#closing.signal.aborted) this.#schedule(RETRY_MS);
  }

  /** False: the store did not take it. */
  #attempt(act: () => void): boolean {
    try {
      act();
      if (this.#status.writeProblem !== undefined) this.#options.logger.info("history: it is kept again");
      this.#status = { ...this.#status, writeProblem: undefined };
      return true;
    } catch (error) {
      if (this.#status.writeProblem === undefined)
        this.#options.logger.error(() => `history: what was read is not kept: ${sentence(error)}`);
      this.#status = { ...this.#status, writeProblem: codeOf(error) };
      this.#judge(error);
      return false;
    }
  }

  #judge(error: unknown): void {
    if (error instanceof PumpStoreError && !PASSING.has(error.code)) this.#options.onBroken(error);
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
        if (session.ended) return; // the next session begins with a sync
        const waitMs = SYNC_WAITS_MS[Math.min(failures++, SYNC_WAITS_MS.length - 1)]!;
        this.#options.logger.warn(() => `history: the sync ended early: ${sentence(error)} It goes on in ${waitMs / 1000} s.`);
        await delay(this.#options.clock, waitMs, { signal: this.#pause.signal, name: "next sync" }).catch(() => undefined);
        this.#isWanted = true;
        if (!(error instanceof BleError) && failures >= SYNC_WAITS_MS.length) return; // a fault of the program: at the next push
      }
    }
  }

  async #syncOnce(history: PumpHistory, session: PumpSession): Promise<void> {
    const { logger, onKept } = this.#options;
    this.#status = { ...this.#status, isSyncing: true };
    // The state first: it tells how the pump's clock relates to ours, by which records are dated.
    this.#write();
    let counted = 0;
    const result = await syncHistory(history, session, {
      signal: this.#closing.signal,
      onProgress: ({ records }) => {
        this.#status = { ...this.#status, records: this.#status.records + records - counted };
        counted = records;
        onKept();
      },
    });
    const { epochMs } = this.#state ?? { epochMs: 0 };
    this.#status = {
      ...this.#status,
      records: this.#status.records + result.records - counted,
      isSyncing: false,
      syncProblem: undefined,
      syncedAtMs: Math.round(this.#options.clock.now() + epochMs),
    };
    if (result.records > 0) logger.info(() => `history: ${result.records} new records`);
    onKept();
  }
}
