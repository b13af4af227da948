import { type Answer, airTimeUs, type Link, type Listener, ListenWindow, Phy, type Radio, T_IFS_US } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { Address } from "../../core/index.ts";
import { HciErrorCode, type LeCreateConnection } from "../../hci/index.ts";
import { createAccessAddress } from "../link/access-address.ts";
import { areConnectionParametersValid, drawnInterval } from "../link/connection-parameters.ts";
import {
  AdvPduType,
  type AirAddress,
  advertisingPdu,
  type ConnectData,
  checkOwnAddressType,
  encodeConnectData,
  encodeSleepClockAccuracy,
  isAddress,
  pduType,
  rxAddressType,
  txAddressType,
} from "./advertising-pdus.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";
import { isScanTiming } from "./scanning.ts";

type Parameters = Infer<typeof LeCreateConnection.parameters>;

/** transmitWindowDelay for LE 1M, Vol 6 Part B 4.5.3. */
const WINDOW_DELAY_US = 1250;
const CONNECT_IND_OCTETS = 34;

/** Creating a connection as the central: listens for its peer and sends CONNECT_IND. */
export class Initiating implements Listener {
  readonly radio: Radio;
  readonly goesFirst = true;
  readonly phy = Phy.Le1M;
  readonly #context: LinkLayerContext;
  readonly #parameters: Parameters;
  readonly #own: AirAddress;
  readonly window: ListenWindow;
  readonly #listening: Disposable;
  readonly #onDone: () => void;
  #isSending = false;
  #isAbandoned = false;

  /** Why these parameters cannot be; 0 when they can. */
  static check(context: LinkLayerContext, parameters: Parameters): number {
    const { connectionIntervalMin, connectionIntervalMax, maxLatency, supervisionTimeout, minCeLength, maxCeLength } = parameters;
    const range = {
      intervalMin: connectionIntervalMin,
      intervalMax: connectionIntervalMax,
      latency: maxLatency,
      timeout: supervisionTimeout,
    };
    if (!isScanTiming(parameters.leScanInterval, parameters.leScanWindow)) return HciErrorCode.InvalidHciCommandParameters;
    if (!areConnectionParametersValid(range) || minCeLength > maxCeLength) return HciErrorCode.InvalidHciCommandParameters;
    if (parameters.initiatorFilterPolicy > 1) return HciErrorCode.InvalidHciCommandParameters;
    // With the Filter Accept List the peer's fields are ignored (Vol 4 Part E 7.8.12).
    const isPeerNamed = parameters.initiatorFilterPolicy === 0;
    if (isPeerNamed && parameters.peerAddressType > 3) return HciErrorCode.InvalidHciCommandParameters;
    const status = checkOwnAddressType(parameters.ownAddressType);
    if (status !== HciErrorCode.Success) return status;
    // Identity addresses belong to a resolving list, which this controller does not have.
    if (isPeerNamed && parameters.peerAddressType > 1) return HciErrorCode.UnsupportedFeatureOrParameterValue;
    const available = context.checkOwnAddress(parameters.ownAddressType);
    if (available !== HciErrorCode.Success) return available;
    if (context.isFull) return HciErrorCode.ConnectionLimitExceeded;
    if (isPeerNamed && context.isConnectedTo(parameters.peerAddressType, parameters.peerAddress))
      return HciErrorCode.ConnectionAlreadyExists;
    return HciErrorCode.Success;
  }

  constructor(context: LinkLayerContext, parameters: Parameters, onDone: () => void) {
    this.#context = context;
    this.radio = context.radio;
    this.#parameters = parameters;
    this.#onDone = onDone;
    this.#own = context.ownAddress(parameters.ownAddressType);
    this.window = new ListenWindow(context.scheduler.nowUs, parameters.leScanInterval * 625, parameters.leScanWindow * 625);
    this.#listening = context.air.channels.listen(this);
  }

  /** False when it is too late: CONNECT_IND is on its way, and the connection complete event will say so. */
  get canCancel(): boolean {
    return !this.#isSending;
  }
  get usesFilterAcceptList(): boolean {
    return this.#parameters.initiatorFilterPolicy === 1;
  }

  cancel(): void {
    this.#listening[Symbol.dispose]();
    this.#onDone();
    this.#context.connectionFailed(HciErrorCode.UnknownConnectionIdentifier, "central");
  }

  /** Ends without a word. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#listening[Symbol.dispose]();
    this.#onDone();
  }

  onAdvertising(pdu: Uint8Array, _rssiDbm: number, mayAnswer: boolean): Answer | undefined {
    if (!mayAnswer || this.#isSending || !this.#isWanted(pdu)) return undefined;
    this.#isSending = true;
    const peer = new Address(pdu.subarray(2, 8), txAddressType(pdu));
    const data = this.#connectData();
    const ind = advertisingPdu(AdvPduType.ConnectInd, this.#own, peer, encodeConnectData(data));
    return { pdu: ind, connect: (endUs) => this.#connect(peer, data, endUs) };
  }

  onScanResponse(): void {} // none is asked for

  #isWanted(pdu: Uint8Array): boolean {
    const type = pduType(pdu);
    if (pdu.length < 8 || (type !== AdvPduType.AdvInd && type !== AdvPduType.AdvDirectInd)) return false;
    if (type === AdvPduType.AdvDirectInd && !isAddress(pdu, 8, rxAddressType(pdu), this.#own)) return false;
    const { initiatorFilterPolicy, peerAddressType, peerAddress } = this.#parameters;
    if (initiatorFilterPolicy === 0) return isAddress(pdu, 2, txAddressType(pdu), { type: peerAddressType as 0 | 1, bytes: peerAddress });
    return (
      this.#context.filterAcceptList.has(txAddressType(pdu), pdu, 2) && !this.#context.isConnectedTo(txAddressType(pdu), pdu.subarray(2, 8))
    );
  }

  #connectData(): ConnectData {
    const { random, scheduler } = this.#context;
    const { connectionIntervalMin: intervalMin, connectionIntervalMax: intervalMax } = this.#parameters;
    const { maxLatency: latency, supervisionTimeout: timeout } = this.#parameters;
    const interval = drawnInterval(random, { intervalMin, intervalMax });
    const earliestUs = scheduler.nowUs + T_IFS_US + airTimeUs(Phy.Le1M, CONNECT_IND_OCTETS) + WINDOW_DELAY_US;
    return {
      accessAddress: createAccessAddress(() => random.uint32()),
      crcInit: random.uint32() & 0xffffff,
      winSize: 1,
      winOffset: this.radio.bestSlot(earliestUs, interval * 1250, Math.min(interval, 64)),
      interval,
      latency,
      timeout,
      channelMap: this.#context.channelMap,
      hop: 5 + (random.uint32() % 12),
      sca: encodeSleepClockAccuracy(this.radio.sleepClockAccuracyPpm),
    };
  }

  #connect(peer: Address, data: ConnectData, endUs: number): Link {
    this.#listening[Symbol.dispose]();
    if (!this.#isAbandoned) this.#onDone();
    return this.#context.openAsCentral(peer, data, endUs, this.#isAbandoned);
  }
}

/** When the first connection event begins. */
export function firstAnchorUs({ winOffset }: ConnectData, endUs: number): number {
  return endUs + WINDOW_DELAY_US + winOffset * 1250;
}
