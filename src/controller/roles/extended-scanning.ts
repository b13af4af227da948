import {
  AirEvent,
  type Answer,
  type AuxiliaryPacket,
  type Follower,
  type Listener,
  ListenWindow,
  Phy,
  type Radio,
} from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import { HciErrorCode, LeExtendedAdvertisingReport, LeScanTimeout, type LeSetExtendedScanParameters } from "../../hci/index.ts";
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
import { AdvMode, type ExtendedView, readExtendedPdu } from "./extended-pdus.ts";
import { addressKey } from "./filter-accept-list.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";
import type { Peer } from "./resolving-list.ts";
import { ScanBackoff } from "./scan-backoff.ts";
import { DuplicateFilter, heardPeer, heardTarget, type Target } from "./scan-filter.ts";
import { checkScanningFilterPolicy, hciRssi, identityOf, isScanTiming } from "./scanning.ts";

type Parameters = Infer<typeof LeSetExtendedScanParameters.parameters>;
type Report = LeExtendedAdvertisingReport["reports"][number];

/** Bits of Event_Type, Vol 4 Part E 7.7.65.13. */
const Type = Object.freeze({ Connectable: 1, Scannable: 2, Directed: 4, ScanResponse: 8, Legacy: 16 });
const MORE_TO_COME = 1 << 5;
const TRUNCATED = 2 << 5;
/** Event_Type of legacy PDUs. */
const LEGACY_TYPES: Readonly<Record<number, number>> = {
  [AdvPduType.AdvInd]: 0x13,
  [AdvPduType.AdvDirectInd]: 0x15,
  [AdvPduType.AdvScanInd]: 0x12,
  [AdvPduType.AdvNonconnInd]: 0x10,
};
/** Data of one report at most. */
const REPORT_OCTETS = 229;
/** What a controller puts together at most. */
const MAX_DATA = 1650;
const ANONYMOUS = 0xff;
const NOT_AVAILABLE = 127;
const NO_SID = 0xff;
const NOBODY = new Uint8Array(6);
const NOTHING = new Uint8Array(0);
const PERIOD_US = 1_280_000;
const DURATION_US = 10_000;
const FILTER_PER_PERIOD = 2;

/** Scanning by the extended commands: on several PHYs, legacy and extended PDUs (Vol 6 Part B 4.4.3). */
export class ExtendedScanning {
  readonly radio: Radio;
  readonly #context: LinkLayerContext;
  #parameters: Parameters = defaults();
  #isEnabled = false;
  #listening: Disposable[] = [];
  #own: AirAddress;
  #filterDuplicates = 0;
  #durationUs = 0;
  #periodUs = 0;
  readonly #seen = new DuplicateFilter();
  readonly #backoff: ScanBackoff;
  readonly #end = new AirEvent(() => this.#onDuration());
  readonly #again = new AirEvent(() => this.#onPeriod());

  constructor(context: LinkLayerContext) {
    this.#context = context;
    this.radio = context.radio;
    this.#own = context.ownAddress(0);
    this.#backoff = new ScanBackoff(context.random);
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }
  get usesFilterAcceptList(): boolean {
    return this.#isEnabled && (this.#parameters.scanningFilterPolicy & 1) === 1;
  }

  reset(): void {
    this.disable();
    this.#parameters = defaults();
  }

  setParameters(parameters: Parameters): number {
    if (this.#isEnabled) return HciErrorCode.CommandDisallowed;
    const { scanningPhys, phys, scanningFilterPolicy, ownAddressType } = parameters;
    const { features, supportedPhys } = this.#context;
    if (scanningPhys === 0) return HciErrorCode.InvalidHciCommandParameters;
    // Bits that are reserved are PHYs that are not supported, too; nobody advertises on LE 2M.
    if (scanningPhys & ~(supportedPhys & 0b101)) return HciErrorCode.UnsupportedFeatureOrParameterValue;
    for (const { scanType, scanInterval, scanWindow } of phys)
      if (scanType > 1 || !isScanTiming(scanInterval, scanWindow, 0xffff)) return HciErrorCode.InvalidHciCommandParameters;
    const status = checkScanningFilterPolicy(scanningFilterPolicy, features) || checkOwnAddressType(ownAddressType, features);
    if (status === HciErrorCode.Success) this.#parameters = parameters;
    return status;
  }

  /** @param duration units of 10 ms. @param period units of 1.28 s */
  enable(filterDuplicates: number, duration: number, period: number): number {
    if (filterDuplicates > FILTER_PER_PERIOD) return HciErrorCode.InvalidHciCommandParameters;
    const durationUs = duration * DURATION_US;
    const periodUs = period * PERIOD_US;
    if (durationUs > 0 && periodUs > 0 && durationUs >= periodUs) return HciErrorCode.InvalidHciCommandParameters;
    if (filterDuplicates === FILTER_PER_PERIOD && (durationUs === 0 || periodUs === 0)) return HciErrorCode.InvalidHciCommandParameters;
    const { ownAddressType } = this.#parameters;
    const status = this.#context.checkOwnAddress(ownAddressType);
    if (status !== HciErrorCode.Success) return status;
    this.#stop();
    this.#isEnabled = true;
    this.#own = this.#context.ownAddress(ownAddressType);
    this.#filterDuplicates = filterDuplicates;
    this.#durationUs = durationUs;
    this.#periodUs = durationUs > 0 ? periodUs : 0; // without a duration it scans all the time
    this.#seen.clear();
    this.#backoff.reset();
    this.#begin();
    return HciErrorCode.Success;
  }

  disable(): number {
    this.#isEnabled = false;
    this.#stop();
    this.#seen.clear();
    return HciErrorCode.Success;
  }

  #stop(): void {
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
    this.#context.scheduler.clear(this.#end);
    this.#context.scheduler.clear(this.#again);
  }

  #begin(): void {
    const { scheduler, air } = this.#context;
    const nowUs = scheduler.nowUs;
    const { phys, scanningPhys } = this.#parameters;
    const timings = phys.map(({ scanInterval, scanWindow }) => ({ intervalUs: scanInterval * 625, windowUs: scanWindow * 625 }));
    for (const [i, { startUs, intervalUs, windowUs }] of sharedWindows(timings, nowUs).entries()) {
      const phy = i === 0 && scanningPhys & 1 ? Phy.Le1M : Phy.LeCodedS8;
      const window = new ListenWindow(startUs, intervalUs, windowUs);
      this.#listening.push(air.channels.listen(new PhyScanner(this, phy, window, phys[i]!.scanType === 1)));
    }
    if (this.#durationUs > 0) scheduler.set(this.#end, nowUs + this.#durationUs);
    if (this.#periodUs > 0) scheduler.set(this.#again, nowUs + this.#periodUs);
  }

  #onDuration(): void {
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
    if (this.#periodUs > 0) return; // goes on with the next period
    this.disable();
    this.#context.host.event(LeScanTimeout, {});
  }

  #onPeriod(): void {
    if (this.#filterDuplicates === FILTER_PER_PERIOD) this.#seen.clear();
    this.#stop();
    this.#begin();
  }

  // What the listeners of its PHYs ask.

  get context(): LinkLayerContext {
    return this.#context;
  }
  get backoff(): ScanBackoff {
    return this.#backoff;
  }
  peer(type: 0 | 1, pdu: Uint8Array, at: number): Peer | undefined {
    return heardPeer(this.#context, this.#parameters.scanningFilterPolicy, type, pdu, at);
  }
  /** Anonymous advertising passes the Filter Accept List where that names it: type 0xFF (Vol 6 Part B 4.3.1). */
  get takesAnonymous(): boolean {
    return !(this.#parameters.scanningFilterPolicy & 1) || this.#context.filterAcceptList.hasAnonymous;
  }
  target(type: 0 | 1, pdu: Uint8Array, at: number): Target | undefined {
    return heardTarget(this.#context, this.#parameters.scanningFilterPolicy, this.#own, type, pdu, at);
  }
  ownAddressTowards(peer: Peer): AirAddress {
    const { ownAddressType } = this.#parameters;
    return ownAddressType >= 2 ? this.#context.ownAddress(ownAddressType, identityOf(peer)) : this.#own;
  }
  isDuplicate(key: string): boolean {
    return this.#filterDuplicates !== 0 && this.#seen.has(key);
  }
  noteReported(key: string): void {
    if (this.#filterDuplicates !== 0) this.#seen.add(key);
  }
  /** HCI's value of a primary or secondary PHY: both codings are 3 to a host that does not tell them apart. */
  hciPhy(phy: Phy): number {
    return phy === Phy.LeCodedS2 ? (this.#context.hostKnowsCodings ? 4 : 3) : phy;
  }
  /** False where the host did not get it. */
  report(report: Report): boolean {
    const { host } = this.#context;
    if (!host.wants(LeExtendedAdvertisingReport) || !host.acceptsEvent) return false;
    host.event(LeExtendedAdvertisingReport, { reports: [report] });
    return true;
  }
}

/** Listens on one primary PHY. */
class PhyScanner implements Listener {
  readonly radio: Radio;
  readonly goesFirst = false;
  readonly phy: Phy;
  readonly window: ListenWindow;
  readonly #scan: ExtendedScanning;
  readonly #isActive: boolean;
  /** The scannable legacy PDU whose answer is awaited. */
  #requested: { readonly key: string; readonly peer: Peer; readonly type: number } | undefined;

  constructor(scan: ExtendedScanning, phy: Phy, window: ListenWindow, isActive: boolean) {
    this.#scan = scan;
    this.radio = scan.radio;
    this.phy = phy;
    this.window = window;
    this.#isActive = isActive;
  }

  onAdvertising(pdu: Uint8Array, rssiDbm: number, mayAnswer: boolean): Answer | undefined {
    const type = pduType(pdu);
    const eventType = LEGACY_TYPES[type];
    if (eventType === undefined || pdu.length < 8 || pdu.length > 39) return undefined;
    const peer = this.#scan.peer(txAddressType(pdu), pdu, 2);
    if (!peer) return undefined;
    let target: Target | undefined;
    if (type === AdvPduType.AdvDirectInd) {
      target = pdu.length < 14 ? undefined : this.#scan.target(rxAddressType(pdu), pdu, 8);
      if (!target) return undefined;
    }
    this.#reportLegacy(eventType, peer, target, target ? NOTHING : pdu.slice(8), rssiDbm);
    const isScannable = type === AdvPduType.AdvInd || type === AdvPduType.AdvScanInd;
    return mayAnswer && isScannable && this.#isActive ? this.#scanRequest(pdu, peer, eventType) : undefined;
  }

  #scanRequest(pdu: Uint8Array, peer: Peer, eventType: number): Answer | undefined {
    const type = Type.Legacy | Type.ScanResponse | (eventType & (Type.Connectable | Type.Scannable));
    if (this.#scan.isDuplicate(legacyKey(type, peer)) || !this.#scan.backoff.mayAsk()) return undefined;
    this.#requested = { key: addressKey(txAddressType(pdu), pdu, 2), peer, type };
    const advertiser = { type: txAddressType(pdu), bytes: pdu.subarray(2, 8) };
    return { pdu: advertisingPdu(AdvPduType.ScanReq, this.#scan.ownAddressTowards(peer), advertiser, NOTHING) };
  }

  onScanResponse(pdu: Uint8Array | undefined, rssiDbm: number): void {
    const isWhole = pdu !== undefined && pduType(pdu) === AdvPduType.ScanRsp && pdu.length >= 8 && pdu.length <= 39;
    const requested = isWhole && addressKey(txAddressType(pdu), pdu, 2) === this.#requested?.key ? this.#requested : undefined;
    if (requested) this.#reportLegacy(requested.type, requested.peer, undefined, pdu!.slice(8), rssiDbm);
    this.#requested = undefined;
    this.#scan.backoff.onOutcome(requested !== undefined);
  }

  #reportLegacy(eventType: number, peer: Peer, target: Target | undefined, data: Uint8Array, rssiDbm: number): void {
    const key = legacyKey(eventType, peer);
    if (this.#scan.isDuplicate(key)) return;
    const isTold = this.#scan.report({
      eventType,
      addressType: peer.type,
      address: peer.bytes,
      primaryPhy: 1,
      secondaryPhy: 0,
      advertisingSid: NO_SID,
      txPower: NOT_AVAILABLE,
      rssi: hciRssi(rssiDbm),
      periodicAdvertisingInterval: 0,
      directAddressType: target?.type ?? 0,
      directAddress: target?.bytes ?? NOBODY,
      data,
    });
    if (isTold) this.#scan.noteReported(key);
  }

  onExtended(pdu: Uint8Array, rssiDbm: number, phy: Phy): Follower | undefined {
    const view = readExtendedPdu(pdu);
    if (pduType(pdu) !== AdvPduType.AdvExtInd || !view) return undefined;
    // The search for a periodic advertiser goes by filters of its own.
    const seeker = this.#scan.context.syncs.seeker(pdu, view);
    const train = new TrainScanner(this.#scan, phy, this.#isActive);
    // What does not pass the filter need not be followed; the address may also come later.
    if (!train.takeHeader(pdu, view)) return seeker;
    if (view.auxPtrAt >= 0) return seeker ? together(seeker, train) : train;
    train.finish(pdu, view, rssiDbm);
    return undefined;
  }
}

function together(seeker: Follower, train: Follower): Follower {
  return {
    onPacket: (packet) => {
      seeker.onPacket(packet);
      return train.onPacket(packet);
    },
  };
}

/** Follows one extended advertising event and reports it. */
class TrainScanner implements Follower {
  readonly #scan: ExtendedScanning;
  readonly #primaryPhy: Phy;
  readonly #isActive: boolean;
  #peer: Peer | undefined;
  /** As on air: what a scan request is addressed to. */
  #advA: AirAddress | undefined;
  #target: Target | undefined;
  #adi: ExtendedView["adi"];
  #txPowerDbm: number | undefined;
  #periodicInterval = 0;
  #type = 0;
  #secondaryPhy = 0;
  #isFirst = true;
  #isAsking = false;
  #isDuplicate = false;
  /** Octets of this chain so far, and those of them that are not reported yet. */
  #total = 0;
  #pending: Uint8Array = NOTHING;
  #isTold = true;

  constructor(scan: ExtendedScanning, primaryPhy: Phy, isActive: boolean) {
    this.#scan = scan;
    this.#primaryPhy = primaryPhy;
    this.#isActive = isActive;
  }

  /** Notes what the extended header says. False where the advertising is none for this scanner. */
  takeHeader(pdu: Uint8Array, view: ExtendedView): boolean {
    if (view.adi) this.#adi = view.adi;
    if (view.txPowerDbm !== undefined) this.#txPowerDbm = view.txPowerDbm;
    if (view.advAAt >= 0) {
      this.#advA = { type: txAddressType(pdu), bytes: pdu.slice(view.advAAt, view.advAAt + 6) };
      this.#peer = this.#scan.peer(txAddressType(pdu), pdu, view.advAAt);
      if (!this.#peer) return false;
    }
    if (view.targetAAt >= 0) {
      this.#target = this.#scan.target(rxAddressType(pdu), pdu, view.targetAAt);
      if (!this.#target) return false;
      this.#type |= Type.Directed;
    }
    if (view.syncInfoAt >= 0) this.#periodicInterval = pdu[view.syncInfoAt + 2]! | (pdu[view.syncInfoAt + 3]! << 8);
    return true;
  }

  onPacket(packet: AuxiliaryPacket | undefined): Answer | undefined {
    const view = packet && readExtendedPdu(packet.pdu);
    if (this.#isAsking) {
      const isAnswer = packet && view && this.#isAnswer(packet.pdu, view);
      this.#scan.backoff.onOutcome(isAnswer === true);
      this.#isAsking = false;
      if (!isAnswer) return undefined;
    } else if (!packet || !view || pduType(packet.pdu) !== AdvPduType.AdvExtInd) {
      this.#truncate();
      return undefined;
    }
    return this.#take(packet!, view!);
  }

  /** AUX_SCAN_RSP of whom was asked. */
  #isAnswer(pdu: Uint8Array, view: ExtendedView): boolean {
    return pduType(pdu) === AdvPduType.AdvExtInd && view.advAAt >= 0 && isAddress(pdu, view.advAAt, txAddressType(pdu), this.#advA!);
  }

  #take({ pdu, rssiDbm, phy, mayAnswer }: AuxiliaryPacket, view: ExtendedView): Answer | undefined {
    this.#secondaryPhy = this.#scan.hciPhy(phy);
    if (this.#isFirst) {
      this.#isFirst = false;
      if (!this.takeHeader(pdu, view) || (!this.#peer && !this.#scan.takesAnonymous)) {
        this.#isDuplicate = true; // of no interest, to the end
        return undefined;
      }
      if (view.mode === AdvMode.Connectable) this.#type |= Type.Connectable;
      if (view.mode === AdvMode.Scannable) this.#type |= Type.Scannable;
      this.#isDuplicate = this.#scan.isDuplicate(this.#key);
    }
    this.#append(pdu.subarray(view.dataAt), rssiDbm, view.auxPtrAt >= 0);
    return view.mode === AdvMode.Scannable && mayAnswer && this.#isActive ? this.#scanRequest() : undefined;
  }

  #scanRequest(): Answer | undefined {
    if (!this.#peer || !this.#advA) return undefined;
    const before = this.#type;
    this.#type |= Type.ScanResponse;
    if (this.#scan.isDuplicate(this.#key) || !this.#scan.backoff.mayAsk()) {
      this.#type = before;
      return undefined;
    }
    this.#isAsking = true;
    this.#isDuplicate = false;
    this.#total = 0;
    this.#pending = NOTHING;
    this.#isTold = true;
    return { pdu: advertisingPdu(AdvPduType.ScanReq, this.#scan.ownAddressTowards(this.#peer), this.#advA, NOTHING) };
  }

  /** ADV_EXT_IND that says it all. */
  finish(pdu: Uint8Array, view: ExtendedView, rssiDbm: number): void {
    if (!this.#peer && !this.#scan.takesAnonymous) return;
    this.#secondaryPhy = 0;
    if (this.#scan.isDuplicate(this.#key)) return;
    this.#append(pdu.subarray(view.dataAt), rssiDbm, false);
  }

  /** Another kind, address, set or data is another report (Vol 4 Part E 7.8.65). */
  get #key(): string {
    const peer = this.#peer ? addressKey(this.#peer.type & 1, this.#peer.bytes) : "anonymous";
    return `x${this.#type} ${this.#adi?.sid} ${this.#adi?.did} ${peer}`;
  }

  #append(data: Uint8Array, rssiDbm: number, hasMore: boolean): void {
    if (this.#isDuplicate) return;
    const room = MAX_DATA - this.#total;
    const taken = data.subarray(0, room);
    this.#total += taken.length;
    const pending = new Uint8Array(this.#pending.length + taken.length);
    pending.set(this.#pending);
    pending.set(taken, this.#pending.length);
    let at = 0;
    for (; pending.length - at > REPORT_OCTETS; at += REPORT_OCTETS)
      this.#report(MORE_TO_COME, pending.slice(at, at + REPORT_OCTETS), rssiDbm);
    this.#pending = pending.slice(at);
    if (taken.length < data.length) this.#truncate(rssiDbm);
    else if (!hasMore) {
      this.#report(0, this.#pending, rssiDbm);
      if (this.#isTold) this.#scan.noteReported(this.#key);
      this.#pending = NOTHING;
    }
  }

  /** The rest was not received. Where nothing was, there is nothing to tell. */
  #truncate(rssiDbm: number = NOT_AVAILABLE): void {
    if (this.#isFirst || this.#isDuplicate) return;
    this.#isDuplicate = true;
    this.#report(TRUNCATED, this.#pending, rssiDbm);
  }

  #report(status: number, data: Uint8Array, rssiDbm: number): void {
    if (!this.#isTold) return; // the beginning got lost on the way to the host
    this.#isTold = this.#scan.report({
      eventType: this.#type | status,
      addressType: this.#peer?.type ?? ANONYMOUS,
      address: this.#peer?.bytes ?? NOBODY,
      primaryPhy: this.#scan.hciPhy(this.#primaryPhy),
      secondaryPhy: this.#secondaryPhy,
      advertisingSid: this.#adi?.sid ?? NO_SID,
      txPower: this.#txPowerDbm ?? NOT_AVAILABLE,
      rssi: rssiDbm === NOT_AVAILABLE ? NOT_AVAILABLE : hciRssi(rssiDbm),
      periodicAdvertisingInterval: this.#periodicInterval,
      directAddressType: this.#target?.type ?? 0,
      directAddress: this.#target?.bytes ?? NOBODY,
      data,
    });
  }
}

function legacyKey(eventType: number, peer: Peer): string {
  return `l${eventType} ${addressKey(peer.type & 1, peer.bytes)}`;
}

interface Timing {
  readonly intervalUs: number;
  readonly windowUs: number;
}

/**
 * When a radio is on each of its PHYs: it is on one at a time. Where their windows fit into one interval they stand behind each other;
 * otherwise the PHYs take turns, an interval each.
 */
export function sharedWindows(timings: readonly Timing[], fromUs: number): (Timing & { startUs: number })[] {
  const [first, second] = timings;
  if (!first || !second) return timings.map((timing) => ({ ...timing, startUs: fromUs }));
  const fits = first.intervalUs === second.intervalUs && first.windowUs + second.windowUs <= first.intervalUs;
  if (fits)
    return [
      { ...first, startUs: fromUs },
      { ...second, startUs: fromUs + first.windowUs },
    ];
  const intervalUs = first.intervalUs + second.intervalUs;
  return [
    { startUs: fromUs, intervalUs, windowUs: first.windowUs },
    { startUs: fromUs + first.intervalUs, intervalUs, windowUs: second.windowUs },
  ];
}

function defaults(): Parameters {
  return {
    ownAddressType: 0,
    scanningFilterPolicy: 0,
    scanningPhys: 1,
    phys: [{ scanType: 0, scanInterval: 0x0010, scanWindow: 0x0010 }],
  };
}
