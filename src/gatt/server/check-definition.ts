import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOctets,
  checkOptions,
  checkText,
  kindOf,
  type OptionNames,
  optionNames,
} from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Uuid } from "../../core/uuid.ts";
import { type CharacteristicProperty, propertyBits } from "../properties.ts";
import { toRequirement } from "./access.ts";
import type {
  AttributePermissions,
  CharacteristicDefinition,
  DescriptorDefinition,
  IncludableService,
  LooseValueDefinition,
  ServiceDefinition,
} from "./definition.ts";

// A definition is written by hand, and what is mistyped in it would otherwise be a default: a characteristic that anybody may read, a handler
// that is never called.

const VALUE = {
  uuid: true,
  value: true,
  maxLength: true,
  fixedLength: true,
  permissions: true,
  readable: true,
  writable: true,
  anyWrite: true,
  read: true,
  readEachPart: true,
  write: true,
} as const;
const SERVICE = optionNames<ServiceDefinition>({
  uuid: true,
  primary: true,
  includes: true,
  characteristics: true,
  handle: true,
  endHandle: true,
});
const CHARACTERISTIC = optionNames<CharacteristicDefinition>({
  ...VALUE,
  properties: true,
  onSubscription: true,
  description: true,
  descriptors: true,
  descriptorsAsListed: true,
  handle: true,
  valueHandle: true,
});
const DESCRIPTOR = optionNames<DescriptorDefinition>({ ...VALUE, handle: true });
const LOOSE = optionNames<LooseValueDefinition>({ ...VALUE, properties: true });
const PERMISSIONS = optionNames<AttributePermissions>({ read: true, write: true, subscribe: true });

/** @throws {ArgumentError} a kind, a range or a name that a service definition cannot have; what it says is checked when it is built */
export function checkService(definition: ServiceDefinition): void {
  checkNames("service", definition, SERVICE);
  const what = `service ${Uuid.from(definition.uuid)}`;
  checkBoolean(`${what}: primary`, definition.primary);
  checkHandles(what, definition, ["endHandle"]); // its handle is checked when it is placed
  if (definition.includes !== undefined)
    for (const included of checkList<IncludableService>(`${what}: includes`, definition.includes)) {
      if (!((included as IncludableService | null | undefined)?.uuid instanceof Uuid))
        throw new ArgumentError(`${what}: expected an included service as addService gives it, got ${kindOf(included)}`);
      checkHandles(`${what}: included service`, included, ["includeHandle"]);
    }
  for (const characteristic of checkList<CharacteristicDefinition>(`${what}: characteristics`, definition.characteristics))
    checkCharacteristic(what, characteristic);
}

/** The names of a value without a service; the rest is checked when it has one. @throws {ArgumentError} */
export function checkLoose(definition: LooseValueDefinition): void {
  checkNames("value", definition, LOOSE);
}

function checkCharacteristic(service: string, definition: CharacteristicDefinition): void {
  checkNames(`${service}: characteristic`, definition, CHARACTERISTIC);
  const what = `${service}: characteristic ${Uuid.from(definition.uuid)}`;
  checkHandles(what, definition, ["handle", "valueHandle"]);
  checkBoolean(`${what}: descriptorsAsListed`, definition.descriptorsAsListed);
  checkProperties(what, definition.properties);
  checkValue(what, definition);
  checkFunction(`${what}: onSubscription`, definition.onSubscription);
  if (definition.description !== undefined) {
    const { length } = new TextEncoder().encode(checkText(`${what}: description`, definition.description));
    if (length > MAX_VALUE_LENGTH)
      throw new ArgumentError(`${what}: description: expected at most ${MAX_VALUE_LENGTH} octets of UTF-8, got ${length}`);
  }
  if (definition.descriptors === undefined) return;
  for (const descriptor of checkList<DescriptorDefinition>(`${what}: descriptors`, definition.descriptors)) {
    checkNames(`${what}: descriptor`, descriptor, DESCRIPTOR);
    const named = `${what}: descriptor ${Uuid.from(descriptor.uuid)}`;
    checkHandles(named, descriptor, ["handle"]);
    checkValue(named, descriptor);
  }
}

function checkProperties(what: string, properties: unknown): void {
  const words = checkList<CharacteristicProperty>(`${what}: properties`, properties);
  try {
    propertyBits(words);
  } catch (error) {
    throw error instanceof ArgumentError ? new ArgumentError(`${what}: ${error.message}`, { cause: error }) : error;
  }
}

function checkValue(what: string, definition: DescriptorDefinition | CharacteristicDefinition): void {
  const { value, maxLength, fixedLength, permissions, read, write } = definition;
  const longest = maxLength === undefined ? MAX_VALUE_LENGTH : checkInteger(`${what}: maxLength`, maxLength, 0, MAX_VALUE_LENGTH);
  if (value !== undefined) checkOctets(`${what}: value`, value, { maxLength: longest });
  checkBoolean(`${what}: fixedLength`, fixedLength);
  checkBoolean(`${what}: readable`, definition.readable);
  checkBoolean(`${what}: writable`, definition.writable);
  checkBoolean(`${what}: anyWrite`, definition.anyWrite);
  checkBoolean(`${what}: readEachPart`, definition.readEachPart);
  if (fixedLength && value === undefined) throw new ArgumentError(`${what}: fixedLength needs a value, whose length is kept`);
  checkFunction(`${what}: read`, read);
  checkFunction(`${what}: write`, write);
  if (permissions === undefined) return;
  checkOptions(`${what}: permissions`, permissions, PERMISSIONS);
  for (const [kind, access] of Object.entries(permissions)) toRequirement(access, `${what}: permission to ${kind}`);
}

/** Whether they fit each other is seen when the service is built. */
function checkHandles<K extends string>(what: string, at: { readonly [name in K]?: number | undefined }, names: readonly K[]): void {
  for (const name of names) if (at[name] !== undefined) checkInteger(`${what}: ${name}`, at[name], 0x0001, 0xffff);
}

function checkNames(what: string, definition: unknown, names: OptionNames): void {
  if (definition === undefined) throw new ArgumentError(`${what}: expected a definition, got undefined`);
  checkOptions(what, definition, names);
}

function checkList<T>(what: string, list: unknown): readonly T[] {
  if (!Array.isArray(list)) throw new ArgumentError(`${what}: expected an array, got ${kindOf(list)}`);
  return list as readonly T[];
}
