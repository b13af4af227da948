import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import { toHex } from "../../bytes/hex.ts";
import { checkBoolean, checkOptions, optionNames } from "../../core/arguments.ts";
import { propertyNames } from "../properties.ts";
import type { Access, AccessRequirement } from "../server/access.ts";
import type { Attribute } from "../server/attribute.ts";
import { waysOf } from "../server/build-service.ts";
import type { AttributePermissions } from "../server/definition.ts";
import type { LocalCharacteristic } from "../server/local-characteristic.ts";
import { attributesOf, type GattServer } from "../server/server.ts";
import { GattUuid } from "../uuids.ts";
import { readErrorOf } from "./definitions.ts";
import type {
  CharacteristicDescription,
  DescriptorDescription,
  GattDescription,
  IncludeDescription,
  ServiceDescription,
  ValueDescription,
} from "./description.ts";

export interface DescribeOptions {
  /** With the stored values; true unless given. What handlers give is not asked for. */
  readonly values?: boolean | undefined;
}

const OPTIONS = optionNames<DescribeOptions>({ values: true });

/**
 * A server's database as data; `load` makes the same one of it, handlers excepted.
 *
 * @throws {ArgumentError} an unknown option
 */
export function describeServer(server: GattServer, options: DescribeOptions = {}): GattDescription {
  checkOptions("describeServer", options, OPTIONS);
  const { values = true } = options;
  checkBoolean("describeServer: values", values);
  const attributes = attributesOf(server);
  return {
    services: server.services.map((service): ServiceDescription => {
      const own = attributes.filter(({ handle }) => handle >= service.handle && handle <= service.endHandle);
      const includes = own.filter(({ kind, type }) => kind === "declaration" && type.short === GattUuid.Include).map(includeOf);
      const isDescriptor = ({ kind }: Attribute): boolean => kind !== "declaration";
      const characteristics = service.characteristics.map((characteristic, i) => {
        const end = service.characteristics[i + 1]?.handle ?? service.endHandle + 1;
        const rest = own.filter(
          (attribute) => attribute.handle > characteristic.valueHandle && attribute.handle < end && isDescriptor(attribute),
        );
        const value = own.find(({ handle }) => handle === characteristic.valueHandle)!;
        return characteristicOf(characteristic, value, rest, values);
      });
      const { handle, endHandle, primary, uuid } = service;
      return { uuid: uuid.text, handle, endHandle, primary, includes, characteristics };
    }),
  };
}

function includeOf({ handle, value }: Attribute): IncludeDescription {
  return { handle, service: value[0]! | (value[1]! << 8) };
}

function characteristicOf(
  { uuid, handle, valueHandle, propertyBits, cccdHandle }: LocalCharacteristic,
  value: Attribute,
  descriptors: readonly Attribute[],
  values: boolean,
): CharacteristicDescription {
  const usual = waysOf({}, propertyBits);
  const isWritten = (ways: { writable?: boolean; commandable?: boolean; signable?: boolean }): boolean =>
    (ways.writable || ways.commandable || ways.signable) ?? false;
  const cccd = descriptors.find((descriptor) => descriptor.handle === cccdHandle);
  const permissions = permissionsOf(value, cccd?.writeRequirement);
  return {
    uuid: uuid.text,
    handle,
    valueHandle,
    properties: propertyNames(propertyBits & 0xff),
    ...(value.readable !== usual.readable && { readable: value.readable }),
    ...(isWritten(value) !== isWritten(usual) && { writable: isWritten(value) }),
    ...(value.writable && value.commandable && !(usual.writable && usual.commandable) && { anyWrite: true }),
    ...(permissions && { permissions }),
    ...storedOf(value, values),
    descriptors: descriptors.map((descriptor) =>
      descriptor === cccd ? { uuid: "2902", handle: cccd.handle } : descriptorOf(descriptor, values),
    ),
  };
}

function descriptorOf(attribute: Attribute, values: boolean): DescriptorDescription {
  const { type, handle, readable, writable, commandable } = attribute;
  const permissions = permissionsOf(attribute, undefined);
  // Of one that configures nothing another way is the usual one.
  const isUsuallyWritten = type.short === GattUuid.ClientCharacteristicConfiguration;
  return {
    uuid: type.text,
    handle,
    ...(!readable && { readable }),
    ...(writable !== isUsuallyWritten && { writable }),
    ...(commandable && { anyWrite: true }),
    ...(permissions && { permissions }),
    ...storedOf(attribute, values, isUsuallyWritten),
  };
}

/** @param isConfiguration a descriptor that is one by its type and configures nothing: without a length it has two octets */
function storedOf(
  { kind, value, read, maxLength, fixedLength, type }: Attribute,
  values: boolean,
  isConfiguration = false,
): Partial<ValueDescription> {
  const readError = read && readErrorOf(read);
  // The value of this one is a part of the structure: it says what may be done.
  const isStructure = type.short === GattUuid.CharacteristicExtendedProperties;
  const isShown = kind === "value" && !read && (isStructure || (values && (value.length > 0 || fixedLength || isConfiguration)));
  return {
    ...(isShown && { value: toHex(value) }),
    ...((maxLength !== MAX_VALUE_LENGTH || isConfiguration) && !(fixedLength && isShown) && { maxLength }),
    ...(fixedLength && isShown && { fixedLength }),
    ...(readError !== undefined && { readError }),
  };
}

function permissionsOf(
  { readRequirement, writeRequirement }: Attribute,
  subscribeRequirement: AccessRequirement | undefined,
): AttributePermissions | undefined {
  const read = accessOf(readRequirement);
  const write = accessOf(writeRequirement);
  const subscribe = subscribeRequirement && accessOf(subscribeRequirement);
  const isOther = subscribeRequirement !== undefined && JSON.stringify(subscribe) !== JSON.stringify(read);
  if (read === undefined && write === undefined && !isOther) return undefined;
  return {
    ...(read !== undefined && { read }),
    ...(write !== undefined && { write }),
    ...(isOther && { subscribe: subscribe ?? "open" }),
  };
}

/** The word for a requirement, or its parts; `undefined` where it is open. */
function accessOf(requirement: AccessRequirement): Access | undefined {
  const parts = Object.entries(requirement).filter(([, part]) => part !== undefined && part !== false);
  const names = parts
    .map(([name]) => name)
    .sort()
    .join(" ");
  if (names === "") return undefined;
  if (names === "encrypted" || names === "authorized") return names;
  if (names === "authenticated encrypted") return "authenticated";
  return Object.fromEntries(parts);
}
