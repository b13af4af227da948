import { FrameQueue } from "../../hci/frame-queue.ts";
import { allocateFrame } from "../../hci/index.ts";

const HEADER_OCTETS = 2;
/** Packet type, handle and length, Vol 4 Part E 5.4.2. */
const ACL_HEADER_OCTETS = 5;
/** Below this many octets a loop copies faster than a view and `set`. */
const SHORT = 64;

/** `source[from, from + length)` into `target`. */
export function copyInto(source: Uint8Array, from: number, length: number, target: Uint8Array, to: number): void {
  if (length > SHORT) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) target[to + i] = source[from + i]!;
}

/** ACL packets of one connection on their way from the host, cut into data PDUs of the size the link takes. */
export class AclQueue {
  /** H4 packets as the host sent them. */
  readonly #packets = new FrameQueue();
  /** How far the first of them has been taken. */
  #at = ACL_HEADER_OCTETS;
  #pdu: Uint8Array = new Uint8Array(0);

  /** Packets the controller holds, the one in the air included. */
  size = 0;
  /** Whether the host's packet is done once the PDU taken last is acknowledged. */
  isLast = false;

  push(bytes: Uint8Array): void {
    this.#packets.push(bytes);
    this.size++;
  }

  /** Octets of the next PDU's payload; 0 when there is none. */
  nextOctets(maxOctets: number): number {
    const head = this.#packets.first;
    return head ? Math.min(maxOctets, head.length - this.#at) : 0;
  }

  /** The next data PDU in the clear, valid until the one behind it is taken: LLID 2 begins an L2CAP PDU, 1 continues one (Vol 6 Part B 2.4). */
  take(maxOctets: number): Uint8Array | undefined {
    const head = this.#packets.first;
    if (!head) return undefined;
    const at = this.#at;
    const length = Math.min(maxOctets, head.length - at);
    if (this.#pdu.length !== HEADER_OCTETS + length) this.#pdu = allocateFrame(HEADER_OCTETS + length);
    const pdu = this.#pdu;
    // PB flag 0b01 continues; 0b00 begins, which is all that an LE host may send (Vol 4 Part E 5.4.2).
    pdu[0] = at === ACL_HEADER_OCTETS && ((head[2]! >> 4) & 3) !== 1 ? 2 : 1;
    pdu[1] = length;
    copyInto(head, at, length, pdu, HEADER_OCTETS);
    this.isLast = at + length === head.length;
    this.#at = this.isLast ? ACL_HEADER_OCTETS : at + length;
    if (this.isLast) this.#packets.shift();
    return pdu;
  }

  clear(): void {
    this.#packets.clear();
    this.#at = ACL_HEADER_OCTETS;
    this.size = 0;
  }
}
