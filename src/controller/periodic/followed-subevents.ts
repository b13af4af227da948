import { AirEvent, airTimeUs, type PeriodicAnswer, type PeriodicPacket, type Phy, periodicChannel } from "../../air/index.ts";
import { Address } from "../../core/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import { AdvPduType, type AirAddress, isAddress, rxAddressType, txAddressType } from "../roles/advertising-pdus.ts";
import { acceptedConnectRequest } from "../roles/connect-request.ts";
import { AdvMode, extendedPdu, headerOctets, MAX_PAYLOAD } from "../roles/extended-pdus.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import type { ResponseTiming } from "./sync-info.ts";

const INTERVAL_UNIT_US = 1250;
const SPACING_UNIT_US = 125;
/** A subevent that has not begun so long behind its window was not heard. */
const GUARD_US = 50;
/** Periodic_Advertising_Properties of LE Set Periodic Sync Subevent: TX power in the header of responses. */
const INCLUDE_TX_POWER = 0x40;
const HIGHEST_SUBEVENT = 0x7f;
const { Success, InvalidHciCommandParameters: Invalid, CommandDisallowed: Disallowed } = HciErrorCode;

/** The train that the subevents belong to. */
export interface FollowedTrain {
  readonly handle: number;
  readonly accessAddress: number;
  readonly description: { readonly phy: Phy };
  readonly isEstablished: boolean;
  /** The event that lies so many behind the one heard last: when it begins, and its counter, 16 bits. */
  event(ahead: number): { counter: number; startUs: number };
  /** How many events the one of this time lies behind the one heard last. */
  aheadAt(timeUs: number): number;
  attends(ahead: number): boolean;
  wideningUs(timeUs: number): number;
  channelMapAt(counter: number): Uint8Array;
  onMissed(place: { readonly counter: number; readonly subevent: number }): void;
}

/** Of LE Set Periodic Advertising Response Data. */
export interface ResponseData {
  readonly requestEvent: number;
  readonly requestSubevent: number;
  readonly responseSubevent: number;
  readonly responseSlot: number;
  readonly responseData: Uint8Array;
}

/** Subevents of a train that is followed: which of them, what is answered in their slots, and links that come of them. */
export class FollowedSubevents {
  readonly #sync: FollowedTrain;
  readonly #context: LinkLayerContext;
  readonly #timing: ResponseTiming;
  /** Those that the host wants; until it says which, subevent 0 keeps the synchronization. */
  #wanted: ReadonlySet<number> = new Set();
  #properties = 0;
  /** The place that is watched: if nothing has begun there by then, its packet was missed. */
  #watched: { counter: number; subevent: number } | undefined;
  readonly #watch = new AirEvent(() => this.#onWatch());
  readonly #responses = new Map<number, Disposable>();

  constructor(sync: FollowedTrain, context: LinkLayerContext, timing: ResponseTiming) {
    this.#sync = sync;
    this.#context = context;
    this.#timing = timing;
  }

  /** As the own clock measures it. */
  get intervalUs(): number {
    return this.#timing.subeventInterval * INTERVAL_UNIT_US * (1 + this.#context.radio.driftPpm * 1e-6);
  }

  end(): void {
    this.#context.scheduler.clear(this.#watch);
    for (const response of this.#responses.values()) response[Symbol.dispose]();
    this.#responses.clear();
  }

  listensTo(subevent: number): boolean {
    return this.#wanted.size === 0 ? subevent === 0 : this.#wanted.has(subevent);
  }
  isReported(subevent: number): boolean {
    return this.#wanted.has(subevent);
  }

  /** Times count from the beginning of an event. */
  occupies(fromUs: number, untilUs: number, lengthUs: number): boolean {
    for (let subevent = 0; subevent < this.#timing.numSubevents; subevent++) {
      const startUs = subevent * this.intervalUs;
      if (startUs >= untilUs) return false;
      if (this.listensTo(subevent) && startUs + lengthUs > fromUs) return true;
    }
    return false;
  }

  /** LE Set Periodic Sync Subevent. Gives a status. */
  set(properties: number, subevents: readonly number[]): number {
    if (properties & ~INCLUDE_TX_POWER || subevents.length === 0 || subevents.length > HIGHEST_SUBEVENT + 1) return Invalid;
    if (subevents.some((subevent) => subevent > HIGHEST_SUBEVENT) || new Set(subevents).size < subevents.length) return Invalid;
    if (subevents.some((subevent) => subevent >= this.#timing.numSubevents)) return HciErrorCode.UnsupportedFeatureOrParameterValue;
    this.#wanted = new Set(subevents);
    this.#properties = properties;
    this.#watchNext();
    return Success;
  }

  onBegun(counter: number, subevent: number): void {
    if (this.#watched?.counter === counter && this.#watched.subevent === subevent) this.#watchNext();
  }

  /** Waits for the next place that is wanted. */
  #watchNext(): void {
    const { scheduler } = this.#context;
    this.#watched = undefined;
    scheduler.clear(this.#watch);
    if (this.#wanted.size === 0 || !this.#sync.isEstablished) return;
    const nowUs = scheduler.nowUs;
    const wanted = [...this.#wanted].sort((a, b) => a - b);
    for (let ahead = Math.max(0, this.#sync.aheadAt(nowUs)); ; ahead++) {
      if (ahead > 0 && !this.#sync.attends(ahead)) continue;
      const { counter, startUs } = this.#sync.event(ahead);
      const subevent = wanted.find((of) => startUs + of * this.intervalUs - this.#sync.wideningUs(startUs) > nowUs);
      if (subevent === undefined) continue;
      const expectedUs = startUs + subevent * this.intervalUs;
      this.#watched = { counter, subevent };
      scheduler.set(this.#watch, Math.ceil(expectedUs + this.#sync.wideningUs(expectedUs) + GUARD_US));
      return;
    }
  }

  #onWatch(): void {
    const missed = this.#watched!;
    this.#sync.onMissed(missed);
    this.#watchNext();
  }

  /** LE Set Periodic Advertising Response Data. Gives a status. */
  respond({ requestEvent, requestSubevent, responseSubevent, responseSlot, responseData }: ResponseData): number {
    const { numSubevents, responseSlotDelay, responseSlotSpacing, accessAddress } = this.#timing;
    if (requestSubevent > HIGHEST_SUBEVENT || responseSubevent > HIGHEST_SUBEVENT) return Invalid;
    if (!this.#wanted.has(requestSubevent) || responseSubevent >= numSubevents || responseSlotDelay === 0) return Disallowed;
    const { scheduler, radio } = this.#context;
    const { phy } = this.#sync.description;
    const txPowerDbm = this.#properties & INCLUDE_TX_POWER ? radio.txPowerDbm : undefined;
    if (headerOctets({ txPowerDbm }) + responseData.length > MAX_PAYLOAD) return HciErrorCode.PacketTooLong;
    const { pdu } = extendedPdu({ type: AdvPduType.AdvExtInd, mode: AdvMode.Neither, txPowerDbm, data: responseData });
    const spacingUs = responseSlotSpacing * SPACING_UNIT_US;
    if (airTimeUs(phy, pdu.length - 2) > spacingUs) return HciErrorCode.PacketTooLong;
    const intoUs = responseSlotDelay * INTERVAL_UNIT_US + responseSlot * spacingUs;
    if (intoUs + spacingUs > this.#timing.subeventInterval * INTERVAL_UNIT_US) return Invalid;
    // A subevent in front of the one that is answered is the next event's.
    const event = requestEvent + (responseSubevent < requestSubevent ? 1 : 0);
    const ahead = ((event - this.#sync.event(0).counter) << 16) >> 16;
    const { counter, startUs } = this.#sync.event(ahead);
    const slotUs = Math.round(startUs + responseSubevent * this.intervalUs + intoUs * (1 + radio.driftPpm * 1e-6));
    if (slotUs <= scheduler.nowUs) return HciErrorCode.TooLate;
    const channel = periodicChannel(this.#sync.accessAddress, counter, responseSubevent, this.#sync.channelMapAt(counter));
    // The slot of a response is its name: other data for it takes its place.
    this.#responses.get(slotUs)?.[Symbol.dispose]();
    for (const timeUs of this.#responses.keys()) if (timeUs < scheduler.nowUs) this.#responses.delete(timeUs);
    this.#responses.set(slotUs, this.#context.air.channels.trains.respond({ radio, accessAddress, channel, phy, startUs: slotUs, pdu }));
    return Success;
  }

  /** AUX_CONNECT_REQ in a subevent: answered where it is for this device. */
  onConnectReq({ pdu, phy }: PeriodicPacket): PeriodicAnswer | undefined {
    const context = this.#context;
    const own = [context.ownAddress(0), context.ownAddress(1)].find((address) => isAddress(pdu, 8, rxAddressType(pdu), address));
    const made: AirAddress | undefined =
      rxAddressType(pdu) === 1 && context.resolving.isLocalRpa(pdu, 8) ? { type: 1, bytes: pdu.slice(8, 14) } : undefined;
    const address = own ?? made;
    const taken = address && acceptedConnectRequest(context, pdu, { own: address, target: undefined, filterPolicy: 0 });
    if (!taken) return undefined;
    const { peer, data } = taken;
    const initiator: AirAddress = { type: txAddressType(pdu), bytes: pdu.slice(2, 8) };
    const response = extendedPdu({ type: AdvPduType.AuxConnectRsp, mode: AdvMode.Neither, advA: address, targetA: initiator });
    const origin = { peer, localRpa: made?.bytes, phy, usesAlgorithm2: true, syncHandle: this.#sync.handle };
    return {
      pdu: response.pdu,
      join: (link) => void context.joinAsPeripheral(link, new Address(peer.bytes, peer.type & 1), data, origin),
    };
  }
}
