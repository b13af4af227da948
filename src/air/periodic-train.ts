import { mixKey } from "../core/index.ts";
import { AdvertisingLog, type Trouble } from "./advertising-log.ts";
import type { AdvertisingAir, ExtendedPdu } from "./advertising-roles.ts";
import { Anchors } from "./anchors.ts";
import { auxiliaryOffsetUs, withAuxiliaryPointer } from "./auxiliary-pointer.ts";
import { channelIdentifier, selectChannel } from "./channel-selection.ts";
import { draw } from "./draw.ts";
import type { Planned } from "./event-layout.ts";
import type { Medium } from "./medium.ts";
import type { PeriodicAdvertiser, PeriodicAnswer, PeriodicPlace, PeriodicReceiver, PeriodicResponse } from "./periodic-roles.ts";
import { airTimeUs, type Phy, T_IFS_US } from "./phy.ts";
import type { Radio, RadioTrain } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

/** The first event comes within so long, or within the interval where that is shorter. */
const FIRST_EVENT_US = 100_000;
/** A host that is asked for data gets so long before the first event. */
const LEAD_US = 10_000;
/** Off from its slot a response may be so much, beside what clocks make of it. */
const SLOT_SLACK_US = 48;
// Places of packets at a place, for what is drawn for them.
const STEP_ANSWER = 50;
const STEP_RESPONSE = 1000;
/** How far a chained packet is put off where the radio is taken by links: so many times. */
const PUT_OFF_US = 1260;
const PUT_OFF_TIMES = 16;
/** Steps of the event counter between the channels of subevents. */
const SUBEVENT_STEP = 128;

/** What a train knows of those around it. */
export interface TrainSurroundings {
  readonly channels: AdvertisingAir;
  receivers(accessAddress: number): ReadonlySet<PeriodicReceiver>;
}

/** Channel 0 to 36 of a place of a train: Channel Selection Algorithm #2 with paEventCounter (Vol 6 Part B 4.5.8.3). */
export function periodicChannel(accessAddress: number, counter: number, subevent: number, channelMap: Uint8Array): number {
  return selectChannel(channelIdentifier(accessAddress), (counter + SUBEVENT_STEP * subevent) & 0xffff, channelMap);
}

/** The events of one periodic advertising train. While nobody follows it, it sleeps: when and where it would send is told from its counter. */
export class PeriodicTrain implements RadioTrain {
  readonly advertiser: PeriodicAdvertiser;
  readonly #medium: Medium;
  readonly #around: TrainSurroundings;
  readonly #log: AdvertisingLog;
  readonly #responseLog: AdvertisingLog;
  readonly #key: number;
  readonly #anchors: Anchors;
  readonly #event = new AirEvent(() => this.#next());
  #next: () => void = () => this.#begin();
  #isDormant = true;
  #isStopped = false;
  /** The place that is next or in progress. */
  #counter = 0;
  #subevent = 0;
  #place: PeriodicPlace | undefined;
  #following: PeriodicReceiver[] = [];

  constructor(medium: Medium, around: TrainSurroundings, advertiser: PeriodicAdvertiser) {
    this.advertiser = advertiser;
    this.#medium = medium;
    this.#around = around;
    this.#log = new AdvertisingLog(medium, advertiser.accessAddress);
    this.#responseLog = new AdvertisingLog(medium, advertiser.responses?.accessAddress);
    const { radio, intervalUs, accessAddress } = advertiser;
    this.#key = mixKey(medium.seed, radio.name, accessAddress, "periodic");
    const leadUs = advertiser.isAwaited ? LEAD_US : 0;
    const delayUs = leadUs + Math.floor(draw(this.#key, -1) * Math.min(FIRST_EVENT_US, intervalUs));
    this.#anchors = new Anchors(medium.scheduler.nowUs + 1 + delayUs, this.#drifting(intervalUs));
  }

  get radio(): Radio {
    return this.advertiser.radio;
  }
  get isDormant(): boolean {
    return this.#isDormant;
  }

  stop(): void {
    this.#isStopped = true;
    this.#medium.scheduler.clear(this.#event);
    for (const receiver of this.#following.splice(0)) receiver.onPacket(undefined, this.#place!);
  }

  /** Somebody may follow it now. */
  wake(): void {
    if (!this.#isDormant || this.#isStopped || !this.#isNeeded()) return;
    this.#isDormant = false;
    const { counter } = this.nextEvent(this.#medium.scheduler.nowUs);
    this.#counter = Math.max(counter, this.#counter);
    this.#subevent = 0;
    this.#schedule(this.#startUs(this.#counter, 0), () => this.#begin());
  }

  /** The first event that begins after `timeUs`. */
  nextEvent(timeUs: number): { counter: number; startUs: number } {
    const counter = Math.max(0, this.#anchors.counterAt(timeUs) + 1);
    return { counter, startUs: this.#anchors.at(counter) };
  }

  occupies(startUs: number, endUs: number): boolean {
    const counter = this.#anchors.counterAt(endUs - 1);
    if (counter < 0 || this.#isStopped) return false;
    const { subevents, lengthUs, subeventIntervalUs } = this.advertiser;
    if (subevents === 1) return this.#anchors.at(counter) + lengthUs > startUs;
    const subevent = Math.min(subevents - 1, Math.floor((endUs - 1 - this.#anchors.at(counter)) / this.#drifting(subeventIntervalUs)));
    return this.#startUs(counter, subevent) + lengthUs > startUs;
  }

  /** Whether a train that nobody follows sends on this channel at some moment of this time. */
  sendsOn(channel: number, startUs: number, endUs: number): boolean {
    if (!this.occupies(startUs, endUs)) return false;
    const counter = this.#anchors.counterAt(endUs - 1);
    const packets = this.#chain(this.advertiser.pdus(counter, 0), counter, 0, this.#anchors.at(counter));
    return packets.some((packet) => packet.isSent && packet.channel === channel && packet.startUs < endUs && packet.endUs > startUs);
  }

  #drifting(intervalUs: number): number {
    return intervalUs * (1 + this.radio.driftPpm * 1e-6);
  }

  #startUs(counter: number, subevent: number): number {
    return this.#anchors.at(counter) + Math.round(subevent * this.#drifting(this.advertiser.subeventIntervalUs));
  }

  #isNeeded(): boolean {
    const { advertiser, radio } = this;
    // With another train on this radio, whose turn it is has to be known.
    if (!this.#medium.skipsIdle || advertiser.isAwaited || radio.trains.length > 1) return true;
    for (const receiver of this.#around.receivers(advertiser.accessAddress)) if (this.#reaches(receiver)) return true;
    return false;
  }

  #reaches({ radio: to }: PeriodicReceiver): boolean {
    const { radio, phy, gainDb } = this.advertiser;
    return to !== radio && this.#medium.isInRange(radio, to, phy, gainDb);
  }

  #schedule(timeUs: number, next: () => void): void {
    this.#next = next;
    this.#medium.scheduler.set(this.#event, timeUs);
  }

  #begin(): void {
    if (!this.#isNeeded()) {
      this.#isDormant = true;
      return;
    }
    const { advertiser } = this;
    const [counter, subevent] = [this.#counter, this.#subevent];
    const startUs = this.#medium.scheduler.nowUs;
    const packets = this.#chain(advertiser.pdus(counter, subevent), counter, subevent, startUs);
    if (this.#isStopped) return;
    const channel = periodicChannel(advertiser.accessAddress, counter, subevent, advertiser.channelMap(counter));
    const place = { counter, subevent, startUs, channel };
    this.#place = place;
    const first = packets[0];
    this.#following = [];
    for (const receiver of [...this.#around.receivers(advertiser.accessAddress)]) {
      if (!this.#reaches(receiver) || !receiver.listensTo(place)) continue;
      if (first && receiver.radio.claimForTrain(startUs, first.endUs)) this.#following.push(receiver);
      else receiver.onPacket(undefined, place);
    }
    const isFree = first !== undefined && advertiser.radio.claimForTrain(startUs, packets.at(-1)!.endUs);
    advertiser.responses?.onSent(place, isFree && first.isSent);
    if (isFree) this.#send(packets, 0);
    else this.#giveUp();
  }

  /** The rest of the event is not received by anybody. */
  #giveUp(): void {
    for (const receiver of this.#following.splice(0)) receiver.onPacket(undefined, this.#place!);
    this.#advance();
  }

  #advance(): void {
    if (this.#isStopped) return;
    const nowUs = this.#medium.scheduler.nowUs;
    do {
      if (++this.#subevent < this.advertiser.subevents) continue;
      this.#subevent = 0;
      this.#counter++;
    } while (this.#startUs(this.#counter, this.#subevent) < nowUs);
    this.#schedule(this.#startUs(this.#counter, this.#subevent), () => this.#begin());
  }

  /** The packets of a place: the first one at its time, the others behind it, or a little later where links have the radio. */
  #chain(pdus: readonly ExtendedPdu[], counter: number, subevent: number, fromUs: number): Planned[] {
    const { radio, phy, isClockAccurate, accessAddress } = this.advertiser;
    const channelMap = this.advertiser.channelMap(counter);
    const isTimed = this.#medium.mode === "radio";
    const times: { startUs: number; endUs: number; isSent: boolean }[] = [];
    let startUs = fromUs;
    for (const [i, { pdu }] of pdus.entries()) {
      const lengthUs = isTimed ? airTimeUs(phy, pdu.length - 2) : 0;
      const most = i === 0 ? 0 : PUT_OFF_TIMES;
      for (let puts = 0; puts < most && radio.isLinked(startUs, startUs + lengthUs); puts++) startUs += PUT_OFF_US;
      const isSent = !isTimed || (radio.lockedUntilUs <= startUs && !radio.isLinked(startUs, startUs + lengthUs));
      times.push({ startUs, endUs: startUs + lengthUs, isSent });
      if (isTimed) startUs += auxiliaryOffsetUs(lengthUs);
    }
    const channels = pdus.map((_, i) => periodicChannel(accessAddress, counter + 1000 * i, subevent, channelMap));
    return pdus.map(({ pdu, auxPtrAt }, i) => {
      const next = times[i + 1];
      const offsetUs = next && next.startUs - times[i]!.startUs;
      const pointer = next && { channel: channels[i + 1]!, isClockAccurate, offsetUs: offsetUs!, phy };
      return { pdu: pointer ? withAuxiliaryPointer(pdu, auxPtrAt, pointer) : pdu, channel: 3 + channels[i]!, phy, ...times[i]! };
    });
  }

  #send(packets: readonly Planned[], i: number): void {
    const packet = packets[i];
    if (!packet) {
      this.#following = [];
      this.#advance();
      return;
    }
    if (packet.isSent) this.#around.channels.record(packet.channel, packet.startUs, packet.endUs, this.radio);
    this.#schedule(packet.endUs, () => {
      const answers = this.#deliver(packet, i);
      if (this.#isStopped) return;
      if (answers.length > 0) this.#awaitAnswers(packet, answers);
      else {
        if (isConnectReq(packet.pdu)) this.advertiser.responses?.onConnectAnswer(undefined, packet.endUs);
        this.#send(packets, i + 1);
      }
    });
  }

  /** AUX_CONNECT_RSP of whoever the request was for. */
  #awaitAnswers(request: Planned, answers: readonly Answering[]): void {
    const { phy, channel, endUs: requestEndUs } = request;
    const isTimed = this.#medium.mode === "radio";
    const startUs = requestEndUs + (isTimed ? T_IFS_US : 0);
    const ends = answers.map(({ answer, radio: from }) => {
      const endUs = startUs + (isTimed ? airTimeUs(phy, answer.pdu.length - 2) : 0);
      this.#around.channels.record(channel, startUs, endUs, from);
      from.lockedUntilUs = endUs;
      return endUs;
    });
    this.#schedule(Math.max(...ends), () => {
      let heard: Uint8Array | undefined;
      for (const [i, { answer, radio: from }] of answers.entries())
        heard ??= this.#hear({ radio: from, channel, phy, startUs, endUs: ends[i]!, pdu: answer.pdu }, this.#number, STEP_ANSWER);
      const link = this.advertiser.responses?.onConnectAnswer(heard, requestEndUs);
      for (const { answer } of answers) if (link) answer.join(link);
      if (this.#isStopped) return;
      this.#following = [];
      this.#advance();
    });
  }

  /** A response was sent: whether it is in a slot that is listened to, and arrives. */
  onResponse({ channel, startUs, ...response }: PeriodicResponse, endUs: number): void {
    const { advertiser } = this;
    const { responses, subeventIntervalUs, subevents } = advertiser;
    const counter = this.#anchors.counterAt(startUs);
    if (!responses || counter < 0 || this.#isStopped) return;
    const subevent = Math.floor((startUs - this.#anchors.at(counter)) / this.#drifting(subeventIntervalUs));
    if (subevent >= subevents) return;
    const spacingUs = this.#drifting(responses.spacingUs);
    const intoUs = startUs - this.#startUs(counter, subevent) - this.#drifting(responses.delayUs);
    const slot = Math.round(intoUs / spacingUs);
    if (slot < 0 || Math.abs(intoUs - slot * spacingUs) > SLOT_SLACK_US || !responses.listensTo({ counter, subevent }, slot)) return;
    if (channel !== periodicChannel(advertiser.accessAddress, counter, subevent, advertiser.channelMap(counter))) return;
    const number = counter * subevents + subevent;
    const pdu = this.#hear({ ...response, channel: 3 + channel, startUs, endUs }, number, STEP_RESPONSE + slot);
    if (pdu) responses.onResponse(slot, pdu, this.#medium.rssiDbm(response.radio, this.radio, this.#key, number, STEP_RESPONSE + slot));
  }

  /** What the advertiser makes of a packet for it. */
  #hear({ radio: from, channel, phy, startUs, endUs, pdu }: Sent, number: number, step: number): Uint8Array | undefined {
    const { radio } = this;
    const { channels } = this.#around;
    let trouble: Trouble;
    if (radio.isLinked(startUs, endUs) || radio.isAdvertising(startUs, endUs)) trouble = "unheard";
    else if (!this.#medium.isInRange(from, radio, phy)) trouble = "lost";
    else if (channels.interference(channel, startUs, endUs, from).spoils(radio)) trouble = "collision";
    else if (!this.#medium.isReceived(from, radio, phy, this.#key, number, step)) trouble = "lost";
    const log = step >= STEP_RESPONSE ? this.#responseLog : this.#log;
    const at = { pdu, channel, phy, startUs, from };
    const heard = log.fate(at, true);
    if (!heard) trouble = "fault";
    log.writeTo({ ...at, pdu: heard ?? pdu }, radio, trouble);
    return trouble ? undefined : heard;
  }

  #deliver(packet: Planned, step: number): Answering[] {
    const { radio, advertiser } = this;
    const { channels } = this.#around;
    const { startUs, endUs, phy, channel, isSent } = packet;
    const place = this.#place!;
    const receivers = this.#around.receivers(advertiser.accessAddress);
    const listening = this.#following.filter((receiver) => receivers.has(receiver));
    const interference = isSent && listening.length > 0 ? channels.interference(channel, startUs, endUs, radio) : undefined;
    let trouble: Trouble;
    let heard: PeriodicReceiver[] = [];
    for (const receiver of listening) {
      const { radio: to } = receiver;
      if (!isSent || to.lockedUntilUs > startUs || to.isLinked(startUs, endUs)) continue;
      if (interference?.spoils(to)) trouble = "collision";
      else if (!this.#isReceived(to, step)) trouble ??= "lost";
      else heard.push(receiver);
    }
    const at = { ...packet, from: radio };
    const pdu = isSent ? this.#log.fate(at, listening.length > 0) : undefined;
    if (isSent) {
      if (!pdu) {
        heard = [];
        trouble = "fault";
      }
      this.#log.write({ ...at, pdu: pdu ?? packet.pdu }, heard, trouble, listening.length > 0);
    }
    this.#following = heard;
    const answers: Answering[] = [];
    for (const receiver of listening) {
      if (!heard.includes(receiver)) {
        receiver.onPacket(undefined, place);
        continue;
      }
      if (step > 0) receiver.radio.claimForTrain(startUs, endUs);
      const answer = receiver.onPacket({ pdu: pdu!, rssiDbm: this.#rssiDbm(receiver.radio, step), phy, isFirst: step === 0 }, place);
      if (answer) answers.push({ answer, radio: receiver.radio });
    }
    return answers;
  }

  get #number(): number {
    const { counter, subevent } = this.#place!;
    return counter * this.advertiser.subevents + subevent;
  }
  // What is drawn for a packet hangs on its place and the receiver.
  #isReceived(to: Radio, step: number): boolean {
    const { radio, phy, gainDb } = this.advertiser;
    return this.#medium.isReceived(radio, to, phy, this.#key, this.#number, step, gainDb);
  }
  #rssiDbm(to: Radio, step: number): number {
    return this.#medium.rssiDbm(this.radio, to, this.#key, this.#number, step) + this.advertiser.gainDb;
  }
}

interface Answering {
  readonly answer: PeriodicAnswer;
  readonly radio: Radio;
}

/** A packet that was sent to the advertiser. */
interface Sent {
  readonly radio: Radio;
  readonly channel: number;
  readonly phy: Phy;
  readonly startUs: number;
  readonly endUs: number;
  readonly pdu: Uint8Array;
}

const AUX_CONNECT_REQ = 5;
function isConnectReq(pdu: Uint8Array): boolean {
  return (pdu[0]! & 0x0f) === AUX_CONNECT_REQ;
}
