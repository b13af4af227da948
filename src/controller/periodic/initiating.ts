import { airTimeUs, type Link, type Phy } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { Address } from "../../core/index.ts";
import { HciErrorCode, type LeExtendedCreateConnection, LeFeature } from "../../hci/index.ts";
import { areConnectionParametersValid } from "../link/connection-parameters.ts";
import { hasFeature } from "../options.ts";
import {
  AdvPduType,
  type AirAddress,
  advertisingPdu,
  type ConnectData,
  checkOwnAddressType,
  encodeConnectData,
  isAddress,
  pduType,
  txAddressType,
} from "../roles/advertising-pdus.ts";
import { readExtendedPdu } from "../roles/extended-pdus.ts";
import { auxWindowDelayUs, connectIndEndUs, createConnectData } from "../roles/initiating.ts";
import type { LinkLayerContext, OwnAddress } from "../roles/link-layer-context.ts";
import type { Subevents } from "./subevents.ts";

type Parameters = Infer<typeof LeExtendedCreateConnection.parameters>;
const CONNECT_REQ_OCTETS = 34;

/** Where in a train the request is sent. */
export interface RequestPlace {
  readonly advertisingHandle: number;
  readonly subevent: number;
  readonly subevents: Subevents;
  readonly phy: Phy;
}

export interface PeriodicInitiatingSetup extends RequestPlace {
  readonly parameters: Parameters;
  readonly onDone: () => void;
}

/** Those of the PHY of the train, or the first (Vol 4 Part E 7.8.66). */
function parametersOf({ initiatingPhys, phys }: Parameters, phy: Phy): Parameters["phys"][number] | undefined {
  const bits = [1, 2, 4].filter((bit) => initiatingPhys & bit);
  const at = bits.indexOf(1 << (Math.min(3, phy) - 1));
  return phys[Math.max(0, at)];
}

/** Connecting from a train with responses: AUX_CONNECT_REQ in a subevent, once, to a device that follows (Vol 6 Part B 4.4.4.3). */
export class PeriodicInitiating {
  readonly #context: LinkLayerContext;
  readonly #setup: PeriodicInitiatingSetup;
  readonly #own: OwnAddress;
  readonly #onAir: AirAddress;
  #data: ConnectData | undefined;
  #isAbandoned = false;
  readonly usesFilterAcceptList = false;

  /** Why these parameters cannot be; 0 when they can. The filter policy and scan timing are ignored. */
  static check(context: LinkLayerContext, { subevent, subevents, phy }: RequestPlace, parameters: Parameters): number {
    const { peerAddressType: peerType, peerAddress, ownAddressType } = parameters;
    const range = parametersOf(parameters, phy);
    if (!range || peerType > 3 || subevent >= subevents.parameters.numSubevents) return HciErrorCode.InvalidHciCommandParameters;
    const {
      connectionIntervalMin: intervalMin,
      connectionIntervalMax: intervalMax,
      maxLatency: latency,
      supervisionTimeout: timeout,
    } = range;
    if (!areConnectionParametersValid({ intervalMin, intervalMax, latency, timeout }) || range.minCeLength > range.maxCeLength)
      return HciErrorCode.InvalidHciCommandParameters;
    const status = checkOwnAddressType(ownAddressType, context.features);
    if (status !== HciErrorCode.Success) return status;
    if (peerType > 1 && !hasFeature(context.features, LeFeature.LlPrivacy)) return HciErrorCode.UnsupportedFeatureOrParameterValue;
    const peer: AirAddress = { type: (peerType & 1) as 0 | 1, bytes: peerAddress };
    const available = context.checkOwnAddress(ownAddressType, peer);
    if (available !== HciErrorCode.Success) return available;
    if (context.isFull) return HciErrorCode.ConnectionLimitExceeded;
    return context.isConnectedTo(peer.type, peerAddress) ? HciErrorCode.ConnectionAlreadyExists : HciErrorCode.Success;
  }

  constructor(context: LinkLayerContext, setup: PeriodicInitiatingSetup) {
    this.#context = context;
    this.#setup = setup;
    const { ownAddressType, peerAddressType, peerAddress } = setup.parameters;
    const peer: AirAddress = { type: (peerAddressType & 1) as 0 | 1, bytes: peerAddress };
    this.#own = context.ownAddress(ownAddressType, peer);
    const made = peerAddressType > 1 ? context.resolving.targetRpa(peer.type, peer.bytes) : undefined;
    this.#onAir = made ? { type: 1, bytes: made } : peer;
    setup.subevents.request({ subevent: setup.subevent, pdu: () => this.#request(), onAnswer: (pdu, endUs) => this.#onAnswer(pdu, endUs) });
  }

  /** False when it is too late: AUX_CONNECT_REQ is on its way. */
  get canCancel(): boolean {
    return this.#setup.subevents.hasRequest;
  }
  cancel(): void {
    this.#setup.subevents.cancelRequest();
    this.#setup.onDone();
    this.#context.connectionFailed(HciErrorCode.UnknownConnectionIdentifier, "central", this.#setup.advertisingHandle);
  }
  /** Ends without a word. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#setup.subevents.cancelRequest();
    this.#setup.onDone();
  }

  #request(): Uint8Array {
    const { phy, parameters } = this.#setup;
    const earliestUs = this.#context.scheduler.nowUs + airTimeUs(phy, CONNECT_REQ_OCTETS) + auxWindowDelayUs(phy);
    this.#data = createConnectData(this.#context, parametersOf(parameters, phy)!, earliestUs);
    return advertisingPdu(AdvPduType.ConnectInd, this.#own, this.#onAir, encodeConnectData(this.#data));
  }

  #onAnswer(pdu: Uint8Array | undefined, requestEndUs: number): Link | undefined {
    const { phy, advertisingHandle, onDone } = this.#setup;
    const isAnswered = pdu !== undefined && this.#isFromPeer(pdu);
    if (!this.#isAbandoned) onDone();
    const data = this.#data;
    if (!isAnswered && !this.#isAbandoned)
      this.#context.connectionFailed(HciErrorCode.ConnectionFailedToBeEstablished, "central", advertisingHandle);
    if (!data || requestEndUs === 0) return undefined;
    const peer = this.#context.resolving.identify(this.#onAir.type, this.#onAir.bytes) ?? { ...this.#onAir, rpa: undefined };
    const localRpa = this.#own.isMade ? this.#own.bytes : undefined;
    const origin = { peer, localRpa, phy, usesAlgorithm2: true, advertisingHandle };
    const anchorUs = connectIndEndUs(requestEndUs, auxWindowDelayUs(phy));
    return this.#context.openAsCentral(new Address(peer.bytes, peer.type & 1), data, anchorUs, this.#isAbandoned || !isAnswered, origin);
  }

  #isFromPeer(pdu: Uint8Array): boolean {
    const view = pduType(pdu) === AdvPduType.AuxConnectRsp ? readExtendedPdu(pdu) : undefined;
    return view !== undefined && view.advAAt >= 0 && isAddress(pdu, view.advAAt, txAddressType(pdu), this.#onAir);
  }
}
