import { AttError, AttProtocolError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { Uuid } from "../../core/uuid.ts";
import { computeDatabaseHash, type HashedAttribute } from "../database-hash.ts";
import { GattUuid } from "../uuids.ts";
import type { FoundCharacteristic, FoundDescriptor, FoundService, HandleRange } from "./discovery.ts";
import type { GattOperationOptions } from "./options.ts";
import type { SpreadDiscovery, SpreadValues } from "./spread-access.ts";

export interface KnownCharacteristic extends FoundCharacteristic {
  readonly descriptors: readonly FoundDescriptor[];
  /** The value of Characteristic Extended Properties, where it is there and may be read. */
  readonly extendedProperties?: Uint8Array | undefined;
}

export interface KnownInclude {
  readonly handle: number;
  readonly included: FoundService;
}

/** A service with all that is in it. */
export interface KnownService extends FoundService {
  readonly primary: boolean;
  readonly includes: readonly KnownInclude[];
  readonly characteristics: readonly KnownCharacteristic[];
}

/** Types of declarations, which Find Information tells of too. */
const DECLARATIONS: readonly (number | undefined)[] = [
  GattUuid.PrimaryService,
  GattUuid.SecondaryService,
  GattUuid.Include,
  GattUuid.Characteristic,
];

/** What a peer answers that does not know a request, or not for this type. */
const NOT_KNOWN: readonly number[] = [AttErrorCode.RequestNotSupported, AttErrorCode.UnsupportedGroupType, AttErrorCode.InvalidPdu];

export interface StructureAccess {
  readonly discovery: SpreadDiscovery;
  readonly values: SpreadValues;
}

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const isIn = (handle: number, range: HandleRange): boolean => handle >= range.handle && handle <= range.endHandle;

/**
 * What of a list in order of handles is in a range. Found by halves: a peer with tens of thousands of attributes would keep the program busy for
 * seconds, were all looked at for each service and each characteristic.
 */
function within<T extends { readonly handle: number }>(list: readonly T[], { handle, endHandle }: HandleRange): T[] {
  const begin = indexFrom(list, handle);
  return list.slice(begin, Math.max(begin, indexFrom(list, endHandle + 1)));
}

/** Where the first stands that has this handle or a later one. */
function indexFrom(list: readonly { readonly handle: number }[], handle: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.handle < handle) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Everything in a range, by procedures that each go over the whole of it: fewer requests than service by service. What stands in no service is
 * left out.
 *
 * @throws {AttProtocolError} services that overlap, or a value outside its service
 */
export async function readStructure(
  { discovery, values }: StructureAccess,
  range: HandleRange,
  options: GattOperationOptions,
): Promise<KnownService[]> {
  const primary = await discovery.servicesIn(range, GattUuid.PrimaryService, options);
  const includes = await readIncludes({ discovery, values }, range, options);
  const secondary = await readSecondary(discovery, range, options);
  const found = [
    ...primary.map((service) => ({ ...service, primary: true })),
    ...secondary.map((service) => ({ ...service, primary: false })),
  ];
  // A peer that does not tell of its secondary services tells of them where they are included.
  const handles = new Set(found.map(({ handle }) => handle));
  for (const { included } of includes) {
    if (!isIn(included.handle, range) || handles.has(included.handle)) continue;
    handles.add(included.handle);
    found.push({ ...included, primary: false });
  }
  found.sort((a, b) => a.handle - b.handle);
  for (const [i, service] of found.entries())
    if ((found[i + 1]?.handle ?? 0x10000) <= service.endHandle)
      throw new AttProtocolError(
        AttOpcode.ReadByGroupTypeReq,
        `service ${service.uuid} ends at ${service.endHandle}, where another one is`,
      );
  const rest = { handle: range.handle, endHandle: Math.max(range.endHandle, found.at(-1)?.endHandle ?? 0) }; // in order, and none overlaps the next
  const characteristics = await discovery.characteristics(rest, options);
  const attributes = await discovery.descriptors(rest, options);
  const hasExtended = attributes.some(({ uuid }) => uuid.short === GattUuid.CharacteristicExtendedProperties);
  const extended = hasExtended ? await readExtended(discovery, rest, options) : new Map<number, Uint8Array>();
  return found.map((service): KnownService => {
    const own = within(characteristics, service);
    return {
      ...service,
      includes: within(includes, service),
      characteristics: own.map((characteristic, i): KnownCharacteristic => {
        if (!isIn(characteristic.valueHandle, service))
          throw new AttProtocolError(AttOpcode.ReadByTypeReq, `characteristic ${characteristic.handle} with its value outside its service`);
        const behind = { handle: characteristic.valueHandle + 1, endHandle: (own[i + 1]?.handle ?? service.endHandle + 1) - 1 };
        const descriptors = within(attributes, behind).filter(({ uuid }) => !DECLARATIONS.includes(uuid.short));
        const extendedAt = descriptors.find(({ uuid }) => uuid.short === GattUuid.CharacteristicExtendedProperties)?.handle;
        const extendedProperties = extendedAt === undefined ? undefined : extended.get(extendedAt);
        return { ...characteristic, descriptors, ...(extendedProperties && { extendedProperties }) };
      }),
    };
  });
}

async function readIncludes(
  { discovery, values }: StructureAccess,
  range: HandleRange,
  options: GattOperationOptions,
): Promise<KnownInclude[]> {
  const includes: KnownInclude[] = [];
  for (const { handle, value } of await discovery.valuesByType(range, Uuid.from(GattUuid.Include), options)) {
    const included = { handle: value.length < 4 ? 0 : u16(value, 0), endHandle: value.length < 4 ? 0 : u16(value, 2) };
    if ((value.length !== 4 && value.length !== 6) || included.handle === 0 || included.endHandle < included.handle)
      throw new AttProtocolError(AttOpcode.ReadByTypeReq, `include declaration ${handle} of ${value.length} octets`);
    // A 128-bit UUID is not in the declaration (Vol 3 Part G 3.2).
    const uuid = value.length === 6 ? value.subarray(4) : await values.read(included.handle, options);
    if (uuid.length !== 2 && uuid.length !== 16)
      throw new AttProtocolError(AttOpcode.ReadReq, `UUID of ${uuid.length} octets, must be 2 or 16`);
    includes.push({ handle, included: { ...included, uuid: Uuid.fromBytes(uuid) } });
  }
  return includes;
}

async function readSecondary(discovery: SpreadDiscovery, range: HandleRange, options: GattOperationOptions): Promise<FoundService[]> {
  try {
    return await discovery.servicesIn(range, GattUuid.SecondaryService, options);
  } catch (error) {
    if (error instanceof AttError && NOT_KNOWN.includes(error.errorCode)) return [];
    throw error;
  }
}

/** By handle. What may not be read is left out. */
async function readExtended(
  discovery: SpreadDiscovery,
  range: HandleRange,
  options: GattOperationOptions,
): Promise<Map<number, Uint8Array>> {
  try {
    const found = await discovery.valuesByType(range, Uuid.from(GattUuid.CharacteristicExtendedProperties), options);
    return new Map(found.map(({ handle, value }) => [handle, value]));
  } catch (error) {
    if (error instanceof AttError) return new Map();
    throw error;
  }
}

const pair = (value: number): number[] => [value & 0xff, value >> 8];

/** The Database Hash that a peer with these services has (Vol 3 Part G 7.3), where each UUID that has 16 bits is declared in 16. */
export function hashOfStructure(services: readonly KnownService[]): Uint8Array {
  const attributes: HashedAttribute[] = [];
  const add = (handle: number, type: number | Uuid, ...value: number[]): void => {
    attributes.push({ handle, type: Uuid.from(type), value: Uint8Array.from(value) });
  };
  for (const { handle, uuid, primary, includes, characteristics } of services) {
    add(handle, primary ? GattUuid.PrimaryService : GattUuid.SecondaryService, ...uuid.attBytes);
    for (const { handle: at, included } of includes) {
      const short = included.uuid.short === undefined ? [] : pair(included.uuid.short);
      add(at, GattUuid.Include, ...pair(included.handle), ...pair(included.endHandle), ...short);
    }
    for (const characteristic of characteristics) {
      add(
        characteristic.handle,
        GattUuid.Characteristic,
        characteristic.properties,
        ...pair(characteristic.valueHandle),
        ...characteristic.uuid.attBytes,
      );
      for (const descriptor of characteristic.descriptors)
        add(descriptor.handle, descriptor.uuid, ...(characteristic.extendedProperties ?? []));
    }
  }
  return computeDatabaseHash(attributes.sort((a, b) => a.handle - b.handle));
}
