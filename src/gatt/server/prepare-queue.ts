import type { Attribute } from "./attribute.ts";

/** Writes that one client may have prepared: enough for four values of 512 octets at ATT_MTU 23. */
const CAPACITY = 128;

/** One write to be executed: parts that continue one another are joined. */
export interface PreparedWrite {
  readonly attribute: Attribute;
  readonly offset: number;
  readonly value: Uint8Array;
}

/** A client's prepared writes in the order received, Vol 3 Part F 3.4.6. */
export class PrepareQueue {
  #parts: PreparedWrite[] = [];

  get size(): number {
    return this.#parts.length;
  }

  /** False when the queue is full. */
  push(part: PreparedWrite): boolean {
    if (this.#parts.length >= CAPACITY) return false;
    this.#parts.push(part);
    return true;
  }

  clear(): void {
    this.#parts = [];
  }

  /** Empties the queue and gives what it held. */
  take(): PreparedWrite[] {
    const parts = this.#parts;
    this.#parts = [];
    const writes: PreparedWrite[] = [];
    for (let i = 0; i < parts.length; ) {
      const { attribute, offset } = parts[i]!;
      let end = offset;
      let next = i;
      for (; next < parts.length && parts[next]!.attribute === attribute && parts[next]!.offset === end; next++)
        end += parts[next]!.value.length;
      const value = new Uint8Array(end - offset);
      for (let k = i; k < next; k++) value.set(parts[k]!.value, parts[k]!.offset - offset);
      writes.push({ attribute, offset, value });
      i = next;
    }
    return writes;
  }
}
