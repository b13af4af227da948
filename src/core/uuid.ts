import { HEX_OCTETS } from "../bytes/hex.ts";
import { kindOf } from "./arguments.ts";
import { ArgumentError } from "./error.ts";

/** A UUID as text ("180D", "0x180d", "6e400001-b5a3-f393-e0a9-e50e24dcca9e"), as a 16- or 32-bit number, or parsed. */
export type UuidLike = Uuid | string | number;

// Bluetooth_Base_UUID 00000000-0000-1000-8000-00805F9B34FB, little-endian, its last four octets replaced by the short value (Vol 3 Part B 2.5.1).
const BASE = Uint8Array.of(0xfb, 0x34, 0x9b, 0x5f, 0x80, 0, 0, 0x80, 0, 0x10, 0, 0, 0, 0, 0, 0);

/** An immutable UUID. Two UUIDs that name the same 128-bit number are equal, whatever length they came in. */
export class Uuid {
  /** 16 octets, little-endian as on air. */
  readonly bytes128: Uint8Array;
  /** The 16-bit form when there is one. */
  readonly short: number | undefined;
  /** Lower-case text: "180d" for a 16-bit UUID, "12345678" for a 32-bit one, the dashed form otherwise. A key for maps. */
  readonly text: string;

  private constructor(bytes128: Uint8Array) {
    this.bytes128 = bytes128;
    let text = "";
    let isShort = true;
    // Written out, since lists of strangers' advertisements are full of them.
    for (let i = 15; i >= 0; i--) {
      text += HEX_OCTETS[bytes128[i]!]!;
      if (i >= 6 && i <= 12 && i % 2 === 0) text += "-";
      if (i < 12 && bytes128[i] !== BASE[i]) isShort = false;
    }
    const value = (bytes128[12]! | (bytes128[13]! << 8) | (bytes128[14]! << 16) | (bytes128[15]! << 24)) >>> 0;
    this.short = isShort && value <= 0xffff ? value : undefined;
    if (isShort) text = text.slice(value <= 0xffff ? 4 : 0, 8);
    this.text = text;
  }

  /** @throws {ArgumentError} not a UUID */
  static from(value: UuidLike): Uuid {
    if (value instanceof Uuid) return value;
    if (typeof value === "number") {
      if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
        throw new ArgumentError(`UUID ${value}: expected a 16- or 32-bit number`);
      return Uuid.#ofNumber(value);
    }
    if (typeof value !== "string") throw new ArgumentError(`UUID: expected text, a number or a Uuid, got ${kindOf(value)}`);
    const text = value.trim().toLowerCase().replace(/^0x/, "");
    if (/^([0-9a-f]{4}|[0-9a-f]{8})$/.test(text)) return Uuid.#ofNumber(Number.parseInt(text, 16));
    const match = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/.exec(text);
    if (!match) throw new ArgumentError(`UUID "${value}": expected 4, 8 or 32 hexadecimal digits`);
    const hex = match.slice(1).join("");
    const bytes = new Uint8Array(16);
    for (let i = 0; i < 16; i++) bytes[15 - i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    return new Uuid(bytes);
  }

  /** From 2, 4 or 16 little-endian octets. @throws {ArgumentError} any other length */
  static fromBytes(bytes: Uint8Array): Uuid {
    if (bytes.length === 16) return new Uuid(bytes.slice());
    if (bytes.length === 2) return Uuid.#ofNumber(bytes[0]! | (bytes[1]! << 8));
    if (bytes.length === 4) return Uuid.#ofNumber((bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0);
    throw new ArgumentError(`UUID of ${bytes.length} octets: expected 2, 4 or 16`);
  }

  static #shorts = new Map<number, Uuid>();
  static #ofNumber(value: number): Uuid {
    const known = Uuid.#shorts.get(value);
    if (known) return known;
    const bytes = BASE.slice();
    new DataView(bytes.buffer).setUint32(12, value, true);
    const uuid = new Uuid(bytes);
    // Bounded: only 16-bit values are kept, and a peer can name at most 65,536 of them.
    if (value <= 0xffff) Uuid.#shorts.set(value, uuid);
    return uuid;
  }

  /** As ATT carries it: 2 octets when there is a 16-bit form, else 16 (Vol 3 Part F 3.2.1). Little-endian. */
  get attBytes(): Uint8Array {
    return this.short === undefined ? this.bytes128 : this.bytes128.subarray(12, 14);
  }

  equals(other: UuidLike): boolean {
    return Uuid.from(other).text === this.text;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): string {
    return this.text;
  }
}
