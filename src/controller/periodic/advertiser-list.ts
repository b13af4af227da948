import { HciErrorCode } from "../../hci/index.ts";
import { addressKey } from "../roles/filter-accept-list.ts";

const HIGHEST_SID = 0x0f;

/** The Periodic Advertiser List, Vol 6 Part B 4.3.5. */
export class PeriodicAdvertiserList {
  readonly size: number;
  readonly #entries = new Set<string>();
  constructor(size: number) {
    this.size = size;
  }

  has(type: number, address: Uint8Array, sid: number): boolean {
    return this.#entries.has(key(type, address, sid));
  }

  /** Gives a status. */
  add(type: number, address: Uint8Array, sid: number): number {
    const entry = key(type, address, sid);
    if (type > 1 || sid > HIGHEST_SID || this.#entries.has(entry)) return HciErrorCode.InvalidHciCommandParameters;
    if (this.#entries.size >= this.size) return HciErrorCode.MemoryCapacityExceeded;
    this.#entries.add(entry);
    return HciErrorCode.Success;
  }

  remove(type: number, address: Uint8Array, sid: number): number {
    if (type > 1 || sid > HIGHEST_SID) return HciErrorCode.InvalidHciCommandParameters;
    return this.#entries.delete(key(type, address, sid)) ? HciErrorCode.Success : HciErrorCode.UnknownAdvertisingIdentifier;
  }

  clear(): void {
    this.#entries.clear();
  }
}

function key(type: number, address: Uint8Array, sid: number): string {
  return `${sid} ${addressKey(type, address)}`;
}
