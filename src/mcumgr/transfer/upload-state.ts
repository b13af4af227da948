import type { CborMap } from "../protocol/cbor.ts";
import { McumgrResponseError } from "../protocol/error.ts";
import { Attempts } from "./attempts.ts";
import type { UploadAnswer, UploadDestination } from "./destination.ts";
import type { Piece } from "./pipeline.ts";
import type { Trouble } from "./trouble.ts";
import type { TransferWindow } from "./window.ts";

/** How often in all the server may have less than it had. */
const RESTARTS = 5;
/** How often in all it may take a part of a chunk: the first one shows what it takes. */
const CUTS = 64;
/** The largest unit that flash is written in, as far as is known. */
const LARGEST_UNIT = 32;

/** How far an upload is, and how much patience is left. Both are bounded, whatever the server answers. */
export class UploadState {
  readonly #destination: UploadDestination;
  readonly attempts: Attempts;
  /** Everything before it is there. */
  confirmed: number;
  /** The furthest octet that was ever sent, or that the server was found to have. */
  highest: number;
  /** Ends of chunks fall on multiples of it. */
  alignment: number;
  complete = false;
  match: boolean | undefined;
  /** Octets of a chunk that the server takes. */
  most = Number.POSITIVE_INFINITY;
  #restarts = 0;
  #cuts = 0;
  #next = 0;

  constructor(destination: UploadDestination, from: number, alignment: number) {
    this.#destination = destination;
    this.attempts = new Attempts(destination.what);
    this.confirmed = from;
    this.highest = from;
    this.alignment = alignment;
  }

  /** @param highest what the server may claim to have @throws {McumgrError} · {McumgrResponseError} */
  read(payload: CborMap, highest: number): UploadAnswer {
    const answer = this.#destination.read(payload);
    if (answer.off !== undefined && answer.off > highest) {
      const problem = `the server claims to have ${answer.off} octets, it can have ${highest}`;
      throw new McumgrResponseError({ command: this.#destination.what, path: "off", problem, payload });
    }
    return answer;
  }

  advance({ off, match }: UploadAnswer): void {
    if (off === undefined) return;
    this.confirmed = Math.max(this.confirmed, off);
    this.highest = Math.max(this.highest, off);
    if (off !== this.#destination.length) return;
    this.complete = true;
    this.match = match;
  }

  /**
   * The server took a part of a chunk: it writes in units, and the end of what it took is a multiple of them; or it takes no more at once.
   *
   * @throws {UploadStalledError} again and again, whatever is sent
   */
  trimmed(from: number, off: number, to: number): void {
    if (off <= from || off >= to) return;
    if (++this.#cuts > CUTS) throw this.attempts.stalled(off, undefined);
    if (to - off < LARGEST_UNIT) this.alignment = Math.max(this.alignment, Math.min(LARGEST_UNIT, off & -off));
    else this.most = Math.max(LARGEST_UNIT, Math.min(this.most, off - from));
  }

  /** The server has less than it had. @throws {UploadStalledError} again and again */
  forget(off: number, cause?: unknown): void {
    this.confirmed = off;
    if (++this.#restarts > RESTARTS) throw this.attempts.stalled(off, cause);
  }

  /** The next chunk of a pipeline. */
  next(isIdle: boolean, limit: number): Piece | undefined {
    const { length, lastTimeoutMs } = this.#destination;
    this.#next = isIdle ? this.confirmed : Math.max(this.#next, this.confirmed);
    const from = this.#next;
    if (from === length) return undefined;
    const { request, to } = this.#destination.chunk(from, limit, this.alignment, this.most);
    this.#next = to;
    this.highest = Math.max(this.highest, to);
    return { request, from, to, leastTimeoutMs: to === length ? lastTimeoutMs : undefined };
  }

  /** An answer in a pipeline. */
  answered(payload: CborMap, { from, to }: Piece, isAlone: boolean, window: TransferWindow): Trouble | undefined {
    const answer = this.read(payload, this.highest);
    const { off, refused } = answer;
    const wasConfirmed = this.confirmed;
    if (off !== undefined && off < from && isAlone) this.forget(off, refused);
    else this.advance(answer);
    if (off !== undefined && off >= to) {
      window.succeeded();
      return undefined;
    }
    if (off !== undefined) this.trimmed(from, off, to);
    // A chunk that was cut is no trouble where it was alone: the next begins at the cut.
    return isAlone && this.confirmed > wasConfirmed ? undefined : { kind: "mismatch", cause: refused };
  }
}
