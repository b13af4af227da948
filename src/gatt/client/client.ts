import { Emitter } from "../../async/emitter.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { Semaphore } from "../../async/semaphore.ts";
import type { AttBearer, AttClientSide } from "../../att/bearer.ts";
import { ArgumentError, StateError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { ClientFeature } from "../client-feature.ts";
import { GattUuid } from "../uuids.ts";
import type { ClientContext, ValueSink } from "./context.ts";
import { Discovery, type FoundService, type FoundValue } from "./discovery.ts";
import { GattNotFoundError } from "./error.ts";
import type { RemoteCharacteristic } from "./remote-characteristic.ts";
import { RemoteService } from "./remote-service.ts";
import { type Elevate, Requester } from "./requester.ts";
import { type ReliableWrite, ValueAccess } from "./values.ts";

export interface GattClientOptions {
  /** Raises the link's security after a refusal for lack of it; the request is then made once more. Without it the refusal stands. */
  readonly elevate?: Elevate | undefined;
}

export interface DiscoverOptions extends OperationOptions {
  /** Only services of this type. */
  readonly uuid?: UuidLike | undefined;
  /** Asks again, and invalidates what was known. */
  readonly refresh?: boolean | undefined;
}

/** Handles that changed: nothing learned about them holds. */
export interface ServiceChange {
  readonly startHandle: number;
  readonly endHandle: number;
}

/** A notification or indication, whoever subscribed to it. */
export interface HandleValue {
  readonly handle: number;
  readonly value: Uint8Array;
  readonly indication: boolean;
}

const DISCOVERY_ATTEMPTS = 3;

/**
 * The GATT client of one connection (Vol 3 Part G 4). It asks the peer only when it is asked itself, and remembers what it learned until
 * the link ends or the peer says that its services changed.
 */
export class GattClient implements AttClientSide {
  readonly bearer: AttBearer;
  readonly #context: ClientContext;
  readonly #events = new Emitter<{ serviceChanged: ServiceChange; value: HandleValue }>();
  readonly #sinks = new Map<number, ValueSink>();
  /** The sink of the last notification: flows come from one characteristic mostly. */
  #lastHandle = 0;
  #lastSink: ValueSink | undefined;
  #observed = false;
  #services = new Map<number, RemoteService>();
  #allKnown = false;
  /** Types that were asked for by themselves. */
  readonly #knownTypes = new Set<string>();
  #serviceChangedHandle: number | undefined;
  /** Counts changes of the peer's services. */
  #epoch = 0;

  constructor(bearer: AttBearer, { elevate }: GattClientOptions = {}) {
    this.bearer = bearer;
    const requester = new Requester(bearer, elevate, () => this.#invalidate(0x0001, 0xffff));
    this.#context = {
      requester,
      discovery: new Discovery(requester),
      values: new ValueAccess(requester),
      discoveryLock: new Semaphore(bearer.clock),
      setSink: (handle, sink) => {
        this.#sinks.set(handle, sink);
        this.#lastSink = undefined;
      },
      removeSink: (handle, sink) => {
        if (this.#sinks.get(handle) === sink) this.#sinks.delete(handle);
        this.#lastSink = undefined;
      },
      onGattCharacteristic: (uuid, handle) => {
        if (uuid.short === GattUuid.ServiceChanged) this.#serviceChangedHandle = handle;
      },
    };
    bearer.client = this;
    bearer.on("closed", (reason) => {
      for (const sink of this.#sinks.values()) sink.end(reason);
    });
  }

  /** ATT_MTU as negotiated. */
  get mtu(): number {
    return this.bearer.mtu;
  }

  /** The longest value that one write, notification or command to the peer carries. */
  get maxValueLength(): number {
    return this.bearer.txLimit - 3;
  }

  /** Asks for the policy's MTU, once in the life of the link; gives what was agreed. @throws {StateError} the policy forbids it */
  exchangeMtu(options: OperationOptions = {}): Promise<number> {
    return this.bearer.exchangeMtu(options);
  }

  // Hot path: everything before the sink is a comparison or two.
  onHandleValue(handle: number, bytes: Uint8Array, offset: number, end: number, indication: boolean): void {
    if (handle !== this.#lastHandle || this.#lastSink === undefined) {
      this.#lastHandle = handle;
      this.#lastSink = this.#sinks.get(handle);
    }
    if (indication && handle === this.#serviceChangedHandle && end - offset === 4)
      this.#invalidate(bytes[offset]! | (bytes[offset + 1]! << 8), bytes[offset + 2]! | (bytes[offset + 3]! << 8));
    if (this.#observed) this.#events.emit("value", { handle, value: bytes.slice(offset, end), indication });
    this.#lastSink?.onValue(bytes, offset, end, indication);
  }

  /** Calls `handler` for every notification and indication, subscribed to or not. Indications have been confirmed before. */
  onValue(handler: (value: HandleValue) => void): Disposable {
    const listener = this.#events.on("value", handler);
    this.#observed = true;
    return {
      [Symbol.dispose]: () => {
        listener[Symbol.dispose]();
        this.#observed = this.#events.count("value") > 0;
      },
    };
  }

  /** Calls `handler` when services changed; see `watchServiceChanged` for making the peer tell. */
  onServiceChanged(handler: (change: ServiceChange) => void): Disposable {
    return this.#events.on("serviceChanged", handler);
  }

  // --- discovery ----------------------------------------------------------------------------------------------------------------

  /** The primary services, all or of one type, in order of their handles. Asked for once. */
  async services({ uuid, refresh = false, ...options }: DiscoverOptions = {}): Promise<RemoteService[]> {
    const type = uuid === undefined ? undefined : Uuid.from(uuid);
    const permit = await this.#context.discoveryLock.acquire(options, "waiting for a discovery");
    try {
      if (refresh) this.#invalidate(0x0001, 0xffff);
      if (!this.#allKnown && !(type && this.#knownTypes.has(type.text))) await this.#discover(type, options);
    } finally {
      permit[Symbol.dispose]();
    }
    return [...this.#services.values()]
      .filter((service) => service.primary && (!type || service.uuid.text === type.text))
      .sort((a, b) => a.handle - b.handle);
  }

  /** Asks again where the services changed while they were being asked for. */
  async #discover(type: Uuid | undefined, options: OperationOptions): Promise<void> {
    const { discovery } = this.#context;
    for (let attempt = 0; attempt < DISCOVERY_ATTEMPTS; attempt++) {
      const epoch = this.#epoch;
      const services = type ? await discovery.primaryServicesByUuid(type, options) : await discovery.allPrimaryServices(options);
      if (epoch !== this.#epoch) continue;
      for (const found of services) this.#service(found, true);
      if (type) this.#knownTypes.add(type.text);
      else this.#allKnown = true;
      return;
    }
    throw new StateError("the peer's services change faster than they can be discovered");
  }

  #service(found: FoundService, primary: boolean): RemoteService {
    const known = this.#services.get(found.handle);
    if (known && known.endHandle === found.endHandle && known.uuid.text === found.uuid.text) {
      known.primary ||= primary;
      return known;
    }
    known?.invalidate(new StateError(`service ${known.uuid} is no longer at handle ${known.handle}: discover it again`));
    const service = new RemoteService(this.#context, found, primary, (included) => this.#service(included, false));
    this.#services.set(found.handle, service);
    return service;
  }

  /** The first primary service of this type. @throws {GattNotFoundError} none */
  async service(uuid: UuidLike, options: OperationOptions = {}): Promise<RemoteService> {
    const [service] = await this.services({ ...options, uuid });
    if (!service) throw new GattNotFoundError("service", Uuid.from(uuid).text, "the peer");
    return service;
  }

  /**
   * A characteristic by the types of its service and its own: one type may occur in several services and mean different things.
   *
   * @throws {GattNotFoundError} no such service, or none of them has it
   */
  async characteristic(serviceUuid: UuidLike, uuid: UuidLike, options: OperationOptions = {}): Promise<RemoteCharacteristic> {
    const { text } = Uuid.from(uuid);
    await this.service(serviceUuid, options);
    for (const service of await this.services({ ...options, uuid: serviceUuid })) {
      const found = (await service.characteristics(options)).find((characteristic) => characteristic.uuid.text === text);
      if (found) return found;
    }
    throw new GattNotFoundError("characteristic", text, `service ${Uuid.from(serviceUuid).text}`);
  }

  // --- values by handle -----------------------------------------------------------------------------------------------------------

  /** The whole value, however long: after a part that fills the PDU, Read Blob fetches the rest (Vol 3 Part G 4.8.1 and 4.8.3). */
  async read(handle: number, options: OperationOptions = {}): Promise<Uint8Array> {
    return this.#context.values.read(handle, options);
  }

  /** The value from `offset` on, by Read Blob alone. */
  async readLong(handle: number, { offset = 0, ...options }: OperationOptions & { offset?: number | undefined } = {}): Promise<Uint8Array> {
    return this.#context.values.readLong(handle, offset, options);
  }

  /** Every attribute of this type between two handles, its value as far as one PDU holds it (Vol 3 Part G 4.8.2). */
  async readByUuid(
    uuid: UuidLike,
    { startHandle = 1, endHandle = 0xffff, ...options }: OperationOptions & { startHandle?: number; endHandle?: number } = {},
  ): Promise<FoundValue[]> {
    if (startHandle < 1 || endHandle > 0xffff || startHandle > endHandle)
      throw new ArgumentError(`handles ${startHandle} to ${endHandle}: expected a range within 1 to 65535`);
    return this.#context.discovery.valuesByType({ handle: startHandle, endHandle }, Uuid.from(uuid), options);
  }

  /** Values of known lengths, one after the other (Vol 3 Part G 4.8.4); what does not fit one PDU is missing. */
  async readMultiple(handles: readonly number[], options: OperationOptions = {}): Promise<Uint8Array> {
    return this.#context.values.readMultiple(handles, options);
  }

  /** Values of any lengths (Vol 3 Part G 4.8.5); those that do not fit one PDU are cut short or missing. */
  async readMultipleVariable(handles: readonly number[], options: OperationOptions = {}): Promise<Uint8Array[]> {
    return this.#context.values.readMultipleVariable(handles, options);
  }

  /** Writes and waits for the answer; a value that does not fit one PDU is written in parts (Vol 3 Part G 4.9.3 and 4.9.4). */
  async write(handle: number, value: Uint8Array, options: OperationOptions = {}): Promise<void> {
    return this.#context.values.write(handle, value, options);
  }

  /** Writes in parts, from `offset` on. @throws {AttProtocolError} the peer's echo differs; nothing was written */
  async writeLong(
    handle: number,
    value: Uint8Array,
    { offset = 0, ...options }: OperationOptions & { offset?: number } = {},
  ): Promise<void> {
    return this.#context.values.writeLong(handle, value, offset, options);
  }

  /** Writes several values in one go, each compared with the peer's echo first (Vol 3 Part G 4.9.5). */
  async reliableWrite(writes: readonly ReliableWrite[], options: OperationOptions = {}): Promise<void> {
    return this.#context.values.reliableWrite(writes, options);
  }

  /** Sends a value without an answer; resolves when the link has taken it. */
  async writeWithoutResponse(handle: number, value: Uint8Array, options: OperationOptions = {}): Promise<void> {
    return this.#context.values.writeWithoutResponse(handle, value, options);
  }

  /** As `writeWithoutResponse`, now or not at all. */
  tryWriteWithoutResponse(handle: number, value: Uint8Array): boolean {
    return this.#context.values.tryWriteWithoutResponse(handle, value);
  }

  // --- caching --------------------------------------------------------------------------------------------------------------------

  /**
   * Makes the peer say when its services change, by Service Changed and, where it knows that, by refusing requests that rest on what has
   * changed (robust caching, Vol 3 Part G 2.5.2.1). Looks for the GATT service, which takes a few requests.
   *
   * @throws {GattNotFoundError} the peer has no Service Changed: its services never change
   */
  async watchServiceChanged(options: OperationOptions = {}): Promise<void> {
    const service = await this.service(GattUuid.GattService, options);
    const serviceChanged = await service.characteristic(GattUuid.ServiceChanged, options);
    // The handling itself is `onHandleValue`'s, since a bonded peer tells without being asked again.
    await serviceChanged.subscribe(() => {}, { ...options, kind: "indicate" });
    const features = (await service.characteristics(options)).find(({ uuid }) => uuid.short === GattUuid.ClientSupportedFeatures);
    if (!features) return;
    const [known = 0] = await features.read(options);
    const wanted = known | ClientFeature.RobustCaching | ClientFeature.MultipleHandleValueNotifications;
    if (wanted !== known) await features.write(Uint8Array.of(wanted), options);
  }

  /** Database Hash as on air, `undefined` where the peer has none (Vol 3 Part G 7.3). One request. */
  async readDatabaseHash(options: OperationOptions = {}): Promise<Uint8Array | undefined> {
    const [hash] = await this.#context.discovery.valuesByType(
      { handle: 0x0001, endHandle: 0xffff },
      Uuid.from(GattUuid.DatabaseHash),
      options,
    );
    return hash?.value;
  }

  #invalidate(startHandle: number, endHandle: number): void {
    if (startHandle > endHandle) return;
    this.#epoch++;
    for (const [handle, service] of this.#services) {
      if (service.endHandle < startHandle || handle > endHandle) continue;
      this.#services.delete(handle);
      service.invalidate(new StateError(`the peer's services changed: discover service ${service.uuid} again`));
    }
    this.#allKnown = false;
    this.#knownTypes.clear();
    this.#events.emit("serviceChanged", { startHandle, endHandle });
  }
}
