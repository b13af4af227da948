import { Address } from "../core/address.ts";
import { ArgumentError } from "../core/error.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** What a codec's octets are, in words: for documents, and for people who look at a device. */
export interface CodecForm {
  /** "uint16", "sint16 × 10⁻² °C, 0x8000: not known". */
  readonly text: string;
  /** What it is made of, in order. */
  readonly parts?: readonly CodecPart[] | undefined;
}

export interface CodecPart {
  readonly name: string;
  readonly form: CodecForm;
  /** When it is there, where it is not always. */
  readonly when?: string | undefined;
}

/** A value's wire form, both ways. A codec reads exactly its octets. */
export interface Codec<T> {
  decode(reader: Reader): T;
  encode(writer: Writer, value: T): void;
  readonly form?: CodecForm | undefined;
}
export type Infer<C> = C extends Codec<infer T> ? T : never;

/** What a codec says of itself; one that says nothing is octets. */
export const formOf = ({ form }: Pick<Codec<unknown>, "form">): CodecForm => form ?? { text: "octets" };

// Each with functions of its own: the engine takes twice as long for a method that it finds by its name.
const number = (text: string, decode: (reader: Reader) => number, encode: (writer: Writer, value: number) => void): Codec<number> => ({
  form: { text },
  decode,
  encode,
});
export const u8 = number(
  "uint8",
  (reader) => reader.u8(),
  (writer, value) => writer.u8(value),
);
export const i8 = number(
  "sint8",
  (reader) => reader.i8(),
  (writer, value) => writer.i8(value),
);
export const u16 = number(
  "uint16",
  (reader) => reader.u16(),
  (writer, value) => writer.u16(value),
);
export const i16 = number(
  "sint16",
  (reader) => reader.i16(),
  (writer, value) => writer.i16(value),
);
export const u24 = number(
  "uint24",
  (reader) => reader.u24(),
  (writer, value) => writer.u24(value),
);
export const i24 = number(
  "sint24",
  (reader) => reader.i24(),
  (writer, value) => writer.i24(value),
);
export const u32 = number(
  "uint32",
  (reader) => reader.u32(),
  (writer, value) => writer.u32(value),
);
export const i32 = number(
  "sint32",
  (reader) => reader.i32(),
  (writer, value) => writer.i32(value),
);
export const u64: Codec<bigint> = {
  form: { text: "uint64" },
  decode: (reader) => reader.u64(),
  encode: (writer, value) => writer.u64(value),
};
/** One octet, 0 or 1; any other value reads as true. */
export const bool8: Codec<boolean> = {
  form: { text: "uint8, 0: false, else true" },
  decode: (reader) => reader.u8() !== 0,
  encode: (writer, value) => writer.u8(value ? 1 : 0),
};

// What makes codecs is marked for bundlers: a declaration that nobody uses is then left out.

/** A fixed number of octets. */
export const bytes = /* @__NO_SIDE_EFFECTS__ */ (length: number): Codec<Uint8Array> => ({
  form: { text: `${length} octets` },
  decode: (reader) => reader.take(length),
  encode: (writer, value) => {
    if (value.length !== length) throw new ArgumentError(`${value.length} octets: expected ${length}`);
    writer.bytes(value);
  },
});

/** All octets that remain. */
export const rest: Codec<Uint8Array> = {
  form: { text: "octets" },
  decode: (reader) => reader.rest(),
  encode: (writer, value) => writer.bytes(value),
};

/** Octets behind a length in one octet. */
export const bytes8: Codec<Uint8Array> = {
  decode: (reader) => reader.take(reader.u8()),
  encode: (writer, value) => {
    writer.u8(value.length);
    writer.bytes(value);
  },
};

/** Address_Type (one octet) before Address (six), the usual order of HCI. */
export const typedAddress: Codec<Address> = {
  decode: (reader) => {
    const type = reader.u8();
    return new Address(reader.take(6), type);
  },
  encode: (writer, value) => {
    writer.u8(value.type);
    writer.bytes(value.bytes);
  },
};

type Fields = Record<string, Codec<unknown>>;
type StructOf<F extends Fields> = { [K in keyof F]: Infer<F[K]> };

/** Fields one after another, in the order of the declaration. */
/* @__NO_SIDE_EFFECTS__ */ export function struct<const F extends Fields>(fields: F): Codec<StructOf<F>> & { readonly fields: F } {
  const entries = Object.entries(fields);
  return {
    fields,
    form: { text: "in this order", parts: entries.map(([name, codec]) => ({ name, form: formOf(codec) })) },
    decode: (reader) => {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = reader.field(name, codec);
      return value as StructOf<F>;
    },
    encode: (writer, value) => {
      for (const [name, codec] of entries) {
        try {
          codec.encode(writer, (value as Record<string, unknown>)[name]);
        } catch (error) {
          if (error instanceof ArgumentError) throw new ArgumentError(`${name}: ${error.message}`, { cause: error });
          throw error;
        }
      }
    },
  };
}

/** A count, then that many items. */
/* @__NO_SIDE_EFFECTS__ */ export function list<T>(count: Codec<number>, item: Codec<T>): Codec<T[]> {
  return {
    decode: (reader) => {
      const length = count.decode(reader);
      const items: T[] = [];
      for (let i = 0; i < length; i++) items.push(reader.field(i, item));
      return items;
    },
    encode: (writer, items) => {
      count.encode(writer, items.length);
      for (const value of items) item.encode(writer, value);
    },
  };
}

/** Items until the end of the packet. */
/* @__NO_SIDE_EFFECTS__ */ export function repeated<T>(item: Codec<T>): Codec<T[]> {
  const { text, parts } = formOf(item);
  return {
    form: { text: `to the end, each ${text}`, parts },
    decode: (reader) => {
      const items: T[] = [];
      while (reader.remaining > 0) {
        const before = reader.remaining;
        items.push(reader.field(items.length, item));
        if (reader.remaining === before) reader.fail("an item of no length");
      }
      return items;
    },
    encode: (writer, items) => {
      for (const value of items) item.encode(writer, value);
    },
  };
}

export interface DecodeOptions {
  readonly name?: string;
  readonly offset?: number;
  readonly end?: number;
  /** Octets that are left over: an error unless they are to be ignored, as those of a later version of a format are. */
  readonly trailing?: "refuse" | "ignore";
}

/** Decodes all of `packet`. @throws {DecodeError} short, lying or over-long */
export function decode<T>(codec: Codec<T>, packet: Uint8Array, { trailing = "refuse", ...options }: DecodeOptions = {}): T {
  const reader = new Reader(packet, options);
  const value = codec.decode(reader);
  if (trailing === "refuse") reader.done();
  return value;
}

/** @throws {ArgumentError} a value its field cannot hold */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  codec.encode(writer, value);
  return writer.finish();
}
