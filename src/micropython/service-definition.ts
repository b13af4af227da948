import { kindOf } from "../core/arguments.ts";
import { type AccessRequirement, type CharacteristicProperty, GattUuid, propertyNames } from "../gatt/index.ts";
import { checkInt } from "./arguments.ts";
import { Flag } from "./constants.ts";
import { BleArgumentError, type OsErrors } from "./errors.ts";
import { UUID } from "./uuid.ts";

/** A descriptor: its type and its flags. */
export type DescriptorDef = readonly [uuid: UUID, flags: number] | { readonly uuid: UUID; readonly flags: number };

/** A characteristic: its type, its flags (see Flag) and its descriptors. */
export type CharacteristicDef =
  | readonly [uuid: UUID, flags: number, descriptors?: readonly DescriptorDef[] | null]
  | { readonly uuid: UUID; readonly flags: number; readonly descriptors?: readonly DescriptorDef[] | null | undefined };

/** A service: its type and its characteristics. */
export type ServiceDef =
  | readonly [uuid: UUID, characteristics: readonly CharacteristicDef[]]
  | { readonly uuid: UUID; readonly characteristics: readonly CharacteristicDef[] };

export interface ParsedDescriptor {
  readonly uuid: UUID;
  readonly flags: number;
}
export interface ParsedCharacteristic extends ParsedDescriptor {
  readonly descriptors: readonly ParsedDescriptor[];
}
export interface ParsedService {
  readonly uuid: UUID;
  readonly characteristics: readonly ParsedCharacteristic[];
}

/** What NimBLE's binding has room for. */
const MOST_SERVICES = 8;
/** Programs pass bits of their own above these. */
const FLAG_BITS = 0x7fff;
const PROPERTY_BITS = 0xff;
const ANY_INT = 0xffff_ffff;

/** @throws {BleArgumentError} · {BleOsError} E2BIG: more than 8 services · EINVAL: a UUID of 32 bits, which ATT has not */
export function parseServices(definition: readonly unknown[], errors: OsErrors): ParsedService[] {
  return definition.map((service, i) => {
    if (i === MOST_SERVICES) throw errors.create("E2BIG", `gattsRegisterServices: ${definition.length} services: at most ${MOST_SERVICES}`);
    const [uuid, characteristics] = fieldsOf("service", service, ["uuid", "characteristics"], 2);
    return {
      uuid: checkUuid("service", uuid, errors),
      characteristics: listOf("characteristics", characteristics).map((each) => parseCharacteristic(each, errors)),
    };
  });
}

function parseCharacteristic(given: unknown, errors: OsErrors): ParsedCharacteristic {
  const [uuid, flags, descriptors] = fieldsOf("characteristic", given, ["uuid", "flags", "descriptors"], 2);
  return {
    uuid: checkUuid("characteristic", uuid, errors),
    flags: checkInt("flags of a characteristic", flags, 0, ANY_INT) & FLAG_BITS,
    descriptors: listOf("descriptors", descriptors ?? []).map((each) => {
      const [type, bits] = fieldsOf("descriptor", each, ["uuid", "flags"], 2);
      return {
        uuid: checkUuid("descriptor", type, errors),
        flags: checkInt("flags of a descriptor", bits, 0, ANY_INT) & FLAG_BITS,
      };
    }),
  };
}

/** The fields of a tuple or of an object, in the order of `names`; of a tuple, those from `least` on may be left out. */
function fieldsOf(what: string, given: unknown, names: readonly string[], least: number): unknown[] {
  if (Array.isArray(given)) {
    if (given.length < least || given.length > names.length)
      throw new BleArgumentError("ValueError", `invalid ${what} tuple: expected ${names.join(", ")}, got ${given.length} items`);
    return given;
  }
  if (typeof given !== "object" || given === null)
    throw new BleArgumentError("TypeError", `${what}: expected a tuple or an object, got ${kindOf(given)}`);
  for (const name of Object.keys(given))
    if (!names.includes(name)) throw new BleArgumentError("TypeError", `${what}: unknown field "${name}": expected ${names.join(", ")}`);
  return names.map((name) => (given as Readonly<Record<string, unknown>>)[name]);
}

function listOf(what: string, given: unknown): readonly unknown[] {
  if (!Array.isArray(given)) throw new BleArgumentError("TypeError", `${what}: expected an array, got ${kindOf(given)}`);
  return given as readonly unknown[];
}

function checkUuid(what: string, uuid: unknown, errors: OsErrors): UUID {
  if (!(uuid instanceof UUID)) throw new BleArgumentError("ValueError", `invalid ${what} UUID: expected a UUID, got ${kindOf(uuid)}`);
  if (uuid.size === 4) throw errors.create("EINVAL", `invalid ${what} UUID: ${uuid} has 32 bits, which an attribute cannot have`);
  return uuid;
}

/** Properties that flags stand for. An Extended Properties descriptor is made for AuxWrite unless the program has one of its own. */
export function propertiesOf({ flags, descriptors }: ParsedCharacteristic): CharacteristicProperty[] {
  const properties = propertyNames(flags & PROPERTY_BITS);
  if ((flags & Flag.AuxWrite) === 0) return properties;
  const isListed = descriptors.some((descriptor) => isOfType(descriptor, GattUuid.CharacteristicExtendedProperties));
  return [...properties, isListed ? "extended-properties" : "writable-auxiliaries"];
}

/** The Client Characteristic Configuration that the host makes by itself. */
export function isOwnCccd(descriptor: ParsedDescriptor, { flags }: ParsedCharacteristic): boolean {
  return (flags & (Flag.Notify | Flag.Indicate)) !== 0 && isOfType(descriptor, GattUuid.ClientCharacteristicConfiguration);
}

function isOfType({ uuid }: ParsedDescriptor, type: number): boolean {
  return uuid.toUuid().short === type;
}

export const isReadable = (flags: number): boolean => (flags & Flag.Read) !== 0;
export const isWritable = (flags: number): boolean => (flags & (Flag.Write | Flag.WriteNoResponse)) !== 0;

/** What the link must have for reading; all that is asked for, and not the first of it. */
export function readAccess(flags: number): AccessRequirement {
  return requirement((flags & Flag.ReadEncrypted) !== 0, (flags & Flag.ReadAuthenticated) !== 0);
}

export function writeAccess(flags: number): AccessRequirement {
  return requirement((flags & Flag.WriteEncrypted) !== 0, (flags & Flag.WriteAuthenticated) !== 0);
}

function requirement(encrypted: boolean, authenticated: boolean): AccessRequirement {
  return { encrypted: encrypted || authenticated, authenticated };
}
