import { kindOf } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { type Codec, formOf } from "../codec.ts";

/** A word for a value of an enumeration, or the number itself where it has none: a value that nobody knows yet is kept. */
export type Enumerated<Name extends string> = Name | number;

export type EnumerationNames<Name extends string = string> = Readonly<Record<number, Name>>;

/** The words, for a document: "0: other, 1: chest". */
export const namesText = (names: EnumerationNames): string =>
  Object.entries(names)
    .map(([value, name]) => `${value}: ${name}`)
    .join(", ");

/** The number of a word, or the number that was given. @throws {ArgumentError} a word that is none of these */
export function numberOf(names: EnumerationNames, value: unknown): number {
  if (typeof value === "number") return value;
  const found = Object.entries(names).find(([, name]) => name === value);
  if (!found)
    throw new ArgumentError(
      `${typeof value === "string" ? `"${value}"` : kindOf(value)}: expected a number, or one of ${Object.values(names).join(", ")}`,
    );
  return Number(found[0]);
}

/** A number of which some values have a word. */
export function enumeration<const Name extends string>(base: Codec<number>, names: EnumerationNames<Name>): Codec<Enumerated<Name>> {
  return {
    form: { text: `${formOf(base).text}, ${namesText(names)}` },
    decode: (reader) => {
      const value = base.decode(reader);
      return names[value] ?? value;
    },
    encode: (writer, value) => base.encode(writer, numberOf(names, value)),
  };
}
