import { AdvertisingLog, type Trouble } from "./advertising-log.ts";
import type { Advertiser, AdvertisingAir, AdvertisingEvents, Answer, Listener } from "./advertising-roles.ts";
import { draw } from "./draw.ts";
import type { Medium } from "./medium.ts";
import { airTimeUs, Phy, T_IFS_US } from "./phy.ts";
import type { Radio } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

/** A CONNECT_IND, the longest answer. */
const LONGEST_ANSWER_US = airTimeUs(Phy.Le1M, 34);
/** From the end of a PDU to the next channel's: long enough to hear that nobody answers. */
const GAP_ANSWERABLE_US = 400;
const GAP_US = 150;

/** So many listeners are asked faster one by one. */
const FEW = 8;
/** For all who were heard by nobody; never added to. */
const NOBODY: Listener[] = [];

/** The advertising events of one advertiser. While none of them matters to anybody it sleeps and counts them afterwards. */
export class AdvertisingProcess implements AdvertisingEvents {
  readonly #medium: Medium;
  readonly #channels: AdvertisingAir;
  readonly #advertiser: Advertiser;
  readonly #key: number;
  readonly #log: AdvertisingLog;
  readonly #event = new AirEvent(() => this.#fire());
  readonly #onClaimed = (atUs: number): void => {
    this.#medium.scheduler.set(this.#event, Math.max(atUs, this.#medium.scheduler.nowUs));
  };
  #stage: "begin" | "sent" | "answered" | "responded" = "begin";
  #isDormant = true;
  #isStopped = false;
  /** When the event in progress began: as planned, or once the radio was free of another set's. */
  #beganUs = 0;
  /** Number of the event that is next or in progress, and when it begins. */
  #number = 0;
  #eventUs: number;
  /** When the one before began. */
  #previousUs = 0;
  #channel = 0;
  /** Channels of this event on which the radio has time to send; decided at its beginning, and again behind an answer. */
  #free = 0;
  #pdu: Uint8Array = new Uint8Array(0);
  #startUs = 0;
  #endUs = 0;
  /** Who listens in range, as of this version of the audiences. */
  #audience: readonly Listener[] = [];
  #audienceVersion = -1;
  #candidates: readonly Listener[] = [];
  #answers: { listener: Listener; answer: Answer; startUs: number; endUs: number }[] = [];
  #response: Uint8Array | undefined;

  constructor(medium: Medium, channels: AdvertisingAir, advertiser: Advertiser, key: number) {
    this.#medium = medium;
    this.#channels = channels;
    this.#advertiser = advertiser;
    this.#key = key;
    this.#log = new AdvertisingLog(medium);
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
    // Whoever has answered already hears what becomes of it: a CONNECT_IND on its way makes a link at its end.
    if (this.#stage === "begin" || this.#stage === "sent") this.#medium.scheduler.clear(this.#event);
    const { radio } = this.#advertiser;
    radio.advertisingUntilUs = Math.min(radio.advertisingUntilUs, this.#medium.scheduler.nowUs);
    radio.releaseAdvertising(this);
  }

  /** Somebody may be listening now. */
  wake(mayDisturb: boolean): void {
    if (!this.#isDormant || this.#isStopped || !this.#isNeeded(mayDisturb)) return;
    this.#isDormant = false;
    const nowUs = this.#medium.scheduler.nowUs;
    const number = this.#number;
    while (this.#eventUs < nowUs || (this.#eventUs === nowUs && this.#medium.mode === "radio")) this.#advance();
    if (this.#number > number && this.#medium.mode === "radio") this.#catchUp(nowUs);
    this.#stage = "begin";
    this.#medium.scheduler.set(this.#event, this.#eventUs);
  }

  /** In an air without radio time a new listener need not wait for the next event. */
  showTo(listener: Listener): void {
    const event = new AirEvent(() => {
      if (!this.#isStopped && this.#channels.listeners.has(listener)) this.#showAtOnce([listener]);
    });
    this.#medium.scheduler.set(event, this.#medium.scheduler.nowUs);
  }

  /** Whether it makes a difference to anybody: to who listens, to who could not hear through it, or to the own radio, which else listens. */
  #isNeeded(mayDisturb = true): boolean {
    const { radio } = this.#advertiser;
    if (!this.#medium.skipsIdle || this.#advertiser.onEventDone || radio.listeners.length > 0) return true;
    return this.#currentAudience().length > 0 || (mayDisturb && this.#channels.isInTheWay(radio));
  }

  /** Puts on the air what the event that is just going on, and was slept through, has sent or will send. */
  #catchUp(nowUs: number): void {
    const { radio, channelMap, pdu } = this.#advertiser;
    this.#pdu = pdu;
    if (this.#previousUs + 3 * this.#periodUs <= nowUs) return;
    let startUs = this.#previousUs;
    for (let channel = 0; channel < 3; channel++) {
      if (!((channelMap >> channel) & 1)) continue;
      const endUs = startUs + this.#periodUs - this.#gapUs;
      if (!radio.isBusy(startUs, startUs + this.#periodUs)) this.#channels.record(channel, startUs, endUs, radio);
      startUs += this.#periodUs;
    }
    radio.advertisingFromUs = this.#previousUs;
    radio.advertisingUntilUs = startUs;
  }

  #delayUs(event: number): number {
    return this.#advertiser.hasRandomDelay ? Math.floor(draw(this.#key, event) * 10_000) : 0; // advDelay, Vol 6 Part B 4.4.2.2.1
  }

  #advance(): void {
    this.#number++;
    this.#previousUs = this.#eventUs;
    const { intervalUs, radio } = this.#advertiser;
    this.#eventUs = Math.round(this.#eventUs + intervalUs * (1 + radio.driftPpm * 1e-6)) + this.#delayUs(this.#number);
  }

  #fire(): void {
    if (this.#stage === "begin") this.#begin();
    else if (this.#stage === "sent") this.#onSent();
    else if (this.#stage === "answered") this.#onAnswered();
    else this.#onResponded();
  }

  #begin(): void {
    if (!this.#isNeeded()) {
      this.#isDormant = true;
      this.#advertiser.radio.releaseAdvertising(this);
      return;
    }
    if (this.#medium.mode === "instant") {
      this.#showAtOnce([...this.#channels.listeners]);
      if (!this.#isStopped) this.#finish();
      return;
    }
    const { radio } = this.#advertiser;
    if (!radio.claimAdvertising(this, this.#onClaimed)) return;
    this.#pdu = this.#advertiser.pdu;
    this.#beganUs = this.#medium.scheduler.nowUs;
    radio.advertisingFromUs = this.#beganUs;
    radio.advertisingUntilUs = Number.POSITIVE_INFINITY;
    this.#channel = -1;
    this.#findFree(this.#beganUs);
    this.#nextChannel(this.#beganUs);
  }

  /** One PDU and what is kept free behind it. */
  get #periodUs(): number {
    return airTimeUs(Phy.Le1M, this.#pdu.length - 2) + this.#gapUs;
  }

  /** Which of the channels that are left the radio has time for: its links, and an answer of its own as a scanner, come first. */
  #findFree(fromUs: number): void {
    const { radio, channelMap } = this.#advertiser;
    const periodUs = this.#periodUs;
    this.#free = 0;
    for (let channel = this.#channel + 1, atUs = fromUs; channel < 3; channel++) {
      if (!((channelMap >> channel) & 1)) continue;
      if (radio.lockedUntilUs <= atUs && !radio.isBusy(atUs, atUs + periodUs)) this.#free |= 1 << channel;
      atUs += periodUs;
    }
  }

  #currentAudience(): readonly Listener[] {
    if (this.#audienceVersion !== this.#channels.audienceVersion) {
      this.#audience = this.#channels.audience(this.#advertiser.radio);
      this.#audienceVersion = this.#channels.audienceVersion;
    }
    return this.#audience;
  }

  /** Sends on the channels that are left; stops at each that somebody listens to. */
  #nextChannel(fromUs: number): void {
    const { radio, channelMap, gainDb = 0 } = this.#advertiser;
    const lengthUs = airTimeUs(Phy.Le1M, this.#pdu.length - 2);
    let startUs = fromUs;
    while (++this.#channel < 3) {
      if (!((channelMap >> this.#channel) & 1)) continue;
      const endUs = startUs + lengthUs;
      if ((this.#free >> this.#channel) & 1) {
        this.#channels.record(this.#channel, startUs, endUs, radio);
        this.#candidates = this.#listening(startUs, endUs, gainDb);
        if (this.#candidates.length > 0 || !this.#medium.skipsIdle) {
          this.#startUs = startUs;
          this.#endUs = endUs;
          this.#stage = "sent";
          this.#medium.scheduler.set(this.#event, endUs);
          return;
        }
      }
      startUs = endUs + this.#gapUs;
    }
    radio.advertisingUntilUs = startUs;
    this.#finish();
  }

  /** Who may hear a packet on the present channel, who initiates before who scans. */
  #listening(startUs: number, endUs: number, gainDb: number): readonly Listener[] {
    const { radio } = this.#advertiser;
    const audience = this.#currentAudience();
    const tuned = audience.length > FEW ? this.#channels.tuned(this.#channel, startUs, endUs) : undefined;
    const isOfTuned = tuned !== undefined && tuned.listeners.length <= audience.length;
    const listeners = isOfTuned ? tuned.listeners : audience; // both in the same order
    if (listeners.length === 0) return NOBODY;
    // At full power the whole audience is in range, and so are all that listen where they are the audience.
    const mayBeOutOfRange = gainDb < 0 || (isOfTuned && audience.length < this.#channels.listeners.size);
    // Where all hear all, most packets: in a crowd of 1,000 asking each listener was a tenth of the cost.
    if (isOfTuned && tuned.areSure && tuned.latestUs < this.#beganUs && !mayBeOutOfRange) return listeners;
    const candidates: Listener[] = [];
    let sharesRadio = false;
    for (let i = 0; i < listeners.length; i++) {
      const listener = listeners[i]!;
      // Who joined during this event waits for the next one, so that it does not matter which of them were passed over.
      if (listener.phy !== Phy.Le1M || listener.window.startUs >= this.#beganUs) continue;
      const to = listener.radio;
      if (!(isOfTuned && tuned.isSure[i]!) && !to.isTunedFor(listener, this.#channel, startUs, endUs)) continue;
      if (mayBeOutOfRange && (to === radio || !this.#medium.isInRange(radio, to, Phy.Le1M, gainDb))) continue;
      candidates.push(listener);
      sharesRadio ||= to.listeners.length > 1;
    }
    if (sharesRadio) candidates.sort((a, b) => Number(b.goesFirst) - Number(a.goesFirst));
    return candidates;
  }

  get #gapUs(): number {
    return this.#advertiser.isAnswerable ? GAP_ANSWERABLE_US : GAP_US;
  }

  #goOn(afterUs: number, isBehindAnswer = false): void {
    if (this.#isStopped) return;
    if (isBehindAnswer) this.#findFree(afterUs + this.#gapUs);
    this.#nextChannel(afterUs + this.#gapUs);
  }

  #finish(): void {
    this.#advance();
    while (this.#eventUs < this.#medium.scheduler.nowUs) this.#advance(); // passed while other sets had the radio
    this.#stage = "begin";
    this.#medium.scheduler.set(this.#event, this.#eventUs);
    this.#advertiser.radio.releaseAdvertising(this);
    this.#advertiser.onEventDone?.();
  }

  #onSent(): void {
    const [startUs, endUs] = [this.#startUs, this.#endUs];
    const { radio } = this.#advertiser;
    let trouble: Trouble;
    let heard: Listener[] = NOBODY;
    const interference = this.#channels.interference(this.#channel, startUs, endUs, radio);
    for (const listener of this.#candidates) {
      const to = listener.radio;
      const isCollided = interference.spoils(to);
      if (isCollided && trouble === "collision") continue; // known already; in a crowd most packets collide
      if (!this.#channels.listeners.has(listener) || to.lockedUntilUs > startUs) continue;
      if (to.isBusy(startUs, endUs) || to.isAdvertising(startUs, endUs) || to.isFollowing(startUs, endUs)) continue;
      if (isCollided) trouble = "collision";
      else if (!this.#isReceived(radio, to, 0)) trouble ??= "lost";
      else if (heard.length === 0) heard = [listener];
      else heard.push(listener);
    }
    const pdu = this.#afterHooks(this.#pdu, radio, startUs, this.#candidates.length > 0);
    if (!pdu) {
      heard = NOBODY;
      trouble = "fault";
    }
    this.#trace(pdu ?? this.#pdu, radio, startUs, heard, trouble);
    if (this.#answers.length > 0) this.#answers = [];
    const answerUs = endUs + T_IFS_US;
    for (const listener of heard) {
      const to = listener.radio;
      // Not where a link needs the radio meanwhile, or another listener of the same radio answers already.
      const answerEndUs = answerUs + LONGEST_ANSWER_US;
      const hasTime = to.lockedUntilUs <= endUs && !to.isBusy(answerUs, answerEndUs) && !to.isFollowing(answerUs, answerEndUs);
      const answer = listener.onAdvertising(pdu!, this.#rssiDbm(radio, to, 0), hasTime && this.#advertiser.isAnswerable);
      if (!answer) continue;
      const untilUs = answerUs + airTimeUs(Phy.Le1M, answer.pdu.length - 2);
      this.#channels.record(this.#channel, answerUs, untilUs, listener.radio);
      // Whoever asks for a SCAN_RSP stays for it.
      listener.radio.lockedUntilUs = answer.connect ? untilUs : untilUs + T_IFS_US + airTimeUs(Phy.Le1M, 37);
      this.#answers.push({ listener, answer, startUs: answerUs, endUs: untilUs });
    }
    if (this.#answers.length === 0) {
      this.#goOn(endUs);
      return;
    }
    this.#stage = "answered";
    this.#medium.scheduler.set(this.#event, Math.max(...this.#answers.map((answer) => answer.endUs)));
  }

  #onAnswered(): void {
    const { radio } = this.#advertiser;
    let response: Uint8Array | undefined;
    let endUs = 0;
    // Several answers at a time collide, unless one is much stronger; then it is the one that counts.
    for (const { listener, answer, startUs, endUs: untilUs } of this.#answers) {
      const from = listener.radio;
      endUs = Math.max(endUs, untilUs);
      let trouble: Trouble;
      const interference = this.#channels.interference(this.#channel, startUs, untilUs, from);
      if (radio.isBusy(startUs, untilUs)) trouble = "unheard";
      else if (interference.spoils(radio)) trouble = "collision";
      else if (!this.#isReceived(from, radio, 1)) trouble = "lost";
      const pdu = this.#afterHooks(answer.pdu, from, startUs, true);
      if (!pdu) trouble = "fault";
      this.#traceTo(pdu ?? answer.pdu, from, startUs, radio, trouble);
      const link = answer.connect?.(untilUs); // begins whether or not the advertiser knows of it
      if (trouble || this.#isStopped) continue;
      if (link) this.#advertiser.onConnectInd(pdu!, link);
      else response = this.#advertiser.onScanRequest(pdu!);
    }
    if (this.#isStopped) {
      this.#tellRequesters(undefined, endUs);
      return;
    }
    const responseUs = endUs + T_IFS_US;
    const responseEndUs = responseUs + airTimeUs(Phy.Le1M, (response?.length ?? 0) - 2);
    if (!response || radio.isBusy(responseUs, responseEndUs)) {
      this.#tellRequesters(undefined, endUs);
      this.#goOn(endUs, true);
      return;
    }
    this.#response = response;
    this.#startUs = responseUs;
    this.#endUs = responseEndUs;
    this.#channels.record(this.#channel, this.#startUs, this.#endUs, radio);
    this.#stage = "responded";
    this.#medium.scheduler.set(this.#event, this.#endUs);
  }

  #onResponded(): void {
    this.#tellRequesters(this.#response, this.#endUs);
    this.#goOn(this.#endUs, true);
  }

  #tellRequesters(response: Uint8Array | undefined, endUs: number): void {
    const { radio } = this.#advertiser;
    const pdu = response ? this.#afterHooks(response, radio, this.#startUs, true) : undefined;
    const requesters = this.#answers.filter(({ answer, listener }) => !answer.connect && this.#channels.listeners.has(listener));
    const heard: Listener[] = [];
    const interference = this.#channels.interference(this.#channel, this.#startUs, endUs, radio);
    let trouble: Trouble = response && !pdu ? "fault" : undefined;
    for (const { listener } of requesters) {
      if (!pdu || listener.radio.isBusy(this.#startUs, endUs)) continue;
      if (interference.spoils(listener.radio)) trouble = "collision";
      else if (!this.#isReceived(radio, listener.radio, 2)) trouble ??= "lost";
      else heard.push(listener);
    }
    if (response) this.#trace(pdu ?? response, radio, this.#startUs, heard, trouble);
    for (const { listener } of requesters)
      listener.onScanResponse(heard.includes(listener) ? pdu : undefined, this.#rssiDbm(radio, listener.radio, 2));
    this.#answers = [];
    this.#response = undefined;
  }

  /** Everything an event holds at one moment, on one channel, for these listeners. */
  #showAtOnce(listeners: readonly Listener[]): void {
    const { radio, isAnswerable } = this.#advertiser;
    const nowUs = this.#medium.scheduler.nowUs;
    this.#channel = 0;
    for (const listener of listeners) {
      if (this.#isStopped || listener.radio === radio || listener.phy !== Phy.Le1M || !this.#channels.listeners.has(listener)) continue;
      if (!this.#medium.isInRange(radio, listener.radio, Phy.Le1M, this.#advertiser.gainDb)) continue;
      const pdu = this.#afterHooks(this.#advertiser.pdu, radio, nowUs, true);
      this.#trace(pdu ?? this.#advertiser.pdu, radio, nowUs, pdu ? [listener] : [], pdu ? undefined : "fault");
      if (!pdu) continue;
      const answer = listener.onAdvertising(pdu, this.#rssiDbm(radio, listener.radio, 0), isAnswerable);
      if (!answer) continue;
      const heard = this.#afterHooks(answer.pdu, listener.radio, nowUs, true);
      this.#traceTo(heard ?? answer.pdu, listener.radio, nowUs, radio, heard ? undefined : "fault");
      if (answer.connect) {
        const link = answer.connect(nowUs);
        if (heard) this.#advertiser.onConnectInd(heard, link);
        continue;
      }
      const response = heard && this.#advertiser.onScanRequest(heard);
      const arrived = response && this.#afterHooks(response, radio, nowUs, true);
      if (response) this.#trace(arrived ?? response, radio, nowUs, arrived ? [listener] : [], arrived ? undefined : "fault");
      listener.onScanResponse(arrived, this.#rssiDbm(radio, listener.radio, 2));
    }
  }

  // What is drawn for a packet hangs on the event, the channel, its place in the event and the receiver.
  #isReceived(from: Radio, to: Radio, step: number): boolean {
    return this.#medium.isReceived(from, to, Phy.Le1M, this.#key, this.#number, 4 * this.#channel + step, this.#gainDb(from));
  }
  /** Of what this radio sends here. */
  #gainDb(from: Radio): number {
    return from === this.#advertiser.radio ? (this.#advertiser.gainDb ?? 0) : 0;
  }

  #rssiDbm(from: Radio, to: Radio, step: number): number {
    return this.#medium.rssiDbm(from, to, this.#key, this.#number, 4 * this.#channel + step) + this.#gainDb(from);
  }

  /** The PDU as fault hooks leave it; nothing when they lose it. */
  #afterHooks(pdu: Uint8Array, from: Radio, timeUs: number, isListenedTo: boolean): Uint8Array | undefined {
    if (!this.#medium.hasHooks) return pdu;
    return this.#log.fate({ pdu, channel: this.#channel, phy: Phy.Le1M, startUs: timeUs, from }, isListenedTo);
  }

  #trace(pdu: Uint8Array, from: Radio, timeUs: number, heard: readonly Listener[], trouble: Trouble): void {
    if (!this.#medium.trace.isOn) return;
    this.#log.write({ pdu, channel: this.#channel, phy: Phy.Le1M, startUs: timeUs, from }, heard, trouble, this.#candidates.length > 0);
  }

  #traceTo(pdu: Uint8Array, from: Radio, timeUs: number, to: Radio, trouble: Trouble): void {
    this.#log.writeTo({ pdu, channel: this.#channel, phy: Phy.Le1M, startUs: timeUs, from }, to, trouble);
  }
}
