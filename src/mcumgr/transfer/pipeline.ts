import type { CborMap } from "../protocol/cbor.ts";
import type { TransferHost, TransferRequest } from "./host.ts";
import type { Patience } from "./patience.ts";
import { type Trouble, troubleOf } from "./trouble.ts";
import type { TransferWindow } from "./window.ts";

/** After an answer out of step, how long those before it may still take at least: servers answer in order. */
const GRACE_MS = 200;

/** A piece of a transfer, between two offsets. */
export interface Piece {
  readonly request: TransferRequest;
  readonly from: number;
  readonly to: number;
  /** How long to wait for its answer at least; as long as for others by default. */
  readonly leastTimeoutMs?: number | undefined;
}

export interface PipelineContext {
  readonly host: TransferHost;
  readonly window: TransferWindow;
  readonly patience: Patience;
  readonly signal: AbortSignal | undefined;
  /** Everything is there. */
  isComplete(): boolean;
  /** What to send next; undefined where everything has been sent. @param isIdle nothing is outstanding */
  next(isIdle: boolean): Piece | undefined;
  /**
   * Takes an answer.
   *
   * @param isAlone nothing else was outstanding: it tells the server's own state, and not that of a moment before
   * @returns what is wrong with it
   */
  answered(payload: CborMap, piece: Piece, isAlone: boolean): Trouble | undefined;
}

/**
 * Sends piece after piece, several outstanding, until everything is there, or something went wrong and nothing is outstanding any more: going
 * on earlier would multiply the traffic, since a server refuses every piece behind a lost one.
 *
 * @returns what went wrong; undefined where everything is there
 */
export function runPipeline(context: PipelineContext): Promise<Trouble | undefined> {
  return new Promise((resolve, reject) => {
    new Pipeline(context, resolve, reject).pump();
  });
}

class Pipeline {
  readonly #context: PipelineContext;
  readonly #resolve: (trouble: Trouble | undefined) => void;
  readonly #reject: (error: unknown) => void;
  #outstanding = 0;
  #trouble: Trouble | undefined;
  #grace: Disposable | undefined;
  #over = false;

  constructor(context: PipelineContext, resolve: (trouble: Trouble | undefined) => void, reject: (error: unknown) => void) {
    this.#context = context;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  pump(): void {
    const { window } = this.#context;
    try {
      if (this.#context.isComplete()) {
        this.#end(() => this.#resolve(undefined));
        return;
      }
      if (this.#trouble && this.#outstanding === 0) {
        this.#end(() => this.#resolve(this.#trouble));
        return;
      }
      while (!this.#trouble && this.#outstanding < window.size) {
        const piece = this.#context.next(this.#outstanding === 0);
        if (piece === undefined) return;
        this.#send(piece);
      }
    } catch (error) {
      this.#end(() => this.#reject(error));
    }
  }

  #send(piece: Piece): void {
    const { host, window, patience, signal } = this.#context;
    const isAlone = this.#outstanding === 0 && window.size === 1;
    const askedAtMs = host.clock.now();
    this.#outstanding++;
    host.ask(piece.request, { signal, timeoutMs: patience.timeoutMs(piece.leastTimeoutMs) }).then(
      (payload) => {
        if (this.#over) return;
        this.#outstanding--;
        patience.answered(host.clock.now() - askedAtMs);
        try {
          const trouble = this.#context.answered(payload, piece, isAlone);
          if (trouble) this.#troubled(trouble);
        } catch (error) {
          this.#failed(error);
          return;
        }
        this.pump();
      },
      (error: unknown) => {
        if (this.#over) return;
        this.#outstanding--;
        this.#failed(error);
      },
    );
  }

  #failed(error: unknown): void {
    const { host, patience, signal } = this.#context;
    const trouble = signal?.aborted ? undefined : troubleOf(error, host.isLost(error));
    if (trouble === undefined) {
      this.#end(() => this.#reject(signal?.aborted ? signal.reason : error));
      return;
    }
    if (trouble.kind === "silence" && this.#trouble?.kind !== "silence") patience.timedOut();
    this.#troubled(trouble);
    this.pump();
  }

  /** The first trouble counts, unless a later one says more. */
  #troubled(trouble: Trouble): void {
    const { host, patience } = this.#context;
    const before = this.#trouble;
    if (before === undefined || before.kind === "mismatch" || trouble.kind === "lost") this.#trouble = trouble;
    if (trouble.kind !== "mismatch" || this.#grace) return;
    this.#grace = host.clock.setTimer(Math.max(GRACE_MS, patience.usualMs), "mcumgr answers out of step", () => {
      this.#end(() => this.#resolve(this.#trouble));
    });
  }

  #end(act: () => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#grace?.[Symbol.dispose]();
    act();
  }
}
