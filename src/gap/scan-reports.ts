import { onAbort } from "../async/on-abort.ts";
import type { Advertisement } from "./advertisement.ts";
import type { OnAdvertisement, Scan } from "./scan.ts";

/** Reports kept for a loop that is behind; then the oldest are lost. */
const CAPACITY = 256;

export interface ScanReportsParts {
  /** What it throws is thrown at the first `next()`, before anything else is done. */
  readonly check: () => void;
  /** Begins the scan; called at the first `next()`. */
  readonly start: (onAdvertisement: OnAdvertisement, signal: AbortSignal) => Promise<Scan>;
  /** Ends it behind the back of who leaves. */
  readonly stop: (scan: Scan) => void;
  /** Ends the loop with its reason. */
  readonly signal: AbortSignal | undefined;
}

type Result = IteratorResult<Advertisement, undefined>;
interface Reader {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Advertisements as a loop. Scanning runs from the first `next()` until the loop is left by `break`, an error or its signal; leaving waits
 * for nobody. A loop 256 reports behind loses the oldest, which `dropped` counts, and which may be reported again.
 */
export class ScanReports implements AsyncGenerator<Advertisement, undefined, undefined> {
  /** Reports this loop lost because it was slow. */
  dropped = 0;
  readonly #parts: ScanReportsParts;
  readonly #leave = new AbortController();
  #queue: Advertisement[] = [];
  #readers: Reader[] = [];
  #scan: Scan | undefined;
  #listener: Disposable | undefined;
  #isBegun = false;
  #ended: { error: unknown } | undefined;

  /** Made by `Scanner.reports`. @internal */
  constructor(parts: ScanReportsParts) {
    this.#parts = parts;
  }

  next(): Promise<IteratorResult<Advertisement, undefined>> {
    if (!this.#isBegun && !this.#ended) this.#begin();
    const next = this.#queue.shift();
    if (next) return Promise.resolve({ value: next, done: false });
    if (this.#ended) {
      const { error } = this.#ended;
      this.#ended = { error: undefined }; // thrown once; after that the loop is simply over
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Advertisement, undefined>> {
    this.#queue = [];
    this.#end(undefined);
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<Advertisement, undefined>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #begin(): void {
    this.#isBegun = true;
    const { signal } = this.#parts;
    try {
      this.#parts.check();
    } catch (error) {
      this.#end(error);
      return;
    }
    if (signal?.aborted) {
      this.#end(signal.reason);
      return;
    }
    this.#listener = onAbort(signal, () => this.#end(signal?.reason));
    this.#parts
      .start((advertisement) => this.#push(advertisement.keep()), this.#leave.signal)
      .then(
        (scan) => {
          this.#scan = scan;
          if (this.#ended) this.#parts.stop(scan);
          else if (scan.ended) this.#end(scan.ended.error);
          else scan.onEnd = (error) => this.#end(error);
        },
        (error: unknown) => this.#end(error),
      );
  }

  #push(advertisement: Advertisement): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    reader?.resolve({ value: advertisement, done: false });
    if (!reader) this.#queue.push(advertisement);
    if (this.#queue.length <= CAPACITY) return;
    this.#scan?.forget(this.#queue.shift()!); // it was never seen: the same report is welcome again
    this.dropped++;
  }

  /** What is queued is still delivered, then `error` is thrown, or without one the loop ends. */
  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = { error };
    this.#listener?.[Symbol.dispose]();
    this.#leave.abort(error);
    if (this.#scan && !this.#scan.ended) this.#parts.stop(this.#scan);
    const readers = this.#readers.splice(0);
    if (readers.length > 0) this.#ended = { error: undefined }; // they are told of it: thrown once
    for (const reader of readers) {
      if (error === undefined) reader.resolve({ value: undefined, done: true });
      else reader.reject(error);
    }
  }
}
