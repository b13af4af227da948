interface AclPacket {
  /** The H4 packet as the host sent it. */
  readonly bytes: Uint8Array;
  at: number;
  isStart: boolean;
}

/** Octets of a LE data PDU's payload, and what it means for the host's packet. */
export interface Fragment {
  /** 2 begins an L2CAP PDU, 1 continues one (Vol 6 Part B 2.4). */
  readonly llid: number;
  readonly payload: Uint8Array;
  /** The host's packet is done once this is acknowledged. */
  readonly isLast: boolean;
}

/** ACL packets of one connection on their way from the host, cut to the size the link takes. */
export class AclQueue {
  #packets: AclPacket[] = [];

  /** Packets the controller holds, the one in the air included. */
  size = 0;

  push(bytes: Uint8Array): void {
    // PB flag 0b01 continues; 0b00 begins, which is all that an LE host may send (Vol 4 Part E 5.4.2).
    this.#packets.push({ bytes, at: 5, isStart: ((bytes[2]! >> 4) & 3) !== 1 });
    this.size++;
  }

  /** Octets of the next fragment; 0 when there is none. */
  nextOctets(maxOctets: number): number {
    const head = this.#packets[0];
    return head ? Math.min(maxOctets, head.bytes.length - head.at) : 0;
  }

  take(maxOctets: number): Fragment | undefined {
    const head = this.#packets[0];
    if (!head) return undefined;
    const end = Math.min(head.bytes.length, head.at + maxOctets);
    const fragment = { llid: head.isStart ? 2 : 1, payload: head.bytes.subarray(head.at, end), isLast: end === head.bytes.length };
    head.at = end;
    head.isStart = false;
    if (fragment.isLast) this.#packets.shift();
    return fragment;
  }

  clear(): void {
    this.#packets = [];
    this.size = 0;
  }
}
