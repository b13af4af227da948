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
    const key = addressKey(type, address);
    if (!this.#entries.has(key) && this.#entries.size >= this.size) return false;
    this.#entries.add(key);
    return true;
  }
  remove(type: number, address: Uint8Array): void {
    this.#entries.delete(addressKey(type, address));
  }
  clear(): void {
    this.#entries.clear();
  }
  has(type: number, address: Uint8Array, offset = 0): boolean {
    return this.#entries.has(addressKey(type, address, offset));
  }
}
