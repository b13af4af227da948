import { AttError } from "../../att/error.ts";
import { fromHex } from "../../bytes/hex.ts";
import { Uuid } from "../../core/uuid.ts";
import { type CharacteristicProperty, propertyBits, propertyNames } from "../properties.ts";
import type {
  CharacteristicDefinition,
  DescriptorDefinition,
  ReadHandler,
  ServiceDefinition,
  ValueDefinition,
} from "../server/definition.ts";
import { GattUuid } from "../uuids.ts";
import type { CharacteristicDescription, DescriptorDescription, ServiceDescription, ValueDescription } from "./description.ts";

/** Length of a Client Characteristic Configuration, Vol 3 Part G 3.3.3.3. */
const CONFIGURATION_OCTETS = 2;

const REFUSALS = new WeakMap<ReadHandler, number>();

/** The error code that a handler made of a description answers with; `undefined` of any other one. */
export function readErrorOf(read: ReadHandler): number | undefined {
  return REFUSALS.get(read);
}

function refusal(errorCode: number): ReadHandler {
  const read: ReadHandler = () => {
    throw new AttError(errorCode);
  };
  REFUSALS.set(read, errorCode);
  return read;
}

/** What the server makes the services of a description from. It has been checked. */
export function definitionsOf(services: readonly ServiceDescription[]): ServiceDefinition[] {
  const byHandle = new Map(services.map((service) => [service.handle, service]));
  return services.map(({ uuid, handle, endHandle, primary, includes = [], characteristics = [] }) => ({
    uuid,
    handle,
    endHandle,
    primary,
    includes: includes.map((include) => {
      const included = byHandle.get(include.service)!;
      return {
        uuid: Uuid.from(included.uuid),
        handle: included.handle,
        endHandle: included.endHandle,
        includeHandle: include.handle,
      };
    }),
    characteristics: characteristics.map(characteristicOf),
  }));
}

function characteristicOf(description: CharacteristicDescription): CharacteristicDefinition {
  const { handle, valueHandle, properties, descriptors = [] } = description;
  const isSubscribable = properties.includes("notify") || properties.includes("indicate");
  const configuration = isSubscribable ? descriptors.find(isConfiguration) : undefined;
  return {
    ...valueDefinition(description),
    handle,
    valueHandle,
    properties: withExtended(properties, descriptors),
    descriptorsAsListed: true,
    descriptors: descriptors.map((descriptor) => descriptorOf(descriptor, descriptor === configuration)),
  };
}

const isConfiguration = ({ uuid }: DescriptorDescription): boolean => Uuid.from(uuid).short === GattUuid.ClientCharacteristicConfiguration;

/** With those that the descriptor says, where the declaration says that there is one (Vol 3 Part G 3.3.3.1). */
function withExtended(
  properties: readonly CharacteristicProperty[],
  descriptors: readonly DescriptorDescription[],
): CharacteristicProperty[] {
  const extended = descriptors.find(({ uuid }) => Uuid.from(uuid).short === GattUuid.CharacteristicExtendedProperties);
  const [bits = 0] = properties.includes("extended-properties") ? fromHex(extended?.value ?? "") : [];
  return propertyNames(propertyBits(properties) | (bits << 8));
}

function descriptorOf(description: DescriptorDescription, isOwnConfiguration: boolean): DescriptorDefinition {
  const { handle, uuid } = description;
  if (isOwnConfiguration) return { uuid, handle };
  return { ...(isConfiguration(description) && usualConfiguration(description)), ...valueDefinition(description), handle };
}

/** Of one that configures nothing: two octets that may be written, as its type has it, as far as the description does not say otherwise. */
function usualConfiguration({ value, maxLength = CONFIGURATION_OCTETS }: DescriptorDescription) {
  const octets = value === undefined ? Math.min(maxLength, CONFIGURATION_OCTETS) : fromHex(value).length;
  return { value: new Uint8Array(octets), maxLength: Math.max(octets, CONFIGURATION_OCTETS), writable: true };
}

function valueDefinition({
  uuid,
  value,
  maxLength,
  fixedLength,
  readable,
  writable,
  anyWrite,
  permissions,
  readError,
}: ValueDescription): ValueDefinition {
  return {
    uuid,
    ...(value !== undefined && { value: fromHex(value) }),
    ...(maxLength !== undefined && { maxLength }),
    ...(fixedLength !== undefined && { fixedLength }),
    ...(readable !== undefined && { readable }),
    ...(writable !== undefined && { writable }),
    ...(anyWrite !== undefined && { anyWrite }),
    ...(permissions !== undefined && { permissions }),
    ...(readError !== undefined && { read: refusal(readError) }),
  };
}
