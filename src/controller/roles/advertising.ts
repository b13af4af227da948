import { type Advertiser, AirEvent, type Link, type Radio } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { Address } from "../../core/index.ts";
import { HciErrorCode, type LeSetAdvertisingParameters } from "../../hci/index.ts";
import {
  AdvPduType,
  type AirAddress,
  advertisingPdu,
  type ConnectData,
  checkOwnAddressType,
  decodeConnectData,
  isAddress,
  pduType,
  rxAddressType,
  txAddressType,
} from "./advertising-pdus.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";

type Parameters = Infer<typeof LeSetAdvertisingParameters.parameters>;

/** Advertising_Type of HCI. */
const Type = Object.freeze({ AdvInd: 0, DirectHighDuty: 1, AdvScanInd: 2, AdvNonconnInd: 3, DirectLowDuty: 4 });
const PDU_TYPES = [AdvPduType.AdvInd, AdvPduType.AdvDirectInd, AdvPduType.AdvScanInd, AdvPduType.AdvNonconnInd, AdvPduType.AdvDirectInd];

/** High duty cycle directed advertising, Vol 6 Part B 4.4.2.4.3: an event in 3.75 ms at the latest, 1.28 s in all. */
const HIGH_DUTY_INTERVAL_US = 3_750;
const HIGH_DUTY_US = 1_280_000;

const NOTHING = new Uint8Array(0);

/** Legacy advertising of one controller. */
export class Advertising implements Advertiser {
  readonly radio: Radio;
  readonly #context: LinkLayerContext;
  #parameters: Parameters;
  #data: Uint8Array = NOTHING;
  #scanResponse: Uint8Array = NOTHING;
  #running: Disposable | undefined;
  #pdu: Uint8Array = NOTHING;
  #own: AirAddress;
  readonly #timeout = new AirEvent(() => this.#onTimeout());

  constructor(context: LinkLayerContext) {
    this.#context = context;
    this.radio = context.radio;
    this.#own = context.ownAddress(0);
    this.#parameters = defaults();
  }

  get isEnabled(): boolean {
    return this.#running !== undefined;
  }

  get usesFilterAcceptList(): boolean {
    return this.isEnabled && this.#parameters.advertisingFilterPolicy !== 0;
  }

  reset(): void {
    this.#stop();
    this.#parameters = defaults();
    this.#data = NOTHING;
    this.#scanResponse = NOTHING;
  }

  setParameters(parameters: Parameters): number {
    if (this.isEnabled) return HciErrorCode.CommandDisallowed;
    const { advertisingType: type, advertisingIntervalMin: min, advertisingIntervalMax: max } = parameters;
    const intervalMatters = type !== Type.DirectHighDuty;
    if (type > Type.DirectLowDuty || parameters.advertisingFilterPolicy > 3) return HciErrorCode.InvalidHciCommandParameters;
    if (intervalMatters && (min < 0x0020 || max > 0x4000 || min > max)) return HciErrorCode.InvalidHciCommandParameters;
    const channels = parameters.advertisingChannelMap;
    if ((channels & 7) === 0 || channels > 7) return HciErrorCode.InvalidHciCommandParameters;
    const status = checkOwnAddressType(parameters.ownAddressType);
    if (status === HciErrorCode.Success) this.#parameters = parameters;
    return status;
  }

  setData(data: Uint8Array): number {
    this.#data = data;
    this.#build();
    return HciErrorCode.Success;
  }

  setScanResponse(data: Uint8Array): number {
    this.#scanResponse = data;
    return HciErrorCode.Success;
  }

  enable(): number {
    if (this.isEnabled) return HciErrorCode.Success;
    const status = this.#context.checkOwnAddress(this.#parameters.ownAddressType);
    if (status !== HciErrorCode.Success) return status;
    if (this.#isConnectable && this.#context.isFull) return HciErrorCode.ConnectionLimitExceeded;
    this.#own = this.#context.ownAddress(this.#parameters.ownAddressType);
    this.#build();
    this.#running = this.#context.air.channels.advertise(this);
    if (this.#parameters.advertisingType === Type.DirectHighDuty)
      this.#context.scheduler.set(this.#timeout, this.#context.scheduler.nowUs + HIGH_DUTY_US);
    return HciErrorCode.Success;
  }

  disable(): number {
    this.#stop();
    return HciErrorCode.Success;
  }

  get pdu(): Uint8Array {
    return this.#pdu;
  }
  get intervalUs(): number {
    return this.hasRandomDelay ? this.#parameters.advertisingIntervalMin * 625 : HIGH_DUTY_INTERVAL_US;
  }
  get channelMap(): number {
    return this.#parameters.advertisingChannelMap;
  }
  get hasRandomDelay(): boolean {
    return this.#parameters.advertisingType !== Type.DirectHighDuty;
  }
  get isAnswerable(): boolean {
    return this.#parameters.advertisingType !== Type.AdvNonconnInd;
  }

  onScanRequest(pdu: Uint8Array): Uint8Array | undefined {
    const { advertisingType: type, advertisingFilterPolicy: policy } = this.#parameters;
    if (pduType(pdu) !== AdvPduType.ScanReq || pdu.length !== 14) return undefined;
    if (type !== Type.AdvInd && type !== Type.AdvScanInd) return undefined;
    if (!isAddress(pdu, 8, rxAddressType(pdu), this.#own)) return undefined;
    if (policy & 1 && !this.#context.filterAcceptList.has(txAddressType(pdu), pdu, 2)) return undefined;
    return advertisingPdu(AdvPduType.ScanRsp, this.#own, undefined, this.#scanResponse);
  }

  onConnectInd(pdu: Uint8Array, link: Link): void {
    const data = this.#acceptedConnection(pdu);
    if (!data) return;
    this.#stop();
    const initiator = new Address(pdu.subarray(2, 8), txAddressType(pdu));
    this.#context.joinAsPeripheral(link, initiator, data);
  }

  get #isConnectable(): boolean {
    const { advertisingType: type } = this.#parameters;
    return type === Type.AdvInd || type === Type.DirectHighDuty || type === Type.DirectLowDuty;
  }

  get #target(): AirAddress | undefined {
    const { advertisingType: type, peerAddress } = this.#parameters;
    return type === Type.DirectHighDuty || type === Type.DirectLowDuty ? peerAddress : undefined;
  }

  #acceptedConnection(pdu: Uint8Array): ConnectData | undefined {
    if (pduType(pdu) !== AdvPduType.ConnectInd || !this.#isConnectable || this.#context.isFull) return undefined;
    const target = this.#target;
    if (!isAddress(pdu, 8, rxAddressType(pdu), this.#own)) return undefined;
    if (target && !isAddress(pdu, 2, txAddressType(pdu), target)) return undefined;
    const isFiltered = !target && this.#parameters.advertisingFilterPolicy & 2;
    if (isFiltered && !this.#context.filterAcceptList.has(txAddressType(pdu), pdu, 2)) return undefined;
    // Two addresses have one link at most: a peer that was reset has to wait until its old one has timed out.
    if (this.#context.isConnectedTo(txAddressType(pdu), pdu.subarray(2, 8))) return undefined;
    return decodeConnectData(pdu);
  }

  #build(): void {
    const type = PDU_TYPES[this.#parameters.advertisingType]!;
    const target = this.#target;
    this.#pdu = advertisingPdu(type, this.#own, target, target ? NOTHING : this.#data);
  }

  #stop(): void {
    this.#running?.[Symbol.dispose]();
    this.#running = undefined;
    this.#context.scheduler.clear(this.#timeout);
  }

  #onTimeout(): void {
    this.#stop();
    this.#context.connectionFailed(HciErrorCode.AdvertisingTimeout, "peripheral");
  }
}

function defaults(): Parameters {
  return {
    advertisingIntervalMin: 0x0800,
    advertisingIntervalMax: 0x0800,
    advertisingType: Type.AdvInd,
    ownAddressType: 0,
    peerAddress: new Address(new Uint8Array(6), 0),
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  };
}
