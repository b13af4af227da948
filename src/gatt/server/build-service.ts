import type { Clock } from "../../async/clock.ts";
import { ArgumentError } from "../../core/error.ts";
import { Uuid } from "../../core/uuid.ts";
import { hasProperty, propertyBits } from "../properties.ts";
import { GattUuid } from "../uuids.ts";
import { toRequirement } from "./access.ts";
import { Attribute, type AttributeKind } from "./attribute.ts";
import type { CharacteristicDefinition, DescriptorDefinition, ServiceDefinition } from "./definition.ts";
import { LocalCharacteristic } from "./local-characteristic.ts";
import { LocalService } from "./local-service.ts";

const type = (value: number): Uuid => Uuid.from(value);
const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8);
const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

const isCccd = ({ uuid, read, write }: DescriptorDefinition): boolean =>
  !read && !write && Uuid.from(uuid).short === GattUuid.ClientCharacteristicConfiguration;
const isSubscribable = (bits: number): boolean => hasProperty(bits, "notify") || hasProperty(bits, "indicate");

/** Descriptors in the order of their handles, those that properties ask for included. */
function descriptorsOf(definition: CharacteristicDefinition, bits: number): readonly DescriptorDefinition[] {
  const listed = definition.descriptors ?? [];
  if (definition.descriptorsAsListed) return listed;
  const made: DescriptorDefinition[] = [];
  if (isSubscribable(bits) && !listed.some(isCccd)) made.push({ uuid: GattUuid.ClientCharacteristicConfiguration });
  if (bits > 0xff) made.push({ uuid: GattUuid.CharacteristicExtendedProperties, value: u16(bits >> 8) });
  if (definition.description !== undefined)
    made.push({ uuid: GattUuid.CharacteristicUserDescription, value: new TextEncoder().encode(definition.description) });
  return [...made, ...listed];
}

interface CharacteristicLayout {
  readonly definition: CharacteristicDefinition;
  readonly bits: number;
  readonly handle: number;
  readonly valueHandle: number;
  readonly descriptors: readonly { readonly definition: DescriptorDefinition; readonly handle: number }[];
}

/** Where everything of a service is. */
export interface ServiceLayout {
  readonly handle: number;
  readonly endHandle: number;
  readonly includeHandles: readonly number[];
  readonly characteristics: readonly CharacteristicLayout[];
}

/**
 * The handles of a service that begins at `handle`: those that were chosen, and the next ones.
 *
 * @throws {ArgumentError} handles that are out of order, taken twice, behind the service's end or beyond 65,535
 */
export function layOutService(definition: ServiceDefinition, handle: number): ServiceLayout {
  const what = `service ${Uuid.from(definition.uuid)}`;
  const taken = new Set([handle]);
  let next = handle + 1;
  let last = handle;
  const take = (name: string, wanted = next): number => {
    if (wanted < next)
      throw new ArgumentError(`${what}: ${name} at handle ${wanted}: expected ${next} or more, behind what comes before it`);
    next = wanted + 1;
    return note(name, wanted);
  };
  const note = (name: string, at: number): number => {
    if (taken.has(at)) throw new ArgumentError(`${what}: ${name} at handle ${at}, which is taken`);
    taken.add(at);
    last = Math.max(last, at);
    return at;
  };
  // A chosen one may stand anywhere in the service, though the specification wants them first (Vol 3 Part G 3.2): there are peers that do so.
  const includeHandles = (definition.includes ?? []).map(({ includeHandle }) => {
    if (includeHandle === undefined) return take("an include");
    if (includeHandle <= handle) throw new ArgumentError(`${what}: an include at handle ${includeHandle}: expected more than ${handle}`);
    return note("an include", includeHandle);
  });
  const characteristics = definition.characteristics.map((characteristic): CharacteristicLayout => {
    const bits = propertyBits(characteristic.properties);
    const name = `characteristic ${Uuid.from(characteristic.uuid)}`;
    return {
      definition: characteristic,
      bits,
      handle: take(name, characteristic.handle),
      valueHandle: take(`${name}: its value`, characteristic.valueHandle),
      descriptors: descriptorsOf(characteristic, bits).map((descriptor) => ({
        definition: descriptor,
        handle: take(`${name}: descriptor ${Uuid.from(descriptor.uuid)}`, descriptor.handle),
      })),
    };
  });
  const { endHandle = last } = definition;
  if (endHandle < last) throw new ArgumentError(`${what}: endHandle ${endHandle}: expected ${last} or more, where its last attribute is`);
  return { handle, endHandle, includeHandles, characteristics };
}

/** Whether handles are chosen in the service, which then must have its own. */
function hasChosenHandles({ endHandle, includes = [], characteristics }: ServiceDefinition): boolean {
  const isChosen = ({ handle, valueHandle, descriptors = [] }: CharacteristicDefinition): boolean =>
    handle !== undefined || valueHandle !== undefined || descriptors.some((descriptor) => descriptor.handle !== undefined);
  return endHandle !== undefined || includes.some(({ includeHandle }) => includeHandle !== undefined) || characteristics.some(isChosen);
}

/** Handles that a service takes, from its declaration on. @throws {ArgumentError} */
export function handleCount(definition: ServiceDefinition): number {
  if (definition.handle === undefined && hasChosenHandles(definition))
    throw new ArgumentError(`service ${Uuid.from(definition.uuid)}: handles are chosen in it: expected its own handle too`);
  const { handle, endHandle } = layOutService(definition, definition.handle ?? 1);
  return endHandle - handle + 1;
}

export interface BuiltService {
  readonly service: LocalService;
  readonly attributes: readonly Attribute[];
  /** Characteristics by the handle of their CCCD. */
  readonly cccds: ReadonlyMap<number, LocalCharacteristic>;
}

/** Makes the attributes of a service, Vol 3 Part G 3.1 to 3.3. @throws {ArgumentError} a definition that contradicts itself */
export function buildService(definition: ServiceDefinition, handle: number, clock: Clock): BuiltService {
  const uuid = Uuid.from(definition.uuid);
  const primary = definition.primary ?? true;
  const layout = layOutService(definition, handle);
  const attributes: Attribute[] = [];
  const cccds = new Map<number, LocalCharacteristic>();
  const add = (at: number, options: ConstructorParameters<typeof Attribute>[2]): Attribute => {
    const attribute = new Attribute(at, handle, options);
    attributes.push(attribute);
    return attribute;
  };
  const declare = (at: number, of: number, value: Uint8Array): Attribute =>
    add(at, { kind: "declaration", type: type(of), value, readable: true });

  const declaration = declare(handle, primary ? GattUuid.PrimaryService : GattUuid.SecondaryService, uuid.attBytes);
  for (const [i, included] of (definition.includes ?? []).entries()) {
    const short = included.uuid.short === undefined ? new Uint8Array(0) : u16(included.uuid.short);
    declare(layout.includeHandles[i]!, GattUuid.Include, joined(u16(included.handle), u16(included.endHandle), short));
  }
  const characteristics = layout.characteristics.map((at) => {
    const { definition: characteristic, bits, valueHandle } = at;
    const charUuid = Uuid.from(characteristic.uuid);
    declare(at.handle, GattUuid.Characteristic, joined(Uint8Array.of(bits & 0xff), u16(valueHandle), charUuid.attBytes));
    const value = add(valueHandle, {
      ...valueOptions(characteristic),
      ...waysOf(characteristic, bits),
      kind: specialKind(uuid, charUuid, characteristic),
      type: charUuid,
    });
    const { permissions } = characteristic;
    const subscribeRequirement = toRequirement(permissions?.subscribe ?? permissions?.read);
    let cccdHandle: number | undefined;
    for (const { definition: descriptor, handle: descriptorHandle } of at.descriptors) {
      if (isCccd(descriptor)) {
        if (isSubscribable(bits) && cccdHandle === undefined) {
          cccdHandle = descriptorHandle;
          add(descriptorHandle, {
            kind: "cccd",
            type: type(GattUuid.ClientCharacteristicConfiguration),
            readable: true,
            writable: true,
            writeRequirement: subscribeRequirement,
          });
          continue;
        }
        if (!characteristic.descriptorsAsListed)
          throw new ArgumentError(`characteristic ${charUuid}: a second CCCD, or one without notify and indicate`);
      }
      const isWritable = descriptor.writable ?? descriptor.write !== undefined;
      add(descriptorHandle, {
        ...valueOptions(descriptor),
        kind: "value",
        type: Uuid.from(descriptor.uuid),
        readable: descriptor.readable ?? true,
        writable: isWritable,
        commandable: isWritable && descriptor.anyWrite === true,
      });
    }
    const local = new LocalCharacteristic({
      uuid: charUuid,
      handle: at.handle,
      attribute: value,
      cccdHandle,
      propertyBits: bits,
      subscribeRequirement,
      onSubscription: characteristic.onSubscription,
      clock,
    });
    if (cccdHandle !== undefined) cccds.set(cccdHandle, local);
    return local;
  });
  const { endHandle } = layout;
  declaration.groupEndHandle = endHandle;
  attributes.sort((a, b) => a.handle - b.handle);
  return { service: new LocalService({ uuid, primary, handle, endHandle, characteristics }), attributes, cccds };
}

/** In which ways the value may be accessed: as the properties say, or the definition in their place. */
export function waysOf(
  { readable, writable, anyWrite }: Pick<CharacteristicDefinition, "readable" | "writable" | "anyWrite">,
  bits: number,
) {
  if (writable === false) return { readable: readable ?? hasProperty(bits, "read") };
  const commandable = hasProperty(bits, "write-without-response");
  const signable = hasProperty(bits, "authenticated-signed-writes");
  const byRequest = hasProperty(bits, "write") || hasProperty(bits, "reliable-write");
  const isWritable = byRequest || (writable === true && !commandable && !signable);
  return {
    readable: readable ?? hasProperty(bits, "read"),
    writable: isWritable || (anyWrite === true && commandable),
    commandable: commandable || (anyWrite === true && isWritable),
    signable,
  };
}

function valueOptions(definition: CharacteristicDefinition | DescriptorDefinition) {
  const { value, maxLength, fixedLength, permissions, read, readEachPart, write } = definition;
  return {
    value,
    maxLength,
    fixedLength,
    read,
    readEachPart,
    write,
    readRequirement: toRequirement(permissions?.read),
    writeRequirement: toRequirement(permissions?.write),
  };
}

/** Characteristics of the GATT service whose values the server itself keeps, unless the definition gives a value of its own. */
function specialKind(service: Uuid, uuid: Uuid, { read, value }: CharacteristicDefinition): AttributeKind {
  if (service.short !== GattUuid.GattService || read || value) return "value";
  if (uuid.short === GattUuid.ClientSupportedFeatures) return "client-features";
  if (uuid.short === GattUuid.DatabaseHash) return "database-hash";
  return "value";
}
