import { Uuid } from "jelling/core";
import type { Connection } from "jelling/device";
import type { RemoteCharacteristic } from "jelling/gatt";
import { CommandError, UsageError } from "./errors.ts";

/** What the user calls an attribute: a handle, or a characteristic, perhaps of a certain service. */
export type Attribute = { readonly handle: number } | { readonly service: Uuid | undefined; readonly characteristic: Uuid };

/**
 * Reads "180D/2A37", "2A37" or "0x0003". Four digits are a UUID; a handle is told by its 0x.
 *
 * @throws {ArgumentError} not a UUID
 * @throws {UsageError} not a handle
 */
export function parseAttribute(text: string): Attribute {
  if (/^0x/i.test(text)) {
    if (/^0x[0-9a-f]{1,4}$/i.test(text) && Number(text) > 0) return { handle: Number(text) };
    throw new UsageError(`handle "${text}": expected 0x0001 to 0xffff`);
  }
  const [first, second, ...more] = text.split("/");
  if (second === undefined || more.length > 0) return { service: undefined, characteristic: Uuid.from(text) };
  return { service: Uuid.from(first!), characteristic: Uuid.from(second) };
}

/** @throws {CommandError} the device has none */
export async function findCharacteristic(connection: Connection, attribute: Attribute, signal: AbortSignal): Promise<RemoteCharacteristic> {
  const services = await connection.gatt.services({ signal });
  if ("handle" in attribute) {
    const { handle } = attribute;
    const service = services.find((candidate) => candidate.handle <= handle && handle <= candidate.endHandle);
    const characteristics = (await service?.characteristics({ signal })) ?? [];
    const found = characteristics.find((candidate) => candidate.valueHandle === handle);
    if (!found)
      throw new CommandError(
        `0x${handle.toString(16).padStart(4, "0")} is no value of a characteristic; jelling gatt list shows which there are`,
      );
    return found;
  }
  const inServices = attribute.service ? services.filter(({ uuid }) => uuid.equals(attribute.service!)) : services;
  if (attribute.service && inServices.length === 0) throw new CommandError(`the device has no service ${attribute.service.text}`);
  for (const service of inServices) {
    const found = (await service.characteristics({ signal })).find(({ uuid }) => uuid.equals(attribute.characteristic));
    if (found) return found;
  }
  throw new CommandError(
    `the device has no characteristic ${attribute.characteristic.text}${attribute.service ? ` in service ${attribute.service.text}` : ""}`,
  );
}
