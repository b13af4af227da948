import { ArgumentError } from "../../core/error.ts";
import { type Codec, formOf } from "../codec.ts";

export interface ScaledOptions {
  /** The value is raw × `multiplier` × 10^`decimal` × 2^`binary` (GATT Specification Supplement 2.2): 1, 0 and 0 unless given. */
  readonly multiplier?: number;
  readonly decimal?: number;
  readonly binary?: number;
  /** Unit of the value, for documents: "°C". */
  readonly unit?: string;
  /** Smallest and largest value, in its unit. */
  readonly min?: number;
  readonly max?: number;
  /** The raw number that says "not known", which is `undefined` as a value. */
  readonly unknown?: number;
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const power = (base: number, exponent: number): string =>
  `${base}${exponent < 0 ? "⁻" : ""}${String(Math.abs(exponent)).replace(/\d/g, (digit) => SUPERSCRIPTS[Number(digit)]!)}`;

function scaledText(base: Codec<number>, { multiplier = 1, decimal = 0, binary = 0, unit, min, max, unknown }: ScaledOptions): string {
  let text = formOf(base).text;
  if (multiplier !== 1) text += ` × ${multiplier}`;
  if (decimal !== 0) text += ` × ${power(10, decimal)}`;
  if (binary !== 0) text += ` × ${power(2, binary)}`;
  if (unit) text += ` ${unit}`;
  if (min !== undefined || max !== undefined) text += rangeText(min, max);
  if (unknown !== undefined) text += `, ${rawText(unknown)}: not known`;
  return text;
}

const rangeText = (min?: number, max?: number): string =>
  max === undefined ? `, at least ${min}` : min === undefined ? `, at most ${max}` : `, ${min} to ${max}`;
const rawText = (raw: number): string => (raw < 0 ? String(raw) : `0x${raw.toString(16).toUpperCase().padStart(2, "0")}`);

/**
 * A whole number that stands for a value with a unit. Encoding rounds to the nearest number that the field can hold.
 *
 * A raw number outside `min` and `max` is a DecodeError; so is, by ArgumentError, a value that is to be encoded.
 */
export function scaled(base: Codec<number>, options: ScaledOptions & { readonly unknown: number }): Codec<number | undefined>;
export function scaled(base: Codec<number>, options: ScaledOptions & { readonly unknown?: never }): Codec<number>;
export function scaled(base: Codec<number>, options: ScaledOptions): Codec<number | undefined> {
  const { multiplier = 1, decimal = 0, binary = 0, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, unknown } = options;
  // By its decimal text: multiplying by a power of ten would be wrong in the last digit.
  const toValue = (raw: number): number => Number(`${raw * multiplier}e${decimal}`) * 2 ** binary;
  const toRaw = (value: number): number => {
    const whole = decimal <= 0 ? value * 10 ** -decimal : value / 10 ** decimal;
    return Math.round(whole / 2 ** binary / multiplier) + 0; // no -0
  };
  return {
    form: { text: scaledText(base, options) },
    decode: (reader) => {
      const raw = base.decode(reader);
      if (raw === unknown) return undefined;
      const value = toValue(raw);
      if (value < min || value > max) reader.fail(`${value}: expected${rangeText(options.min, options.max).slice(1)}`);
      return value;
    },
    encode: (writer, value) => {
      if (value === undefined && unknown !== undefined) {
        base.encode(writer, unknown);
        return;
      }
      if (typeof value !== "number" || !Number.isFinite(value)) throw new ArgumentError(`${value}: expected a finite number`);
      if (value < min || value > max) throw new ArgumentError(`${value}: expected${rangeText(options.min, options.max).slice(1)}`);
      const raw = toRaw(value);
      if (raw === unknown) throw new ArgumentError(`${value}: its number ${rawText(raw)} says "not known"`);
      base.encode(writer, raw);
    },
  };
}

/** A number that has to be from `min` to `max`, in both directions. */
export function ranged(base: Codec<number>, min: number, max: number): Codec<number> {
  return {
    form: { text: `${formOf(base).text}${rangeText(min, max)}` },
    decode: (reader) => {
      const value = base.decode(reader);
      if (value < min || value > max) reader.fail(`${value}: expected ${min} to ${max}`);
      return value;
    },
    encode: (writer, value) => {
      if (!(value >= min && value <= max)) throw new ArgumentError(`${value}: expected ${min} to ${max}`);
      base.encode(writer, value);
    },
  };
}

/** A number of which one, `unknown`, says that the value is not known: `undefined`. */
export function orUnknown(base: Codec<number>, unknown: number): Codec<number | undefined> {
  return {
    form: { text: `${formOf(base).text}, ${rawText(unknown)}: not known` },
    decode: (reader) => {
      const value = base.decode(reader);
      return value === unknown ? undefined : value;
    },
    encode: (writer, value) => {
      if (value === unknown) throw new ArgumentError(`${value}: this number says "not known"; give undefined`);
      base.encode(writer, value ?? unknown);
    },
  };
}
