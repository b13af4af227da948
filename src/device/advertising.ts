import { Broadcast, type Clock, type OperationOptions, Pending } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import { StateError } from "../core/error.ts";
import { type Advertiser, AdvertisingData, type AdvertisingDataLike, type AdvertisingSession } from "../gap/index.ts";
import type { Connection } from "./connection.ts";

/** Connections kept for a loop that has not begun; more are still connected and served, but not handed out here. */
const BACKLOG = 16;

/** One advertisement, until it is stopped or ended by a connection (see AdvertiseOptions.restart). */
export class Advertising implements AsyncDisposable {
  readonly #advertiser: Advertiser;
  readonly #session: AdvertisingSession;
  readonly #clock: Clock;
  readonly #connections = new Broadcast<Connection>();
  #backlog: Connection[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => void this.#advertiser.stop(this.#session, this.#signal!.reason);

  /** Made by `Device.advertise`. */
  constructor(at: { advertiser: Advertiser; session: AdvertisingSession; clock: Clock; signal?: AbortSignal | undefined }) {
    this.#advertiser = at.advertiser;
    this.#session = at.session;
    this.#clock = at.clock;
    this.#signal = at.signal;
    at.signal?.addEventListener("abort", this.#onAbort, { once: true });
    at.session.onEnd = (error) => this.#end(error);
    if (at.session.ended) this.#end(at.session.ended.error);
  }

  /** Advertising is wanted: not stopped, not ended by a connection. It may wait for a moment, for a connection or for the random address. */
  get active(): boolean {
    return this.#session.ended === undefined;
  }
  /** The own address on the air, or last on it. */
  get ownAddress(): Address | undefined {
    return this.#session.address;
  }

  /**
   * The connections this advertisement leads to, those made before the first call and still there included. The loop ends when advertising does; with
   * `signal.reason` if a signal ended it, with an error if the controller did.
   */
  connections({ signal }: { signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<Connection> {
    const subscription = this.#connections.subscribe({ capacity: BACKLOG, signal });
    const backlog = this.#openBacklog();
    this.#backlog = [];
    if (backlog.length === 0) return subscription;
    return after(backlog, subscription);
  }

  /**
   * The next connection.
   *
   * @throws {StateError} advertising was stopped
   * @throws {TimeoutError} none came in `timeoutMs`
   */
  async connection({ signal, timeoutMs }: OperationOptions = {}): Promise<Connection> {
    this.#backlog = this.#openBacklog();
    const first = this.#backlog.shift();
    if (first) return first;
    const pending = new Pending<Connection>({ clock: this.#clock, operation: "waiting for a connection", signal, timeoutMs });
    using subscription = this.#connections.subscribe({ capacity: 1 });
    subscription.next().then(
      ({ value, done }) => (done ? pending.reject(new StateError("advertising ended without a connection")) : pending.resolve(value)),
      (error: unknown) => pending.reject(error),
    );
    return await pending.promise;
  }

  /** Changes what is advertised, on the air. @throws {ArgumentError} it does not fit · {StateError} advertising is over */
  async update({ data, scanResponse }: { data?: AdvertisingDataLike; scanResponse?: AdvertisingDataLike }): Promise<void> {
    await this.#advertiser.setData(this.#session, {
      ...(data && { data: AdvertisingData.from(data) }),
      ...(scanResponse && { scanResponse: AdvertisingData.from(scanResponse) }),
    });
  }

  /** Takes it off the air; connections stay. */
  async stop(): Promise<void> {
    await this.#advertiser.stop(this.#session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** A connection that answers this advertisement. @internal */
  publish(connection: Connection): void {
    if (this.#connections.size > 0) {
      this.#connections.publish(connection);
      return;
    }
    this.#backlog = this.#openBacklog();
    if (this.#backlog.length < BACKLOG) this.#backlog.push(connection);
  }

  /** Those that are still there. */
  #openBacklog(): Connection[] {
    return this.#backlog.filter(({ ended }) => !ended);
  }

  #end(error: unknown): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    // In a later turn of the promises: a connection that ends advertising is handed out first.
    queueMicrotask(() => this.#connections.close(error));
  }
}

async function* after(backlog: readonly Connection[], rest: AsyncIterableIterator<Connection>): AsyncGenerator<Connection, void> {
  try {
    yield* backlog;
    yield* { [Symbol.asyncIterator]: () => rest };
  } finally {
    await rest.return?.();
  }
}
