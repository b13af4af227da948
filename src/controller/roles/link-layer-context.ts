import type { Air, Follower, Link, Phy, Radio, Scheduler } from "../../air/index.ts";
import type { Address, SeededRandom } from "../../core/index.ts";
import type { HostInterface } from "../host-interface.ts";
import type { AirAddress, ConnectData } from "./advertising-pdus.ts";
import type { ExtendedView } from "./extended-pdus.ts";
import type { FilterAcceptList } from "./filter-accept-list.ts";
import type { Peer, ResolvingList } from "./resolving-list.ts";

/** Whose link it is, and how it came about; without it as CONNECT_IND without privacy makes it. */
export interface LinkOrigin {
  readonly peer: Peer;
  /** The resolvable private address that this device used. */
  readonly localRpa: Uint8Array | undefined;
  readonly phy: Phy;
  /** Whether both know Channel Selection Algorithm #2. */
  readonly usesAlgorithm2: boolean;
  /** Of the train with responses that brought it: at the advertiser, and at the device that follows. */
  readonly advertisingHandle?: number;
  readonly syncHandle?: number;
}

/** The random address of an advertising set: absent until the host sets one. */
export interface OwnRandom {
  readonly address: Uint8Array | undefined;
}

export interface OwnAddress extends AirAddress {
  /** Whether it is a resolvable private address that this controller made. */
  readonly isMade?: boolean;
}

/** The search for a periodic advertiser, which scanning serves. */
export interface TrainSearch {
  /** Looks on into the advertising event of an ADV_EXT_IND, where a train is looked for that may be its. */
  seeker(pdu: Uint8Array, view: ExtendedView): Follower | undefined;
}

/** What advertising, scanning and initiating share. */
export interface LinkLayerContext {
  readonly air: Air;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly filterAcceptList: FilterAcceptList;
  readonly resolving: ResolvingList;
  readonly syncs: TrainSearch;
  /** LE features, Vol 6 Part B 4.6. */
  readonly features: bigint;
  /** Mask of PHYs: bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded. */
  readonly supportedPhys: number;
  /** Whether the host tells the two codings of LE Coded apart (LE Set Host Feature). */
  readonly hostKnowsCodings: boolean;
  /**
   * Whether there is an address for this Own_Address_Type: a public one, a random one that the host has set. 2 and 3 need theirs where there
   * is no local IRK for `peer`. Gives a status.
   *
   * @param random of an advertising set, in place of the one of LE Set Random Address
   */
  checkOwnAddress(type: number, peer?: AirAddress, random?: OwnRandom): number;
  /** Whether no further connection fits. */
  readonly isFull: boolean;
  /** The data channels the host's classification leaves, 5 octets. */
  readonly channelMap: Uint8Array;
  /** @param type Own_Address_Type; 2 and 3 give a resolvable private address where there is a local IRK for `peer` */
  ownAddress(type: number, peer?: AirAddress, random?: OwnRandom): OwnAddress;
  /** Tells the host, and gives the handle. */
  joinAsPeripheral(link: Link, peer: Address, data: ConnectData, origin?: LinkOrigin): number;
  /** Makes the central's end of a new link and tells the host; with `isAbandoned` nobody wants it any more. */
  openAsCentral(peer: Address, data: ConnectData, endUs: number, isAbandoned: boolean, origin?: LinkOrigin): Link;
  /** Tells the host that no connection came about. */
  connectionFailed(status: number, role: "central" | "peripheral", advertisingHandle?: number): void;
  isConnectedTo(type: number, address: Uint8Array): boolean;
}
