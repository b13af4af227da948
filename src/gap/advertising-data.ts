import { kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { Uuid, type UuidLike } from "../core/uuid.ts";
import { plainOctets } from "../hci/transport.ts";
import {
  type AdvertisingDataFields,
  COMPLETE,
  type ConnectionIntervalRange,
  checkStructure,
  fieldsToStructures,
  INCOMPLETE,
  joinManufacturerData,
  type ManufacturerData,
  readAddresses,
  readAdvertisingInterval,
  readConnectionIntervalRange,
  readDeviceAddress,
  readFlags,
  readText,
  readTxPower,
  readUnsigned,
  SERVICE_DATA,
  SOLICITED,
  type UuidTypes,
  uuidAt,
  type Width,
  widthIn,
} from "./ad-fields.ts";
import {
  type AdStructure,
  behindAdStructure,
  encodeAdStructures,
  findAdStructure,
  isAdStructure,
  LEGACY_ADVERTISING_DATA_OCTETS,
  parseAdStructures,
} from "./ad-structure.ts";
import { AdType, adTypeName } from "./ad-types.ts";

/** Advertising data in any form: octets, parsed, named fields, or structures. */
export type AdvertisingDataLike = AdvertisingData | Uint8Array | AdvertisingDataFields | readonly AdStructure[];

/** Looks at a UUID where it lies, of `width` octets. */
type TestUuid = (octets: Uint8Array, at: number, width: Width) => boolean;
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
  #problems: string[] | undefined;

  /**
   * Reads what a peer sent; `bytes` is not copied, but where it is a short Buffer.
   *
   * @param at where the data begin in it, and `end` where they are over, where they are a part
   */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#octets = plainOctets(bytes);
    this.#at = at;
    this.#end = end;
    if (at === 0 && end === bytes.length) this.#bytes = this.#octets;
  }

  /** As on air, not to be written to or transferred; structures are views of it. */
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
    const bytes = like instanceof AdvertisingData ? like.bytes : like;
    if (bytes instanceof Uint8Array) {
      if (bytes.length > capacity) throw new ArgumentError(`advertising data of ${bytes.length} octets: at most ${capacity} fit`);
      return like instanceof AdvertisingData ? like : new AdvertisingData(new Uint8Array(bytes));
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
    return at < 0 ? undefined : this.#octets.slice(at + 2, this.#behind(at));
  }

  /** The next structure of a type: where its octet of length is, or -1. */
  #find(type: number, from: number): number {
    return findAdStructure(this.#octets, type, from, this.#end);
  }

  #behind(at: number): number {
    return behindAdStructure(this.#octets, at);
  }

  /** A mask of AdFlag, of the first structure; absent flags are zero, which `fields.flags` tells from flags that are. */
  get flags(): number {
    const at = this.#find(AdType.Flags, this.#at);
    return at < 0 ? 0 : readFlags(this.#octets, at + 2, this.#behind(at));
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
      const value = read(this.#octets.slice(at + 2, this.#behind(at)));
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
    return distinctUuids([...this.#uuids(COMPLETE), ...this.#uuids(INCOMPLETE)]);
  }
  /** Every solicited service UUID, each once. */
  get solicitedServiceUuids(): Uuid[] {
    return distinctUuids(this.#uuids(SOLICITED));
  }
  #uuids(types: UuidTypes): Uuid[] {
    const found: Uuid[] = [];
    this.#someUuid(types, (octets, at, width) => found.push(uuidAt(octets, at, width)) < 0);
    return found;
  }
  /** Whether a service list names this UUID. */
  hasService(uuid: UuidLike): boolean {
    const { text } = Uuid.from(uuid);
    return [COMPLETE, INCOMPLETE].some((types) => this.#someUuid(types, (octets, at, width) => uuidAt(octets, at, width).text === text));
  }
  #someUuid(types: UuidTypes, test: TestUuid): boolean {
    for (let at = this.#at; isAdStructure(this.#octets, at, this.#end); at = this.#behind(at)) {
      const width = widthIn(types, this.#octets[at + 1]!);
      if (width === undefined) continue;
      for (let uuid = at + 2; uuid + width <= this.#behind(at); uuid += width) if (test(this.#octets, uuid, width)) return true;
    }
    return false;
  }
  /** All structures, several of one service included, in the order they were sent. */
  get serviceData(): { uuid: Uuid; data: Uint8Array }[] {
    const found: { uuid: Uuid; data: Uint8Array }[] = [];
    for (let at = this.#at; isAdStructure(this.#octets, at, this.#end); at = this.#behind(at)) {
      const width = widthIn(SERVICE_DATA, this.#octets[at + 1]!);
      if (width === undefined || this.#octets[at]! <= width) continue;
      const data = at + 2 + width;
      found.push({ uuid: uuidAt(this.#octets, at + 2, width), data: this.#octets.slice(data, this.#behind(at)) });
    }
    return found;
  }
  /** All structures, several of one company included, in the order they were sent. */
  get manufacturerData(): ManufacturerData[] {
    return joinManufacturerData(undefined, this.#octets, this.#at, this.#end) ?? [];
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
    this.#problems = [];
    for (const structure of this.structures) if (!this.#readInto(fields, structure, this.#problems)) add(fields, "other", structure);
    if (this.#walkProblem) this.#problems.push(this.#walkProblem);
    return fields;
  }

  /** Reads one structure into `fields`. False: it belongs to `other`, either unknown or of a wrong length. */
  #readInto(fields: Mutable<AdvertisingDataFields>, { type, data }: AdStructure, problems: string[]): boolean {
    const wrong = (): false => {
      problems.push(`${adTypeName(type)} of ${data.length} octet${data.length === 1 ? "" : "s"} has no such value`);
      return false;
    };
    for (const [key, types] of UUID_LISTS) {
      const width = widthIn(types, type);
      if (width === undefined) continue;
      if (data.length % width !== 0) problems.push(`${adTypeName(type)} of ${data.length} octets: not a whole number of UUIDs`);
      fields[key] ??= this.#uuids(types);
      return true;
    }
    const width = widthIn(SERVICE_DATA, type);
    if (width !== undefined) {
      if (data.length < width) return wrong();
      fields.serviceData ??= this.serviceData;
      return true;
    }
    if (type === AdType.ManufacturerSpecificData) {
      if (data.length < 2) return wrong();
      fields.manufacturerData ??= this.manufacturerData;
      return true;
    }
    if (type === AdType.EncryptedAdvertisingData) {
      if (data.length < 9) return wrong();
      add(fields, "encrypted", data);
      return true;
    }
    const single = SINGLE[type];
    if (!single) return false;
    const [key, read] = single;
    const value = read(data);
    if (value === undefined) return wrong();
    if (fields[key] !== undefined) return false; // the first of several counts; a second one is kept in `other`
    fields[key] = value as never;
    return true;
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

function add(fields: object, key: "encrypted" | "other", item: unknown): void {
  const lists = fields as Record<string, unknown[]>;
  lists[key] ??= [];
  lists[key].push(item);
}

/** Each UUID once, in the order of its first appearance. */
export function distinctUuids(uuids: Uuid[]): Uuid[] {
  if (uuids.length < 2) return uuids;
  return [...new Map(uuids.map((uuid) => [uuid.text, uuid] as const)).values()];
}

/** Types of which one counts, and what reads their data; `undefined` where it cannot be read. */
const SINGLE: Readonly<Record<number, readonly [keyof AdvertisingDataFields, (data: Uint8Array) => unknown]>> = {
  [AdType.Flags]: ["flags", readFlags],
  [AdType.CompleteLocalName]: ["name", readText],
  [AdType.ShortenedLocalName]: ["shortenedName", readText],
  [AdType.TxPowerLevel]: ["txPowerDbm", readTxPower],
  [AdType.Appearance]: ["appearance", (data) => readUnsigned(data, 2)],
  [AdType.PeripheralConnectionIntervalRange]: ["connectionIntervalRange", readConnectionIntervalRange],
  [AdType.AdvertisingInterval]: ["advertisingIntervalMs", (data) => readAdvertisingInterval(data, 2)],
  [AdType.AdvertisingIntervalLong]: ["advertisingIntervalMs", (data) => readAdvertisingInterval(data, 3, 4)],
  [AdType.PublicTargetAddress]: ["publicTargetAddresses", (data) => readAddresses(data, 0)],
  [AdType.RandomTargetAddress]: ["randomTargetAddresses", (data) => readAddresses(data, 1)],
  [AdType.LeBluetoothDeviceAddress]: ["deviceAddress", readDeviceAddress],
  [AdType.LeRole]: ["leRole", (data) => readUnsigned(data, 1)],
  [AdType.Uri]: ["uri", (data) => data],
  [AdType.LeSupportedFeatures]: ["leSupportedFeatures", (data) => data],
};

const UUID_LISTS = [
  ["serviceUuids", COMPLETE],
  ["incompleteServiceUuids", INCOMPLETE],
  ["solicitedServiceUuids", SOLICITED],
] as const;
