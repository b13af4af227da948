import { type Air, AirEvent, type Link, LinkRole, type Radio, type Scheduler } from "../air/index.ts";
import type { Infer } from "../bytes/index.ts";
import { Address, type SeededRandom } from "../core/index.ts";
import type { P256KeyPair } from "../crypto/index.ts";
import { HciErrorCode, LeConnectionComplete, type LeCreateConnection, LeFeature } from "../hci/index.ts";
import type { HostInterface } from "./host-interface.ts";
import { Connection } from "./link/connection.ts";
import type { DataLength } from "./link/exchanges.ts";
import { hasFeature, MAX_OCTETS, MAX_TIME_CODED_US, MAX_TIME_UNCODED_US } from "./options.ts";
import { Advertising } from "./roles/advertising.ts";
import type { AirAddress, ConnectData } from "./roles/advertising-pdus.ts";
import { FilterAcceptList } from "./roles/filter-accept-list.ts";
import { firstAnchorUs, Initiating } from "./roles/initiating.ts";
import type { LinkLayerContext } from "./roles/link-layer-context.ts";
import { Scanning } from "./roles/scanning.ts";

const ALL_CHANNELS = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f);
const HIGHEST_HANDLE = 0x0eff;

export interface LinkLayerSetup {
  readonly air: Air;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly random: SeededRandom;
  readonly publicAddress: Address;
  readonly features: bigint;
  readonly filterAcceptListSize: number;
  readonly maxConnections: number;
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
  readonly connections = new Map<number, Connection>();
  readonly totalNumLeAclDataPackets: number;
  readonly leAclDataPacketLength: number;
  initiating: Initiating | undefined;
  randomAddress: Uint8Array | undefined;
  /** Made by LE Read Local P-256 Public Key. */
  keyPair: P256KeyPair | undefined;
  channelMap: Uint8Array = ALL_CHANNELS;
  /** LE Write Suggested Default Data Length. */
  suggestedOctets = 27;
  suggestedTimeUs = 328;
  /** LE Set Default PHY. */
  defaultTxPhys: number;
  defaultRxPhys: number;
  readonly #maxConnections: number;
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
    this.#maxConnections = setup.maxConnections;
    this.#givesLowest = setup.connectionHandles === "lowest";
    this.#keyGenerationUs = setup.keyGenerationUs;
    this.defaultTxPhys = this.supportedPhys;
    this.defaultRxPhys = this.supportedPhys;
    this.advertising = new Advertising(this);
    this.scanning = new Scanning(this);
  }

  /** As after HCI Reset: links are gone without a word to anybody. */
  reset(): void {
    this.advertising.reset();
    this.scanning.reset();
    this.initiating?.abandon();
    this.initiating = undefined;
    for (const connection of this.connections.values()) connection.abandon();
    this.filterAcceptList.clear();
    this.randomAddress = undefined;
    this.keyPair = undefined;
    if (this.#keyWork) this.scheduler.clear(this.#keyWork);
    this.#keyWork = undefined;
    this.channelMap = ALL_CHANNELS;
    this.suggestedOctets = 27;
    this.suggestedTimeUs = 328;
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

  ownAddress(type: number): AirAddress {
    if (type === 1 && this.randomAddress) return { type: 1, bytes: this.randomAddress };
    return { type: 0, bytes: this.publicAddress.bytes };
  }

  checkOwnAddress(type: number): number {
    const isThere = type === 1 ? this.randomAddress !== undefined : this.publicAddress.bytes.some((octet) => octet !== 0);
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

  initiate(parameters: Infer<typeof LeCreateConnection.parameters>): void {
    this.initiating = new Initiating(this, parameters, () => {
      this.initiating = undefined;
    });
  }

  openAsCentral(peer: Address, data: ConnectData, endUs: number, isAbandoned: boolean): Link {
    const connection = this.#connection(LinkRole.Central, peer, data);
    connection.link = this.air.connect({
      accessAddress: data.accessAddress,
      central: connection,
      firstAnchorUs: firstAnchorUs(data, endUs),
      intervalUs: data.interval * 1250,
      latency: data.latency,
      supervisionTimeoutUs: data.timeout * 10_000,
      channelMap: data.channelMap,
      hop: data.hop,
    });
    if (isAbandoned) connection.abandon();
    else this.#announce(connection, data);
    return connection.link;
  }

  joinAsPeripheral(link: Link, peer: Address, data: ConnectData): void {
    const connection = this.#connection(LinkRole.Peripheral, peer, data);
    connection.link = link;
    this.#announce(connection, data);
    link.join(connection);
  }

  connectionFailed(status: number, role: "central" | "peripheral"): void {
    this.host.event(LeConnectionComplete, {
      status,
      connectionHandle: 0,
      role: role === "central" ? 0 : 1,
      peerAddress: new Address(new Uint8Array(6), 0),
      connectionInterval: 0,
      peripheralLatency: 0,
      supervisionTimeout: 0,
      centralClockAccuracy: 0,
    });
  }

  #connection(role: LinkRole, peerAddress: Address, data: ConnectData): Connection {
    const dataLength: DataLength = {
      maxTxOctets: Math.min(this.suggestedOctets, this.maxOctets),
      maxTxTime: Math.min(this.suggestedTimeUs, this.maxTimeUs),
      maxRxOctets: this.maxOctets,
      maxRxTime: this.maxTimeUs,
    };
    return new Connection({
      handle: this.#freeHandle(),
      role,
      peerAddress,
      radio: this.radio,
      host: this.host,
      scheduler: this.scheduler,
      random: this.random,
      features: this.features,
      parameters: { interval: data.interval, latency: data.latency, timeout: data.timeout },
      channelMap: data.channelMap,
      dataLength,
      txPhys: this.defaultTxPhys,
      rxPhys: this.defaultRxPhys,
      onClosed: ({ handle }) => void this.connections.delete(handle),
    });
  }

  #freeHandle(): number {
    if (this.#givesLowest) this.#lastHandle = 0;
    do this.#lastHandle = this.#lastHandle >= HIGHEST_HANDLE ? 1 : this.#lastHandle + 1;
    while (this.connections.has(this.#lastHandle));
    return this.#lastHandle;
  }

  #announce(connection: Connection, data: ConnectData): void {
    this.connections.set(connection.handle, connection);
    this.host.event(LeConnectionComplete, {
      status: 0,
      connectionHandle: connection.handle,
      role: connection.role,
      peerAddress: connection.peerAddress,
      connectionInterval: data.interval,
      peripheralLatency: data.latency,
      supervisionTimeout: data.timeout,
      // Valid for the peripheral only (Vol 4 Part E 7.7.65.1).
      centralClockAccuracy: connection.role === LinkRole.Peripheral ? data.sca : 0,
    });
    connection.begin();
  }
}
