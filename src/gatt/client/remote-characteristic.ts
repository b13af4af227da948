import { Subscription } from "../../async/broadcast.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { ArgumentError, type BleError, UnsupportedError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { type CharacteristicProperty, hasProperty, propertyNames } from "../properties.ts";
import { GattUuid } from "../uuids.ts";
import type { ClientContext, HandleRange } from "./context.ts";
import type { FoundCharacteristic } from "./discovery.ts";
import { GattNotFoundError } from "./error.ts";
import { RemoteDescriptor } from "./remote-descriptor.ts";
import { CharacteristicSubscriptions, INDICATIONS, NOTIFICATIONS, type ValueListener } from "./subscriptions.ts";

export interface ValueFlowOptions {
  readonly signal?: AbortSignal | undefined;
  /** Values kept for a loop that is behind, 256 by default; of more the oldest are lost. */
  readonly capacity?: number | undefined;
}

export interface SubscribeOptions extends OperationOptions {
  /** Which of the two; by default notifications where the characteristic has them. */
  readonly kind?: "notify" | "indicate" | undefined;
  /** No more values will come: the link is gone, or the service changed. */
  readonly onEnd?: ((reason: unknown) => void) | undefined;
}

/** A characteristic of the peer. */
export class RemoteCharacteristic {
  readonly uuid: Uuid;
  /** The service it was found in. */
  readonly service: HandleRange & { readonly uuid: Uuid };
  /** Handle of the declaration. */
  readonly handle: number;
  readonly valueHandle: number;
  /** Last handle of its descriptors. */
  readonly endHandle: number;
  /** The octet of the declaration. */
  readonly propertyBits: number;
  readonly #context: ClientContext;
  readonly #subscriptions: CharacteristicSubscriptions;
  #descriptors: readonly RemoteDescriptor[] | undefined;
  #stale: BleError | undefined;

  constructor(context: ClientContext, service: HandleRange & { readonly uuid: Uuid }, found: FoundCharacteristic, endHandle: number) {
    this.#context = context;
    this.service = service;
    this.uuid = found.uuid;
    this.handle = found.handle;
    this.valueHandle = found.valueHandle;
    this.endHandle = endHandle;
    this.propertyBits = found.properties;
    this.#subscriptions = new CharacteristicSubscriptions(context, this.valueHandle, async (options) => {
      return (await this.descriptor(GattUuid.ClientCharacteristicConfiguration, options)).handle;
    });
  }

  get properties(): CharacteristicProperty[] {
    return propertyNames(this.propertyBits);
  }

  has(property: CharacteristicProperty): boolean {
    return hasProperty(this.propertyBits, property);
  }

  /** The whole value, however long. @throws {AttError} the peer refuses */
  async read(options: OperationOptions = {}): Promise<Uint8Array> {
    this.#check();
    return this.#context.values.read(this.valueHandle, options);
  }

  /** Writes and waits for the answer; a value that does not fit one PDU is written in parts. @throws {AttError} the peer refuses */
  async write(value: Uint8Array, options: OperationOptions = {}): Promise<void> {
    this.#check();
    return this.#context.values.write(this.valueHandle, value, options);
  }

  /**
   * Sends the value without an answer; resolves when the link has taken it.
   *
   * @throws {ArgumentError} longer than one PDU holds
   */
  async writeWithoutResponse(value: Uint8Array, options: OperationOptions = {}): Promise<void> {
    this.#check();
    return this.#context.values.writeWithoutResponse(this.valueHandle, value, options);
  }

  /** As `writeWithoutResponse`, now or not at all. */
  tryWriteWithoutResponse(value: Uint8Array): boolean {
    this.#check();
    return this.#context.values.tryWriteWithoutResponse(this.valueHandle, value);
  }

  /** All descriptors, asked for once. */
  async descriptors(options: OperationOptions = {}): Promise<readonly RemoteDescriptor[]> {
    this.#check();
    const permit = await this.#context.discoveryLock.acquire(options, "waiting for a discovery");
    try {
      this.#check();
      if (!this.#descriptors) {
        const range = { handle: this.valueHandle + 1, endHandle: this.endHandle };
        const found = range.handle > range.endHandle ? [] : await this.#context.discovery.descriptors(range, options);
        this.#check(); // it may have changed meanwhile
        this.#descriptors = found.map(({ handle, uuid }) => new RemoteDescriptor(this.#context.values, uuid, handle));
      }
      return this.#descriptors;
    } finally {
      permit[Symbol.dispose]();
    }
  }

  /** @throws {GattNotFoundError} none of this type */
  async descriptor(uuid: UuidLike, options: OperationOptions = {}): Promise<RemoteDescriptor> {
    const { text } = Uuid.from(uuid);
    const found = (await this.descriptors(options)).find((descriptor) => descriptor.uuid.text === text);
    if (!found) throw new GattNotFoundError("descriptor", text, `characteristic ${this.uuid}`);
    return found;
  }

  /**
   * Yields each notification. The subscription begins with the first `next()` and ends with the loop; when the last one ends, the peer is
   * told. `subscribe` begins at once.
   *
   * @throws the reason, once the link is gone · `signal.reason` once `signal` aborts
   */
  notifications(options: ValueFlowOptions = {}): AsyncGenerator<Uint8Array, void> {
    return this.#flow("notify", options);
  }

  /** As `notifications`, of indications. Each has been confirmed before it is yielded. */
  indications(options: ValueFlowOptions = {}): AsyncGenerator<Uint8Array, void> {
    return this.#flow("indicate", options);
  }

  async *#flow(kind: "notify" | "indicate", { signal, capacity = 256 }: ValueFlowOptions): AsyncGenerator<Uint8Array, void> {
    signal?.throwIfAborted();
    if (!Number.isInteger(capacity) || capacity < 1) throw new ArgumentError(`capacity ${capacity}: expected a whole number above 0`);
    const queue = new Subscription<Uint8Array>({ capacity, signal, leave: () => {} });
    const listener = this.#listener(
      kind,
      (value) => queue.push(value),
      (error) => queue.end(error),
    );
    try {
      await this.#subscriptions.join(listener, { signal });
      yield* queue;
    } finally {
      queue[Symbol.dispose]();
      await this.#subscriptions.leave(listener);
    }
  }

  /**
   * Calls `callback` with each value, as it arrives and within the stack's own call: for flows that must be fast. Dispose the result to
   * unsubscribe. `signal` and `timeoutMs` bound the subscribing, not the subscription.
   *
   * @throws {AttError} the peer refuses · {GattNotFoundError} no CCCD · {UnsupportedError} the characteristic cannot do it
   */
  async subscribe(callback: (value: Uint8Array) => void, options: SubscribeOptions = {}): Promise<AsyncDisposable> {
    const kind = options.kind ?? (this.has("notify") ? "notify" : "indicate");
    const listener = this.#listener(kind, callback, (error) => options.onEnd?.(error));
    await this.#subscriptions.join(listener, options);
    return { [Symbol.asyncDispose]: () => this.#subscriptions.leave(listener) };
  }

  #listener(kind: "notify" | "indicate", deliver: (value: Uint8Array) => void, end: (error: unknown) => void): ValueListener {
    this.#check();
    if (!this.has(kind)) throw new UnsupportedError(`characteristic ${this.uuid} has no "${kind}" property`);
    return { kinds: kind === "notify" ? NOTIFICATIONS : INDICATIONS, deliver, end };
  }

  /** For the client: the service changed, and nothing known of it holds. */
  invalidate(reason: BleError): void {
    this.#stale = reason;
    this.#subscriptions.end(reason);
  }

  #check(): void {
    if (this.#stale) throw this.#stale;
  }
}
