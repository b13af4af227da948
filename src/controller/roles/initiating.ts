import {
  type Answer,
  type AuxiliaryPacket,
  airTimeUs,
  type Follower,
  type Link,
  type Listener,
  ListenWindow,
  Phy,
  type Radio,
  T_IFS_US,
} from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { Address } from "../../core/index.ts";
import { HciErrorCode, type LeCreateConnection, type LeExtendedCreateConnection, LeFeature } from "../../hci/index.ts";
import { createAccessAddress } from "../link/access-address.ts";
import { areConnectionParametersValid, drawnInterval } from "../link/connection-parameters.ts";
import { hasFeature } from "../options.ts";
import {
  AdvPduType,
  type AirAddress,
  advertisingPdu,
  type ConnectData,
  checkOwnAddressType,
  chSel,
  encodeConnectData,
  encodeSleepClockAccuracy,
  isAddress,
  pduType,
  rxAddressType,
  setChSel,
  txAddressType,
} from "./advertising-pdus.ts";
import { AdvMode, readExtendedPdu } from "./extended-pdus.ts";
import { sharedWindows } from "./extended-scanning.ts";
import type { LinkLayerContext, LinkOrigin, OwnAddress } from "./link-layer-context.ts";
import type { Peer } from "./resolving-list.ts";
import { identityOf, isScanTiming } from "./scanning.ts";

type LegacyParameters = Infer<typeof LeCreateConnection.parameters>;
type ExtendedParameters = Infer<typeof LeExtendedCreateConnection.parameters>;
type PhyParameters = ExtendedParameters["phys"][number];
/** What a host leaves open of a link. */
export type ConnectionRange = Pick<PhyParameters, "connectionIntervalMin" | "connectionIntervalMax" | "maxLatency" | "supervisionTimeout">;
/** Of either command. */
type Parameters = LegacyParameters | ExtendedParameters;

/** transmitWindowDelay behind CONNECT_IND, and behind AUX_CONNECT_REQ on uncoded PHYs and on LE Coded, Vol 6 Part B 4.5.3. */
const WINDOW_DELAY_US = 1250;
const AUX_WINDOW_DELAY_US = 2500;
const CODED_WINDOW_DELAY_US = 3750;
const CONNECT_IND_OCTETS = 34;
const LE_1M = 0b001;
const LE_2M = 0b010;
const LE_CODED = 0b100;

/** Creating a connection as the central: listens for its peer and sends CONNECT_IND or AUX_CONNECT_REQ. */
export class Initiating {
  readonly radio: Radio;
  readonly #context: LinkLayerContext;
  readonly #parameters: Omit<ExtendedParameters, "phys" | "initiatingPhys">;
  /** Parameters by PHY: bits 0 LE 1M, 1 LE 2M, 2 LE Coded. */
  readonly #phys: ReadonlyMap<number, PhyParameters>;
  readonly #own: OwnAddress;
  readonly #listening: Disposable[] = [];
  readonly #onDone: () => void;
  #isSending = false;
  #isAbandoned = false;

  /** Why these parameters cannot be; 0 when they can. */
  static check(context: LinkLayerContext, parameters: Parameters): number {
    const { initiatorFilterPolicy: policy, peerAddressType: peerType, peerAddress, ownAddressType } = parameters;
    const isExtended = "phys" in parameters;
    if (isExtended) {
      if (parameters.initiatingPhys & ~context.supportedPhys) return HciErrorCode.UnsupportedFeatureOrParameterValue;
      // On LE 2M alone nobody can be heard.
      if (!(parameters.initiatingPhys & (LE_1M | LE_CODED))) return HciErrorCode.InvalidHciCommandParameters;
    }
    for (const [phy, phyParameters] of parametersByPhy(parameters)) {
      const { connectionIntervalMin, connectionIntervalMax, maxLatency: latency, supervisionTimeout: timeout } = phyParameters;
      const range = { intervalMin: connectionIntervalMin, intervalMax: connectionIntervalMax, latency, timeout };
      const { scanInterval, scanWindow, minCeLength, maxCeLength } = phyParameters;
      if (phy !== LE_2M && !isScanTiming(scanInterval, scanWindow, isExtended ? 0xffff : 0x4000))
        return HciErrorCode.InvalidHciCommandParameters;
      if (!areConnectionParametersValid(range) || minCeLength > maxCeLength) return HciErrorCode.InvalidHciCommandParameters;
    }
    if (policy > 1) return HciErrorCode.InvalidHciCommandParameters;
    // With the Filter Accept List the peer's fields are ignored (Vol 4 Part E 7.8.12).
    const isPeerNamed = policy === 0;
    if (isPeerNamed && peerType > 3) return HciErrorCode.InvalidHciCommandParameters;
    const status = checkOwnAddressType(ownAddressType, context.features);
    if (status !== HciErrorCode.Success) return status;
    // Identity addresses belong to the resolving list.
    if (isPeerNamed && peerType > 1 && !hasFeature(context.features, LeFeature.LlPrivacy))
      return HciErrorCode.UnsupportedFeatureOrParameterValue;
    const peer: AirAddress = { type: (peerType & 1) as 0 | 1, bytes: peerAddress };
    const available = context.checkOwnAddress(ownAddressType, isPeerNamed ? peer : undefined);
    if (available !== HciErrorCode.Success) return available;
    if (context.isFull) return HciErrorCode.ConnectionLimitExceeded;
    if (isPeerNamed && context.isConnectedTo(peer.type, peerAddress)) return HciErrorCode.ConnectionAlreadyExists;
    return HciErrorCode.Success;
  }

  constructor(context: LinkLayerContext, parameters: Parameters, onDone: () => void) {
    this.#context = context;
    this.radio = context.radio;
    this.#parameters = parameters;
    this.#phys = new Map(parametersByPhy(parameters));
    this.#onDone = onDone;
    this.#own = context.ownAddress(parameters.ownAddressType);
    const primaries = [...this.#phys].filter(([phy]) => phy !== LE_2M);
    const timings = primaries.map(([, { scanInterval, scanWindow }]) => ({ intervalUs: scanInterval * 625, windowUs: scanWindow * 625 }));
    const knowsExtended = "phys" in parameters;
    for (const [i, { startUs, intervalUs, windowUs }] of sharedWindows(timings, context.scheduler.nowUs).entries()) {
      const phy = primaries[i]![0] === LE_CODED ? Phy.LeCodedS8 : Phy.Le1M;
      const listener = phyInitiator(this, phy, new ListenWindow(startUs, intervalUs, windowUs), knowsExtended);
      this.#listening.push(context.air.channels.listen(listener));
    }
  }

  /** False when it is too late: CONNECT_IND is on its way, and the connection complete event will say so. */
  get canCancel(): boolean {
    return !this.#isSending;
  }
  get usesFilterAcceptList(): boolean {
    return this.#parameters.initiatorFilterPolicy === 1;
  }

  cancel(): void {
    this.#stop();
    this.#onDone();
    this.#context.connectionFailed(HciErrorCode.UnknownConnectionIdentifier, "central");
  }

  /** Ends without a word. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#stop();
    this.#onDone();
  }

  #stop(): void {
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
  }

  onAdvertising(pdu: Uint8Array, _rssiDbm: number, mayAnswer: boolean): Answer | undefined {
    if (!mayAnswer || this.#isSending || this.#isAbandoned) return undefined;
    const type = pduType(pdu);
    if (pdu.length < 8 || (type !== AdvPduType.AdvInd && type !== AdvPduType.AdvDirectInd)) return undefined;
    if (type === AdvPduType.AdvDirectInd && (pdu.length < 14 || !this.#isForUs(pdu, 8))) return undefined;
    const peer = this.#wanted(pdu, 2);
    if (!peer) return undefined;
    this.#isSending = true;
    const knows = hasFeature(this.#context.features, LeFeature.ChannelSelectionAlgorithm2);
    const { ind, data, origin } = this.#request(pdu, 2, peer, Phy.Le1M, WINDOW_DELAY_US, knows && chSel(pdu));
    setChSel(ind, knows);
    return { pdu: ind, connect: (endUs) => this.#connect(data, endUs, origin, WINDOW_DELAY_US) };
  }

  /** Whether ADV_EXT_IND points to something that may be connected to. */
  onExtended(pdu: Uint8Array): Follower | undefined {
    const view = readExtendedPdu(pdu);
    if (this.#isSending || this.#isAbandoned || !view || pduType(pdu) !== AdvPduType.AdvExtInd) return undefined;
    if (view.mode !== AdvMode.Connectable || view.auxPtrAt < 0) return undefined;
    let isAsking = false;
    return {
      onPacket: (packet) => {
        if (!isAsking) {
          const answer = packet && this.#onAuxAdvInd(packet);
          isAsking = answer !== undefined;
          return answer;
        }
        // Without AUX_CONNECT_RSP there is no link, and the search goes on (Vol 6 Part B 4.4.4.2).
        if (!packet || pduType(packet.pdu) !== AdvPduType.AuxConnectRsp) this.#isSending = false;
        return undefined;
      },
    };
  }

  #onAuxAdvInd({ pdu, phy, mayAnswer }: AuxiliaryPacket): Answer | undefined {
    const view = readExtendedPdu(pdu);
    if (!mayAnswer || this.#isSending || this.#isAbandoned || !view || pduType(pdu) !== AdvPduType.AdvExtInd) return undefined;
    if (view.mode !== AdvMode.Connectable || view.advAAt < 0) return undefined;
    if (view.targetAAt >= 0 && !this.#isForUs(pdu, view.targetAAt)) return undefined;
    const peer = this.#wanted(pdu, view.advAAt);
    if (!peer) return undefined;
    this.#isSending = true;
    const delayUs = auxWindowDelayUs(phy);
    const { ind, data, origin } = this.#request(pdu, view.advAAt, peer, phy, delayUs, true);
    return { pdu: ind, connect: (endUs, isAnswered = true) => this.#connect(data, endUs, origin, delayUs, isAnswered) };
  }

  #isForUs(pdu: Uint8Array, at: number): boolean {
    return isAddress(pdu, at, rxAddressType(pdu), this.#own) || (rxAddressType(pdu) === 1 && this.#context.resolving.isLocalRpa(pdu, at));
  }

  /** The advertiser, if it is the one to connect to. */
  #wanted(pdu: Uint8Array, at: number): Peer | undefined {
    const type = txAddressType(pdu);
    const peer = this.#context.resolving.identify(type, pdu, at);
    if (!peer) return undefined;
    const { initiatorFilterPolicy, peerAddressType, peerAddress } = this.#parameters;
    const identity = identityOf(peer);
    if (initiatorFilterPolicy === 0) {
      const named: AirAddress = { type: (peerAddressType & 1) as 0 | 1, bytes: peerAddress };
      return isAddress(peer.bytes, 0, identity.type, named) || isAddress(pdu, at, type, named) ? peer : undefined;
    }
    if (!this.#context.filterAcceptList.has(identity.type, peer.bytes)) return undefined;
    return this.#context.isConnectedTo(identity.type, peer.bytes) ? undefined : peer;
  }

  /** CONNECT_IND or AUX_CONNECT_REQ: the same but for where they are sent. */
  #request(
    pdu: Uint8Array,
    at: number,
    peer: Peer,
    phy: Phy,
    delayUs: number,
    usesAlgorithm2: boolean,
  ): { ind: Uint8Array; data: ConnectData; origin: LinkOrigin } {
    const own = this.#context.ownAddress(this.#parameters.ownAddressType, identityOf(peer));
    const advertiser: AirAddress = { type: txAddressType(pdu), bytes: pdu.slice(at, at + 6) };
    const data = this.#connectData(phy, delayUs);
    const ind = advertisingPdu(AdvPduType.ConnectInd, own, advertiser, encodeConnectData(data));
    return { ind, data, origin: { peer, localRpa: own.isMade ? own.bytes : undefined, phy, usesAlgorithm2 } };
  }

  #connectData(phy: Phy, delayUs: number): ConnectData {
    // A secondary PHY that the host gave nothing for takes what it gave first.
    const parameters = this.#phys.get(phy === Phy.Le1M ? LE_1M : phy === Phy.Le2M ? LE_2M : LE_CODED) ?? [...this.#phys.values()][0]!;
    return createConnectData(
      this.#context,
      parameters,
      this.#context.scheduler.nowUs + T_IFS_US + airTimeUs(phy, CONNECT_IND_OCTETS) + delayUs,
    );
  }

  #connect(data: ConnectData, endUs: number, origin: LinkOrigin, delayUs: number, isAnswered = true): Link {
    if (isAnswered) {
      this.#stop();
      if (!this.#isAbandoned) this.#onDone();
    }
    const { peer } = origin;
    const anchorUs = connectIndEndUs(endUs, delayUs);
    return this.#context.openAsCentral(new Address(peer.bytes, peer.type & 1), data, anchorUs, this.#isAbandoned || !isAnswered, origin);
  }
}

/** Behind AUX_CONNECT_REQ on this PHY: transmitWindowDelay, Vol 6 Part B 4.5.3. */
export function auxWindowDelayUs(phy: Phy): number {
  return phy > 2 ? CODED_WINDOW_DELAY_US : AUX_WINDOW_DELAY_US;
}

/** LLData of a new link, in the ranges that the host leaves. @param earliestUs its first anchor at the earliest */
export function createConnectData(context: LinkLayerContext, parameters: ConnectionRange, earliestUs: number): ConnectData {
  const { random, radio } = context;
  const { connectionIntervalMin: intervalMin, connectionIntervalMax: intervalMax } = parameters;
  const { maxLatency: latency, supervisionTimeout: timeout } = parameters;
  const interval = drawnInterval(random, { intervalMin, intervalMax });
  return {
    accessAddress: createAccessAddress(() => random.uint32()),
    crcInit: random.uint32() & 0xffffff,
    winSize: 1,
    winOffset: radio.bestSlot(earliestUs, interval * 1250, Math.min(interval, 64)),
    interval,
    latency,
    timeout,
    channelMap: context.channelMap,
    hop: 5 + (random.uint32() % 12),
    sca: encodeSleepClockAccuracy(radio.sleepClockAccuracyPpm),
  };
}

/** Listens on one primary PHY; by LE Create Connection for legacy PDUs alone. */
function phyInitiator(initiating: Initiating, phy: Phy, window: ListenWindow, knowsExtended: boolean): Listener {
  return {
    radio: initiating.radio,
    goesFirst: true,
    phy,
    window,
    onAdvertising: (pdu, rssiDbm, mayAnswer) => initiating.onAdvertising(pdu, rssiDbm, mayAnswer),
    onScanResponse: () => {}, // none is asked for
    ...(knowsExtended && { onExtended: (pdu: Uint8Array) => initiating.onExtended(pdu) }),
  };
}

function parametersByPhy(parameters: Parameters): [phy: number, parameters: PhyParameters][] {
  if (!("phys" in parameters))
    return [[LE_1M, { ...parameters, scanInterval: parameters.leScanInterval, scanWindow: parameters.leScanWindow }]];
  const bits = [LE_1M, LE_2M, LE_CODED].filter((bit) => parameters.initiatingPhys & bit);
  return bits.map((bit, i) => [bit, parameters.phys[i]!]);
}

/** Where a CONNECT_IND would have ended for the same anchor as a request with this delay. */
export function connectIndEndUs(endUs: number, delayUs: number): number {
  return endUs + delayUs - WINDOW_DELAY_US;
}

/** When the first connection event begins. */
export function firstAnchorUs({ winOffset }: ConnectData, endUs: number): number {
  return endUs + WINDOW_DELAY_US + winOffset * 1250;
}
