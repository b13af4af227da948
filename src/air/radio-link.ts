import { Anchors } from "./anchors.ts";
import { EVENTS_TO_ESTABLISH, type Link, type LinkChange, type LinkEnd, LinkLoss, LinkRole, type LinkSetup } from "./link.ts";
import { LinkSide } from "./link-side.ts";
import type { Medium } from "./medium.ts";
import { airTimeUs, Phy, T_IFS_US } from "./phy.ts";
import type { RadioUse } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

/** What both timers of the peers may be off beside their drift, Vol 6 Part B 4.2.1. */
const JITTER_US = 16;

/** A link with radio time: connection events, packets, acknowledgements, losses, supervision (Vol 6 Part B 4.5). */
export class RadioLink implements Link, RadioUse {
  readonly #medium: Medium;
  readonly #setup: LinkSetup;
  readonly #central = new LinkSide(LinkRole.Central);
  readonly #peripheral = new LinkSide(LinkRole.Peripheral);
  readonly #anchorEvent = new AirEvent(() => this.#onAnchor());
  readonly #stepEvent = new AirEvent(() => this.#onStep());
  readonly #pathWatch: Disposable;

  readonly #anchors: Anchors;
  #latency: number;
  #timeoutUs: number;
  #channelMap: Uint8Array;
  #phyCentral: Phy = Phy.Le1M;
  #phyPeripheral: Phy = Phy.Le1M;

  #counter = -1;
  nextAnchorUs: number;
  lastServedUs: number;
  busyUntilUs = -1;
  #eventUs = -1;
  #limitUs = 0;
  #packet = 0;
  #stage: "exchange" | "at-peripheral" | "at-central" = "exchange";
  #isInEvent = false;
  #isAsleep = false;
  #lastAttended = -1;
  #heardLastAnchor = false;
  #lastHeardAnchorUs: number;
  #isApart = false;
  #heard: Uint8Array | undefined;
  #moreData = false;
  #replyIsReady = false;

  constructor(medium: Medium, setup: LinkSetup) {
    this.#medium = medium;
    this.#setup = setup;
    this.#anchors = new Anchors(setup.firstAnchorUs, this.#drifting(setup.intervalUs));
    this.#latency = setup.latency;
    this.#timeoutUs = setup.supervisionTimeoutUs;
    this.#channelMap = setup.channelMap;
    this.nextAnchorUs = setup.firstAnchorUs;
    this.lastServedUs = medium.scheduler.nowUs;
    this.#lastHeardAnchorUs = medium.scheduler.nowUs;
    this.#central.end = setup.central;
    this.#central.isAlive = true;
    setup.central.radio.addUse(this);
    this.#pathWatch = medium.onPathChange({ before: () => this.#keepStrength(), after: () => this.#wakeUp() });
    this.#arm();
  }

  get intervalUs(): number {
    return this.#anchors.intervalUs;
  }

  get eventCounter(): number {
    this.#sync();
    return Math.max(0, this.#counter);
  }

  join(peripheral: LinkEnd): void {
    this.#peripheral.end = peripheral;
    this.#peripheral.isAlive = true;
    peripheral.radio.addUse(this);
    this.#arm();
  }

  wake(role: LinkRole): void {
    // Not the side's own count: a sleeping peripheral has an empty packet at hand, and what its end has to send waits behind that.
    if (this.#isAsleep && (this.#side(role).end?.nextOctets ?? 0) > 0) this.#wakeUp();
  }

  onShared(): void {
    this.#wakeUp();
  }

  atInstant(role: LinkRole, instant: number, change: LinkChange): void {
    this.#wakeUp();
    this.#side(role).changes.push({ instant, change });
  }

  leave(role: LinkRole, { afterNextPdu = false }: { afterNextPdu?: boolean } = {}): void {
    this.#wakeUp();
    const side = this.#side(role);
    if (!side.isAlive) return;
    if (afterNextPdu && this.#other(side).isAlive) {
      side.isLeaving = true;
      return;
    }
    side.isAlive = false;
    side.end?.radio.removeUse(this);
    if (!this.#other(side).isAlive) this.#dispose();
    else if (!this.#isInEvent) this.#arm();
  }

  rssiDbm(role: LinkRole): number {
    this.#sync();
    const to = this.#side(role);
    const from = this.#other(to);
    if (!from.end || !to.end) return 127; // not available
    const meanDbm = Number.isNaN(to.heardMeanDbm) ? this.#medium.meanDbm(from.end.radio, to.end.radio) : to.heardMeanDbm;
    return this.#medium.rssiDbm(from.end.radio, to.end.radio, this.#setup.accessAddress, to.heardCounter, role, meanDbm);
  }

  /** Paths are about to change; what was heard until now keeps its strength until the next packet is heard. */
  #keepStrength(): void {
    this.#sync();
    for (const to of [this.#central, this.#peripheral]) {
      const from = this.#other(to);
      if (from.end && to.end && Number.isNaN(to.heardMeanDbm)) to.heardMeanDbm = this.#medium.meanDbm(from.end.radio, to.end.radio);
    }
  }

  occupies(startUs: number, endUs: number): boolean {
    if (this.#eventUs < endUs && this.busyUntilUs > startUs) return true;
    let anchorUs = this.nextAnchorUs;
    if (this.#isAsleep) anchorUs = this.#anchors.at(this.#anchors.counterAt(endUs));
    return anchorUs < endUs && anchorUs + this.#idleUs() > startUs;
  }

  #side(role: LinkRole): LinkSide {
    return role === LinkRole.Central ? this.#central : this.#peripheral;
  }
  #other(side: LinkSide): LinkSide {
    return side === this.#central ? this.#peripheral : this.#central;
  }
  #idleUs(): number {
    return airTimeUs(this.#phyCentral, 0) + T_IFS_US + airTimeUs(this.#phyPeripheral, 0);
  }
  /** An interval as the central's clock measures it. */
  #drifting(intervalUs: number): number {
    return intervalUs * (1 + this.#setup.central.radio.driftPpm * 1e-6);
  }
  #channel(): number {
    const unmapped = (this.#setup.hop * (this.#counter + 1)) % 37; // Channel Selection Algorithm #1, Vol 6 Part B 4.5.8.2
    if ((this.#channelMap[unmapped >> 3]! >> (unmapped & 7)) & 1) return unmapped;
    const used: number[] = [];
    for (let channel = 0; channel < 37; channel++) if ((this.#channelMap[channel >> 3]! >> (channel & 7)) & 1) used.push(channel);
    return used[unmapped % used.length] ?? unmapped;
  }

  #deadlineOf(side: LinkSide): number {
    return side.isEstablished ? side.lastHeardUs + this.#timeoutUs : this.#anchors.at(EVENTS_TO_ESTABLISH);
  }

  /** Sets the timer for the next anchor or an earlier end of a side's patience. */
  #arm(): void {
    if (this.#isInEvent) return;
    let timeUs = this.nextAnchorUs;
    let deadlineUs = Number.POSITIVE_INFINITY;
    for (const side of [this.#central, this.#peripheral]) if (side.isAlive) deadlineUs = Math.min(deadlineUs, this.#deadlineOf(side));
    // With nobody at the other end there is only the deadline to wait for.
    const isAlone = !(this.#central.isAlive && this.#peripheral.isAlive) && this.#counter >= 0;
    if (isAlone && this.#medium.skipsIdle && !this.#isShared()) timeUs = deadlineUs;
    this.#medium.scheduler.set(this.#anchorEvent, Math.min(timeUs, deadlineUs));
  }

  #isShared(): boolean {
    return (this.#central.end?.radio.uses.length ?? 0) > 1 || (this.#peripheral.end?.radio.uses.length ?? 0) > 1;
  }

  #onAnchor(): void {
    const nowUs = this.#medium.scheduler.nowUs;
    for (const side of [this.#central, this.#peripheral]) {
      if (!side.isAlive || nowUs < this.#deadlineOf(side)) continue;
      const reason = side.isEstablished ? LinkLoss.ConnectionTimeout : LinkLoss.ConnectionFailedToBeEstablished;
      this.leave(side.role);
      side.end!.onLost(reason);
    }
    if (!this.#central.isAlive && !this.#peripheral.isAlive) return;
    if (nowUs < this.nextAnchorUs) {
      this.#arm();
      return;
    }
    this.#counter++;
    this.#applyInstants();
    this.nextAnchorUs = this.#anchors.at(this.#counter + 1);
    this.#packet = 0;
    this.#isInEvent = true;
    if (!this.#mayUseRadios(nowUs)) {
      this.#closeEvent(false);
      return;
    }
    this.#eventUs = nowUs;
    this.#limitUs = this.nextAnchorUs - T_IFS_US; // Vol 6 Part B 4.5.1
    // The anchor of a link that has waited longer ends the event. Any other one is run over: two anchors close behind each other would else
    // leave the first link time for empty packets only, for ever.
    for (const side of [this.#central, this.#peripheral])
      for (const use of side.end?.radio.uses ?? [])
        if (use !== this && use.nextAnchorUs > nowUs && use.lastServedUs < this.lastServedUs)
          this.#limitUs = Math.min(this.#limitUs, use.nextAnchorUs - T_IFS_US);
    this.lastServedUs = nowUs;
    this.#exchange(nowUs);
  }

  #applyInstants(): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    const due = central.changes.filter(({ instant }) => instant <= this.#counter);
    if (due.length === 0 && peripheral.changes.length === 0) return;
    for (const { instant: atEvent, change } of due) {
      // A peripheral that never got word of the change listens at the old times: the two do not meet again.
      if (!peripheral.changes.some(({ instant, change: { kind } }) => instant === atEvent && kind === change.kind)) this.#isApart = true;
      if (change.kind === "channels") this.#channelMap = change.channelMap;
      else if (change.kind === "phy") {
        this.#phyCentral = change.centralToPeripheral;
        this.#phyPeripheral = change.peripheralToCentral;
      } else {
        this.#anchors.change(this.#counter, this.#drifting(change.intervalUs));
        this.#latency = change.latency;
        this.#timeoutUs = change.supervisionTimeoutUs;
      }
    }
    for (const side of [central, peripheral]) {
      const now = side.changes.filter(({ instant }) => instant <= this.#counter);
      for (const entry of now) side.changes.splice(side.changes.indexOf(entry), 1);
      for (const { change } of now) if (side.isAlive) side.end!.onInstant(change);
    }
  }

  /** Other links of the two radios may be in the middle of an event, or have waited longer for one that would overlap. */
  #mayUseRadios(nowUs: number): boolean {
    if (!this.#isShared()) return true;
    const needUs =
      airTimeUs(this.#phyCentral, this.#central.nextOctets) + T_IFS_US + airTimeUs(this.#phyPeripheral, this.#peripheral.nextOctets);
    for (const side of [this.#central, this.#peripheral]) {
      for (const use of side.end?.radio.uses ?? []) {
        if (use === this) continue;
        if (use.busyUntilUs > nowUs) return false;
        if (use.nextAnchorUs < nowUs + needUs && use.lastServedUs < this.lastServedUs) return false;
      }
    }
    return true;
  }

  #peripheralListens(nowUs: number): boolean {
    const { isAlive, isIdle, changes } = this.#peripheral;
    if (!isAlive || this.#isApart) return false;
    const mayRest = this.#latency > 0 && this.#heardLastAnchor && changes.length === 0 && isIdle;
    if (mayRest && this.#counter - this.#lastAttended <= this.#latency) return false;
    this.#lastAttended = this.#counter;
    this.#heardLastAnchor = this.#isInWindow(nowUs - this.#lastHeardAnchorUs);
    return this.#heardLastAnchor;
  }

  /** Whether an anchor lies in the widened window after `sinceUs` without one, Vol 6 Part B 4.5.7. */
  #isInWindow(sinceUs: number): boolean {
    const central = this.#central.end!.radio;
    const peripheral = this.#peripheral.end!.radio;
    const wideningUs = (central.sleepClockAccuracyPpm + peripheral.sleepClockAccuracyPpm) * 1e-6 * sinceUs + JITTER_US;
    return Math.abs(central.driftPpm - peripheral.driftPpm) * 1e-6 * sinceUs <= wideningUs;
  }

  /** The central sends. */
  #exchange(startUs: number): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    const isFirst = this.#packet === 0;
    const listens = isFirst ? this.#peripheralListens(startUs) : peripheral.isAlive;
    if (!central.isAlive) {
      if (isFirst) this.#heardLastAnchor = false;
      this.#closeEvent(false);
      return;
    }
    central.current ??= central.end!.takePdu() ?? central.empty;
    const hasMore = central.end!.nextOctets > 0;
    this.#moreData = hasMore;
    const endUs = startUs + airTimeUs(this.#phyCentral, central.current.length - 2);
    this.#replyIsReady = (peripheral.end?.nextOctets ?? 0) > 0;
    this.busyUntilUs = endUs + T_IFS_US + airTimeUs(this.#phyPeripheral, peripheral.nextOctets);
    this.#heard = this.#carry(central, central.current, hasMore, startUs, this.#phyCentral, listens);
    if (isFirst && listens) {
      this.#heardLastAnchor = this.#heard !== undefined;
      if (this.#heardLastAnchor) this.#lastHeardAnchorUs = startUs;
    }
    if (this.#medium.skipsIdle && central.isIdle && peripheral.isIdle) {
      this.#idleExchange(endUs);
      return;
    }
    this.#stage = "at-peripheral";
    this.#medium.scheduler.set(this.#stepEvent, endUs);
  }

  /** Two empty packets in one go: nothing in between could be seen from outside. */
  #idleExchange(atPeripheralUs: number): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    let isComplete = false;
    if (this.#heard) {
      peripheral.acknowledge(this.#heard, atPeripheralUs);
      peripheral.current ??= peripheral.empty;
      const replyUs = atPeripheralUs + T_IFS_US;
      const reply = this.#carry(peripheral, peripheral.current, false, replyUs, this.#phyPeripheral, true);
      if (reply) {
        central.acknowledge(reply, replyUs + airTimeUs(this.#phyPeripheral, 0));
        isComplete = true;
      }
    }
    this.#closeEvent(isComplete);
  }

  #onStep(): void {
    const nowUs = this.#medium.scheduler.nowUs;
    if (this.#stage === "exchange") this.#exchange(nowUs);
    else if (this.#stage === "at-peripheral") this.#atPeripheral(nowUs);
    else this.#atCentral(nowUs);
  }

  #atPeripheral(nowUs: number): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    if (central.isLeaving) this.leave(LinkRole.Central);
    const pdu = this.#heard;
    if (!pdu || !peripheral.isAlive) {
      this.#closeEvent(false);
      return;
    }
    const isNew = peripheral.acknowledge(pdu, nowUs);
    if (!peripheral.isAlive) {
      this.#closeEvent(false); // its last PDU was acknowledged, it is off
      return;
    }
    // The reply was made ready before the packet came in: what the host or the Link Layer answers to it leaves with the next one.
    const replyUs = nowUs + T_IFS_US;
    if (!peripheral.current) {
      const fits = replyUs + airTimeUs(this.#phyPeripheral, peripheral.end!.nextOctets) <= this.#limitUs;
      peripheral.current = (fits && this.#replyIsReady ? peripheral.end!.takePdu() : undefined) ?? peripheral.empty;
    }
    const hasMore = this.#replyIsReady && peripheral.end!.nextOctets > 0;
    if (isNew) peripheral.end!.onPdu(pdu);
    if (!peripheral.isAlive) {
      this.#closeEvent(false);
      return;
    }
    this.#moreData ||= hasMore;
    this.#heard = this.#carry(peripheral, peripheral.current, hasMore, replyUs, this.#phyPeripheral, central.isAlive);
    const endUs = replyUs + airTimeUs(this.#phyPeripheral, peripheral.current.length - 2);
    this.busyUntilUs = endUs;
    this.#stage = "at-central";
    this.#medium.scheduler.set(this.#stepEvent, endUs);
  }

  #atCentral(nowUs: number): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    if (peripheral.isLeaving) this.leave(LinkRole.Peripheral);
    const pdu = this.#heard;
    if (!pdu || !central.isAlive) {
      this.#closeEvent(false);
      return;
    }
    if (central.acknowledge(pdu, nowUs)) central.end!.onPdu(pdu);
    // Each exchange was two packets.
    const mayGoOn = this.#packet / 2 < Math.min(central.end!.radio.exchangesPerEvent, peripheral.end!.radio.exchangesPerEvent);
    if (mayGoOn && this.#moreData && central.isAlive && peripheral.isAlive) {
      const startUs = nowUs + T_IFS_US;
      const reply = peripheral.current && central.nesn === peripheral.sn ? peripheral.nextOctets : peripheral.end!.nextOctets;
      const endUs = startUs + airTimeUs(this.#phyCentral, central.nextOctets) + T_IFS_US + airTimeUs(this.#phyPeripheral, reply);
      if (endUs <= this.#limitUs) {
        this.busyUntilUs = endUs;
        this.#stage = "exchange";
        this.#medium.scheduler.set(this.#stepEvent, startUs);
        return;
      }
    }
    this.#closeEvent(true);
  }

  /** Sends a packet through the air; gives it as received, or nothing. */
  #carry(from: LinkSide, pdu: Uint8Array, hasMore: boolean, timeUs: number, phy: Phy, listens: boolean): Uint8Array | undefined {
    from.stamp(pdu, hasMore);
    const medium = this.#medium;
    const to = this.#other(from);
    const packet = this.#packet++;
    const isNoted = (pdu.length > 2 && listens) || !medium.skipsIdle;
    let received: Uint8Array | undefined = pdu;
    let trouble: "lost" | "unheard" | "fault" | undefined;
    if (!listens) trouble = "unheard";
    else if (!medium.isReceived(from.end!.radio, to.end!.radio, phy, this.#setup.accessAddress, this.#counter, packet)) trouble = "lost";
    if (isNoted && medium.hasHooks && listens) {
      const fault = medium.fate({
        timeUs,
        from: from.end!.radio.name,
        to: to.end!.radio.name,
        channel: this.#channel(),
        phy,
        accessAddress: this.#setup.accessAddress,
        pdu,
      });
      if (fault === "lose" || fault === "corrupt") trouble = "fault";
      else if (fault !== undefined && "deliver" in fault) received = fault.deliver.length < 2 ? pdu : fault.deliver;
      else if (fault !== undefined) to.holdsUntilUs = timeUs + fault.delayMs * 1000;
    }
    if (isNoted && medium.trace.isOn) {
      medium.trace.add({
        kind: "air",
        timeUs,
        from: from.end!.radio.name,
        receivedBy: trouble ? [] : [to.end!.radio.name],
        trouble,
        channel: this.#channel(),
        phy,
        accessAddress: this.#setup.accessAddress,
        pdu: received.slice(),
      });
    }
    if (trouble) return undefined;
    to.heard(this.#counter);
    return received;
  }

  #closeEvent(isComplete: boolean): void {
    this.#isInEvent = false;
    this.#medium.scheduler.clear(this.#stepEvent);
    if (this.#central.isAlive) this.#central.end!.onEventClosed();
    if (this.#peripheral.isAlive) this.#peripheral.end!.onEventClosed();
    if (!this.#central.isAlive && !this.#peripheral.isAlive) return;
    // A first exchange of long coded packets may outlast the interval: the anchors it ran over are missed.
    while (this.nextAnchorUs < this.#medium.scheduler.nowUs) this.nextAnchorUs = this.#anchors.at(++this.#counter + 1);
    if (isComplete && this.#maySleep()) {
      this.#isAsleep = true;
      this.#medium.scheduler.clear(this.#anchorEvent);
      return;
    }
    this.#arm();
  }

  /** Nothing can happen before an end has something to send, or the air changes. */
  #maySleep(): boolean {
    const [central, peripheral] = [this.#central, this.#peripheral];
    if (!this.#medium.skipsIdle || this.#isApart || this.#isShared()) return false;
    if (!central.isAlive || !peripheral.isAlive || central.isLeaving || peripheral.isLeaving) return false;
    if (central.current || peripheral.current !== peripheral.empty) return false;
    if (central.end!.nextOctets > 0 || peripheral.end!.nextOctets > 0) return false;
    if (central.changes.length > 0 || peripheral.changes.length > 0 || this.#lastAttended !== this.#counter) return false;
    const [a, b] = [central.end!.radio, peripheral.end!.radio];
    if (!this.#medium.isLossless(a, b, this.#phyCentral) || !this.#medium.isLossless(b, a, this.#phyPeripheral)) return false;
    return this.#isInWindow((this.#latency + 1) * this.intervalUs);
  }

  #wakeUp(): void {
    if (!this.#isAsleep) return;
    this.#sync();
    this.#isAsleep = false;
    this.nextAnchorUs = this.#anchors.at(this.#counter + 1);
    this.#arm();
  }

  /** Accounts for the events slept through: each attended one was a complete exchange of empty packets. */
  #sync(): void {
    if (!this.#isAsleep) return;
    const last = this.#anchors.counterAt(this.#medium.scheduler.nowUs);
    if (last <= this.#counter) return;
    const [central, peripheral] = [this.#central, this.#peripheral];
    const attended = Math.floor((last - this.#lastAttended) / (this.#latency + 1));
    this.#lastAttended += attended * (this.#latency + 1);
    this.#counter = last;
    if (attended > 0) {
      this.#lastHeardAnchorUs = this.#anchors.at(this.#lastAttended);
      peripheral.lastHeardUs = this.#lastHeardAnchorUs + airTimeUs(this.#phyCentral, 0);
      central.lastHeardUs = this.#lastHeardAnchorUs + this.#idleUs();
      central.passOver(attended);
      peripheral.passOver(attended);
      central.heard(this.#lastAttended);
      peripheral.heard(this.#lastAttended);
    }
    // The empty packets of unattended events are one packet, sent again until it is heard.
    central.current = last > this.#lastAttended ? central.empty : undefined;
    this.#eventUs = this.#anchors.at(last);
    this.lastServedUs = this.#eventUs;
    this.busyUntilUs = this.#eventUs + this.#idleUs();
    this.nextAnchorUs = this.#anchors.at(last + 1);
  }

  #dispose(): void {
    this.#medium.scheduler.clear(this.#anchorEvent);
    this.#medium.scheduler.clear(this.#stepEvent);
    this.#pathWatch[Symbol.dispose]();
  }
}
