import { kindOf } from "../core/arguments.ts";
import { Uuid } from "../core/uuid.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { BleArgumentError } from "./errors.ts";

const SIZES: readonly number[] = [2, 4, 16];
const HYPHEN = 0x2d;

/**
 * `bluetooth.UUID`: 16, 32 or 128 bits, which stay of that size: unlike Jelling's own Uuid, a short one and the long one that it stands for are
 * two. Immutable.
 */
export class UUID {
  /** Octets: 2, 4 or 16. */
  readonly size: 2 | 4 | 16;
  /** Little-endian, as in advertising data. */
  readonly #octets: Uint8Array;

  /**
   * @param value a 16-bit number; 2, 4 or 16 octets, least significant first (a string of 2, 4 or 16 characters is such octets, too); text of
   *   32 hexadecimal digits, in which hyphens do not count; or another UUID
   * @throws {BleArgumentError} ValueError: none of these · TypeError: of another kind
   */
  constructor(value: number | Bytes) {
    this.#octets = typeof value === "number" ? octetsOfNumber(value) : octetsOfBuffer(toOctets("UUID", value));
    this.size = this.#octets.length as 2 | 4 | 16;
  }

  /** @throws {BleArgumentError} not a whole number from 0 to 65,535 */
  static from16(value: number): UUID {
    if (typeof value !== "number") throw new BleArgumentError("TypeError", `UUID: expected a number, got ${kindOf(value)}`);
    return new UUID(value);
  }

  /** Reads 32 hexadecimal digits; hyphens do not count. @throws {BleArgumentError} not such a text */
  static parse(text: string): UUID {
    if (typeof text !== "string") throw new BleArgumentError("TypeError", `UUID: expected text, got ${kindOf(text)}`);
    return new UUID(octetsOfText(new TextEncoder().encode(text)));
  }

  /** @param octets 2, 4 or 16, least significant first @throws {BleArgumentError} another number of them */
  static fromLittleEndian(octets: Uint8Array): UUID {
    if (!(octets instanceof Uint8Array)) throw new BleArgumentError("TypeError", `UUID: expected a Uint8Array, got ${kindOf(octets)}`);
    if (!SIZES.includes(octets.length)) throw new BleArgumentError("ValueError", `UUID of ${octets.length} octets: expected 2, 4 or 16`);
    return new UUID(octets);
  }

  /** A copy of the octets, least significant first. */
  toLittleEndian(): Uint8Array {
    return this.#octets.slice();
  }

  /** As MicroPython shows it: `UUID(0x180d)`, `UUID('6e400001-b5a3-f393-e0a9-e50e24dcca9e')`. A key for maps. */
  toString(): string {
    const hex = Array.from(this.#octets, (octet) => octet.toString(16).padStart(2, "0"))
      .reverse()
      .join("");
    if (this.size < 16) return `UUID(0x${hex})`;
    return `UUID('${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}')`;
  }

  toJSON(): string {
    return this.toString();
  }

  /** Of the same size and the same octets; anything but a UUID is another one. */
  equals(other: unknown): boolean {
    return other instanceof UUID && this.compare(other) === 0;
  }

  /** Below, at or above zero, in MicroPython's order: by size, then by the octets as they are stored, least significant first. */
  compare(other: UUID): number {
    if (this.size !== other.size) return this.size - other.size;
    for (let i = 0; i < this.size; i++) {
      const difference = this.#octets[i]! - other.#octets[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** Whether both name the same 128-bit number, a short one standing for its place in the Bluetooth Base UUID (Vol 3 Part B 2.5.1). */
  matches(other: UUID): boolean {
    return this.toUuid().equals(other.toUuid());
  }

  /** The same for the rest of Jelling. */
  toUuid(): Uuid {
    return Uuid.fromBytes(this.#octets);
  }
}

function octetsOfNumber(value: number): Uint8Array {
  if (!Number.isInteger(value)) throw new BleArgumentError("TypeError", `UUID: expected a whole number, got ${value}`);
  if (value < 0 || value > 0xffff) throw new BleArgumentError("ValueError", `UUID ${value}: expected a 16-bit number`);
  return Uint8Array.of(value & 0xff, value >> 8);
}

function octetsOfBuffer(buffer: Uint8Array): Uint8Array {
  return SIZES.includes(buffer.length) ? buffer : octetsOfText(buffer);
}

function octetsOfText(text: Uint8Array): Uint8Array {
  const octets = new Uint8Array(16);
  let digits = 0;
  for (const character of text) {
    if (character === HYPHEN) continue;
    const digit = Number.parseInt(String.fromCharCode(character), 16);
    if (Number.isNaN(digit)) throw new BleArgumentError("ValueError", "invalid char in UUID");
    if (digits === 32) throw new BleArgumentError("ValueError", "UUID too long");
    octets[15 - (digits >> 1)]! |= digits % 2 === 0 ? digit << 4 : digit;
    digits++;
  }
  if (digits < 32) throw new BleArgumentError("ValueError", "UUID too short");
  return octets;
}
