import { checkOptions } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { type Codec, type CodecPart, formOf } from "../codec.ts";
import { Writer } from "../writer.ts";
import { type BitField, type InferBitField, naming, placeBits, readBits } from "./bit-fields.ts";

/** A field that is always there. */
export interface AlwaysField<T> {
  readonly kind: "always";
  readonly codec: Codec<T>;
}
/** A field that is there when a bit of the flags is set, or is not. */
export interface PresentField<T> {
  readonly kind: "present";
  readonly bit: number;
  readonly whenSet: boolean;
  readonly codec: Codec<T>;
}
/** A field whose format a bit of the flags chooses. */
export interface WidthField<T> {
  readonly kind: "width";
  readonly bit: number;
  readonly narrow: Codec<T>;
  readonly wide: Codec<T>;
}
type FlaggedField = AlwaysField<unknown> | PresentField<unknown> | WidthField<unknown> | BitField<unknown>;

export const always = <T>(codec: Codec<T>): AlwaysField<T> => ({ kind: "always", codec });
/** There when `bit` is set. */
export const when = <T>(bit: number, codec: Codec<T>): PresentField<T> => ({ kind: "present", bit, whenSet: true, codec });
/** There when `bit` is not set. */
export const unless = <T>(bit: number, codec: Codec<T>): PresentField<T> => ({ kind: "present", bit, whenSet: false, codec });
/** `narrow` when `bit` is 0, `wide` when it is 1. Encoding takes `narrow` for every value that fits it. */
export const byWidth = <T>(bit: number, narrow: Codec<T>, wide: Codec<T>): WidthField<T> => ({ kind: "width", bit, narrow, wide });

type ValueOf<F> =
  F extends AlwaysField<infer T> ? T : F extends PresentField<infer T> ? T : F extends WidthField<infer T> ? T : InferBitField<F>;
type OptionalKeys<F> = { [K in keyof F]: F[K] extends PresentField<infer _T> ? K : never }[keyof F];
/** Fields that may be missing are properties that may be missing. */
export type Flagged<F> = { -readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & {
  -readonly [K in OptionalKeys<F>]?: ValueOf<F[K]> | undefined;
};

type Laid = Exclude<FlaggedField, BitField<unknown>>;

const isBits = (field: FlaggedField): field is BitField<unknown> => "fromBits" in field;

/**
 * Flags, and then the fields whose presence or format they tell, in the order of the declaration. Bits of the flags that have a meaning of their
 * own are declared beside the fields (`flag`, `bitsAt`). Other bits are reserved: ignored when they come, 0 when they are sent.
 *
 * ```ts
 * const measurement = flagged(u8, { heartRate: byWidth(0, u8, u16), contactDetected: flag(1), energyExpended: when(3, u16) });
 * ```
 *
 * @throws {ArgumentError} two of them use one bit
 */
export function flagged<const F extends Readonly<Record<string, FlaggedField>>>(flags: Codec<number>, fields: F): Codec<Flagged<F>> {
  const entries = Object.entries<FlaggedField>(fields);
  checkBits(entries);
  const laid = entries.filter((entry): entry is [string, Laid] => !isBits(entry[1]));
  const bits = entries.filter((entry): entry is [string, BitField<unknown>] => isBits(entry[1]));
  const names = new Set(Object.keys(fields));
  return {
    form: {
      text: "flags and what they tell",
      parts: [
        { name: "flags", form: { text: formOf(flags).text, parts: bits.map(([name, { text }]) => ({ name, form: { text } })) } },
        ...laid.map(partOf),
      ],
    },
    decode: (reader) => {
      const word = reader.field("flags", flags);
      const isSet = (bit: number): boolean => Math.floor(word / 2 ** bit) % 2 === 1;
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        if (isBits(field)) value[name] = readBits(word, field);
        else if (field.kind === "always") value[name] = reader.field(name, field.codec);
        else if (field.kind === "width") value[name] = reader.field(name, isSet(field.bit) ? field.wide : field.narrow);
        else if (isSet(field.bit) === field.whenSet) value[name] = reader.field(name, field.codec);
      }
      return value as Flagged<F>;
    },
    encode: (writer, given) => {
      if (given === undefined) throw new ArgumentError("expected an object of fields, got undefined");
      checkOptions("fields", given, names);
      const value = given as Record<string, unknown>;
      const body = new Writer();
      let word = 0;
      for (const [name, field] of bits) word += naming(name, () => placeBits(field, value[name]));
      for (const [name, field] of laid) word += naming(name, () => encodeField(body, field, value[name]));
      flags.encode(writer, word);
      writer.bytes(body.finish());
    },
  };
}

/** Gives the bit that tells of it. */
function encodeField(body: Writer, field: Laid, value: unknown): number {
  switch (field.kind) {
    case "always":
      field.codec.encode(body, value);
      return 0;
    case "present":
      if (value !== undefined) field.codec.encode(body, value);
      return (value !== undefined) === field.whenSet ? 2 ** field.bit : 0;
    case "width": {
      const narrow = encoded(field.narrow, value);
      if (narrow) body.bytes(narrow);
      else field.wide.encode(body, value);
      return narrow ? 0 : 2 ** field.bit;
    }
  }
}

/** `undefined` for a value that does not fit. */
function encoded(codec: Codec<unknown>, value: unknown): Uint8Array | undefined {
  const writer = new Writer();
  try {
    codec.encode(writer, value);
  } catch (error) {
    if (error instanceof ArgumentError) return undefined;
    throw error;
  }
  return writer.finish();
}

function partOf([name, field]: [string, Laid]): CodecPart {
  switch (field.kind) {
    case "always":
      return { name, form: formOf(field.codec) };
    case "present":
      return { name, form: formOf(field.codec), when: `bit ${field.bit} is ${field.whenSet ? "set" : "not set"}` };
    case "width":
      return { name, form: { text: `${formOf(field.narrow).text}, or ${formOf(field.wide).text} when bit ${field.bit} is set` } };
  }
}

function checkBits(entries: readonly [string, FlaggedField][]): void {
  const taken = new Map<number, string>();
  for (const [name, field] of entries) {
    if ("kind" in field && field.kind === "always") continue;
    const width = isBits(field) ? field.width : 1;
    for (let bit = field.bit; bit < field.bit + width; bit++) {
      const other = taken.get(bit);
      if (other !== undefined) throw new ArgumentError(`bit ${bit} of the flags: expected one field, got ${other} and ${name}`);
      taken.set(bit, name);
    }
  }
}
