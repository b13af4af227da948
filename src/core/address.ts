import { HEX_OCTETS } from "../bytes/hex.ts";
import { kindOf } from "./arguments.ts";
import { ArgumentError } from "./error.ts";

/** Peer_Address_Type of HCI: what the address is. Identity types appear where the controller resolved a private address. */
export const AddressType = Object.freeze({ Public: 0, Random: 1, PublicIdentity: 2, RandomIdentity: 3 });
export type AddressType = (typeof AddressType)[keyof typeof AddressType];

const UPPER_CASE = HEX_OCTETS.map((digits) => digits.toUpperCase());
/** A table of its own: with colons that are added one by one an event of the management API takes an eighth longer. */
const WITH_COLON = UPPER_CASE.map((digits) => `${digits}:`);

export type AddressLike = Address | string;

/** "C0:11:22:33:44:55", of the six octets from `at` on, which stand least significant first. */
export function addressText(octets: Uint8Array, at: number): string {
  let text = WITH_COLON[octets[at + 5]!]!;
  for (let i = at + 4; i > at; i--) text += WITH_COLON[octets[i]!]!;
  return text + UPPER_CASE[octets[at]!]!;
}

/** A device address, Vol 6 Part B 1.3: six octets and whether they are public or random. Immutable. */
export class Address {
  /** Six octets, little-endian as on air and in HCI. */
  readonly bytes: Uint8Array;
  /** 0 public, 1 random; identity types of HCI fold into these. */
  readonly type: 0 | 1;
  #text: string | undefined;

  /** @param at where in more octets its six begin; without it there are six and no more */
  constructor(bytes: Uint8Array, type: number, at?: number) {
    if (!(bytes instanceof Uint8Array)) throw new ArgumentError(`device address: expected a Uint8Array, got ${kindOf(bytes)}`);
    const from = at ?? 0;
    const length = at === undefined ? bytes.length : Math.min(bytes.length - from, 6);
    if (length !== 6) throw new ArgumentError(`device address of ${length} octets: expected 6`);
    this.bytes = new Uint8Array(6);
    for (let i = 0; i < 6; i++) this.bytes[i] = bytes[from + i]!; // of so few octets cheaper than a slice
    this.type = (type & 1) as 0 | 1;
  }

  /**
   * Reads "C0:11:22:33:44:55", optionally followed by "/public", "/random" or "/P", "/R".
   * Without a suffix the type is `type`: nothing in the octets tells a public address from a random one.
   *
   * @throws {ArgumentError} not an address
   */
  static from(value: AddressLike, type: "public" | "random" = "public"): Address {
    if (value instanceof Address) return value;
    if (typeof value !== "string")
      throw new ArgumentError(`device address: expected an Address, or text like C0:11:22:33:44:55/random, got ${kindOf(value)}`);
    const match = /^((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?:\/(p|public|r|random))?$/i.exec(value.trim());
    if (!match) throw new ArgumentError(`device address "${value}": expected six octets like C0:11:22:33:44:55, then /public or /random`);
    const octets = match[1]!.split(":").map((octet) => Number.parseInt(octet, 16));
    const suffix = match[2]?.toLowerCase()[0] ?? type[0];
    return new Address(Uint8Array.from(octets.reverse()), suffix === "r" ? 1 : 0);
  }

  get isRandom(): boolean {
    return this.type === 1;
  }
  /** Static random: the two most significant bits are 11, Vol 6 Part B 1.3.2.1. */
  get isStaticRandom(): boolean {
    return this.type === 1 && this.bytes[5]! >> 6 === 0b11;
  }
  /** Resolvable private: 01. */
  get isResolvablePrivate(): boolean {
    return this.type === 1 && this.bytes[5]! >> 6 === 0b01;
  }
  /** Non-resolvable private: 00. */
  get isNonResolvablePrivate(): boolean {
    return this.type === 1 && this.bytes[5]! >> 6 === 0b00;
  }
  /** Six octets of zero: what is put where no address is set or given. */
  get isZero(): boolean {
    return this.bytes.every((octet) => octet === 0);
  }
  /** May identify a device for good: public or static random. */
  get isIdentity(): boolean {
    return this.type === 0 || this.isStaticRandom;
  }

  equals(other: Address): boolean {
    if (this.type !== other.type) return false;
    for (let i = 0; i < 6; i++) if (this.bytes[i] !== other.bytes[i]) return false;
    return true;
  }

  /** "C0:11:22:33:44:55/random"; parses back with `from`, and is a key for maps. */
  toString(): string {
    this.#text ??= `${this.toHex()}/${this.type ? "random" : "public"}`;
    return this.#text;
  }

  /** "C0:11:22:33:44:55". */
  toHex(): string {
    return addressText(this.bytes, 0);
  }

  toJSON(): string {
    return this.toString();
  }
}
