import type { HistoryMemory } from "../src/simulator/delivery-source.ts";

/** A history in memory, record by record, with as many holes as are made. */
export class MemoryHistory implements HistoryMemory {
  readonly #records = new Map<number, Uint8Array>();
  #first: number | undefined;
  #last: number | undefined;

  get count(): number {
    return this.#records.size;
  }
  get first(): number | undefined {
    return this.#first;
  }
  get last(): number | undefined {
    return this.#last;
  }

  record(sequenceNumber: number): Uint8Array | undefined {
    return this.#records.get(sequenceNumber);
  }

  /** @param record begins with its header; its sequence number is higher than those before it */
  append(record: Uint8Array): void {
    const number = new DataView(record.buffer, record.byteOffset).getUint32(2, true);
    this.#records.set(number, record);
    this.#first ??= number;
    this.#last = number;
  }

  drop(count: number): void {
    for (const number of [...this.#records.keys()].slice(0, count)) this.#records.delete(number);
    const { value } = this.#records.keys().next();
    this.#first = value;
    if (value === undefined) this.#last = undefined;
  }
}
