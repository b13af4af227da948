/** Stands for all who advertise anonymously. */
export const ANONYMOUS_TYPE = 0xff;
const ANONYMOUS_KEY = "anonymous";

/** Address type and octets, as a number-free key for sets. */
export function addressKey(type: number, bytes: Uint8Array, offset = 0): string {
  let key = String(type & 1);
  for (let i = 0; i < 6; i++) key += String.fromCharCode(bytes[offset + i]!);
  return key;
}

/** The Filter Accept List, Vol 6 Part B 4.3.1. */
export class FilterAcceptList {
  readonly size: number;
  readonly #entries = new Set<string>();
  constructor(size: number) {
    this.size = size;
  }
  /** False when it is full. */
  add(type: number, address: Uint8Array): boolean {
    const key = entryKey(type, address);
    if (!this.#entries.has(key) && this.#entries.size >= this.size) return false;
    this.#entries.add(key);
    return true;
  }
  remove(type: number, address: Uint8Array): void {
    this.#entries.delete(entryKey(type, address));
  }
  get hasAnonymous(): boolean {
    return this.#entries.has(ANONYMOUS_KEY);
  }
  clear(): void {
    this.#entries.clear();
  }
  has(type: number, address: Uint8Array, offset = 0): boolean {
    return this.#entries.has(addressKey(type, address, offset));
  }
}

/** The address of anonymous advertisers is ignored (Vol 4 Part E 7.8.16). */
function entryKey(type: number, address: Uint8Array): string {
  return type === ANONYMOUS_TYPE ? ANONYMOUS_KEY : addressKey(type, address);
}
