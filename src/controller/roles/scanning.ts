import { type Answer, type Listener, ListenWindow, Phy, type Radio } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import {
  HciErrorCode,
  LeAdvertisingReport,
  LeDirectedAdvertisingReport,
  LeFeature,
  type LeSetScanParameters,
  PacketType,
} from "../../hci/index.ts";
import { copyInto } from "../link/acl-queue.ts";
import { hasFeature } from "../options.ts";
import {
  AdvPduType,
  type AirAddress,
  advertisingPdu,
  checkOwnAddressType,
  pduType,
  rxAddressType,
  txAddressType,
} from "./advertising-pdus.ts";
import { addressKey } from "./filter-accept-list.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";
import type { Peer } from "./resolving-list.ts";
import { ScanBackoff } from "./scan-backoff.ts";
import { DuplicateFilter, heardPeer, heardTarget, UNRESOLVED } from "./scan-filter.ts";

type Parameters = Infer<typeof LeSetScanParameters.parameters>;

/** Event_Type of an advertising report by PDU type. */
const EVENT_TYPES: Readonly<Record<number, number>> = {
  [AdvPduType.AdvInd]: 0,
  [AdvPduType.AdvDirectInd]: 1,
  [AdvPduType.AdvScanInd]: 2,
  [AdvPduType.AdvNonconnInd]: 3,
  [AdvPduType.ScanRsp]: 4,
};

const NOTHING = new Uint8Array(0);

/** Scanning by the legacy commands of one controller: it hears legacy PDUs alone. */
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
  readonly #seen = new DuplicateFilter();
  readonly #backoff: ScanBackoff;
  /** Whom the scan request under way is for: as on air, and as reported. */
  #requested: { readonly key: string; readonly peer: Peer | undefined } | undefined;

  constructor(context: LinkLayerContext) {
    this.#context = context;
    this.radio = context.radio;
    this.#own = context.ownAddress(0);
    this.#backoff = new ScanBackoff(context.random);
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
    if (type > 1) return HciErrorCode.InvalidHciCommandParameters;
    if (!isScanTiming(interval, window)) return HciErrorCode.InvalidHciCommandParameters;
    const status =
      checkScanningFilterPolicy(policy, this.#context.features) || checkOwnAddressType(parameters.ownAddressType, this.#context.features);
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
    this.#backoff.reset();
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
    const { scanningFilterPolicy: policy, leScanType } = this.#parameters;
    let peer: Peer | undefined;
    if (!this.#context.resolving.isIdle) {
      peer = heardPeer(this.#context, policy, txAddressType(pdu), pdu, 2);
      if (!peer) return undefined;
    } else if (policy & 1 && !this.#context.filterAcceptList.has(txAddressType(pdu), pdu, 2)) return undefined;
    if (type === AdvPduType.AdvDirectInd) {
      this.#onDirected(pdu, rssiDbm, policy, peer);
      return undefined;
    }
    const isScannable = type === AdvPduType.AdvInd || type === AdvPduType.AdvScanInd;
    this.#report(eventType, pdu, pdu.length - 8, rssiDbm, peer);
    return mayAnswer && isScannable && leScanType === 1 ? this.#scanRequest(pdu, peer) : undefined;
  }

  /** Directed advertising is for its target alone (Vol 6 Part B 4.3.3). */
  #onDirected(pdu: Uint8Array, rssiDbm: number, policy: number, peer: Peer | undefined): void {
    if (pdu.length < 14) return;
    const target = heardTarget(this.#context, policy, this.#own, rxAddressType(pdu), pdu, 8);
    if (!target) return;
    if (target.type !== UNRESOLVED) {
      this.#report(EVENT_TYPES[AdvPduType.AdvDirectInd]!, pdu, 0, rssiDbm, peer);
      return;
    }
    const { host } = this.#context;
    if (!host.wants(LeDirectedAdvertisingReport) || !host.acceptsEvent) return;
    const key = `d${addressKey(txAddressType(pdu), pdu, 2)}`;
    if (this.#filterDuplicates && this.#seen.has(key)) return;
    this.#seen.add(key);
    const addressType = peer?.type ?? txAddressType(pdu);
    const address = peer?.bytes ?? pdu.slice(2, 8);
    // Only random addresses are told here: Direct_Address_Type is 0x01 (Vol 4 Part E 7.7.65.11).
    const report = { eventType: 1, addressType, address, directAddressType: 1, directAddress: target.bytes, rssi: hciRssi(rssiDbm) };
    host.event(LeDirectedAdvertisingReport, { reports: [report] });
  }

  onScanResponse(pdu: Uint8Array | undefined, rssiDbm: number): void {
    const isAnswer = pdu !== undefined && pduType(pdu) === AdvPduType.ScanRsp && pdu.length >= 8 && pdu.length <= 39;
    const isAnswered = isAnswer && addressKey(txAddressType(pdu), pdu, 2) === this.#requested?.key;
    if (isAnswered) this.#report(EVENT_TYPES[AdvPduType.ScanRsp]!, pdu, pdu.length - 8, rssiDbm, this.#requested!.peer);
    this.#backoff.onOutcome(isAnswered);
  }

  #scanRequest(pdu: Uint8Array, peer: Peer | undefined): Answer | undefined {
    const key = addressKey(txAddressType(pdu), pdu, 2);
    if (this.#filterDuplicates && this.#seen.has(`4${reportKey(pdu, peer)}`)) return undefined; // its answer would be filtered out
    if (!this.#backoff.mayAsk()) return undefined;
    this.#requested = { key, peer };
    const advertiser = { type: txAddressType(pdu), bytes: pdu.subarray(2, 8) };
    const { ownAddressType } = this.#parameters;
    const own = ownAddressType >= 2 && peer ? this.#context.ownAddress(ownAddressType, identityOf(peer)) : this.#own;
    return { pdu: advertisingPdu(AdvPduType.ScanReq, own, advertiser, NOTHING) };
  }

  /** @param dataLength octets of `pdu` behind AdvA that the report shows */
  #report(eventType: number, pdu: Uint8Array, dataLength: number, rssiDbm: number, peer: Peer | undefined): void {
    const { host } = this.#context;
    // A host that does not keep up loses reports, which it may lose on air as well. What it did not get is no duplicate next time.
    if (!host.wants(LeAdvertisingReport) || !host.acceptsEvent) return;
    if (this.#filterDuplicates) {
      const key = eventType + reportKey(pdu, peer);
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
    }
    const packet = new Uint8Array(15 + dataLength);
    packet[0] = PacketType.Event;
    packet[1] = LeAdvertisingReport.eventCode;
    packet[2] = 12 + dataLength;
    packet[3] = LeAdvertisingReport.subeventCode!;
    packet[4] = 1; // one report
    packet[5] = eventType;
    packet[6] = peer?.type ?? txAddressType(pdu);
    if (peer) packet.set(peer.bytes, 7);
    else copyInto(pdu, 2, 6, packet, 7);
    packet[13] = dataLength;
    copyInto(pdu, 8, dataLength, packet, 14);
    packet[14 + dataLength] = hciRssi(rssiDbm);
    host.send(packet);
  }
}

/** Who it is, to a duplicate filter: resolved addresses are one device. */
function reportKey(pdu: Uint8Array, peer: Peer | undefined): string {
  return peer ? addressKey(peer.type & 1, peer.bytes) : addressKey(txAddressType(pdu), pdu, 2);
}

export function identityOf({ type, bytes }: Peer): AirAddress {
  return { type: (type & 1) as 0 | 1, bytes };
}

/** RSSI of a report: -127 to 20 dBm. */
export function hciRssi(rssiDbm: number): number {
  return Math.max(-127, Math.min(20, Math.round(rssiDbm)));
}

/** Ranges of scan interval and window in units of 0.625 ms, Vol 4 Part E 7.8.10. */
export function isScanTiming(interval: number, window: number, longest = 0x4000): boolean {
  return interval >= 0x0004 && interval <= longest && window >= 0x0004 && window <= interval;
}

/** Policies 2 and 3 are Extended Scanner Filter Policies, a feature of its own. Gives a status. */
export function checkScanningFilterPolicy(policy: number, features: bigint): number {
  if (policy > 3) return HciErrorCode.InvalidHciCommandParameters;
  if (policy <= 1 || hasFeature(features, LeFeature.ExtendedScanningFilterPolicies)) return HciErrorCode.Success;
  return HciErrorCode.UnsupportedFeatureOrParameterValue;
}

function defaults(): Parameters {
  return { leScanType: 0, leScanInterval: 0x0010, leScanWindow: 0x0010, ownAddressType: 0, scanningFilterPolicy: 0 };
}
