import { AirEvent, airTimeUs, type ExtendedPdu, type Link, type PeriodicPlace, type Phy, type ResponseHearer } from "../../air/index.ts";
import { HciErrorCode, LePeriodicAdvertisingResponseReport, LePeriodicAdvertisingSubeventDataRequest } from "../../hci/index.ts";
import { AdvPduType, pduType } from "../roles/advertising-pdus.ts";
import { AdvMode, extendedPdu, headerOctets, MAX_PAYLOAD, readExtendedPdu } from "../roles/extended-pdus.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import { hciRssi } from "../roles/scanning.ts";
import type { ResponseTiming } from "./sync-info.ts";

type ResponseReport = LePeriodicAdvertisingResponseReport["responses"][number];

const INTERVAL_UNIT_US = 1250;
const SPACING_UNIT_US = 125;
/** Subevents whose data this controller holds at a time. */
const CAPACITY = 8;
/** The host is asked for the first data so long behind its command, whose answer comes first. */
const FIRST_REQUEST_US = 500;
const MAX_SUBEVENTS_OF_COMMAND = 15;
/** Data_Status of a response. */
const Status = Object.freeze({ Complete: 0, MoreToCome: 1, Failed: 0xff });
const NO_CTE = 0xff;
const NOT_AVAILABLE = 127;
/** Octets of a report's responses together, and those of each beside its data. */
const REPORT_OCTETS = 250;
const RESPONSE_OCTETS = 6;
const NOTHING = new Uint8Array(0);

/** Of LE Set Periodic Advertising Parameters [v2]; wire units. */
export interface SubeventParameters {
  readonly numSubevents: number;
  readonly subeventInterval: number;
  /** All 0 without response slots. */
  readonly responseSlotDelay: number;
  readonly responseSlotSpacing: number;
  readonly numResponseSlots: number;
}

/** What the host gives for a subevent. */
export interface SubeventData {
  readonly subevent: number;
  readonly responseSlotStart: number;
  readonly responseSlotCount: number;
  readonly subeventData: Uint8Array;
}

/** A connection request in place of data. */
export interface SubeventRequest {
  readonly subevent: number;
  readonly pdu: () => Uint8Array;
  readonly onAnswer: (pdu: Uint8Array | undefined, requestEndUs: number) => Link | undefined;
}

/** What the subevents take from their train. */
export interface SubeventOwner {
  readonly advertisingHandle: number;
  readonly phy: Phy;
  /** What the header of each packet holds. */
  readonly subeventHeader: { readonly txPowerDbm: number | undefined; readonly acad: Uint8Array | undefined };
}

interface Asked {
  /** Counts the subevents of the train from its first event. */
  readonly index: number;
  data?: SubeventData;
}

/** Periodic Advertising with Responses: data asked for and sent, responses heard and told (Vol 6 Part B 4.4.2.12, Vol 4 Part E 7.8.125). */
export class Subevents implements ResponseHearer {
  readonly #context: LinkLayerContext;
  readonly #owner: SubeventOwner;
  readonly parameters: SubeventParameters;
  readonly accessAddress: number;
  readonly #asked = new Map<number, Asked>();
  /** Subevents whose data the host still owes, and that have passed. */
  readonly #late = new Set<number>();
  #askedTo = 0;
  #next = 0;
  /** Of payload, in the last packet. */
  #octets = 2;
  #request: SubeventRequest | undefined;
  /** The request that is on air. */
  #sentRequest: SubeventRequest | undefined;
  /** The subevent in progress: what was sent, and what is heard. */
  #current: { counter: number; data: SubeventData; heard: Map<number, { pdu: Uint8Array; rssiDbm: number }> } | undefined;
  readonly #first = new AirEvent(() => this.#ask());
  readonly #end = new AirEvent(() => this.#report());

  constructor(context: LinkLayerContext, owner: SubeventOwner, parameters: SubeventParameters, accessAddress: number) {
    this.#context = context;
    this.#owner = owner;
    this.parameters = parameters;
    this.accessAddress = accessAddress;
  }

  get timing(): ResponseTiming {
    const { numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing } = this.parameters;
    return { accessAddress: this.accessAddress, numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing };
  }
  get delayUs(): number {
    return this.parameters.responseSlotDelay * INTERVAL_UNIT_US;
  }
  get spacingUs(): number {
    return this.parameters.responseSlotSpacing * SPACING_UNIT_US;
  }

  /** The train runs: the host is asked for the first data. */
  begin(): void {
    const { scheduler } = this.#context;
    scheduler.set(this.#first, scheduler.nowUs + FIRST_REQUEST_US);
  }
  end(): void {
    this.#context.scheduler.clear(this.#first);
    this.#context.scheduler.clear(this.#end);
    (this.#request ?? this.#sentRequest)?.onAnswer(undefined, 0);
    this.#request = undefined;
    this.#sentRequest = undefined;
  }

  /** Sends a connection request in place of the data of the next such subevent. */
  request(request: SubeventRequest): void {
    this.#request = request;
  }
  /** The request is not on its way yet. */
  get hasRequest(): boolean {
    return this.#request !== undefined;
  }
  cancelRequest(): void {
    this.#request = undefined;
  }

  #ask(): void {
    const { numSubevents } = this.parameters;
    const capacity = Math.min(CAPACITY, numSubevents);
    const limit = this.#next + capacity;
    if (limit - this.#askedTo < Math.max(1, capacity >> 1)) return;
    this.#askedTo = Math.max(this.#askedTo, this.#next);
    while (this.#askedTo < limit) {
      const subeventStart = this.#askedTo % numSubevents;
      const subeventDataCount = Math.min(limit - this.#askedTo, numSubevents - subeventStart);
      for (let i = 0; i < subeventDataCount; i++) {
        this.#asked.set(subeventStart + i, { index: this.#askedTo + i });
        this.#late.delete(subeventStart + i);
      }
      this.#askedTo += subeventDataCount;
      this.#context.host.event(LePeriodicAdvertisingSubeventDataRequest, {
        advertisingHandle: this.#owner.advertisingHandle,
        subeventStart,
        subeventDataCount,
      });
    }
  }

  /** Gives a status; all of it is taken, or nothing. */
  setData(subevents: readonly SubeventData[]): number {
    if (subevents.length === 0 || subevents.length > MAX_SUBEVENTS_OF_COMMAND) return HciErrorCode.InvalidHciCommandParameters;
    if (new Set(subevents.map(({ subevent }) => subevent)).size < subevents.length) return HciErrorCode.InvalidHciCommandParameters;
    const { numResponseSlots } = this.parameters;
    for (const { subevent, responseSlotStart, responseSlotCount } of subevents) {
      if (subevent > 0x7f) return HciErrorCode.InvalidHciCommandParameters;
      // Without response slots these fields mean nothing.
      const hasSlots = responseSlotCount > 0 && responseSlotStart + responseSlotCount <= numResponseSlots;
      if (numResponseSlots > 0 && !hasSlots) return HciErrorCode.InvalidHciCommandParameters;
    }
    for (const { subevent } of subevents)
      if (!this.#asked.has(subevent) && !this.#late.has(subevent)) return HciErrorCode.CommandDisallowed;
    for (const { subeventData } of subevents) if (!this.#fits(subeventData)) return HciErrorCode.PacketTooLong;
    for (const { subevent } of subevents) if (!this.#asked.has(subevent)) return HciErrorCode.TooLate;
    for (const data of subevents) this.#asked.get(data.subevent)!.data = { ...data, subeventData: data.subeventData.slice() };
    return HciErrorCode.Success;
  }

  /** Whether the packet is over before the first response slot, or the next subevent. */
  #fits(data: Uint8Array): boolean {
    const { responseSlotDelay, subeventInterval } = this.parameters;
    if (headerOctets(this.#owner.subeventHeader) + data.length > MAX_PAYLOAD) return false;
    return airTimeUs(this.#owner.phy, this.#pdu(data).pdu.length - 2) <= (responseSlotDelay || subeventInterval) * INTERVAL_UNIT_US;
  }

  #pdu(data: Uint8Array): ExtendedPdu {
    return extendedPdu({ type: AdvPduType.AdvExtInd, mode: AdvMode.Neither, ...this.#owner.subeventHeader, data });
  }

  pdus(counter: number, subevent: number): readonly ExtendedPdu[] {
    if (this.#current) this.#report();
    const index = counter * this.parameters.numSubevents + subevent;
    this.#next = index + 1;
    let data: SubeventData | undefined;
    for (const [of, asked] of this.#asked) {
      if (asked.index > index) continue;
      this.#asked.delete(of);
      if (!asked.data) this.#late.add(of);
      else if (asked.index === index) data = asked.data;
    }
    this.#ask();
    if (this.#request?.subevent === subevent) {
      this.#sentRequest = this.#request;
      this.#request = undefined;
      return [{ pdu: this.#sentRequest.pdu(), auxPtrAt: -1 }];
    }
    if (data && this.parameters.numResponseSlots > 0) this.#current = { counter, data, heard: new Map() };
    // Subevent 0 has a packet in each event: it is what receivers find the train by.
    if (!data && subevent > 0) return [];
    const made = this.#pdu(data?.subeventData ?? NOTHING);
    this.#octets = made.pdu.length - 2;
    return [made];
  }

  /** How long its packets last, as the last one did. */
  get lengthUs(): number {
    return airTimeUs(this.#owner.phy, this.#octets);
  }

  onSent({ startUs }: PeriodicPlace, isSent: boolean): void {
    // Where a link had the radio the request goes out in the next event.
    if (!isSent && this.#sentRequest) {
      this.#request = this.#sentRequest;
      this.#sentRequest = undefined;
    }
    const current = this.#current;
    if (!current) return;
    if (!isSent) {
      this.#tell(current.data.subevent, 1, []);
      this.#current = undefined;
      return;
    }
    const { responseSlotStart, responseSlotCount } = current.data;
    const untilUs = this.delayUs + (responseSlotStart + responseSlotCount) * this.spacingUs;
    this.#context.scheduler.set(this.#end, startUs + untilUs);
  }

  listensTo({ counter, subevent }: { counter: number; subevent: number }, slot: number): boolean {
    const current = this.#current;
    if (!current || current.counter !== counter || current.data.subevent !== subevent) return false;
    const { responseSlotStart, responseSlotCount } = current.data;
    return slot >= responseSlotStart && slot < responseSlotStart + responseSlotCount;
  }

  onResponse(slot: number, pdu: Uint8Array, rssiDbm: number): void {
    if (pduType(pdu) === AdvPduType.AdvExtInd) this.#current?.heard.set(slot, { pdu, rssiDbm });
  }

  onConnectAnswer(pdu: Uint8Array | undefined, requestEndUs: number): Link | undefined {
    const request = this.#sentRequest;
    this.#sentRequest = undefined;
    return request?.onAnswer(pdu, requestEndUs);
  }

  /** The slots are over. */
  #report(): void {
    const { data, heard } = this.#current!;
    this.#current = undefined;
    this.#context.scheduler.clear(this.#end);
    const reports: ResponseReport[] = [];
    for (let i = 0; i < data.responseSlotCount; i++) {
      const responseSlot = data.responseSlotStart + i;
      const response = heard.get(responseSlot);
      const view = response && readExtendedPdu(response.pdu);
      if (!view) {
        const nothing = { txPower: NOT_AVAILABLE, rssi: NOT_AVAILABLE, cteType: NO_CTE, data: NOTHING };
        reports.push({ ...nothing, responseSlot, dataStatus: Status.Failed });
        continue;
      }
      const octets = response.pdu.slice(view.dataAt);
      const of = { txPower: view.txPowerDbm ?? NOT_AVAILABLE, rssi: hciRssi(response.rssiDbm), cteType: NO_CTE, responseSlot };
      const most = REPORT_OCTETS - RESPONSE_OCTETS;
      let at = 0;
      for (; octets.length - at > most; at += most)
        reports.push({ ...of, dataStatus: Status.MoreToCome, data: octets.slice(at, at + most) });
      reports.push({ ...of, dataStatus: Status.Complete, data: octets.slice(at) });
    }
    this.#tell(data.subevent, 0, reports);
  }

  /** In as many events as they need. */
  #tell(subevent: number, txStatus: number, reports: readonly ResponseReport[]): void {
    const { host } = this.#context;
    const { advertisingHandle } = this.#owner;
    let responses: ResponseReport[] = [];
    let octets = 0;
    const flush = (): void => {
      if (host.acceptsEvent) host.event(LePeriodicAdvertisingResponseReport, { advertisingHandle, subevent, txStatus, responses });
      responses = [];
      octets = 0;
    };
    for (const report of reports) {
      const more = RESPONSE_OCTETS + report.data.length;
      if (octets + more > REPORT_OCTETS) flush();
      responses.push(report);
      octets += more;
    }
    flush();
  }
}
