import { type Link, type LinkChange, type LinkEnd, LinkLoss, LinkRole, type LinkSetup, type LinkSubrate } from "./link.ts";
import { LinkSchedule } from "./link-schedule.ts";
import { LinkSide } from "./link-side.ts";
import type { Medium } from "./medium.ts";
import { airTimeUs, type Phy, T_IFS_US } from "./phy.ts";
import type { PathWatch, RadioUse } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

/** A link with radio time: what happens in its connection events, packet by packet, and which of them are passed over (Vol 6 Part B 4.5). */
export class RadioLink implements Link, RadioUse {
  readonly #medium: Medium;
  readonly #setup: LinkSetup;
  readonly #central = new LinkSide(LinkRole.Central);
  readonly #peripheral = new LinkSide(LinkRole.Peripheral);
  readonly #anchorEvent = new AirEvent(() => this.#onAnchor());
  readonly #stepEvent = new AirEvent(() => this.#onStep());
  readonly #pathWatch: PathWatch = { before: () => this.#keepStrength(), after: () => this.#wakeUp() };
  readonly #pathWatches: Disposable[] = [];

  readonly #schedule: LinkSchedule;

  lastServedUs: number;
  busyUntilUs = -1;
  #eventUs = -1;
  #limitUs = 0;
  #packet = 0;
  #stage: "exchange" | "at-peripheral" | "at-central" = "exchange";
  #isInEvent = false;
  #isAsleep = false;
  #heard: Uint8Array | undefined;
  #moreData = false;
  #replyIsReady = false;

  constructor(medium: Medium, setup: LinkSetup) {
    this.#medium = medium;
    this.#setup = setup;
    this.lastServedUs = medium.scheduler.nowUs;
    this.#schedule = new LinkSchedule(setup, this.#central, this.#peripheral, medium.scheduler.nowUs);
    this.#central.end = setup.central;
    this.#central.isAlive = true;
    setup.central.radio.addUse(this);
    this.#pathWatches.push(medium.onPathChange(this.#pathWatch, setup.central.radio));
    this.#arm();
  }

  get intervalUs(): number {
    return this.#schedule.intervalUs;
  }
  get nextAnchorUs(): number {
    return this.#schedule.nextAnchorUs;
  }

  get eventCounter(): number {
    this.#sync();
    return Math.max(0, this.#schedule.counter);
  }

  anchorUs(counter: number): number {
    return this.#schedule.anchorUs(counter);
  }

  join(peripheral: LinkEnd): void {
    this.#peripheral.end = peripheral;
    this.#peripheral.isAlive = true;
    peripheral.radio.addUse(this);
    this.#pathWatches.push(this.#medium.onPathChange(this.#pathWatch, peripheral.radio));
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
    this.#onPlanChange();
  }

  setSubrate(role: LinkRole, subrate: LinkSubrate, { keepsFormer = false }: { keepsFormer?: boolean } = {}): void {
    this.#wakeUp();
    this.#schedule.setSubrate(this.#side(role), subrate, keepsFormer);
    this.#onPlanChange();
  }

  /** Which event comes next may be another one now; the event in progress looks at its end. */
  #onPlanChange(): void {
    if (this.#isInEvent) return;
    this.#schedule.plan();
    this.#arm();
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
    return this.#medium.rssiDbm(from.end.radio, to.end.radio, this.#setup.accessAddress, to.heardCounter, role, this.#meanDbm(from, to));
  }

  meanDbm(role: LinkRole): number | undefined {
    this.#sync();
    const to = this.#side(role);
    const meanDbm = this.#meanDbm(this.#other(to), to);
    return Number.isFinite(meanDbm) ? meanDbm : undefined;
  }

  changeStrength(act: () => void): void {
    this.#keepStrength();
    act();
    this.#wakeUp();
  }

  /** Of what `to` heard last; minus infinity where there is nobody, or nothing gets through. */
  #meanDbm(from: LinkSide, to: LinkSide): number {
    if (!from.end || !to.end) return Number.NEGATIVE_INFINITY;
    return Number.isNaN(to.heardMeanDbm) ? this.#medium.meanDbm(from.end.radio, to.end.radio) + from.end.gainDb : to.heardMeanDbm;
  }

  /** Paths are about to change; what was heard until now keeps its strength until the next packet is heard. */
  #keepStrength(): void {
    this.#sync();
    for (const to of [this.#central, this.#peripheral]) {
      const from = this.#other(to);
      if (from.end && to.end) to.heardMeanDbm = this.#meanDbm(from, to);
    }
  }

  occupies(startUs: number, endUs: number): boolean {
    if (this.#eventUs < endUs && this.busyUntilUs > startUs) return true;
    const anchorUs = this.#isAsleep ? this.#schedule.lastAnchorUs(endUs) : this.#schedule.nextAnchorUs;
    return anchorUs < endUs && anchorUs + this.#schedule.idleUs > startUs;
  }

  #side(role: LinkRole): LinkSide {
    return role === LinkRole.Central ? this.#central : this.#peripheral;
  }
  #other(side: LinkSide): LinkSide {
    return side === this.#central ? this.#peripheral : this.#central;
  }

  /** Sets the timer for the next anchor or an earlier end of a side's patience. */
  #arm(): void {
    if (this.#isInEvent) return;
    let timeUs = this.#schedule.nextAnchorUs;
    let deadlineUs = Number.POSITIVE_INFINITY;
    for (const side of [this.#central, this.#peripheral])
      if (side.isAlive) deadlineUs = Math.min(deadlineUs, this.#schedule.deadlineUs(side));
    // With nobody at the other end there is only the deadline to wait for.
    const isAlone = !(this.#central.isAlive && this.#peripheral.isAlive) && this.#schedule.counter >= 0;
    if (isAlone && this.#medium.skipsIdle && !this.#isShared()) timeUs = deadlineUs;
    this.#medium.scheduler.set(this.#anchorEvent, Math.min(timeUs, deadlineUs));
  }

  #isShared(): boolean {
    return (this.#central.end?.radio.uses.length ?? 0) > 1 || (this.#peripheral.end?.radio.uses.length ?? 0) > 1;
  }

  #onAnchor(): void {
    const nowUs = this.#medium.scheduler.nowUs;
    for (const side of [this.#central, this.#peripheral]) {
      if (!side.isAlive || nowUs < this.#schedule.deadlineUs(side)) continue;
      const reason = side.isEstablished ? LinkLoss.ConnectionTimeout : LinkLoss.ConnectionFailedToBeEstablished;
      this.leave(side.role);
      side.end!.onLost(reason);
    }
    if (!this.#central.isAlive && !this.#peripheral.isAlive) return;
    if (nowUs < this.#schedule.nextAnchorUs) {
      this.#arm();
      return;
    }
    if (!this.#schedule.begin()) {
      this.#arm();
      return;
    }
    this.#packet = 0;
    this.#isInEvent = true;
    if (!this.#mayUseRadios(nowUs)) {
      this.#closeEvent(false);
      return;
    }
    this.#eventUs = nowUs;
    this.#limitUs = this.#schedule.limitUs - T_IFS_US; // Vol 6 Part B 4.5.1
    // The anchor of a link that has waited longer ends the event. Any other one is run over: two anchors close behind each other would else
    // leave the first link time for empty packets only, for ever.
    for (const side of [this.#central, this.#peripheral])
      for (const use of side.end?.radio.uses ?? [])
        if (use !== this && use.nextAnchorUs > nowUs && use.lastServedUs < this.lastServedUs)
          this.#limitUs = Math.min(this.#limitUs, use.nextAnchorUs - T_IFS_US);
    this.lastServedUs = nowUs;
    this.#exchange(nowUs);
  }

  /** Other links of the two radios may be in the middle of an event, or have waited longer for one that would overlap. */
  #mayUseRadios(nowUs: number): boolean {
    if (!this.#isShared()) return true;
    const needUs =
      airTimeUs(this.#schedule.phyCentral, this.#central.nextOctets) +
      T_IFS_US +
      airTimeUs(this.#schedule.phyPeripheral, this.#peripheral.nextOctets);
    for (const side of [this.#central, this.#peripheral]) {
      for (const use of side.end?.radio.uses ?? []) {
        if (use === this) continue;
        if (use.busyUntilUs > nowUs) return false;
        if (use.nextAnchorUs < nowUs + needUs && use.lastServedUs < this.lastServedUs) return false;
      }
    }
    return true;
  }

  /** The central sends. */
  #exchange(startUs: number): void {
    const [central, peripheral] = [this.#central, this.#peripheral];
    const isFirst = this.#packet === 0;
    const listens = isFirst ? this.#schedule.peripheralListens(startUs) : peripheral.isAlive;
    if (!central.isAlive) {
      if (isFirst) this.#schedule.heardAnchor(false, startUs);
      this.#closeEvent(false);
      return;
    }
    central.current ??= central.end!.takePdu() ?? central.empty;
    const hasMore = central.end!.nextOctets > 0;
    this.#moreData = hasMore;
    const endUs = startUs + airTimeUs(this.#schedule.phyCentral, central.current.length - 2);
    this.#replyIsReady = (peripheral.end?.nextOctets ?? 0) > 0;
    this.busyUntilUs = endUs + T_IFS_US + airTimeUs(this.#schedule.phyPeripheral, peripheral.nextOctets);
    this.#heard = this.#carry(central, central.current, hasMore, startUs, this.#schedule.phyCentral, listens);
    if (isFirst && listens) this.#schedule.heardAnchor(this.#heard !== undefined, startUs);
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
      const reply = this.#carry(peripheral, peripheral.current, false, replyUs, this.#schedule.phyPeripheral, true);
      if (reply) {
        central.acknowledge(reply, replyUs + airTimeUs(this.#schedule.phyPeripheral, 0));
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
      const fits = replyUs + airTimeUs(this.#schedule.phyPeripheral, peripheral.end!.nextOctets) <= this.#limitUs;
      peripheral.current = (fits && this.#replyIsReady ? peripheral.end!.takePdu() : undefined) ?? peripheral.empty;
    }
    const hasMore = this.#replyIsReady && peripheral.end!.nextOctets > 0;
    if (isNew) peripheral.end!.onPdu(pdu);
    if (!peripheral.isAlive) {
      this.#closeEvent(false);
      return;
    }
    this.#moreData ||= hasMore;
    this.#heard = this.#carry(peripheral, peripheral.current, hasMore, replyUs, this.#schedule.phyPeripheral, central.isAlive);
    const endUs = replyUs + airTimeUs(this.#schedule.phyPeripheral, peripheral.current.length - 2);
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
      const endUs =
        startUs + airTimeUs(this.#schedule.phyCentral, central.nextOctets) + T_IFS_US + airTimeUs(this.#schedule.phyPeripheral, reply);
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
    if (pdu.length > 2) from.dataCounter = this.#schedule.counter;
    const medium = this.#medium;
    const to = this.#other(from);
    const packet = this.#packet++;
    const isNoted = (pdu.length > 2 && listens) || !medium.skipsIdle;
    let received: Uint8Array | undefined = pdu;
    let trouble: "lost" | "unheard" | "fault" | undefined;
    if (!listens) trouble = "unheard";
    else if (
      !medium.isReceived(from.end!.radio, to.end!.radio, phy, this.#setup.accessAddress, this.#schedule.counter, packet, from.end!.gainDb)
    )
      trouble = "lost";
    if (isNoted && medium.hasHooks && listens) {
      const fault = medium.fate({
        timeUs,
        from: from.end!.radio.name,
        to: to.end!.radio.name,
        channel: this.#schedule.channel,
        phy,
        accessAddress: this.#setup.accessAddress,
        pdu: pdu.slice(), // a hook may keep it
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
        channel: this.#schedule.channel,
        phy,
        accessAddress: this.#setup.accessAddress,
        pdu: received,
      });
    }
    if (trouble) return undefined;
    if (received.length > 2) to.dataCounter = this.#schedule.counter;
    to.heard(this.#schedule.counter);
    return received;
  }

  #closeEvent(isComplete: boolean): void {
    this.#isInEvent = false;
    this.#medium.scheduler.clear(this.#stepEvent);
    if (this.#central.isAlive) this.#central.end!.onEventClosed();
    if (this.#peripheral.isAlive) this.#peripheral.end!.onEventClosed();
    if (!this.#central.isAlive && !this.#peripheral.isAlive) return;
    this.#schedule.end(this.#medium.scheduler.nowUs);
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
    if (!this.#medium.skipsIdle || this.#schedule.isApart || this.#isShared()) return false;
    if (!central.isAlive || !peripheral.isAlive || central.isLeaving || peripheral.isLeaving) return false;
    if (central.current || peripheral.current !== peripheral.empty) return false;
    if (central.end!.nextOctets > 0 || peripheral.end!.nextOctets > 0) return false;
    if (!this.#schedule.isSettled) return false;
    const [a, b] = [central.end!, peripheral.end!];
    const { phyCentral, phyPeripheral } = this.#schedule;
    const medium = this.#medium;
    return medium.isLossless(a.radio, b.radio, phyCentral, a.gainDb) && medium.isLossless(b.radio, a.radio, phyPeripheral, b.gainDb);
  }

  #wakeUp(): void {
    if (!this.#isAsleep) return;
    this.#sync();
    this.#isAsleep = false;
    this.#arm();
  }

  /** Accounts for the events slept through: each attended one was a complete exchange of empty packets. */
  #sync(): void {
    if (!this.#isAsleep) return;
    const schedule = this.#schedule;
    const attended = schedule.passOver(this.#medium.scheduler.nowUs);
    if (attended === undefined) return;
    const [central, peripheral] = [this.#central, this.#peripheral];
    if (attended > 0) {
      peripheral.lastHeardUs = schedule.lastHeardAnchorUs + airTimeUs(schedule.phyCentral, 0);
      central.lastHeardUs = schedule.lastHeardAnchorUs + schedule.idleUs;
      for (const side of [central, peripheral]) {
        side.passOver(attended);
        side.heard(schedule.lastAttended);
      }
    }
    // The empty packets of unattended events are one packet, sent again until it is heard.
    central.current = schedule.counter > schedule.lastAttended ? central.empty : undefined;
    this.#eventUs = schedule.lastAnchorUs(this.#medium.scheduler.nowUs);
    this.lastServedUs = this.#eventUs;
    this.busyUntilUs = this.#eventUs + schedule.idleUs;
  }

  #dispose(): void {
    this.#medium.scheduler.clear(this.#anchorEvent);
    this.#medium.scheduler.clear(this.#stepEvent);
    for (const watch of this.#pathWatches) watch[Symbol.dispose]();
  }
}
