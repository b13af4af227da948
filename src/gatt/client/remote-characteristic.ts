import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import type { SecurityRequirement } from "../../att/security.ts";
import { checkBoolean, checkChoice, checkFunction, optionNames, requireFunction } from "../../core/arguments.ts";
import { ArgumentError, type BleError, StateError, UnsupportedError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { type CharacteristicProperty, checkProperty, hasProperty, propertyNames } from "../properties.ts";
import { GattUuid } from "../uuids.ts";
import { DISCOVERY_ATTEMPTS, tooFast } from "./attempts.ts";
import type { ClientContext, HandleRange } from "./context.ts";
import type { FoundCharacteristic, FoundDescriptor } from "./discovery.ts";
import { GattChangedError, GattNotFoundError } from "./error.ts";
import { bounded, checkOperation, type GattOperationOptions, type InternalOptions, NO_OPTIONS, SECURITY } from "./options.ts";
import { RemoteDescriptor } from "./remote-descriptor.ts";
import { CharacteristicSubscriptions, INDICATIONS, NOTIFICATIONS, type ValueListener } from "./subscriptions.ts";
import { ValueFlow, type ValueFlowOptions } from "./value-flow.ts";

/** Values of a characteristic that reach a callback. Disposing it ends it at once; the peer is told afterwards, behind the caller's back. */
export interface ValueSubscription extends AsyncDisposable {
  /**
   * False: the characteristic has no Client Characteristic Configuration, so that the peer could not be asked. What it sends by itself is
   * delivered.
   */
  readonly configured: boolean;
  /**
   * Ends it, and resolves when the peer has been told, or at once where the link or the characteristic is gone.
   *
   * @throws {AttError} the peer refuses · {TimeoutError} it does not answer in `timeoutMs`; the subscription is over all the same
   */
  unsubscribe(options?: GattOperationOptions): Promise<void>;
}

export interface SubscribeOptions extends GattOperationOptions {
  /** Which of the two; by default notifications where the characteristic has them. */
  readonly kind?: "notify" | "indicate" | undefined;
  /** No more values will come: the link is gone, or the service changed. */
  readonly onEnd?: ((reason: unknown) => void) | undefined;
}

export interface CharacteristicWriteOptions extends GattOperationOptions {
  /** Whether an answer is asked for. By default it is, unless the properties have "write-without-response" and not "write". */
  readonly response?: boolean | undefined;
  /**
   * Signs the value, which shows who wrote it on a link that is not encrypted; without an answer. On an encrypted link it is written without
   * response, as the specification has it (Vol 3 Part G 4.9.2).
   */
  readonly signed?: boolean | undefined;
}

const operation = { signal: true, timeoutMs: true, security: true } as const;
const WRITE = optionNames<CharacteristicWriteOptions>({ ...operation, response: true, signed: true });
const SUBSCRIBE = optionNames<SubscribeOptions>({ ...operation, kind: true, onEnd: true });

/** A characteristic of the peer. */
export class RemoteCharacteristic {
  readonly uuid: Uuid;
  /** The service it was found in. */
  readonly service: HandleRange & { readonly uuid: Uuid };
  /** Handle of the declaration. */
  readonly handle: number;
  readonly valueHandle: number;
  /** The octet of the declaration. */
  readonly propertyBits: number;
  readonly #context: ClientContext;
  readonly #subscriptions: CharacteristicSubscriptions;
  /** A write is answered, where nothing else is asked for: one that can be written without response only is written so. */
  readonly #isAnswered: boolean;
  #endHandle: number;
  #descriptors: readonly RemoteDescriptor[] | undefined;
  /** Before the services changed. */
  #earlierDescriptors: readonly RemoteDescriptor[] = [];
  #stale: BleError | undefined;

  /** Made by the library, for what was found or added. @internal */
  constructor(context: ClientContext, service: HandleRange & { readonly uuid: Uuid }, found: FoundCharacteristic, endHandle: number) {
    this.#context = context;
    this.service = service;
    this.uuid = found.uuid;
    this.handle = found.handle;
    this.valueHandle = found.valueHandle;
    this.#endHandle = endHandle;
    this.propertyBits = found.properties;
    this.#isAnswered = this.has("write") || !this.has("write-without-response");
    this.#subscriptions = new CharacteristicSubscriptions(context, this.valueHandle, async (options) => {
      const descriptors = await this.#discoverDescriptors(options);
      return descriptors.find(({ uuid }) => uuid.short === GattUuid.ClientCharacteristicConfiguration)?.handle;
    });
  }

  /** Last handle of its descriptors. */
  get endHandle(): number {
    return this.#endHandle;
  }

  get properties(): CharacteristicProperty[] {
    return propertyNames(this.propertyBits);
  }

  /** @throws {ArgumentError} no such property */
  has(property: CharacteristicProperty): boolean {
    return hasProperty(this.propertyBits, checkProperty(property));
  }

  /** The whole value, however long. @throws {AttError} the peer refuses */
  async read(options: GattOperationOptions = NO_OPTIONS): Promise<Uint8Array> {
    checkOperation("read", options);
    this.#check();
    return await this.#operate("reading a value", options, (bound) => this.#context.values.read(this.valueHandle, bound));
  }

  /**
   * Writes and waits for the answer; a value that does not fit one PDU is written in parts. A characteristic that can be written without
   * response only is written so, since its peer would refuse anything else.
   *
   * @throws {AttError} the peer refuses · {ArgumentError} without response: longer than one PDU holds
   * @throws {UnsupportedError} signed: the properties have no "authenticated-signed-writes" · {StateError} there is no key to sign with
   */
  write(value: Uint8Array, options: CharacteristicWriteOptions = NO_OPTIONS): Promise<void> {
    try {
      if (options !== NO_OPTIONS) return this.#writeAsAsked(value, options);
      this.#check();
      return this.#write(value, options, this.#isAnswered);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #writeAsAsked(value: Uint8Array, options: CharacteristicWriteOptions): Promise<void> {
    checkOperation("write", options, WRITE);
    const { signed = false, response = !signed && this.#isAnswered, ...rest } = options;
    checkBoolean("write: response", response);
    checkBoolean("write: signed", signed);
    this.#check();
    if (signed) {
      const { values, sign } = this.#context;
      if (response) throw new ArgumentError("write: signed with a response: there is none to a signed write");
      if (!this.has("authenticated-signed-writes"))
        throw new UnsupportedError(`characteristic ${this.uuid} has no "authenticated-signed-writes" property`);
      return this.#operate("writing a value", rest, (bound) => values.writeSigned(this.valueHandle, value, sign, bound));
    }
    return this.#write(value, rest, response);
  }

  #write(value: Uint8Array, options: GattOperationOptions, response: boolean): Promise<void> {
    if (!this.#isSettled || options.timeoutMs !== undefined) return this.#writeBounded(value, options, response);
    const { values } = this.#context;
    return response ? values.write(this.valueHandle, value, options) : values.writeWithoutResponse(this.valueHandle, value, options);
  }

  #writeBounded(value: Uint8Array, options: GattOperationOptions, response: boolean): Promise<void> {
    const { values } = this.#context;
    return this.#operate("writing a value", options, (bound) =>
      response ? values.write(this.valueHandle, value, bound) : values.writeWithoutResponse(this.valueHandle, value, bound),
    );
  }

  /**
   * Sends the value without an answer; resolves when the link has taken it.
   *
   * @throws {ArgumentError} longer than one PDU holds
   */
  writeWithoutResponse(value: Uint8Array, options: GattOperationOptions = NO_OPTIONS): Promise<void> {
    try {
      checkOperation("writeWithoutResponse", options);
      this.#check();
      return this.#write(value, options, false);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * As `writeWithoutResponse`, now or not at all: false where the link has no room, or less security than is demanded.
   *
   * @throws {StateError} the peer said that its services changed: `writeWithoutResponse` asks what became of this one
   */
  tryWriteWithoutResponse(value: Uint8Array, options: Pick<GattOperationOptions, "security"> = {}): boolean {
    checkOperation("tryWriteWithoutResponse", options, SECURITY);
    this.#check();
    if (this.#context.isDoubtful(this.service))
      throw new StateError("the peer's services changed, and this characteristic was not asked for since: use writeWithoutResponse once");
    return this.#context.values.tryWriteWithoutResponse(this.valueHandle, value, options);
  }

  /** All attempts within one limit. */
  #operate<T>(what: string, options: GattOperationOptions, act: (options: GattOperationOptions) => Promise<T>): Promise<T> {
    if (options.timeoutMs === undefined) return this.#attempt(options, act);
    return this.#bounded(what, options, (bound) => this.#attempt(bound, act));
  }

  /** What has to be known before is asked for; what the peer refuses since its services changed is made again where this is as it was. */
  #attempt<T>(options: GattOperationOptions, act: (options: GattOperationOptions) => Promise<T>): Promise<T> {
    return this.#isSettled ? act(options) : this.#attemptAgain(options, act);
  }

  get #isSettled(): boolean {
    const context = this.#context;
    return !context.isWatched && !context.isDoubtful(this.service);
  }

  async #attemptAgain<T>(options: GattOperationOptions, act: (options: GattOperationOptions) => Promise<T>): Promise<T> {
    // What has to wait for its turn may be told of a change meanwhile: then it does not leave.
    let inDoubt: StateError | undefined;
    const refuse = (): StateError | undefined => {
      if (!this.#context.isDoubtful(this.service)) return undefined;
      inDoubt ??= tooFast();
      return inDoubt;
    };
    const guarded: InternalOptions = { ...options, refuse };
    for (let attempt = 1; ; attempt++) {
      await this.#settle(options);
      try {
        return await act(guarded);
      } catch (error) {
        const isOutOfSync = error instanceof AttError && error.errorCode === AttErrorCode.DatabaseOutOfSync;
        const isInDoubt = error === inDoubt;
        if (isInDoubt && attempt === DISCOVERY_ATTEMPTS) throw tooFast(); // with the stack of who asked
        if ((!isOutOfSync && !isInDoubt) || attempt === DISCOVERY_ATTEMPTS) throw error;
      }
    }
  }

  /** @throws {GattChangedError} it is not there any more */
  async #settle(options: GattOperationOptions): Promise<void> {
    if (this.#context.isDoubtful(this.service)) await this.#context.settle(options);
    this.#check();
  }

  #bounded<T, O extends GattOperationOptions>(what: string, options: O, run: (options: O) => Promise<T>): Promise<T> {
    return bounded(this.#context.requester.bearer.clock, what, options, run);
  }

  /** All descriptors, asked for once. */
  async descriptors(options: GattOperationOptions = {}): Promise<readonly RemoteDescriptor[]> {
    checkOperation("descriptors", options);
    return await this.#bounded("discovering descriptors", options, (bound) => this.#discoverDescriptors(bound));
  }

  async #discoverDescriptors(options: GattOperationOptions): Promise<readonly RemoteDescriptor[]> {
    this.#check();
    const permit = await this.#context.discoveryLock.acquire(options, "waiting for a discovery");
    try {
      for (let attempt = 0; attempt < DISCOVERY_ATTEMPTS; attempt++) {
        if (this.#context.isDoubtful(this.service)) await this.#context.settleHeld(options);
        this.#check();
        if (this.#descriptors) return this.#descriptors;
        const range = { handle: this.valueHandle + 1, endHandle: this.endHandle };
        const found = range.handle > range.endHandle ? [] : await this.#context.discovery.descriptors(range, options);
        this.#check(); // it may have changed meanwhile
        if (!this.#context.isDoubtful(this.service)) this.#seedDescriptors(found);
      }
      throw tooFast();
    } finally {
      permit[Symbol.dispose]();
    }
  }

  /** Those that are as they were stay the same objects. */
  #seedDescriptors(found: readonly FoundDescriptor[]): void {
    const before = [...this.#earlierDescriptors];
    this.#earlierDescriptors = [];
    this.#descriptors = found.map((descriptor) => {
      const at = before.findIndex(({ handle, uuid }) => handle === descriptor.handle && uuid.text === descriptor.uuid.text);
      if (at >= 0) return before.splice(at, 1)[0]!;
      return new RemoteDescriptor(this.#context, descriptor, (options, act) => this.#attemptOnDescriptor(options, act));
    });
    for (const descriptor of before) {
      const now = found.find(({ uuid }) => uuid.text === descriptor.uuid.text);
      descriptor.invalidate(new GattChangedError("descriptor", descriptor, now?.handle));
    }
  }

  /** As `#attempt`; descriptors that were known before a change are looked at again. */
  async #attemptOnDescriptor<T>(options: GattOperationOptions, act: (options: GattOperationOptions) => Promise<T>): Promise<T> {
    const look = async (again: GattOperationOptions): Promise<T> => {
      if (!this.#descriptors) await this.#discoverDescriptors(again);
      return await act(again);
    };
    this.#check();
    return await this.#attempt(options, look);
  }

  /** @throws {GattNotFoundError} none of this type */
  async descriptor(uuid: UuidLike, options: GattOperationOptions = {}): Promise<RemoteDescriptor> {
    checkOperation("descriptor", options);
    const { text } = Uuid.from(uuid);
    const found = (await this.descriptors(options)).find((descriptor) => descriptor.uuid.text === text);
    if (!found) throw new GattNotFoundError("descriptor", text, `characteristic ${this.uuid}`);
    return found;
  }

  /**
   * Yields each notification. The subscription begins with the first `next()` and ends with the loop; when the last one ends, the peer is
   * told, which the loop does not wait for. `dropped` of the result counts values lost by a loop that is behind. `subscribe` begins at once.
   *
   * @throws the reason, once the link is gone · `signal.reason` once `signal` aborts
   */
  notifications(options: ValueFlowOptions = {}): ValueFlow {
    return this.#flow("notify", options);
  }

  /** As `notifications`, of indications. Each has been confirmed before it is yielded. */
  indications(options: ValueFlowOptions = {}): ValueFlow {
    return this.#flow("indicate", options);
  }

  #flow(kind: "notify" | "indicate", options: ValueFlowOptions): ValueFlow {
    const source = {
      clock: this.#context.requester.bearer.clock,
      subscriptions: this.#subscriptions,
      listener: (deliver: (value: Uint8Array) => void, end: (error: unknown) => void, security?: SecurityRequirement) =>
        this.#listener(kind, deliver, end, security),
    };
    return new ValueFlow(source, options);
  }

  /**
   * Calls `callback` with each value, as it arrives and within the stack's own call: for flows that must be fast. The value belongs to who
   * gets it; past 64 octets it may be a part of a larger `buffer`: its packet's, or one of 2 KiB with other values. Dispose the result to unsubscribe.
   * `signal` and `timeoutMs` bound the subscribing, not the subscription; `security` holds for each value too.
   *
   * @throws {AttError} the peer refuses · {UnsupportedError} the characteristic cannot do it
   */
  async subscribe(callback: (value: Uint8Array) => void, options: SubscribeOptions = {}): Promise<ValueSubscription> {
    requireFunction("callback", callback);
    checkOperation("subscribe", options, SUBSCRIBE);
    const { kind = this.has("notify") ? "notify" : "indicate", onEnd, ...rest } = options;
    checkChoice("kind", kind, ["notify", "indicate"]);
    checkFunction("onEnd", onEnd);
    const listener = this.#listener(kind, callback, (error) => onEnd?.(error), rest.security);
    const subscriptions = this.#subscriptions;
    await this.#bounded("subscribing", rest, (bound) => subscriptions.join(listener, bound));
    return {
      get configured() {
        return subscriptions.hasCccd;
      },
      unsubscribe: async (unsubscribing = {}) => {
        checkOperation("unsubscribe", unsubscribing);
        await this.#bounded("unsubscribing", unsubscribing, (bound) => subscriptions.leaveAndWait(listener, bound));
      },
      [Symbol.asyncDispose]: () => {
        subscriptions.leave(listener);
        return Promise.resolve();
      },
    };
  }

  #listener(
    kind: "notify" | "indicate",
    deliver: (value: Uint8Array) => void,
    end: (error: unknown) => void,
    security: SecurityRequirement | undefined,
  ): ValueListener {
    this.#check();
    if (!this.has(kind)) throw new UnsupportedError(`characteristic ${this.uuid} has no "${kind}" property`);
    return { kinds: kind === "notify" ? NOTIFICATIONS : INDICATIONS, security, deliver, end };
  }

  // --- for the client ---------------------------------------------------------------------------------------------------------------

  /** It is what was found: the same characteristic at the same place. @internal */
  isAt({ uuid, handle, valueHandle, properties }: FoundCharacteristic): boolean {
    return uuid.text === this.uuid.text && handle === this.handle && valueHandle === this.valueHandle && properties === this.propertyBits;
  }

  /** @internal */
  get isListenedTo(): boolean {
    return this.#subscriptions.isListenedTo;
  }

  /** It may have changed. @internal */
  suspend(): void {
    this.#subscriptions.suspend();
  }

  /** Nothing of it has changed. @internal */
  confirm(): void {
    this.#subscriptions.release();
  }

  /** It is as it was; its descriptors may not be. @internal */
  renew(endHandle: number): void {
    this.#endHandle = endHandle;
    this.#earlierDescriptors = this.#descriptors ?? this.#earlierDescriptors;
    this.#descriptors = undefined;
    this.#subscriptions.resume();
  }

  /** All of its descriptors are known. @internal */
  know(descriptors: readonly FoundDescriptor[]): void {
    this.#seedDescriptors(descriptors);
  }

  /** Nobody knows what became of it. @internal */
  endSubscriptions(error: unknown): void {
    this.#subscriptions.endAll(error);
  }

  /** It is not there any more. @internal */
  invalidate(reason: BleError): void {
    this.#stale = reason;
    for (const descriptor of this.#descriptors ?? this.#earlierDescriptors) descriptor.invalidate(reason);
    this.#subscriptions.end(reason);
  }

  #check(): void {
    if (this.#stale) throw this.#stale;
  }
}
