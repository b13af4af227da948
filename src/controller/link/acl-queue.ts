import { allocateFrame } from "../../hci/index.ts";

interface AclPacket {
  /** The H4 packet as the host sent it. */
  readonly bytes: Uint8Array;
  at: number;
  isStart: boolean;
}

const HEADER_OCTETS = 2;
/** Below this many octets a loop copies faster than a view and `set`. */
const SHORT = 64;

/** `source[from, from + length)` into `target`. */
export function copyOctets(source: Uint8Array, from: number, length: number, target: Uint8Array, to: number): void {
  if (length > SHORT) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) target[to + i] = source[from + i]!;
}

/** ACL packets of one connection on their way from the host, cut into data PDUs of the size the link takes. */
export class AclQueue {
  #packets: AclPacket[] = [];

  /** Packets the controller holds, the one in the air included. */
  size = 0;
  /** Whether the host's packet is done once the PDU taken last is acknowledged. */
  isLast = false;

  push(bytes: Uint8Array): void {
    // PB flag 0b01 continues; 0b00 begins, which is all that an LE host may send (Vol 4 Part E 5.4.2).
    this.#packets.push({ bytes, at: 5, isStart: ((bytes[2]! >> 4) & 3) !== 1 });
    this.size++;
  }

  /** Octets of the next PDU's payload; 0 when there is none. */
  nextOctets(maxOctets: number): number {
    const head = this.#packets[0];
    return head ? Math.min(maxOctets, head.bytes.length - head.at) : 0;
  }

  /** The next data PDU in the clear: LLID 2 begins an L2CAP PDU, 1 continues one (Vol 6 Part B 2.4). */
  take(maxOctets: number): Uint8Array | undefined {
    const head = this.#packets[0];
    if (!head) return undefined;
    const length = Math.min(maxOctets, head.bytes.length - head.at);
    const pdu = allocateFrame(HEADER_OCTETS + length);
    pdu[0] = head.isStart ? 2 : 1;
    pdu[1] = length;
    copyOctets(head.bytes, head.at, length, pdu, HEADER_OCTETS);
    head.at += length;
    head.isStart = false;
    this.isLast = head.at === head.bytes.length;
    if (this.isLast) this.#packets.shift();
    return pdu;
  }

  clear(): void {
    this.#packets = [];
    this.size = 0;
  }
}
