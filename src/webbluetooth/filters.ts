import { type Blocked, matchesData } from "./blocklist.ts";
import { domError } from "./dom-error.ts";
import type { BluetoothDataFilterInit, BluetoothLEScanFilter, BluetoothLEScanFilterInit } from "./types.ts";
import { BluetoothUUID } from "./uuid.ts";

// Arguments as Web IDL takes them: what is missing is undefined, text is made of anything, and what cannot be is a TypeError.

/** Octets of Bluetooth device names, Vol 3 Part C 3.2.2. */
const LONGEST_NAME = 248;

export interface DataFilter {
  readonly dataPrefix: Uint8Array<ArrayBuffer>;
  readonly mask: Uint8Array<ArrayBuffer>;
}
/** A filter whose names are UUIDs and whose octets are copies. */
export interface Filter {
  readonly name: string | undefined;
  readonly namePrefix: string | undefined;
  readonly services: readonly string[];
  readonly manufacturerData: readonly (DataFilter & { readonly companyIdentifier: number })[];
  readonly serviceData: readonly (DataFilter & { readonly service: string })[];
}

/** What a filter is held against. */
export interface Advertised {
  /** The complete name; a shortened one is enough for a prefix. */
  readonly completeName: string | undefined;
  readonly name: string | undefined;
  readonly services: readonly string[];
  readonly manufacturerData: readonly { readonly companyIdentifier: number; readonly data: Uint8Array }[];
  readonly serviceData: readonly { readonly uuid: string; readonly data: Uint8Array }[];
}

/** A sequence of Web IDL. @throws {TypeError} not iterable */
export function sequence<T>(what: string, value: unknown): T[] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) throw new TypeError(`${what}: expected an array`);
  return [...(value as Iterable<T>)];
}

/** A dictionary of Web IDL. @throws {TypeError} */
export function dictionary<T extends object>(what: string, value: unknown): Partial<T> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" && typeof value !== "function") throw new TypeError(`${what}: expected an object`);
  return value as Partial<T>;
}

/** A copy of the octets of a BufferSource, in an ArrayBuffer of their own. @throws {TypeError} */
export function copyOf(what: string, value: unknown): Uint8Array<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice() as Uint8Array<ArrayBuffer>;
  // Another realm's buffer is no instance of this one's class.
  if (value instanceof ArrayBuffer || Object.prototype.toString.call(value) === "[object ArrayBuffer]")
    return new Uint8Array(value as ArrayBuffer).slice();
  throw new TypeError(`${what}: expected an ArrayBuffer, or a view of one`);
}

function dataFilter(what: string, { dataPrefix, mask }: BluetoothDataFilterInit): DataFilter {
  const prefix = dataPrefix === undefined ? new Uint8Array(0) : copyOf(`${what}: dataPrefix`, dataPrefix);
  if (dataPrefix !== undefined && prefix.length === 0) throw new TypeError(`${what}: dataPrefix: expected at least one octet`);
  const bits = mask === undefined ? new Uint8Array(prefix.length).fill(0xff) : copyOf(`${what}: mask`, mask);
  if (bits.length !== prefix.length)
    throw new TypeError(`${what}: mask of ${bits.length} octets: expected as many as dataPrefix has, ${prefix.length}`);
  return { dataPrefix: prefix, mask: bits };
}

function text(what: string, value: unknown, minLength: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "symbol") throw new TypeError(`${what}: expected text`);
  const given = `${value as string}`; // whatever it is, as a page's text is made
  if (given.length < minLength) throw new TypeError(`${what}: expected text that is not empty`);
  if (new TextEncoder().encode(given).length > LONGEST_NAME)
    throw new TypeError(`${what}: expected at most ${LONGEST_NAME} octets of UTF-8`);
  return given;
}

/** [EnforceRange] unsigned short. */
function companyIdentifierOf(what: string, value: unknown): number {
  const number = Math.trunc(Number(value));
  if (value === undefined || !(number >= 0 && number <= 0xffff))
    throw new TypeError(`${what}: companyIdentifier: expected a number from 0 to 0xffff`);
  return number + 0; // -0 is 0
}

function presentSequence<T>(what: string, value: unknown): T[] {
  if (value === undefined) return [];
  const items = sequence<T>(what, value);
  if (items.length === 0) throw new TypeError(`${what}: expected at least one`);
  return items;
}

const MEMBERS = ["name", "namePrefix", "services", "manufacturerData", "serviceData"] as const;

/**
 * "Canonicalizing" a filter.
 *
 * @throws {TypeError} nothing to filter by, an unknown service, lengths · {DOMException} SecurityError: what is asked for is on the blocklist
 */
export function canonicalFilter(what: string, given: unknown, blocked: Blocked): Filter {
  const init = dictionary<BluetoothLEScanFilterInit>(what, given);
  if (MEMBERS.every((member) => init[member] === undefined)) throw new TypeError(`${what}: expected one of ${MEMBERS.join(", ")}`);
  const refuse = (service: string): string => {
    if (blocked.all(service)) throw domError("SecurityError", `${what}: service ${service} is on the blocklist`);
    return service;
  };
  const services = presentSequence<string | number>(`${what}: services`, init.services).map(BluetoothUUID.getService);
  services.forEach(refuse);
  const name = text(`${what}: name`, init.name, 0);
  const namePrefix = text(`${what}: namePrefix`, init.namePrefix, 1);

  const companies = new Set<number>();
  const manufacturerData = presentSequence<unknown>(`${what}: manufacturerData`, init.manufacturerData).map((entry) => {
    const data = dictionary<BluetoothDataFilterInit & { companyIdentifier: number }>(`${what}: manufacturerData`, entry);
    const companyIdentifier = companyIdentifierOf(`${what}: manufacturerData`, data.companyIdentifier);
    if (companies.has(companyIdentifier)) throw new TypeError(`${what}: manufacturerData: company ${companyIdentifier} occurs twice`);
    companies.add(companyIdentifier);
    const filter = dataFilter(`${what}: manufacturerData`, data);
    if (blocked.manufacturerFilter(companyIdentifier, filter))
      throw domError("SecurityError", `${what}: this manufacturer data of company ${companyIdentifier} is on the blocklist`);
    return { ...filter, companyIdentifier };
  });

  const serviceData = presentSequence<unknown>(`${what}: serviceData`, init.serviceData).map((entry) => {
    const data = dictionary<BluetoothDataFilterInit & { service: string | number }>(`${what}: serviceData`, entry);
    if (data.service === undefined) throw new TypeError(`${what}: serviceData: expected a service`);
    const service = refuse(BluetoothUUID.getService(data.service));
    return { ...dataFilter(`${what}: serviceData`, data), service };
  });
  return { name, namePrefix, services, manufacturerData, serviceData };
}

/** Whether what a device advertises matches every member. */
export function matchesFilter(device: Advertised, { name, namePrefix, services, manufacturerData, serviceData }: Filter): boolean {
  return (
    (name === undefined || device.completeName === name) &&
    (namePrefix === undefined || (device.name?.startsWith(namePrefix) ?? false)) &&
    services.every((service) => device.services.includes(service)) &&
    manufacturerData.every((filter) =>
      device.manufacturerData.some(
        ({ companyIdentifier, data }) => companyIdentifier === filter.companyIdentifier && matchesData(data, filter),
      ),
    ) &&
    serviceData.every((filter) => device.serviceData.some(({ uuid, data }) => uuid === filter.service && matchesData(data, filter)))
  );
}

/** A filter as a scan shows it. */
export function shownFilter(filter: Filter): BluetoothLEScanFilter {
  const { name, namePrefix } = filter;
  return {
    ...(name !== undefined && { name }),
    ...(namePrefix !== undefined && { namePrefix }),
    services: [...filter.services],
    manufacturerData: filter.manufacturerData.map((entry) => ({ ...entry })),
    serviceData: filter.serviceData.map((entry) => ({ ...entry })),
  };
}
