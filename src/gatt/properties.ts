import { checkChoice } from "../core/arguments.ts";

/** Characteristic properties, Vol 3 Part G 3.3.1.1, and those of the extended properties descriptor from bit 8 on (3.3.3.1). */
const bits = Object.freeze({
  broadcast: 0x01,
  read: 0x02,
  "write-without-response": 0x04,
  write: 0x08,
  notify: 0x10,
  indicate: 0x20,
  "authenticated-signed-writes": 0x40,
  "extended-properties": 0x80,
  "reliable-write": 0x100,
  "writable-auxiliaries": 0x200,
});

/** What may be done with a characteristic's value. */
export type CharacteristicProperty = keyof typeof bits;

export const EXTENDED_PROPERTIES = bits["extended-properties"];

const NAMES = Object.keys(bits) as CharacteristicProperty[];

/** @throws {ArgumentError} a word that names no property */
export function checkProperty(property: CharacteristicProperty): CharacteristicProperty {
  return checkChoice("characteristic property", property, NAMES);
}

/** The low octet is the declaration's; the next one the extended properties descriptor's. @throws {ArgumentError} a word that names none */
export function propertyBits(properties: Iterable<CharacteristicProperty>): number {
  let value = 0;
  for (const property of properties) value |= bits[checkProperty(property)];
  return value > 0xff ? value | EXTENDED_PROPERTIES : value;
}

export function propertyNames(value: number): CharacteristicProperty[] {
  return NAMES.filter((property) => value & bits[property]);
}

/** @throws {ArgumentError} a word that names no property */
export function hasProperty(value: number, property: CharacteristicProperty): boolean {
  return (value & bits[checkProperty(property)]) !== 0;
}
