import { kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import type { Uuid } from "../core/uuid.ts";
import {
  type AdvertisingDataFields,
  COMPLETE,
  type ConnectionIntervalRange,
  checkStructure,
  fieldsToStructures,
  INCOMPLETE,
  type ManufacturerData,
  readAddresses,
  readAdvertisingInterval,
  readConnectionIntervalRange,
  readDeviceAddress,
  readFlags,
  readManufacturerData,
  readServiceData,
  readText,
  readTxPower,
  readUnsigned,
  readUuids,
  SERVICE_DATA,
  SOLICITED,
  widthIn,
} from "./ad-fields.ts";
import {
  type AdStructure,
  encodeAdStructures,
  findAdStructure,
  LEGACY_ADVERTISING_DATA_OCTETS,
  parseAdStructures,
} from "./ad-structure.ts";
import { AdType, adTypeName } from "./ad-types.ts";

/** Advertising data in any form: octets, parsed, named fields, or structures. */
export type AdvertisingDataLike = AdvertisingData | Uint8Array | AdvertisingDataFields | readonly AdStructure[];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Advertising data or scan response data (Vol 3 Part C 11, Supplement Part A), read on demand. Reading never fails: a field that is absent
 * or that cannot be read is `undefined` or empty, and `problems` says what was wrong with the octets.
 */
export class AdvertisingData {
  static readonly empty = new AdvertisingData(new Uint8Array(0));

  /** What holds the data, from `#at` to `#end`: a report is read where it lies. */
  readonly #octets: Uint8Array;
  readonly #at: number;
  readonly #end: number;
  #bytes: Uint8Array | undefined;
  #structures: readonly AdStructure[] | undefined;
  #walkProblem: string | undefined;
  #fields: AdvertisingDataFields | undefined;
  #problems: readonly string[] | undefined;

  /**
   * Reads what a peer sent; `bytes` is not copied.
   *
   * @param at where the data begin in it, and `end` where they are over, where they are a part
   */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#octets = bytes;
    this.#at = at;
    this.#end = end;
    if (at === 0 && end === bytes.length) this.#bytes = bytes;
  }

  /** As on air; structures are views of it. */
  get bytes(): Uint8Array {
    this.#bytes ??= this.#octets.slice(this.#at, this.#end);
    return this.#bytes;
  }

  /**
   * Builds data to be sent.
   *
   * @param capacity octets there is room for: 31 in legacy advertising
   * @throws {ArgumentError} it does not fit, or a field cannot hold its value
   */
  static from(like: AdvertisingDataLike, capacity = LEGACY_ADVERTISING_DATA_OCTETS): AdvertisingData {
    if (like instanceof AdvertisingData || like instanceof Uint8Array) {
      const bytes = like instanceof Uint8Array ? like : like.bytes;
      if (bytes.length > capacity) throw new ArgumentError(`advertising data of ${bytes.length} octets: at most ${capacity} fit`);
      return like instanceof Uint8Array ? new AdvertisingData(like.slice()) : like;
    }
    if (!Array.isArray(like) && !isPlainObject(like))
      throw new ArgumentError(`advertising data: expected octets, fields or AD structures, got ${kindOf(like)}`);
    const structures = Array.isArray(like)
      ? (like as AdStructure[]).map((structure) => checkStructure(structure))
      : fieldsToStructures(like as AdvertisingDataFields);
    return new AdvertisingData(encodeAdStructures(structures, capacity));
  }

  /** In the order they were sent. */
  get structures(): readonly AdStructure[] {
    if (!this.#structures) {
      const { structures, problem } = parseAdStructures(this.bytes);
      this.#structures = structures;
      this.#walkProblem = problem;
    }
    return this.#structures;
  }

  /** What was wrong with the octets, one sentence each; empty when nothing was. */
  get problems(): readonly string[] {
    void this.fields;
    return this.#problems!;
  }

  /** Whether a length pointed beyond the end, or a field has a length its type does not allow. */
  get malformed(): boolean {
    return this.problems.length > 0;
  }

  /** Data of the first structure of this type. */
  first(type: number): Uint8Array | undefined {
    const at = this.#find(type, this.#at);
    return at < 0 ? undefined : this.#dataAt(at);
  }

  /** The next structure of a type: where its octet of length is, or -1. */
  #find(type: number, from: number): number {
    return findAdStructure(this.#octets, type, from, this.#end);
  }

  /** A copy: of short arrays that costs less than a view does. */
  #dataAt(at: number): Uint8Array {
    return this.#octets.slice(at + 2, this.#behind(at));
  }

  #behind(at: number): number {
    return at + 1 + this.#octets[at]!;
  }

  /** A mask of AdFlag, of the first structure; absent flags are zero, which `fields.flags` tells from flags that are. */
  get flags(): number {
    const data = this.first(AdType.Flags);
    return data === undefined ? 0 : readFlags(data);
  }
  /** The complete local name, else the shortened one; the first structure where there are several of one kind. */
  get name(): string | undefined {
    return this.completeName ?? this.shortenedName;
  }
  /** Of the first structure of this type. */
  get completeName(): string | undefined {
    return this.#text(AdType.CompleteLocalName);
  }
  /** Of the first structure of this type. */
  get shortenedName(): string | undefined {
    return this.#text(AdType.ShortenedLocalName);
  }
  #text(type: number): string | undefined {
    const at = this.#find(type, this.#at);
    return at < 0 ? undefined : readText(this.#octets, at + 2, this.#behind(at));
  }

  /** The first structure of a type that `read` can read. */
  #firstReadable<T>(type: number, read: (data: Uint8Array) => T | undefined): T | undefined {
    for (let at = this.#find(type, this.#at); at >= 0; at = this.#find(type, this.#behind(at))) {
      const value = read(this.#dataAt(at));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Of the first structure that can be read. */
  get txPowerDbm(): number | undefined {
    return this.#firstReadable(AdType.TxPowerLevel, readTxPower);
  }
  /** Of the first structure that can be read. */
  get appearance(): number | undefined {
    return this.#firstReadable(AdType.Appearance, (data) => readUnsigned(data, 2));
  }
  /** Of the first structure that can be read. */
  get connectionIntervalRange(): ConnectionIntervalRange | undefined {
    return this.fields.connectionIntervalRange;
  }
  /** Every service UUID, each once: those of complete lists, then those of incomplete ones. */
  get serviceUuids(): Uuid[] {
    const { serviceUuids = [], incompleteServiceUuids = [] } = this.fields;
    return distinctUuids([...serviceUuids, ...incompleteServiceUuids] as Uuid[]);
  }
  /** Every solicited service UUID, each once. */
  get solicitedServiceUuids(): Uuid[] {
    return distinctUuids((this.fields.solicitedServiceUuids ?? []) as Uuid[]);
  }
  /** All structures, several of one service included, in the order they were sent. */
  get serviceData(): { uuid: Uuid; data: Uint8Array }[] {
    return (this.fields.serviceData ?? []) as { uuid: Uuid; data: Uint8Array }[];
  }
  /** All structures, several of one company included, in the order they were sent. */
  get manufacturerData(): ManufacturerData[] {
    const found: ManufacturerData[] = [];
    const type = AdType.ManufacturerSpecificData;
    for (let at = this.#find(type, this.#at); at >= 0; at = this.#find(type, this.#behind(at))) {
      const data = at + 4; // behind the length, the type and the company
      const behind = this.#behind(at);
      if (behind < data) continue;
      const companyIdentifier = this.#octets[at + 2]! | (this.#octets[at + 3]! << 8);
      found.push({ companyIdentifier, data: this.#octets.slice(data, behind) });
    }
    return found;
  }

  /** Data of all structures of type Encrypted Data, in the order they were sent; see `decryptAdvertisingData`. */
  get encrypted(): Uint8Array[] {
    return (this.fields.encrypted ?? []) as Uint8Array[];
  }

  /**
   * Everything as named fields, in the order of their first appearance, so that `AdvertisingData.from(data.fields)` says the same again.
   * Structures of other types, or of a length their type does not have, are in `other`.
   */
  get fields(): AdvertisingDataFields {
    this.#fields ??= this.#read();
    return this.#fields;
  }

  #read(): AdvertisingDataFields {
    const fields: Mutable<AdvertisingDataFields> = {};
    const problems: string[] = [];
    const add = (key: keyof AdvertisingDataFields, items: readonly unknown[]): void => {
      const lists = fields as Record<string, unknown[]>;
      lists[key] ??= [];
      lists[key].push(...items);
    };
    for (const structure of this.structures) {
      if (readInto(fields, structure, add, problems)) continue;
      add("other", [structure]);
    }
    if (this.#walkProblem) problems.push(this.#walkProblem);
    this.#problems = problems;
    return fields;
  }

  toString(): string {
    return this.structures.map(({ type, data }) => `${adTypeName(type)} (${data.length})`).join(", ");
  }
}

/** Fields, and no view of octets or other object whose content would go unnoticed. */
export function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Reads one structure into `fields`. False: it belongs to `other`, either unknown or of a wrong length. */
function readInto(
  fields: Mutable<AdvertisingDataFields>,
  { type, data }: AdStructure,
  add: (key: keyof AdvertisingDataFields, items: readonly unknown[]) => void,
  problems: string[],
): boolean {
  const wrong = (): false => {
    problems.push(`${adTypeName(type)} of ${data.length} octet${data.length === 1 ? "" : "s"} has no such value`);
    return false;
  };
  /** Keeps the first of several; a second one is kept in `other`. */
  const once = <K extends keyof AdvertisingDataFields>(key: K, value: AdvertisingDataFields[K]): boolean => {
    if (value === undefined) return wrong();
    if (fields[key] !== undefined) return false;
    fields[key] = value;
    return true;
  };
  for (const [key, types] of UUID_LISTS) {
    const width = widthIn(types, type);
    if (width === undefined) continue;
    const { uuids, whole } = readUuids(data, width);
    if (!whole) problems.push(`${adTypeName(type)} of ${data.length} octets: not a whole number of UUIDs`);
    add(key, uuids);
    return true;
  }
  const serviceDataWidth = widthIn(SERVICE_DATA, type);
  if (serviceDataWidth !== undefined) {
    const read = readServiceData(data, serviceDataWidth);
    if (!read) return wrong();
    add("serviceData", [read]);
    return true;
  }
  switch (type) {
    case AdType.Flags:
      return once("flags", readFlags(data));
    case AdType.CompleteLocalName:
      return once("name", readText(data));
    case AdType.ShortenedLocalName:
      return once("shortenedName", readText(data));
    case AdType.TxPowerLevel:
      return once("txPowerDbm", readTxPower(data));
    case AdType.ManufacturerSpecificData: {
      const read = readManufacturerData(data);
      if (!read) return wrong();
      add("manufacturerData", [read]);
      return true;
    }
    case AdType.Appearance:
      return once("appearance", readUnsigned(data, 2));
    case AdType.PeripheralConnectionIntervalRange:
      return once("connectionIntervalRange", readConnectionIntervalRange(data));
    case AdType.AdvertisingInterval:
      return once("advertisingIntervalMs", readAdvertisingInterval(data, 2));
    case AdType.AdvertisingIntervalLong:
      return once("advertisingIntervalMs", readAdvertisingInterval(data, 3, 4));
    case AdType.PublicTargetAddress:
      return once("publicTargetAddresses", readAddresses(data, 0));
    case AdType.RandomTargetAddress:
      return once("randomTargetAddresses", readAddresses(data, 1));
    case AdType.LeBluetoothDeviceAddress:
      return once("deviceAddress", readDeviceAddress(data));
    case AdType.LeRole:
      return once("leRole", readUnsigned(data, 1));
    case AdType.Uri:
      return once("uri", data);
    case AdType.EncryptedAdvertisingData:
      if (data.length < 9) return wrong();
      add("encrypted", [data]);
      return true;
    case AdType.LeSupportedFeatures:
      return once("leSupportedFeatures", data);
    default:
      return false;
  }
}

/** Each UUID once, in the order of its first appearance. */
export function distinctUuids(uuids: Uuid[]): Uuid[] {
  if (uuids.length < 2) return uuids;
  return [...new Map(uuids.map((uuid) => [uuid.text, uuid] as const)).values()];
}

const UUID_LISTS = [
  ["serviceUuids", COMPLETE],
  ["incompleteServiceUuids", INCOMPLETE],
  ["solicitedServiceUuids", SOLICITED],
] as const;
