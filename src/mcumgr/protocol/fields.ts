import { checkOctets, kindOf, nearestName } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { type CborMap, type CborValue, checkCbor, isCborMap, pathOf, setKey } from "./cbor.ts";

// Fields of requests and answers, as a command declares them. Reading is lenient, since servers of many years answer: what is not declared is kept,
// what may be missing is missing. Writing is strict, since what we write is ours.

/** A field must be there, may be missing, is something certain where it is missing, or takes all keys that no other field has. */
export type Presence = "required" | "optional" | "otherwise" | "others";

/** A declared field: what it reads as (`Out`), and what may be given for it (`In`). */
export interface Field<Out, In = Out, P extends Presence = Presence> {
  /** The key in the payload; undefined: the name it is declared under. */
  readonly key: string | undefined;
  /** Keys under which other servers send it; read where `key` is not there. */
  readonly aliases?: readonly string[];
  readonly presence: P;
  /** For messages: "a whole number from 0". */
  readonly expected: string;
  /** What a missing field reads as. */
  readonly missing: Out | undefined;
  /** What a list or a map holds. */
  readonly item?: AnyField;
  /** The known keys of a map. */
  readonly fields?: Fields;
  /** @throws {FieldMismatch} */
  decode(value: CborValue, path: string): Out;
  /** @throws {ArgumentError} */
  encode(value: In, path: string): CborValue;
}

export type AnyField = Field<unknown, never>;
export type Fields = Readonly<Record<string, AnyField>>;
export type NoFields = Readonly<Record<never, never>>;

type Simplify<T> = { [K in keyof T]: T[K] } & {};
type NamesOf<F, P extends Presence> = {
  [K in keyof F]: F[K] extends Field<unknown, never, infer Q> ? (Q extends P ? K : never) : never;
}[keyof F];
type ReadAs<F> = F extends Field<infer Out, never> ? Out : never;
type GivenAs<F> = F extends { encode(value: infer In, path: string): CborValue } ? In : never;

/** What keys of these fields read as. Whatever else came stands in `more`. */
export type Decoded<F> = Simplify<
  { readonly [K in NamesOf<F, "required" | "otherwise" | "others">]: ReadAs<F[K]> } & {
    readonly [K in NamesOf<F, "optional">]?: ReadAs<F[K]>;
  } & { readonly more?: CborMap }
>;
/** What may be given for these fields. `more` adds keys that are not declared. */
export type Encodable<F> = Simplify<
  { readonly [K in NamesOf<F, "required">]: GivenAs<F[K]> } & {
    readonly [K in NamesOf<F, "optional" | "otherwise" | "others">]?: GivenAs<F[K]> | undefined;
  } & { readonly more?: CborMap | undefined }
>;

/** A value is not what its field declares. Whoever knows what was being read says so in an error of their own. */
export class FieldMismatch extends Error {
  readonly path: string;
  readonly problem: string;
  constructor(path: string, expected: string, value: unknown) {
    const problem = value === undefined ? `missing; expected ${expected}` : `expected ${expected}, got ${kindOf(value)}`;
    super(`${path}: ${problem}`);
    this.path = path;
    this.problem = problem;
  }
}

type Kind<Out, In> = Pick<Field<Out, In>, "expected" | "decode" | "encode" | "item" | "fields">;
const required = <Out, In>(kind: Kind<Out, In>, key: string | undefined): Field<Out, In, "required"> => ({
  ...kind,
  key,
  presence: "required",
  missing: undefined,
});

/** A field of values that are given as they read, and written as they are. */
function plain<T extends CborValue>(
  expected: string,
  key: string | undefined,
  read: (value: unknown) => T | undefined,
): Field<T, T, "required"> {
  return required<T, T>(
    {
      expected,
      decode(value, path) {
        const known = read(value);
        if (known === undefined) throw new FieldMismatch(path, expected, value);
        return known;
      },
      encode(value, path) {
        if (read(value) === undefined) throw new ArgumentError(`${path}: expected ${expected}, got ${kindOf(value)}`);
        return value;
      },
    },
    key,
  );
}

const isSafe = (value: unknown): value is number => Number.isSafeInteger(value);

/** A whole number from 0 to 2^53 − 1. */
export const uint = (key?: string) => plain("a whole number from 0", key, (value) => (isSafe(value) && value >= 0 ? value : undefined));
/** A whole number within ±(2^53 − 1). */
export const int = (key?: string) => plain("a whole number", key, (value) => (isSafe(value) ? value : undefined));
/** A whole number from 0 to 2^64 − 1, as bigint beyond 2^53 − 1. */
export const uint64 = (key?: string) =>
  plain<number | bigint>("a whole number from 0", key, (value) =>
    (isSafe(value) && value >= 0) || (typeof value === "bigint" && value >= 0n && value < 1n << 64n) ? value : undefined,
  );
/** Text. */
export const text = (key?: string) => plain("text", key, (value) => (typeof value === "string" ? value : undefined));
/** Whatever CBOR can say. */
export const cbor = (key?: string): Field<CborValue, CborValue, "required"> => ({
  ...plain<CborValue>("a value", key, (value) => value as CborValue | undefined),
  encode(value, path) {
    if (value === undefined) throw new ArgumentError(`${path}: expected a value, got undefined`);
    checkCbor(path, value);
    return value;
  },
});

/** True or false; 0 and 1 are read too. */
export const bool = (key?: string) => required<boolean, boolean>({ ...BOOL, encode: (value, path) => checkTruth(value, path) }, key);
/** True or false, written as 1 and 0. Both forms are read. */
export const flag = (key?: string) =>
  required<boolean, boolean>({ ...BOOL, encode: (value, path) => (checkTruth(value, path) ? 1 : 0) }, key);

const BOOL = {
  expected: "true or false",
  decode(value: CborValue, path: string): boolean {
    if (value === true || value === 1) return true;
    if (value === false || value === 0) return false;
    throw new FieldMismatch(path, "true or false", value);
  },
};
function checkTruth(value: unknown, path: string): boolean {
  if (typeof value !== "boolean") throw new ArgumentError(`${path}: expected true or false, got ${kindOf(value)}`);
  return value;
}

const UTF8 = new TextEncoder();
/** Octets. Text, which old servers send for values, is read as its UTF-8. */
export const octets = (key?: string) =>
  required<Uint8Array, Uint8Array>(
    {
      expected: "octets",
      decode(value, path) {
        if (value instanceof Uint8Array) return value;
        if (typeof value === "string") return UTF8.encode(value);
        throw new FieldMismatch(path, "octets", value);
      },
      encode: (value, path) => checkOctets(path, value),
    },
    key,
  );

/** A list whose every item is an `item`. */
export function list<Out, In>(item: Field<Out, In>, key?: string): Field<Out[], readonly In[], "required"> {
  const expected = "a list";
  return required<Out[], readonly In[]>(
    {
      expected,
      item: item as AnyField,
      decode(value, path) {
        if (!Array.isArray(value)) throw new FieldMismatch(path, expected, value);
        return value.map((entry, i) => item.decode(entry as CborValue, `${path}[${i}]`));
      },
      encode(value, path) {
        if (!Array.isArray(value)) throw new ArgumentError(`${path}: expected ${expected}, got ${kindOf(value)}`);
        return value.map((entry: In, i) => item.encode(entry, `${path}[${i}]`));
      },
    },
    key,
  );
}

/** A map from any text to an `item`. */
export function map<Out, In>(item: Field<Out, In>, key?: string): Field<Record<string, Out>, Readonly<Record<string, In>>, "required"> {
  const expected = "a map";
  return required<Record<string, Out>, Readonly<Record<string, In>>>(
    {
      expected,
      item: item as AnyField,
      decode(value, path) {
        if (!isCborMap(value)) throw new FieldMismatch(path, expected, value);
        const read: Record<string, Out> = {};
        for (const name of Object.keys(value)) setKey(read, name, item.decode(value[name]!, pathOf(path, name)));
        return read;
      },
      encode(value, path) {
        if (!isCborMap(value)) throw new ArgumentError(`${path}: expected ${expected}, got ${kindOf(value)}`);
        const written: Record<string, CborValue> = {};
        for (const name of Object.keys(value)) setKey(written, name, item.encode(value[name] as In, pathOf(path, name)));
        return written;
      },
    },
    key,
  );
}

/** A map with known keys. */
export function struct<const F extends Fields>(
  fields: F,
  key?: string,
): Field<Decoded<F>, Encodable<F>, "required"> & { readonly fields: F } {
  const table = fieldTable(fields);
  const expected = "a map";
  const field = required<Decoded<F>, Encodable<F>>(
    {
      expected,
      decode(value, path) {
        if (!isCborMap(value)) throw new FieldMismatch(path, expected, value);
        return decodeFields(table, value, path) as Decoded<F>;
      },
      encode: (value, path) => encodeFields(table, value, path),
    },
    key,
  );
  return { ...field, fields };
}

/** May be missing. */
export const optional = <Out, In>(field: Field<Out, In, "required">): Field<Out, In, "optional"> => ({ ...field, presence: "optional" });
/** Where it is missing, it reads as `missing`; it need not be given. */
export const otherwise = <Out, In>(field: Field<Out, In, "required">, missing: Out): Field<Out, In, "otherwise"> => ({
  ...field,
  presence: "otherwise",
  missing,
});
/** Other servers send it under other keys: these are read too, and never written. */
export const alias = <Out, In, P extends Presence>(field: Field<Out, In, P>, ...aliases: readonly string[]): Field<Out, In, P> => ({
  ...field,
  aliases,
});
/** Every key that no other field has, and whose value is an `item`: a payload that is itself a map from names. */
export const others = <Out, In>(item: Field<Out, In>): Field<Record<string, Out>, Readonly<Record<string, In>>, "others"> => ({
  ...map(item),
  presence: "others",
});

interface FieldTable {
  readonly entries: readonly { readonly name: string; readonly key: string; readonly field: AnyField }[];
  readonly others: { readonly name: string; readonly field: AnyField } | undefined;
  readonly names: ReadonlySet<string>;
  readonly keys: ReadonlySet<string>;
}

/** @throws {ArgumentError} a declaration that cannot be meant */
export function fieldTable(fields: Fields): FieldTable {
  const all = Object.entries(fields).map(([name, field]) => ({ name, key: field.key ?? name, field }));
  const entries = all.filter(({ field }) => field.presence !== "others");
  const every = entries.flatMap(({ key, field }) => [key, ...(field.aliases ?? [])]);
  const keys = new Set(every);
  if (keys.size !== every.length) throw new ArgumentError("two fields with one key");
  if (Object.hasOwn(fields, "more")) throw new ArgumentError('a field cannot be named "more", which holds the keys that are not declared');
  if (all.length - entries.length > 1) throw new ArgumentError("only one field can take all other keys");
  return {
    entries,
    others: all.find(({ field }) => field.presence === "others"),
    names: new Set([...all.map(({ name }) => name), "more"]),
    keys,
  };
}

/** @throws {FieldMismatch} */
export function decodeFields(table: FieldTable, payload: CborMap, path: string): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const { name, key, field } of table.entries) {
    const found = Object.hasOwn(payload, key) ? key : field.aliases?.find((other) => Object.hasOwn(payload, other));
    const given = found === undefined ? undefined : payload[found];
    const at = pathOf(path, found ?? key);
    if (given !== undefined && (given !== null || field.presence === "required")) value[name] = field.decode(given, at);
    else if (field.presence === "required") throw new FieldMismatch(at, field.expected, undefined);
    else if (field.presence === "otherwise") value[name] = field.missing;
  }
  const rest: Record<string, CborValue> = {};
  let others: Record<string, unknown> | undefined;
  if (table.others !== undefined) value[table.others.name] = others = {};
  for (const key of Object.keys(payload)) {
    const given = payload[key];
    if (table.keys.has(key) || given === undefined) continue;
    if (others === undefined || !decodeOther(table, others, key, given)) setKey(rest, key, given);
  }
  if (Object.keys(rest).length > 0) value.more = rest;
  return value;
}

function decodeOther({ others }: FieldTable, into: Record<string, unknown>, key: string, given: CborValue): boolean {
  try {
    for (const [name, item] of Object.entries(others!.field.decode({ [key]: given }, "") as Record<string, unknown>))
      setKey(into, name, item);
    return true;
  } catch (error) {
    if (error instanceof FieldMismatch) return false;
    throw error;
  }
}

/** @throws {ArgumentError} */
export function encodeFields(table: FieldTable, value: unknown, path: string): CborMap {
  const what = path === "" ? "request" : path;
  if (!isCborMap(value)) throw new ArgumentError(`${what}: expected an object, got ${kindOf(value)}`);
  for (const name of Object.keys(value)) {
    if (table.names.has(name)) continue;
    const nearest = nearestName(name, table.names);
    throw new ArgumentError(`${what}: unknown field "${name}"${nearest === undefined ? "" : `, did you mean "${nearest}"?`}`);
  }
  const written: Record<string, CborValue> = {};
  for (const { name, key, field } of table.entries) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (given !== undefined) setKey(written, key, field.encode(given as never, pathOf(path, name)));
    else if (field.presence === "required") throw new ArgumentError(`${pathOf(path, name)}: missing; expected ${field.expected}`);
  }
  const given = table.others === undefined ? undefined : value[table.others.name];
  if (table.others !== undefined && given !== undefined)
    addAll(written, table.others.field.encode(given as never, pathOf(path, table.others.name)), path);
  if (value.more !== undefined) addAll(written, value.more, pathOf(path, "more"));
  return written;
}

function addAll(into: Record<string, CborValue>, more: unknown, path: string): void {
  if (!isCborMap(more)) throw new ArgumentError(`${path}: expected an object, got ${kindOf(more)}`);
  for (const key of Object.keys(more)) {
    const value = more[key];
    if (Object.hasOwn(into, key)) throw new ArgumentError(`${path}: "${key}" is declared`);
    if (value !== undefined) setKey(into, key, value);
  }
}
