import { BoundedMap } from "../core/bounded-map.ts";
import { fourAt, LEGACY_REPORT, type ReportLayout, RSSI_AT, TX_POWER_AT } from "./report-layout.ts";

/** Reports remembered; in a crowd the oldest are forgotten and reported again. */
const CAPACITY = 4096;

/**
 * Remembers reports that were delivered: the same octets but for the signal strength at their end. Asking notes nothing, so that what is not
 * delivered after all is asked about again. Bounded; two different reports are taken for one with a chance of about one in 2^52.
 */
export class DuplicateFilter {
  readonly #seen: BoundedMap<number, true>;
  /** Of the report asked about last, which is the one that is noted next. */
  #lastPacket: Uint8Array | undefined;
  #lastOffset = 0;
  #lastKey = 0;

  constructor(capacity = CAPACITY) {
    this.#seen = new BoundedMap(capacity);
  }

  /** @param data false compares event type and address (and the advertising set's identifier) alone */
  has(packet: Uint8Array, offset: number, end: number, data: boolean, layout = LEGACY_REPORT): boolean {
    this.#lastKey = keyOf(packet, offset, end, data, layout);
    this.#lastPacket = packet;
    this.#lastOffset = offset;
    return this.#seen.has(this.#lastKey);
  }

  note(packet: Uint8Array, offset: number, end: number, data: boolean, layout = LEGACY_REPORT): void {
    const isLast = packet === this.#lastPacket && offset === this.#lastOffset;
    const key = isLast ? this.#lastKey : keyOf(packet, offset, end, data, layout);
    if (this.#seen.has(key)) return;
    this.#seen.makeRoom();
    this.#seen.set(key, true);
  }

  forget(packet: Uint8Array, offset: number, end: number, data: boolean, layout = LEGACY_REPORT): void {
    this.#seen.delete(keyOf(packet, offset, end, data, layout));
  }
}

/** Two multiplicative hashes over the same octets, 26 bits of each. Not cryptographic: who makes collisions hides only itself. */
function keyOf(packet: Uint8Array, offset: number, end: number, data: boolean, { isExtended }: ReportLayout): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  // Up to the signal strength, which is behind the data of a legacy report and in the middle of an extended one.
  let stop = isExtended ? offset + TX_POWER_AT : data ? end - 1 : offset + 8;
  for (let i = offset; i < stop; i += 4) {
    // Four at a time, the last four once more where they are not whole: by single octets a report takes half as long again.
    const at = Math.min(i, stop - 4);
    const four = fourAt(packet, at);
    a = Math.imul(a ^ four, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b, 0x85ebca6b) + four;
    b ^= b >>> 13;
    if (isExtended && data && at + 4 === offset + TX_POWER_AT) {
      i = offset + RSSI_AT - 3;
      stop = end;
    }
  }
  return ((a ^ (a >>> 15)) & 0x3ff_ffff) * 0x400_0000 + ((b ^ (b >>> 16)) & 0x3ff_ffff);
}
