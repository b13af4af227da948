import { AdvertisingLog, type Trouble } from "./advertising-log.ts";
import type {
  AdvertisingAir,
  AdvertisingEvents,
  Answer,
  ExtendedAdvertiser,
  ExtendedPdu,
  Follower,
  Listener,
} from "./advertising-roles.ts";
import { draw } from "./draw.ts";
import { EventLayout, type Planned } from "./event-layout.ts";
import type { Medium } from "./medium.ts";
import { airTimeUs, type Phy, T_IFS_US } from "./phy.ts";
import type { Radio } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

/** Room for AUX_CONNECT_REQ or AUX_SCAN_REQ: payload octets. */
const LONGEST_ANSWER_OCTETS = 34;
// Places of packets in an event, for what is drawn for them.
const STEP_AUXILIARY = 100;
const STEP_ANSWER = 50;
const STEP_RESPONSE = 1000;

interface Following {
  readonly listener: Listener;
  readonly follower: Follower;
}

/** The extended advertising events of one advertising set (Vol 6 Part B 4.4.2.2.2). While none of them matters to anybody it sleeps. */
export class ExtendedAdvertisingProcess implements AdvertisingEvents {
  readonly #medium: Medium;
  readonly #channels: AdvertisingAir;
  readonly #advertiser: ExtendedAdvertiser;
  readonly #key: number;
  readonly #log: AdvertisingLog;
  readonly #layout: EventLayout;
  readonly #event = new AirEvent(() => this.#next());
  /** What happens when the event fires. */
  #next: () => void = () => this.#begin();
  #isDormant = true;
  #isStopped = false;
  /** Number of the event that is next or in progress, and when it begins as planned. */
  #number = 0;
  #eventUs: number;
  #beganUs = 0;
  #primaries: Planned[] = [];
  #train: Planned[] = [];
  #following: Following[] = [];
  #endUs = 0;
  /** Somebody answers AUX_ADV_IND, or is answered. */
  #isAnswered = false;

  constructor(medium: Medium, channels: AdvertisingAir, advertiser: ExtendedAdvertiser, key: number) {
    this.#medium = medium;
    this.#channels = channels;
    this.#advertiser = advertiser;
    this.#key = key;
    this.#log = new AdvertisingLog(medium);
    this.#layout = new EventLayout(advertiser, key);
    this.#eventUs = medium.scheduler.nowUs + (medium.mode === "radio" ? 1 + this.#delayUs(0) : 0);
  }

  get radio(): Radio {
    return this.#advertiser.radio;
  }
  get isDormant(): boolean {
    return this.#isDormant;
  }
  get isAnswerable(): boolean {
    return this.#advertiser.isAnswerable;
  }

  stop(): void {
    this.#isStopped = true;
    const { radio } = this;
    radio.advertisingUntilUs = Math.min(radio.advertisingUntilUs, this.#medium.scheduler.nowUs);
    radio.releaseAdvertising(this);
    // Whoever has answered already hears in time what becomes of it.
    if (this.#isAnswered) return;
    this.#medium.scheduler.clear(this.#event);
    this.#giveUp();
  }

  wake(mayDisturb: boolean): void {
    if (!this.#isDormant || this.#isStopped || !this.#isNeeded(mayDisturb)) return;
    this.#isDormant = false;
    const nowUs = this.#medium.scheduler.nowUs;
    while (this.#eventUs < nowUs || (this.#eventUs === nowUs && this.#medium.mode === "radio")) this.#advance();
    this.#schedule(this.#eventUs, () => this.#begin());
  }

  /** The rest of the event will not be sent. */
  #giveUp(): void {
    for (const { listener, follower } of this.#following.splice(0))
      if (this.#channels.listeners.has(listener)) follower.onPacket(undefined);
  }

  showTo(listener: Listener): void {
    const event = new AirEvent(() => {
      if (!this.#isStopped && this.#channels.listeners.has(listener)) this.#showAtOnce([listener]);
    });
    this.#medium.scheduler.set(event, this.#medium.scheduler.nowUs);
  }

  #isNeeded(mayDisturb = true): boolean {
    const { radio } = this;
    if (!this.#medium.skipsIdle || this.#advertiser.onEventDone || radio.listeners.length > 0) return true;
    return this.#channels.isHeard(radio) || (mayDisturb && this.#channels.isInTheWay(radio));
  }

  #delayUs(event: number): number {
    return Math.floor(draw(this.#key, event) * 10_000); // advDelay, Vol 6 Part B 4.4.2.2.1
  }

  #advance(): void {
    this.#number++;
    const { intervalUs, radio } = this.#advertiser;
    this.#eventUs = Math.round(this.#eventUs + intervalUs * (1 + radio.driftPpm * 1e-6)) + this.#delayUs(this.#number);
  }

  #schedule(timeUs: number, next: () => void): void {
    this.#next = next;
    this.#medium.scheduler.set(this.#event, timeUs);
  }

  #begin(): void {
    const { radio } = this;
    if (!this.#isNeeded()) {
      this.#isDormant = true;
      radio.releaseAdvertising(this);
      return;
    }
    const nowUs = this.#medium.scheduler.nowUs;
    if (this.#medium.mode === "instant") {
      this.#showAtOnce([...this.#channels.listeners]);
      if (!this.#isStopped) this.#finish();
      return;
    }
    if (!radio.claimAdvertising(this, (atUs) => this.#schedule(Math.max(atUs, this.#medium.scheduler.nowUs), () => this.#begin()))) return;
    this.#beganUs = nowUs;
    radio.advertisingFromUs = nowUs;
    radio.advertisingUntilUs = Number.POSITIVE_INFINITY;
    this.#plan(nowUs);
    this.#following = [];
    this.#nextPrimary(0);
  }

  #plan(fromUs: number): void {
    const { primaries, train } = this.#layout.event(this.#advertiser.event(), this.#number, fromUs);
    this.#primaries = primaries;
    this.#train = train;
    this.#endUs = (train.at(-1) ?? primaries.at(-1)!).endUs;
  }

  /** Sends on the primary channels that are left; stops at each that somebody listens to. */
  #nextPrimary(from: number): void {
    const { radio } = this;
    for (let i = from; i < this.#primaries.length; i++) {
      const packet = this.#primaries[i]!;
      if (!packet.isSent) continue;
      this.#channels.record(packet.channel, packet.startUs, packet.endUs, radio);
      const candidates = this.#candidates(packet);
      if (candidates.length === 0 && this.#medium.skipsIdle) continue;
      this.#schedule(packet.endUs, () => {
        this.#onPrimarySent(packet, candidates);
        this.#nextPrimary(i + 1);
      });
      return;
    }
    this.#beginTrain();
  }

  #candidates({ phy, channel, startUs, endUs }: Planned): Listener[] {
    const { radio } = this;
    const isCoded = phy > 2;
    const candidates: Listener[] = [];
    let sharesRadio = false;
    for (const listener of this.#channels.audience(radio)) {
      if (listener.onExtended === undefined || listener.radio === radio || listener.window.startUs >= this.#beganUs) continue;
      // The coding of LE Coded shows in each packet: a receiver takes both.
      if (listener.phy > 2 !== isCoded || !listener.radio.isTunedFor(listener, channel, startUs, endUs)) continue;
      if (!this.#medium.isInRange(radio, listener.radio, phy, this.#advertiser.gainDb)) continue;
      candidates.push(listener);
      sharesRadio ||= listener.radio.listeners.length > 1;
    }
    return sharesRadio ? candidates.sort((a, b) => Number(b.goesFirst) - Number(a.goesFirst)) : candidates;
  }

  #onPrimarySent(packet: Planned, candidates: readonly Listener[]): void {
    const { radio } = this;
    const { startUs, endUs, phy } = packet;
    const interference = this.#channels.interference(packet.channel, startUs, endUs, radio);
    let trouble: Trouble;
    let heard: Listener[] = [];
    for (const listener of candidates) {
      const to = listener.radio;
      if (!this.#channels.listeners.has(listener) || to.lockedUntilUs > startUs || this.#isElsewhere(to, startUs, endUs)) continue;
      if (interference.spoils(to)) trouble = "collision";
      else if (!this.#isReceived(radio, to, phy, 4 * packet.channel)) trouble ??= "lost";
      else heard.push(listener);
    }
    const at = { ...packet, from: radio };
    const pdu = this.#log.fate(at, candidates.length > 0);
    if (!pdu) {
      heard = [];
      trouble = "fault";
    }
    this.#log.write({ ...at, pdu: pdu ?? packet.pdu }, heard, trouble, candidates.length > 0);
    const first = this.#train[0];
    const last = this.#train.at(-1);
    for (const listener of heard) {
      if (this.#following.some((known) => known.listener === listener)) continue;
      const to = listener.radio;
      // A radio that is announced elsewhere for that time stays true to it; several listeners of one radio may follow together.
      const isThere = this.#following.some(({ listener: { radio: known } }) => known === to);
      if (first && last && !isThere && to.isFollowing(first.startUs, last.endUs)) continue;
      const follower = listener.onExtended!(pdu!, this.#rssiDbm(radio, to, 4 * packet.channel), phy);
      if (!follower || !first || !last) continue;
      if (!isThere) to.follow(first.startUs, last.endUs, startUs);
      this.#following.push({ listener, follower });
    }
  }

  #beginTrain(): void {
    if (this.#isStopped) return;
    if (this.#following.length === 0 && this.#medium.skipsIdle) {
      for (const { channel, startUs, endUs, isSent } of this.#train) if (isSent) this.#channels.record(channel, startUs, endUs, this.radio);
      this.#finishAt(this.#endUs);
      return;
    }
    this.#sendTrain(this.#train, 0, STEP_AUXILIARY);
  }

  #sendTrain(train: readonly Planned[], i: number, step: number): void {
    const packet = train[i];
    if (!packet) {
      this.#finishAt(this.#endUs);
      return;
    }
    if (packet.isSent) this.#channels.record(packet.channel, packet.startUs, packet.endUs, this.radio);
    this.#schedule(packet.endUs, () => {
      const isFirst = i === 0 && step === STEP_AUXILIARY;
      const answers = this.#deliver(packet, step + i, isFirst && this.#advertiser.isAnswerable);
      if (this.#isStopped) return;
      if (answers.length > 0) {
        this.#isAnswered = true;
        this.#schedule(Math.max(...answers.map(({ endUs }) => endUs)), () => this.#onAnswered(packet, answers));
      } else if (this.#following.length === 0 && this.#medium.skipsIdle) {
        for (const { channel, startUs, endUs, isSent } of train.slice(i + 1))
          if (isSent) this.#channels.record(channel, startUs, endUs, this.radio);
        this.#finishAt(this.#endUs);
      } else this.#sendTrain(train, i + 1, step);
    });
  }

  /** A packet of the train reaches those who follow. Gives what they answer. */
  #deliver(packet: Planned, step: number, isAnswerable: boolean): Answering[] {
    const { radio } = this;
    const { startUs, endUs, phy, channel, isSent } = packet;
    const listening = this.#following.filter(({ listener }) => this.#channels.listeners.has(listener));
    const interference = isSent ? this.#channels.interference(channel, startUs, endUs, radio) : undefined;
    let trouble: Trouble;
    let heard: Following[] = [];
    for (const following of listening) {
      const to = following.listener.radio;
      if (!isSent || to.lockedUntilUs > startUs || to.isBusy(startUs, endUs) || to.isAdvertising(startUs, endUs)) continue;
      if (interference?.spoils(to)) trouble = "collision";
      else if (!this.#isReceived(radio, to, phy, step)) trouble ??= "lost";
      else heard.push(following);
    }
    const at = { ...packet, from: radio };
    const pdu = isSent ? this.#log.fate(at, listening.length > 0) : undefined;
    if (isSent && !pdu) {
      heard = [];
      trouble = "fault";
    }
    if (isSent)
      this.#log.write(
        { ...at, pdu: pdu ?? packet.pdu },
        heard.map(({ listener }) => listener),
        trouble,
        listening.length > 0,
      );
    this.#following = heard;
    const answers: Answering[] = [];
    const answerUs = endUs + T_IFS_US;
    const latestUs = answerUs + airTimeUs(phy, LONGEST_ANSWER_OCTETS);
    for (const following of listening) {
      const { listener, follower } = following;
      const to = listener.radio;
      if (!heard.includes(following)) {
        follower.onPacket(undefined);
        continue;
      }
      const mayAnswer = isAnswerable && to.lockedUntilUs <= endUs && !to.isBusy(answerUs, latestUs);
      const answer = follower.onPacket({ pdu: pdu!, rssiDbm: this.#rssiDbm(radio, to, step), phy, startUs, mayAnswer });
      if (!answer || !mayAnswer) continue;
      const untilUs = answerUs + airTimeUs(phy, answer.pdu.length - 2);
      this.#channels.record(channel, answerUs, untilUs, to);
      to.lockedUntilUs = untilUs;
      answers.push({ ...following, answer, startUs: answerUs, endUs: untilUs });
    }
    return answers;
  }

  #onAnswered(packet: Planned, answers: readonly Answering[]): void {
    const { radio } = this;
    const { phy, channel } = packet;
    let response: readonly ExtendedPdu[] | undefined;
    let taken: ReturnType<ExtendedAdvertiser["onAuxConnectReq"]>;
    let winner: Answering | undefined;
    let endUs = 0;
    for (const answering of answers) {
      const from = answering.listener.radio;
      const { startUs, endUs: untilUs, answer } = answering;
      endUs = Math.max(endUs, untilUs);
      let trouble: Trouble;
      if (radio.isBusy(startUs, untilUs)) trouble = "unheard";
      else if (this.#channels.interference(channel, startUs, untilUs, from).spoils(radio)) trouble = "collision";
      else if (!this.#isReceived(from, radio, phy, STEP_ANSWER)) trouble = "lost";
      const at = { pdu: answer.pdu, channel, phy, startUs, from };
      const pdu = this.#log.fate(at, true);
      if (!pdu) trouble = "fault";
      this.#log.writeTo({ ...at, pdu: pdu ?? answer.pdu }, radio, trouble);
      if (trouble || winner || this.#isStopped) continue;
      if (answer.connect) {
        taken = this.#advertiser.onAuxConnectReq(pdu!);
        if (!taken) continue;
        response = [{ pdu: taken.pdu, auxPtrAt: -1 }];
      } else response = this.#advertiser.onAuxScanReq(pdu!);
      if (response) winner = answering;
    }
    // Whoever asked and is not answered goes its way.
    for (const answering of answers) if (answering !== winner) answering.follower.onPacket(undefined);
    this.#following = winner ? [winner] : [];
    if (!winner || !response) {
      this.#isAnswered = false;
      this.#finishAt(Math.max(endUs, this.#medium.scheduler.nowUs));
      return;
    }
    const train = this.#layout.response(response, this.#number, winner.endUs + T_IFS_US, channel);
    this.#endUs = train.at(-1)!.endUs;
    if (!taken) {
      this.#isAnswered = false;
      winner.listener.radio.follow(train[0]!.startUs, this.#endUs, winner.endUs);
      this.#sendTrain(train, 0, STEP_RESPONSE);
      return;
    }
    const only = train[0]!;
    if (only.isSent) this.#channels.record(only.channel, only.startUs, only.endUs, radio);
    const { join } = taken;
    const { answer, endUs: requestEndUs } = winner;
    this.#schedule(only.endUs, () => {
      this.#isAnswered = false;
      // Switched off before it was sent: no link at either end.
      if (this.#isStopped) {
        this.#giveUp();
        return;
      }
      this.#deliver(only, STEP_RESPONSE, false);
      const link = answer.connect!(requestEndUs, this.#following.length > 0);
      this.#following = [];
      join(link);
      if (!this.#isStopped) this.#finishAt(this.#endUs);
    });
  }

  /** The radio is free from `untilUs` on, which may be yet to come. */
  #finishAt(untilUs: number): void {
    if (this.#isStopped) return;
    this.radio.advertisingUntilUs = untilUs;
    if (this.#advertiser.onEventDone && untilUs > this.#medium.scheduler.nowUs) this.#schedule(untilUs, () => this.#finish());
    else this.#finish();
  }

  #finish(): void {
    this.#advance();
    while (this.#eventUs < this.#medium.scheduler.nowUs) this.#advance(); // passed while other sets had the radio
    this.#schedule(this.#eventUs, () => this.#begin());
    this.radio.releaseAdvertising(this);
    this.#advertiser.onEventDone?.();
  }

  #isElsewhere(to: Radio, startUs: number, endUs: number): boolean {
    return to.isBusy(startUs, endUs) || to.isAdvertising(startUs, endUs) || to.isFollowing(startUs, endUs);
  }

  /** Everything an event holds at one moment, for these listeners. */
  #showAtOnce(listeners: readonly Listener[]): void {
    const { radio } = this;
    const nowUs = this.#medium.scheduler.nowUs;
    this.#plan(nowUs);
    const primary = this.#primaries[0]!;
    const isCoded = primary.phy > 2;
    for (const listener of listeners) {
      if (this.#isStopped || listener.radio === radio || !listener.onExtended || listener.phy > 2 !== isCoded) continue;
      if (!this.#channels.listeners.has(listener) || !this.#medium.isInRange(radio, listener.radio, primary.phy, this.#advertiser.gainDb))
        continue;
      const pdu = this.#atOnce(primary, listener);
      const follower = pdu && listener.onExtended(pdu, this.#rssiDbm(radio, listener.radio, 0), primary.phy);
      if (follower) this.#followAtOnce(listener, follower);
    }
  }

  #followAtOnce(listener: Listener, follower: Follower): void {
    let train: readonly Planned[] = this.#train;
    for (let i = 0; i < train.length; i++) {
      const mayAnswer = i === 0 && train === this.#train && this.#advertiser.isAnswerable;
      const answer = this.#giveAtOnce(train[i]!, listener, follower, mayAnswer);
      if (answer === null) return;
      if (!answer || !mayAnswer) continue;
      const at = { ...train[i]!, pdu: answer.pdu, from: listener.radio };
      const pdu = this.#log.fate(at, true);
      this.#log.writeTo({ ...at, pdu: pdu ?? answer.pdu }, this.radio, pdu ? undefined : "fault");
      const taken = pdu && answer.connect ? this.#advertiser.onAuxConnectReq(pdu) : undefined;
      const response = taken ? [{ pdu: taken.pdu, auxPtrAt: -1 }] : pdu && !answer.connect ? this.#advertiser.onAuxScanReq(pdu) : undefined;
      if (!response) {
        follower.onPacket(undefined);
        return;
      }
      train = this.#layout.response(response, this.#number, at.endUs, at.channel);
      if (taken) {
        const isAnswered = this.#giveAtOnce(train[0]!, listener, follower, false) !== null;
        taken.join(answer.connect!(this.#medium.scheduler.nowUs, isAnswered));
        return;
      }
      i = -1;
    }
  }

  /** Null where a fault took the packet. */
  #giveAtOnce(packet: Planned, listener: Listener, follower: Follower, mayAnswer: boolean): Answer | undefined | null {
    const pdu = this.#atOnce(packet, listener);
    const { phy, startUs } = packet; // the time that SyncInfo counts from
    if (pdu) return follower.onPacket({ pdu, rssiDbm: this.#rssiDbm(this.radio, listener.radio, 0), phy, startUs, mayAnswer });
    follower.onPacket(undefined);
    return null;
  }

  #atOnce(packet: Planned, listener: Listener): Uint8Array | undefined {
    const at = { ...packet, startUs: this.#medium.scheduler.nowUs, from: this.radio };
    const pdu = this.#log.fate(at, true);
    this.#log.write({ ...at, pdu: pdu ?? packet.pdu }, pdu ? [listener] : [], pdu ? undefined : "fault", true);
    return pdu;
  }

  // What is drawn for a packet hangs on the event, its place in the event and the receiver.
  #isReceived(from: Radio, to: Radio, phy: Phy, step: number): boolean {
    return this.#medium.isReceived(from, to, phy, this.#key, this.#number, step, this.#gainDb(from));
  }
  /** Of what this radio sends here. */
  #gainDb(from: Radio): number {
    return from === this.#advertiser.radio ? this.#advertiser.gainDb : 0;
  }

  #rssiDbm(from: Radio, to: Radio, step: number): number {
    return this.#medium.rssiDbm(from, to, this.#key, this.#number, step) + this.#gainDb(from);
  }
}

interface Answering extends Following {
  readonly answer: Answer;
  readonly startUs: number;
  readonly endUs: number;
}
