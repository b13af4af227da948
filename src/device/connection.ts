import { rethrowLater } from "../async/call-out.ts";
import { Emitter, type OperationOptions } from "../async/index.ts";
import { setClientDemand, setLinkSecurity } from "../att/bearer.ts";
import { AttBearer, type LinkSecurity } from "../att/index.ts";
import type { Address } from "../core/address.ts";
import { checkChoice, checkFunction } from "../core/arguments.ts";
import type { Logger } from "../core/logger.ts";
import type { BondBook, LinkParameters } from "../gap/index.ts";
import { clientCache, type GattCache, GattClient, type GattPeer } from "../gatt/index.ts";
import { type DisconnectedError, type Hci, type HciError, HciErrorCode, LeSetDataLength } from "../hci/index.ts";
import type { L2capLink, LinkChannels } from "../l2cap/index.ts";
import {
  type Bond,
  type PairingPolicy,
  type PairingReport,
  type PairOptions,
  SecurityManager,
  type SecurityManagerOptions,
} from "../smp/index.ts";
import { ClientSecurity } from "./client-security.ts";
import { CONNECTION_EVENTS, type ConnectionEvents } from "./connection-events.ts";
import { EnhancedBearers } from "./enhanced-bearers.ts";
import { LinkControl } from "./link-control.ts";
import { checkDisconnectReason, LinkDisconnection } from "./link-disconnection.ts";
import { LinkPeer } from "./link-peer.ts";
import { LinkSignatures } from "./link-signatures.ts";
import type { DevicePeriodic } from "./periodic.ts";
import type { PhyName } from "./phy-updates.ts";
import type { ConnectionPolicy } from "./policy.ts";
import { provedPeer } from "./proved-peer.ts";
import { levelFourPairing } from "./secure-connections-only.ts";

/** What the device gives a connection to work with. */
export interface ConnectionParts {
  readonly hci: Hci;
  readonly link: L2capLink;
  readonly bonds: BondBook;
  readonly gattCache: GattCache | undefined;
  readonly logger: Logger;
  readonly policy: ConnectionPolicy;
  readonly parameters: LinkParameters;
  /** What the link began on; `undefined` where only the controller knows. */
  readonly phy: PhyName | undefined;
  /** Addresses that were used to make the link. */
  readonly localAddress: Address;
  readonly peerAddress: Address;
  readonly periodic: DevicePeriodic;
  /** Opened pairing window: without it no peer may begin a pairing. */
  readonly isPairable: () => boolean;
  /** Whether the peer of another link has this identity. */
  readonly isOnAnotherLink: (identity: Address) => boolean;
  readonly security: Pick<SecurityManagerOptions, "identity" | "random" | "attempts" | "localOutOfBand">;
  /** The own server: whether it serves on enhanced bearers, and what has it do so. */
  readonly server: { readonly isServed: () => boolean; readonly serve: (att: AttBearer, bearer: AttBearer, isOwn: boolean) => void };
  /** The link is gone and everything on it is settled. */
  readonly onEnd: (connection: Connection, error: DisconnectedError) => void;
}

/** Made by the device when the controller reports the link, and by nobody else. */
export let createConnection: (parts: ConnectionParts) => Connection;

/**
 * One link with its attribute protocol and security. A lost link rejects everything that waits on it with a DisconnectedError, in the turn in
 * which the loss is told.
 */
export class Connection extends LinkControl implements AsyncDisposable {
  readonly handle: number;
  readonly role: "central" | "peripheral";
  /** The own address on this link. */
  readonly localAddress: Address;
  /** The peer's address on this link, which may be private. */
  readonly peerAddress: Address;
  readonly policy: ConnectionPolicy;
  /** The peer's server. */
  readonly gatt: GattClient;
  /** The attribute protocol below `gatt` and the own server: the bearer that every link has. */
  readonly att: AttBearer;
  /** Beside it. @internal */
  readonly enhancedBearers: EnhancedBearers;
  /** Credit based channels to the peer. */
  readonly l2cap: LinkChannels<Connection>;
  /** Resolves when the link is gone, with the reason; never rejects. */
  readonly closed: Promise<DisconnectedError>;
  readonly #hci: Hci;
  readonly #link: L2capLink;
  readonly #peer: LinkPeer;
  readonly #logger: Logger;
  readonly #isPairable: () => boolean;
  readonly #isPhyKnown: boolean;
  #pairing: Partial<PairingPolicy> | undefined;
  readonly #manager: SecurityManager;
  readonly #disconnection: LinkDisconnection;
  readonly #clientSecurity: ClientSecurity;
  readonly #events: Emitter<ConnectionEvents>;
  readonly #onEnd: ConnectionParts["onEnd"];
  readonly #periodic: DevicePeriodic;
  #resolveClosed!: (error: DisconnectedError) => void;
  #ended: DisconnectedError | undefined;
  /** Made when it is first asked for. */
  #lost: AbortController | undefined;

  static {
    createConnection = (parts) => new Connection(parts);
  }

  private constructor(parts: ConnectionParts) {
    const { hci, link, bonds, policy, parameters, phy, peerAddress, localAddress } = parts;
    const { role } = link;
    const logger = parts.logger.child(`link${link.handle}`);
    const events = new Emitter<ConnectionEvents>();
    super({ hci, link, logger, events, policy, parameters, phy, syncs: parts.periodic.syncs });
    this.#periodic = parts.periodic;
    this.#isPhyKnown = phy !== undefined;
    this.handle = link.handle;
    this.role = role;
    this.localAddress = localAddress;
    this.peerAddress = peerAddress;
    this.policy = policy;
    this.#hci = hci;
    this.#link = link;
    this.#logger = logger;
    this.#events = events;
    this.#isPairable = parts.isPairable;
    this.#onEnd = parts.onEnd;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#disconnection = new LinkDisconnection({
      hci,
      link,
      logger: this.#logger,
      closed: this.closed,
      isEnded: () => this.#ended !== undefined,
      supervisionTimeoutMs: () => this.parameters.supervisionTimeoutMs,
      onGone: (error) => this.end(error),
    });
    // Who it is must be known before the first request of the peer is answered.
    const { authorize } = policy;
    this.#peer = new LinkPeer({ address: peerAddress, bonds, logger: this.#logger, authorize });
    this.att = new AttBearer(link.att, { clock: hci.clock, logger: this.#logger, policy: policy.att });
    this.att.on("mtu", (mtu) => this.#events.emit("mtu", mtu));
    this.#clientSecurity = new ClientSecurity({
      clock: hci.clock,
      role,
      policy,
      hasKey: () => (role === "central" ? this.#peer.bond?.peerLtk : this.#peer.bond?.localLtk) !== undefined,
      security: () => this.security,
      encrypt: (options) => this.encrypt(options),
      pair: (options) => this.pair(options),
      giveUp: (error) => this.#giveUp(error),
    });
    this.l2cap = link.channels as LinkChannels<Connection>;
    link.bind({
      connection: this,
      security: () => this.security,
      hasKey: () => this.bonded,
      demand: () => this.#clientSecurity.demand,
      elevate: (demand, options) => this.#clientSecurity.raise(demand, options),
    });
    setClientDemand(this.att, this.#clientSecurity.demand);
    const signatures = new LinkSignatures({
      bonds,
      logger: this.#logger,
      bond: () => this.#peer.bond,
      security: () => this.security,
      isPairing: () => this.isPairing,
      isOff: policy.secureConnectionsOnly === true,
    });
    this.#peer.signatures = signatures;
    this.gatt = new GattClient(this.att, {
      elevate: (demand, options) => this.#clientSecurity.raise(demand, options),
      sign: (pdu) => signatures.sign(pdu),
      cache: parts.gattCache && clientCache({ store: parts.gattCache, peer: () => provedPeer(this.#peer.bond, this.security) }),
    });
    const { isServed, serve } = parts.server;
    this.enhancedBearers = new EnhancedBearers({
      clock: hci.clock,
      logger: this.#logger,
      policy,
      att: this.att,
      gatt: this.gatt,
      role,
      hasKey: () => this.bonded,
      channels: link.channels,
      parameters: () => this.parameters,
      random: parts.security.random,
      isServed,
      serve: (bearer, { isOwn }) => serve(this.att, bearer, isOwn),
    });
    this.#manager = new SecurityManager({
      ...parts.security,
      channel: link.smp,
      role,
      localAddress,
      peerAddress,
      clock: hci.clock,
      logger: this.#logger,
      policy: this.#pairingPolicy(),
      ...(policy.agent && { agent: policy.agent }),
      link: { startEncryption: (key, rand, ediv) => this.procedures.startEncryption(key, rand, ediv) },
      bond: bonds.find(peerAddress),
      beforeKey: policy.beforeKey && (() => this.#beforeKey()),
      findBond: (identity) => bonds.get(identity),
      findIrkHolder: (peerIrk, identity) => bonds.holderOf(peerIrk, identity),
      isOnAnotherLink: parts.isOnAnotherLink,
      onBond: async (bond, _report, replacing) => {
        await bonds.keep(bond, { replacing });
        this.#peer.identity = bond.identity;
      },
      onBondRefused: async (bond, replaced) => {
        await bonds.takeBack(bond, replaced);
        this.#peer.identity = bonds.resolve(peerAddress);
      },
      onSecurity: (security) => {
        this.#peer.security = security;
        this.#refreshDemand(); // a pairing may have made a bond
        this.enhancedBearers.security = security;
        setLinkSecurity(this.att, security);
        this.#events.emit("security", security);
      },
      onExchanged: (report) => this.#events.emit("exchanged", report),
      onPaired: (report) => this.#events.emit("paired", report),
      onFailure: (error) => this.#events.emit("securityFailure", error),
    });
  }

  /** Who the peer is: its identity where that is known, else the address it uses. */
  get peerIdentity(): Address {
    return this.#peer.address;
  }
  /** This peer as handlers of the own server see it; also says whom to notify. */
  get gattPeer(): GattPeer {
    return this.#peer;
  }
  /** Whether there is a bond with this peer. */
  get bonded(): boolean {
    return this.#peer.bond !== undefined;
  }
  /** What carries attributes on this link: `att`, and after it the enhanced bearers that are open (Vol 3 Part F 3.2.11). */
  get bearers(): AttBearer[] {
    return [this.att, ...this.enhancedBearers.bearers];
  }
  get security(): LinkSecurity {
    return this.att.security;
  }
  /** A pairing is under way, or its bond is being stored. */
  get isPairing(): boolean {
    return this.#manager.isPairing;
  }
  /** Why the link is gone; `undefined` while it is there. */
  get ended(): DisconnectedError | undefined {
    return this.#ended;
  }

  /** Aborts when the link is gone, with the reason: ends what else a program does for the sake of this link. */
  get signal(): AbortSignal {
    if (!this.#lost) {
      this.#lost = new AbortController();
      if (this.#ended) this.#lost.abort(this.#ended);
    }
    return this.#lost.signal;
  }

  on<K extends keyof ConnectionEvents>(event: K, listener: (value: ConnectionEvents[K]) => void): Disposable {
    checkChoice("connection event", event, CONNECTION_EVENTS);
    checkFunction(`listener of "${event}"`, listener ?? null);
    return this.#events.on(event, listener);
  }

  /**
   * Pairs. As peripheral this asks the central to (Security Request), which may answer with the keys of the bond.
   *
   * @throws {PairingError} one side refuses, with the reason
   * @throws {PairingTimeoutError} the peer is silent for 30 s
   * @throws {DisconnectedError} the link is lost
   */
  pair(options: PairOptions = {}): Promise<PairingReport> {
    return this.policy.secureConnectionsOnly ? this.#pairAtLevelFour(options) : this.#manager.pair(options);
  }

  async #pairAtLevelFour(options: PairOptions): Promise<PairingReport> {
    return await this.#manager.pair({ ...options, policy: levelFourPairing(options.policy ?? {}) });
  }

  /**
   * Encrypts with the keys of the bond. As peripheral this asks the central to.
   *
   * @throws {StateError} there is no bond
   * @throws {BondLostError} the peer has lost its side of the bond
   * @throws {DisconnectedError} the link is lost
   */
  encrypt(options: OperationOptions = {}): Promise<void> {
    return this.#manager.encrypt(options);
  }

  /**
   * Central: encrypts the link anew with the key that it has, so that no session key is used for too much (Vol 6 Part B 5.1.3.2). The link counts
   * as encrypted all the while: nothing is sent or taken in between.
   *
   * @throws {UnsupportedError} this side is the peripheral, which cannot
   * @throws {StateError} the link is not encrypted, or there is no key to do it with again
   * @throws {BondLostError} the peer no longer has the key; the link is lost by it
   * @throws {HciError} the controller refuses
   * @throws {DisconnectedError} the link is lost
   */
  refreshKey(options: OperationOptions = {}): Promise<void> {
    return this.#manager.refreshKey(options);
  }

  /** Resolves when the link is what its bond promises. @throws why it cannot be; the link is then taken down @internal */
  whenTrusted(options: OperationOptions): Promise<void> {
    return this.#clientSecurity.whenBegun(options);
  }

  /**
   * Nothing that the peer sends is looked at until the result is disposed; then all of it is, in order. Several pauses add up. For who has to
   * finish with one packet before the next. A link on which more than 1 MiB or 1024 packets wait is disconnected. Where the peer ends the
   * link, or it is lost, what waits comes first and "disconnected" after it, 30 s later at the latest; where this side ends it, what waits is
   * dropped.
   */
  pause(): Disposable {
    return this.#link.pause();
  }

  #giveUp(error: unknown): void {
    if (this.#ended) return;
    this.#logger.warn(() => `disconnecting, since the link to a bonded peer could not be encrypted: ${String(error)}`);
    this.#inBackground("disconnection", this.disconnect(HciErrorCode.AuthenticationFailure));
  }

  /**
   * Ends the link; resolves when it is gone. What was sent before is let through first, for at most a second. While this rejects, the link is
   * there, or may be: it can be used, and disconnected again.
   *
   * @param reason a value of HciErrorCode that may be given (Vol 4 Part E 7.1.6): by default Remote User Terminated Connection
   * @throws {ArgumentError} another reason
   * @throws {HciError} the controller refuses, at once or with a Disconnection Complete event that says so (Vol 4 Part E 7.7.5)
   * @throws {TimeoutError} the controller does not say in the supervision timeout and 2 s what became of the link
   */
  async disconnect(reason: number = HciErrorCode.RemoteUserTerminatedConnection): Promise<void> {
    checkDisconnectReason(reason);
    if (this.#ended) return;
    await this.#disconnection.run(reason);
  }

  /** Disconnects; a controller that refuses is not an error of the scope that is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect().catch((error: unknown) => this.#logger.warn(() => `could not be disconnected: ${String(error)}`));
  }

  // --- for the device -------------------------------------------------------------------------------------------------------------

  #pairingPolicy(): Partial<PairingPolicy> {
    const chosen = this.#pairing ?? this.policy.pairing ?? {};
    const pairing = this.policy.secureConnectionsOnly ? levelFourPairing(chosen) : chosen;
    return { ...pairing, pairable: (pairing.pairable ?? true) && this.#isPairable() };
  }

  /** How pairings go from the next one on, in place of `policy.pairing`. @internal */
  set pairing(policy: Partial<PairingPolicy>) {
    this.#pairing = policy;
    this.refreshPairable();
  }

  /** The device's pairing window opened or closed. @internal */
  refreshPairable(): void {
    this.#manager.policy = this.#pairingPolicy();
  }

  /** The bond with this peer is another one now, or gone. @internal */
  onBondChanged(bond: Bond | undefined): void {
    this.#manager.bond = bond;
    this.#refreshDemand();
  }

  #refreshDemand(): void {
    const { demand } = this.#clientSecurity;
    setClientDemand(this.att, demand);
    this.enhancedBearers.demand = demand;
  }

  /** What happens by itself on a new link. @internal */
  begin(): void {
    const { supportedMaxTxOctets, suggestedMaxTxOctets } = this.#hci.controller;
    if (this.policy.dataLength !== "never" && supportedMaxTxOctets > suggestedMaxTxOctets && this.#hci.supports(LeSetDataLength))
      this.#inBackground("longer packets", this.setDataLength(supportedMaxTxOctets));
    const { syncTransfers = "ignore" } = this.policy;
    if (!this.#periodic.isDefault(syncTransfers))
      this.#inBackground("taking periodic advertising of the peer", this.acceptSyncs(syncTransfers));
    if (!this.#isPhyKnown) this.#inBackground("the PHY", this.readPhy());
    this.#clientSecurity.begin();
  }

  #inBackground(what: string, promise: Promise<unknown>): void {
    promise.catch((error: unknown) => {
      if (!this.#ended) this.#logger.info(() => `${what} could not be had: ${String(error)}`);
    });
  }

  /** @internal */
  onLongTermKeyRequest(rand: Uint8Array, ediv: number): void {
    const answer = (): void => {
      if (!this.#ended) this.procedures.answerLongTermKeyRequest(this.#manager.onLongTermKeyRequest(rand, ediv));
    };
    if (!this.policy.beforeKey || this.#manager.isPairing) answer();
    else void this.#beforeKey().then(answer);
  }

  async #beforeKey(): Promise<void> {
    try {
      await this.policy.beforeKey?.(this);
    } catch (error) {
      rethrowLater(error);
    }
  }

  /** @internal */
  onEncryptionChange(status: number, enabled: boolean): void {
    this.#manager.onEncryptionChange(status, enabled);
    this.procedures.onEncryptionChange(status);
  }

  /** A Disconnection Complete event says that the link is still there. @internal */
  onDisconnectFailed(error: HciError): void {
    this.#disconnection.refused(error);
  }

  /** The controller says that the link is gone. What had arrived is looked at before the end is told. @internal */
  onGone(error: DisconnectedError): void {
    this.closeControl(error);
    this.#link.afterRest(() => this.end(error));
  }

  /** The link is gone: settles everything, then tells. @internal */
  end(error: DisconnectedError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.closeControl(error);
    this.#manager.close(error);
    this.#link.close(error); // closes the bearer, and with it client and server
    this.#resolveClosed(error);
    this.#lost?.abort(error);
    this.#onEnd(this, error);
    this.#events.emit("disconnected", error);
  }
}
