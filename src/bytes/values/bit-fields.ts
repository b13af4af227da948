import { checkOptions, kindOf } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { type Codec, formOf } from "../codec.ts";
import { type Enumerated, type EnumerationNames, namesText, numberOf } from "./enumeration.ts";

/** Some bits of a number: one that is true or false, or several that are a number of their own. */
export interface BitField<T> {
  /** Lowest bit. */
  readonly bit: number;
  readonly width: number;
  readonly text: string;
  fromBits(bits: number): T;
  /** @throws {ArgumentError} */
  toBits(value: T): number;
}
export type InferBitField<F> = F extends BitField<infer T> ? T : never;

/** One bit. `not set` is false, also for a value that is missing when it is encoded. */
export const flag = (bit: number): BitField<boolean> => ({
  bit,
  width: 1,
  text: `bit ${bit}`,
  fromBits: (bits) => bits === 1,
  toBits: (value) => {
    if (value !== undefined && typeof value !== "boolean") throw new ArgumentError(`expected true or false, got ${kindOf(value)}`);
    return value ? 1 : 0;
  },
});

/** Several bits from `bit` on: a number, or the word for it where it has one. */
export function bitsAt(bit: number, width: number): BitField<number>;
export function bitsAt<const Name extends string>(bit: number, width: number, names: EnumerationNames<Name>): BitField<Enumerated<Name>>;
export function bitsAt(bit: number, width: number, names: EnumerationNames = {}): BitField<Enumerated<string>> {
  const text = `bits ${bit} to ${bit + width - 1}`;
  return {
    bit,
    width,
    text: Object.keys(names).length === 0 ? text : `${text}, ${namesText(names)}`,
    fromBits: (bits) => names[bits] ?? bits,
    toBits: (value) => {
      const bits = numberOf(names, value);
      if (!Number.isInteger(bits) || bits < 0 || bits >= 2 ** width)
        throw new ArgumentError(`${bits}: expected a whole number from 0 to ${2 ** width - 1}`);
      return bits;
    },
  };
}

/** @internal */
export const readBits = <T>(word: number, { bit, width, fromBits }: BitField<T>): T => fromBits(Math.floor(word / 2 ** bit) % 2 ** width);
/** @internal */
export const placeBits = <T>({ bit, toBits }: BitField<T>, value: T): number => toBits(value) * 2 ** bit;

type Fields = Readonly<Record<string, BitField<unknown>>>;

/**
 * A number whose bits have names. Bits without one are reserved: ignored when they come, 0 when they are sent.
 *
 * ```ts
 * const adjustReason = bitFields(u8, { manual: flag(0), externalReference: flag(1) });
 * ```
 */
export function bitFields<const F extends Fields>(base: Codec<number>, fields: F): Codec<{ [K in keyof F]: InferBitField<F[K]> }> {
  type Value = { [K in keyof F]: InferBitField<F[K]> };
  const entries = Object.entries(fields);
  const names = new Set(Object.keys(fields));
  return {
    form: {
      text: formOf(base).text,
      parts: entries.map(([name, { text }]) => ({ name, form: { text } })),
    },
    decode: (reader) => {
      const word = base.decode(reader);
      return Object.fromEntries(entries.map(([name, field]) => [name, readBits(word, field)])) as Value;
    },
    encode: (writer, value) => {
      if (value === undefined) throw new ArgumentError("expected an object of named bits, got undefined");
      checkOptions("bits", value, names);
      let word = 0;
      for (const [name, field] of entries) word += naming(name, () => placeBits(field, (value as Record<string, unknown>)[name]));
      base.encode(writer, word);
    },
  };
}

/** Puts the field's name before what is wrong with its value. @internal */
export function naming<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof ArgumentError) throw new ArgumentError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}
