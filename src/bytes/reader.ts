import { DecodeError, type DecodeFault } from "./decode-error.ts";

/**
 * Reads little-endian fields in place; every failure is a DecodeError with path and offset. Octet by octet: the engine keeps short arrays
 * inside their objects, and looking through a DataView would make it move each out first, which takes longer than reading all of it.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #end: number;
  #offset: number;
  /** Names of the fields around what is read, as many as `#depth`; an entry of a list has its index. */
  readonly #path: (string | number)[];
  #depth: number;

  constructor(bytes: Uint8Array, { offset = 0, end = bytes.length, name = "" }: { offset?: number; end?: number; name?: string } = {}) {
    this.bytes = bytes;
    this.#offset = offset;
    this.#end = end;
    this.#path = [name, 0, 0]; // as deep as most packets are: to let it grow takes longer than to read a field
    this.#depth = name ? 1 : 0;
  }

  get offset(): number {
    return this.#offset;
  }
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Leaves out so many octets. @returns where they begin in `bytes`, for those who look at them there */
  skip(size: number): number {
    if (this.remaining < size) this.fail(`needs ${size} byte${size === 1 ? "" : "s"}, has ${this.remaining}`, "short");
    const at = this.#offset;
    this.#offset += size;
    return at;
  }

  u8(): number {
    return this.bytes[this.skip(1)]!;
  }
  i8(): number {
    return (this.u8() << 24) >> 24;
  }
  u16(): number {
    const at = this.skip(2);
    return this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }
  i16(): number {
    return (this.u16() << 16) >> 16;
  }
  u24(): number {
    const at = this.skip(3);
    return this.bytes[at]! | (this.bytes[at + 1]! << 8) | (this.bytes[at + 2]! << 16);
  }
  i24(): number {
    return (this.u24() << 8) >> 8;
  }
  u32(): number {
    return this.i32() >>> 0;
  }
  i32(): number {
    const at = this.skip(4);
    return this.bytes[at]! | (this.bytes[at + 1]! << 8) | (this.bytes[at + 2]! << 16) | (this.bytes[at + 3]! << 24);
  }
  u64(): bigint {
    if (this.remaining < 8) this.skip(8);
    const low = this.u32();
    return (BigInt(this.u32()) << 32n) | BigInt(low);
  }
  /** A copy, so that a decoded value outlives its packet. */
  take(length: number): Uint8Array {
    const at = this.skip(length);
    return this.bytes.slice(at, at + length);
  }
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  /** Decodes `codec` under the path element `name`, or as the entry of a list that has this index. */
  field<T>(name: string | number, codec: { decode(reader: Reader): T }): T;
  field<T, C>(name: string | number, codec: { decode(reader: Reader, context: C): T }, context: C): T;
  field<T>(name: string | number, codec: { decode(reader: Reader, context?: unknown): T }, context?: unknown): T {
    this.#path[this.#depth++] = name;
    const value = codec.decode(this, context);
    this.#depth--;
    return value;
  }

  fail(problem: string, fault: DecodeFault = "value"): never {
    const names = this.#path.slice(0, this.#depth).map((name) => (typeof name === "number" ? `[${name}]` : name));
    const path = names.join(".").replaceAll(".[", "[");
    throw new DecodeError({ path, problem, offset: this.#offset, length: this.#end, packet: this.bytes.slice(0, this.#end), fault });
  }

  /** Fails when octets are left over. */
  done(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} unread byte${this.remaining === 1 ? "" : "s"}`, "trailing");
  }
}
