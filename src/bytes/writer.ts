import { ArgumentError } from "../core/error.ts";

/** Appends little-endian fields to a growing buffer. Values out of range are errors of the caller. Octet by octet, for the reason that `Reader` gives. */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  #grow(size: number): number {
    const at = this.#length;
    const needed = at + size;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#length = needed;
    return at;
  }

  #number(value: number, size: number, min: number, max: number): void {
    if (!Number.isInteger(value) || value < min || value > max)
      throw new ArgumentError(`${value}: expected a whole number from ${min} to ${max}`);
    const at = this.#grow(size);
    for (let i = 0; i < size; i++) this.#bytes[at + i] = value >> (8 * i);
  }

  u8(value: number): void {
    this.#number(value, 1, 0, 0xff);
  }
  i8(value: number): void {
    this.#number(value, 1, -0x80, 0x7f);
  }
  u16(value: number): void {
    this.#number(value, 2, 0, 0xffff);
  }
  i16(value: number): void {
    this.#number(value, 2, -0x8000, 0x7fff);
  }
  u24(value: number): void {
    this.#number(value, 3, 0, 0xffffff);
  }
  i24(value: number): void {
    this.#number(value, 3, -0x800000, 0x7fffff);
  }
  u32(value: number): void {
    this.#number(value, 4, 0, 0xffffffff);
  }
  i32(value: number): void {
    this.#number(value, 4, -0x80000000, 0x7fffffff);
  }
  u64(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new ArgumentError(`${value}: expected an unsigned 64-bit number`);
    this.u32(Number(value & 0xffff_ffffn));
    this.u32(Number(value >> 32n));
  }
  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
