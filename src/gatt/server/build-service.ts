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
function descriptorsOf(definition: CharacteristicDefinition, bits: number): DescriptorDefinition[] {
  const listed = definition.descriptors ?? [];
  const made: DescriptorDefinition[] = [];
  if (isSubscribable(bits) && !listed.some(isCccd)) made.push({ uuid: GattUuid.ClientCharacteristicConfiguration });
  if (bits > 0xff) made.push({ uuid: GattUuid.CharacteristicExtendedProperties, value: u16(bits >> 8) });
  if (definition.description !== undefined)
    made.push({ uuid: GattUuid.CharacteristicUserDescription, value: new TextEncoder().encode(definition.description) });
  return [...made, ...listed];
}

/** Handles that a service takes, from its declaration on. */
export function handleCount(definition: ServiceDefinition): number {
  let count = 1 + (definition.includes?.length ?? 0);
  for (const characteristic of definition.characteristics)
    count += 2 + descriptorsOf(characteristic, propertyBits(characteristic.properties)).length;
  return count;
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
  const attributes: Attribute[] = [];
  const cccds = new Map<number, LocalCharacteristic>();
  const add = (options: ConstructorParameters<typeof Attribute>[2]): Attribute => {
    const attribute = new Attribute(handle + attributes.length, handle, options);
    attributes.push(attribute);
    return attribute;
  };
  const declare = (of: number, value: Uint8Array): Attribute => add({ kind: "declaration", type: type(of), value, readable: true });

  const declaration = declare(primary ? GattUuid.PrimaryService : GattUuid.SecondaryService, uuid.attBytes);
  for (const included of definition.includes ?? []) {
    const short = included.uuid.short === undefined ? new Uint8Array(0) : u16(included.uuid.short);
    declare(GattUuid.Include, joined(u16(included.handle), u16(included.endHandle), short));
  }
  const characteristics = definition.characteristics.map((characteristic) => {
    const bits = propertyBits(characteristic.properties);
    const charUuid = Uuid.from(characteristic.uuid);
    const valueHandle = handle + attributes.length + 1;
    const declared = declare(GattUuid.Characteristic, joined(Uint8Array.of(bits & 0xff), u16(valueHandle), charUuid.attBytes));
    const { permissions, anyWrite } = characteristic;
    const writable = hasProperty(bits, "write") || hasProperty(bits, "reliable-write");
    const commandable = hasProperty(bits, "write-without-response");
    const value = add({
      ...valueOptions(characteristic),
      kind: specialKind(uuid, charUuid, characteristic),
      type: charUuid,
      readable: hasProperty(bits, "read"),
      writable: writable || (anyWrite === true && commandable),
      commandable: commandable || (anyWrite === true && writable),
      signable: hasProperty(bits, "authenticated-signed-writes"),
    });
    const subscribeRequirement = toRequirement(permissions?.subscribe ?? permissions?.read);
    let cccdHandle: number | undefined;
    for (const descriptor of descriptorsOf(characteristic, bits)) {
      if (isCccd(descriptor)) {
        if (!isSubscribable(bits) || cccdHandle !== undefined)
          throw new ArgumentError(`characteristic ${charUuid}: a second CCCD, or one without notify and indicate`);
        cccdHandle = add({
          kind: "cccd",
          type: type(GattUuid.ClientCharacteristicConfiguration),
          readable: true,
          writable: true,
          writeRequirement: subscribeRequirement,
        }).handle;
        continue;
      }
      const isWritable = descriptor.writable ?? descriptor.write !== undefined;
      add({
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
      handle: declared.handle,
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
  const endHandle = handle + attributes.length - 1;
  declaration.groupEndHandle = endHandle;
  return { service: new LocalService({ uuid, primary, handle, endHandle, characteristics }), attributes, cccds };
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
