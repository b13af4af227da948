import type { Uuid } from "../core/uuid.ts";
import { COMPANIES } from "./companies.ts";
import { CHARACTERISTICS, DECLARATIONS, DESCRIPTORS, SERVICES } from "./gatt-uuids.ts";

/** Parses a table on first use: a program that shows no names pays nothing. */
function table(...texts: string[]): () => ReadonlyMap<number, string> {
  let parsed: Map<number, string> | undefined;
  return () => {
    parsed ??= new Map(
      texts
        .flatMap((text) => text.trim().split("\n"))
        .map((line): [number, string] => [Number.parseInt(line.slice(0, 4), 16), line.slice(5)]),
    );
    return parsed;
  };
}

const services = table(SERVICES);
const characteristics = table(CHARACTERISTICS);
const descriptors = table(DESCRIPTORS);
const attributeTypes = table(SERVICES, DECLARATIONS, DESCRIPTORS, CHARACTERISTICS);
const companies = table(COMPANIES);

const named = (map: () => ReadonlyMap<number, string>, uuid: Uuid): string | undefined =>
  uuid.short === undefined ? undefined : map().get(uuid.short);

/** "Heart Rate" for 0x180D. Names of the common services, Assigned Numbers 3.4. */
export function serviceName(uuid: Uuid): string | undefined {
  return named(services, uuid);
}
/** "Heart Rate Measurement" for 0x2A37, Assigned Numbers 3.8. */
export function characteristicName(uuid: Uuid): string | undefined {
  return named(characteristics, uuid);
}
/** "Client Characteristic Configuration" for 0x2902, Assigned Numbers 3.7. */
export function descriptorName(uuid: Uuid): string | undefined {
  return named(descriptors, uuid);
}
/** The name of any attribute type or service: what a UUID means where its place does not tell. */
export function uuidName(uuid: Uuid): string | undefined {
  return named(attributeTypes, uuid);
}
/** "Nordic Semiconductor ASA" for 0x0059. Only companies that are often met. */
export function companyName(identifier: number): string | undefined {
  return companies().get(identifier);
}
