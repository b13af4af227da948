import {
  type Advertiser,
  AirEvent,
  airTimeUs,
  type ExtendedAdvertiser,
  type ExtendedEvent,
  type ExtendedPdu,
  type Link,
  Phy,
  type Radio,
} from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { Address } from "../../core/index.ts";
import {
  HciErrorCode,
  LeAdvertisingSetTerminated,
  LeFeature,
  LeScanRequestReceived,
  type LeSetExtendedAdvertisingParametersV2,
} from "../../hci/index.ts";
import { hasFeature, leastPowerDbm } from "../options.ts";
import type { PeriodicAdvertising } from "../periodic/advertising.ts";
import type { TransferredTrain } from "../periodic/transferred-train.ts";
import { AdvPduType, type AirAddress, advertisingPdu, chSel, setChSel } from "./advertising-pdus.ts";
import { acceptedConnectRequest, acceptedScanRequest } from "./connect-request.ts";
import { AdvMode, chainedPdus, extendedPdu, headerOctets, MAX_PAYLOAD } from "./extended-pdus.ts";
import type { LinkLayerContext, OwnAddress, OwnRandom } from "./link-layer-context.ts";

export type SetParameters = Infer<typeof LeSetExtendedAdvertisingParametersV2.parameters>;

/** Bits of Advertising_Event_Properties, Vol 4 Part E 7.8.53. */
export const Properties = Object.freeze({
  Connectable: 0x01,
  Scannable: 0x02,
  Directed: 0x04,
  HighDutyCycle: 0x08,
  Legacy: 0x10,
  Anonymous: 0x20,
  IncludeTxPower: 0x40,
});

/** Legacy PDUs by their properties. */
export const LEGACY_PDU_TYPES: Readonly<Record<number, number>> = {
  19: AdvPduType.AdvInd,
  21: AdvPduType.AdvDirectInd,
  29: AdvPduType.AdvDirectInd,
  18: AdvPduType.AdvScanInd,
  16: AdvPduType.AdvNonconnInd,
};
/** High duty cycle directed advertising, Vol 6 Part B 4.4.2.4.3. */
const HIGH_DUTY_INTERVAL_US = 3_750;
/** Highest interval of LE Set Extended Advertising Parameters that fits in a number of microseconds is no matter; units of 0.625 ms. */
const UNIT_US = 625;
export const MAX_LEGACY_DATA = 31;
/** Advertising_TX_Power: the controller chooses. */
export const NO_PREFERENCE = 0x7f;
const NOTHING = new Uint8Array(0);
/** SyncInfo as long as it is not known when its packet is sent, and what lies between that and the packet meant at least. */
const UNTIMED_SYNC_INFO = new Uint8Array(18);
const SYNC_GAP_US = 3_000;

/** An advertising set: what it advertises, how, and until when (Vol 6 Part B 4.4.2.10). */
export class AdvertisingSet implements Advertiser, ExtendedAdvertiser {
  readonly handle: number;
  readonly radio: Radio;
  readonly #context: LinkLayerContext;
  parameters: SetParameters;
  /** Its random address, LE Set Advertising Set Random Address. */
  #random: Uint8Array | undefined;
  data: Uint8Array = NOTHING;
  scanResponse: Uint8Array = NOTHING;
  /** Fragments so far of data whose last is yet to come. */
  pendingData: Uint8Array | undefined;
  pendingScanResponse: Uint8Array | undefined;
  /** Its periodic advertising, where the host has configured it. */
  periodic: PeriodicAdvertising | undefined;
  /** Advertising Data ID; another for other data. */
  #did: number;
  #running: Disposable | undefined;
  #events: number | undefined;
  #maxEvents = 0;
  readonly #duration = new AirEvent(() => this.#end(HciErrorCode.AdvertisingTimeout));
  #own: OwnAddress;
  #targetA: AirAddress | undefined;
  /** What the address of the current PDUs was made for: it is made anew when the resolving list changes its addresses. */
  #epoch = -1;
  #pdu: Uint8Array = NOTHING;
  #event: ExtendedEvent | undefined;

  constructor(context: LinkLayerContext, handle: number, parameters: SetParameters) {
    this.#context = context;
    this.handle = handle;
    this.radio = context.radio;
    this.parameters = parameters;
    this.#own = context.ownAddress(0);
    this.#did = context.random.uint32() & 0xfff;
  }

  get isEnabled(): boolean {
    return this.#running !== undefined;
  }
  has(property: number): boolean {
    return (this.parameters.advertisingEventProperties & property) !== 0;
  }
  get isLegacy(): boolean {
    return this.has(Properties.Legacy);
  }
  get usesFilterAcceptList(): boolean {
    return this.isEnabled && this.parameters.advertisingFilterPolicy !== 0;
  }
  get random(): OwnRandom {
    return { address: this.#random };
  }
  setRandomAddress(address: Uint8Array): void {
    this.#random = address;
    this.#changed();
  }

  /** The PDUs are made anew for the next event. */
  #changed(): void {
    this.#epoch = -1;
  }
  /** Its periodic advertising was switched on or off. */
  trainChanged(): void {
    if (this.isEnabled) this.periodic?.begin();
    this.#changed();
  }
  /** Which data its resolvable private address changes with, LE Set Data Related Address Changes. */
  addressChanges = 0;
  /** @param kind 1 advertising data, 2 scan response data */
  dataChanged(kind: 1 | 2): void {
    this.renewDid();
    const { ownAddressType, peerAddressType, peerAddress } = this.parameters;
    if (this.addressChanges & kind && this.isEnabled && ownAddressType >= 2) this.#context.resolving.renew(peerAddressType, peerAddress);
  }
  /** Other data has another DID. */
  renewDid(): void {
    this.#did = (this.#did + 1 + (this.#context.random.uint32() % 0xfff)) & 0xfff;
    this.#changed();
  }
  parametersChanged(parameters: SetParameters): void {
    this.parameters = parameters;
    this.#changed();
  }

  /** The peer of Peer_Address: whom directed advertising is for, and whose local IRK makes the own address. */
  get #peer(): AirAddress {
    return { type: (this.parameters.peerAddressType & 1) as 0 | 1, bytes: this.parameters.peerAddress };
  }
  /** Why it cannot be enabled; 0 when it can. */
  checkEnable(): number {
    const { ownAddressType } = this.parameters;
    if (this.pendingData || this.pendingScanResponse) return HciErrorCode.CommandDisallowed;
    if (!this.isLegacy && this.has(Properties.Scannable) && this.scanResponse.length === 0) return HciErrorCode.CommandDisallowed;
    const status = this.#context.checkOwnAddress(ownAddressType, this.#peer, this.random);
    if (status !== HciErrorCode.Success) return status;
    if (this.has(Properties.Connectable) && this.#context.isFull) return HciErrorCode.ConnectionLimitExceeded;
    return this.#lengthUs(this.data, this.scanResponse) > this.parameters.primaryAdvertisingIntervalMax * UNIT_US && !this.isLegacy
      ? HciErrorCode.PacketTooLong
      : HciErrorCode.Success;
  }

  /** @param duration units of 10 ms, 0 for ever. @param maxEvents 0 for any number. Enabled anew it counts from the beginning. */
  enable(duration: number, maxEvents: number): void {
    const { scheduler, air } = this.#context;
    this.#maxEvents = maxEvents;
    this.#events = 0;
    this.periodic?.begin();
    scheduler.clear(this.#duration);
    if (duration > 0) scheduler.set(this.#duration, scheduler.nowUs + duration * 10_000);
    // Whether events are counted is known from the beginning.
    this.#running?.[Symbol.dispose]();
    this.onEventDone = maxEvents > 0 ? () => this.#countEvent() : undefined;
    this.#changed();
    this.#refresh();
    this.#running = this.isLegacy ? air.channels.advertise(this) : air.channels.advertiseExtended(this);
  }

  disable(): void {
    this.#running?.[Symbol.dispose]();
    this.#running = undefined;
    this.#context.scheduler.clear(this.#duration);
  }

  onEventDone: (() => void) | undefined;

  #countEvent(): void {
    this.#events = (this.#events ?? 0) + 1;
    if (this.#events >= this.#maxEvents) this.#end(HciErrorCode.LimitReached);
  }

  #end(status: number, connectionHandle = 0): void {
    this.disable();
    this.#context.host.event(LeAdvertisingSetTerminated, {
      status,
      advertisingHandle: this.handle,
      connectionHandle,
      numCompletedExtendedAdvertisingEvents: this.#maxEvents > 0 ? Math.min(255, this.#events ?? 0) : 0,
    });
  }

  // What the air asks.

  get intervalUs(): number {
    return this.hasRandomDelay ? this.parameters.primaryAdvertisingIntervalMin * UNIT_US : HIGH_DUTY_INTERVAL_US;
  }
  get channelMap(): number {
    return this.parameters.primaryAdvertisingChannelMap;
  }
  get hasRandomDelay(): boolean {
    return !this.has(Properties.HighDutyCycle);
  }
  /** dBm: what is asked for, as near as the radio has it. */
  get txPowerDbm(): number {
    const { advertisingTxPower: wanted } = this.parameters;
    const most = this.radio.txPowerDbm;
    return wanted === NO_PREFERENCE ? most : Math.min(most, Math.max(leastPowerDbm(this.radio), wanted));
  }
  get gainDb(): number {
    return this.txPowerDbm - this.radio.txPowerDbm;
  }
  get isAnswerable(): boolean {
    return this.has(Properties.Connectable | Properties.Scannable);
  }
  get primaryPhy(): Phy {
    return phyOf(this.parameters.primaryAdvertisingPhy, this.parameters.primaryAdvertisingPhyOptions);
  }
  get secondaryPhy(): Phy {
    return phyOf(this.parameters.secondaryAdvertisingPhy, this.parameters.secondaryAdvertisingPhyOptions);
  }
  get secondaryChannels(): Uint8Array {
    return this.#context.channelMap;
  }
  get isClockAccurate(): boolean {
    return this.radio.sleepClockAccuracyPpm <= 50;
  }
  get pdu(): Uint8Array {
    this.#refresh();
    return this.#pdu;
  }
  event(): ExtendedEvent {
    this.#refresh();
    return this.#event!;
  }

  #refresh(): void {
    const { epoch } = this.#context.resolving;
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    const { ownAddressType } = this.parameters;
    const peer = this.#peer;
    this.#own = this.#context.ownAddress(ownAddressType, peer, this.random);
    this.#targetA = undefined;
    if (this.has(Properties.Directed)) {
      const made = ownAddressType >= 2 ? this.#context.resolving.targetRpa(peer.type, peer.bytes) : undefined;
      this.#targetA = made ? { type: 1, bytes: made } : peer;
    }
    if (this.isLegacy) this.#buildLegacy();
    else this.#event = this.#buildEvent();
  }

  #buildLegacy(): void {
    const type = LEGACY_PDU_TYPES[this.parameters.advertisingEventProperties & 0x1f]!;
    const data = this.#targetA ? NOTHING : this.data;
    const knows = hasFeature(this.#context.features, LeFeature.ChannelSelectionAlgorithm2) && this.has(Properties.Connectable);
    this.#pdu = setChSel(advertisingPdu(type, this.#own, this.#targetA, data), knows);
  }

  get #mode(): number {
    if (this.has(Properties.Connectable)) return AdvMode.Connectable;
    return this.has(Properties.Scannable) ? AdvMode.Scannable : AdvMode.Neither;
  }
  get sid(): number {
    return this.parameters.advertisingSid;
  }
  get #adi() {
    return { sid: this.sid, did: this.#did };
  }
  /** The extended header of AUX_ADV_IND. */
  get #header() {
    return {
      mode: this.#mode,
      advA: this.has(Properties.Anonymous) ? undefined : this.#own,
      targetA: this.#targetA,
      adi: this.#adi,
      txPowerDbm: this.has(Properties.IncludeTxPower) ? this.txPowerDbm : undefined,
      syncInfo: this.periodic?.isRunning ? UNTIMED_SYNC_INFO : undefined,
      acad: this.periodic?.acad,
    };
  }
  /** Its train as it is told to a peer, while it runs. */
  get transferredTrain(): TransferredTrain | undefined {
    this.#refresh();
    return this.periodic?.transferred({ type: this.#own.type, bytes: this.#own.bytes });
  }
  syncInfo(startUs: number): Uint8Array {
    return this.periodic?.syncInfo(startUs, SYNC_GAP_US) ?? UNTIMED_SYNC_INFO;
  }

  #buildEvent(): ExtendedEvent {
    const primary = extendedPdu({ type: AdvPduType.AdvExtInd, mode: this.#mode, adi: this.#adi, hasAuxPtr: true });
    return { primary, auxiliary: chainedPdus(this.#header, this.has(Properties.Scannable) ? NOTHING : this.data) };
  }

  /** Most octets of advertising data that AUX_ADV_IND alone holds, as it has to where it can be answered. */
  static roomWithoutChain({ advertisingEventProperties: properties }: SetParameters): number {
    const address: AirAddress = { type: 0, bytes: new Uint8Array(6) };
    const fields = {
      advA: address,
      targetA: properties & Properties.Directed ? address : undefined,
      adi: { sid: 0, did: 0 },
      txPowerDbm: properties & Properties.IncludeTxPower ? 0 : undefined,
    };
    return MAX_PAYLOAD - headerOctets(fields);
  }

  /** How long an event with this data lasts, its answers apart. */
  #lengthUs(data: Uint8Array, scanResponse: Uint8Array): number {
    const carried = this.has(Properties.Scannable) ? scanResponse : data;
    let lengthUs = 3 * (airTimeUs(this.primaryPhy, 7) + 150);
    for (const { pdu } of chainedPdus({ mode: 0, advA: this.#own, adi: this.#adi }, carried))
      lengthUs += airTimeUs(this.secondaryPhy, pdu.length - 2) + 300;
    return lengthUs;
  }
  /** Whether data fits in the interval (Packet Too Long otherwise). */
  fits(data: Uint8Array, scanResponse: Uint8Array): boolean {
    return this.isLegacy || this.#lengthUs(data, scanResponse) <= this.parameters.primaryAdvertisingIntervalMax * UNIT_US;
  }

  get #audience() {
    return {
      own: this.#own,
      target: this.has(Properties.Directed) ? this.#peer : undefined,
      filterPolicy: this.parameters.advertisingFilterPolicy,
    };
  }

  #onScanRequest(pdu: Uint8Array): boolean {
    if (!this.has(Properties.Scannable)) return false;
    const peer = acceptedScanRequest(this.#context, pdu, this.#audience);
    if (!peer) return false;
    if (this.parameters.scanRequestNotificationEnable)
      this.#context.host.event(LeScanRequestReceived, {
        advertisingHandle: this.handle,
        scannerAddressType: peer.type,
        scannerAddress: peer.bytes,
      });
    return true;
  }

  onScanRequest(pdu: Uint8Array): Uint8Array | undefined {
    return this.#onScanRequest(pdu) ? advertisingPdu(AdvPduType.ScanRsp, this.#own, undefined, this.scanResponse) : undefined;
  }

  onAuxScanReq(pdu: Uint8Array): readonly ExtendedPdu[] | undefined {
    if (!this.#onScanRequest(pdu)) return undefined;
    return chainedPdus({ mode: AdvMode.Neither, advA: this.#own, adi: this.#adi }, this.scanResponse);
  }

  onConnectInd(pdu: Uint8Array, link: Link): void {
    const taken = this.has(Properties.Connectable) ? acceptedConnectRequest(this.#context, pdu, this.#audience) : undefined;
    if (!taken) return;
    const usesAlgorithm2 = chSel(pdu) && hasFeature(this.#context.features, LeFeature.ChannelSelectionAlgorithm2);
    this.#join(link, taken, Phy.Le1M, usesAlgorithm2);
  }

  onAuxConnectReq(pdu: Uint8Array): { pdu: Uint8Array; join: (link: Link) => void } | undefined {
    const taken = this.has(Properties.Connectable) ? acceptedConnectRequest(this.#context, pdu, this.#audience) : undefined;
    if (!taken) return undefined;
    const { secondaryPhy } = this;
    const initiator: AirAddress = { type: pdu[0]! & 0x40 ? 1 : 0, bytes: pdu.slice(2, 8) };
    const response = extendedPdu({ type: AdvPduType.AuxConnectRsp, mode: AdvMode.Neither, advA: this.#own, targetA: initiator });
    return { pdu: response.pdu, join: (link) => this.#join(link, taken, secondaryPhy, true) };
  }

  #join(link: Link, { peer, data }: NonNullable<ReturnType<typeof acceptedConnectRequest>>, phy: Phy, usesAlgorithm2: boolean): void {
    const localRpa = this.#own.isMade ? this.#own.bytes : undefined;
    const origin = { peer, localRpa, phy, usesAlgorithm2 };
    this.disable();
    const handle = this.#context.joinAsPeripheral(link, new Address(peer.bytes, peer.type & 1), data, origin);
    this.#end(HciErrorCode.Success, handle);
  }
}

/** @param options 1 and 3 are for S=2, anything else for S=8 (Vol 4 Part E 7.8.53) */
function phyOf(phy: number, options: number): Phy {
  if (phy === 1) return Phy.Le1M;
  if (phy === 2) return Phy.Le2M;
  return options === 1 || options === 3 ? Phy.LeCodedS2 : Phy.LeCodedS8;
}
