import type { LinkChange, LinkEnd, LinkRole, LinkSubrate } from "./link.ts";

// Bits of the first octet of a data PDU, Vol 6 Part B 2.4.
const LLID = 0x03;
const NESN = 0x04;
const SN = 0x08;
const MD = 0x10;

/** One end as the link sees it: sequence numbers, what is on its way, and when it last heard the other (Vol 6 Part B 4.5.9). */
export class LinkSide {
  readonly role: LinkRole;
  end: LinkEnd | undefined;
  isAlive = false;
  sn = 0;
  nesn = 0;
  /** Sent, or about to be, and not acknowledged. */
  current: Uint8Array | undefined;
  readonly empty = Uint8Array.of(1, 0);
  lastHeardUs = 0;
  isEstablished = false;
  /** Event of the last packet that it heard, and the mean strength of the path then; NaN: as it is now. */
  heardCounter = 0;
  heardMeanDbm = Number.NaN;
  /** Off the link once it has sent another packet. */
  isLeaving = false;
  /** Until then nothing new of the peer is accepted (a fault hook's delay). */
  holdsUntilUs = -1;
  /** What takes effect at an instant, as far as this end knows. */
  readonly changes: { instant: number; change: LinkChange }[] = [];
  /** Which connection events it uses: the union of both, while the other end may not know of the second. */
  subrates: readonly LinkSubrate[] = [];
  /** The last event in which it sent or received a packet that was not empty. */
  dataCounter = Number.NEGATIVE_INFINITY;
  /** How long it waits for a packet. */
  timeoutUs = 0;

  constructor(role: LinkRole) {
    this.role = role;
  }

  /** Payload octets of the next PDU to leave. */
  get nextOctets(): number {
    return this.current ? this.current.length - 2 : (this.end?.nextOctets ?? 0);
  }

  /** Nothing to send but, perhaps, an empty packet once more. */
  get isIdle(): boolean {
    return (this.current === undefined || this.current === this.empty) && (this.end?.nextOctets ?? 0) === 0 && !this.isLeaving;
  }

  heard(counter: number): void {
    this.heardCounter = counter;
    this.heardMeanDbm = Number.NaN;
  }

  /** Writes the bits that are the link's. */
  stamp(pdu: Uint8Array, hasMore: boolean): void {
    pdu[0] = (pdu[0]! & LLID) | (this.nesn ? NESN : 0) | (this.sn ? SN : 0) | (hasMore ? MD : 0);
  }

  /** Handles NESN and SN of a received packet. Gives whether it brings a new PDU. */
  acknowledge(pdu: Uint8Array, nowUs: number): boolean {
    this.lastHeardUs = nowUs;
    this.isEstablished = true;
    const header = pdu[0]!;
    if (this.current && (header & NESN) >> 2 !== this.sn) {
      const was = this.current;
      this.sn ^= 1;
      this.current = undefined;
      if (was !== this.empty) this.end!.onAcknowledged();
    }
    if ((header & SN) >> 3 !== this.nesn || !this.isAlive) return false; // sent before
    if (pdu.length === 2) {
      this.nesn ^= 1;
      return false;
    }
    if (nowUs < this.holdsUntilUs || !this.end!.accepts(pdu)) return false;
    this.nesn ^= 1;
    return true;
  }

  /** As after so many exchanges of empty packets. */
  passOver(exchanges: number): void {
    this.sn ^= exchanges & 1;
    this.nesn ^= exchanges & 1;
  }
}
