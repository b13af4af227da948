import { Anchors } from "./anchors.ts";
import { channelIdentifier, selectChannel } from "./channel-selection.ts";
import { EVENTS_TO_ESTABLISH, type LinkSetup } from "./link.ts";
import type { LinkSide } from "./link-side.ts";
import { airTimeUs, Phy, T_IFS_US } from "./phy.ts";
import type { Radio } from "./radio.ts";

/** What both timers of the peers may be off beside their drift, Vol 6 Part B 4.2.1. */
const JITTER_US = 16;

/**
 * What the two ends of a link have agreed on: when connection events begin, on which channel and PHY, which of them the peripheral attends,
 * how long silence may last, and what changes at an instant (Vol 6 Part B 4.5, 5.1). It moves no packet.
 */
export class LinkSchedule {
  readonly #central: LinkSide;
  readonly #peripheral: LinkSide;
  readonly #hop: number;
  /** Of Channel Selection Algorithm #2, where the link uses it. */
  readonly #channelIdentifier: number | undefined;
  readonly #centralRadio: Radio;
  readonly #anchors: Anchors;
  #timeoutUs: number;
  #channelMap: Uint8Array;
  latency: number;
  phyCentral: Phy = Phy.Le1M;
  phyPeripheral: Phy = Phy.Le1M;
  /** Of the connection event in progress or the last one, not wrapped; -1 before the first. */
  counter = -1;
  nextAnchorUs: number;
  /** The two follow different times since an instant of which only one knew: they do not meet again. */
  isApart = false;
  #lastAttended = -1;
  #heardLastAnchor = false;
  #lastHeardAnchorUs: number;

  /** @param nowUs when CONNECT_IND ended, the last time that the peripheral heard its central */
  constructor(setup: LinkSetup, central: LinkSide, peripheral: LinkSide, nowUs: number) {
    this.#central = central;
    this.#peripheral = peripheral;
    this.#hop = setup.hop;
    if (setup.usesAlgorithm2) this.#channelIdentifier = channelIdentifier(setup.accessAddress);
    if (setup.phy) this.phyCentral = this.phyPeripheral = setup.phy;
    this.#centralRadio = setup.central.radio;
    this.#anchors = new Anchors(setup.firstAnchorUs, this.#drifting(setup.intervalUs));
    this.#timeoutUs = setup.supervisionTimeoutUs;
    this.#channelMap = setup.channelMap;
    this.latency = setup.latency;
    this.nextAnchorUs = setup.firstAnchorUs;
    this.#lastHeardAnchorUs = nowUs;
  }

  get intervalUs(): number {
    return this.#anchors.intervalUs;
  }

  /** Data channel of the current event: Channel Selection Algorithm #1, Vol 6 Part B 4.5.8.2, or #2, 4.5.8.3. */
  get channel(): number {
    if (this.#channelIdentifier !== undefined) return selectChannel(this.#channelIdentifier, this.counter, this.#channelMap);
    const unmapped = (this.#hop * (this.counter + 1)) % 37;
    if ((this.#channelMap[unmapped >> 3]! >> (unmapped & 7)) & 1) return unmapped;
    const used: number[] = [];
    for (let channel = 0; channel < 37; channel++) if ((this.#channelMap[channel >> 3]! >> (channel & 7)) & 1) used.push(channel);
    return used[unmapped % used.length] ?? unmapped;
  }

  /** How long an exchange of two empty packets takes. */
  get idleUs(): number {
    return airTimeUs(this.phyCentral, 0) + T_IFS_US + airTimeUs(this.phyPeripheral, 0);
  }

  /** When the silence has lasted too long for this end. */
  deadlineUs(side: LinkSide): number {
    return side.isEstablished ? side.lastHeardUs + this.#timeoutUs : this.#anchors.at(EVENTS_TO_ESTABLISH);
  }

  /** The last anchor that is not behind `timeUs`. */
  lastAnchorUs(timeUs: number): number {
    return this.#anchors.at(this.#anchors.counterAt(timeUs));
  }

  /** An anchor is there: its event begins, with what takes effect in it. */
  begin(): void {
    this.counter++;
    this.#applyInstants();
    this.nextAnchorUs = this.#anchors.at(this.counter + 1);
  }

  /** The event has ended. A first exchange of long coded packets may outlast the interval: the anchors it ran over are missed. */
  end(nowUs: number): void {
    while (this.nextAnchorUs < nowUs) this.nextAnchorUs = this.#anchors.at(++this.counter + 1);
  }

  /** Whether the peripheral attends the event and its window holds the anchor. */
  peripheralListens(nowUs: number): boolean {
    const { isAlive, isIdle, changes } = this.#peripheral;
    if (!isAlive || this.isApart) return false;
    const mayRest = this.latency > 0 && this.#heardLastAnchor && changes.length === 0 && isIdle;
    if (mayRest && this.counter - this.#lastAttended <= this.latency) return false;
    this.#lastAttended = this.counter;
    this.#heardLastAnchor = this.#isInWindow(nowUs - this.#lastHeardAnchorUs);
    return this.#heardLastAnchor;
  }

  /** What became of the packet at the anchor, for the peripheral. */
  heardAnchor(isHeard: boolean, anchorUs: number): void {
    this.#heardLastAnchor = isHeard;
    if (isHeard) this.#lastHeardAnchorUs = anchorUs;
  }

  /** Whether events can follow each other unattended: everybody meets at the times both know, and nothing is about to change. */
  get isSettled(): boolean {
    if (this.#central.changes.length > 0 || this.#peripheral.changes.length > 0 || this.#lastAttended !== this.counter) return false;
    return this.#isInWindow((this.latency + 1) * this.intervalUs);
  }

  /**
   * Passes over the events whose anchors are not behind `nowUs`, all of them complete exchanges of empty packets where the peripheral attends.
   *
   * @returns how many it attended; undefined where no event has passed
   */
  passOver(nowUs: number): number | undefined {
    const last = this.#anchors.counterAt(nowUs);
    if (last <= this.counter) return undefined;
    const attended = Math.floor((last - this.#lastAttended) / (this.latency + 1));
    this.#lastAttended += attended * (this.latency + 1);
    this.counter = last;
    if (attended > 0) this.#lastHeardAnchorUs = this.#anchors.at(this.#lastAttended);
    this.nextAnchorUs = this.#anchors.at(last + 1);
    return attended;
  }

  /** The event that the peripheral attended last, and its anchor where it heard that. */
  get lastAttended(): number {
    return this.#lastAttended;
  }
  get lastHeardAnchorUs(): number {
    return this.#lastHeardAnchorUs;
  }

  /** An interval as the central's clock measures it. */
  #drifting(intervalUs: number): number {
    return intervalUs * (1 + this.#centralRadio.driftPpm * 1e-6);
  }

  #applyInstants(): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    if (central.changes.length === 0 && peripheral.changes.length === 0) return;
    const due = central.changes.filter(({ instant }) => instant <= this.counter);
    for (const { instant: atEvent, change } of due) {
      // A peripheral that never got word of the change listens at the old times.
      if (!peripheral.changes.some(({ instant, change: { kind } }) => instant === atEvent && kind === change.kind)) this.isApart = true;
      if (change.kind === "channels") this.#channelMap = change.channelMap;
      else if (change.kind === "phy") {
        this.phyCentral = change.centralToPeripheral;
        this.phyPeripheral = change.peripheralToCentral;
      } else {
        this.#anchors.change(this.counter, this.#drifting(change.intervalUs));
        this.latency = change.latency;
        this.#timeoutUs = change.supervisionTimeoutUs;
      }
    }
    for (const side of [central, peripheral]) {
      const now = side.changes.filter(({ instant }) => instant <= this.counter);
      for (const entry of now) side.changes.splice(side.changes.indexOf(entry), 1);
      for (const { change } of now) if (side.isAlive) side.end!.onInstant(change);
    }
  }

  /** Whether an anchor lies in the widened window after `sinceUs` without one, Vol 6 Part B 4.5.7. */
  #isInWindow(sinceUs: number): boolean {
    const central = this.#central.end!.radio;
    const peripheral = this.#peripheral.end!.radio;
    const wideningUs = (central.sleepClockAccuracyPpm + peripheral.sleepClockAccuracyPpm) * 1e-6 * sinceUs + JITTER_US;
    return Math.abs(central.driftPpm - peripheral.driftPpm) * 1e-6 * sinceUs <= wideningUs;
  }
}
