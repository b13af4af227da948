import { fromHex, toHex } from "../../bytes/hex.ts";
import { Uuid } from "../../core/uuid.ts";
import type { CharacteristicDescription, GattDescription } from "../describe/description.ts";
import { propertyBits, propertyNames } from "../properties.ts";
import { GattUuid } from "../uuids.ts";
import type { KnownCharacteristic, KnownService } from "./structure.ts";

/** A structure as data, for a cache. */
export function descriptionOf(services: readonly KnownService[]): GattDescription {
  return {
    services: services.map(({ uuid, handle, endHandle, primary, includes, characteristics }) => ({
      uuid: uuid.text,
      handle,
      endHandle,
      primary,
      includes: includes.map((include) => ({ handle: include.handle, service: include.included.handle })),
      characteristics: characteristics.map((characteristic) => ({
        uuid: characteristic.uuid.text,
        handle: characteristic.handle,
        valueHandle: characteristic.valueHandle,
        properties: propertyNames(characteristic.properties),
        descriptors: characteristic.descriptors.map((descriptor) => ({
          uuid: descriptor.uuid.text,
          handle: descriptor.handle,
          ...(descriptor.uuid.short === GattUuid.CharacteristicExtendedProperties &&
            characteristic.extendedProperties && { value: toHex(characteristic.extendedProperties) }),
        })),
      })),
    })),
  };
}

/** And back; the description has been checked. */
export function structureOf({ services }: GattDescription): KnownService[] {
  const byHandle = new Map(services.map((service) => [service.handle, service]));
  return services.map(
    ({ uuid, handle, endHandle, primary = true, includes = [], characteristics = [] }): KnownService => ({
      uuid: Uuid.from(uuid),
      handle,
      endHandle,
      primary,
      includes: includes.map((include) => {
        const included = byHandle.get(include.service)!;
        return {
          handle: include.handle,
          included: { uuid: Uuid.from(included.uuid), handle: included.handle, endHandle: included.endHandle },
        };
      }),
      characteristics: characteristics.map(characteristicOf),
    }),
  );
}

function characteristicOf({ uuid, handle, valueHandle, properties, descriptors = [] }: CharacteristicDescription): KnownCharacteristic {
  const found = descriptors.map((descriptor) => ({ uuid: Uuid.from(descriptor.uuid), handle: descriptor.handle, value: descriptor.value }));
  const extended = found.find((descriptor) => descriptor.uuid.short === GattUuid.CharacteristicExtendedProperties)?.value;
  return {
    uuid: Uuid.from(uuid),
    handle,
    valueHandle,
    properties: propertyBits(properties),
    descriptors: found.map((descriptor) => ({ uuid: descriptor.uuid, handle: descriptor.handle })),
    ...(extended !== undefined && { extendedProperties: fromHex(extended) }),
  };
}
