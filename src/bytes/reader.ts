import { DecodeError, type DecodeFault } from "./decode-error.ts";

/**
 * Reads little-endian fields in place; every failure is a DecodeError with path and offset. Octet by octet: the engine keeps short arrays
 * inside their objects, and looking through a DataView would make it move each out first, which takes longer than reading all of it.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #end: number;
  #offset: number;
  #path: string[];

  constructor(bytes: Uint8Array, { offset = 0, end = bytes.length, name = "" }: { offset?: number; end?: number; name?: string } = {}) {
    this.bytes = bytes;
    this.#offset = offset;
    this.#end = end;
    this.#path = name ? [name] : [];
  }

  get offset(): number {
    return this.#offset;
  }
  get remaining(): number {
    return this.#end - this.#offset;
  }

  #take(size: number): number {
    if (this.remaining < size) this.fail(`needs ${size} byte${size === 1 ? "" : "s"}, has ${this.remaining}`, "short");
    const at = this.#offset;
    this.#offset += size;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }
  i8(): number {
    return (this.u8() << 24) >> 24;
  }
  u16(): number {
    const at = this.#take(2);
    return this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }
  i16(): number {
    return (this.u16() << 16) >> 16;
  }
  u24(): number {
    const at = this.#take(3);
    return this.bytes[at]! | (this.bytes[at + 1]! << 8) | (this.bytes[at + 2]! << 16);
  }
  i24(): number {
    return (this.u24() << 8) >> 8;
  }
  u32(): number {
    return this.i32() >>> 0;
  }
  i32(): number {
    const at = this.#take(4);
    return this.bytes[at]! | (this.bytes[at + 1]! << 8) | (this.bytes[at + 2]! << 16) | (this.bytes[at + 3]! << 24);
  }
  u64(): bigint {
    if (this.remaining < 8) this.#take(8);
    const low = this.u32();
    return (BigInt(this.u32()) << 32n) | BigInt(low);
  }
  /** A copy, so that a decoded value outlives its packet. */
  take(length: number): Uint8Array {
    const at = this.#take(length);
    return this.bytes.slice(at, at + length);
  }
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  /** Decodes `codec` under the path element `name`. */
  field<T>(name: string, codec: { decode(reader: Reader): T }): T {
    this.#path.push(name);
    const value = codec.decode(this);
    this.#path.pop();
    return value;
  }

  fail(problem: string, fault: DecodeFault = "value"): never {
    const path = this.#path.join(".").replaceAll(".[", "[");
    throw new DecodeError({ path, problem, offset: this.#offset, length: this.#end, packet: this.bytes.slice(0, this.#end), fault });
  }

  /** Fails when octets are left over. */
  done(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} unread byte${this.remaining === 1 ? "" : "s"}`, "trailing");
  }
}
