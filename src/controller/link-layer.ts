import { type Air, AirEvent, type Link, LinkRole, Phy, type Radio, type Scheduler } from "../air/index.ts";
import type { Infer } from "../bytes/index.ts";
import { Address, type SeededRandom } from "../core/index.ts";
import type { P256KeyPair } from "../crypto/index.ts";
import {
  HciErrorCode,
  LeChannelSelectionAlgorithm,
  LeConnectionComplete,
  type LeCreateConnection,
  LeEnhancedConnectionComplete,
  LeEnhancedConnectionCompleteV2,
  type LeExtendedCreateConnection,
  LeFeature,
} from "../hci/index.ts";
import type { CommandKind } from "./commands/command-kinds.ts";
import type { HostInterface } from "./host-interface.ts";
import { Connection } from "./link/connection.ts";
import type { DataLength } from "./link/exchanges.ts";
import { EVERY_EVENT, type SubrateRange } from "./link/subrating.ts";
import {
  type ControllerOptions,
  featuresForPeers,
  hasFeature,
  leastPowerDbm,
  MAX_OCTETS,
  MAX_TIME_CODED_US,
  MAX_TIME_UNCODED_US,
} from "./options.ts";
import { PeriodicInitiating, type PeriodicInitiatingSetup } from "./periodic/initiating.ts";
import { PeriodicSets } from "./periodic/periodic-sets.ts";
import { PeriodicSyncs } from "./periodic/syncs.ts";
import { IGNORED, SyncTransfer, type TransferTerms } from "./periodic/transfer.ts";
import { Advertising } from "./roles/advertising.ts";
import type { AirAddress, ConnectData } from "./roles/advertising-pdus.ts";
import { AdvertisingSets } from "./roles/advertising-sets.ts";
import { ExtendedScanning } from "./roles/extended-scanning.ts";
import { FilterAcceptList } from "./roles/filter-accept-list.ts";
import { firstAnchorUs, Initiating } from "./roles/initiating.ts";
import type { LinkLayerContext, LinkOrigin, OwnAddress, OwnRandom } from "./roles/link-layer-context.ts";
import { ResolvingList } from "./roles/resolving-list.ts";
import { Scanning } from "./roles/scanning.ts";

const ALL_CHANNELS = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f);
const HIGHEST_HANDLE = 0x0eff;
const NO_ADDRESS = new Uint8Array(6);
/** Advertising_Handle and Sync_Handle of a link that no train brought. */
const NO_SET = 0xff;
const NO_SYNC = 0xffff;

export interface LinkLayerSetup {
  readonly air: Air;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly random: SeededRandom;
  readonly publicAddress: Address;
  readonly features: bigint;
  readonly filterAcceptListSize: number;
  readonly resolvingListSize: number;
  readonly maxAdvertisingSets: number;
  readonly maxAdvertisingDataLength: number;
  readonly maxPeriodicSyncs: number;
  readonly periodicAdvertiserListSize: number;
  readonly maxConnections: number;
  readonly goldenRange: ControllerOptions["goldenRange"];
  readonly connectionHandles: "next" | "lowest";
  readonly totalNumLeAclDataPackets: number;
  readonly leAclDataPacketLength: number;
  /** How long elliptic curves take. */
  readonly keyGenerationUs: number;
}

/** The Link Layer of one controller: its roles and its connections, as HCI sees them. */
export class LinkLayer implements LinkLayerContext {
  readonly air: Air;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly publicAddress: Address;
  readonly features: bigint;
  readonly filterAcceptList: FilterAcceptList;
  readonly advertising: Advertising;
  readonly scanning: Scanning;
  readonly advertisingSets: AdvertisingSets;
  readonly periodicSets: PeriodicSets;
  readonly syncs: PeriodicSyncs;
  readonly extendedScanning: ExtendedScanning;
  readonly resolving: ResolvingList;
  /** The kind of commands that the host has used since the last reset. */
  #commandKind: CommandKind | undefined;
  /** Bits that the host has set, LE Set Host Feature. */
  hostFeatures = 0n;
  readonly connections = new Map<number, Connection>();
  readonly totalNumLeAclDataPackets: number;
  readonly leAclDataPacketLength: number;
  initiating: Initiating | PeriodicInitiating | undefined;
  randomAddress: Uint8Array | undefined;
  /** Made by LE Read Local P-256 Public Key. */
  keyPair: P256KeyPair | undefined;
  channelMap: Uint8Array = ALL_CHANNELS;
  /** LE Write Suggested Default Data Length. */
  suggestedOctets = 27;
  suggestedTimeUs = 328;
  /** LE Set Default Subrate. */
  defaultSubrate: SubrateRange = EVERY_EVENT;
  /** LE Set Default Periodic Advertising Sync Transfer Parameters: for links that come. */
  transferTerms: TransferTerms = IGNORED;
  /** LE Set Default PHY. */
  defaultTxPhys: number;
  defaultRxPhys: number;
  readonly #maxConnections: number;
  readonly #goldenRange: ControllerOptions["goldenRange"];
  readonly #givesLowest: boolean;
  readonly #keyGenerationUs: number;
  #keyWork: AirEvent | undefined;
  #lastHandle = 0;

  constructor(setup: LinkLayerSetup) {
    this.air = setup.air;
    this.radio = setup.radio;
    this.host = setup.host;
    this.scheduler = setup.air.medium.scheduler;
    this.random = setup.random;
    this.publicAddress = setup.publicAddress;
    this.features = setup.features;
    this.totalNumLeAclDataPackets = setup.totalNumLeAclDataPackets;
    this.leAclDataPacketLength = setup.leAclDataPacketLength;
    this.filterAcceptList = new FilterAcceptList(setup.filterAcceptListSize);
    this.resolving = new ResolvingList(setup.resolvingListSize, this.scheduler, { seed: this.air.seed, name: this.radio.name });
    this.#maxConnections = setup.maxConnections;
    this.#goldenRange = setup.goldenRange;
    this.#givesLowest = setup.connectionHandles === "lowest";
    this.#keyGenerationUs = setup.keyGenerationUs;
    this.defaultTxPhys = this.supportedPhys;
    this.defaultRxPhys = this.supportedPhys;
    this.advertising = new Advertising(this);
    this.scanning = new Scanning(this);
    this.advertisingSets = new AdvertisingSets(this, { maxSets: setup.maxAdvertisingSets, maxDataLength: setup.maxAdvertisingDataLength });
    this.periodicSets = new PeriodicSets(this, this.advertisingSets);
    this.syncs = new PeriodicSyncs(this, { maxSyncs: setup.maxPeriodicSyncs, listSize: setup.periodicAdvertiserListSize });
    this.extendedScanning = new ExtendedScanning(this);
  }

  /** As after HCI Reset: links are gone without a word to anybody. */
  reset(): void {
    this.initiating?.abandon();
    this.initiating = undefined;
    this.advertising.reset();
    this.advertisingSets.reset();
    this.scanning.reset();
    this.extendedScanning.reset();
    this.syncs.reset();
    this.transferTerms = IGNORED;
    this.#commandKind = undefined;
    this.hostFeatures = 0n;
    for (const connection of this.connections.values()) connection.abandon();
    this.filterAcceptList.clear();
    this.resolving.reset();
    this.randomAddress = undefined;
    this.keyPair = undefined;
    if (this.#keyWork) this.scheduler.clear(this.#keyWork);
    this.#keyWork = undefined;
    this.channelMap = ALL_CHANNELS;
    this.suggestedOctets = 27;
    this.suggestedTimeUs = 328;
    this.defaultSubrate = EVERY_EVENT;
    this.defaultTxPhys = this.supportedPhys;
    this.defaultRxPhys = this.supportedPhys;
    this.host.reset();
  }

  /** Whether a key is being made: one at a time. */
  get isMakingKey(): boolean {
    return this.#keyWork !== undefined;
  }

  /** Does what takes the time of a key; a reset ends it. */
  makeKey(act: () => void): void {
    if (this.#keyGenerationUs === 0) {
      act();
      return;
    }
    this.#keyWork = new AirEvent(() => {
      this.#keyWork = undefined;
      act();
    });
    this.scheduler.set(this.#keyWork, this.scheduler.nowUs + this.#keyGenerationUs);
  }

  /** Whether the host may use commands of this kind; from the first one on none of the other (Vol 4 Part E 3.1.1). */
  mayUse(kind: CommandKind): boolean {
    if (!this.#has(LeFeature.LeExtendedAdvertising)) return true;
    this.#commandKind ??= kind;
    return this.#commandKind === kind;
  }

  get hostKnowsCodings(): boolean {
    return hasFeature(this.hostFeatures, LeFeature.AdvertisingCodingSelectionHostSupport);
  }

  get isScanning(): boolean {
    return this.scanning.isEnabled || this.extendedScanning.isEnabled;
  }
  get isAdvertisingScanningOrInitiating(): boolean {
    return this.advertising.isEnabled || this.advertisingSets.isAnyEnabled || this.isScanning || this.initiating !== undefined;
  }

  #has(feature: number): boolean {
    return hasFeature(this.features, feature);
  }

  get isFull(): boolean {
    return this.connections.size >= this.#maxConnections;
  }

  /** Mask of PHYs: bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded. */
  get supportedPhys(): number {
    return 1 | (hasFeature(this.features, LeFeature.Le2mPhy) ? 2 : 0) | (hasFeature(this.features, LeFeature.LeCodedPhy) ? 4 : 0);
  }
  get maxOctets(): number {
    return hasFeature(this.features, LeFeature.LeDataPacketLengthExtension) ? MAX_OCTETS : 27;
  }
  get maxTimeUs(): number {
    if (this.maxOctets === 27) return 328;
    return hasFeature(this.features, LeFeature.LeCodedPhy) ? MAX_TIME_CODED_US : MAX_TIME_UNCODED_US;
  }

  ownAddress(type: number, peer?: AirAddress, random: OwnRandom = { address: this.randomAddress }): OwnAddress {
    const made = type >= 2 && peer ? this.resolving.localRpa(peer.type, peer.bytes) : undefined;
    if (made) return { type: 1, bytes: made, isMade: true };
    if (type & 1 && random.address) return { type: 1, bytes: random.address };
    return { type: 0, bytes: this.publicAddress.bytes };
  }

  checkOwnAddress(type: number, peer?: AirAddress, random: OwnRandom = { address: this.randomAddress }): number {
    if (type >= 2 && peer && this.resolving.localRpa(peer.type, peer.bytes)) return HciErrorCode.Success;
    const isThere = type & 1 ? random.address !== undefined : this.publicAddress.bytes.some((octet) => octet !== 0);
    return isThere ? HciErrorCode.Success : HciErrorCode.InvalidHciCommandParameters; // Vol 4 Part E 7.8.9, 7.8.11, 7.8.12
  }

  isConnectedTo(type: number, address: Uint8Array): boolean {
    const peer = new Address(address, type);
    for (const connection of this.connections.values()) if (connection.peerAddress.equals(peer)) return true;
    return false;
  }

  /** ACL packets the host has here. */
  get heldAclPackets(): number {
    let held = 0;
    for (const connection of this.connections.values()) held += connection.acl.size;
    return held;
  }

  initiate(parameters: Infer<typeof LeCreateConnection.parameters> | Infer<typeof LeExtendedCreateConnection.parameters>): void {
    this.initiating = new Initiating(this, parameters, () => {
      this.initiating = undefined;
    });
  }

  /** Connects from a train with responses. */
  initiateFromTrain(setup: Omit<PeriodicInitiatingSetup, "onDone">): void {
    this.initiating = new PeriodicInitiating(this, {
      ...setup,
      onDone: () => {
        this.initiating = undefined;
      },
    });
  }

  openAsCentral(peer: Address, data: ConnectData, endUs: number, isAbandoned: boolean, origin?: LinkOrigin): Link {
    const connection = this.#connection(LinkRole.Central, peer, data, origin);
    connection.link = this.air.connect({
      accessAddress: data.accessAddress,
      central: connection,
      firstAnchorUs: firstAnchorUs(data, endUs),
      intervalUs: data.interval * 1250,
      latency: data.latency,
      supervisionTimeoutUs: data.timeout * 10_000,
      channelMap: data.channelMap,
      hop: data.hop,
      usesAlgorithm2: origin?.usesAlgorithm2 ?? false,
      phy: origin?.phy ?? Phy.Le1M,
    });
    if (isAbandoned) connection.abandon();
    else this.#announce(connection, data, origin);
    return connection.link;
  }

  joinAsPeripheral(link: Link, peer: Address, data: ConnectData, origin?: LinkOrigin): number {
    const connection = this.#connection(LinkRole.Peripheral, peer, data, origin);
    connection.link = link;
    this.#announce(connection, data, origin);
    link.join(connection);
    return connection.handle;
  }

  connectionFailed(status: number, role: "central" | "peripheral", advertisingHandle?: number): void {
    const event = {
      status,
      connectionHandle: 0,
      role: role === "central" ? 0 : 1,
      peerAddressType: 0,
      peerAddress: NO_ADDRESS,
      localResolvablePrivateAddress: new Address(NO_ADDRESS, 1),
      peerResolvablePrivateAddress: new Address(NO_ADDRESS, 1),
      connectionInterval: 0,
      peripheralLatency: 0,
      supervisionTimeout: 0,
      centralClockAccuracy: 0,
    };
    this.#tellConnection(event, { advertisingHandle });
  }

  /** The enhanced event in place of the plain one, where the host wants it and the controller has it (Vol 4 Part E 7.7.65.10). */
  #tellConnection(
    event: LeEnhancedConnectionComplete,
    train: { advertisingHandle?: number | undefined; syncHandle?: number | undefined },
  ): void {
    const { advertisingHandle = NO_SET, syncHandle = NO_SYNC } = train;
    const hasResponses =
      this.#has(LeFeature.PeriodicAdvertisingWithResponsesAdvertiser) || this.#has(LeFeature.PeriodicAdvertisingWithResponsesScanner);
    if (hasResponses && this.host.wants(LeEnhancedConnectionCompleteV2)) {
      this.host.event(LeEnhancedConnectionCompleteV2, { ...event, advertisingHandle, syncHandle });
      return;
    }
    const hasEnhanced = this.#has(LeFeature.LeExtendedAdvertising) || this.#has(LeFeature.LlPrivacy);
    if (hasEnhanced && this.host.wants(LeEnhancedConnectionComplete)) {
      this.host.event(LeEnhancedConnectionComplete, event);
      return;
    }
    const { peerAddressType, peerAddress, localResolvablePrivateAddress: _, peerResolvablePrivateAddress: __, ...common } = event;
    this.host.event(LeConnectionComplete, { ...common, peerAddress: new Address(peerAddress, peerAddressType & 1) });
  }

  #connection(role: LinkRole, peerAddress: Address, data: ConnectData, origin?: LinkOrigin): Connection {
    const dataLength: DataLength = {
      maxTxOctets: Math.min(this.suggestedOctets, this.maxOctets),
      maxTxTime: Math.min(this.suggestedTimeUs, this.maxTimeUs),
      maxRxOctets: this.maxOctets,
      maxRxTime: this.maxTimeUs,
    };
    const connection = new Connection({
      handle: this.#freeHandle(),
      role,
      peerAddress,
      radio: this.radio,
      host: this.host,
      scheduler: this.scheduler,
      random: this.random,
      features: featuresForPeers(this.features | this.hostFeatures),
      pings: this.#has(LeFeature.LePing),
      parameters: { interval: data.interval, latency: data.latency, timeout: data.timeout },
      channelMap: data.channelMap,
      hostChannels: () => this.channelMap,
      dataLength,
      phy: origin?.phy ?? Phy.Le1M,
      txPhys: this.defaultTxPhys,
      rxPhys: this.defaultRxPhys,
      subrate: this.defaultSubrate,
      power: {
        leastDbm: leastPowerDbm(this.radio),
        mostDbm: this.radio.txPowerDbm,
        golden: this.#goldenRange,
        supportedPhys: this.supportedPhys,
      },
      onClosed: ({ handle }) => void this.connections.delete(handle),
    });
    connection.transfer = new SyncTransfer(connection.control, this, this.syncs, this.transferTerms);
    return connection;
  }

  #freeHandle(): number {
    if (this.#givesLowest) this.#lastHandle = 0;
    do this.#lastHandle = this.#lastHandle >= HIGHEST_HANDLE ? 1 : this.#lastHandle + 1;
    while (this.connections.has(this.#lastHandle));
    return this.#lastHandle;
  }

  #announce(connection: Connection, data: ConnectData, origin: LinkOrigin | undefined): void {
    const { handle, role, peerAddress } = connection;
    this.connections.set(handle, connection);
    const event = {
      status: 0,
      connectionHandle: handle,
      role,
      peerAddressType: origin?.peer.type ?? peerAddress.type,
      peerAddress: peerAddress.bytes,
      localResolvablePrivateAddress: new Address(origin?.localRpa ?? NO_ADDRESS, 1),
      peerResolvablePrivateAddress: new Address(origin?.peer.rpa ?? NO_ADDRESS, 1),
      connectionInterval: data.interval,
      peripheralLatency: data.latency,
      supervisionTimeout: data.timeout,
      // Valid for the peripheral only (Vol 4 Part E 7.7.65.1).
      centralClockAccuracy: role === LinkRole.Peripheral ? data.sca : 0,
    };
    this.#tellConnection(event, origin ?? {});
    if (this.#has(LeFeature.ChannelSelectionAlgorithm2))
      this.host.event(LeChannelSelectionAlgorithm, { connectionHandle: handle, channelSelectionAlgorithm: origin?.usesAlgorithm2 ? 1 : 0 });
    connection.begin();
  }
}
