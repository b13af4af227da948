import { ArgumentError } from "../../core/error.ts";
import type { Codec } from "../codec.ts";

/** What a word means that is not a number (IEEE 11073-20601); only with exponent 0. */
export type FloatSpecial = "nan" | "nres" | "positive_infinity" | "negative_infinity" | "reserved";

/** A decoded SFLOAT or FLOAT: mantissa × 10^exponent. It is not IEEE 754. */
export interface MedicalFloat {
  readonly mantissa: number;
  readonly exponent: number;
  /** The nearest double to the decimal number; undefined for a special word. */
  readonly value: number | undefined;
  readonly special: FloatSpecial | undefined;
}

const SPECIALS: Readonly<Record<number, FloatSpecial>> = {
  [-2]: "positive_infinity",
  [-1]: "nan",
  0: "nres",
  1: "reserved",
  2: "negative_infinity",
};

function decodeWord(word: number, mantissaBits: number, exponentBits: number): MedicalFloat {
  const half = 2 ** (mantissaBits - 1);
  const raw = word % 2 ** mantissaBits;
  const mantissa = raw >= half ? raw - 2 * half : raw;
  const rawExponent = Math.floor(word / 2 ** mantissaBits);
  const exponent = rawExponent >= 2 ** (exponentBits - 1) ? rawExponent - 2 ** exponentBits : rawExponent;
  // The special words surround the middle of the unsigned range: half − 2 … half + 2.
  const special = exponent === 0 ? SPECIALS[raw - half] : undefined;
  // From its decimal text: multiplying by a power of ten would be wrong in the last digit.
  return { mantissa, exponent, special, value: special ? undefined : Number(`${mantissa}e${exponent}`) };
}

/** SFLOAT, 16 bits: exponent in the top 4, mantissa in the low 12. */
export function decodeSfloat(word: number): MedicalFloat {
  return decodeWord(word & 0xffff, 12, 4);
}

/** FLOAT, 32 bits: exponent in the top 8, mantissa in the low 24. */
export function decodeFloat(word: number): MedicalFloat {
  return decodeWord(word >>> 0, 24, 8);
}

function encodeWord(value: number, mantissaBits: number, exponentBits: number): number {
  const half = 2 ** (mantissaBits - 1);
  // With exponent 0 the words around the middle are special.
  const fits = (mantissa: number, exponent: number): boolean =>
    exponent === 0 ? Math.abs(mantissa) <= half - 3 : mantissa >= -half && mantissa < half;
  const [lowest, highest] = [-(2 ** (exponentBits - 1)), 2 ** (exponentBits - 1) - 1];
  const tooLarge = (): ArgumentError => new ArgumentError(`${value}: too large for the number format`);
  if (!Number.isFinite(value)) throw tooLarge();
  const [digits, power] = value.toExponential().split("e") as [string, string];
  const [whole, fraction = ""] = digits.split(".") as [string, string?];
  let mantissa = Number(whole + fraction);
  let exponent = Number(power) - fraction.length;
  for (; (!fits(mantissa, exponent) || exponent < lowest) && mantissa !== 0; exponent++) mantissa = Math.round(mantissa / 10);
  for (; exponent > 0 && fits(mantissa * 10, exponent - 1); exponent--) mantissa *= 10;
  if (mantissa === 0) exponent = 0;
  if (exponent > highest) throw tooLarge();
  return (
    (((exponent + 2 ** exponentBits) % 2 ** exponentBits) * 2 ** mantissaBits + ((mantissa + 2 ** mantissaBits) % 2 ** mantissaBits)) >>> 0
  );
}

/** The SFLOAT nearest to `value`; three to four significant digits. @throws {ArgumentError} not finite, too large */
export function encodeSfloat(value: number): number {
  return encodeWord(value, 12, 4);
}

/** The FLOAT nearest to `value`; about seven significant digits. @throws {ArgumentError} not finite, too large */
export function encodeFloat(value: number): number {
  return encodeWord(value, 24, 8);
}

/** The word of a special value. */
const wordOf = (special: FloatSpecial, mantissaBits: number): number => {
  const half = 2 ** (mantissaBits - 1);
  const offset = Object.entries(SPECIALS).find(([, name]) => name === special)?.[0];
  if (offset === undefined) throw new ArgumentError(`"${special}": expected a number or the word of a special value`);
  return half + Number(offset);
};

/** A number, always a finite one; or the word for what a device could not measure. */
export type MedicalNumber = number | FloatSpecial;

/** SFLOAT ("medfloat16") as a number. Encoding rounds to three or four digits. */
export const sfloat: Codec<MedicalNumber> = {
  form: { text: "SFLOAT" },
  decode: (reader) => {
    const { value, special } = decodeSfloat(reader.u16());
    return special ?? value!;
  },
  encode: (writer, value) => writer.u16(typeof value === "string" ? wordOf(value, 12) : encodeSfloat(value)),
};

/** FLOAT ("medfloat32") as a number. Encoding rounds to about seven digits. */
export const float: Codec<MedicalNumber> = {
  form: { text: "FLOAT" },
  decode: (reader) => {
    const { value, special } = decodeFloat(reader.u32());
    return special ?? value!;
  },
  encode: (writer, value) => writer.u32(typeof value === "string" ? wordOf(value, 24) : encodeFloat(value)),
};
