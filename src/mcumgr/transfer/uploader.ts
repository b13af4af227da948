import type { Chunk, UploadDestination } from "./destination.ts";
import type { TransferHost } from "./host.ts";
import { Patience } from "./patience.ts";
import { runPipeline } from "./pipeline.ts";
import { ProgressMeter, type TransferProgress } from "./progress.ts";
import { reasonOf, recover, troubleFrom } from "./recovery.ts";
import type { Trouble } from "./trouble.ts";
import { UploadState } from "./upload-state.ts";
import { TransferWindow } from "./window.ts";

export interface UploaderOptions {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: TransferProgress) => void) | undefined;
  /** At most so many chunks outstanding. */
  readonly window: number;
  /** Octets of a message, header included. */
  readonly limit: number;
  /** Where to begin: what lies before is there. */
  readonly from: number;
  readonly alignment: number;
}

export interface UploadOutcome {
  /** Octets that were there before. */
  readonly resumedFrom: number;
  /** What the server found when it compared the digest; undefined where it does not. */
  readonly match: boolean | undefined;
}

/** Servers erase before they answer the first chunk. */
const FIRST_TIMEOUT_MS = 40_000;
/** Where messages are lost the first one is sent again meanwhile: it may be that, or a long erase. */
const FIRST_RESENDS_MS = [4000, 12_000, 25_000];

/** The loop of every upload: one chunk that finds out where the server is, then as many outstanding as it has buffers for. */
export class Uploader {
  readonly #host: TransferHost;
  readonly #destination: UploadDestination;
  readonly #signal: AbortSignal | undefined;
  readonly #state: UploadState;
  readonly #window: TransferWindow;
  readonly #patience: Patience;
  readonly #meter: ProgressMeter;
  #limit: number;
  #resumedFrom: number | undefined;

  constructor(host: TransferHost, destination: UploadDestination, options: UploaderOptions) {
    this.#host = host;
    this.#destination = destination;
    this.#signal = options.signal;
    this.#limit = options.limit;
    this.#state = new UploadState(destination, options.from, options.alignment);
    this.#window = new TransferWindow(options.window, host.isLossy);
    this.#patience = Patience.of(host, options.limit * options.window);
    this.#meter = new ProgressMeter(host.clock, destination.length, options.onProgress);
  }

  /** @throws {McumgrError} · {McumgrResponseError} · {UploadStalledError} · {MessageTooLongError} · what `reconnect` throws · `signal.reason` */
  async run(): Promise<UploadOutcome> {
    const state = this.#state;
    let begins = state.confirmed === 0 || this.#destination.locate === undefined;
    if (!begins) this.#found(state.confirmed);
    while (!state.complete) {
      const trouble = begins ? await this.#begin() : await this.#stream();
      begins = trouble !== undefined && (await this.#recover(trouble));
    }
    return { resumedFrom: this.#resumedFrom ?? 0, match: state.match };
  }

  /** A chunk alone, whose answer tells where the server is. */
  async #begin(): Promise<Trouble | undefined> {
    const { length, resumesByOffset } = this.#destination;
    const state = this.#state;
    const before = state.confirmed;
    const from = resumesByOffset ? before : 0;
    const chunk: Chunk =
      from === 0 ? this.#destination.first(this.#limit) : this.#destination.chunk(from, this.#limit, state.alignment, state.most);
    const resendAfterMs = from === 0 && this.#host.isLossy && this.#destination.mayRepeatFirst ? FIRST_RESENDS_MS : undefined;
    try {
      const payload = await this.#host.ask(chunk.request, { signal: this.#signal, timeoutMs: FIRST_TIMEOUT_MS, resendAfterMs });
      const answer = state.read(payload, length);
      const { off, refused } = answer;
      state.highest = Math.max(state.highest, chunk.to);
      if (off === undefined) {
        if (from === 0) throw refused; // 0 is never a wrong offset
        return { kind: "mismatch", cause: refused };
      }
      if (off < before) state.forget(off, refused);
      if (off === 0 && length > 0) return { kind: "mismatch", cause: refused };
      state.trimmed(from, off, chunk.to);
      this.#found(off > chunk.to ? off : from);
      state.advance(answer);
      this.#tell();
      return undefined;
    } catch (error) {
      return troubleFrom(error, this.#host, this.#signal);
    }
  }

  /** The first answer of all shows what was there before. */
  #found(off: number): void {
    this.#meter.start(off);
    this.#resumedFrom ??= off;
    this.#meter.resumedFrom = this.#resumedFrom;
  }

  #stream(): Promise<Trouble | undefined> {
    const state = this.#state;
    return runPipeline({
      host: this.#host,
      window: this.#window,
      patience: this.#patience,
      signal: this.#signal,
      isComplete: () => state.complete,
      next: (isIdle) => state.next(isIdle, this.#limit),
      answered: (payload, piece, isAlone) => {
        const trouble = state.answered(payload, piece, isAlone, this.#window);
        this.#tell();
        return trouble;
      },
    });
  }

  #tell(): void {
    this.#meter.at(this.#state.confirmed, this.#window.size);
  }

  /** Makes ready for going on. @returns whether a chunk has to ask where the server is */
  #recover(first: Trouble): Promise<boolean> {
    const { attempts } = this.#state;
    const transfer = { what: this.#destination.what, host: this.#host, window: this.#window, attempts, signal: this.#signal };
    return recover(
      transfer,
      first,
      () => this.#state.confirmed,
      async (trouble) => {
        this.#shorten(trouble);
        if (trouble.kind === "lost") this.#limit = Math.min(this.#limit, (await this.#host.limits(this.#signal)).messageLimit);
        return await this.#locate(trouble);
      },
    );
  }

  /** Long messages may be what does not get through. */
  #shorten({ kind, cause }: Trouble): void {
    const { provenLimit } = this.#host;
    const isStuck = this.#state.confirmed === 0 || this.#state.attempts.count > 1;
    if ((kind !== "silence" && kind !== "damaged") || !isStuck || this.#limit <= provenLimit) return;
    this.#host.tell({ what: "messageLimit", from: this.#limit, to: provenLimit, why: reasonOf(cause, this.#destination.what) });
    this.#limit = provenLimit;
  }

  async #locate({ kind }: Trouble): Promise<boolean> {
    const { length } = this.#destination;
    const state = this.#state;
    if (this.#destination.locate && state.confirmed > 0) {
      const off = await this.#destination.locate(this.#signal);
      if (off > state.highest || off < state.confirmed) state.forget(off > state.highest ? 0 : off);
      else state.advance({ off });
      return state.confirmed === 0;
    }
    // The answer to the last chunk may be what was lost: then the server has forgotten the upload because it is complete.
    if (state.confirmed === 0 && state.highest === length && (await this.#destination.isComplete?.(this.#signal)))
      state.advance({ off: length });
    return state.confirmed === 0 || kind === "lost";
  }
}
