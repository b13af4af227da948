import { callOut } from "../async/call-out.ts";
import { DecodeError } from "../bytes/index.ts";
import { checkChoice, checkOctets, checkOptions, optionNames, requireFunction } from "../core/arguments.ts";
import { LONGEST_PIECE } from "../hci/base-transport.ts";
import { PacketType } from "../hci/transport.ts";

/** Octets up to and including the length field, by packet type (Vol 4 Part A 2, Part E 5.4). */
const HEADER_LENGTH: readonly (number | undefined)[] = (() => {
  const lengths: (number | undefined)[] = [];
  lengths[PacketType.Command] = 4;
  lengths[PacketType.AclData] = 5;
  lengths[PacketType.SynchronousData] = 4;
  lengths[PacketType.Event] = 3;
  lengths[PacketType.IsoData] = 5;
  return lengths;
})();

const OPTIONS = optionNames<{ from: string }>({ from: true });

/** Length of the whole packet whose header stands at `offset`. */
function packetLength(bytes: Uint8Array, offset: number): number {
  switch (bytes[offset]) {
    case PacketType.AclData:
      return 5 + (bytes[offset + 3]! | (bytes[offset + 4]! << 8));
    case PacketType.IsoData: // 14 bits, the others reserved
      return 5 + (bytes[offset + 3]! | ((bytes[offset + 4]! & 0x3f) << 8));
    case PacketType.Event:
      return 3 + bytes[offset + 2]!;
    default: // commands and synchronous data
      return 4 + bytes[offset + 3]!;
  }
}

/**
 * Cuts a stream of octets into H4 packets. A packet that came in one piece is handed on as a view of that piece, any other is copied
 * together; at most one packet (64 KiB) is held. Pieces of more than 4 KiB, and parts of more, are copied to pieces of 4 KiB first, so that
 * whoever keeps a packet does not keep 64 KiB with it.
 *
 * H4 has no mark by which a receiver could find the next packet after an error, so an unknown packet type is the end of the stream.
 */
export class H4Framer {
  readonly #onPacket: (packet: Uint8Array) => void;
  readonly #headerLength: readonly (number | undefined)[];
  /** The packet being put together; as long as its header is not complete, room for the header only. */
  #partial: Uint8Array | undefined;
  #have = 0;
  #position = 0;

  /**
   * @param onPacket called for every packet, H4 packet type first, while `push` runs; what it throws is rethrown in a turn of its own
   * @param options.from who sends: commands come from a host only, events from a controller. By default from either
   */
  constructor(onPacket: (packet: Uint8Array) => void, options: { from?: "host" | "controller" | undefined } = {}) {
    requireFunction("H4Framer", onPacket);
    this.#onPacket = onPacket;
    const { from } = options;
    checkOptions("H4Framer", options, OPTIONS);
    if (from !== undefined) checkChoice("H4Framer: from", from, ["host", "controller"]);
    const foreign = from === "host" ? PacketType.Event : from === "controller" ? PacketType.Command : undefined;
    this.#headerLength = HEADER_LENGTH.map((length, type) => (type === foreign ? undefined : length));
  }

  /** Whether a packet has begun and not ended. */
  get isInPacket(): boolean {
    return this.#partial !== undefined;
  }

  /** @throws {DecodeError} an octet that starts no H4 packet where one must start */
  push(chunk: Uint8Array): void {
    checkOctets("H4Framer.push", chunk);
    if (chunk.length <= LONGEST_PIECE && chunk.buffer.byteLength <= LONGEST_PIECE) this.#push(chunk, chunk, 0);
    else
      for (let at = 0; at < chunk.length; at += LONGEST_PIECE)
        this.#push(new Uint8Array(chunk.subarray(at, at + LONGEST_PIECE)), chunk, at);
  }

  /** @param chunk what `piece` is a part of, or all of, from `start` on */
  #push(piece: Uint8Array, chunk: Uint8Array, start: number): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#partial) {
        at += this.#fill(piece, at);
        continue;
      }
      const headerLength = this.#headerLength[piece[at]!];
      if (headerLength === undefined) this.#fail(chunk, start + at);
      const left = piece.length - at;
      const length = left < headerLength ? headerLength : packetLength(piece, at);
      if (left >= headerLength && left >= length) {
        const packet = piece.subarray(at, at + length);
        at += length;
        callOut(this.#onPacket, packet);
        continue;
      }
      this.#partial = new Uint8Array(length);
      this.#partial.set(piece.subarray(at));
      this.#have = left;
      at = piece.length;
    }
    if (start + piece.length === chunk.length) this.#position += chunk.length;
  }

  /** Adds what is missing of the packet, at most. @returns octets used */
  #fill(chunk: Uint8Array, at: number): number {
    const partial = this.#partial!;
    const size = Math.min(partial.length - this.#have, chunk.length - at);
    partial.set(chunk.subarray(at, at + size), this.#have);
    this.#have += size;
    if (this.#have < partial.length) return size;
    const length = packetLength(partial, 0);
    if (length > partial.length) {
      // That was the header only.
      this.#partial = new Uint8Array(length);
      this.#partial.set(partial);
      return size;
    }
    this.#partial = undefined;
    callOut(this.#onPacket, partial);
    return size;
  }

  #fail(chunk: Uint8Array, at: number): never {
    const problem = `0x${chunk[at]!.toString(16).padStart(2, "0")} is no packet type`;
    throw new DecodeError({
      path: "H4 stream",
      problem,
      offset: this.#position + at,
      length: this.#position + chunk.length,
      packet: chunk.slice(at),
    });
  }
}
