import { mixKey } from "../core/index.ts";
import { draw } from "./draw.ts";
import type { Link } from "./link.ts";
import type { Medium } from "./medium.ts";
import { airTimeUs, Phy, T_IFS_US } from "./phy.ts";
import type { Radio } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

/** Access address of every packet on an advertising channel, Vol 6 Part B 2.1.2. */
export const ADVERTISING_ACCESS_ADDRESS = 0x8e89bed6;

/** Who sends advertising PDUs. */
export interface Advertiser {
  readonly radio: Radio;
  /** The PDU of the event that begins now: header of 2 octets, AdvA, data. */
  readonly pdu: Uint8Array;
  readonly intervalUs: number;
  /** Bits 0 to 2: channels 37, 38, 39. */
  readonly channelMap: number;
  /** Whether 0 to 10 ms are added to each interval (all but high duty cycle directed advertising), Vol 6 Part B 4.4.2.2.1. */
  readonly hasRandomDelay: boolean;
  /** Whether it listens for answers. */
  readonly isAnswerable: boolean;
  /** The SCAN_RSP, if this SCAN_REQ gets one. */
  onScanRequest(pdu: Uint8Array): Uint8Array | undefined;
  /** Takes the connection, and stops advertising, or leaves it. */
  onConnectInd(pdu: Uint8Array, link: Link): void;
}

/** What a listener sends T_IFS after a PDU: a SCAN_REQ, or a CONNECT_IND whose link begins with `connect`. */
export interface Answer {
  readonly pdu: Uint8Array;
  readonly connect?: (endUs: number) => Link;
}

/** Who listens on advertising channels. */
export interface Listener {
  readonly radio: Radio;
  readonly window: ListenWindow;
  onAdvertising(pdu: Uint8Array, rssiDbm: number): Answer | undefined;
  /** After a SCAN_REQ: its answer, or nothing in time. */
  onScanResponse(pdu: Uint8Array | undefined, rssiDbm: number): void;
}

/** When and where somebody listens: `windowUs` in every `intervalUs`, on the next channel each time (Vol 6 Part B 4.4.3). */
export class ListenWindow {
  readonly startUs: number;
  readonly intervalUs: number;
  readonly windowUs: number;
  constructor(startUs: number, intervalUs: number, windowUs: number) {
    this.startUs = startUs;
    this.intervalUs = intervalUs;
    this.windowUs = windowUs;
  }

  /** Whether a packet lies wholly inside a window on its channel, `channel` 0 to 2. */
  hears(channel: number, startUs: number, endUs: number): boolean {
    if (startUs < this.startUs) return false;
    const count = Math.floor((startUs - this.startUs) / this.intervalUs);
    return count % 3 === channel && endUs <= this.startUs + count * this.intervalUs + this.windowUs;
  }
}

/** An interferer this much weaker does no harm: the stronger packet is received all the same. */
const CAPTURE_DB = 8;
/** No packet on an advertising channel lasts so long. */
const LONGEST_US = 1000;
/** From the end of a PDU to the next channel's: long enough to hear that nobody answers. */
const GAP_ANSWERABLE_US = 400;
const GAP_US = 150;

interface Transmission {
  readonly startUs: number;
  readonly endUs: number;
  readonly radio: Radio;
}

/** The three advertising channels of an air, with who sends and who listens there. */
export class AdvertisingChannels {
  readonly #medium: Medium;
  readonly #processes = new Map<Advertiser, AdvertisingProcess>();
  readonly listeners = new Set<Listener>();
  #transmissions: Transmission[][] = [[], [], []];

  constructor(medium: Medium) {
    this.#medium = medium;
    medium.onPathChange(() => this.#wakeAll());
  }

  /** The first event comes after a random delay of its own. */
  advertise(advertiser: Advertiser): Disposable {
    const { radio } = advertiser;
    const key = mixKey(this.#medium.seed, radio.name, ++radio.advertisingCount, "advertising");
    const process = new AdvertisingProcess(this.#medium, this, advertiser, key);
    this.#processes.set(advertiser, process);
    process.wake();
    return {
      [Symbol.dispose]: () => {
        this.#processes.delete(advertiser);
        process.stop();
        const nowUs = this.#medium.scheduler.nowUs;
        this.#transmissions = this.#transmissions.map((channel) =>
          channel.filter(({ radio, startUs }) => radio !== advertiser.radio || startUs <= nowUs),
        );
      },
    };
  }

  listen(listener: Listener): Disposable {
    this.listeners.add(listener);
    this.#wakeAll();
    if (this.#medium.mode === "instant") for (const process of this.#processes.values()) process.showTo(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  #wakeAll(): void {
    for (const process of this.#processes.values()) process.wake();
  }

  record(channel: number, startUs: number, endUs: number, radio: Radio): void {
    const transmissions = this.#transmissions[channel]!;
    transmissions.push({ startUs, endUs, radio });
    if (transmissions.length >= 64 && transmissions.length % 64 === 0) {
      // Events are recorded ahead, up to the length of one; what ended before that can no longer overlap.
      const oldUs = this.#medium.scheduler.nowUs - 20 * LONGEST_US;
      this.#transmissions[channel] = transmissions.filter(({ endUs: end }) => end > oldUs);
    }
  }

  /** Whether another transmission of comparable strength overlaps at the receiver. */
  isCollided(channel: number, startUs: number, endUs: number, from: Radio, to: Radio): boolean {
    const signalDbm = this.#medium.meanDbm(from, to);
    for (const other of this.#transmissions[channel]!) {
      if (other.endUs <= startUs || other.startUs >= endUs || other.radio === from || other.radio === to) continue;
      if (this.#medium.isInRange(other.radio, to) && this.#medium.meanDbm(other.radio, to) > signalDbm - CAPTURE_DB) return true;
    }
    return false;
  }
}

/** The advertising events of one advertiser. While no listener is in range it sleeps and counts its events afterwards. */
class AdvertisingProcess {
  readonly #medium: Medium;
  readonly #channels: AdvertisingChannels;
  readonly #advertiser: Advertiser;
  readonly #key: number;
  readonly #event = new AirEvent(() => this.#fire());
  #stage: "begin" | "sent" | "answered" | "responded" = "begin";
  #isDormant = true;
  #isStopped = false;
  /** Number of the event that is next or in progress, and when it begins. */
  #number = 0;
  #eventUs: number;
  #channel = 0;
  /** Channels of this event on which the own links leave time to send; decided at its beginning. */
  #free = 0;
  #pdu: Uint8Array = new Uint8Array(0);
  #startUs = 0;
  #endUs = 0;
  #candidates: Listener[] = [];
  #answers: { listener: Listener; answer: Answer; startUs: number; endUs: number }[] = [];
  #response: Uint8Array | undefined;

  constructor(medium: Medium, channels: AdvertisingChannels, advertiser: Advertiser, key: number) {
    this.#medium = medium;
    this.#channels = channels;
    this.#advertiser = advertiser;
    this.#key = key;
    this.#eventUs = medium.scheduler.nowUs + (medium.mode === "radio" ? 1 + this.#delayUs(0) : 0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#medium.scheduler.clear(this.#event);
  }

  /** Somebody may be listening now. */
  wake(): void {
    if (!this.#isDormant || this.#isStopped || !this.#isHeard()) return;
    this.#isDormant = false;
    const nowUs = this.#medium.scheduler.nowUs;
    while (this.#eventUs < nowUs || (this.#eventUs === nowUs && this.#medium.mode === "radio")) this.#advance();
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

  #isHeard(): boolean {
    if (!this.#medium.skipsIdle) return true;
    const { radio } = this.#advertiser;
    for (const listener of this.#channels.listeners)
      if (listener.radio !== radio && this.#medium.isInRange(radio, listener.radio)) return true;
    return false;
  }

  #delayUs(event: number): number {
    return this.#advertiser.hasRandomDelay ? Math.floor(draw(this.#key, event) * 10_000) : 0; // advDelay, Vol 6 Part B 4.4.2.2.1
  }

  #advance(): void {
    this.#number++;
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
    if (!this.#isHeard()) {
      this.#isDormant = true;
      return;
    }
    if (this.#medium.mode === "instant") {
      this.#showAtOnce([...this.#channels.listeners]);
      if (!this.#isStopped) this.#finish();
      return;
    }
    this.#pdu = this.#advertiser.pdu;
    const periodUs = airTimeUs(Phy.Le1M, this.#pdu.length - 2) + this.#gapUs;
    this.#free = 0;
    for (let i = 0, atUs = this.#eventUs; i < 3; i++) {
      if (!((this.#advertiser.channelMap >> i) & 1)) continue;
      if (!this.#advertiser.radio.isBusy(atUs, atUs + periodUs)) this.#free |= 1 << i;
      atUs += periodUs;
    }
    this.#channel = -1;
    this.#nextChannel(this.#eventUs);
  }

  /** Sends on the channels that are left; stops at each that somebody listens to. */
  #nextChannel(fromUs: number): void {
    const { radio, channelMap } = this.#advertiser;
    const lengthUs = airTimeUs(Phy.Le1M, this.#pdu.length - 2);
    let startUs = fromUs;
    while (++this.#channel < 3) {
      if (!((channelMap >> this.#channel) & 1)) continue;
      const endUs = startUs + lengthUs;
      if ((this.#free >> this.#channel) & 1) {
        this.#channels.record(this.#channel, startUs, endUs, radio);
        this.#candidates = [];
        for (const listener of this.#channels.listeners) {
          // Who joined during this event waits for the next one, so that it does not matter which of them were passed over.
          if (listener.radio === radio || listener.window.startUs >= this.#eventUs) continue;
          if (listener.window.hears(this.#channel, startUs, endUs) && this.#medium.isInRange(radio, listener.radio))
            this.#candidates.push(listener);
        }
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
    this.#finish();
  }

  get #gapUs(): number {
    return this.#advertiser.isAnswerable ? GAP_ANSWERABLE_US : GAP_US;
  }

  #goOn(afterUs: number): void {
    if (!this.#isStopped) this.#nextChannel(afterUs + this.#gapUs);
  }

  #finish(): void {
    this.#advance();
    this.#stage = "begin";
    this.#medium.scheduler.set(this.#event, this.#eventUs);
  }

  #onSent(): void {
    const [startUs, endUs] = [this.#startUs, this.#endUs];
    const { radio } = this.#advertiser;
    let trouble: "lost" | "collision" | "fault" | undefined;
    let heard: Listener[] = [];
    for (const listener of this.#candidates) {
      const to = listener.radio;
      if (!this.#channels.listeners.has(listener) || to.lockedUntilUs > startUs || to.isBusy(startUs, endUs)) continue;
      if (this.#channels.isCollided(this.#channel, startUs, endUs, radio, to)) trouble = "collision";
      else if (!this.#isReceived(radio, to, 0)) trouble ??= "lost";
      else heard.push(listener);
    }
    const pdu = this.#afterHooks(this.#pdu, radio, startUs, this.#candidates.length > 0);
    if (!pdu) {
      heard = [];
      trouble = "fault";
    }
    this.#trace(pdu ?? this.#pdu, radio, startUs, heard, trouble);
    this.#answers = [];
    const answerUs = endUs + T_IFS_US;
    for (const listener of heard) {
      const answer = listener.onAdvertising(pdu!, this.#rssiDbm(radio, listener.radio, 0));
      if (!answer || !this.#advertiser.isAnswerable) continue;
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
      let trouble: "lost" | "collision" | "fault" | undefined;
      if (this.#channels.isCollided(this.#channel, startUs, untilUs, from, radio)) trouble = "collision";
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
    if (!response) {
      this.#tellRequesters(undefined, endUs);
      this.#goOn(endUs);
      return;
    }
    this.#response = response;
    this.#startUs = endUs + T_IFS_US;
    this.#endUs = this.#startUs + airTimeUs(Phy.Le1M, response.length - 2);
    this.#channels.record(this.#channel, this.#startUs, this.#endUs, radio);
    this.#stage = "responded";
    this.#medium.scheduler.set(this.#event, this.#endUs);
  }

  #onResponded(): void {
    this.#tellRequesters(this.#response, this.#endUs);
    this.#goOn(this.#endUs);
  }

  #tellRequesters(response: Uint8Array | undefined, endUs: number): void {
    const { radio } = this.#advertiser;
    const pdu = response ? this.#afterHooks(response, radio, this.#startUs, true) : undefined;
    const requesters = this.#answers.filter(({ answer, listener }) => !answer.connect && this.#channels.listeners.has(listener));
    const heard: Listener[] = [];
    let trouble: "lost" | "collision" | "fault" | undefined = response && !pdu ? "fault" : undefined;
    for (const { listener } of requesters) {
      if (!pdu) continue;
      if (this.#channels.isCollided(this.#channel, this.#startUs, endUs, radio, listener.radio)) trouble = "collision";
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
      if (this.#isStopped || listener.radio === radio || !this.#channels.listeners.has(listener)) continue;
      if (!this.#medium.isInRange(radio, listener.radio)) continue;
      const pdu = this.#afterHooks(this.#advertiser.pdu, radio, nowUs, true);
      this.#trace(pdu ?? this.#advertiser.pdu, radio, nowUs, pdu ? [listener] : [], pdu ? undefined : "fault");
      if (!pdu) continue;
      const answer = listener.onAdvertising(pdu, this.#rssiDbm(radio, listener.radio, 0));
      if (!answer || !isAnswerable) continue;
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
    return this.#medium.isReceived(from, to, Phy.Le1M, this.#key, this.#number, 4 * this.#channel + step);
  }
  #rssiDbm(from: Radio, to: Radio, step: number): number {
    return this.#medium.rssiDbm(from, to, this.#key, this.#number, 4 * this.#channel + step);
  }

  /** The PDU as fault hooks leave it; nothing when they lose it. */
  #afterHooks(pdu: Uint8Array, from: Radio, timeUs: number, isListenedTo: boolean): Uint8Array | undefined {
    if (!this.#medium.hasHooks || (!isListenedTo && this.#medium.skipsIdle)) return pdu;
    const packet = { timeUs, from: from.name, to: undefined, channel: 37 + this.#channel, phy: Phy.Le1M, pdu };
    const fault = this.#medium.fate({ ...packet, accessAddress: ADVERTISING_ACCESS_ADDRESS });
    if (fault === undefined) return pdu;
    return typeof fault === "object" && "deliver" in fault && fault.deliver.length >= 2 ? fault.deliver : undefined;
  }

  #trace(pdu: Uint8Array, from: Radio, timeUs: number, heard: readonly Listener[], trouble: "lost" | "collision" | "fault" | undefined) {
    if (this.#medium.trace.isOn && (this.#candidates.length > 0 || heard.length > 0 || !this.#medium.skipsIdle))
      this.#record(
        pdu,
        from,
        timeUs,
        heard.map(({ radio }) => radio.name),
        trouble,
      );
  }

  #traceTo(pdu: Uint8Array, from: Radio, timeUs: number, to: Radio, trouble: "lost" | "collision" | "fault" | undefined): void {
    if (this.#medium.trace.isOn) this.#record(pdu, from, timeUs, trouble ? [] : [to.name], trouble);
  }

  #record(
    pdu: Uint8Array,
    from: Radio,
    timeUs: number,
    receivedBy: readonly string[],
    trouble: "lost" | "collision" | "unheard" | "fault" | undefined,
  ): void {
    this.#medium.trace.add({
      kind: "air",
      timeUs,
      from: from.name,
      receivedBy: [...receivedBy],
      trouble: trouble ?? (receivedBy.length === 0 ? "unheard" : undefined),
      channel: 37 + this.#channel,
      phy: Phy.Le1M,
      accessAddress: ADVERTISING_ACCESS_ADDRESS,
      pdu: pdu.slice(),
    });
  }
}
