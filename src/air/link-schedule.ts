import { Anchors } from "./anchors.ts";
import { channelIdentifier, selectChannel } from "./channel-selection.ts";
import { EVENTS_TO_ESTABLISH, type LinkChange, type LinkSetup, type LinkSubrate } from "./link.ts";
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
  #channelMap: Uint8Array;
  latency: number;
  phyCentral: Phy = Phy.Le1M;
  phyPeripheral: Phy = Phy.Le1M;
  /** Of the connection event in progress or the last one, not wrapped; -1 before the first. */
  counter = -1;
  nextAnchorUs: number;
  /** The event at that anchor: the next one that is used, or at which something changes. */
  #nextCounter = 0;
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
    this.#channelMap = setup.channelMap;
    this.latency = setup.latency;
    for (const side of [central, peripheral]) {
      side.timeoutUs = setup.supervisionTimeoutUs;
      side.subrates = [everyEvent(0, setup)];
    }
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
    return side.isEstablished ? side.lastHeardUs + side.timeoutUs : this.#anchors.at(EVENTS_TO_ESTABLISH);
  }

  /** When event `counter` begins. */
  anchorUs(counter: number): number {
    return this.#anchors.at(counter);
  }

  /** The last anchor of a used event that is not behind `timeUs`, where nothing but used events goes on. */
  lastAnchorUs(timeUs: number): number {
    return this.#anchors.at(usedUpTo(this.#anchors.counterAt(timeUs), this.#peripheral.subrates[0]!));
  }

  /** The anchor of the event behind this one, used or not: this one ends before it. */
  get limitUs(): number {
    return this.#anchors.at(this.counter + 1);
  }

  /** An anchor is there: its event begins, with what takes effect in it. False where it is there for that alone, and not used. */
  begin(): boolean {
    this.counter = this.#nextCounter;
    this.#applyInstants();
    this.plan();
    return uses(this.#central.isAlive ? this.#central : this.#peripheral, this.counter);
  }

  /** The event has ended. A first exchange of long coded packets may outlast the interval: the anchors it ran over are missed. */
  end(nowUs: number): void {
    this.plan();
    while (this.nextAnchorUs < nowUs) {
      this.counter = this.#nextCounter;
      this.plan();
    }
  }

  /** Which event comes next may be another one now. */
  plan(): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    let next = nextUsed(central.isAlive ? central : peripheral, this.counter);
    if (next > this.counter + 1)
      for (const { changes } of [central, peripheral])
        for (const { instant } of changes) if (instant > this.counter) next = Math.min(next, instant);
    this.#nextCounter = next;
    this.nextAnchorUs = this.#anchors.at(next);
  }

  /** An end uses other events from now on. */
  setSubrate(side: LinkSide, subrate: LinkSubrate, keepsFormer: boolean): void {
    side.subrates = keepsFormer ? [side.subrates[0]!, subrate] : [subrate];
    if (keepsFormer) return;
    side.timeoutUs = subrate.supervisionTimeoutUs;
    if (side === this.#peripheral) this.latency = subrate.latency;
  }

  /** Whether the peripheral attends the event and its window holds the anchor. */
  peripheralListens(nowUs: number): boolean {
    const { isAlive, isIdle, changes } = this.#peripheral;
    if (!isAlive || this.isApart || !uses(this.#peripheral, this.counter)) return false;
    const mayRest = this.latency > 0 && this.#heardLastAnchor && changes.length === 0 && isIdle;
    if (mayRest && this.#restedFor() <= this.latency) return false;
    this.#lastAttended = this.counter;
    this.#heardLastAnchor = this.#isInWindow(nowUs - this.#lastHeardAnchorUs);
    return this.#heardLastAnchor;
  }

  /** How many subrated events in a row the peripheral will have passed over when it does so with this one; infinite where it is another one. */
  #restedFor(): number {
    const [subrate, ...others] = this.#peripheral.subrates as [LinkSubrate, ...LinkSubrate[]];
    if (subrate.factor === 1) return this.counter - this.#lastAttended;
    if (others.length > 0 || !isSubrated(subrate, this.counter)) return Number.POSITIVE_INFINITY;
    return (this.counter - usedUpTo(this.#lastAttended, subrate)) / subrate.factor;
  }

  /** What became of the packet at the anchor, for the peripheral. */
  heardAnchor(isHeard: boolean, anchorUs: number): void {
    this.#heardLastAnchor = isHeard;
    if (isHeard) this.#lastHeardAnchorUs = anchorUs;
  }

  /** Whether events can follow each other unattended: everybody meets at the times both know, and nothing is about to change. */
  get isSettled(): boolean {
    const [central, peripheral] = [this.#central, this.#peripheral];
    if (central.changes.length > 0 || peripheral.changes.length > 0 || this.#lastAttended !== this.counter) return false;
    const [subrate] = peripheral.subrates as [LinkSubrate];
    if (subrate.factor > 1 || central.subrates[0]!.factor > 1 || central.subrates.length > 1) {
      if (central.subrates.length + peripheral.subrates.length > 2 || !isSubrated(subrate, this.counter)) return false;
      if (continues(central, this.counter + 1) || continues(peripheral, this.counter + 1)) return false;
    }
    return this.#isInWindow((this.latency + 1) * subrate.factor * this.intervalUs);
  }

  /**
   * Passes over the events whose anchors are not behind `nowUs`, all of them complete exchanges of empty packets where the peripheral attends.
   *
   * @returns how many it attended; undefined where no event has passed
   */
  passOver(nowUs: number): number | undefined {
    const [subrate] = this.#peripheral.subrates as [LinkSubrate];
    const last = usedUpTo(this.#anchors.counterAt(nowUs), subrate);
    if (last <= this.counter) return undefined;
    const step = (this.latency + 1) * subrate.factor;
    const attended = Math.floor((last - this.#lastAttended) / step);
    this.#lastAttended += attended * step;
    this.counter = last;
    if (attended > 0) this.#lastHeardAnchorUs = this.#anchors.at(this.#lastAttended);
    this.plan();
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
      } else this.#applyParameters(change);
    }
    for (const side of [central, peripheral]) {
      const now = side.changes.filter(({ instant }) => instant <= this.counter);
      for (const entry of now) side.changes.splice(side.changes.indexOf(entry), 1);
      for (const { change } of now) if (side.isAlive) side.end!.onInstant(change);
    }
  }

  /** Where the interval stays as it is, so do the events that are used (Vol 6 Part B 5.1.1). */
  #applyParameters(change: Extract<LinkChange, { kind: "parameters" }>): void {
    const intervalUs = this.#drifting(change.intervalUs);
    const isOther = intervalUs !== this.#anchors.intervalUs;
    this.#anchors.change(this.counter, intervalUs);
    this.latency = change.latency;
    for (const side of [this.#central, this.#peripheral]) {
      side.timeoutUs = change.supervisionTimeoutUs;
      if (isOther) side.subrates = [everyEvent(this.counter, change)];
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

function everyEvent(
  baseEvent: number,
  { latency, supervisionTimeoutUs }: Pick<LinkSubrate, "latency" | "supervisionTimeoutUs">,
): LinkSubrate {
  return { factor: 1, baseEvent, continuationNumber: 0, latency, supervisionTimeoutUs };
}

function isSubrated({ factor, baseEvent }: LinkSubrate, counter: number): boolean {
  return factor === 1 || (counter - baseEvent) % factor === 0;
}

/** Whether an event is used for a packet before it that was not empty. */
function continues({ subrates, dataCounter }: LinkSide, counter: number): boolean {
  return subrates.some(({ continuationNumber }) => counter <= dataCounter + continuationNumber);
}

function uses(side: LinkSide, counter: number): boolean {
  if (side.subrates[0]!.factor === 1) return true;
  return side.subrates.some((subrate) => isSubrated(subrate, counter)) || continues(side, counter);
}

/** The last subrated event up to this one. */
function usedUpTo(counter: number, { factor, baseEvent }: LinkSubrate): number {
  return factor === 1 ? counter : baseEvent + Math.floor((counter - baseEvent) / factor) * factor;
}

function nextUsed(side: LinkSide, counter: number): number {
  const { subrates } = side;
  if (subrates[0]!.factor === 1 || continues(side, counter + 1)) return counter + 1;
  let next = Number.POSITIVE_INFINITY;
  for (const subrate of subrates) next = Math.min(next, usedUpTo(counter, subrate) + subrate.factor);
  return next;
}
