import type { Uuid } from "../core/uuid.ts";
import type { BluetoothUuidLike } from "./types.ts";
import { CHARACTERISTIC_NAMES, DESCRIPTOR_NAMES, SERVICE_NAMES } from "./uuid-names.ts";

const VALID_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const BASE = "-0000-1000-8000-00805f9b34fb";

/** Parses a table when a name is first looked up. */
function table(text: string): (name: string) => string | undefined {
  let parsed: Map<string, string> | undefined;
  return (name) => {
    parsed ??= new Map(
      text
        .trim()
        .split("\n")
        .map((line) => [line.slice(5), `0000${line.slice(0, 4)}${BASE}`]),
    );
    return parsed.get(name);
  };
}
const services = table(SERVICE_NAMES);
const characteristics = table(CHARACTERISTIC_NAMES);
const descriptors = table(DESCRIPTOR_NAMES);

function canonicalUUID(alias: number): string {
  const number = Math.trunc(Number(alias));
  if (!(number >= 0 && number <= 0xffffffff))
    throw new TypeError(`canonicalUUID: expected a number from 0 to 0xffffffff, got ${String(alias)}`);
  return number.toString(16).padStart(8, "0") + BASE;
}

function resolve(kind: string, name: BluetoothUuidLike, known: (name: string) => string | undefined): string {
  if (typeof name === "number") return canonicalUUID(name >>> 0);
  const text = String(name);
  const uuid = VALID_UUID.test(text) ? text : known(text);
  if (uuid === undefined)
    throw new TypeError(
      `invalid ${kind} "${text}": expected a name of the GATT assigned numbers, a 16- or 32-bit number, or a UUID in lower case like 0000180d${BASE}`,
    );
  return uuid;
}

/** `BluetoothUUID` of a page. */
export const BluetoothUUID = Object.freeze({
  /** "0000180d-0000-1000-8000-00805f9b34fb" for "heart_rate" or 0x180d. @throws {TypeError} neither name, number nor UUID */
  getService: (name: BluetoothUuidLike): string => resolve("service", name, services),
  /** @throws {TypeError} */
  getCharacteristic: (name: BluetoothUuidLike): string => resolve("characteristic", name, characteristics),
  /** @throws {TypeError} */
  getDescriptor: (name: BluetoothUuidLike): string => resolve("descriptor", name, descriptors),
  /** Of a 16- or 32-bit number. @throws {TypeError} out of range */
  canonicalUUID,
});

/** The whole UUID in lower case, as every object of Web Bluetooth shows it. */
export function fullUuid(uuid: Uuid): string {
  if (uuid.short !== undefined) return canonicalUUID(uuid.short);
  return uuid.text.length === 8 ? uuid.text + BASE : uuid.text;
}
