import { concat } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { checkMilliseconds, checkOctets, checkOptions, checkText, kindOf, type OptionNames, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { Uuid, type UuidLike } from "../core/uuid.ts";
import type { AdStructure } from "./ad-structure.ts";
import { AdType } from "./ad-types.ts";

export interface ManufacturerData {
  /** Company identifier, Assigned Numbers 7. */
  readonly companyIdentifier: number;
  readonly data: Uint8Array;
}

export interface ServiceData {
  readonly uuid: UuidLike;
  readonly data: Uint8Array;
}

/** Preferred connection interval; a missing end means no preference. 7.5 ms to 4 s, rounded to 1.25 ms. */
export interface ConnectionIntervalRange {
  readonly minMs?: number | undefined;
  readonly maxMs?: number | undefined;
}

/**
 * What can be said in advertising data, Supplement to the Core Specification Part A. Fields leave in the order they are written in the
 * object; UUIDs of one list are grouped by length, each group in one structure.
 */
export interface AdvertisingDataFields {
  /** A mask of AdFlag. */
  readonly flags?: number | undefined;
  /** A complete list: no other services are there. */
  readonly serviceUuids?: readonly UuidLike[] | undefined;
  /** More services exist than these. */
  readonly incompleteServiceUuids?: readonly UuidLike[] | undefined;
  readonly solicitedServiceUuids?: readonly UuidLike[] | undefined;
  /** Complete local name. */
  readonly name?: string | undefined;
  readonly shortenedName?: string | undefined;
  /** -127 to 127. */
  readonly txPowerDbm?: number | undefined;
  readonly manufacturerData?: ManufacturerData | readonly ManufacturerData[] | undefined;
  readonly serviceData?: ServiceData | readonly ServiceData[] | undefined;
  readonly appearance?: number | undefined;
  readonly connectionIntervalRange?: ConnectionIntervalRange | undefined;
  /** Advertising interval in ms, rounded to 0.625 ms. */
  readonly advertisingIntervalMs?: number | undefined;
  readonly publicTargetAddresses?: readonly Address[] | undefined;
  readonly randomTargetAddresses?: readonly Address[] | undefined;
  readonly deviceAddress?: Address | undefined;
  /** 0 only peripheral, 1 only central, 2 both, peripheral preferred, 3 both, central preferred. */
  readonly leRole?: number | undefined;
  /** As on air: a scheme as one UTF-8 character, then the rest of the URI. */
  readonly uri?: Uint8Array | undefined;
  /** Encrypted Data, one or several, as `encryptAdvertisingData` makes their data: randomizer, payload, MIC. */
  readonly encrypted?: Uint8Array | readonly Uint8Array[] | undefined;
  /** As on air, little-endian. */
  readonly leSupportedFeatures?: Uint8Array | undefined;
  /** Structures that are not among the above. */
  readonly other?: readonly AdStructure[] | undefined;
}

const encoder = new TextEncoder();
// Not fatal: a name is shown, not trusted. A byte order mark is a character like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export type Width = 2 | 4 | 16;
/** The shortest form a UUID has in advertising data, in octets. */
function widthOf(uuid: Uuid): Width {
  if (uuid.short !== undefined) return 2;
  return uuid.text.length === 8 ? 4 : 16;
}
function octetsOf(uuid: Uuid): Uint8Array {
  const width = widthOf(uuid);
  return width === 16 ? uuid.bytes128 : uuid.bytes128.subarray(12, 12 + width);
}

export interface UuidTypes {
  readonly 2: number;
  readonly 4: number;
  readonly 16: number;
}
export const COMPLETE: UuidTypes = {
  2: AdType.CompleteServiceUuids16,
  4: AdType.CompleteServiceUuids32,
  16: AdType.CompleteServiceUuids128,
};
export const INCOMPLETE: UuidTypes = {
  2: AdType.IncompleteServiceUuids16,
  4: AdType.IncompleteServiceUuids32,
  16: AdType.IncompleteServiceUuids128,
};
export const SOLICITED: UuidTypes = {
  2: AdType.SolicitedServiceUuids16,
  4: AdType.SolicitedServiceUuids32,
  16: AdType.SolicitedServiceUuids128,
};
export const SERVICE_DATA: UuidTypes = { 2: AdType.ServiceData16, 4: AdType.ServiceData32, 16: AdType.ServiceData128 };

/** The UUID length in octets that `type` stands for in `types`, if any. */
export function widthIn(types: UuidTypes, type: number): Width | undefined {
  if (type === types[2]) return 2;
  if (type === types[4]) return 4;
  return type === types[16] ? 16 : undefined;
}

/** A list that a caller gives, not one word that would be taken for its letters. */
function list<T>(what: string, value: readonly T[]): readonly T[] {
  if (!Array.isArray(value)) throw new ArgumentError(`${what}: expected an array, got ${kindOf(value)}`);
  return value;
}

/** Options of one field. */
function object<T extends object>(what: string, value: T, names: OptionNames): T {
  checkOptions(what, value ?? null, names);
  return value;
}
const MANUFACTURER_DATA = optionNames<ManufacturerData>({ companyIdentifier: true, data: true });
const SERVICE_DATA_NAMES = optionNames<ServiceData>({ uuid: true, data: true });
const INTERVAL_RANGE = optionNames<ConnectionIntervalRange>({ minMs: true, maxMs: true });
const STRUCTURE = optionNames<AdStructure>({ type: true, data: true });

function address(what: string, value: Address, isRandom?: boolean): Address {
  if (!(value instanceof Address)) throw new ArgumentError(`${what}: expected an Address, got ${kindOf(value)}`);
  if (isRandom !== undefined && value.isRandom !== isRandom)
    throw new ArgumentError(`${what}: expected ${isRandom ? "random" : "public"} addresses, got ${value}`);
  return value;
}

function uuidList(what: string, types: UuidTypes, given: readonly UuidLike[]): AdStructure[] {
  const uuids = list(what, given);
  const parsed = uuids.map((uuid) => Uuid.from(uuid));
  const structures: AdStructure[] = [];
  for (const width of [2, 4, 16] as const) {
    const group = parsed.filter((uuid) => widthOf(uuid) === width);
    if (group.length > 0) structures.push({ type: types[width], data: concat(...group.map(octetsOf)) });
  }
  // An empty list is a statement too: "no services" (Supplement Part A 1.1.1), told in the shortest form.
  if (parsed.length === 0) structures.push({ type: types[2], data: new Uint8Array(0) });
  return structures;
}

function integer(what: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ArgumentError(`${what} ${kindOf(value)}: expected a whole number from ${min} to ${max}`);
  return value;
}
const u8 = (what: string, value: number): Uint8Array => Uint8Array.of(integer(what, value, 0, 0xff));
const u16 = (what: string, value: number): Uint8Array => {
  integer(what, value, 0, 0xffff);
  return Uint8Array.of(value & 0xff, value >> 8);
};

/** Units of 1.25 ms, Vol 6 Part B 4.5.1: 7.5 ms to 4 s; 0xFFFF says no preference. */
function connectionInterval(what: string, ms: number | undefined): Uint8Array {
  if (ms === undefined) return Uint8Array.of(0xff, 0xff);
  return u16(what, Math.round(checkMilliseconds(what, ms, 7.5, 4000) / 1.25));
}

function flagsOctets(flags: number): Uint8Array {
  integer("flags", flags, 0, 0xffffffff);
  const octets = [flags & 0xff, (flags >>> 8) & 0xff, (flags >>> 16) & 0xff, flags >>> 24];
  while (octets.length > 1 && octets.at(-1) === 0) octets.pop();
  return Uint8Array.from(octets);
}

function intervalStructure(ms: number): AdStructure {
  const units = typeof ms === "number" ? Math.round(ms / 0.625) : Number.NaN;
  if (!(units >= 0x20 && units <= 0xff_ffff)) throw new ArgumentError(`advertising interval ${kindOf(ms)} ms: expected 20 to 10485759 ms`);
  if (units <= 0xffff) return { type: AdType.AdvertisingInterval, data: u16("advertising interval", units) };
  return { type: AdType.AdvertisingIntervalLong, data: Uint8Array.of(units & 0xff, (units >> 8) & 0xff, units >> 16) };
}

function many<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

type Key = keyof AdvertisingDataFields;
const FIELDS: { readonly [K in Key]-?: (value: NonNullable<AdvertisingDataFields[K]>) => AdStructure[] } = {
  flags: (flags) => [{ type: AdType.Flags, data: flagsOctets(flags) }],
  serviceUuids: (uuids) => uuidList("service UUIDs", COMPLETE, uuids),
  incompleteServiceUuids: (uuids) => uuidList("incomplete service UUIDs", INCOMPLETE, uuids),
  solicitedServiceUuids: (uuids) => uuidList("solicited service UUIDs", SOLICITED, uuids),
  name: (name) => [{ type: AdType.CompleteLocalName, data: encoder.encode(checkText("name", name)) }],
  shortenedName: (name) => [{ type: AdType.ShortenedLocalName, data: encoder.encode(checkText("shortened name", name)) }],
  txPowerDbm: (dbm) => [{ type: AdType.TxPowerLevel, data: Uint8Array.of(integer("TX power", dbm, -127, 127) & 0xff) }],
  manufacturerData: (value) =>
    many(value).map((item) => {
      const { companyIdentifier, data } = object("manufacturer data", item, MANUFACTURER_DATA);
      const octets = concat(u16("company identifier", companyIdentifier), checkOctets("manufacturer data", data));
      return { type: AdType.ManufacturerSpecificData, data: octets };
    }),
  serviceData: (value) =>
    many(value).map((item) => {
      const { uuid: like, data } = object("service data", item, SERVICE_DATA_NAMES);
      const uuid = Uuid.from(like);
      return { type: SERVICE_DATA[widthOf(uuid)], data: concat(octetsOf(uuid), checkOctets("service data", data)) };
    }),
  appearance: (appearance) => [{ type: AdType.Appearance, data: u16("appearance", appearance) }],
  connectionIntervalRange: (range) => {
    const { minMs, maxMs } = object("connection interval range", range, INTERVAL_RANGE);
    if (minMs !== undefined && maxMs !== undefined && minMs > maxMs)
      throw new ArgumentError(`connection interval range from ${minMs} ms to ${maxMs} ms: expected the smaller one first`);
    const data = concat(connectionInterval("connection interval", minMs), connectionInterval("connection interval", maxMs));
    return [{ type: AdType.PeripheralConnectionIntervalRange, data }];
  },
  advertisingIntervalMs: (ms) => [intervalStructure(ms)],
  publicTargetAddresses: (given) => [addressList("public target addresses", AdType.PublicTargetAddress, given, false)],
  randomTargetAddresses: (given) => [addressList("random target addresses", AdType.RandomTargetAddress, given, true)],
  deviceAddress: (given) => {
    const { bytes, type } = address("device address", given);
    return [{ type: AdType.LeBluetoothDeviceAddress, data: concat(bytes, Uint8Array.of(type)) }];
  },
  leRole: (role) => [{ type: AdType.LeRole, data: u8("LE role", role) }],
  uri: (data) => [{ type: AdType.Uri, data: checkOctets("uri", data) }],
  encrypted: (value) =>
    many(value).map((data) => ({ type: AdType.EncryptedAdvertisingData, data: checkOctets("encrypted", data, { minLength: 9 }) })),
  leSupportedFeatures: (data) => [{ type: AdType.LeSupportedFeatures, data: checkOctets("LE supported features", data) }],
  other: (structures) => list("other", structures).map((structure) => checkStructure(structure)),
};

function addressList(what: string, type: number, given: readonly Address[], isRandom: boolean): AdStructure {
  return { type, data: concat(...list(what, given).map((item) => address(what, item, isRandom).bytes)) };
}

/** One structure that a caller gives. @throws {ArgumentError} */
export function checkStructure(structure: AdStructure): AdStructure {
  const { type, data } = object("AD structure", structure, STRUCTURE);
  integer("AD type", type, 0, 0xff);
  return { type, data: checkOctets("AD structure", data) };
}

/** @throws {ArgumentError} an unknown field or a value its field cannot hold */
export function fieldsToStructures(fields: AdvertisingDataFields): AdStructure[] {
  const structures: AdStructure[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const encodeField = (FIELDS as Record<string, ((value: unknown) => AdStructure[]) | undefined>)[key];
    if (!encodeField || !Object.hasOwn(FIELDS, key))
      throw new ArgumentError(`advertising data field "${key}": expected one of ${Object.keys(FIELDS).join(", ")}`);
    structures.push(...encodeField(value));
  }
  return structures;
}

// ---- the other way; every reader gives `undefined` for a length or a value its type does not have

/**
 * Adds the manufacturer data that lie in `octets` from `at` to `end` to those found before, if any. Gives the array that has all. By a walk of its own:
 * with `findAdStructure` each length is read three times, since the engine does not know that octets stay as they are, and reading takes a quarter longer.
 */
export function joinManufacturerData(
  before: ManufacturerData[] | undefined,
  octets: Uint8Array,
  at: number,
  end: number,
): ManufacturerData[] | undefined {
  let found = before;
  for (let next = at; next < end; ) {
    const length = octets[next]!;
    const behind = next + 1 + length;
    if (length === 0 || behind > end) break;
    // One that is too short for the company tells nothing.
    if (octets[next + 1] === AdType.ManufacturerSpecificData && length >= 3) {
      const item = { companyIdentifier: octets[next + 2]! | (octets[next + 3]! << 8), data: octets.slice(next + 4, behind) };
      // Mostly there are one or two: an array made with them has room for them, one that they are added to gets room for seventeen.
      if (!found) found = [item];
      else if (found.length === 1) found = [found[0]!, item];
      else found.push(item);
    }
    next = behind;
  }
  return found;
}

export function uuidAt(octets: Uint8Array, at: number, width: Width): Uuid {
  if (width === 16) return Uuid.fromBytes(octets.slice(at, at + 16));
  const low = octets[at]! | (octets[at + 1]! << 8);
  return Uuid.from(width === 2 ? low : (low | (octets[at + 2]! << 16) | (octets[at + 3]! << 24)) >>> 0);
}

export function readText(data: Uint8Array, from = 0, to = data.length): string {
  // Names are ASCII mostly, and short: the decoder's call takes longer than all of that. Four at a time, since each piece is a text of its own.
  let text = "";
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const a = data[at]!;
    const b = data[at + 1]!;
    const c = data[at + 2]!;
    const d = data[at + 3]!;
    if ((a | b | c | d) >= 0x80) break;
    text += String.fromCharCode(a, b, c, d);
  }
  for (; at < to; at++) {
    if (data[at]! >= 0x80) return decoder.decode(data.subarray(from, to));
    text += String.fromCharCode(data[at]!);
  }
  return text;
}

/** The first 32 flags; flags that were not sent are zero. */
export function readFlags(data: Uint8Array, from = 0, to = data.length): number {
  let flags = 0;
  for (let at = Math.min(from + 4, to); at > from; at--) flags = flags * 256 + data[at - 1]!;
  return flags;
}

/** Unsigned, little-endian, of exactly one of these lengths. */
export function readUnsigned(data: Uint8Array, ...lengths: number[]): number | undefined {
  if (!lengths.includes(data.length)) return undefined;
  let value = 0;
  for (let i = data.length - 1; i >= 0; i--) value = value * 256 + data[i]!;
  return value;
}

export function readTxPower(data: Uint8Array): number | undefined {
  return data.length === 1 && data[0] !== 0x80 ? (data[0]! << 24) >> 24 : undefined;
}

export function readConnectionIntervalRange(data: Uint8Array): ConnectionIntervalRange | undefined {
  if (data.length !== 4) return undefined;
  const min = data[0]! | (data[1]! << 8);
  const max = data[2]! | (data[3]! << 8);
  const isInterval = (units: number): boolean => units === 0xffff || (units >= 6 && units <= 3200);
  if (!isInterval(min) || !isInterval(max) || (min > max && min !== 0xffff)) return undefined;
  return { ...(min === 0xffff ? {} : { minMs: min * 1.25 }), ...(max === 0xffff ? {} : { maxMs: max * 1.25 }) };
}

/** Units of 0.625 ms, 20 ms and more, of exactly one of these lengths; gives milliseconds. */
export function readAdvertisingInterval(data: Uint8Array, ...lengths: number[]): number | undefined {
  const units = readUnsigned(data, ...lengths);
  return units === undefined || units < 0x20 || units > 0xff_ffff ? undefined : units * 0.625;
}

export function readAddresses(data: Uint8Array, type: 0 | 1): Address[] | undefined {
  if (data.length === 0 || data.length % 6 !== 0) return undefined;
  return Array.from({ length: data.length / 6 }, (_, i) => new Address(data.subarray(6 * i, 6 * i + 6), type));
}

export function readDeviceAddress(data: Uint8Array): Address | undefined {
  return data.length === 7 ? new Address(data.subarray(0, 6), data[6]! & 1) : undefined;
}
