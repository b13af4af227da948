import { Emitter } from "../../async/emitter.ts";
import { Semaphore } from "../../async/semaphore.ts";
import type { AttBearer, AttClientSide } from "../../att/bearer.ts";
import { TRANSACTION_TIMEOUT_MS } from "../../att/opcode.ts";
import { copyOctets } from "../../bytes/copy-octets.ts";
import { checkInteger, optionNames, requireFunction } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { ClientFeature } from "../client-feature.ts";
import { GattUuid } from "../uuids.ts";
import { type ClientCache, openClientCache } from "./client-cache.ts";
import type { ClientContext, ValueSink } from "./context.ts";
import { type FoundValue, type HandleRange, WHOLE } from "./discovery.ts";
import type { Elevate } from "./elevation.ts";
import { GattNotFoundError } from "./error.ts";
import { Lanes } from "./lanes.ts";
import { bounded, checkOperation, type GattOperationOptions, NO_OPTIONS, promised, SECURITY } from "./options.ts";
import { PeerServices } from "./peer-services.ts";
import type { RemoteCharacteristic } from "./remote-characteristic.ts";
import type { RemoteService } from "./remote-service.ts";
import type { Sign } from "./sign.ts";
import { SpreadDiscovery, SpreadValues } from "./spread-access.ts";
import type { StructureAccess } from "./structure.ts";
import type { ReliableWrite } from "./values.ts";

export interface GattClientOptions {
  /**
   * Raises the link's security: where it has less than is demanded, before a request leaves; and after a refusal for lack of it, when the
   * request is made once more. Without it the refusal stands.
   */
  readonly elevate?: Elevate | undefined;
  /** Signs writes that are to be signed; without it they are refused. */
  readonly sign?: Sign | undefined;
  /** Keeps what is learned of the peer beyond the link: `clientCache`. */
  readonly cache?: ClientCache | undefined;
}

export interface DiscoverOptions extends GattOperationOptions {
  /** Only services of this type. */
  readonly uuid?: UuidLike | undefined;
  /** Asks again for what is known, as after a change: what is as it was stays the same object. */
  readonly refresh?: boolean | undefined;
}

/** Handles whose services changed. What is as it was stays the same object; what is not rejects with a GattChangedError. */
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

export interface ReadLongOptions extends GattOperationOptions {
  /** Where to begin, 0 to 512. */
  readonly offset?: number | undefined;
}
export type WriteLongOptions = ReadLongOptions;

export interface ReadByUuidOptions extends GattOperationOptions {
  /** 0x0001 to 0xffff; everything by default. */
  readonly startHandle?: number | undefined;
  readonly endHandle?: number | undefined;
}

const operation = { signal: true, timeoutMs: true, security: true } as const;
const DISCOVER = optionNames<DiscoverOptions>({ ...operation, uuid: true, refresh: true });
const LONG = optionNames<ReadLongOptions>({ ...operation, offset: true });
const BY_UUID = optionNames<ReadByUuidOptions>({ ...operation, startHandle: true, endHandle: true });

/** What reads the whole structure of a client's peer. */
export let structureAccessOf: (client: GattClient) => StructureAccess;

/**
 * The GATT client of one connection (Vol 3 Part G 4). It asks the peer only when it is asked itself, and remembers what it learned until
 * the link ends or the peer says that its services changed.
 */
export class GattClient implements AttClientSide {
  static {
    structureAccessOf = (client) => client.#context;
  }

  /** The one that every link has; what an enhanced one carries is asked and answered there in the same way. */
  readonly bearer: AttBearer;
  readonly #lanes: Lanes;
  readonly #context: ClientContext;
  readonly #events = new Emitter<{ serviceChanged: ServiceChange; value: HandleValue }>();
  readonly #sinks = new Map<number, ValueSink>();
  /** The sink of the last notification: flows come from one characteristic mostly. */
  #lastHandle = 0;
  #lastSink: ValueSink | undefined;
  #observed = false;
  readonly #services: PeerServices;
  #serviceChangedHandle: number | undefined;
  /** In its bond, for the sake of the cache. */
  #isAskedToTell = false;

  constructor(bearer: AttBearer, { elevate, sign, cache }: GattClientOptions = {}) {
    this.bearer = bearer;
    const lanes = new Lanes(bearer, elevate, () => this.#onOutOfSync());
    this.#lanes = lanes;
    this.#context = {
      requester: lanes.first.requester,
      discovery: new SpreadDiscovery(lanes),
      values: new SpreadValues(lanes),
      sign,
      discoveryLock: new Semaphore(bearer.clock),
      setSink: (handle, sink) => {
        this.#sinks.set(handle, sink);
        this.#lastSink = undefined;
      },
      removeSink: (handle, sink) => {
        if (this.#sinks.get(handle) === sink) this.#sinks.delete(handle);
        this.#lastSink = undefined;
      },
      isDoubtful: (range) => this.#services.isDoubtful(range),
      settle: (options) => this.#services.settle(options),
      settleHeld: (options) => this.#services.settleHeld(options),
      changed: (range) => this.#onChanged(range),
      isWatched: false,
      onGattCharacteristic: (uuid, handle) => {
        if (uuid.short === GattUuid.ServiceChanged) this.#serviceChangedHandle = handle;
      },
    };
    this.#services = new PeerServices(this.#context, cache && openClientCache(cache, this.#context), (watched) => this.#onOpen(watched));
    if (cache)
      bearer.on("security", ({ bonded }) => {
        if (bonded && this.#services.isOpened && !this.#isAskedToTell) this.#onOpen(false); // paired in the midst of the link
      });
    bearer.client = this;
    bearer.on("closed", (reason) => {
      for (const sink of this.#sinks.values()) sink.end(reason);
    });
  }

  /** Asks on an enhanced bearer too, until it is closed. What is asked for alone goes on as before. @internal */
  addBearer(bearer: AttBearer): void {
    this.#lanes.add(bearer);
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
  async exchangeMtu(options: GattOperationOptions = {}): Promise<number> {
    checkOperation("exchangeMtu", options);
    return await this.#bounded("MTU exchange", options, (bound) => this.#context.requester.exchangeMtu(bound));
  }

  #bounded<T, O extends GattOperationOptions>(what: string, options: O, run: (options: O) => Promise<T>): Promise<T> {
    return bounded(this.bearer.clock, what, options, run);
  }

  // Hot path: everything before the sink is a comparison or two.
  onHandleValue(handle: number, bytes: Uint8Array, offset: number, end: number, indication: boolean): void {
    if (handle !== this.#lastHandle || this.#lastSink === undefined) {
      this.#lastHandle = handle;
      this.#lastSink = this.#sinks.get(handle);
    }
    if (indication && handle === this.#serviceChangedHandle && end - offset === 4)
      this.#onChanged({
        handle: bytes[offset]! | (bytes[offset + 1]! << 8),
        endHandle: bytes[offset + 2]! | (bytes[offset + 3]! << 8),
      });
    if (indication && this.#serviceChangedHandle === undefined && end - offset === 4) this.#services.onEarlyIndication();
    if (this.#observed) this.#events.emit("value", { handle, value: copyOctets(bytes, offset, end), indication });
    this.#lastSink?.onValue(bytes, offset, end, indication);
  }

  /** Calls `handler` for every notification and indication, subscribed to or not. Indications have been confirmed before. */
  onValue(handler: (value: HandleValue) => void): Disposable {
    requireFunction("handler", handler);
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
    requireFunction("handler", handler);
    return this.#events.on("serviceChanged", handler);
  }

  // --- discovery ----------------------------------------------------------------------------------------------------------------

  /** The primary services, all or of one type, in order of their handles. Asked for once. */
  async services(options: DiscoverOptions = {}): Promise<RemoteService[]> {
    checkOperation("services", options, DISCOVER);
    return await this.#bounded("discovering services", options, ({ uuid, refresh = false, ...bound }) =>
      this.#services.services(uuid === undefined ? undefined : Uuid.from(uuid), refresh, bound),
    );
  }

  /** The first primary service of this type. @throws {GattNotFoundError} none */
  async service(uuid: UuidLike, options: GattOperationOptions = {}): Promise<RemoteService> {
    checkOperation("service", options);
    const [service] = await this.services({ ...options, uuid: Uuid.from(uuid) });
    if (!service) throw new GattNotFoundError("service", Uuid.from(uuid).text, "the peer");
    return service;
  }

  /**
   * A characteristic by the types of its service and its own: one type may occur in several services and mean different things.
   *
   * @throws {GattNotFoundError} no such service, or none of them has it
   */
  async characteristic(serviceUuid: UuidLike, uuid: UuidLike, options: GattOperationOptions = {}): Promise<RemoteCharacteristic> {
    checkOperation("characteristic", options);
    const { text } = Uuid.from(uuid);
    return await this.#bounded("discovering a characteristic", options, async (bound) => {
      await this.service(serviceUuid, bound);
      for (const service of await this.services({ ...bound, uuid: serviceUuid })) {
        const found = (await service.characteristics(bound)).find((characteristic) => characteristic.uuid.text === text);
        if (found) return found;
      }
      throw new GattNotFoundError("characteristic", text, `service ${Uuid.from(serviceUuid).text}`);
    });
  }

  // --- values by handle -----------------------------------------------------------------------------------------------------------

  /** The whole value, however long: after a part that fills the PDU, Read Blob fetches the rest (Vol 3 Part G 4.8.1 and 4.8.3). */
  async read(handle: number, options: GattOperationOptions = {}): Promise<Uint8Array> {
    checkOperation("read", options);
    return await this.#bounded("reading a value", options, (bound) => this.#context.values.read(handle, bound));
  }

  /** The value from `offset` on. @throws {AttError} Invalid Offset: beyond the end of the value */
  async readLong(handle: number, options: ReadLongOptions = {}): Promise<Uint8Array> {
    checkOperation("readLong", options, LONG);
    const { offset = 0, ...rest } = options;
    return await this.#bounded("reading a value", rest, (bound) => this.#context.values.readLong(handle, offset, bound));
  }

  /** Every attribute of this type between two handles, its value as far as one PDU holds it (Vol 3 Part G 4.8.2). */
  async readByUuid(uuid: UuidLike, options: ReadByUuidOptions = {}): Promise<FoundValue[]> {
    checkOperation("readByUuid", options, BY_UUID);
    const { startHandle = 0x0001, endHandle = 0xffff, ...rest } = options;
    checkInteger("startHandle", startHandle, 0x0001, 0xffff);
    checkInteger("endHandle", endHandle, 0x0001, 0xffff);
    if (startHandle > endHandle) throw new ArgumentError(`handles ${startHandle} to ${endHandle}: expected the smaller one first`);
    const range = { handle: startHandle, endHandle };
    const type = Uuid.from(uuid);
    return await this.#bounded("reading values by type", rest, (bound) => this.#context.discovery.valuesByAnyForm(range, type, bound));
  }

  /** Values of known lengths, one after the other (Vol 3 Part G 4.8.4); what does not fit one PDU is missing. */
  async readMultiple(handles: readonly number[], options: GattOperationOptions = {}): Promise<Uint8Array> {
    checkOperation("readMultiple", options);
    return await this.#bounded("reading values", options, (bound) => this.#context.values.readMultiple(handles, bound));
  }

  /** Values of any lengths (Vol 3 Part G 4.8.5); those that do not fit one PDU are cut short or missing. */
  async readMultipleVariable(handles: readonly number[], options: GattOperationOptions = {}): Promise<Uint8Array[]> {
    checkOperation("readMultipleVariable", options);
    return await this.#bounded("reading values", options, (bound) => this.#context.values.readMultipleVariable(handles, bound));
  }

  /** Writes and waits for the answer; a value that does not fit one PDU is written in parts (Vol 3 Part G 4.9.3 and 4.9.4). */
  write(handle: number, value: Uint8Array, options: GattOperationOptions = NO_OPTIONS): Promise<void> {
    return promised(() => {
      checkOperation("write", options);
      return this.#bounded("writing a value", options, (bound) => this.#context.values.write(handle, value, bound));
    });
  }

  /** Writes in parts, from `offset` on. @throws {AttProtocolError} the peer's echo differs; nothing was written */
  async writeLong(handle: number, value: Uint8Array, options: WriteLongOptions = {}): Promise<void> {
    checkOperation("writeLong", options, LONG);
    const { offset = 0, ...rest } = options;
    await this.#bounded("writing a value", rest, (bound) => this.#context.values.writeLong(handle, value, offset, bound));
  }

  /** Writes several values in one go, each compared with the peer's echo first (Vol 3 Part G 4.9.5). */
  async reliableWrite(writes: readonly ReliableWrite[], options: GattOperationOptions = {}): Promise<void> {
    checkOperation("reliableWrite", options);
    await this.#bounded("writing values", options, (bound) => this.#context.values.reliableWrite(writes, bound));
  }

  /** Sends a value without an answer; resolves when the link has taken it. */
  writeWithoutResponse(handle: number, value: Uint8Array, options: GattOperationOptions = NO_OPTIONS): Promise<void> {
    return promised(() => {
      checkOperation("writeWithoutResponse", options);
      return this.#bounded("writing a value", options, (bound) => this.#context.values.writeWithoutResponse(handle, value, bound));
    });
  }

  /** As `writeWithoutResponse`, now or not at all: false where the link has no room, or less security than is demanded. */
  tryWriteWithoutResponse(handle: number, value: Uint8Array, options: Pick<GattOperationOptions, "security"> = {}): boolean {
    checkOperation("tryWriteWithoutResponse", options, SECURITY);
    return this.#context.values.tryWriteWithoutResponse(handle, value, options);
  }

  // --- caching --------------------------------------------------------------------------------------------------------------------

  /**
   * Makes the peer say when its services change, by Service Changed and, where it knows that, by refusing requests that rest on what has
   * changed (robust caching, Vol 3 Part G 2.5.2.1). Looks for the GATT service, which takes a few requests.
   *
   * @throws {GattNotFoundError} the peer has no Service Changed: its services never change
   */
  async watchServiceChanged(options: GattOperationOptions = {}): Promise<void> {
    checkOperation("watchServiceChanged", options);
    await this.#bounded("watching the services", options, async (bound) => {
      const service = await this.service(GattUuid.GattService, bound);
      const serviceChanged = await service.characteristic(GattUuid.ServiceChanged, bound);
      // The handling itself is `onHandleValue`'s, since a bonded peer tells without being asked again.
      await serviceChanged.subscribe(() => {}, { ...bound, kind: "indicate" });
      if (!this.#context.isWatched) await this.#services.confirmLearned(bound);
      this.#context.isWatched = true;
      this.#services.save();
      const features = (await service.characteristics(bound)).find(({ uuid }) => uuid.short === GattUuid.ClientSupportedFeatures);
      if (!features) return;
      const [known = 0] = await features.read(bound);
      const wanted = known | ClientFeature.RobustCaching | ClientFeature.MultipleHandleValueNotifications;
      if (wanted !== known) await features.write(Uint8Array.of(wanted), bound);
    });
  }

  /** Database Hash as on air, `undefined` where the peer has none (Vol 3 Part G 7.3). One request. */
  async readDatabaseHash(options: GattOperationOptions = {}): Promise<Uint8Array | undefined> {
    checkOperation("readDatabaseHash", options);
    const type = Uuid.from(GattUuid.DatabaseHash);
    const hash = await this.#bounded("reading the Database Hash", options, (bound) =>
      this.#context.discovery.firstValueByType(type, bound),
    );
    return hash?.value;
  }

  /** Several requests may be refused for one change. */
  #onOutOfSync(): void {
    if (!this.#services.isAllInDoubt) this.#onChanged(WHOLE, { isOutOfSync: true });
  }

  /** The peer's database is known, with a cache. What is to be believed by the next link has to be told of changes; nobody waits for that. */
  #onOpen(watched: boolean): void {
    this.#context.isWatched ||= watched;
    if (watched) return;
    this.#services.save();
    if (!this.bearer.security.bonded) return;
    this.#isAskedToTell = true;
    this.watchServiceChanged({ timeoutMs: TRANSACTION_TIMEOUT_MS }).catch((error: unknown) => {
      this.bearer.logger.info(() => `the peer does not tell of changes of its services: ${String(error)}`);
    });
  }

  #onChanged(range: HandleRange, how?: { isOutOfSync: boolean }): void {
    if (range.handle > range.endHandle) return;
    this.#services.onChanged(range, how);
    this.#events.emit("serviceChanged", { startHandle: range.handle, endHandle: range.endHandle });
  }
}
