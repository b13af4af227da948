import { callOut } from "../../async/call-out.ts";
import { readAnswer } from "../protocol/answer.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { ImageMismatchError, McumgrError, McumgrResponseError } from "../protocol/error.ts";
import { FilesGroup } from "../protocol/groups/files.ts";
import { Attempts } from "./attempts.ts";
import { compareFile, fileLength, isUnsupported } from "./file-hash.ts";
import type { FileTransferResult } from "./file-upload.ts";
import { type McumgrLimits, requestOf, type TransferHost, type TransferOptions } from "./host.ts";
import { Patience } from "./patience.ts";
import { type Piece, runPipeline } from "./pipeline.ts";
import { ProgressMeter } from "./progress.ts";
import { limitsOf, recover, troubleFrom } from "./recovery.ts";
import type { Trouble } from "./trouble.ts";
import { TransferWindow } from "./window.ts";

export interface FileDownloadOptions extends TransferOptions {
  /**
   * What is here already of the file, from its beginning: only the rest is asked for, where the server's checksum or digest proves that it is
   * the same. Where the server has none, everything is asked for.
   */
  readonly resumeFrom?: Uint8Array | undefined;
  /** Compare with the server's checksum or digest at the end, where it has one; true by default. */
  readonly verify?: boolean | undefined;
  /** Longest file, in octets, that is taken; 64 MiB by default. */
  readonly maxLength?: number | undefined;
  /** Told of each piece that has come, in order and without a gap, beginning behind what is here already: for a file that grows with it. */
  readonly onData?: ((data: Uint8Array, offset: number) => void) | undefined;
}

export interface FileDownloadResult extends FileTransferResult {
  readonly data: Uint8Array;
}

const MAX_LENGTH = 64 * 1024 * 1024;
/** For errors. */
const WHAT = "files.download";
const FIRST_TIMEOUT_MS = 5000;
const { download } = FilesGroup.commands;

/** @throws {McumgrError} · {McumgrResponseError} · {UploadStalledError} · {ImageMismatchError} the server's digest differs · `signal.reason` */
export async function downloadFile(host: TransferHost, name: string, options: FileDownloadOptions): Promise<FileDownloadResult> {
  const startMs = host.clock.now();
  const { signal, resumeFrom, verify = true } = options;
  const limits = await limitsOf(host, signal);
  const { messageLimit, window } = { ...limits, ...(options.window && { window: options.window }) };
  const there = resumeFrom && resumeFrom.length > 0 ? await usable(host, name, resumeFrom, signal) : undefined;
  const downloader = new Downloader(host, name, options, { messageLimit, window }, there);
  const data = await downloader.run();
  const same = verify ? await compareFile(host, name, data, signal) : undefined;
  if (same === false) throw new ImageMismatchError(`files.download ${name}: what has come is not what the server has`);
  const resumedFrom = there?.data.length ?? 0;
  return { data, length: data.length, resumedFrom, verifiedBy: same?.type, durationMs: host.clock.now() - startMs };
}

interface Beginning {
  readonly data: Uint8Array;
  /** Octets of the whole. */
  readonly length: number;
}

/** What is here, where it is proved that the file begins with it. */
async function usable(host: TransferHost, name: string, data: Uint8Array, signal: AbortSignal | undefined): Promise<Beginning | undefined> {
  try {
    const length = await fileLength(host, name, signal);
    if (data.length > length || !(await compareFile(host, name, data, signal))) return undefined;
    return { data, length };
  } catch (error) {
    // Built without it: a download needs neither.
    if (error instanceof McumgrError && isUnsupported(error)) return undefined;
    throw error;
  }
}

class Downloader {
  readonly #host: TransferHost;
  readonly #name: string;
  readonly #signal: AbortSignal | undefined;
  readonly #maxLength: number;
  readonly #window: TransferWindow;
  readonly #patience: Patience;
  readonly #attempts = new Attempts(WHAT);
  readonly #onProgress: FileDownloadOptions["onProgress"];
  readonly #onData: FileDownloadOptions["onData"];
  readonly #resumedFrom: number;
  /** What has come from the beginning on, without a gap. Grows with what comes, not with what `len` claims. */
  #data = new Uint8Array(0);
  #done = 0;
  /** What has come beyond a gap, by offset. */
  readonly #ahead = new Map<number, Uint8Array>();
  #length: number | undefined;
  #meter: ProgressMeter | undefined;
  /** How much the server sends at once; 0 until it has shown it. */
  #size = 0;
  #next = 0;

  constructor(
    host: TransferHost,
    name: string,
    options: FileDownloadOptions,
    { messageLimit, window }: Pick<McumgrLimits, "messageLimit" | "window">,
    there: Beginning | undefined,
  ) {
    this.#host = host;
    this.#name = name;
    this.#signal = options.signal;
    this.#maxLength = options.maxLength ?? MAX_LENGTH;
    this.#onProgress = options.onProgress;
    this.#onData = options.onData;
    this.#window = new TransferWindow(window, host.isLossy);
    this.#patience = Patience.of(host, messageLimit * window);
    this.#resumedFrom = there?.data.length ?? 0;
    if (!there) return;
    this.#setLength(there.length, {});
    this.#append(there.data);
  }

  async run(): Promise<Uint8Array> {
    while (this.#done !== this.#length) {
      const trouble = this.#size === 0 ? await this.#first() : await this.#stream();
      if (trouble) await this.#recover(trouble);
    }
    return this.#data.slice(0, this.#done);
  }

  /** One request, which shows how much the server sends at once, and how long the file is. */
  async #first(): Promise<Trouble | undefined> {
    const piece = this.#piece(this.#done, this.#done);
    const resendAfterMs = this.#host.isLossy ? [FIRST_TIMEOUT_MS / 4, FIRST_TIMEOUT_MS / 2] : undefined;
    try {
      const options = { signal: this.#signal, timeoutMs: FIRST_TIMEOUT_MS, resendAfterMs };
      const data = this.#read(await this.#host.ask(piece.request, options), piece.from);
      this.#size = data.length;
      this.#take(piece.from, data);
      return undefined;
    } catch (error) {
      return troubleFrom(error, this.#host, this.#signal);
    }
  }

  async #stream(): Promise<Trouble | undefined> {
    this.#ahead.clear();
    let isUneven = false;
    const trouble = await runPipeline({
      host: this.#host,
      window: this.#window,
      patience: this.#patience,
      signal: this.#signal,
      isComplete: () => this.#done === this.#length,
      next: (isIdle) => {
        if (isIdle) this.#next = this.#done;
        const from = this.#next;
        if (from >= this.#length!) return undefined;
        this.#next = Math.min(this.#length!, from + this.#size);
        return this.#piece(from, this.#next);
      },
      answered: (payload, piece, isAlone) => {
        const data = this.#read(payload, piece.from);
        const expected = piece.to - piece.from;
        this.#take(piece.from, data.length > expected ? data.subarray(0, expected) : data);
        this.#window.succeeded();
        if (data.length >= expected) return undefined;
        this.#size = data.length;
        isUneven = !isAlone;
        return isAlone ? undefined : { kind: "mismatch", cause: undefined };
      },
    });
    // A shorter piece is no fault: what comes after it is asked for anew, in pieces of that size.
    return isUneven && trouble?.kind === "mismatch" ? undefined : trouble;
  }

  #piece(from: number, to: number): Piece {
    return { request: requestOf(FilesGroup, download, { off: from, name: this.#name }), from, to };
  }

  #read(payload: CborMap, from: number): Uint8Array {
    const { off, data, len } = readAnswer(FilesGroup, download, payload, this.#host.names);
    if (off !== from) throw this.#wrong("off", `${off}, asked for ${from}`, payload);
    if (this.#length === undefined) {
      if (len === undefined) throw this.#wrong("len", "missing", payload);
      this.#setLength(len, payload);
    }
    if (len !== undefined && len !== this.#length) throw this.#wrong("len", `${len} octets, it was ${this.#length}`, payload);
    const left = this.#length! - from;
    if (data.length > left) throw this.#wrong("data", `${data.length} octets, ${left} are left of ${this.#length}`, payload);
    if (data.length === 0 && left > 0) throw this.#wrong("data", `the file ends at ${from} of ${this.#length} octets`, payload);
    return data;
  }

  #setLength(length: number, payload: CborMap): void {
    if (length > this.#maxLength) throw this.#wrong("len", `${length} octets, at most ${this.#maxLength} are wanted`, payload);
    this.#length = length;
    this.#meter = new ProgressMeter(this.#host.clock, length, this.#onProgress);
    this.#meter.resumedFrom = this.#resumedFrom;
    this.#meter.start(this.#resumedFrom);
  }

  #wrong(path: string, problem: string, payload: CborMap): McumgrResponseError {
    return new McumgrResponseError({ command: WHAT, path, problem, payload });
  }

  #take(from: number, data: Uint8Array): void {
    this.#ahead.set(from, data);
    for (let part = this.#ahead.get(this.#done); part; part = this.#ahead.get(this.#done)) {
      this.#ahead.delete(this.#done);
      if (part.length === 0) break;
      const at = this.#done;
      this.#append(part);
      callOut(this.#onData, part, at);
    }
    this.#meter?.at(this.#done, this.#window.size);
  }

  #append(part: Uint8Array): void {
    const end = this.#done + part.length;
    if (end > this.#data.length) {
      const longer = new Uint8Array(Math.min(this.#length!, Math.max(end, 2 * this.#data.length)));
      longer.set(this.#data.subarray(0, this.#done));
      this.#data = longer;
    }
    this.#data.set(part, this.#done);
    this.#done = end;
  }

  #recover(first: Trouble): Promise<void> {
    const transfer = { what: WHAT, host: this.#host, window: this.#window, attempts: this.#attempts, signal: this.#signal };
    return recover(
      transfer,
      first,
      () => this.#done,
      async () => {},
    );
  }
}
