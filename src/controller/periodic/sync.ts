import {
  AirEvent,
  type PeriodicAnswer,
  type PeriodicPacket,
  type PeriodicPlace,
  type PeriodicReceiver,
  type Phy,
  periodicChannel,
  type Radio,
  type RadioTrain,
} from "../../air/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import { AdvPduType, pduType, sleepClockPpm } from "../roles/advertising-pdus.ts";
import { type ExtendedView, readExtendedPdu } from "../roles/extended-pdus.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import type { Peer } from "../roles/resolving-list.ts";
import { FollowedSubevents, type FollowedTrain } from "./followed-subevents.ts";
import { type ChannelMapUpdate, encodeSyncInfo, type ResponseTiming, readAcad, type SyncInfo } from "./sync-info.ts";
import type { SyncReports } from "./sync-reports.ts";
import type { TransferredTrain } from "./transferred-train.ts";

const INTERVAL_UNIT_US = 1250;
/** Without a packet in so many events there is no synchronization, Vol 6 Part B 4.4.3.4. */
const EVENTS_TO_ESTABLISH = 6;
/** What both timers may be off beside their drift, Vol 6 Part B 4.2.2. */
const JITTER_US = 32;
/** No Constant Tone Extension: bit of Sync_CTE_Type. */
const NO_CTE = 0x10;

/** A train to follow, as SyncInfo and the PDU around it tell of it. */
export interface TrainDescription {
  readonly info: SyncInfo;
  /** What the offset of `info` counts from. */
  readonly fromUs: number;
  /** What that time may be off beside the unit of the offset. */
  readonly slackUs: number;
  readonly peer: Peer;
  /** Type and octets of the address on air. */
  readonly onAir: { readonly type: 0 | 1; readonly bytes: Uint8Array };
  readonly sid: number;
  readonly phy: Phy;
  /** Subevents and response slots, where it has them. */
  readonly timing: ResponseTiming | undefined;
}

/** How the host wants a train followed. */
export interface SyncTerms {
  /** Events that may be passed over behind one that was received. */
  readonly skip: number;
  /** Units of 10 ms. */
  readonly syncTimeout: number;
  readonly cteType: number;
}

/** What becomes of a synchronization. */
export interface SyncOutcome {
  /** Its first packet came, or an error in its place. False: nobody wants it. */
  onEstablished(status: number): void;
  onLost(): void;
}

/** A periodic advertising train that this controller follows (Vol 6 Part B 4.4.3.4). */
export class PeriodicSync implements PeriodicReceiver, RadioTrain, FollowedTrain {
  readonly handle: number;
  readonly description: TrainDescription;
  readonly radio: Radio;
  readonly accessAddress: number;
  readonly reports: SyncReports;
  readonly #context: LinkLayerContext;
  readonly #terms: SyncTerms;
  readonly #outcome: SyncOutcome;
  readonly #following: Disposable;
  readonly #timer = new AirEvent(() => this.#onTimeout());
  #isEstablished = false;
  #isEnded = false;
  #channelMap: Uint8Array;
  #update: ChannelMapUpdate | undefined;
  /** The event heard last, or the one that SyncInfo means: its time, what that may be off, and when it was learned. */
  #counter: number;
  #anchorUs: number;
  #slackUs: number;
  #learnedUs: number;
  /** An event that was listened to in vain: until the next packet none is passed over. */
  #isMissed = true;
  /** How long the first packet of an event lasted. */
  #lengthUs = 0;
  /** Its subevents and response slots, where it has them. */
  readonly subevents: FollowedSubevents | undefined;

  constructor(
    handle: number,
    context: LinkLayerContext,
    description: TrainDescription,
    terms: SyncTerms,
    outcome: SyncOutcome,
    reports: SyncReports,
  ) {
    this.handle = handle;
    this.#context = context;
    this.description = description;
    this.#terms = terms;
    this.#outcome = outcome;
    this.reports = reports;
    this.radio = context.radio;
    const { info, fromUs, slackUs } = description;
    this.accessAddress = info.accessAddress;
    this.#channelMap = info.channelMap;
    this.#counter = info.eventCounter;
    this.#anchorUs = fromUs + info.offsetUs + info.unitUs / 2;
    this.#slackUs = slackUs + info.unitUs / 2;
    this.#learnedUs = context.scheduler.nowUs;
    const { timing } = description;
    if (timing) this.subevents = new FollowedSubevents(this, context, timing);
    reports.hasSubevents = timing !== undefined;
    this.radio.trains.push(this);
    this.#following = context.air.channels.trains.follow(this);
    // What a peer tells of may be over by now: the events that count are those that are still to come.
    const firstUs = Math.max(this.#anchorUs, this.#learnedUs);
    context.scheduler.set(this.#timer, Math.round(firstUs + EVENTS_TO_ESTABLISH * this.intervalUs));
  }

  get isEstablished(): boolean {
    return this.#isEstablished;
  }
  /** As its own clock measures it. */
  get intervalUs(): number {
    return this.description.info.interval * INTERVAL_UNIT_US * (1 + this.radio.driftPpm * 1e-6);
  }

  /** The train as it is told to a peer. */
  get transferred(): TransferredTrain {
    const { info, sid, phy, onAir: address, timing } = this.description;
    return {
      sid,
      phy,
      address,
      timing,
      lastCounter: this.#counter,
      next: (timeUs) => {
        const ahead = Math.max(1, Math.floor((timeUs - this.#anchorUs) / this.intervalUs) + 1);
        return { counter: this.#counter + ahead, startUs: Math.round(this.#expectedUs(ahead)) };
      },
      syncInfo: (counter, offsetUs) =>
        encodeSyncInfo({ ...info, offsetUs, channelMap: this.channelMapAt(counter & 0xffff), eventCounter: counter }),
    };
  }

  /** Nobody follows any more, and nobody is told. */
  end(): void {
    this.#isEnded = true;
    this.subevents?.end();
    this.#context.scheduler.clear(this.#timer);
    this.#following[Symbol.dispose]();
    this.radio.removeTrain(this);
  }

  #onTimeout(): void {
    this.end();
    if (this.#isEstablished) this.#outcome.onLost();
    else this.#outcome.onEstablished(HciErrorCode.ConnectionFailedToBeEstablished);
  }

  #expectedUs(ahead: number): number {
    return this.#anchorUs + ahead * this.intervalUs;
  }

  /** The event that lies so many behind the one heard last: when it begins, and its counter, 16 bits. */
  event(ahead: number): { counter: number; startUs: number } {
    return { counter: (this.#counter + ahead) & 0xffff, startUs: this.#expectedUs(ahead) };
  }
  /** How many events the one of this time lies behind the one heard last. */
  aheadAt(timeUs: number): number {
    return Math.floor((timeUs - this.#anchorUs) / this.intervalUs);
  }

  /** Whether the event that lies so many behind the one heard last is attended. */
  attends(ahead: number): boolean {
    const { skip, syncTimeout } = this.#terms;
    // None is passed over where the next one would come too late.
    return this.#isMissed || ahead > skip || (ahead + 1) * this.intervalUs >= syncTimeout * 10_000;
  }

  occupies(startUs: number, endUs: number): boolean {
    const ahead = this.aheadAt(endUs);
    if (ahead < 0 || !this.attends(ahead)) return false;
    const expectedUs = this.#expectedUs(ahead);
    if (this.subevents) return this.subevents.occupies(startUs - expectedUs, endUs - expectedUs, this.#lengthUs);
    return expectedUs < endUs && expectedUs + this.#lengthUs > startUs;
  }

  /** Half of the window in which a packet is awaited: Vol 6 Part B 4.2.4. */
  wideningUs(timeUs: number): number {
    const ppm = sleepClockPpm(this.description.info.sca) + this.radio.sleepClockAccuracyPpm;
    return this.#slackUs + JITTER_US + ppm * 1e-6 * Math.max(0, timeUs - this.#learnedUs);
  }

  /** Channels of an event, by 16 bits of its counter. */
  channelMapAt(counter: number): Uint8Array {
    const update = this.#update;
    return update && ((counter - update.instant) & 0xffff) < 0x8000 ? update.channelMap : this.#channelMap;
  }

  listensTo({ counter, subevent, startUs, channel }: PeriodicPlace): boolean {
    const ahead = (counter - this.#counter) & 0xffff;
    // Another subevent of the event heard last is not ahead of it.
    if (ahead > 0 ? !this.attends(ahead) : !this.subevents && !this.#isMissed) return false;
    if (this.subevents && !this.subevents.listensTo(subevent)) return false;
    const expectedUs = this.#expectedUs(ahead) + subevent * (this.subevents?.intervalUs ?? 0);
    if (Math.abs(startUs - expectedUs) > this.wideningUs(expectedUs)) return false;
    if (channel !== periodicChannel(this.accessAddress, counter & 0xffff, subevent, this.channelMapAt(counter & 0xffff))) return false;
    this.subevents?.onBegun(counter & 0xffff, subevent);
    return true;
  }

  onPacket(packet: PeriodicPacket | undefined, place: PeriodicPlace): PeriodicAnswer | undefined {
    if (this.#isEnded) return undefined;
    const view = packet && pduType(packet.pdu) === AdvPduType.AdvExtInd ? readExtendedPdu(packet.pdu) : undefined;
    if (!view || !packet) {
      if (this.reports.isInChain) this.reports.truncate();
      else this.onMissed(place);
      return packet && this.subevents?.onConnectReq(packet);
    }
    if (packet.isFirst && !this.#onFirst(view, place)) return undefined;
    this.#lengthUs = packet.isFirst ? this.#context.scheduler.nowUs - place.startUs : this.#lengthUs;
    if (!this.subevents || this.subevents.isReported(place.subevent)) this.reports.take(packet, view, place);
    return undefined;
  }

  /** A packet that was listened for, in vain. */
  onMissed({ counter, subevent }: Pick<PeriodicPlace, "counter" | "subevent">): void {
    this.#isMissed = true;
    if (this.#isEstablished && this.subevents?.isReported(subevent)) this.reports.fail(counter, subevent);
  }

  /** The beginning of an event: everything counts from it. False where the synchronization is none. */
  #onFirst(view: ExtendedView, { counter, subevent, startUs }: PeriodicPlace): boolean {
    const { scheduler } = this.#context;
    this.#counter = counter & 0xffff;
    this.#anchorUs = startUs - subevent * (this.subevents?.intervalUs ?? 0);
    this.#slackUs = 0;
    this.#learnedUs = startUs;
    this.#isMissed = false;
    this.#channelMap = this.channelMapAt(this.#counter);
    if (this.#channelMap === this.#update?.channelMap) this.#update = undefined;
    this.#update = readAcad(view.acad).update ?? this.#update;
    // The train has no Constant Tone Extension.
    if (!this.#isEstablished && this.#terms.cteType & NO_CTE) {
      this.end();
      this.#outcome.onEstablished(HciErrorCode.UnsupportedRemoteFeature);
      return false;
    }
    scheduler.set(this.#timer, scheduler.nowUs + this.#terms.syncTimeout * 10_000);
    if (!this.#isEstablished) {
      this.#isEstablished = true;
      this.#outcome.onEstablished(HciErrorCode.Success);
    }
    return !this.#isEnded;
  }
}
