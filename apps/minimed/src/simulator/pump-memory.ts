import type { HistoryMemory } from "./delivery-source.ts";
import type { PlannedRecords } from "./planned-records.ts";
import type { Recorded } from "./recorder.ts";

/** The history in a pump's memory: what lies before it was switched on, made anew whenever it is asked for, and what was recorded since. */
export class PumpMemory implements HistoryMemory {
  #past: PlannedRecords | undefined;
  /** So many of the past are gone, from the oldest on. */
  #forgotten = 0;
  readonly #recorded = new Map<number, Uint8Array>();
  #last: number | undefined;
  readonly #capacity: number;
  /** Brings the records up to date. */
  readonly #update: () => void;

  constructor({ past, capacity, update }: { past: PlannedRecords; capacity: number; update: () => void }) {
    this.#past = past;
    this.#capacity = capacity;
    this.#update = update;
    this.#last = past.last;
    this.#trim();
  }

  get count(): number {
    this.#update();
    return this.#count;
  }
  get #count(): number {
    return this.#pastCount + this.#recorded.size;
  }
  get #pastCount(): number {
    return this.#past ? this.#past.count - this.#forgotten : 0;
  }

  get first(): number | undefined {
    this.#update();
    return this.#pastCount > 0 ? this.#past!.numberAt(this.#forgotten) : this.#recorded.keys().next().value;
  }
  get last(): number | undefined {
    this.#update();
    return this.#count > 0 ? this.#last : undefined;
  }

  record(sequenceNumber: number): Uint8Array | undefined {
    const recorded = this.#recorded.get(sequenceNumber);
    if (recorded) return recorded;
    if (this.#pastCount === 0 || (this.#forgotten > 0 && sequenceNumber < this.first!)) return undefined;
    return this.#past!.record(sequenceNumber);
  }

  append({ number, bytes }: Recorded): void {
    this.#recorded.set(number, bytes);
    this.#last = number;
    this.#trim();
  }

  drop(count: number): void {
    const ofPast = Math.min(count, this.#pastCount);
    this.#forgotten += ofPast;
    let left = count - ofPast;
    for (const number of this.#recorded.keys()) {
      if (left-- <= 0) break;
      this.#recorded.delete(number);
    }
  }

  /** It failed: nothing is left. */
  clear(): void {
    this.#past = undefined;
    this.#recorded.clear();
    this.#last = undefined;
  }

  #trim(): void {
    if (this.#count > this.#capacity) this.drop(this.#count - this.#capacity);
  }
}
