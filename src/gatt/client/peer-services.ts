import type { Semaphore } from "../../async/semaphore.ts";
import { AttError, AttProtocolError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode, TRANSACTION_TIMEOUT_MS } from "../../att/opcode.ts";
import type { Uuid } from "../../core/uuid.ts";
import { GattUuid } from "../uuids.ts";
import { DISCOVERY_ATTEMPTS, tooFast } from "./attempts.ts";
import type { ClientContext } from "./context.ts";
import type { DatabaseCache, Learned } from "./database-cache.ts";
import { type FoundCharacteristic, type FoundService, type HandleRange, WHOLE } from "./discovery.ts";
import { GattChangedError } from "./error.ts";
import type { GattOperationOptions, InternalOptions } from "./options.ts";
import { RemoteService } from "./remote-service.ts";
import { type KnownService, readStructure } from "./structure.ts";

/** Whatever a program waits for asks again; nobody waits for this one. */
const BEHIND: InternalOptions = Object.freeze({ timeoutMs: TRANSACTION_TIMEOUT_MS, unattended: true });

const overlaps = (a: HandleRange, b: HandleRange): boolean => a.handle <= b.endHandle && a.endHandle >= b.handle;

/** What is found where services changed. */
interface Found {
  readonly services: readonly (FoundService & { readonly primary: boolean })[];
  /** By handle of the service, for those whose characteristics are wanted. */
  readonly characteristics: ReadonlyMap<number, readonly FoundCharacteristic[]>;
  /** With a cache: the same, with everything in them. */
  readonly structure?: readonly KnownService[];
}

/**
 * The services of the peer that are known. Where the peer says that they changed, that range is in doubt until it was asked for again, which is
 * done when something in it is next used, or at once where somebody subscribed to it. What is found as it was stays the same object.
 */
export class PeerServices {
  readonly #context: ClientContext;
  readonly #lock: Semaphore;
  readonly #known = new Map<number, RemoteService>();
  /** All primary services were asked for. */
  #allKnown = false;
  /** Types that were asked for by themselves. */
  readonly #knownTypes = new Set<string>();
  #doubt: HandleRange | undefined;
  /** Counts changes of the peer's services. */
  #epoch = 0;
  /** With a cache: all that the peer has, when it is known. */
  #learned: Learned | undefined;
  readonly #cache: DatabaseCache | undefined;
  #isOpen = false;
  /** Told when a cache is in use, and the peer's database is known. */
  readonly #onOpen: (watched: boolean) => void;
  /** The peer has refused a request as out of sync, and said nothing of a range. */
  #isHashAsked = false;
  #isSettling = false;
  #isAsking = false;

  constructor(context: ClientContext, cache: DatabaseCache | undefined, onOpen: (watched: boolean) => void) {
    this.#context = context;
    this.#cache = cache;
    this.#onOpen = onOpen;
    this.#isOpen = cache === undefined;
    this.#lock = context.discoveryLock;
  }

  /** Everything is to be asked for, and was not begun to be. */
  get isAllInDoubt(): boolean {
    return this.#doubt?.handle === 0x0001 && this.#doubt.endHandle === 0xffff && !this.#isAsking;
  }

  /** Something in this range may have changed. */
  isDoubtful(range: HandleRange): boolean {
    return this.#doubt !== undefined && overlaps(this.#doubt, range);
  }

  /** The peer's services changed, or may have, between these handles. */
  onChanged(range: HandleRange, { isOutOfSync = false } = {}): void {
    this.#epoch++;
    this.#isHashAsked = isOutOfSync && (this.#doubt === undefined || this.#isHashAsked);
    this.#cache?.forget();
    this.#doubt = this.#doubt
      ? { handle: Math.min(this.#doubt.handle, range.handle), endHandle: Math.max(this.#doubt.endHandle, range.endHandle) }
      : range;
    const touched = this.#touched(this.#doubt);
    for (const service of touched) service.suspend();
    if (touched.some((service) => service.isListenedTo)) this.#settleBehind();
  }

  /** It may have been Service Changed, before it was known where that is: what was kept of the peer is not believed. */
  onEarlyIndication(): void {
    if (this.#isOpen) return;
    this.#epoch++;
    this.#cache?.forget();
  }

  /** Whether the whole database is known, by a cache. */
  get isOpened(): boolean {
    return this.#learned !== undefined;
  }

  /** A program that only listens is told what became of it. */
  #settleBehind(): void {
    if (this.#isSettling) return; // which takes in what changes meanwhile
    this.#isSettling = true;
    const onFailure = (error: unknown): void => {
      this.#context.requester.bearer.logger.info(() => `the peer's services changed, and could not be discovered again: ${String(error)}`);
      if (this.#doubt) for (const service of this.#touched(this.#doubt)) service.endSubscriptions(error);
    };
    void this.settle(BEHIND)
      .catch(onFailure)
      .finally(() => {
        this.#isSettling = false;
        if (this.#doubt && this.#touched(this.#doubt).some((service) => service.isListenedTo)) this.#settleBehind(); // changed at the last moment
      });
  }

  #touched(range: HandleRange): RemoteService[] {
    return [...this.#known.values()].filter((service) => overlaps(service, range));
  }

  /** Asks again for what is in doubt. @throws what requests throw; it then stays in doubt */
  async settle(options: GattOperationOptions): Promise<void> {
    const permit = await this.#lock.acquire(options, "waiting for a discovery");
    try {
      await this.settleHeld(options);
    } finally {
      permit[Symbol.dispose]();
    }
  }

  /** As `settle`, for who has the lock. @throws {StateError} they change faster than they can be asked for */
  async settleHeld(options: GattOperationOptions): Promise<void> {
    for (let attempt = 0; this.#doubt; attempt++) {
      if (attempt === DISCOVERY_ATTEMPTS) throw tooFast();
      const epoch = this.#epoch;
      const range = this.#widened(this.#doubt);
      const touched = this.#touched(range);
      const isAnythingKnown = touched.length > 0 || this.#allKnown || this.#knownTypes.size > 0;
      const found = isAnythingKnown ? await this.#find(range, touched, options) : undefined;
      const structure = found === "same" ? undefined : found?.structure;
      const hash = structure && (await this.#cache?.readHash(options));
      if (epoch !== this.#epoch) continue;
      this.#doubt = undefined;
      if (found === "same") for (const service of touched) service.confirm();
      else if (found) this.#apply(range, touched, found);
      if (structure) this.#learn(range, structure, hash);
      else this.save(); // as it was
    }
  }

  /** With a cache: the range is these services now. */
  #learn(range: HandleRange, services: readonly KnownService[], hash: string | undefined): void {
    if (!this.#cache || !this.#learned) return;
    for (const service of services) this.add(service, service.primary).know(service);
    const renewed = [range, ...services];
    const rest = this.#learned.services.filter((service) => !renewed.some((other) => overlaps(service, other)));
    const all = [...rest, ...services].sort((x, y) => x.handle - y.handle);
    // What is kept of before is worth no more than it was.
    const trust = rest.length > 0 && this.#learned.trust < this.#cache.trust ? this.#learned.trust : this.#cache.trust;
    this.#learned = this.#cache.judged(all, hash, trust);
    this.save();
  }

  /** With a cache: what the peer has is known at once, from the cache or by a discovery of all of it. */
  async #open(options: GattOperationOptions): Promise<void> {
    const epoch = this.#epoch;
    const opened = await this.#cache?.open(options);
    this.#isOpen = true;
    if (!opened || epoch !== this.#epoch) return;
    this.#learned = opened;
    for (const service of opened.services) this.add(service, service.primary);
    for (const service of opened.services) this.#known.get(service.handle)!.know(service);
    this.#allKnown = true;
    this.#onOpen(opened.watched);
  }

  /**
   * With a cache, once the peer tells of changes: what it changed before that, while it was asked for, it tells nobody, and the cache would be
   * believed for as long as the bond is. By its hash, or by a discovery of all of it that gives the same.
   *
   * @throws what requests throw, refusals excepted
   */
  async confirmLearned(options: GattOperationOptions): Promise<void> {
    const learned = this.#learned;
    if (!learned || this.#doubt) return;
    const epoch = this.#epoch;
    const isSame = await this.#cache?.isStill(learned, options);
    if (!isSame && epoch === this.#epoch) this.#context.changed(WHOLE);
  }

  /** Keeps what is known; the peer was asked to tell of changes. */
  save(): void {
    if (this.#learned && !this.#doubt) this.#cache?.save(this.#learned, { watched: this.#context.isWatched });
  }

  /** A service that is touched is in doubt as a whole. */
  #widened({ handle, endHandle }: HandleRange): HandleRange {
    const range = { handle, endHandle };
    for (const service of this.#touched(range)) {
      range.handle = Math.min(range.handle, service.handle);
      range.endHandle = Math.max(range.endHandle, service.endHandle);
    }
    return range;
  }

  async #find(range: HandleRange, touched: readonly RemoteService[], options: GattOperationOptions): Promise<Found | "same"> {
    const { discovery } = this.#context;
    this.#isAsking = true;
    try {
      if (this.#learned) return await this.#findStructure(range, this.#learned, options);
      const primary = await discovery.servicesIn(range, GattUuid.PrimaryService, options);
      const hasSecondary = touched.some((service) => !service.primary);
      const secondary = hasSecondary ? await discovery.servicesIn(range, GattUuid.SecondaryService, options) : [];
      const services = [
        ...primary.map((service) => ({ ...service, primary: true })),
        ...secondary.map((service) => ({ ...service, primary: false })),
      ];
      const characteristics = new Map<number, readonly FoundCharacteristic[]>();
      for (const service of services)
        if (touched.some((known) => known.uuid.text === service.uuid.text && known.hasCharacteristics))
          characteristics.set(service.handle, await discovery.characteristics(service, options));
      return { services, characteristics };
    } catch (error) {
      if (!(error instanceof AttError) || error.errorCode === AttErrorCode.DatabaseOutOfSync) throw error;
      // A peer that cannot be asked for a range: nothing of it is known any more.
      this.#allKnown = false;
      this.#knownTypes.clear();
      return { services: [], characteristics: new Map() };
    } finally {
      this.#isAsking = false;
    }
  }

  async #findStructure(range: HandleRange, { hash }: Learned, options: GattOperationOptions): Promise<Found | "same"> {
    if (this.#isHashAsked && hash !== undefined && (await this.#cache?.readHash(options)) === hash) return "same";
    const structure = await readStructure(this.#context, range, options);
    const characteristics = new Map(structure.map((service) => [service.handle, service.characteristics]));
    return { services: structure, characteristics, structure };
  }

  #apply(range: HandleRange, touched: readonly RemoteService[], { services, characteristics }: Found): void {
    const before = new Map(touched.map((service) => [service.handle, service]));
    for (const service of touched) {
      const found = services.find(({ handle, uuid }) => handle === service.handle && uuid.text === service.uuid.text);
      const alike = services
        .filter(({ uuid }) => uuid.text === service.uuid.text)
        .flatMap(({ handle }) => characteristics.get(handle) ?? []);
      if (found) {
        service.renew(found, characteristics.get(found.handle), alike);
        continue;
      }
      const moved = services.find(({ uuid }) => uuid.text === service.uuid.text);
      this.#known.delete(service.handle);
      service.invalidate(new GattChangedError("service", service, moved?.handle), alike);
    }
    for (const found of services) {
      if (before.get(found.handle)?.uuid.text === found.uuid.text || !overlaps(found, range)) continue;
      this.add(found, found.primary).seed(characteristics.get(found.handle));
    }
  }

  /** Primary services in order of their handles, of one type or all of them. */
  async services(type: Uuid | undefined, refresh: boolean, options: GattOperationOptions): Promise<RemoteService[]> {
    const permit = await this.#lock.acquire(options, "waiting for a discovery");
    try {
      if (refresh) this.#context.changed({ handle: 0x0001, endHandle: 0xffff });
      if (!this.#isOpen) await this.#open(options);
      await this.settleHeld(options); // it may have said meanwhile that they changed
      if (!this.#allKnown && !(type && this.#knownTypes.has(type.text))) await this.#discover(type, options);
    } finally {
      permit[Symbol.dispose]();
    }
    return [...this.#known.values()]
      .filter((service) => service.primary && (!type || service.uuid.text === type.text))
      .sort((a, b) => a.handle - b.handle);
  }

  /** Asks again where the services changed while they were being asked for. */
  async #discover(type: Uuid | undefined, options: GattOperationOptions): Promise<void> {
    for (let attempt = 0; attempt < DISCOVERY_ATTEMPTS; attempt++) {
      const epoch = this.#epoch;
      const ofType = type && (await this.#servicesOfType(type, options));
      const services = ofType ?? (await this.#context.discovery.allPrimaryServices(options));
      if (epoch !== this.#epoch) continue;
      for (const found of services) this.add(found, true);
      if (type) this.#knownTypes.add(type.text);
      if (!ofType) this.#allKnown = true;
      return;
    }
    throw tooFast();
  }

  /**
   * By Find By Type Value; `undefined` where that answers nothing, and all services have to be looked at: the peer does not know the request, or
   * may declare a 16-bit UUID in 16 octets, which a server that compares octets does not find.
   */
  async #servicesOfType(type: Uuid, options: GattOperationOptions): Promise<FoundService[] | undefined> {
    try {
      const found = await this.#context.discovery.primaryServicesByUuid(type, options);
      return found.length > 0 || type.short === undefined ? found : undefined;
    } catch (error) {
      if (error instanceof AttError && error.errorCode === AttErrorCode.RequestNotSupported) return undefined;
      throw error;
    }
  }

  /** The service that was found, the same object for the same service. @throws {AttProtocolError} an included one where another one is */
  add(found: FoundService, primary: boolean): RemoteService {
    const known = this.#known.get(found.handle);
    if (known && known.endHandle === found.endHandle && known.uuid.text === found.uuid.text) {
      known.primary ||= primary;
      return known;
    }
    if (known?.primary && !primary) {
      // What includes a service is not asked what it is: its own declaration was found.
      if (known.uuid.text === found.uuid.text) return known;
      throw new AttProtocolError(
        AttOpcode.ReadByTypeReq,
        `included service ${found.uuid} at handle ${found.handle}, where ${known.uuid} is`,
      );
    }
    known?.invalidate(new GattChangedError("service", known, undefined), []);
    const service = new RemoteService(this.#context, found, primary, (included) => this.add(included, false));
    this.#known.set(found.handle, service);
    return service;
  }
}
