import { ArgumentError } from "../core/error.ts";

/** Appends little-endian fields to a growing buffer. Values out of range are errors of the caller. */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
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
      this.#view = new DataView(larger.buffer);
    }
    this.#length = needed;
    return at;
  }

  #check(value: number, min: number, max: number): number {
    if (!Number.isInteger(value) || value < min || value > max)
      throw new ArgumentError(`${value}: expected a whole number from ${min} to ${max}`);
    return value;
  }

  u8(value: number): void {
    const at = this.#grow(1); // first: it may replace the view
    this.#view.setUint8(at, this.#check(value, 0, 0xff));
  }
  i8(value: number): void {
    const at = this.#grow(1); // first: it may replace the view
    this.#view.setInt8(at, this.#check(value, -0x80, 0x7f));
  }
  u16(value: number): void {
    const at = this.#grow(2); // first: it may replace the view
    this.#view.setUint16(at, this.#check(value, 0, 0xffff), true);
  }
  i16(value: number): void {
    const at = this.#grow(2); // first: it may replace the view
    this.#view.setInt16(at, this.#check(value, -0x8000, 0x7fff), true);
  }
  u24(value: number): void {
    const at = this.#grow(3);
    this.#check(value, 0, 0xffffff);
    this.#view.setUint16(at, value & 0xffff, true);
    this.#view.setUint8(at + 2, value >> 16);
  }
  i24(value: number): void {
    const at = this.#grow(3);
    this.#check(value, -0x800000, 0x7fffff);
    this.#view.setUint16(at, value & 0xffff, true);
    this.#view.setInt8(at + 2, value >> 16);
  }
  u32(value: number): void {
    const at = this.#grow(4); // first: it may replace the view
    this.#view.setUint32(at, this.#check(value, 0, 0xffffffff), true);
  }
  i32(value: number): void {
    const at = this.#grow(4); // first: it may replace the view
    this.#view.setInt32(at, this.#check(value, -0x80000000, 0x7fffffff), true);
  }
  u64(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new ArgumentError(`${value}: expected an unsigned 64-bit number`);
    const at = this.#grow(8); // first: it may replace the view
    this.#view.setBigUint64(at, value, true);
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
