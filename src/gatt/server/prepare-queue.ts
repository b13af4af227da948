import type { Attribute } from "./attribute.ts";
import type { Part } from "./parts.ts";

/** Writes that one client may have prepared: enough for four values of 512 octets at ATT_MTU 23. */
const CAPACITY = 128;

/** All parts of one attribute, in the order received. */
export interface PreparedWrite {
  readonly attribute: Attribute;
  readonly parts: readonly Part[];
}

/** A client's prepared writes, Vol 3 Part F 3.4.6. */
export class PrepareQueue {
  #writes = new Map<Attribute, Part[]>();
  #size = 0;

  /** False when the queue is full. */
  push(attribute: Attribute, part: Part): boolean {
    if (this.#size >= CAPACITY) return false;
    const parts = this.#writes.get(attribute);
    if (parts) parts.push(part);
    else this.#writes.set(attribute, [part]);
    this.#size++;
    return true;
  }

  clear(): void {
    this.#writes = new Map();
    this.#size = 0;
  }

  /** Empties the queue and gives what it held, one write for each attribute, in the order in which they were first named. */
  take(): PreparedWrite[] {
    const writes = [...this.#writes].map(([attribute, parts]) => ({ attribute, parts }));
    this.clear();
    return writes;
  }
}
