import { DecodeError, type DecodeFault } from "./decode-error.ts";

/** Reads little-endian fields in place; every failure is a DecodeError with path and offset. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #offset: number;
  #path: string[];

  constructor(bytes: Uint8Array, { offset = 0, end = bytes.length, name = "" }: { offset?: number; end?: number; name?: string } = {}) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
    return this.#view.getUint8(this.#take(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }
  u24(): number {
    const at = this.#take(3);
    return this.#view.getUint16(at, true) | (this.#view.getUint8(at + 2) << 16);
  }
  i24(): number {
    const at = this.#take(3);
    return this.#view.getUint16(at, true) | (this.#view.getInt8(at + 2) << 16);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
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
