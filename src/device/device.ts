import { Broadcast, type Clock, Emitter, type Flow, type OperationOptions, onAbort, Pending } from "../async/index.ts";
import { Address, type AddressLike } from "../core/address.ts";
import { checkChoice, checkFunction, checkOperation, checkOptions, checkSignal, optionNames } from "../core/arguments.ts";
import { type BleError, ClosedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import {
  Advertiser,
  type BondBook,
  Connector,
  checkAcceptList,
  checkConnectOptions,
  type OnAdvertisement,
  OWN_ADDRESS_KINDS,
  type OwnAddresses,
  type OwnAddressKind,
  type PeriodicSync,
  privatePeers,
  Radio,
  Scanner,
  type ScanReports,
  type SyncTarget,
} from "../gap/index.ts";
import { type GattPeer, GattServer, gapService, gattService } from "../gatt/index.ts";
import { type ControllerError, DisconnectedError, type Hci, HciErrorCode, type HciRecovered, type HciTransport } from "../hci/index.ts";
import { L2cap, type L2capListeners } from "../l2cap/index.ts";
import type { BondStore, OutOfBandData } from "../smp/index.ts";
import { type Advertising, createAdvertising } from "./advertising.ts";
import { checkDeviceAdvertiseOptions, checkDeviceConnectOptions, checkDeviceOptions, DEVICE_SYNCHRONIZE_OPTIONS } from "./check-options.ts";
import { Connecting } from "./connecting.ts";
import type { Connection } from "./connection.ts";
import { ControllerSettings } from "./controller-settings.ts";
import { DeviceLinks } from "./device-links.ts";
import { DiscardedLinks } from "./discarded-links.ts";
import { acceptBearers } from "./enhanced-bearers.ts";
import { bindEvents, bindRadioEvents } from "./events.ts";
import { NewLinks } from "./new-links.ts";
import { openStack, type Stack } from "./opening.ts";
import type {
  DeviceAdvertiseOptions,
  DeviceConnectOptions,
  DeviceOptions,
  DeviceScanOptions,
  DeviceSynchronizeOptions,
  OpenController,
  RunningScan,
} from "./options.ts";
import { DeviceOutOfBand, type OutOfBandOptions } from "./out-of-band.ts";
import { DevicePeriodic } from "./periodic.ts";
import { type ConnectionPolicy, mergePolicies } from "./policy.ts";
import type { SubrateOptions } from "./subrating.ts";

/** How long closing waits for the links to be taken down; the controller is reset afterwards in any case. */
const FAREWELL_MS = 2000;
/** How long closing waits for bonds to reach their store and for the transport to close. */
const RELEASE_MS = 5000;
const EVENTS: readonly (keyof DeviceEvents)[] = ["connection", "recovering", "recovered", "closed"];
const SIGNAL_OPTION = optionNames<{ signal?: AbortSignal | undefined }>({ signal: true });

export type DeviceEvents = {
  /** A link is there, whoever made it; called before anything of the peer is looked at. */
  connection: Connection;
  /** With the option `recovery`: the controller is being brought back, its links are lost. */
  recovering: BleError;
  /** The controller is back; what was wanted of it begins anew. */
  recovered: HciRecovered;
  /** The device is closed, by its owner or because the controller is gone. Once. */
  closed: BleError;
};

/**
 * A Bluetooth Low Energy device on one controller: advertises, scans, connects, serves and uses attributes, pairs - all at once, as far as
 * the controller can. Several devices live in one process.
 *
 * Everything asynchronous ends: by its outcome, its timeout, its signal, the loss of its link, or the end of the controller.
 */
export class Device implements AsyncDisposable {
  /** Attributes of this device, for every peer. */
  readonly gattServer: GattServer;
  readonly #hci: Hci;
  readonly #l2cap: L2cap;
  readonly #logger: Logger;
  readonly #bonds: BondBook;
  readonly #own: OwnAddresses;
  readonly #radio: Radio;
  readonly #advertiser: Advertiser;
  readonly #scanner: Scanner;
  readonly #connector: Connector<Connection, ConnectionPolicy>;
  readonly #connecting: Connecting;
  readonly #policy: ConnectionPolicy;
  readonly #events = new Emitter<DeviceEvents>();
  readonly #arrivals = new Broadcast<Connection>();
  readonly #links = new DeviceLinks();
  readonly #newLinks: NewLinks;
  readonly #discarded: DiscardedLinks;
  readonly #settings: ControllerSettings;
  readonly #outOfBand: DeviceOutOfBand;
  readonly #periodic: DevicePeriodic;
  #pairable = true;
  #closed: BleError | undefined;
  #closing: Promise<void> | undefined;
  #ended = false;

  private constructor(stack: Stack) {
    const { hci, bonds, own, abilities, resolvingList, logger, random, policy, options, recoveries } = stack;
    stack.calls?.watchDevice(this);
    this.#hci = hci;
    this.#bonds = bonds;
    this.#own = own;
    this.#logger = logger;
    this.#policy = policy;
    this.#l2cap = new L2cap(hci, { logger });
    this.#outOfBand = new DeviceOutOfBand(hci.clock, random);
    this.#settings = new ControllerSettings({ hci, logger });
    const resolve = (address: Address): Address | undefined => bonds.resolve(address);
    const onLost = (error: ControllerError): void => this.#lose(error);
    this.#discarded = new DiscardedLinks({ hci, logger, onStuck: onLost });
    const radio = new Radio({ port: hci, clock: hci.clock, logger, own, abilities, resolvingList });
    radio.hasPrivateLink = () => this.links.some(({ localAddress }) => !localAddress.isIdentity);
    radio.onLost = onLost;
    this.#radio = radio;
    const resolves = (identity: Address): boolean => resolvingList?.holds(identity) ?? false;
    const isPrivate = (identity: Address): boolean => bonds.get(identity)?.peerIrk !== undefined && !resolves(identity);
    this.#scanner = new Scanner({ port: hci, radio, resolve, isPrivate });
    this.#connector = new Connector<Connection, ConnectionPolicy>({ port: hci, radio, clock: hci.clock, scanner: this.#scanner, resolve });
    this.#connecting = new Connecting({
      clock: hci.clock,
      connector: this.#connector,
      links: this.#links,
      bonds,
      acceptListSize: abilities.acceptListSize,
      resolves,
      ended: () => this.#closed,
    });
    this.#advertiser = new Advertiser({ port: hci, radio, resolve });
    for (const activity of [this.#connector, this.#scanner]) radio.add(activity);
    this.#periodic = new DevicePeriodic({
      hci,
      radio,
      scanner: this.#scanner,
      resolve,
      isPrivate,
      logger,
      transfers: policy.syncTransfers,
      link: (handle) => this.#links.get(handle),
      onStuck: onLost,
    });
    this.gattServer = new GattServer({ clock: hci.clock });
    if (options.gattServer !== "empty") {
      this.gattServer.addService(gapService({ name: options.name ?? "Jelling", appearance: options.appearance ?? 0 }));
      this.gattServer.addService(gattService({ enhancedBearers: policy.eatt !== "never" }));
    }
    acceptBearers(this.l2cap, policy);
    this.#newLinks = new NewLinks({
      stack,
      l2cap: this.#l2cap,
      links: this.#links,
      discarded: this.#discarded,
      radio,
      connector: this.#connector,
      advertiser: this.#advertiser,
      periodic: this.#periodic,
      gattServer: this.gattServer,
      localOutOfBand: () => this.#outOfBand.current,
      isPairable: () => this.#pairable,
      isClosed: () => this.#closed !== undefined,
      onStuck: onLost,
      onConnection: (connection) => {
        this.#events.emit("connection", connection);
        this.#arrivals.publish(connection);
      },
    });
    bonds.onChanged = (identity, bond) => {
      for (const connection of this.#links.all) if (connection.peerIdentity.equals(identity)) connection.onBondChanged(bond);
      resolvingList?.want(privatePeers(bonds.list()));
      if (resolvingList?.isStale) void radio.update();
    };
    bindEvents(hci, {
      onLink: (link) => this.#newLinks.onLink(link),
      onNoLink: (status, peer) => this.#newLinks.onNoLink(status, peer),
      onGone: (handle, error) => {
        this.#advertiser.linkGone(handle);
        this.#discarded.onGone(handle);
        this.#links.onGone(handle, error);
      },
      onDisconnectFailed: (handle, error) => {
        this.#discarded.onDisconnectFailed(handle, error);
        this.#links.get(handle)?.onDisconnectFailed(error);
      },
      link: (handle) => this.#links.get(handle),
    });
    bindRadioEvents(hci, { advertiser: this.#advertiser, scanner: this.#scanner });
    hci.onReset((reason) => this.#onReset(reason));
    recoveries.onRecovering = (reason) => this.#events.emit("recovering", reason);
    recoveries.onRecovered = (how) => this.#events.emit("recovered", how);
    hci.onClose((reason) => this.#end(reason));
  }

  /**
   * Opens a controller and everything above it.
   *
   * @param controller a transport, or what opens one; it then belongs to the device, which closes it, also where this fails for another reason than
   *   an option
   * @throws {TransportError} it cannot be opened; the message says why and what helps
   * @throws {ArgumentError} an option out of range
   * @throws {UnsupportedError} no Bluetooth Low Energy there
   * @throws {TimeoutError} the controller does not answer
   * @throws what the bond store throws
   * @throws `signal.reason` once `signal` aborts, whatever store and controller are doing
   */
  static async open(controller: HciTransport | OpenController, options: DeviceOptions = {}): Promise<Device> {
    checkDeviceOptions(controller, options);
    return new Device(await openStack(controller, options));
  }

  /** The address that stays, given to bonded peers: public or static random. */
  get identity(): Address {
    return this.#own.identity;
  }
  /** The address shown where nothing else is chosen: the identity. */
  get address(): Address {
    return this.#own.current(this.#own.defaultKind);
  }
  /** How many advertisements this controller has at once: one with legacy advertising. */
  get maxAdvertisements(): number {
    return this.#radio.abilities.advertisingSets;
  }
  /** Whether advertising, scanning and connecting go by the extended commands of version 5. */
  get isExtended(): boolean {
    return this.#radio.abilities.isExtended;
  }
  /** The public address, where the controller has one. */
  get publicAddress(): Address | undefined {
    return this.#own.publicAddress;
  }
  /**
   * The address that is shown for this kind now; a private one is another one later. Where the controller makes resolvable ones, bonded peers and
   * who hears its advertising see those in its place.
   *
   * @throws {ArgumentError} the controller has no public address
   */
  ownAddress(kind: OwnAddressKind): Address {
    checkChoice("own address", kind, OWN_ADDRESS_KINDS);
    return this.#own.current(kind);
  }
  /** Makes a new non-resolvable private address and gives it. What shows the old one is stopped for a moment and goes on with the new one. */
  renewNonResolvableAddress(): Address {
    const address = this.#own.renewNonResolvable();
    void this.#radio.update();
    return address;
  }
  get clock(): Clock {
    return this.#hci.clock;
  }
  /** What is bonded. Reading is quick; a change is in force when the store given when the device was opened has taken it. */
  get bonds(): BondStore {
    return this.#bonds.asStore;
  }
  /**
   * Makes what a peer needs to pair with this device out of band, and keeps its own part: the next pairing with a peer that has it, on any link,
   * uses it up, whatever comes of that; so does its time, and the next call. Secret until then: show it to the one device that it is for.
   *
   * @throws {ArgumentError} an unknown option, or one out of range
   */
  createOutOfBandData(options: OutOfBandOptions = {}): OutOfBandData {
    return this.#outOfBand.create(this.address, options);
  }
  /** Takes channels that peers open, on all links. */
  get l2cap(): L2capListeners<Connection> {
    return this.#l2cap.listeners as L2capListeners<Connection>;
  }
  /** The host controller interface below, for what the facade does not have. */
  get hci(): Hci {
    return this.#hci;
  }
  /** Links that are there. */
  get links(): Connection[] {
    return this.#links.present;
  }
  /**
   * The link to a device: by its identity, or the address it uses on the link, or as handlers of the own server know it (GattPeer); `undefined`
   * where there is none. `device.linkTo(peer) ?? (await device.connect(peer))` connects where that is needed.
   *
   * @throws {ArgumentError} not an address
   */
  linkTo(peer: AddressLike | GattPeer): Connection | undefined {
    return this.#links.find(peer);
  }
  /** Why the device is closed; `undefined` while it is open. */
  get ended(): BleError | undefined {
    return this.#closed;
  }

  /**
   * The pairing window: while it is false no peer may begin a pairing, on any link, whatever the link's policy says. Own calls of `pair` are
   * not touched by it. True at first.
   */
  get pairable(): boolean {
    return this.#pairable;
  }
  set pairable(pairable: boolean) {
    this.#pairable = pairable;
    for (const connection of this.links) connection.refreshPairable();
  }

  on<K extends keyof DeviceEvents>(event: K, listener: (value: DeviceEvents[K]) => void): Disposable {
    checkChoice("device event", event, EVENTS);
    checkFunction(`listener of "${event}"`, listener ?? null);
    return this.#events.on(event, listener);
  }

  /** Calls `listener` for every link, whoever made it, before anything of the peer is looked at. */
  onConnection(listener: (connection: Connection) => void): Disposable {
    return this.on("connection", listener);
  }

  /** Links from now on, whoever makes them, until the loop is left or the device is closed. A loop 64 links behind loses the oldest. */
  connections(options: { signal?: AbortSignal | undefined } = {}): Flow<Connection> {
    checkOptions("connections", options, SIGNAL_OPTION);
    checkSignal("connections: signal", options.signal);
    return this.#arrivals.subscribe({ capacity: 64, signal: options.signal });
  }

  /**
   * Advertises; resolves when the advertisement is on the air. As many at once as the controller has advertising sets, `maxAdvertisements`.
   *
   * @throws {ArgumentError} what cannot be advertised
   * @throws {UnsupportedError} what this controller cannot do
   * @throws {StateError} as much is being advertised already as the controller can
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} it was not on the air in `timeoutMs`
   */
  async advertise(options: DeviceAdvertiseOptions = {}): Promise<Advertising> {
    checkDeviceAdvertiseOptions(options);
    this.#throwIfClosed();
    const { policy: ownPolicy, timeoutMs, ...advertise } = options;
    const policy = mergePolicies(this.#policy, ownPolicy);
    const { signal } = options;
    let advertising: Advertising | undefined;
    await this.#advertiser.advertise(advertise, (session) => {
      advertising = createAdvertising({
        advertiser: this.#advertiser,
        periodic: this.#periodic.advertiser,
        session,
        clock: this.clock,
        signal,
        timeoutMs,
      });
      this.#newLinks.expect(session, { policy, advertising });
    });
    return advertising!; // made before anybody can answer it
  }

  /**
   * Advertisements as a loop: `for await (const advertisement of device.scan({ signal }))`. Scanning runs from the first turn of the loop until
   * it is left, which waits for nobody. A loop 256 reports behind loses the oldest; its `dropped` counts them.
   *
   * @throws {ArgumentError} unknown options, or parameters out of range; at the first turn, like the others
   * @throws {HciError} the controller refuses
   * @throws `signal.reason` once `signal` aborts
   */
  scan(options: DeviceScanOptions = {}): ScanReports {
    return this.#scanner.reports(options, () => this.#throwIfClosed());
  }

  /**
   * Scans until the result is disposed or `signal` aborts, and calls `onAdvertisement` for each report while the packet that brought it is
   * handled: for programs that take every report of a crowd. With `duplicates: "report"` nothing is copied, looked up or decoded before
   * the callback asks for it. Disposing rejects where the controller refuses to stop or does not answer.
   *
   * @throws as `scan`; scans that run already are not harmed
   */
  async startScan(options: DeviceScanOptions, onAdvertisement: OnAdvertisement): Promise<RunningScan> {
    this.#throwIfClosed();
    checkFunction("startScan: onAdvertisement", onAdvertisement ?? null);
    const scan = await this.#scanner.scan(options, onAdvertisement);
    const listener = onAbort(options.signal, () => this.#scanner.abandon(scan));
    const closed = new Promise<unknown>((resolve) => {
      scan.onEnd = resolve;
      if (scan.ended) resolve(scan.ended.error);
    });
    void closed.then(() => listener[Symbol.dispose]());
    return { closed, [Symbol.asyncDispose]: () => this.#scanner.stop(scan) };
  }

  /**
   * Connects as central, to one peer or to the first of several that is heard. A peer that was bonded and uses private addresses may be named by its identity: it is then looked for first. Where
   * the peer does not answer the first events of a new link, which happens when two senders collide, it is tried again until the time is over;
   * listeners of "connection" see such a link come and go.
   *
   * @param address "C0:11:22:33:44:55/random" or an Address; without a suffix it is public; or an array of them
   * @throws {ArgumentError} not an address, unknown options, parameters out of range
   * @throws {TimeoutError} not connected in `timeoutMs`, 30 s by default
   * @throws {StateError} there is a link to this peer already
   * @throws {HciError} the controller refuses; or, when the time is over, the peer did not answer its first events (0x3E)
   * @throws {DisconnectedError} the link was lost as soon as it was there, for another reason
   * @throws {BondLostError} the peer is bonded and cannot encrypt: it has lost the key, or is somebody else
   * @throws `signal.reason` once `signal` aborts
   */
  async connect(address: AddressLike | readonly AddressLike[], options: DeviceConnectOptions = {}): Promise<Connection> {
    const peers = Array.isArray(address) ? checkAcceptList("connect: addresses", address) : [Address.from(address as AddressLike)];
    checkDeviceConnectOptions(options);
    const { policy, ...connect } = options;
    checkConnectOptions(connect, this.#radio.abilities);
    this.#throwIfClosed();
    return await this.#connecting.connect(peers, connect, mergePolicies(this.#policy, policy));
  }

  /**
   * What the central of links to come grants a peripheral that asks for subrating (Vol 4 Part E 7.8.123); nothing by default. On a link that is
   * there `connection.subrate` says it.
   *
   * @throws {ArgumentError} out of range
   * @throws {UnsupportedError} the controller has no connection subrating
   * @throws {HciError} the controller refuses
   */
  async setDefaultSubrate(subrate: SubrateOptions, options: OperationOptions = {}): Promise<void> {
    checkOperation("setDefaultSubrate", options);
    this.#throwIfClosed();
    await this.#settings.setDefaultSubrate(subrate, options);
  }

  /**
   * Says which data channels are bad, 0 to 36, because of a wireless network for example: links of which this is the central, extended and
   * periodic advertising leave them out where the controller can (Vol 4 Part E 7.8.19). The others are found out about by the controller.
   * Once a second at most; another call waits.
   *
   * @throws {ArgumentError} no channel numbers, or fewer than two channels are left
   * @throws {HciError} the controller refuses
   */
  async classifyChannels(bad: Iterable<number>, options: OperationOptions = {}): Promise<void> {
    checkOperation("classifyChannels", options);
    this.#throwIfClosed();
    await this.#settings.classifyChannels(bad, options);
  }

  /**
   * Follows the periodic advertising of another device, from the advertisement that told of it, or by its address and advertising set; or the first of
   * several that is heard. A peer that was bonded and uses private addresses may be named by its identity. The controller looks for it by a
   * scan of its own, one at a time; a call waits for those before it.
   *
   * @throws {ArgumentError} options out of range, or an advertisement that tells of none
   * @throws {StateError} it is followed already
   * @throws {UnsupportedError} the controller cannot
   * @throws {TimeoutError} it was not found in `timeoutMs`, 30 s by default
   * @throws {HciError} the controller refuses
   * @throws `signal.reason` once `signal` aborts
   */
  async synchronize(target: SyncTarget | readonly SyncTarget[], options: DeviceSynchronizeOptions = {}): Promise<PeriodicSync> {
    checkOptions("synchronize", options, DEVICE_SYNCHRONIZE_OPTIONS);
    this.#throwIfClosed();
    const { policy, ...synchronize } = options;
    const merged = policy && mergePolicies(this.#policy, policy);
    return await this.#periodic.synchronize(target, synchronize, merged);
  }

  /**
   * Takes everything down: advertising and scanning stop, links are disconnected, bonds reach their store, the controller is reset and closed.
   * Bounded in time, whatever peers and controller do.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const reason = new ClosedError("the device was closed by its user");
    if (!this.#closed) {
      // What is asked from here on is refused, what is under way ends; loops over a flow end without an error.
      this.#closed = reason;
      this.#connector.close(reason);
      this.#periodic.close(reason); // before its scan ends, which would be the reason else
      this.#scanner.close();
      this.#advertiser.close();
      const patience = new Pending<void>({ clock: this.clock, operation: "closing", timeoutMs: FAREWELL_MS });
      void Promise.allSettled([this.#radio.update(), ...this.links.map((link) => link.disconnect())]).then(() => patience.resolve());
      await patience.promise.catch(() => this.#logger.info("not everything could be taken down in time; the controller is reset"));
    }
    this.#end(reason);
    await this.#release();
  }

  /** Resets the controller, closes the transport, and lets bonds reach their store: a store or a transport that hangs is not waited for. */
  async #release(): Promise<void> {
    const released = new Pending<void>({ clock: this.clock, operation: "closing", timeoutMs: RELEASE_MS });
    void Promise.allSettled([this.#hci[Symbol.asyncDispose](), this.#bonds.flush()]).then(() => released.resolve());
    await released.promise.catch(() =>
      this.#logger.error("closed although the bonds did not reach their store, or the transport did not close, in time"),
    );
  }

  /** The controller does what its host cannot end: it is reset, which takes the links down. What is wanted begins anew. */
  #lose(error: ControllerError): void {
    this.#logger.error(() => error.message);
    this.#hci.reset(error).catch(() => undefined); // where it does not come back the Hci has ended, and the device with it
  }

  /** The controller was reset: it has none of the links any more, and does nothing. */
  #onReset(cause: BleError): void {
    this.#discarded.onReset();
    for (const connection of this.links) connection.end(new DisconnectedError(HciErrorCode.HardwareFailure, { cause }));
    this.#advertiser.reset();
    this.#periodic.onReset(cause);
    this.#radio.onReset();
    this.#settings.onReset();
  }

  #throwIfClosed(): void {
    if (this.#closed) throw this.#closed;
  }

  /** The controller is gone: everything that still waits ends with `reason`, in this turn. */
  #end(reason: BleError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closed ??= reason;
    const isOwn = this.#closing !== undefined;
    this.#connector.close(reason);
    this.#advertiser.reset();
    if (isOwn) this.#periodic.close(reason);
    else this.#periodic.gone(reason);
    this.#radio.close(isOwn ? undefined : reason);
    this.#discarded.close();
    this.#settings.close(reason);
    for (const connection of this.#links.all) {
      const status = isOwn ? HciErrorCode.ConnectionTerminatedByLocalHost : HciErrorCode.HardwareFailure;
      connection.end(new DisconnectedError(status, { cause: reason }));
    }
    this.#arrivals.close(isOwn ? undefined : reason);
    this.gattServer.endWrites(isOwn ? undefined : reason);
    this.#l2cap.listeners.close(reason, isOwn ? undefined : reason);
    this.#events.emit("closed", reason);
  }
}
