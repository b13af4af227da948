import { Reader, Writer } from "../bytes/index.ts";
import { addressText } from "../core/address.ts";
import { Address, ArgumentError, checkOctets, kindOf, Uuid, type UuidLike } from "../core/index.ts";

/** Names with their numbers; a peer may send any other number. */
export type Names = Readonly<Record<string, number>>;

/** What a field says of itself, so that command lines, tables and redaction can walk a declaration. */
export interface FieldDescription {
  /** The wire form in the words of the protocol description. */
  readonly type:
    | "u8"
    | "i8"
    | "u16"
    | "u24"
    | "u32"
    | "u64"
    | "bdaddr"
    | "uuid128"
    | "bytes"
    | "cstring"
    | "eir"
    | "tlv16"
    | "list"
    | "struct";
  /** Names of an enumeration's values. */
  readonly enumeration?: Names;
  /** Names of a bit set's bit numbers. */
  readonly bits?: Names;
  /** Octets of a fixed size. */
  readonly count?: number;
  /** This field is the number of entries, or of octets, of the field named; it is computed and not given by the caller. */
  readonly countOf?: string;
  readonly lengthOf?: string;
  /** The earlier field that says how many entries or octets there are; with `count`, how many octets of the slot are used. */
  readonly from?: string;
  /** Everything to the end of the packet. */
  readonly remaining?: boolean;
  /** Entries of a list, or the fields of a structure. */
  readonly of?: AnyField;
  readonly fields?: Fields;
  /** Present only when the packet is long enough. */
  readonly optional?: boolean;
  /** Taken when the caller leaves it out. */
  readonly fallback?: unknown;
  /** A key, a passkey, or what a key is made of. */
  readonly secret?: boolean;
  readonly unit?: string;
  /** Inclusive limits that the kernel or the description states. */
  readonly range?: readonly [least: number, most: number];
  /** The value that means "not known". */
  readonly invalid?: number;
  /** A value outside of the range that a command takes all the same. */
  readonly also?: number;
  /** The field counts only where this bit of the set of bits `field` is on; otherwise any value will do. */
  readonly countsWith?: { readonly field: string; readonly bit: string };
  readonly note?: string;
}

/** What fields know of the ones before them in the same structure. */
export interface Scope {
  readonly derived: Record<string, number>;
  /** Where secret fields were, as [start, end) offsets of the packet. */
  readonly secrets: (readonly [start: number, end: number])[];
}

/** One field of a packet: its wire form both ways. `In` is wider than `Out`: names are taken where numbers are given. */
export interface Field<Out, In = Out> {
  readonly description: FieldDescription;
  decode(reader: Reader, scope: Scope): Out;
  encode(writer: Writer, value: In): void;
  /** How many entries or octets a value has, for the field that says so. */
  measure?(value: In): number;
}
export type AnyField = Field<unknown, never>;
export type Fields = Readonly<Record<string, AnyField>>;

export interface Derived {
  readonly derived: true;
}
export interface Optional {
  readonly optional: true;
}
export interface Defaulted {
  readonly defaulted: true;
}

type OutOf<F> = F extends Field<infer Out, never> ? Out : never;
type InOf<F> = F extends { encode(writer: Writer, value: infer In): void } ? In : never;
type Flat<T> = { [K in keyof T]: T[K] };

/** The values of a packet's fields as they are decoded. Counts and lengths are left out. */
export type Decoded<F extends Fields> = Flat<
  { [K in keyof F as F[K] extends Derived | Optional ? never : K]: OutOf<F[K]> } & {
    [K in keyof F as F[K] extends Optional ? K : never]?: OutOf<F[K]>;
  }
>;
/** The values of a packet's fields as they are given. Those with a fallback may be left out. */
export type Given<F extends Fields> = Flat<
  { readonly [K in keyof F as F[K] extends Derived | Optional | Defaulted ? never : K]: InOf<F[K]> } & {
    readonly [K in keyof F as F[K] extends Derived ? never : F[K] extends Optional | Defaulted ? K : never]?: InOf<F[K]> | undefined;
  }
>;

// Each with a function of its own: a method looked up by its name took as long as all else that reading a number takes.
const wire = (kind: "u8" | "i8" | "u16" | "u24" | "u32", decode: (reader: Reader) => number): Field<number> => ({
  description: { type: kind },
  decode,
  encode: (writer, value) => {
    if (typeof value !== "number") throw new ArgumentError(`expected a number, got ${kindOf(value)}`);
    writer[kind](value);
  },
});
export const u8 = wire("u8", (reader) => reader.u8());
export const i8 = wire("i8", (reader) => reader.i8());
export const u16 = wire("u16", (reader) => reader.u16());
export const u24 = wire("u24", (reader) => reader.u24());
export const u32 = wire("u32", (reader) => reader.u32());
export const u64: Field<bigint> = {
  description: { type: "u64" },
  decode: (reader) => reader.u64(),
  encode: (writer, value) => {
    if (typeof value !== "bigint") throw new ArgumentError(`expected a bigint, got ${kindOf(value)}`);
    writer.u64(value);
  },
};

/** A number that has names. Decodes to the number, whatever it is; takes a name as well. */
export function enumerated<const N extends Names>(base: Field<number>, names: N): Field<number, number | Extract<keyof N, string>> {
  return {
    description: { ...base.description, enumeration: names },
    decode: base.decode,
    encode: (writer, value) => base.encode(writer, typeof value === "number" ? value : numberOf(names, value)),
  };
}

/** 0 or 1; takes a boolean as well. Decodes to the number, since a peer may send another. */
export function onOff(names: Names): Field<number, number | boolean | "Off" | "On"> {
  const base = enumerated(u8, names);
  return {
    description: base.description,
    decode: base.decode,
    encode: (writer, value) => base.encode(writer, typeof value === "boolean" ? Number(value) : value),
  };
}

function numberOf(names: Names, name: unknown): number {
  if (typeof name !== "string") throw new ArgumentError(`${kindOf(name)}: expected a number, or one of ${Object.keys(names).join(", ")}`);
  const value = Object.hasOwn(names, name) ? names[name] : undefined;
  if (value === undefined) throw new ArgumentError(`"${name}": expected a number, or one of ${Object.keys(names).join(", ")}`);
  return value;
}

/** Names of bits set in a number. Decodes to the number, unknown bits included; takes a list of names as well. */
export function bits<const N extends Names>(base: Field<number>, names: N): Field<number, number | readonly Extract<keyof N, string>[]> {
  return {
    description: { ...base.description, bits: names },
    decode: base.decode,
    encode: (writer, value) => base.encode(writer, typeof value === "number" ? value : bitsOf(names, value)),
  };
}

/** The number in which the bits of these names are set. @throws {ArgumentError} a name that no bit has */
export function bitsOf(names: Names, set: readonly string[]): number {
  if (!Array.isArray(set)) throw new ArgumentError(`${kindOf(set)}: expected a number, or a list of ${Object.keys(names).join(", ")}`);
  let value = 0;
  for (const name of set) value |= 1 << numberOf(names, name);
  return value >>> 0;
}

/** A device address as text, most significant octet first: "C0:11:22:33:44:55". What kind of address it is says a field of its own. */
export const bdaddr: Field<string, string | Address> = {
  description: { type: "bdaddr" },
  decode: (reader) => addressText(reader.bytes, reader.skip(6)), // there is one in most events: worth not making an Address of it
  encode: (writer, value) => {
    if (typeof value !== "string" && !(value instanceof Address))
      throw new ArgumentError(`expected an address like "C0:11:22:33:44:55", got ${kindOf(value)}`);
    writer.bytes(Address.from(value).bytes);
  },
};

/** 128 bits, little-endian on the wire. */
export const uuid128: Field<Uuid, UuidLike> = {
  description: { type: "uuid128" },
  decode: (reader) => Uuid.fromBytes(reader.take(16)),
  encode: (writer, value) => {
    if (typeof value !== "string" && typeof value !== "number" && !(value instanceof Uuid))
      throw new ArgumentError(`expected a UUID like "180d", got ${kindOf(value)}`);
    writer.bytes(Uuid.from(value).bytes128);
  },
};

function checkLength(value: Uint8Array, least: number, most: number): void {
  if (!(value instanceof Uint8Array)) throw new ArgumentError(`expected a Uint8Array, got ${kindOf(value)}`);
  if (value.length >= least && value.length <= most) return;
  throw new ArgumentError(`${value.length} octets: expected ${least === most ? least : `at most ${most}`}`);
}

function octetCount(value: Uint8Array): number {
  return checkOctets("octets", value).length;
}

/** A fixed number of octets. */
export function octets(count: number): Field<Uint8Array> {
  return {
    description: { type: "bytes", count },
    decode: (reader) => reader.take(count),
    encode: (writer, value) => {
      checkLength(value, count, count);
      writer.bytes(value);
    },
    measure: (value) => value.length,
  };
}

/** As many octets as the earlier field `from` says. */
export function octetsFrom(from: string): Field<Uint8Array> {
  return {
    description: { type: "bytes", from },
    decode: (reader, scope) => reader.take(scope.derived[from]!),
    encode: (writer, value) => writer.bytes(value),
    measure: octetCount,
  };
}

/** A slot of `count` octets of which the earlier field `from` says how many are used; zeros follow. */
export function slot(count: number, from: string): Field<Uint8Array> {
  return {
    description: { type: "bytes", count, from },
    decode: (reader, scope) => {
      const used = scope.derived[from]!;
      if (used > count) reader.fail(`${from} says ${used} octets, the field has ${count}`);
      return reader.take(count).slice(0, used);
    },
    encode: (writer, value) => {
      checkLength(value, 0, count);
      writer.bytes(value);
      writer.bytes(new Uint8Array(count - value.length));
    },
    measure: octetCount,
  };
}

/** Whatever octets remain. */
export const restOctets: Field<Uint8Array> = {
  description: { type: "bytes", remaining: true },
  decode: (reader) => reader.rest(),
  encode: (writer, value) => {
    octetCount(value);
    writer.bytes(value);
  },
  measure: octetCount,
};

/** AD structures back to back, as many octets as the earlier field `from` says. Not looked into: advertising data comes from strangers. */
export function eir(from: string): Field<Uint8Array> {
  return { ...octetsFrom(from), description: { type: "eir", from } };
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** UTF-8 text in a slot of `count` octets, of which the last stays 0. Ends at the first NUL. */
export function cstring(count: number): Field<string> {
  return {
    description: { type: "cstring", count },
    decode: (reader) => {
      const slotOctets = reader.take(count);
      const end = slotOctets.indexOf(0);
      return fromUtf8.decode(end < 0 ? slotOctets : slotOctets.subarray(0, end));
    },
    encode: (writer, value) => {
      if (typeof value !== "string") throw new ArgumentError(`expected a string, got ${kindOf(value)}`);
      const text = utf8.encode(value);
      if (text.includes(0)) throw new ArgumentError("a NUL inside the text");
      if (text.length >= count) throw new ArgumentError(`text of ${text.length} octets: expected at most ${count - 1}`);
      writer.bytes(text);
      writer.bytes(new Uint8Array(count - text.length));
    },
  };
}

/** The number of entries of the field `of`; computed when encoding. */
export function countOf(base: Field<number>, of: string): Field<number> & Derived {
  return { ...base, description: { ...base.description, countOf: of }, derived: true };
}

/** The number of octets of the field `of`; computed when encoding. */
export function lengthOf(base: Field<number>, of: string): Field<number> & Derived {
  return { ...base, description: { ...base.description, lengthOf: of }, derived: true };
}

function entryCount(entries: readonly unknown[]): number {
  if (!Array.isArray(entries)) throw new ArgumentError(`expected a list, got ${kindOf(entries)}`);
  return entries.length;
}

/** As many entries as the earlier field `from` says, or, without it, entries to the end of the packet. */
export function list<Out, In>(of: Field<Out, In>, from?: string): Field<Out[], readonly In[]> {
  return {
    description: { type: "list", of: of as AnyField, ...(from === undefined ? { remaining: true } : { from }) },
    decode: (reader, scope) => {
      const count = from === undefined ? Number.POSITIVE_INFINITY : scope.derived[from]!;
      const entries: Out[] = [];
      while (entries.length < count && (from !== undefined || reader.remaining > 0)) {
        entries.push(reader.field(entries.length, of, scope));
      }
      return entries;
    },
    encode: (writer, entries) => {
      entryCount(entries);
      for (const [i, entry] of entries.entries()) inField(`[${i}]`, () => of.encode(writer, entry));
    },
    measure: entryCount,
  };
}

/** Type, length and value of a default configuration. */
export interface Tlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** A 16-bit type, a length in one octet, the value. */
export const tlv16: Field<Tlv> = {
  description: { type: "tlv16" },
  decode: (reader) => ({ type: reader.u16(), value: reader.take(reader.u8()) }),
  encode: (writer, { type, value }) => {
    writer.u16(type);
    octetCount(value);
    writer.u8(value.length);
    writer.bytes(value);
  },
};

/** Fields one after another, without padding. */
export type Struct<F extends Fields> = Field<Decoded<F>, Given<F>> & { readonly fields: F };
/** Any structure, its fields not known to the compiler. */
export type AnyStruct = Field<Record<string, unknown>, never> & { readonly fields: Fields };
/** What a structure takes. */
export type GivenTo<S extends AnyStruct> = S extends { encode(writer: Writer, value: infer In): void }
  ? [In] extends [never]
    ? Readonly<Record<string, unknown>>
    : In
  : never;
/** What a structure gives. */
export type DecodedBy<S extends AnyStruct> = S extends Field<infer Out, never> ? Out : never;

export function struct<const F extends Fields>(fields: F): Struct<F> {
  const entries = Object.entries(fields) as [string, Field<unknown, unknown>][];
  const steps = entries.map(([name, field]) => {
    const { optional = false, secret = false, countOf, lengthOf } = field.description;
    return { name, field, optional, secret, isDerived: (countOf ?? lengthOf) !== undefined };
  });
  return {
    fields,
    description: { type: "struct", fields },
    decode: (reader, { secrets }) => {
      const value: Record<string, unknown> = {};
      const scope: Scope = { derived: {}, secrets };
      let begun = false; // optional fields come all together or not at all
      for (const { name, field, optional, secret, isDerived } of steps) {
        if (optional && !begun && reader.remaining === 0) continue;
        begun ||= optional;
        const start = reader.offset;
        const decoded = reader.field(name, field, scope);
        if (secret) secrets.push([start, reader.offset]);
        if (isDerived) scope.derived[name] = decoded as number;
        else value[name] = decoded;
      }
      return value as Decoded<F>;
    },
    encode: (writer, given) => {
      if (typeof given !== "object" || given === null) throw new ArgumentError(`expected an object, got ${kindOf(given)}`);
      const values = given as Readonly<Record<string, unknown>>;
      const valueAt = (name: string): unknown => values[name] ?? fields[name]?.description.fallback;
      const begun = entries.some(([name, { description }]) => description.optional && values[name] !== undefined);
      for (const [name, field] of entries) {
        const { countOf: counted, lengthOf: measured, optional } = field.description;
        const target = counted ?? measured;
        if (target !== undefined) {
          const value = valueAt(target);
          if (value === undefined) throw new ArgumentError(`${target}: expected a value`);
          inField(target, () => field.encode(writer, (fields[target] as Field<unknown, unknown>).measure!(value)));
          continue;
        }
        const value = valueAt(name);
        if (value === undefined && optional && !begun) continue;
        if (value === undefined) throw new ArgumentError(`${name}: expected a value`);
        // A passkey is not repeated, not even a wrong one; a key's length may be told.
        const hidden = field.description.secret && !(value instanceof Uint8Array) ? "a value that its field cannot hold" : undefined;
        inField(name, () => field.encode(writer, value), hidden);
      }
    },
  };
}

/** An argument's fault with the field it is in. */
class FieldError extends ArgumentError {
  readonly path: string;
  readonly problem: string;
  constructor(path: string, problem: string, options: ErrorOptions) {
    super(`${path}: ${problem}`, options);
    this.path = path;
    this.problem = problem;
  }
  override get name(): string {
    return "ArgumentError";
  }
}

function inField(name: string, encode: () => void, problem?: string): void {
  try {
    encode();
  } catch (cause) {
    if (cause instanceof FieldError) {
      const joint = cause.path.startsWith("[") ? "" : ".";
      throw new FieldError(name + joint + cause.path, cause.problem, { cause });
    }
    if (cause instanceof ArgumentError) throw new FieldError(name, problem ?? cause.message, problem === undefined ? { cause } : {});
    throw cause;
  }
}

/** The field, described further: unit, limits, a note. */
export function about<F extends AnyField>(
  field: F,
  more: Pick<FieldDescription, "unit" | "range" | "invalid" | "also" | "countsWith" | "note">,
): F {
  return { ...field, description: { ...field.description, ...more } };
}

/** The field, present only when the packet is long enough. */
export function optional<F extends AnyField>(field: F): F & Optional {
  return { ...field, description: { ...field.description, optional: true }, optional: true };
}

/** The field, with the value that is taken when the caller gives none. */
export function orElse<F extends AnyField>(field: F, fallback: InOf<F>): F & Defaulted {
  return { ...field, description: { ...field.description, fallback }, defaulted: true };
}

/** The field, whose value must not be seen: a key, a passkey, or what a key is made of. */
export function secret<F extends AnyField>(field: F): F {
  return { ...field, description: { ...field.description, secret: true } };
}

const NOTHING = new Uint8Array(0);

/** What a structure decodes to, with the offsets of its secrets, from `offset` to the end of the octets. Octets may be left over. */
export function decodeFields(
  fields: AnyStruct,
  packet: Uint8Array,
  { name, offset }: { name: string; offset: number },
): { value: Record<string, unknown>; surplus: Uint8Array; secrets: readonly (readonly [start: number, end: number])[] } {
  const reader = new Reader(packet, { name, offset });
  const secrets: [number, number][] = [];
  const value = fields.decode(reader, { derived: {}, secrets });
  return { value, surplus: reader.remaining > 0 ? reader.rest() : NOTHING, secrets };
}

/** @throws {ArgumentError} a value its field cannot hold; the message names the field */
export function encodeFields<S extends AnyStruct>(fields: S, values: GivenTo<S>): Uint8Array {
  const writer = new Writer();
  fields.encode(writer, values as never);
  return writer.finish();
}
