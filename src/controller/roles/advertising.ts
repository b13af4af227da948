import { type Advertiser, AirEvent, type Link, Phy, type Radio } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { Address } from "../../core/index.ts";
import { HciErrorCode, LeFeature, type LeSetAdvertisingParameters } from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import { AdvPduType, type AirAddress, advertisingPdu, checkOwnAddressType, chSel, setChSel } from "./advertising-pdus.ts";
import { acceptedConnectRequest, acceptedScanRequest } from "./connect-request.ts";
import type { LinkLayerContext, OwnAddress } from "./link-layer-context.ts";

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
  #own: OwnAddress;
  #target: AirAddress | undefined;
  /** What the addresses of the PDU were made for: they are made anew when the resolving list changes its own. */
  #epoch = 0;
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
    const status = checkOwnAddressType(parameters.ownAddressType, this.#context.features);
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
    const { ownAddressType, peerAddress } = this.#parameters;
    const status = this.#context.checkOwnAddress(ownAddressType, peerAddress);
    if (status !== HciErrorCode.Success) return status;
    if (this.#isConnectable && this.#context.isFull) return HciErrorCode.ConnectionLimitExceeded;
    this.#address();
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
    if (this.#parameters.ownAddressType >= 2 && this.#epoch !== this.#context.resolving.epoch) this.#address();
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
    const { advertisingType: type } = this.#parameters;
    if (type !== Type.AdvInd && type !== Type.AdvScanInd) return undefined;
    if (!acceptedScanRequest(this.#context, pdu, this.#audience)) return undefined;
    return advertisingPdu(AdvPduType.ScanRsp, this.#own, undefined, this.#scanResponse);
  }

  onConnectInd(pdu: Uint8Array, link: Link): void {
    const taken = this.#isConnectable ? acceptedConnectRequest(this.#context, pdu, this.#audience) : undefined;
    if (!taken) return;
    this.#stop();
    const { peer, data } = taken;
    this.#context.joinAsPeripheral(link, new Address(peer.bytes, peer.type & 1), data, {
      peer,
      localRpa: this.#own.isMade ? this.#own.bytes : undefined,
      phy: Phy.Le1M,
      usesAlgorithm2: this.#knowsAlgorithm2 && chSel(pdu),
    });
  }

  get #knowsAlgorithm2(): boolean {
    return hasFeature(this.#context.features, LeFeature.ChannelSelectionAlgorithm2);
  }

  get #audience() {
    const { peerAddress, advertisingFilterPolicy: filterPolicy } = this.#parameters;
    return { own: this.#own, target: this.#isDirected ? peerAddress : undefined, filterPolicy };
  }

  get #isConnectable(): boolean {
    const { advertisingType: type } = this.#parameters;
    return type === Type.AdvInd || type === Type.DirectHighDuty || type === Type.DirectLowDuty;
  }

  get #isDirected(): boolean {
    const { advertisingType: type } = this.#parameters;
    return type === Type.DirectHighDuty || type === Type.DirectLowDuty;
  }

  /** The own address and the target's, as they are on air now. */
  #address(): void {
    const { ownAddressType, peerAddress: peer } = this.#parameters;
    const { resolving } = this.#context;
    this.#epoch = resolving.epoch;
    this.#own = this.#context.ownAddress(ownAddressType, peer);
    const made = this.#isDirected && ownAddressType >= 2 ? resolving.targetRpa(peer.type, peer.bytes) : undefined;
    this.#target = made ? { type: 1, bytes: made } : peer;
    this.#build();
  }

  #build(): void {
    const type = PDU_TYPES[this.#parameters.advertisingType]!;
    const target = this.#isDirected ? this.#target : undefined;
    this.#pdu = setChSel(
      advertisingPdu(type, this.#own, target, target ? NOTHING : this.#data),
      this.#knowsAlgorithm2 && this.#isConnectable,
    );
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
