import { Broadcast, type Clock, type Flow, type OperationOptions, onAbort, Pending } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import { checkOperation, checkOptions, checkSignal, optionNames } from "../core/arguments.ts";
import { StateError, TimeoutError } from "../core/error.ts";
import type {
  Advertiser,
  AdvertisingDataFields,
  AdvertisingDataLike,
  AdvertisingEnd,
  AdvertisingSession,
  PeriodicAdvertiser,
  PeriodicAdvertising,
  PeriodicOptions,
} from "../gap/index.ts";
import type { Connection } from "./connection.ts";

/** Connections kept for a loop that has not begun; more are still connected and served, but not handed out here. */
const BACKLOG = 16;
const SIGNAL_OPTION = optionNames<{ signal?: AbortSignal | undefined }>({ signal: true });
const UPDATE_OPTIONS = optionNames<AdvertisingUpdate>({ data: true, scanResponse: true, payload: true });

/** What of an advertisement can change while it is on the air. */
export interface AdvertisingUpdate {
  /** At most 31 octets, or as many as the controller's extended advertising holds. */
  readonly data?: AdvertisingDataLike | undefined;
  /** As many. */
  readonly scanResponse?: AdvertisingDataLike | undefined;
  /** In place of both: one description, divided over them (see `packAdvertisingData`). */
  readonly payload?: AdvertisingDataFields | undefined;
}

interface AdvertisingParts {
  readonly advertiser: Advertiser;
  readonly periodic: PeriodicAdvertiser;
  readonly session: AdvertisingSession;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Made by `Device.advertise`, and by nobody else. */
export let createAdvertising: (at: AdvertisingParts) => Advertising;

/** Why and how an advertisement is over. */
export interface AdvertisingEnded {
  readonly reason: AdvertisingEnd;
  /** What ended it, where that was not the program or its own limit. */
  readonly error: unknown;
  /** Advertising events that were sent, where `maxEvents` ended it. */
  readonly events: number | undefined;
}

/** One advertisement, until it is stopped or ended by a connection (see AdvertiseOptions.restart). */
export class Advertising implements AsyncDisposable {
  readonly #advertiser: Advertiser;
  readonly #periodic: PeriodicAdvertiser;
  readonly #session: AdvertisingSession;
  readonly #clock: Clock;
  readonly #connections = new Broadcast<Connection>();
  readonly #scanRequests = new Broadcast<Address>();
  readonly #closed: Promise<AdvertisingEnded>;
  #resolveClosed!: (ended: AdvertisingEnded) => void;
  #backlog: Connection[] = [];
  /** Callers of `connection`, in the order of their calls. */
  readonly #waiting = new Set<Pending<Connection>>();
  readonly #listener: Disposable;
  readonly #timer: Disposable | undefined;
  #isOver: { readonly error: unknown } | undefined;

  static {
    createAdvertising = (at) => new Advertising(at);
  }

  private constructor(at: AdvertisingParts) {
    this.#advertiser = at.advertiser;
    this.#periodic = at.periodic;
    this.#session = at.session;
    this.#clock = at.clock;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#listener = onAbort(at.signal, () => at.advertiser.abandon(at.session, at.signal?.reason));
    const { timeoutMs = Number.POSITIVE_INFINITY } = at;
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      const error = new TimeoutError("advertising", timeoutMs);
      this.#timer = at.clock.setTimer(timeoutMs, "end of advertising", () => at.advertiser.abandon(at.session, error));
    }
    at.session.onEnd = (error) => this.#end(error);
    at.session.onScanRequest = (scanner) => this.#scanRequests.publish(scanner);
    if (at.session.ended) this.#end(at.session.ended.error);
  }

  /** Advertising is wanted: not stopped, not ended by a connection. It may wait for a moment, for a connection or for the random address. */
  get active(): boolean {
    return this.#session.ended === undefined;
  }
  /** The own address on the air, or last on it; of those that the controller makes and changes by itself, the one that it began with. */
  get ownAddress(): Address | undefined {
    return this.#session.address;
  }

  /** Advertising Set Identifier; `undefined` with legacy PDUs. */
  get sid(): number | undefined {
    return this.#session.sid;
  }
  /** Advertising handle of the controller; `undefined` with a legacy controller. */
  get handle(): number | undefined {
    return this.#session.handle;
  }
  /** What it is sent with, where the controller says. */
  get txPowerDbm(): number | undefined {
    return this.#session.txPowerDbm;
  }
  /** Whether it is sent with the PDUs of extended advertising. */
  get isExtended(): boolean {
    return !this.#session.isLegacy;
  }
  /** Why it is over; `undefined` while it is not. */
  get ended(): AdvertisingEnded | undefined {
    return this.#session.ended;
  }
  /** Resolves when it is over, with the reason. */
  get closed(): Promise<AdvertisingEnded> {
    return this.#closed;
  }

  /**
   * Who asked for scan responses, one entry a request, where `scanRequestNotifications` was asked for. The loop ends when advertising does; one
   * that is 64 requests behind loses the oldest.
   */
  scanRequests(options: { signal?: AbortSignal | undefined } = {}): Flow<Address> {
    checkOptions("scanRequests", options, SIGNAL_OPTION);
    checkSignal("scanRequests: signal", options.signal);
    return this.#scanRequests.subscribe({ capacity: 64, signal: options.signal });
  }

  /**
   * The connections this advertisement leads to, those made before the first call and still there included. The loop ends when advertising does; with
   * `signal.reason` if a signal ended it, with a TimeoutError if its time was over, with an error if the controller did. Several loops see the same connections.
   */
  connections(options: { signal?: AbortSignal | undefined } = {}): Flow<Connection> {
    checkOptions("connections", options, SIGNAL_OPTION);
    checkSignal("connections: signal", options.signal);
    const subscription = this.#connections.subscribe({ capacity: BACKLOG, signal: options.signal });
    const backlog = this.#openBacklog();
    this.#backlog = [];
    return backlog.length === 0 ? subscription : new After(backlog, subscription);
  }

  /**
   * The next connection. Each goes to one caller: who asked first.
   *
   * @throws {StateError} advertising was stopped
   * @throws {TimeoutError} none came in `timeoutMs`, this one or that of `advertise`
   */
  async connection(options: OperationOptions = {}): Promise<Connection> {
    checkOperation("connection", options);
    options.signal?.throwIfAborted();
    this.#backlog = this.#openBacklog();
    const first = this.#backlog.shift();
    if (first) return first;
    if (this.#isOver) throw this.#isOver.error ?? new StateError("advertising ended without a connection");
    const pending: Pending<Connection> = new Pending<Connection>({
      clock: this.#clock,
      operation: "waiting for a connection",
      ...options,
      onSettled: () => this.#waiting.delete(pending),
    });
    this.#waiting.add(pending);
    return await pending.promise;
  }

  /**
   * Changes what is advertised, on the air or at the next start. What rejects was not changed.
   *
   * @throws {ArgumentError} it does not fit
   * @throws {StateError} advertising is over
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer
   */
  async update(change: AdvertisingUpdate): Promise<void> {
    checkOptions("update", change ?? null, UPDATE_OPTIONS);
    await this.#advertiser.setData(this.#session, change);
  }

  /**
   * Adds periodic advertising, at exact intervals, which scanners synchronize to by what this advertisement says of it. This one is extended and
   * takes neither connections nor scan requests: `{ type: "extended", connectable: false }`. It ends with this advertisement.
   *
   * @throws {ArgumentError} options out of range, or an advertisement that cannot have it
   * @throws {StateError} this advertisement is over, or has periodic advertising already
   * @throws {UnsupportedError} the controller cannot
   * @throws {HciError} the controller refuses; this advertisement goes on
   * @throws {TimeoutError} the controller does not answer
   * @throws `signal.reason` once `signal` aborts before it is on the air
   */
  async startPeriodic(options: PeriodicOptions): Promise<PeriodicAdvertising> {
    return await this.#periodic.start(this.#advertiser.setOf(this.#session), this.#session, options);
  }

  /**
   * Takes it off the air; connections stay. While this rejects it may still be there: turning it off is tried again, and where that never
   * succeeds the device closes.
   *
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer
   */
  async stop(): Promise<void> {
    await this.#advertiser.stop(this.#session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** A connection that answers this advertisement. @internal */
  publish(connection: Connection): void {
    const isTaken = this.#handToCaller(connection);
    if (this.#connections.size > 0) this.#connections.publish(connection);
    else if (!isTaken) {
      this.#backlog = this.#openBacklog();
      if (this.#backlog.length < BACKLOG) this.#backlog.push(connection);
    }
  }

  #handToCaller(connection: Connection): boolean {
    const [first] = this.#waiting;
    first?.resolve(connection);
    return first !== undefined;
  }

  /** Those that are still there. */
  #openBacklog(): Connection[] {
    return this.#backlog.filter(({ ended }) => !ended);
  }

  #end(error: unknown): void {
    this.#listener[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    this.#resolveClosed(this.#session.ended!);
    this.#scanRequests.close(error);
    // In a later turn of the promises: a connection that ends advertising is handed out first.
    queueMicrotask(() => {
      this.#isOver = { error };
      this.#connections.close(error);
      for (const pending of this.#waiting) pending.reject(error ?? new StateError("advertising ended without a connection"));
    });
  }
}

/** Connections that were there already, then those that come. */
class After implements Flow<Connection> {
  readonly #backlog: Connection[];
  readonly #rest: Flow<Connection>;

  constructor(backlog: Connection[], rest: Flow<Connection>) {
    this.#backlog = backlog;
    this.#rest = rest;
  }

  get dropped(): number {
    return this.#rest.dropped;
  }
  next(): Promise<IteratorResult<Connection>> {
    const value = this.#backlog.shift();
    return value ? Promise.resolve({ value, done: false }) : this.#rest.next();
  }
  return(): Promise<IteratorResult<Connection>> {
    this.#backlog.length = 0;
    return this.#rest.return!();
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
}
