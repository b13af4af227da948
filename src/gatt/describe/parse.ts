import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import { fromHex, toHex } from "../../bytes/hex.ts";
import { checkBoolean, checkInteger, checkOptions, checkText, kindOf, type OptionNames, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Uuid } from "../../core/uuid.ts";
import { type CharacteristicProperty, checkProperty, propertyBits, propertyNames } from "../properties.ts";
import { toRequirement } from "../server/access.ts";
import type { AttributePermissions } from "../server/definition.ts";
import { GattUuid } from "../uuids.ts";
import type {
  CharacteristicDescription,
  DescriptorDescription,
  GattDescription,
  IncludeDescription,
  ServiceDescription,
  ValueDescription,
} from "./description.ts";
import { GattDescriptionError } from "./error.ts";

// A description comes from a file or a peer: nothing in it is believed before it was looked at, and the error says where it is wrong.

const VALUE = {
  uuid: true,
  value: true,
  maxLength: true,
  fixedLength: true,
  readable: true,
  writable: true,
  anyWrite: true,
  permissions: true,
  readError: true,
} as const;
const DATABASE = optionNames<GattDescription>({ services: true });
const SERVICE = optionNames<ServiceDescription>({
  uuid: true,
  handle: true,
  endHandle: true,
  primary: true,
  includes: true,
  characteristics: true,
});
const INCLUDE = optionNames<IncludeDescription>({ handle: true, service: true });
const CHARACTERISTIC = optionNames<CharacteristicDescription>({
  ...VALUE,
  handle: true,
  valueHandle: true,
  properties: true,
  descriptors: true,
});
const DESCRIPTOR = optionNames<DescriptorDescription>({ ...VALUE, handle: true });
const PERMISSIONS = optionNames<AttributePermissions>({ read: true, write: true, subscribe: true });
/** What a Client Characteristic Configuration may be said to have. */
const CONFIGURATION = optionNames<Pick<DescriptorDescription, "uuid" | "handle">>({ uuid: true, handle: true });

/** Types of declarations, which no descriptor can have (Vol 3 Part G 3.1 to 3.3). */
const DECLARATIONS: readonly number[] = [GattUuid.PrimaryService, GattUuid.SecondaryService, GattUuid.Include, GattUuid.Characteristic];

/**
 * Checks a description whole, and gives it in one form: lists there, UUIDs and octets in lower case, no value of another kind.
 *
 * @throws {GattDescriptionError} another kind or range, an unknown name, handles that overlap or are out of order, a service that is not there
 */
export function parseGattDescription(description: unknown): {
  readonly services: readonly (ServiceDescription & Required<Pick<ServiceDescription, "includes" | "characteristics">>)[];
} {
  const { services } = record<GattDescription>("", description, DATABASE);
  let next = 0x0001;
  const parsed = list("services", services).map((service, i) => {
    const one = parseService(`services[${i}]`, service, next);
    next = one.endHandle + 1;
    return one;
  });
  const handles = new Set(parsed.map(({ handle }) => handle));
  for (const [i, { includes }] of parsed.entries())
    for (const [j, { service }] of includes.entries())
      if (!handles.has(service)) refuse(`services[${i}].includes[${j}].service`, `no service begins at handle ${service}`);
  return { services: parsed };
}

function parseService(path: string, value: unknown, from: number) {
  const service = record<ServiceDescription>(path, value, SERVICE);
  const handle = handleAt(`${path}.handle`, service.handle, from, 0xffff, "behind the service before it");
  const endHandle = handleAt(`${path}.endHandle`, service.endHandle, handle, 0xffff, "from its own handle on");
  checked(`${path}.primary`, (what) => checkBoolean(what, service.primary));
  const taken = new Set<number>();
  const includes = list(`${path}.includes`, service.includes ?? []).map((each, i): IncludeDescription => {
    const at = `${path}.includes[${i}]`;
    const include = record<IncludeDescription>(at, each, INCLUDE);
    const parsed = {
      handle: handleAt(`${at}.handle`, include.handle, handle + 1, endHandle, "in its service"),
      service: handleAt(`${at}.service`, include.service, 0x0001, 0xffff, "a handle"),
    };
    if (taken.has(parsed.handle)) refuse(`${at}.handle`, `handle ${parsed.handle} is taken`);
    taken.add(parsed.handle);
    return parsed;
  });
  const cursor: Cursor = { next: handle + 1, endHandle, taken };
  const characteristics = list(`${path}.characteristics`, service.characteristics ?? []).map((each, i) =>
    parseCharacteristic(`${path}.characteristics[${i}]`, each, cursor),
  );
  const primary = service.primary ?? true;
  return { uuid: uuidAt(`${path}.uuid`, service.uuid).text, handle, endHandle, primary, includes, characteristics };
}

/** Where the next attribute of a service may be. */
interface Cursor {
  next: number;
  readonly endHandle: number;
  readonly taken: ReadonlySet<number>;
}

function take(path: string, value: unknown, cursor: Cursor): number {
  const handle = handleAt(path, value, cursor.next, cursor.endHandle, "behind what comes before it and in its service");
  if (cursor.taken.has(handle)) refuse(path, `handle ${handle} is taken`);
  cursor.next = handle + 1;
  return handle;
}

function parseCharacteristic(path: string, value: unknown, cursor: Cursor): CharacteristicDescription {
  const characteristic = record<CharacteristicDescription>(path, value, CHARACTERISTIC);
  const handle = take(`${path}.handle`, characteristic.handle, cursor);
  const valueHandle = take(`${path}.valueHandle`, characteristic.valueHandle, cursor);
  const words = list(`${path}.properties`, characteristic.properties).map((word, i) =>
    checked(`${path}.properties[${i}]`, () => checkProperty(word as CharacteristicProperty)),
  );
  const bits = propertyBits(words);
  if (bits > 0xff)
    refuse(`${path}.properties`, "expected those of the declaration: the extended ones are the value of the descriptor 0x2900");
  const properties = propertyNames(bits); // each once, in the order of the bits
  const isSubscribable = properties.includes("notify") || properties.includes("indicate");
  let hasConfiguration = false;
  const descriptors = list(`${path}.descriptors`, characteristic.descriptors ?? []).map((each, i): DescriptorDescription => {
    const at = `${path}.descriptors[${i}]`;
    const descriptor = record<DescriptorDescription>(at, each, DESCRIPTOR);
    const parsed = { ...parseValue(at, descriptor), handle: take(`${at}.handle`, descriptor.handle, cursor) };
    const { short } = Uuid.from(parsed.uuid);
    if (DECLARATIONS.includes(short ?? 0)) refuse(`${at}.uuid`, `${parsed.uuid} is the type of a declaration, and not of a descriptor`);
    if (short !== GattUuid.ClientCharacteristicConfiguration || !isSubscribable || hasConfiguration) return parsed;
    hasConfiguration = true;
    checked(at, (what) => checkOptions(`${what}: the configuration that each client has for itself`, descriptor, CONFIGURATION));
    return parsed;
  });
  return { ...parseValue(path, characteristic), handle, valueHandle, properties, descriptors };
}

function parseValue(path: string, description: ValueDescription): ValueDescription {
  const { value, maxLength, fixedLength, readable, writable, anyWrite, permissions, readError } = description;
  const longest =
    maxLength === undefined ? MAX_VALUE_LENGTH : checked(`${path}.maxLength`, (what) => checkInteger(what, maxLength, 0, MAX_VALUE_LENGTH));
  for (const [name, flag] of Object.entries({ fixedLength, readable, writable, anyWrite }))
    checked(`${path}.${name}`, (what) => checkBoolean(what, flag));
  if (readError !== undefined) checked(`${path}.readError`, (what) => checkInteger(what, readError, 0x01, 0xff));
  if (readError !== undefined && value !== undefined) refuse(`${path}.readError`, "expected no value beside it");
  if (fixedLength && value === undefined) refuse(`${path}.fixedLength`, "needs a value, whose length is kept");
  const octets = value === undefined ? undefined : checked(`${path}.value`, (what) => fromHex(checkText(what, value)));
  if (octets && octets.length > longest) refuse(`${path}.value`, `${octets.length} octets, expected at most ${longest}`);
  return {
    uuid: uuidAt(`${path}.uuid`, description.uuid).text,
    ...(octets && { value: toHex(octets) }),
    ...(maxLength !== undefined && { maxLength }),
    ...(fixedLength !== undefined && { fixedLength }),
    ...(readable !== undefined && { readable }),
    ...(writable !== undefined && { writable }),
    ...(anyWrite !== undefined && { anyWrite }),
    ...(permissions !== undefined && { permissions: parsePermissions(`${path}.permissions`, permissions) }),
    ...(readError !== undefined && { readError }),
  };
}

function parsePermissions(path: string, value: unknown): AttributePermissions {
  const permissions = record<AttributePermissions>(path, value, PERMISSIONS);
  for (const [kind, access] of Object.entries(permissions))
    checked(`${path}.${kind}`, (what) => toRequirement((access ?? null) as typeof permissions.read, what));
  return permissions;
}

function handleAt(path: string, value: unknown, min: number, max: number, where: string): number {
  const handle = checked(path, (what) => checkInteger(what, value, 0x0001, 0xffff));
  if (handle < min || handle > max) refuse(path, `handle ${handle}: expected ${min} to ${max}, ${where}`);
  return handle;
}

function uuidAt(path: string, value: unknown): Uuid {
  return checked(path, (what) => Uuid.from(checkText(what, value)));
}

function record<T>(path: string, value: unknown, names: OptionNames): T {
  if (value === undefined) refuse(path, "expected an object, got undefined");
  checked(path, (what) => checkOptions(what, value, names));
  return value as T;
}

function list(path: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) refuse(path, `expected an array, got ${kindOf(value)}`);
  return value as unknown[];
}

function refuse(path: string, problem: string): never {
  throw new GattDescriptionError(path, problem);
}

/** What a check of arguments finds is a fault of the description, at this place. */
function checked<T>(path: string, check: (what: string) => T): T {
  try {
    return check("");
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new GattDescriptionError(path, error.message.replace(/^: /, ""), { cause: error });
  }
}
