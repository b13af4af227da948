import type { Clock } from "../../async/clock.ts";
import { Emitter, type OperationOptions, ownTerms } from "../../async/index.ts";
import { checkChoice, checkFunction, checkInteger, checkOctets, checkOperation } from "../../core/arguments.ts";
import { ArgumentError, type BleError } from "../../core/error.ts";
import type { Logger } from "../../core/logger.ts";
import type { AclLink } from "../../hci/index.ts";
import type { ChannelMode, ChannelSettings } from "./options.ts";
import { ChannelReceiver } from "./receiver.ts";
import { ChannelClosedError } from "./results.ts";
import type { Scheduler } from "./scheduler.ts";
import { ChannelSender } from "./sender.ts";
import { type ChannelStreams, createStreams } from "./streams.ts";

/** How long closing waits for what was sent before. */
const FLUSH_MS = 1000;
const MOST_CREDITS = 0xffff;

export type ChannelEvents = {
  /** The channel cannot be used any more, with the reason; once. */
  closed: BleError;
  /** One side changed what it takes: `mtu`, `mps`, `peerMtu` or `peerMps`. */
  reconfigured: { readonly mtu: number; readonly mps: number; readonly peerMtu: number; readonly peerMps: number };
};
const EVENTS: readonly (keyof ChannelEvents)[] = ["closed", "reconfigured"];

/** What the link does for its channels. */
export interface ChannelHost {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acl: AclLink;
  readonly scheduler: Scheduler;
  readonly packetLength: () => number;
  giveCredits(localCid: number, credits: number): void;
  /** Sends a Disconnection Request; calls `channel.gone` when the CIDs are free again. */
  disconnect(channel: ChannelControl): void;
}

/** What a channel is made of. */
export interface ChannelParts<Connection> {
  readonly host: ChannelHost;
  readonly connection: Connection;
  readonly spsm: number;
  readonly mode: ChannelMode;
  readonly role: "initiator" | "acceptor";
  readonly localCid: number;
  readonly remoteCid: number;
  readonly settings: ChannelSettings;
  readonly peerMtu: number;
  readonly peerMps: number;
  /** Credits that the peer gave at first. */
  readonly peerCredits: number;
}

/** The side of a channel that the link sees. */
export interface ChannelControl {
  readonly mode: ChannelMode;
  readonly localCid: number;
  readonly remoteCid: number;
  peerMtu(): number;
  peerMps(): number;
  /** A Disconnection Request is under way. */
  isDisconnecting(): boolean;
  receiveFrame(bytes: Uint8Array, offset: number, end: number): void;
  addCredits(credits: number): void;
  /** What this side takes, or what the peer takes, has changed. */
  reconfigure(own: boolean, mtu: number, mps: number): void;
  /** The peer broke a rule: the channel is closed. */
  violate(problem: string): void;
  /** The end, with its reason where there was none yet. */
  gone(reason: BleError): void;
  close(): Promise<void>;
}

/** Made by the link, and by nobody else. */
export let createChannel: <Connection>(parts: ChannelParts<Connection>) => CreditBasedChannel<Connection>;
/** The side of a channel that the link sees. */
export let controlOf: (channel: CreditBasedChannel) => ChannelControl;

/**
 * A credit based channel, Vol 3 Part A 10.1 and 10.2: whole SDUs both ways, in order, each side sending only what the other has room for. The
 * channel ends by `close`, by the peer, by a breach of the rules, or with the link; whatever waits on it is settled then.
 */
export class CreditBasedChannel<Connection = unknown> implements AsyncDisposable, AsyncIterable<Uint8Array> {
  readonly connection: Connection;
  readonly spsm: number;
  readonly mode: ChannelMode;
  /** Who asked for it. */
  readonly role: "initiator" | "acceptor";
  readonly localCid: number;
  readonly remoteCid: number;
  /** Resolves when the channel cannot be used any more, with the reason; never rejects. */
  readonly closed: Promise<BleError>;
  readonly #host: ChannelHost;
  readonly #sender: ChannelSender;
  readonly #receiver: ChannelReceiver;
  readonly #events = new Emitter<ChannelEvents>();
  readonly #control: ChannelControl;
  #peerMtu: number;
  #state: "open" | "flushing" | "disconnecting" | "closed" = "open";
  #ended: BleError | undefined;
  #closing: Promise<void> | undefined;
  /** The CIDs are free again. */
  readonly #free: Promise<void>;
  #resolveFree!: () => void;
  #flush: Disposable | undefined;
  #resolveClosed!: (reason: BleError) => void;

  static {
    createChannel = (parts) => new CreditBasedChannel(parts);
    controlOf = (channel) => channel.#control;
  }

  private constructor(parts: ChannelParts<Connection>) {
    const { host, settings, localCid, remoteCid } = parts;
    this.connection = parts.connection;
    this.spsm = parts.spsm;
    this.mode = parts.mode;
    this.role = parts.role;
    this.localCid = localCid;
    this.remoteCid = remoteCid;
    this.#host = host;
    this.#peerMtu = parts.peerMtu;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#free = new Promise((resolve) => {
      this.#resolveFree = resolve;
    });
    this.#sender = new ChannelSender({
      clock: host.clock,
      link: host.acl,
      remoteCid,
      peerMps: parts.peerMps,
      credits: parts.peerCredits,
      sendQueue: settings.sendQueue,
      packetLength: host.packetLength,
    });
    this.#receiver = new ChannelReceiver({
      clock: host.clock,
      mtu: settings.mtu,
      mps: settings.mps,
      credits: settings.initialCredits,
      isManual: settings.isManual,
      onCredits: (credits) => host.giveCredits(localCid, credits),
    });
    this.#control = this.#createControl();
  }

  /** Longest SDU that this side takes, in octets. */
  get mtu(): number {
    return this.#receiver.mtu;
  }
  /** Longest payload of a K-frame that this side takes, in octets. */
  get mps(): number {
    return this.#receiver.mps;
  }
  /** Longest SDU that the peer takes, in octets. */
  get peerMtu(): number {
    return this.#peerMtu;
  }
  /** Longest payload of a K-frame that the peer takes, in octets. */
  get peerMps(): number {
    return this.#sender.peerMps;
  }
  /** Why the channel cannot be used any more; `undefined` while it can. */
  get ended(): BleError | undefined {
    return this.#ended;
  }
  /** SDUs of which something has not been handed to the controller's queue: 0 right after `send` says that the SDU has gone. */
  get waiting(): number {
    return this.#sender.waiting;
  }
  /** There is room for another SDU: `trySend` takes it. */
  get writable(): boolean {
    return this.#state === "open" && this.#sender.writable;
  }
  /** SDUs that were received and not taken. */
  get available(): number {
    return this.#receiver.available;
  }
  /** K-frames that the peer has given credits for. */
  get credits(): number {
    return this.#sender.credits;
  }

  /**
   * Sends an SDU, after those before it; resolves when its last octet was handed to the controller's queue. The octets must not be changed
   * before. One that was begun goes on when `signal` or `timeoutMs` ends the wait: the peer waits for the rest of it.
   *
   * @throws {ArgumentError} longer than `peerMtu`
   * @throws {ChannelClosedError} the channel is closed, or was before all of it had gone
   * @throws {DisconnectedError} the link is lost
   * @throws {TimeoutError} · `signal.reason`
   */
  send(sdu: Uint8Array, options: OperationOptions = {}): Promise<void> {
    try {
      this.#checkSdu("send", sdu);
      checkOperation("send", options);
      this.#throwIfClosing();
      options.signal?.throwIfAborted();
    } catch (error) {
      return Promise.reject(error);
    }
    const entry = this.#sender.push(sdu);
    this.#host.scheduler.add(this.#sender);
    return this.#sender.whenGone(entry, options);
  }

  /** Sends an SDU if there is room for it; the octets may be changed afterwards. @returns false: nothing has happened @throws {ArgumentError} longer than `peerMtu` */
  trySend(sdu: Uint8Array): boolean {
    this.#checkSdu("trySend", sdu);
    if (!this.writable) return false;
    const entry = this.#sender.push(sdu);
    this.#host.scheduler.add(this.#sender);
    this.#sender.keep(entry);
    return true;
  }

  /** Resolves when `writable`. @throws why the channel is closed · {TimeoutError} · `signal.reason` */
  async whenWritable(options: OperationOptions = {}): Promise<void> {
    checkOperation("whenWritable", options);
    this.#throwIfClosing();
    await this.#sender.whenWritable(options);
  }

  /**
   * The next SDU; what was received before the end can still be taken after it.
   *
   * @returns nothing once the channel was closed by the peer or its owner
   * @throws {ChannelClosedError} the peer broke a rule
   * @throws {DisconnectedError} the link is lost
   * @throws {TimeoutError} · `signal.reason`
   */
  receive(options: OperationOptions = {}): Promise<Uint8Array | undefined> {
    try {
      checkOperation("receive", options);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#receiver.read(options);
  }

  /** SDUs until the channel is closed; leaving the loop does not close it. @throws as `receive` */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const sdu = await this.receive();
      if (sdu === undefined) return;
      yield sdu;
    }
  }

  /** Called synchronously with each SDU, in place of `receive`; those that wait come at once when it is set. */
  get onSdu(): ((sdu: Uint8Array) => void) | undefined {
    return this.#receiver.onSdu;
  }
  set onSdu(onSdu: ((sdu: Uint8Array) => void) | undefined) {
    checkFunction("onSdu", onSdu);
    this.#receiver.onSdu = onSdu;
  }

  /** With `credits: "manual"`: so many of the SDUs that were handed out are done with, the oldest first. The peer may send as much again. */
  consumed(sdus = 1): void {
    checkInteger("consumed: sdus", sdus, 0, Number.MAX_SAFE_INTEGER);
    this.#receiver.consumed(sdus);
  }

  on<K extends keyof ChannelEvents>(event: K, listener: (value: ChannelEvents[K]) => void): Disposable {
    checkChoice("channel event", event, EVENTS);
    checkFunction(`listener of "${event}"`, listener ?? null);
    return this.#events.on(event, listener);
  }

  /**
   * Closes the channel: what was sent before goes first, for at most a second, then a Disconnection Request. Resolves when the peer has
   * answered it, or has not for 30 s. Does nothing where the channel is closed.
   */
  async close(options: OperationOptions = {}): Promise<void> {
    checkOperation("close", options);
    options.signal?.throwIfAborted();
    this.#closing ??= this.#beginClosing();
    await ownTerms(this.#host.clock, "closing a channel", this.#closing, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The channel as a stream of octets both ways: what is written is cut into SDUs as long as the peer takes, and boundaries are not kept.
   * Closing `writable` closes the channel when everything has gone; cancelling `readable` or aborting `writable` closes it too, without
   * waiting for the peer. In place of `receive`.
   */
  streams(): ChannelStreams {
    return createStreams(this);
  }

  #checkSdu(what: string, sdu: Uint8Array): void {
    checkOctets(what, sdu);
    if (sdu.length > this.#peerMtu)
      throw new ArgumentError(`${what}: an SDU of ${sdu.length} octets: the peer takes at most ${this.#peerMtu}`);
  }

  #throwIfClosing(): void {
    if (this.#ended) throw this.#ended;
    if (this.#state !== "open") throw new ChannelClosedError("owner");
  }

  async #beginClosing(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "flushing";
      if (this.#sender.waiting === 0) this.#disconnect(new ChannelClosedError("owner"));
      else {
        const over = (): void => this.#disconnect(new ChannelClosedError("owner"));
        this.#sender.onDrained = over;
        this.#flush = this.#host.clock.setTimer(FLUSH_MS, "what a channel has still to send", over);
      }
    }
    await this.#free;
  }

  /** From here on nothing is received or sent. */
  #disconnect(reason: BleError): void {
    if (this.#state !== "open" && this.#state !== "flushing") return;
    this.#state = "disconnecting";
    this.#end(reason);
    this.#host.disconnect(this.#control);
  }

  #end(reason: BleError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#flush?.[Symbol.dispose]();
    this.#sender.onDrained = undefined;
    this.#sender.close(reason);
    const isQuiet = reason instanceof ChannelClosedError && reason.by !== "violation";
    this.#receiver.close(isQuiet ? undefined : reason);
    this.#resolveClosed(reason);
    this.#events.emit("closed", reason);
  }

  #violate(problem: string): void {
    this.#host.logger.warn(() => `channel 0x${this.localCid.toString(16)} is closed, since the peer sent ${problem}`);
    this.#disconnect(new ChannelClosedError("violation", problem));
  }

  #createControl(): ChannelControl {
    return {
      mode: this.mode,
      localCid: this.localCid,
      remoteCid: this.remoteCid,
      peerMtu: () => this.peerMtu,
      peerMps: () => this.peerMps,
      isDisconnecting: () => this.#state === "disconnecting",
      receiveFrame: (bytes, offset, end) => {
        if (this.#state !== "open" && this.#state !== "flushing") return; // discarded, 4.6
        const problem = this.#receiver.receive(bytes, offset, end);
        if (problem !== undefined) this.#violate(problem);
      },
      addCredits: (credits) => {
        if (credits === 0 || this.#ended) return;
        if (this.#sender.credits + credits > MOST_CREDITS) {
          this.#violate(`${credits} credits on top of ${this.#sender.credits}`);
          return;
        }
        this.#sender.credits += credits;
        this.#host.scheduler.add(this.#sender);
      },
      reconfigure: (own, mtu, mps) => {
        if (own) this.#receiver.reconfigure(mtu, mps);
        else {
          this.#peerMtu = mtu;
          this.#sender.peerMps = mps;
        }
        this.#events.emit("reconfigured", { mtu: this.mtu, mps: this.mps, peerMtu: this.peerMtu, peerMps: this.peerMps });
      },
      violate: (problem) => this.#violate(problem),
      gone: (reason) => {
        if (this.#state === "closed") return;
        this.#state = "closed";
        this.#end(reason);
        this.#resolveFree();
      },
      close: () => this.close(),
    };
  }
}
