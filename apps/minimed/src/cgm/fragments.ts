import { PumpDataError } from "../data/error.ts";

/** Shortest CGM Measurement: size, flags, glucose, time offset. */
const SHORTEST = 6;

/** Parts of `plaintext` as they go into notifications of at most `largest` octets, each of them a frame of its own. */
export function fragment(plaintext: Uint8Array, largest: number, overhead: number): Uint8Array[] {
  const step = Math.max(1, largest - overhead);
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < plaintext.length; at += step) parts.push(plaintext.subarray(at, at + step));
  return parts;
}

/** Joins the plaintexts of CGM Measurement notifications: the first octet of a record is its size. Holds at most one record. */
export class MeasurementAssembler {
  #held = new Uint8Array();

  /** Octets of an unfinished record. */
  get pending(): number {
    return this.#held.length;
  }

  /** The records that `plaintext` finishes. @throws {PumpDataError} "length" for a size that no record has; what was held is dropped */
  push(plaintext: Uint8Array): Uint8Array[] {
    const joined = new Uint8Array(this.#held.length + plaintext.length);
    joined.set(this.#held);
    joined.set(plaintext, this.#held.length);
    this.#held = new Uint8Array();
    const records: Uint8Array[] = [];
    let at = 0;
    while (at < joined.length) {
      const size = joined[at]!;
      if (size < SHORTEST) throw new PumpDataError("length", `CGM Measurement: a record of size ${size}`);
      if (at + size > joined.length) break;
      records.push(joined.slice(at, at + size));
      at += size;
    }
    this.#held = joined.slice(at);
    return records;
  }

  /** Forgets an unfinished record. */
  reset(): void {
    this.#held = new Uint8Array();
  }
}
