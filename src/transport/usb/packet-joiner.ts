import type { Clock } from "../../async/clock.ts";

/** A packet of which nothing has come for so long is no packet any more: its beginning belongs to a program before this one. */
const STALE_MS = 1000;

/**
 * Puts HCI packets together from the transfers of one endpoint. A packet may come in several transfers, and a transfer may hold several
 * packets or the end of one and the beginning of the next; the endpoint says what kind they are (Vol 4 Part B 2.1).
 */
export class PacketJoiner {
  readonly #packetType: number;
  readonly #headerLength: number;
  readonly #onPacket: (packet: Uint8Array) => void;
  readonly #clock: Clock;
  readonly #onDropped: (octets: number) => void;
  /** H4 packet type first, then header and parameters; as long as the header is not complete, room for that. */
  #partial: Uint8Array | undefined;
  #have = 0;
  #lastMs = 0;

  /**
   * @param packetType H4 packet type that is put before each packet
   * @param headerLength octets up to and including the length field: 2 for events, 4 for ACL data
   * @param onPacket called for each packet, which is its own
   * @param onDropped told how many octets of a packet that did not end were dropped
   */
  constructor(
    packetType: number,
    headerLength: 2 | 4,
    onPacket: (packet: Uint8Array) => void,
    clock: Clock,
    onDropped: (octets: number) => void,
  ) {
    this.#packetType = packetType;
    this.#headerLength = headerLength;
    this.#onPacket = onPacket;
    this.#clock = clock;
    this.#onDropped = onDropped;
  }

  push(octets: Uint8Array): void {
    if (octets.length === 0) return; // a packet whose length is a multiple of the endpoint's may be followed by an empty one
    const nowMs = this.#clock.now();
    if (this.#partial && nowMs - this.#lastMs > STALE_MS) {
      this.#onDropped(this.#have - 1);
      this.#partial = undefined;
    }
    this.#lastMs = nowMs;
    for (let at = 0; at < octets.length; ) {
      if (!this.#partial) {
        this.#partial = new Uint8Array(1 + this.#headerLength);
        this.#partial[0] = this.#packetType;
        this.#have = 1;
      }
      at += this.#fill(this.#partial, octets, at);
    }
  }

  /** @returns octets used */
  #fill(partial: Uint8Array, octets: Uint8Array, at: number): number {
    const size = Math.min(partial.length - this.#have, octets.length - at);
    partial.set(octets.subarray(at, at + size), this.#have);
    this.#have += size;
    if (this.#have < partial.length) return size;
    const length = 1 + this.#headerLength + this.#lengthOf(partial);
    if (length > partial.length) {
      // That was the header only.
      this.#partial = new Uint8Array(length);
      this.#partial.set(partial);
      return size;
    }
    this.#partial = undefined;
    this.#onPacket(partial);
    return size;
  }

  #lengthOf(packet: Uint8Array): number {
    return this.#headerLength === 2 ? packet[2]! : packet[3]! | (packet[4]! << 8);
  }
}
