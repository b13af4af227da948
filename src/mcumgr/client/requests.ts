import type { Clock } from "../../async/clock.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import { type BleError, TimeoutError } from "../../core/error.ts";
import type { McumgrLink } from "../links/link.ts";
import { MessageTooLongError } from "../protocol/error.ts";
import { decodeHeader, isResponseOp, MCUMGR_HEADER_LENGTH, type McumgrHeader } from "../protocol/header.ts";
import type { TransferAskOptions } from "../transfer/host.ts";
import { Sequences } from "./sequences.ts";

/** A link that takes a message no sooner is stuck. */
const SENDING_TIMEOUT_MS = 30_000;
/** How long a request counts as outstanding whose caller has left: the server still works on it, or it is lost. */
const ABANDONED_MS = 2500;

/** An answer, not looked into. `octets` has the header too. */
export interface Answer {
  readonly header: McumgrHeader;
  readonly octets: Uint8Array;
}

interface Entry {
  readonly message: Uint8Array;
  readonly title: string;
  readonly group: number;
  readonly command: number;
  readonly options: TransferAskOptions;
  readonly pending: Pending<Answer>;
  sequence: number;
  /** Answered, given up or lost: nothing about it matters any more. */
  over: boolean;
  timer: Disposable | undefined;
}

/**
 * The requests that wait for answers, by sequence, and behind them those that wait for their turn: no more than `window` are outstanding. An
 * answer counts where sequence, group and command are those of a request; all others are dropped, which costs a hostile server's client nothing
 * but the reading.
 */
export class RequestTable {
  readonly #clock: Clock;
  readonly #outstanding = new Map<number, Entry>();
  readonly #sequences = new Sequences((sequence) => this.#outstanding.has(sequence));
  #queue: Entry[] = [];
  #window = 1;
  #link: McumgrLink | undefined;
  #dropped = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many requests may be outstanding. */
  get window(): number {
    return this.#window;
  }
  set window(window: number) {
    this.#window = window;
    this.#pump();
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }
  get waiting(): number {
    return this.#queue.length;
  }
  /** Messages that answered nothing: late ones, and those never asked for. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Requests go over this link from now on. */
  attach(link: McumgrLink): void {
    this.#link = link;
    link.onMessage = (octets) => this.#receive(link, octets);
  }

  /** The link is gone, or is left: all that waits is rejected. */
  detach(reason: BleError): void {
    const link = this.#link;
    this.#link = undefined;
    if (link) link.onMessage = undefined;
    const lost = [...this.#outstanding.values(), ...this.#queue];
    this.#queue = [];
    for (const entry of lost) {
      this.#end(entry);
      entry.pending.reject(reason);
    }
  }

  /**
   * Sends a whole message, into which a sequence is put, and waits for its answer.
   *
   * @param title names the request in a TimeoutError
   * @throws {TimeoutError} · the link's reason once it is gone · `signal.reason` · {MessageTooLongError}
   */
  ask(message: Uint8Array, title: string, options: TransferAskOptions): Promise<Answer> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const header = decodeHeader(message);
    const pending: Pending<Answer> = new Pending<Answer>({
      clock: this.#clock,
      operation: title,
      signal: options.signal,
      onSettled: (outcome) => {
        if (outcome === "aborted") this.#abandon(entry);
      },
    });
    const { group, command } = header;
    const entry: Entry = { message, title, group, command, options, pending, sequence: -1, over: false, timer: undefined };
    this.#queue.push(entry);
    this.#pump();
    return pending.promise;
  }

  #pump(): void {
    while (this.#link && this.#queue.length > 0 && this.#outstanding.size < this.#window) this.#send(this.#link, this.#queue.shift()!);
  }

  #send(link: McumgrLink, entry: Entry): void {
    entry.sequence = this.#sequences.take();
    entry.message[6] = entry.sequence;
    this.#outstanding.set(entry.sequence, entry);
    entry.options.onSent?.();
    const { signal } = entry.options;
    this.#hand(link, entry, signal).then(
      () => {
        if (!entry.over && !entry.pending.settled) this.#await(entry, 0, this.#clock.now());
      },
      (error: unknown) => {
        if (entry.over || entry.pending.settled) return;
        if (!(error instanceof MessageTooLongError)) this.#sequences.retire(entry.sequence); // it may have been sent
        this.#end(entry);
        entry.pending.reject(error);
        this.#pump();
      },
    );
  }

  // An async function, so that a link that throws at once is like one that rejects.
  async #hand(link: McumgrLink, entry: Entry, signal?: AbortSignal): Promise<void> {
    const options: OperationOptions = { timeoutMs: SENDING_TIMEOUT_MS };
    if (signal) options.signal = signal;
    await link.send(entry.message, options);
  }

  /** Waits for the answer, until the message is to be sent again or the time is over. */
  #await(entry: Entry, resent: number, sentAtMs: number): void {
    const { timeoutMs, resendAfterMs = [] } = entry.options;
    if (timeoutMs === Number.POSITIVE_INFINITY) return;
    const resendMs = resendAfterMs[resent] ?? timeoutMs;
    const dueMs = Math.min(resendMs, timeoutMs);
    entry.timer = this.#clock.setTimer(sentAtMs + dueMs - this.#clock.now(), entry.title, () => {
      if (dueMs >= timeoutMs) {
        this.#giveUp(entry);
        entry.pending.reject(new TimeoutError(entry.title, timeoutMs));
        return;
      }
      this.#await(entry, resent + 1, sentAtMs);
      // It takes a buffer more, which the server must have; the first one may still be answered.
      if (this.#link && (this.#window === 1 || this.#outstanding.size < this.#window)) this.#hand(this.#link, entry).catch(() => undefined);
    });
  }

  /** The caller has left: the server has not, and its buffer is not free yet. */
  #abandon(entry: Entry): void {
    if (entry.over) return;
    if (entry.sequence < 0) {
      const at = this.#queue.indexOf(entry);
      if (at >= 0) this.#queue.splice(at, 1);
      entry.over = true;
      return;
    }
    entry.timer?.[Symbol.dispose]();
    entry.timer = this.#clock.setTimer(Math.min(ABANDONED_MS, entry.options.timeoutMs), entry.title, () => this.#giveUp(entry));
  }

  /** No answer is expected any more; a late one must not be taken for that of another request. */
  #giveUp(entry: Entry): void {
    this.#sequences.retire(entry.sequence);
    this.#end(entry);
    this.doubt();
    this.#pump();
  }

  /** What has come of a message may not be its beginning: an answer did not come, or was joined of two. */
  doubt(): void {
    // Where others are outstanding, it may be theirs.
    if (this.#outstanding.size === 0) this.#link?.resynchronise();
  }

  #end(entry: Entry): void {
    entry.over = true;
    entry.timer?.[Symbol.dispose]();
    if (entry.sequence >= 0) this.#outstanding.delete(entry.sequence);
  }

  #receive(link: McumgrLink, octets: Uint8Array): void {
    if (link !== this.#link) return;
    const header = octets.length < MCUMGR_HEADER_LENGTH ? undefined : decodeHeader(octets);
    const entry = header && isResponseOp(header.op) ? this.#outstanding.get(header.sequence) : undefined;
    if (!header || !entry || entry.group !== header.group || entry.command !== header.command) {
      this.#dropped++;
      return;
    }
    this.#end(entry);
    entry.pending.resolve({ header, octets });
    this.#pump();
  }
}
