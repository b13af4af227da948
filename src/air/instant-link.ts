import { type Link, type LinkChange, type LinkEnd, LinkLoss, LinkRole, type LinkSetup, type LinkSubrate } from "./link.ts";
import type { AirFault, AirPacket, Medium } from "./medium.ts";
import { Phy } from "./phy.ts";
import type { PathWatch } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

interface Side {
  readonly role: LinkRole;
  end: LinkEnd | undefined;
  isAlive: boolean;
  /** Taken, and kept back by a fault hook's delay or because the peer does not accept. */
  waiting: Uint8Array | undefined;
  heldUntilUs: number;
  isLeaving: boolean;
}

/** A link without radio time: what one end gives the other has at once, in order. Supervision alone still takes its time. */
export class InstantLink implements Link {
  readonly eventCounter = 0;
  readonly #medium: Medium;
  readonly #accessAddress: number;
  #timeoutUs: number;
  readonly #sides: readonly [Side, Side] = [newSide(LinkRole.Central), newSide(LinkRole.Peripheral)];
  readonly #supervision = new AirEvent(() => this.#onSupervision());
  readonly #again = new AirEvent(() => this.#pump());
  readonly #pathWatch: PathWatch = { after: () => this.#onPathChange() };
  readonly #pathWatches: Disposable[] = [];
  /** Whether what either end sends gets to the other, as far as they are there. */
  #isInReach = false;
  #isPumping = false;

  constructor(medium: Medium, setup: LinkSetup) {
    this.#medium = medium;
    this.#accessAddress = setup.accessAddress;
    this.#timeoutUs = setup.supervisionTimeoutUs;
    this.#sides[0].end = setup.central;
    this.#sides[0].isAlive = true;
    this.#pathWatches.push(medium.onPathChange(this.#pathWatch, setup.central.radio));
    this.#onPathChange(); // lost if nobody joins
  }

  anchorUs(): number {
    return this.#medium.scheduler.nowUs;
  }

  join(peripheral: LinkEnd): void {
    this.#sides[1].end = peripheral;
    this.#sides[1].isAlive = true;
    this.#pathWatches.push(this.#medium.onPathChange(this.#pathWatch, peripheral.radio));
    this.#onPathChange();
  }

  wake(): void {
    this.#pump();
  }

  atInstant(role: LinkRole, _instant: number, change: LinkChange): void {
    if (change.kind === "parameters") this.#timeoutUs = change.supervisionTimeoutUs;
    this.#sides[role].end?.onInstant(change);
  }

  /** There are no connection events. */
  setSubrate(_role: LinkRole, { supervisionTimeoutUs }: LinkSubrate): void {
    this.#timeoutUs = supervisionTimeoutUs;
  }

  leave(role: LinkRole, { afterNextPdu = false }: { afterNextPdu?: boolean } = {}): void {
    const side = this.#sides[role];
    if (!side.isAlive) return;
    if (afterNextPdu && this.#isPumping) {
      side.isLeaving = true;
      return;
    }
    side.isAlive = false;
    if (this.#sides[1 - role]!.isAlive) this.#onPathChange();
    else this.#dispose();
  }

  rssiDbm(role: LinkRole): number {
    const [to, from] = [this.#sides[role].end, this.#sides[1 - role]!.end];
    if (!to || !from) return 127; // not available
    const meanDbm = this.#medium.meanDbm(from.radio, to.radio) + from.gainDb;
    return this.#medium.rssiDbm(from.radio, to.radio, this.#accessAddress, 0, role, meanDbm);
  }

  meanDbm(role: LinkRole): number | undefined {
    const [to, from] = [this.#sides[role].end, this.#sides[1 - role]!.end];
    const meanDbm = to && from && this.#medium.meanDbm(from.radio, to.radio) + from.gainDb;
    return Number.isFinite(meanDbm) ? meanDbm : undefined;
  }

  changeStrength(act: () => void): void {
    act();
    this.#onReach();
  }

  get #isConnected(): boolean {
    return this.#isInReach && this.#sides[0].isAlive && this.#sides[1].isAlive;
  }

  #reaches({ end: from }: Side, { end: to }: Side): boolean {
    return from !== undefined && to !== undefined && this.#medium.isInRange(from.radio, to.radio, Phy.Le1M, from.gainDb);
  }

  #onPathChange(): void {
    this.#onReach();
    if (this.#isConnected) for (const { end } of this.#sides) end!.onEventClosed(); // what they hear may have another strength
  }

  /** They may have come into reach of each other, or out of it. */
  #onReach(): void {
    const [a, b] = this.#sides;
    this.#isInReach = this.#reaches(a, b) && this.#reaches(b, a);
    if (this.#isConnected) {
      this.#medium.scheduler.clear(this.#supervision);
      this.#pump();
    } else if (!this.#supervision.isSet) this.#medium.scheduler.set(this.#supervision, this.#medium.scheduler.nowUs + this.#timeoutUs);
  }

  #onSupervision(): void {
    for (const side of this.#sides) {
      if (!side.isAlive) continue;
      side.isAlive = false;
      side.end!.onLost(this.#sides[1].end ? LinkLoss.ConnectionTimeout : LinkLoss.ConnectionFailedToBeEstablished);
    }
    this.#dispose();
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      let moved = true;
      while (moved && this.#isConnected) {
        moved = false;
        for (const from of this.#sides) if (this.#carryOne(from, this.#sides[1 - from.role]!)) moved = true;
      }
    } finally {
      this.#isPumping = false;
    }
    for (const side of this.#sides) if (side.isLeaving) this.leave(side.role);
  }

  #carryOne(from: Side, to: Side): boolean {
    if (!from.isAlive || !to.isAlive) return false;
    if (from.heldUntilUs > 0) {
      if (from.heldUntilUs > this.#medium.scheduler.nowUs) return false;
      from.heldUntilUs = 0;
    } else if (!from.waiting) {
      from.waiting = from.end!.takePdu();
      if (!from.waiting) return false;
      const fault = this.#fateOf(from, to, from.waiting);
      // A lost or corrupted packet is sent again, which here takes no time.
      if (fault !== undefined && typeof fault === "object") {
        if ("delayMs" in fault) {
          from.heldUntilUs = this.#medium.scheduler.nowUs + Math.round(fault.delayMs * 1000);
          this.#medium.scheduler.set(this.#again, from.heldUntilUs);
          return false;
        }
        if (fault.deliver.length >= 2) from.waiting = fault.deliver;
      }
    }
    const pdu = from.waiting!;
    if (!to.end!.accepts(pdu)) return false;
    from.waiting = undefined;
    to.end!.onPdu(pdu);
    if (from.isAlive) from.end!.onAcknowledged();
    return true;
  }

  #fateOf(from: Side, to: Side, pdu: Uint8Array): AirFault | undefined {
    const medium = this.#medium;
    const fault = medium.hasHooks ? medium.fate({ ...this.#sent(from, pdu.slice()), to: to.end!.radio.name }) : undefined; // a hook may keep it
    if (!medium.trace.isOn) return fault;
    if (fault === "lose" || fault === "corrupt") {
      medium.trace.add({ kind: "air", ...this.#sent(from, pdu), receivedBy: [], trouble: "fault" });
      medium.trace.add({ kind: "air", ...this.#sent(from, pdu), receivedBy: [to.end!.radio.name], trouble: undefined });
    } else {
      const delivered = fault !== undefined && "deliver" in fault ? fault.deliver : pdu;
      medium.trace.add({ kind: "air", ...this.#sent(from, delivered), receivedBy: [to.end!.radio.name], trouble: undefined });
    }
    return fault;
  }

  #sent(from: Side, pdu: Uint8Array): Omit<AirPacket, "index" | "to"> {
    const timeUs = this.#medium.scheduler.nowUs;
    return { timeUs, from: from.end!.radio.name, channel: 0, phy: Phy.Le1M, accessAddress: this.#accessAddress, pdu };
  }

  #dispose(): void {
    this.#medium.scheduler.clear(this.#supervision);
    this.#medium.scheduler.clear(this.#again);
    for (const watch of this.#pathWatches) watch[Symbol.dispose]();
  }
}

function newSide(role: LinkRole): Side {
  return { role, end: undefined, isAlive: false, waiting: undefined, heldUntilUs: 0, isLeaving: false };
}
