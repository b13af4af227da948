import type { PeriodicPacket, PeriodicPlace } from "../../air/index.ts";
import { LePeriodicAdvertisingReport, LePeriodicAdvertisingReportV2 } from "../../hci/index.ts";
import type { HostInterface } from "../host-interface.ts";
import type { ExtendedView } from "../roles/extended-pdus.ts";
import { hciRssi } from "../roles/scanning.ts";

/** Data_Status, Vol 4 Part E 7.7.65.15. */
const Status = Object.freeze({ Complete: 0, MoreToCome: 1, Truncated: 2, Failed: 0xff });
const NO_CTE = 0xff;
const NO_SUBEVENT = 0xff;
const NOT_AVAILABLE = 127;
/** Data of one report at most, in either version of the event. */
const REPORT_OCTETS = 247;
const REPORT_V2_OCTETS = 244;
/** What a controller puts together at most. */
const MAX_DATA = 1650;
const NOTHING = new Uint8Array(0);

/** Tells the host of what came on a train. */
export class SyncReports {
  readonly #host: HostInterface;
  readonly #syncHandle: number;
  isEnabled: boolean;
  filtersDuplicates: boolean;
  /** DID of the data reported last. */
  #reportedDid: number | undefined;
  #did: number | undefined;
  /** More packets of this event are to come. */
  isInChain = false;
  /** Nothing of this event is told, or nothing more. */
  #isSilent = false;
  #counter = 0;
  hasSubevents = false;
  #subevent = NO_SUBEVENT;
  #txPower = NOT_AVAILABLE;
  /** Of the last packet of this event. */
  #rssiDbm = 0;
  /** Octets of this event so far, and those of them that are not reported yet. */
  #total = 0;
  #pending: Uint8Array = NOTHING;

  constructor(host: HostInterface, syncHandle: number, isEnabled: boolean, filtersDuplicates: boolean) {
    this.#host = host;
    this.#syncHandle = syncHandle;
    this.isEnabled = isEnabled;
    this.filtersDuplicates = filtersDuplicates;
  }

  /** LE Set Periodic Advertising Receive Enable; the duplicate filter begins anew. */
  set(isEnabled: boolean, filtersDuplicates: boolean): void {
    this.isEnabled = isEnabled;
    this.filtersDuplicates = filtersDuplicates;
    this.#reportedDid = undefined;
  }

  take({ pdu, rssiDbm, isFirst }: PeriodicPacket, view: ExtendedView, { counter, subevent }: PeriodicPlace): void {
    if (isFirst) this.#begin(view, counter);
    if (this.hasSubevents) this.#subevent = subevent;
    this.#rssiDbm = rssiDbm;
    this.isInChain = view.auxPtrAt >= 0;
    const data = pdu.subarray(view.dataAt);
    const taken = data.subarray(0, MAX_DATA - this.#total);
    this.#total += taken.length;
    const pending = new Uint8Array(this.#pending.length + taken.length);
    pending.set(this.#pending);
    pending.set(taken, this.#pending.length);
    const most = this.#host.wants(LePeriodicAdvertisingReportV2) ? REPORT_V2_OCTETS : REPORT_OCTETS;
    let at = 0;
    for (; pending.length - at > most; at += most) this.#report(Status.MoreToCome, pending.slice(at, at + most));
    this.#pending = pending.slice(at);
    if (taken.length < data.length) this.truncate();
    else if (!this.isInChain) {
      this.#report(Status.Complete, this.#pending);
      if (!this.#isSilent) this.#reportedDid = this.#did;
    }
  }

  #begin({ adi, txPowerDbm }: ExtendedView, counter: number): void {
    this.#did = adi?.did;
    const isDuplicate = this.filtersDuplicates && adi !== undefined && adi.did === this.#reportedDid;
    this.#isSilent = !this.isEnabled || isDuplicate;
    this.#counter = counter & 0xffff;
    this.#txPower = txPowerDbm ?? NOT_AVAILABLE;
    this.#total = 0;
    this.#pending = NOTHING;
  }

  /** The packet of a subevent was not received: the second version of the event can say so. */
  fail(counter: number, subevent: number): void {
    const host = this.#host;
    if (!this.isEnabled || !host.acceptsEvent || !host.wants(LePeriodicAdvertisingReportV2)) return;
    const nothing = { txPower: NOT_AVAILABLE, rssi: NOT_AVAILABLE, cteType: NO_CTE, dataStatus: Status.Failed, data: NOTHING };
    host.event(LePeriodicAdvertisingReportV2, {
      syncHandle: this.#syncHandle,
      ...nothing,
      periodicEventCounter: counter & 0xffff,
      subevent,
    });
  }

  /** The rest was not received, or has no room. */
  truncate(): void {
    this.isInChain = false;
    this.#report(Status.Truncated, this.#pending);
    this.#isSilent = true;
  }

  #report(dataStatus: number, data: Uint8Array): void {
    const host = this.#host;
    if (this.#isSilent || !this.isEnabled) return;
    const isSecond = host.wants(LePeriodicAdvertisingReportV2);
    if (!host.acceptsEvent || !(isSecond || host.wants(LePeriodicAdvertisingReport))) {
      this.#isSilent = true; // a part that the host did not get is not followed by the rest
      return;
    }
    const report = {
      syncHandle: this.#syncHandle,
      txPower: this.#txPower,
      rssi: hciRssi(this.#rssiDbm),
      cteType: NO_CTE,
      dataStatus,
      data,
    };
    if (isSecond) host.event(LePeriodicAdvertisingReportV2, { ...report, periodicEventCounter: this.#counter, subevent: this.#subevent });
    else host.event(LePeriodicAdvertisingReport, report);
  }
}
