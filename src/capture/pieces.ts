import { concat } from "../bytes/index.ts";
import { viewOf } from "./record.ts";

const NOTHING = new Uint8Array(0);

/**
 * What is left of a file that comes in pieces of any size, and where in the file it is. Numbers and octets are read where they lie, by their
 * distance from what was taken last: an array per record, to look through, cost more than all else that reading does.
 */
export class Pieces {
  #octets: Uint8Array = NOTHING;
  #view: DataView = viewOf(NOTHING);
  #at = 0;
  /** Offset of `#octets[0]` in the file. */
  #begin = 0;

  /** Octets not taken yet. */
  get length(): number {
    return this.#octets.length - this.#at;
  }

  /** Offset in the file of the first octet not taken yet. */
  get offset(): number {
    return this.#begin + this.#at;
  }

  /** The octets not taken yet, where they lie: not to be kept. */
  get rest(): Uint8Array {
    return this.#octets.subarray(this.#at);
  }

  add(piece: Uint8Array): void {
    // A Buffer's slice() would be a view of it, and the packets would change with the caller's buffer.
    const octets = new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
    this.#replace(this.length === 0 ? octets : concat(this.rest, octets));
  }

  take(length: number): void {
    this.#at += length;
  }

  /** Lets go of the caller's buffer. */
  release(): void {
    this.#replace(this.length === 0 ? NOTHING : this.rest.slice());
  }

  uint8(at: number): number {
    return this.#octets[this.#at + at]!;
  }

  uint16(at: number, littleEndian = false): number {
    return this.#view.getUint16(this.#at + at, littleEndian);
  }

  uint32(at: number, littleEndian = false): number {
    return this.#view.getUint32(this.#at + at, littleEndian);
  }

  int32(at: number, littleEndian = false): number {
    return this.#view.getInt32(this.#at + at, littleEndian);
  }

  /** A copy. */
  slice(from: number, to: number): Uint8Array {
    return this.#octets.slice(this.#at + from, this.#at + to);
  }

  /** A copy behind an H4 packet type. */
  packet(type: number, from: number, to: number): Uint8Array {
    const octets = this.#octets;
    const begin = this.#at + from - 1;
    const packet = new Uint8Array(1 + to - from);
    packet[0] = type;
    // A loop, since most packets are short: a subarray to set from costs more than that.
    for (let i = 1; i < packet.length; i++) packet[i] = octets[begin + i]!;
    return packet;
  }

  #replace(octets: Uint8Array): void {
    this.#begin += this.#at;
    this.#octets = octets;
    this.#view = viewOf(octets);
    this.#at = 0;
  }
}
