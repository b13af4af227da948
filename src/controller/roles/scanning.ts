import { type Answer, type Listener, ListenWindow, Phy, type Radio } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { HciErrorCode, LeAdvertisingReport, type LeSetScanParameters, PacketType } from "../../hci/index.ts";
import { copyOctets } from "../link/acl-queue.ts";
import {
  AdvPduType,
  type AirAddress,
  advertisingPdu,
  checkOwnAddressType,
  isAddress,
  pduType,
  rxAddressType,
  txAddressType,
} from "./advertising-pdus.ts";
import { addressKey } from "./filter-accept-list.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";

type Parameters = Infer<typeof LeSetScanParameters.parameters>;

/** Event_Type of an advertising report by PDU type. */
const EVENT_TYPES: Readonly<Record<number, number>> = {
  [AdvPduType.AdvInd]: 0,
  [AdvPduType.AdvDirectInd]: 1,
  [AdvPduType.AdvScanInd]: 2,
  [AdvPduType.AdvNonconnInd]: 3,
  [AdvPduType.ScanRsp]: 4,
};

/** Devices a duplicate filter remembers; the oldest are forgotten, and then reported once more. */
const DUPLICATES_CAPACITY = 1024;
const LARGEST_BACKOFF = 256;
const NOTHING = new Uint8Array(0);

/** Legacy scanning of one controller. */
export class Scanning implements Listener {
  readonly radio: Radio;
  readonly goesFirst = false;
  readonly phy = Phy.Le1M;
  readonly #context: LinkLayerContext;
  #parameters: Parameters = defaults();
  #filterDuplicates = false;
  #running: Disposable | undefined;
  #own: AirAddress;
  window = new ListenWindow(0, 1, 1);
  readonly #seen = new Set<string>();

  // Backoff of scan requests, Vol 6 Part B 4.4.3.2.
  #upperLimit = 1;
  #backoffCount = 1;
  #successes = 0;
  #failures = 0;
  #requested = "";

  constructor(context: LinkLayerContext) {
    this.#context = context;
    this.radio = context.radio;
    this.#own = context.ownAddress(0);
  }

  get isEnabled(): boolean {
    return this.#running !== undefined;
  }

  get usesFilterAcceptList(): boolean {
    return this.isEnabled && (this.#parameters.scanningFilterPolicy & 1) === 1;
  }

  reset(): void {
    this.disable();
    this.#parameters = defaults();
  }

  setParameters(parameters: Parameters): number {
    if (this.isEnabled) return HciErrorCode.CommandDisallowed;
    const { leScanType: type, leScanInterval: interval, leScanWindow: window, scanningFilterPolicy: policy } = parameters;
    if (type > 1 || policy > 3) return HciErrorCode.InvalidHciCommandParameters;
    if (!isScanTiming(interval, window)) return HciErrorCode.InvalidHciCommandParameters;
    // Policies 2 and 3 are Extended Scanner Filter Policies, a feature this controller lacks.
    if (policy > 1) return HciErrorCode.UnsupportedFeatureOrParameterValue;
    const status = checkOwnAddressType(parameters.ownAddressType);
    if (status === HciErrorCode.Success) this.#parameters = parameters;
    return status;
  }

  enable(filterDuplicates: boolean): number {
    const { ownAddressType } = this.#parameters;
    const status = this.#context.checkOwnAddress(ownAddressType); // passive scanning too (Vol 4 Part E 7.8.11)
    if (status !== HciErrorCode.Success) return status;
    // Enabling anew changes the filter and forgets what it saw (Vol 4 Part E 7.8.11).
    this.#filterDuplicates = filterDuplicates;
    this.#seen.clear();
    if (this.isEnabled) return HciErrorCode.Success;
    this.#own = this.#context.ownAddress(ownAddressType);
    const { leScanInterval: interval, leScanWindow: window } = this.#parameters;
    this.window = new ListenWindow(this.#context.scheduler.nowUs, interval * 625, window * 625);
    this.#upperLimit = 1;
    this.#backoffCount = 1;
    this.#successes = 0;
    this.#failures = 0;
    this.#running = this.#context.air.channels.listen(this);
    return HciErrorCode.Success;
  }

  disable(): number {
    this.#running?.[Symbol.dispose]();
    this.#running = undefined;
    this.#seen.clear();
    return HciErrorCode.Success;
  }

  onAdvertising(pdu: Uint8Array, rssiDbm: number, mayAnswer: boolean): Answer | undefined {
    const type = pduType(pdu);
    const eventType = EVENT_TYPES[type];
    if (eventType === undefined || pdu.length < 8 || pdu.length > 39) return undefined;
    if (this.#parameters.scanningFilterPolicy & 1 && !this.#context.filterAcceptList.has(txAddressType(pdu), pdu, 2)) return undefined;
    // Directed advertising is for its target alone (Vol 6 Part B 4.3.3).
    if (type === AdvPduType.AdvDirectInd && !isAddress(pdu, 8, rxAddressType(pdu), this.#own)) return undefined;
    const isScannable = type === AdvPduType.AdvInd || type === AdvPduType.AdvScanInd;
    this.#report(eventType, pdu, type === AdvPduType.AdvDirectInd ? 0 : pdu.length - 8, rssiDbm);
    return mayAnswer && isScannable && this.#parameters.leScanType === 1 ? this.#scanRequest(pdu) : undefined;
  }

  onScanResponse(pdu: Uint8Array | undefined, rssiDbm: number): void {
    const isAnswer = pdu !== undefined && pduType(pdu) === AdvPduType.ScanRsp && pdu.length >= 8 && pdu.length <= 39;
    if (!isAnswer || addressKey(txAddressType(pdu), pdu, 2) !== this.#requested) {
      this.#successes = 0;
      if (++this.#failures % 2 === 0) this.#upperLimit = Math.min(LARGEST_BACKOFF, this.#upperLimit * 2);
    } else {
      this.#failures = 0;
      if (++this.#successes % 2 === 0) this.#upperLimit = Math.max(1, this.#upperLimit >> 1);
      this.#report(EVENT_TYPES[AdvPduType.ScanRsp]!, pdu, pdu.length - 8, rssiDbm);
    }
    this.#backoffCount = 1 + (this.#context.random.uint32() % this.#upperLimit);
  }

  #scanRequest(pdu: Uint8Array): Answer | undefined {
    const key = addressKey(txAddressType(pdu), pdu, 2);
    if (this.#filterDuplicates && this.#seen.has(`4${key}`)) return undefined; // its answer would be filtered out
    if (--this.#backoffCount > 0) return undefined;
    this.#requested = key;
    const advertiser = { type: txAddressType(pdu), bytes: pdu.subarray(2, 8) };
    return { pdu: advertisingPdu(AdvPduType.ScanReq, this.#own, advertiser, NOTHING) };
  }

  /** @param dataLength octets of `pdu` behind AdvA that the report shows */
  #report(eventType: number, pdu: Uint8Array, dataLength: number, rssiDbm: number): void {
    const { host } = this.#context;
    // A host that does not keep up loses reports, which it may lose on air as well. What it did not get is no duplicate next time.
    if (!host.wants(LeAdvertisingReport) || !host.acceptsEvent) return;
    if (this.#filterDuplicates) {
      const key = eventType + addressKey(txAddressType(pdu), pdu, 2);
      if (this.#seen.has(key)) return;
      if (this.#seen.size >= DUPLICATES_CAPACITY) this.#seen.delete(this.#seen.values().next().value!);
      this.#seen.add(key);
    }
    const packet = new Uint8Array(15 + dataLength);
    packet[0] = PacketType.Event;
    packet[1] = LeAdvertisingReport.eventCode;
    packet[2] = 12 + dataLength;
    packet[3] = LeAdvertisingReport.subeventCode!;
    packet[4] = 1; // one report
    packet[5] = eventType;
    packet[6] = txAddressType(pdu);
    copyOctets(pdu, 2, 6, packet, 7);
    packet[13] = dataLength;
    copyOctets(pdu, 8, dataLength, packet, 14);
    packet[14 + dataLength] = Math.max(-127, Math.min(20, Math.round(rssiDbm)));
    host.send(packet);
  }
}

/** Ranges of scan interval and window in units of 0.625 ms, Vol 4 Part E 7.8.10. */
export function isScanTiming(interval: number, window: number): boolean {
  return interval >= 0x0004 && interval <= 0x4000 && window >= 0x0004 && window <= interval;
}

function defaults(): Parameters {
  return { leScanType: 0, leScanInterval: 0x0010, leScanWindow: 0x0010, ownAddressType: 0, scanningFilterPolicy: 0 };
}
