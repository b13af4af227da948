import { fromHex } from "jelling/bytes";
import { ArgumentError, Uuid } from "jelling/core";
import {
  AddressType,
  AdType,
  AdvertisingMode,
  type AnyField,
  commands,
  DebugKeysMode,
  DiscoverableMode,
  DiscoveryAddressTypes,
  DiscoveryTypes,
  ExperimentalFeature,
  ExternalConfiguration,
  type FieldDescription,
  type Fields,
  IoCapability,
  NameKnown,
  type Names,
  OnOff,
  PrivacyMode,
  SecureConnectionsMode,
  SystemConfiguration,
} from "jelling/mgmt";
import { UsageError } from "../../errors.ts";
import { quoted } from "../../text.ts";

export interface ParseOptions {
  /** Takes numbers that have no name, too. */
  readonly unchecked?: boolean | undefined;
}

/** Enumerations whose 0 is an off and whose 1 is an on, so that these words are understood. */
const SWITCHES: ReadonlySet<Names> = new Set<Names>([
  OnOff,
  DiscoverableMode,
  AdvertisingMode,
  SecureConnectionsMode,
  PrivacyMode,
  DebugKeysMode,
  NameKnown,
  ExternalConfiguration,
]);
const SWITCH_WORDS: Readonly<Record<string, number>> = { on: 1, yes: 1, true: 1, off: 0, no: 0, false: 0 };
/** Lists that grow with the assigned numbers: a number without a name is as good as one with. */
const OPEN: ReadonlySet<Names> = new Set<Names>([AdType]);
/** Long names that may be cut, as long as only one begins so. */
const LONG: ReadonlySet<Names> = new Set<Names>([IoCapability]);
/** The one field that takes the names of experimental features. */
const FEATURE = commands.setExperimentalFeature.parameters.fields.uuid.description;
/** What may stand behind an address, or in `--type`. */
const ADDRESS_TYPES: Readonly<Record<string, number>> = {
  bredr: AddressType.BREDR,
  "br/edr": AddressType.BREDR,
  public: AddressType.LEPublic,
  lepublic: AddressType.LEPublic,
  random: AddressType.LERandom,
  lerandom: AddressType.LERandom,
};
/** Sets of discovery address types that the kernel takes. */
const DISCOVERIES: Readonly<Record<string, number>> = {
  le: DiscoveryTypes.LE,
  bredr: DiscoveryTypes.BREDR,
  all: DiscoveryTypes.Interleaved,
};
const WIDTHS: Readonly<Record<string, readonly [least: bigint, most: bigint]>> = {
  u8: [0n, 0xffn],
  i8: [-128n, 127n],
  u16: [0n, 0xffffn],
  u24: [0n, 0xff_ffffn],
  u32: [0n, 0xffff_ffffn],
  u64: [0n, 0xffff_ffff_ffff_ffffn],
};

const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9.]/g, "");

/** Why a value is refused. What may be a key or a passkey is not repeated. */
function refuse(name: string, description: FieldDescription, given: string, expected = expectation(description)): never {
  throw new UsageError(`${name}${description.secret ? "" : `: ${quoted(given)}`}: expected ${expected}`);
}

/**
 * The value that a text on the command line stands for, by what the field says of itself.
 *
 * @param name what the user calls the field, for messages
 * @throws {UsageError} it is none; the message says what was expected
 */
export function parseText(name: string, description: FieldDescription, text: string, options: ParseOptions = {}): unknown {
  const { type, enumeration, bits } = description;
  if (type === "list") return parseList(name, description, text, options);
  if (type === "struct" || type === "tlv16") return parseStructure(name, description, text, options);
  if (type === "cstring") return text;
  if (type === "bdaddr") return addressIn(name, description, text);
  if (type === "uuid128") return uuidIn(name, description, text);
  if (type === "bytes" || type === "eir") return octetsIn(name, description, text);
  if (enumeration) return enumeratedIn(name, description, enumeration, text, options);
  if (bits) return bitsIn(name, description, bits, text, options);
  return numberIn(name, description, text);
}

/** As `parseText`, for a value that came as JSON: a text in it is read as one on the command line. @throws {UsageError} */
export function parseJson(name: string, description: FieldDescription, value: unknown, options: ParseOptions = {}): unknown {
  if (typeof value === "string") return parseText(name, description, value, options);
  if (typeof value === "number" || typeof value === "boolean") {
    if (["list", "struct", "tlv16", "bytes", "eir", "bdaddr", "uuid128", "cstring"].includes(description.type))
      return refuse(name, description, String(value));
    return parseText(name, description, String(value), options);
  }
  if (Array.isArray(value)) {
    if (description.bits) return bitsIn(name, description, description.bits, value.join(","), options);
    if (description.type !== "list") return refuse(name, description, "a list");
    return value.map((entry, i) => parseJson(`${name}[${i}]`, description.of!.description, entry, options));
  }
  if (typeof value !== "object" || value === null) return refuse(name, description, String(value));
  if (description.type === "tlv16") return tlvIn(name, description, value as Record<string, unknown>);
  if (!description.fields) return refuse(name, description, "an object");
  return parseObject(`${name}.`, description.fields, value as Record<string, unknown>, options);
}

/** Every field that is given, by its name; nothing is checked for absence, which encoding does. @throws {UsageError} */
export function parseObject(
  path: string,
  fields: Fields,
  given: Readonly<Record<string, unknown>>,
  options: ParseOptions = {},
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(withAddressType(fields, given))) {
    const [name, field] = fieldNamed(path, fields, key);
    values[name] = parseJson(path + name, field.description, value, options);
  }
  return values;
}

/** "C0:…:01/random" is two fields where there are two. */
function withAddressType(fields: Fields, given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { address } = given;
  if (!fields.addressType || typeof address !== "string" || !address.includes("/")) return given;
  const [octets, ...type] = address.split("/");
  return { ...given, address: octets, addressType: type.join("/") };
}

/** The field of that name, in any case, blanks and underlines left out. @throws {UsageError} there is none */
export function fieldNamed(path: string, fields: Fields, name: string): [name: string, field: AnyField] {
  const given = givenFields(fields);
  const found = given.find(([candidate]) => plain(candidate) === plain(name));
  if (found) return found;
  const names = given.map(([candidate]) => candidate).join(", ");
  const where = path.replace(/\.$/, "");
  throw new UsageError(`${where} has no parameter ${quoted(name)}: ${names ? `expected ${names}` : "it has none"}`);
}

/** Fields that are given and not computed. */
export function givenFields(fields: Fields): [name: string, field: AnyField][] {
  return Object.entries(fields).filter(([, { description }]) => description.countOf === undefined && description.lengthOf === undefined);
}

function enumeratedIn(name: string, description: FieldDescription, names: Names, text: string, { unchecked }: ParseOptions): number {
  const word = plain(text);
  const named = valueNamed(names, word);
  if (named !== undefined) return named;
  if (SWITCHES.has(names) && word in SWITCH_WORDS) return SWITCH_WORDS[word]!;
  if (names === AddressType && text.toLowerCase() in ADDRESS_TYPES) return ADDRESS_TYPES[text.toLowerCase()]!;
  const value = wholeIn(text);
  if (value === undefined || !fits(description, value)) return refuse(name, description, text);
  const number = Number(value);
  if (!unchecked && !OPEN.has(names) && !Object.values(names).includes(number)) return refuse(name, description, text);
  return number;
}

function valueNamed(names: Names, word: string): number | undefined {
  const exact = Object.entries(names).find(([candidate]) => plain(candidate) === word);
  if (exact || !LONG.has(names)) return exact?.[1];
  const beginning = Object.entries(names).filter(([candidate]) => plain(candidate).startsWith(word));
  return beginning.length === 1 ? beginning[0]![1] : undefined;
}

function bitsIn(name: string, description: FieldDescription, names: Names, text: string, { unchecked }: ParseOptions): number {
  let set = 0;
  for (const part of text.split(/[\s,|+]+/).filter(Boolean)) {
    if (plain(part) === "none") continue;
    const bit = Object.entries(names).find(([candidate]) => plain(candidate) === plain(part))?.[1];
    const several = names === DiscoveryAddressTypes ? DISCOVERIES[plain(part)] : undefined;
    const mask = several !== undefined ? BigInt(several) : bit === undefined ? wholeIn(part) : 1n << BigInt(bit);
    if (mask === undefined || !fits(description, mask)) return refuse(name, description, part);
    const known = Object.values(names).reduce((sum, number) => sum | (1n << BigInt(number)), 0n);
    if (!unchecked && (mask & ~known) !== 0n) return refuse(name, description, part);
    set = Number(BigInt(set) | mask);
  }
  return set;
}

function wholeIn(text: string): bigint | undefined {
  const match = /^\s*([+-]?)(0x[0-9a-f]+|0b[01]+|0o[0-7]+|\d+)\s*$/i.exec(text);
  if (!match) return undefined;
  const value = BigInt(match[2]!.toLowerCase());
  return match[1] === "-" ? -value : value;
}

function fits({ type }: FieldDescription, value: bigint): boolean {
  const [least, most] = WIDTHS[type]!;
  return value >= least && value <= most;
}

/** A number in any base; where the field has a unit of time, a time as well. */
function numberIn(name: string, description: FieldDescription, text: string): number | bigint {
  const value = wholeIn(text) ?? unitsIn(name, description, text);
  if (value === undefined || !fits(description, value)) return refuse(name, description, text);
  return description.type === "u64" ? value : Number(value);
}

/** Milliseconds of a field's unit, where it is one of time. */
export function unitMs({ unit }: FieldDescription): number | undefined {
  const match = /^(?:([\d.]+) )?(ms|s)$/.exec(unit ?? "");
  return match ? Number(match[1] ?? 1) * (match[2] === "s" ? 1000 : 1) : undefined;
}

function unitsIn(name: string, description: FieldDescription, text: string): bigint | undefined {
  const unit = unitMs(description);
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min)$/.exec(text.trim());
  if (unit === undefined || !match) return undefined;
  const ms = Number(match[1]) * { ms: 1, s: 1000, min: 60_000 }[match[2] as "ms" | "s" | "min"];
  const units = Math.round(ms / unit);
  if (Math.abs(units * unit - ms) > 1e-6)
    throw new UsageError(`${name}: ${quoted(text)}: expected a multiple of ${description.unit}, the nearest is ${units * unit}ms`);
  return BigInt(units);
}

const ADDRESS = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i;

function addressIn(name: string, description: FieldDescription, text: string): string {
  const address = text.trim();
  return ADDRESS.test(address) ? address.toUpperCase() : refuse(name, description, text);
}

/** "C0:11:22:33:44:55/random". @throws {UsageError} not an address, or nothing tells what kind it is */
export function deviceIn(text: string, type?: string, usual?: number): { address: string; addressType: number } {
  const [octets = "", ...rest] = text.split("/");
  const suffix = rest.length > 0 ? rest.join("/") : type;
  if (!ADDRESS.test(octets))
    throw new UsageError(`device address ${quoted(text)}: expected six octets like C0:11:22:33:44:55, then /random, /public or /bredr`);
  if (rest.length > 0 && type !== undefined && addressTypeIn(rest.join("/")) !== addressTypeIn(type))
    throw new UsageError(`device address ${quoted(text)}: --type ${type} says another kind of address`);
  const addressType = suffix === undefined ? usual : addressTypeIn(suffix);
  if (addressType === undefined)
    throw new UsageError(
      `device address ${quoted(text)}: which kind of address is it? write ${octets}/random or ${octets}/public for LE, ${octets}/bredr for BR/EDR`,
    );
  return { address: octets.toUpperCase(), addressType };
}

function addressTypeIn(text: string): number {
  const byName = ADDRESS_TYPES[text.toLowerCase().replace(/^le[- ]/, "")];
  if (byName !== undefined) return byName;
  if (/^[012]$/.test(text)) return Number(text);
  throw new UsageError(`address type ${quoted(text)}: expected random, public or bredr`);
}

function uuidIn(name: string, description: FieldDescription, text: string): Uuid {
  const feature =
    description === FEATURE ? Object.entries(ExperimentalFeature).find(([candidate]) => plain(candidate) === plain(text))?.[1] : undefined;
  try {
    return Uuid.from(feature?.uuid ?? text);
  } catch (error) {
    if (error instanceof ArgumentError) return refuse(name, description, text);
    throw error;
  }
}

/** Hexadecimal digits; "text:" before a text. A PIN is a text by itself. */
function octetsIn(name: string, description: FieldDescription, text: string): Uint8Array {
  const form = /^(text|hex):(.*)$/s.exec(text);
  if (form?.[1] === "text" || (!form && isText(name))) return new TextEncoder().encode(form?.[2] ?? text);
  let octets: Uint8Array;
  try {
    octets = fromHex(form?.[2] ?? text);
  } catch (error) {
    if (error instanceof ArgumentError) return refuse(name, description, text);
    throw error;
  }
  if (description.count !== undefined && description.from === undefined && octets.length !== description.count)
    throw new UsageError(`${name}: ${octets.length} octets: expected ${description.count}`);
  return octets;
}

const isText = (name: string): boolean => name.endsWith("pinCode");

function parseList(name: string, description: FieldDescription, text: string, options: ParseOptions): unknown[] {
  if (/^\s*\[/.test(text)) return parseJson(name, description, jsonIn(name, description, text), options) as unknown[];
  const entry = description.of!.description;
  if (entry.fields?.address && text.trim() !== "") return refuse(name, description, text);
  return text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part, i) => parseText(`${name}[${i}]`, entry, part, options));
}

/** JSON, or values with colons between them, in the order of the fields. */
function parseStructure(name: string, description: FieldDescription, text: string, options: ParseOptions): unknown {
  if (/^\s*\{/.test(text)) return parseJson(name, description, jsonIn(name, description, text), options);
  if (description.type === "tlv16") return tlvText(name, description, text);
  const given = givenFields(description.fields!);
  const parts = text.split(":");
  if (parts.length !== given.length) return refuse(name, description, text);
  return Object.fromEntries(
    given.map(([field, of], i) => [field, parseText(`${name}.${field}`, of.description, parts[i]!, options)] as const),
  );
}

function jsonIn(name: string, description: FieldDescription, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return refuse(name, description, text); // not JSON: the sentence says what would be
  }
}

/** "TYPE:LENGTH:HEX" in hexadecimal as btmgmt takes it, "TYPE:HEX", or "NAME=NUMBER". */
function tlvText(name: string, description: FieldDescription, text: string): { type: number; value: Uint8Array } {
  const named = /^([A-Za-z]+)\s*[=:]\s*(.+)$/.exec(text);
  if (named) return configured(name, description, named[1]!, named[2]!);
  const parts = text.split(":");
  const [type, last] = [parts[0] ?? "", parts.at(-1) ?? ""];
  if (parts.length < 2 || parts.length > 3 || !/^(0x)?[0-9a-f]{1,4}$/i.test(type)) return refuse(name, description, text);
  const value = octetsIn(name, description, last);
  if (parts.length === 3 && Number.parseInt(parts[1]!, 16) !== value.length)
    throw new UsageError(`${name}: ${quoted(text)}: the length says ${parts[1]} octets, there are ${value.length}`);
  return { type: Number.parseInt(type, 16), value };
}

function configured(name: string, description: FieldDescription, key: string, text: string): { type: number; value: Uint8Array } {
  const entry = Object.entries(SystemConfiguration).find(([candidate]) => plain(candidate) === plain(key))?.[1];
  if (!entry)
    throw new UsageError(
      `${name}: ${quoted(key)}: expected one of ${Object.keys(SystemConfiguration).join(", ")}, or a type in hexadecimal`,
    );
  const octets = entry.octets ?? 2;
  const value = wholeIn(text);
  if (value === undefined || !fits({ type: octets === 1 ? "u8" : "u16" }, value)) return refuse(key, description, text, "a whole number");
  const number = Number(value);
  return { type: entry.type, value: octets === 1 ? Uint8Array.of(number) : Uint8Array.of(number & 0xff, number >> 8) };
}

function tlvIn(name: string, description: FieldDescription, { type, value }: Record<string, unknown>): unknown {
  if (typeof type === "number" && typeof value === "string") return { type, value: octetsIn(name, description, value) };
  if (typeof type === "string") return tlvText(name, description, `${type}:${String(value)}`);
  return refuse(name, description, "an object without type and value");
}

/** What a field takes, in words: "a whole number from 4 to 16384, in units of 0.625 ms (or a time like 20ms)". */
export function expectation(description: FieldDescription): string {
  const { type, enumeration, bits, count, of, fields, range, from } = description;
  if (enumeration) return enumerationText(enumeration);
  if (bits) {
    const short = bits === DiscoveryAddressTypes ? "le, bredr, all, or " : "";
    return `${short}a list of ${Object.keys(bits).join(", ")}, or a number`;
  }
  switch (type) {
    case "bdaddr":
      return "six octets like C0:11:22:33:44:55";
    case "uuid128":
      return `a UUID of 4, 8 or 32 hexadecimal digits${description === FEATURE ? `, or ${Object.keys(ExperimentalFeature).join(", ")}` : ""}`;
    case "bytes":
    case "eir":
      return `${count === undefined ? "" : `${from === undefined ? "" : "up to "}${count} octets, `}pairs of hexadecimal digits, or text:TEXT`;
    case "cstring":
      return `a text of up to ${count! - 1} octets of UTF-8`;
    case "tlv16":
      return "TYPE:LENGTH:VALUE in hexadecimal, or NAME=NUMBER";
    case "list":
      return `a list of ${of!.description.fields ? `entries as JSON: [${structureText(of!.description.fields)}, …]` : `${expectation(of!.description)}, with commas between them`}`;
    case "struct":
      return structureText(fields!);
    default:
      return numberText(description, range ?? (WIDTHS[type] as readonly [bigint, bigint]));
  }
}

function numberText(description: FieldDescription, [least, most]: readonly [number | bigint, number | bigint]): string {
  const ms = unitMs(description);
  const { unit } = description;
  const example = ms === undefined ? "" : ` (or a time like ${ms < 1000 ? `${ms * 32}ms` : "30s"})`;
  return `a whole number from ${least} to ${most}${unit === undefined ? "" : `, in units of ${unit}`}${example}`;
}

function enumerationText(names: Names): string {
  const kinds = Object.keys(names);
  const words = SWITCHES.has(names) ? " (also on, off, yes, no, true, false)" : "";
  const shown = kinds.length > 16 ? `${kinds.slice(0, 8).join(", ")}, … (${kinds.length} names), or their number` : kinds.join(", ");
  return `${kinds.length > 16 ? "" : "one of "}${shown}${words}`;
}

function structureText(fields: Fields): string {
  return `{${givenFields(fields)
    .map(([name]) => `"${name}": …`)
    .join(", ")}}`;
}
