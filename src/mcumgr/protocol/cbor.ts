import { encode, type Token, Tokenizer, Type } from "cborg";
import { encodedLength } from "cborg/length";
import { DecodeError } from "../../bytes/decode-error.ts";
import { kindOf } from "../../core/arguments.ts";
import { ArgumentError, type BleError } from "../../core/error.ts";

/** A value that a payload can hold. Whole numbers beyond 2^53 − 1 are bigint, so that they stay exact; others are number. */
export type CborValue = string | number | bigint | boolean | null | Uint8Array | readonly CborValue[] | CborMap;
/** A payload, and any map within one: values by text keys. An undefined value is one that is not there. */
export interface CborMap {
  readonly [key: string]: CborValue | undefined;
}

/** How deep maps and lists may stand in each other; no known command needs more than 5. */
export const CBOR_MAX_DEPTH = 32;

/** Whether lengths of maps and lists stand before them, as clients write, or they end with a break, as servers do. */
export type CborLengths = "definite" | "indefinite";

/**
 * Writes a map. `definite`: keys by encoded length, then bytewise, the "canonical" order of RFC 7049 section 3.9. `indefinite`: keys in the order of
 * the object. Numbers are written in their shortest form; undefined values are left out.
 *
 * @throws {ArgumentError} a value that CBOR has no form for, nested too deeply, or within itself
 */
export function encodeCbor(map: CborMap, lengths: CborLengths = "definite"): Uint8Array {
  if (!isCborMap(map)) throw new ArgumentError(`payload: expected an object, got ${kindOf(map)}`);
  checkCbor("payload", map);
  return lengths === "definite" ? encodeItem(map) : join(indefinite(map, []));
}

/** How many octets `encodeCbor` makes of a map, with definite lengths, without making them. @throws {ArgumentError} */
export function cborLength(map: CborMap): number {
  return guarded(() => encodedLength(map, OPTIONS));
}

const OPTIONS = { ignoreUndefinedProperties: true };
const encodeItem = (value: CborValue) => guarded(() => encode(value, OPTIONS));

function guarded<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new ArgumentError(`payload: ${problemOf(cause)}`, { cause });
  }
}

/**
 * A value that CBOR has a form for, not nested too deeply nor within itself.
 *
 * @param path names the value in the error
 * @throws {ArgumentError}
 */
export function checkCbor(path: string, value: unknown, depth = 0): void {
  if (value === undefined || value === null || value instanceof Uint8Array) return;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return;
  if (typeof value === "bigint" && value >= -(1n << 64n) && value < 1n << 64n) return;
  // By its tag: an instance of a class is a map of its fields, a Date or a Map is not.
  if (!Array.isArray(value) && Object.prototype.toString.call(value) !== "[object Object]")
    throw new ArgumentError(`${path}: ${kindOf(value)} has no form in CBOR`);
  if (depth >= CBOR_MAX_DEPTH) throw new ArgumentError(`${path}: nested deeper than ${CBOR_MAX_DEPTH}, or within itself`);
  for (const [key, item] of Object.entries(value as object))
    checkCbor(Array.isArray(value) ? `${path}[${key}]` : pathOf(path, key), item, depth + 1);
}

const MAP = Uint8Array.of(0xbf);
const LIST = Uint8Array.of(0x9f);
const BREAK_OCTET = Uint8Array.of(0xff);

function indefinite(value: CborValue, into: Uint8Array[]): Uint8Array[] {
  if (Array.isArray(value)) {
    into.push(LIST);
    for (const item of value) indefinite(item as CborValue, into);
    into.push(BREAK_OCTET);
  } else if (isCborMap(value)) {
    into.push(MAP);
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      into.push(encodeItem(key));
      indefinite(item, into);
    }
    into.push(BREAK_OCTET);
  } else into.push(encodeItem(value));
  return into;
}

/** Whether a value is a map: neither octets nor a list. */
export function isCborMap(value: unknown): value is CborMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Sets a key of a map that is being made; a peer may name one `__proto__`. */
export function setKey<T>(map: Record<string, T>, key: string, value: T): void {
  if (key === "__proto__") Object.defineProperty(map, key, { value, configurable: true, enumerable: true, writable: true });
  else map[key] = value;
}

/**
 * Reads one map, which has to fill `packet` from `start`. Definite and indefinite lengths, strings in parts, integers exact, text that is not UTF-8
 * with replacement; undefined reads as null, the value of a tag as it stands, a key that is a whole number as its digits. Of a key that comes twice
 * the last counts. Time and memory are bound by the octets there are, whatever lengths they claim.
 *
 * @throws {DecodeError} with the path of keys, and the offset within `packet`
 */
export function decodeCbor(packet: Uint8Array, start = 0): CborMap {
  const reader: ItemReader = new ItemReader(packet, start);
  const value = reader.item("payload", 0);
  if (!isCborMap(value)) reader.fail("payload", `expected a map, got ${kindOf(value)}`, start);
  reader.expectEnd();
  return value;
}

/** The library reads head and content of one item at a time; what items form, and how deep, is ours. */
class ItemReader {
  readonly #packet: Uint8Array;
  readonly #start: number;
  readonly #data: Uint8Array;
  readonly #tokens: Tokenizer;

  constructor(packet: Uint8Array, start: number) {
    this.#packet = packet;
    this.#start = start;
    // Not a subarray: that of a Buffer is a Buffer again, whose slices alias.
    this.#data = new Uint8Array(packet.buffer, packet.byteOffset + start, packet.length - start);
    this.#tokens = new Tokenizer(this.#data, { allowIndefinite: true, allowUndefined: true, allowBigInt: true });
  }

  fail(path: string, problem: string, offset: number): never {
    throw new DecodeError({ path, problem, offset, length: this.#packet.length, packet: this.#packet });
  }

  expectEnd(): void {
    const left = this.#data.length - this.#tokens.pos();
    if (left > 0) this.fail("payload", `${left} octets after the map`, this.#start + this.#tokens.pos());
  }

  item(path: string, depth: number): CborValue {
    const at = this.#tokens.pos();
    const octet = this.#data[at];
    if (octet === 0x5f || octet === 0x7f) return this.#parts(path, octet);
    const token = this.#next(path);
    const { type } = token;
    if (Type.equals(type, Type.break)) this.fail(path, "a break where a value belongs", this.#start + at);
    if (Type.equals(type, Type.undefined)) return null;
    if (Type.equals(type, Type.string)) return this.#text(token, at);
    if (type.terminal) return token.value as CborValue;
    if (depth >= CBOR_MAX_DEPTH) this.fail(path, `nested deeper than ${CBOR_MAX_DEPTH}`, this.#start + at);
    if (Type.equals(type, Type.array)) return this.#list(path, depth, token.value as number);
    if (Type.equals(type, Type.map)) return this.#map(path, depth, token.value as number);
    return this.item(path, depth + 1); // a tag: what it is put on says enough
  }

  #next(path: string): Token {
    const at = this.#tokens.pos();
    if (this.#tokens.done()) this.fail(path, "a value is missing", this.#start + at);
    try {
      return this.#tokens.next();
    } catch (error) {
      return this.fail(path, problemOf(error), this.#start + at);
    }
  }

  /** The library's decoder takes a byte order mark away, which is a character like others here. */
  #text({ value, encodedLength = 0 }: Token, at: number): string {
    const minor = this.#data[at]! & 0x1f;
    const from = at + (minor < 24 ? 1 : 1 + 2 ** (minor - 24));
    const marked = this.#data[from] === 0xef && this.#data[from + 1] === 0xbb && this.#data[from + 2] === 0xbf;
    return marked ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#data.subarray(from, at + encodedLength)) : (value as string);
  }

  /** Text or octets in parts, each with a length of its own. */
  #parts(path: string, head: 0x5f | 0x7f): string | Uint8Array {
    this.#tokens._pos += 1;
    const parts: (string | Uint8Array)[] = [];
    while (!this.#ends(path)) {
      const at = this.#tokens.pos();
      const octet = this.#data[at]!;
      if (octet === head || octet >> 5 !== head >> 5) this.fail(path, "a part of another kind", this.#start + at);
      parts.push(this.item(path, 0) as string | Uint8Array);
    }
    return head === 0x7f ? parts.join("") : join(parts as Uint8Array[]);
  }

  #list(path: string, depth: number, count: number): CborValue[] {
    this.#checkCount(path, count, 1);
    const items: CborValue[] = [];
    while (count === Number.POSITIVE_INFINITY ? !this.#ends(path) : items.length < count)
      items.push(this.item(`${path}[${items.length}]`, depth + 1));
    return items;
  }

  #map(path: string, depth: number, count: number): CborMap {
    this.#checkCount(path, count, 2);
    const map: Record<string, CborValue> = {};
    for (let i = 0; count === Number.POSITIVE_INFINITY ? !this.#ends(path) : i < count; i++) {
      const at = this.#tokens.pos();
      const key = this.item(`${path}, key ${i}`, CBOR_MAX_DEPTH);
      if (typeof key !== "string" && typeof key !== "number" && typeof key !== "bigint")
        this.fail(path, `key ${i} is not text`, this.#start + at);
      setKey(map, `${key}`, this.item(pathOf(path, `${key}`), depth + 1));
    }
    return map;
  }

  /** Whether the break of an indefinite length is next; then it is passed. */
  #ends(path: string): boolean {
    if (this.#tokens.done()) this.fail(path, "ends without a break", this.#start + this.#tokens.pos());
    if (this.#data[this.#tokens.pos()] !== 0xff) return false;
    this.#tokens._pos += 1;
    return true;
  }

  #checkCount(path: string, count: number, least: number): void {
    const left = this.#data.length - this.#tokens.pos();
    if (count !== Number.POSITIVE_INFINITY && count * least > left)
      this.fail(path, `claims ${count} entries, has ${left} octets`, this.#start + this.#tokens.pos());
  }
}

/** "payload.images"; a key that a peer made long is cut. */
export function pathOf(path: string, key: string): string {
  return `${path === "" ? "" : `${path}.`}${key.length > 40 ? `${key.slice(0, 40)}…` : key}`;
}

/** Not with a spread: there may be more of them than a call takes arguments. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The library's word on it, without its own name before. */
function problemOf(error: unknown): string {
  const { message } = error as Error | BleError;
  return message.replace(/^CBOR (?:de|en)code error: /, "");
}
