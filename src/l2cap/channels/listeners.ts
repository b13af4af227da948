import { callOut } from "../../async/call-out.ts";
import { type Clock, type OperationOptions, onAbort, Pending } from "../../async/index.ts";
import { checkFunction, checkOperation } from "../../core/arguments.ts";
import { type BleError, StateError } from "../../core/error.ts";
import type { CreditBasedChannel } from "./channel.ts";
import { type ChannelMode, type ChannelSettings, checkListen, type ListenOptions } from "./options.ts";

const FIRST_DYNAMIC = 0x80;
const LAST_SPSM = 0xff;
const DEFAULT_CHANNELS = 64;
const DEFAULT_BACKLOG = 16;
/** How long an answer may be decided on: shorter than any peer waits for it. */
const DECISION_MS = 20_000;

/** The side of a listener that links see. */
export interface ListenerControl {
  readonly options: ListenOptions;
  readonly settings: ChannelSettings;
  readonly decisionMs: number;
  isListening(): boolean;
  /** Takes room for a channel that is being decided on. @returns false: there is none */
  admit(): boolean;
  /** The channel that room was taken for is not opened. */
  dismiss(): void;
  /** The channel that room was taken for is open. */
  deliver(channel: CreditBasedChannel): void;
}

/** SPSM of the enhanced ATT bearers, which the host takes itself (Vol 3 Part F 3.2.11; Assigned Numbers 2.5). */
export const EATT_SPSM = 0x27;

/** The side of a listener that links see. */
export let listenerControl: (listener: L2capListener) => ListenerControl;
/** As `listen`, for the host: an SPSM that no program may have. */
export let listenForHost: <Connection>(
  listeners: L2capListeners<Connection>,
  spsm: number,
  options: ListenOptions<Connection>,
) => L2capListener<Connection>;
/** Who waits for a channel. */
interface Loop<Connection> {
  /** Stands for the loop it is of. */
  readonly owner: object;
  readonly resolve: (result: IteratorResult<CreditBasedChannel<Connection>, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

interface ListenerParts {
  readonly clock: Clock;
  readonly onEnd: () => void;
}
let createListener: <Connection>(
  spsm: number,
  settings: ChannelSettings,
  options: ListenOptions<Connection>,
  parts: ListenerParts,
) => L2capListener<Connection>;
let endListener: (listener: L2capListener, reason: BleError | undefined) => void;

/** Channels that peers open to one SPSM, as a loop or by `onChannel`. Ends by disposal, by its signal or with the device; open channels stay. */
export class L2capListener<Connection = unknown> implements Disposable, AsyncIterable<CreditBasedChannel<Connection>> {
  readonly spsm: number;
  readonly #options: ListenOptions<Connection>;
  readonly #control: ListenerControl;
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  readonly #signal: Disposable;
  readonly #open = new Set<CreditBasedChannel>();
  readonly #backlog: CreditBasedChannel<Connection>[] = [];
  #loops: Loop<Connection>[] = [];
  /** Being decided on. */
  #admitted = 0;
  #onChannel: ((channel: CreditBasedChannel<Connection>) => void) | undefined;
  #ended: { readonly error: BleError | undefined } | undefined;

  static {
    createListener = (spsm, settings, options, parts) => new L2capListener(spsm, settings, options, parts);
    listenerControl = (listener) => listener.#control;
    endListener = (listener, reason) => listener.#end(reason);
  }

  private constructor(spsm: number, settings: ChannelSettings, options: ListenOptions<Connection>, { clock, onEnd }: ListenerParts) {
    this.#clock = clock;
    this.spsm = spsm;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#control = {
      options: options as ListenOptions,
      settings,
      decisionMs: options.timeoutMs ?? DECISION_MS,
      isListening: () => this.#ended === undefined,
      admit: () => this.#admit(),
      dismiss: () => {
        this.#admitted--;
      },
      deliver: (channel) => this.#deliver(channel as CreditBasedChannel<Connection>),
    };
    this.#signal = onAbort(options.signal, () => this.#end(undefined));
  }

  /** Channels of this listener that are open, on all links. */
  get channels(): CreditBasedChannel<Connection>[] {
    return [...this.#open] as CreditBasedChannel<Connection>[];
  }

  /** Called synchronously with each channel, before anything of it is delivered, in place of the loop; those that wait come at once. */
  get onChannel(): ((channel: CreditBasedChannel<Connection>) => void) | undefined {
    return this.#onChannel;
  }
  set onChannel(onChannel: ((channel: CreditBasedChannel<Connection>) => void) | undefined) {
    checkFunction("onChannel", onChannel);
    this.#onChannel = onChannel;
    while (this.#onChannel && this.#backlog.length > 0) callOut(this.#onChannel, this.#backlog.shift()!);
  }

  /** Channels until the listener ends; leaving the loop does not end it. Each channel goes to one loop. */
  [Symbol.asyncIterator](): AsyncIterator<CreditBasedChannel<Connection>, undefined> {
    let isLeft = false;
    const owner = {};
    return {
      next: () => {
        if (isLeft) return Promise.resolve({ value: undefined, done: true });
        return new Promise((resolve, reject) => this.#wait({ owner, resolve, reject }));
      },
      return: () => {
        isLeft = true;
        this.#leave(owner);
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }

  /**
   * The next channel. One that comes after `timeoutMs` or `signal` is for who asks next.
   *
   * @throws {TimeoutError} none came in `timeoutMs` · `signal.reason` once `signal` aborts · {StateError} the listener has ended · why the
   *   device is closed, where it was not its owner
   */
  async take(options: OperationOptions = {}): Promise<CreditBasedChannel<Connection>> {
    checkOperation("take", options);
    options.signal?.throwIfAborted();
    const owner = {};
    const taken = new Pending<IteratorResult<CreditBasedChannel<Connection>, undefined>>({
      clock: this.#clock,
      operation: "waiting for a channel",
      ...options,
      onSettled: () => this.#leave(owner),
    });
    // Settled in the turn in which the channel comes: none can be given to who has left.
    this.#wait({ owner, resolve: (next) => taken.resolve(next), reject: (error) => taken.reject(error) });
    const next = await taken.promise;
    if (next.done) throw new StateError(`no more channels come: nothing listens to SPSM 0x${this.spsm.toString(16)} any more`);
    return next.value;
  }

  #wait(loop: Loop<Connection>): void {
    const channel = this.#backlog.shift();
    if (channel) loop.resolve({ value: channel, done: false });
    else if (!this.#ended) this.#loops.push(loop);
    else if (this.#ended.error) loop.reject(this.#ended.error);
    else loop.resolve({ value: undefined, done: true });
  }

  /** Who asked for a channel before it left must not take one that nobody would look at. */
  #leave(owner: object): void {
    const left = this.#loops.filter((loop) => loop.owner === owner);
    this.#loops = this.#loops.filter((loop) => loop.owner !== owner);
    for (const { resolve } of left) resolve({ value: undefined, done: true });
  }

  /** Listens no more. Channels that nobody has taken are closed. */
  [Symbol.dispose](): void {
    this.#end(undefined);
  }

  #admit(): boolean {
    const { maxChannels = DEFAULT_CHANNELS, backlog = DEFAULT_BACKLOG } = this.#options;
    if (this.#ended || this.#open.size + this.#admitted >= maxChannels) return false;
    const isTaken = this.#onChannel !== undefined;
    if (!isTaken && this.#backlog.length + this.#admitted >= backlog + this.#loops.length) return false;
    this.#admitted++;
    return true;
  }

  #deliver(channel: CreditBasedChannel<Connection>): void {
    this.#admitted--;
    if (this.#ended) {
      // By who got another channel of the same request.
      void channel.close();
      return;
    }
    if (!channel.ended) {
      this.#open.add(channel);
      channel.on("closed", () => this.#open.delete(channel));
    }
    if (this.#onChannel) callOut(this.#onChannel, channel);
    else if (this.#loops.length > 0) this.#loops.shift()!.resolve({ value: channel, done: false });
    else this.#backlog.push(channel);
  }

  #end(error: BleError | undefined): void {
    if (this.#ended) return;
    this.#ended = { error };
    this.#signal[Symbol.dispose]();
    this.#onEnd();
    for (const { resolve, reject } of this.#loops.splice(0)) {
      if (error) reject(error);
      else resolve({ value: undefined, done: true });
    }
    for (const channel of this.#backlog.splice(0)) void channel.close();
  }
}

/** What a device listens to, on all of its links. */
export class L2capListeners<Connection = unknown> {
  readonly #clock: Clock;
  readonly #listeners = new Map<number, L2capListener<Connection>>();
  #closed: BleError | undefined;

  static {
    listenForHost = (listeners, spsm, options) => listeners.#listen(spsm, options);
  }

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes channels that peers open.
   *
   * @param spsm 0x01 to 0x7F for services of the SIG, 0x80 to 0xFF for one's own, or "dynamic" for the lowest of these that is free; not 0x27,
   *   whose channels are bearers of the attribute protocol
   * @throws {ArgumentError} an option out of range
   * @throws {StateError} the SPSM is taken, or none is free
   */
  listen(spsm: number | "dynamic", options: ListenOptions<Connection> = {}): L2capListener<Connection> {
    if (spsm === EATT_SPSM)
      throw new StateError(
        "SPSM 0x27 is that of the enhanced ATT bearers, which the host takes itself: the policy's `eatt` says whether it does, and attributes are served by the device's `gattServer`",
      );
    return this.#listen(spsm, options);
  }

  #listen(spsm: number | "dynamic", options: ListenOptions<Connection>): L2capListener<Connection> {
    const settings = checkListen(spsm, options as ListenOptions);
    options.signal?.throwIfAborted();
    if (this.#closed) throw this.#closed;
    const at = spsm === "dynamic" ? this.#lowestFree() : spsm;
    if (this.#listeners.has(at)) throw new StateError(`SPSM 0x${at.toString(16).padStart(2, "0")} is listened to already`);
    const listener = createListener(at, settings, options, { clock: this.#clock, onEnd: () => this.#listeners.delete(at) });
    this.#listeners.set(at, listener);
    return listener;
  }

  /** Who takes channels of this SPSM and mode. @internal */
  find(spsm: number, mode: ChannelMode): ListenerControl | undefined {
    const listener = this.#listeners.get(spsm);
    const control = listener && listenerControl(listener as L2capListener);
    const { mode: wanted = "both" } = control?.options ?? {};
    return wanted === "both" || wanted === mode ? control : undefined;
  }

  /** Ends all, now and later. @param error what their loops throw; nothing: they end @internal */
  close(reason: BleError, error?: BleError): void {
    this.#closed ??= reason;
    for (const listener of [...this.#listeners.values()]) endListener(listener as L2capListener, error);
  }

  #lowestFree(): number {
    for (let spsm = FIRST_DYNAMIC; spsm <= LAST_SPSM; spsm++) if (!this.#listeners.has(spsm)) return spsm;
    throw new StateError("all dynamic SPSMs are listened to already");
  }
}
