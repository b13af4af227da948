import { type Clock, delay } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { Emitter } from "../../async/emitter.ts";
import { onAbort } from "../../async/on-abort.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import { SharedWork } from "../../async/shared-work.ts";
import { kindOf } from "../../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError, TimeoutError } from "../../core/error.ts";
import type { Logger } from "../../core/logger.ts";
import type { McumgrLink, OpenMcumgrLink } from "../links/link.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { MessageTooLongError } from "../protocol/error.ts";
import type { McumgrHeaderInit } from "../protocol/header.ts";
import { encodeMessage } from "../protocol/message.ts";
import { McumgrRegistry } from "../protocol/registry.ts";
import type { McumgrFallback, McumgrLimits, TransferAskOptions, TransferHost, TransferRequest } from "../transfer/host.ts";
import type { McumgrClientEvents } from "./events.ts";
import { probe, readBuffers } from "./limits.ts";
import { payloadOf } from "./payload.ts";
import { isFinal, isLossOnTheWay, openAgain, pauseMs } from "./reconnect.ts";
import { type Answer, RequestTable } from "./requests.ts";
import { ServerLimits } from "./server-limits.ts";
import { VersionChoice } from "./version.ts";

/** Servers answer a reset first and do it a quarter of a second later. */
const RESET_DELAY_MS = 1000;
/** So often is a link made at first that is lost again before the server has told what it takes. */
const OPENINGS = 3;

export interface SessionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: number;
  readonly timeoutMs: number;
  readonly window: number | undefined;
  readonly messageLimit: number | undefined;
}

/** The link of a client, lost and made again, with what is known of the server behind it. */
export class McumgrSession implements TransferHost, AsyncDisposable {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly names = new McumgrRegistry();
  readonly events = new Emitter<McumgrClientEvents>();
  readonly table: RequestTable;
  readonly #open: OpenMcumgrLink;
  readonly #logger: Logger;
  readonly #version: VersionChoice;
  readonly #limits: ServerLimits;
  #link: McumgrLink | undefined;
  #reason: BleError = new ClosedError("there is no link yet");
  #closed = false;
  /** The server did not answer when it was asked for its buffers, or could not just then. */
  #isUndecided = false;
  readonly #ending = new AbortController();
  readonly #lost = new WeakSet<object>();
  /** The trial of a long message, and over which link. */
  #trial: { readonly link: McumgrLink; readonly work: SharedWork<void> } | undefined;
  #reconnecting: SharedWork<void> | undefined;
  /** What the last attempt to reconnect came to. */
  #failure: unknown;
  /** When a reset has begun for sure. */
  #resetByMs = Number.NEGATIVE_INFINITY;

  constructor(open: OpenMcumgrLink, options: SessionOptions) {
    this.#open = open;
    this.clock = options.clock;
    this.#logger = options.logger;
    this.timeoutMs = options.timeoutMs;
    this.#version = new VersionChoice(options.version);
    this.table = new RequestTable(options.clock);
    this.#limits = new ServerLimits({
      window: options.window,
      messageLimit: options.messageLimit,
      onWindow: () => {
        this.table.window = this.#limits.window;
      },
      onChange: (limits) => {
        this.#logger.debug(() => `messages of ${limits.messageLimit} octets, ${limits.window} at once: ${limits.why}`);
        this.events.emit("limits", limits);
      },
      tell: (fallback) => this.tell(fallback),
    });
  }

  get version(): number {
    return this.#version.current;
  }
  get info(): McumgrLink["info"] | undefined {
    return this.#link?.info;
  }
  get known(): McumgrLimits {
    return this.#limits.known;
  }
  get isConnected(): boolean {
    return this.#link !== undefined;
  }
  get isClosed(): boolean {
    return this.#closed;
  }
  get isLossy(): boolean {
    return this.#link?.isLossy ?? false;
  }
  get provenLimit(): number {
    return this.#limits.proven(this.#link);
  }
  isLost(error: unknown): boolean {
    return !this.#link || this.#lost.has(error as object);
  }

  tell(fallback: McumgrFallback): void {
    this.#logger.info(() => `${fallback.what}: ${fallback.to} instead of ${fallback.from}: ${fallback.why}`);
    this.events.emit("fallback", fallback);
  }

  /**
   * Opens the link for the first time. A server that does not answer is no failure yet, and a link that is lost while the server is asked is made
   * again: the device was there, and may just be starting.
   *
   * @throws what the opener throws · the link's reason, when it was lost time and again
   */
  async connect({ signal }: OperationOptions): Promise<void> {
    const options: OperationOptions = signal ? { signal } : {};
    let wasThere = false;
    for (let opening = 1; ; opening++) {
      try {
        if (opening > 1) await delay(this.clock, pauseMs(opening - 1), { ...options, name: "mcumgr opens again" });
        await this.openLink(options);
        wasThere = true;
        await this.learn(signal, false);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        wasThere ||= isLossOnTheWay(error);
        if (!wasThere || this.#closed || opening === OPENINGS || this.#link || isFinal(error)) throw error;
        this.#logger.info(() => `the link was lost while it was opened, and is made again: ${String(error)}`);
      }
    }
  }

  /** @throws what the opener throws · {ClosedError} */
  async openLink(options: OperationOptions): Promise<void> {
    const link = await this.#opened(options);
    this.#link = link;
    this.#limits.begin(link);
    this.table.attach(link);
    link.onClose = (reason) => this.#onClose(link, reason);
  }

  /** An opener may take its time, whatever it was told: then its link comes to nobody, and is closed. */
  async #opened(options: OperationOptions): Promise<McumgrLink> {
    const pending = new Pending<McumgrLink>({ clock: this.clock, operation: "opening an mcumgr link", ...options });
    using _ = onAbort(this.#ending.signal, () => pending.reject(this.#reason));
    (async () => await this.#open(options))().then(
      (link) => {
        if (typeof link?.send !== "function")
          pending.reject(new ArgumentError(`openLink: expected it to give an mcumgr link, got ${kindOf(link)}`));
        else if (pending.settled) link[Symbol.asyncDispose]().then(undefined, () => undefined);
        else pending.resolve(link);
      },
      (error: unknown) => pending.reject(error),
    );
    return await pending.promise;
  }

  /** Closes the link to make another one. */
  async dropLink(reason: BleError): Promise<void> {
    const link = this.#link;
    if (!link) return;
    this.#leave(reason);
    await link[Symbol.asyncDispose]();
  }

  #onClose(link: McumgrLink, reason: BleError): void {
    if (this.#link !== link) return;
    this.#logger.info(() => `the link to ${link.info.target} is gone: ${reason.message}`);
    this.#leave(reason);
    this.events.emit("closed", { reason });
  }

  #leave(reason: BleError): void {
    const link = this.#link;
    if (link) link.onClose = undefined;
    this.#link = undefined;
    this.#reason = reason;
    this.#lost.add(reason);
    this.table.detach(reason);
  }

  /** Asks the server for its buffers. @throws {TimeoutError} it has to answer and does not */
  async learn(signal: AbortSignal | undefined, mustAnswer: boolean): Promise<void> {
    const link = this.#needLink();
    const ask = this.ask.bind(this);
    this.#version.forget();
    const {
      buffers,
      why,
      isUndecided = false,
    } = await readBuffers(ask, link, this.names, { signal, timeoutMs: this.timeoutMs, mustAnswer });
    this.#isUndecided = isUndecided;
    this.#limits.learn(link, buffers, why);
    // Where nothing is lost it takes one round, and is worth it; elsewhere it waits until a long message is wanted.
    if (!link.isLossy && !isUndecided) await this.limits(signal);
  }

  /** Tries a message as long as the server should take, where that has not been done yet. Several callers share the trial. */
  async limits(signal: AbortSignal | undefined): Promise<McumgrLimits> {
    signal?.throwIfAborted();
    if (this.#isUndecided) await this.learn(signal, false); // it may not have been listening yet
    const link = this.#needLink();
    const { goal } = this.#limits;
    if (goal !== undefined) {
      if (this.#trial?.link !== link || this.#trial.work.over) this.#trial = { link, work: this.#try(link, goal) };
      await this.#trial.work.join({ signal });
    }
    return { ...this.known, window: this.#limits.window };
  }

  #try(link: McumgrLink, goal: number): SharedWork<void> {
    return new SharedWork<void>({
      clock: this.clock,
      operation: "trying how long a message may be",
      run: async (abandoned) => {
        try {
          const getsThrough = await probe((request, options) => this.#ask(request, options, goal), link, goal, abandoned);
          this.#limits.found(link, goal, getsThrough, this.#link === link);
        } catch (error) {
          if (this.#link !== link && !this.#closed) this.#limits.lost(link, goal);
          throw error;
        }
      },
    });
  }

  /** A caller knows better than the server's buffers how many requests may be outstanding; until it is disposed. */
  widen(window: number | undefined): Disposable {
    return this.#limits.widen(window);
  }

  #needLink(): McumgrLink {
    if (!this.#link) throw this.#reason;
    return this.#link;
  }

  ask(request: TransferRequest, options: TransferAskOptions): Promise<CborMap> {
    return this.#ask(request, options);
  }

  /** @param limit of the message in octets; where it is left out, what is known, and what can be found out */
  async #ask(request: TransferRequest, options: TransferAskOptions, limit?: number): Promise<CborMap> {
    const { op, group, command, title, payload } = request;
    const version = this.#version.current;
    const answer = await this.#askOnce({ op, group, command, version }, payload, title, options, limit);
    const other = this.#version.refusedBy(answer, version);
    if (other === undefined) return answer;
    const why = `the server does not take version ${version + 1} of the protocol`;
    this.tell({ what: "version", from: version + 1, to: other + 1, why });
    return await this.#askOnce({ op, group, command, version: other }, payload, title, options, limit);
  }

  async #askOnce(...[header, payload, title, options, limit]: Parameters<McumgrSession["exchange"]>): Promise<CborMap> {
    return this.read(await this.exchange(header, payload, title, options, limit), title);
  }

  /** The payload of an answer. @throws {McumgrResponseError} it is damaged: the link begins anew with the next message */
  read(answer: Answer, title: string): CborMap {
    try {
      return payloadOf(answer, title);
    } catch (error) {
      this.table.doubt();
      throw error;
    }
  }

  /**
   * Sends one message and waits for its answer, whatever it is.
   *
   * @throws {TimeoutError} · {MessageTooLongError} · the link's reason · `signal.reason`
   */
  async exchange(
    header: Omit<McumgrHeaderInit, "sequence">,
    payload: CborMap | Uint8Array,
    title: string,
    options: TransferAskOptions,
    limit?: number,
  ): Promise<Answer> {
    this.#needLink();
    const message = encodeMessage({ ...header, sequence: 0 }, payload);
    if (message.length > (limit ?? this.known.messageLimit)) {
      const { messageLimit } = await this.limits(options.signal);
      if (message.length > messageLimit) throw new MessageTooLongError(message.length, messageLimit);
    }
    return this.table.ask(message, title, options);
  }

  /** The server has said that it resets, or has been told to: what it answers until then is the old one's. */
  expectReset(): void {
    this.#resetByMs = this.clock.now() + RESET_DELAY_MS;
  }

  async #awaitReset(signal: AbortSignal): Promise<void> {
    const leftMs = this.#resetByMs - this.clock.now();
    if (leftMs <= 0 || !this.#link) return;
    const closed = new AbortController();
    using deadline = new Deadline({ clock: this.clock, operation: "the reset of the server", signal, timeoutMs: leftMs });
    if (deadline.signal.aborted) return;
    using _ = this.events.on("closed", () => closed.abort());
    using __ = onAbort(deadline.signal, () => closed.abort());
    await new Promise<void>((resolve) => onAbort(closed.signal, resolve));
  }

  /**
   * Makes the link again where it is gone, and waits until the server answers. Several callers share the work.
   *
   * @throws {TimeoutError} whose `cause` is what the last attempt came to · `signal.reason`
   */
  async reconnect({ signal, timeoutMs = 60_000 }: OperationOptions): Promise<void> {
    if (this.#closed) throw this.#reason;
    signal?.throwIfAborted();
    if (!this.#reconnecting || this.#reconnecting.over)
      this.#reconnecting = new SharedWork<void>({
        clock: this.clock,
        operation: "reconnecting",
        run: async (abandoned) => {
          const over = new AbortController();
          using _ = onAbort(abandoned, () => over.abort(abandoned.reason));
          using __ = onAbort(this.#ending.signal, () => over.abort(this.#reason));
          this.#failure = undefined;
          await this.#awaitReset(over.signal);
          over.signal.throwIfAborted();
          await openAgain(this, over.signal, (error) => {
            this.#failure = error;
          });
          this.events.emit("reconnected", { limits: this.known });
        },
      });
    try {
      await this.#reconnecting.join({ signal, timeoutMs });
    } catch (error) {
      if (error instanceof TimeoutError && this.#failure !== undefined)
        throw new TimeoutError(error.operation, error.timeoutMs, { cause: this.#failure });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const link = this.#link;
    this.#leave(new ClosedError("the mcumgr client was closed"));
    this.#ending.abort(this.#reason);
    await link?.[Symbol.asyncDispose]();
  }
}
