import { checkText } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Uuid } from "../../core/uuid.ts";
import type { Codec } from "../codec.ts";
import type { Reader } from "../reader.ts";

export interface TextOptions {
  /** Longest text that is written, in octets of UTF-8. */
  readonly maxLength?: number;
  /** What a NUL means when it comes: by default it is a character like any other; some devices end their texts with one. */
  readonly nul?: "keep" | "ends";
}

/** UTF-8 to the end of the value. Octets that are not UTF-8 are a DecodeError. */
export function text({ maxLength = Number.POSITIVE_INFINITY, nul = "keep" }: TextOptions = {}): Codec<string> {
  return {
    form: { text: `UTF-8${maxLength === Number.POSITIVE_INFINITY ? "" : `, at most ${maxLength} octets`}` },
    decode: (reader) => {
      const octets = reader.rest();
      const end = nul === "ends" ? octets.indexOf(0) : -1;
      return decodeText(reader, end < 0 ? octets : octets.subarray(0, end));
    },
    encode: (writer, value) => {
      const octets = new TextEncoder().encode(checkText("text", value));
      if (octets.length > maxLength) throw new ArgumentError(`text of ${octets.length} octets: expected at most ${maxLength}`);
      writer.bytes(octets);
    },
  };
}

function decodeText(reader: Reader, octets: Uint8Array): string {
  try {
    // A byte order mark is a character of the text.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    return reader.fail("not UTF-8");
  }
}

/** UTF-8 to the end of the value. */
export const utf8: Codec<string> = text();

const uuidOf = (length: 2 | 16): Codec<Uuid> => ({
  form: { text: `UUID of ${length * 8} bits` },
  decode: (reader) => Uuid.fromBytes(reader.take(length)),
  encode: (writer, value) => {
    const uuid = Uuid.from(value);
    if (length === 2 && uuid.short === undefined) throw new ArgumentError(`UUID ${uuid}: expected one with a form of 16 bits`);
    writer.bytes(length === 2 ? uuid.attBytes : uuid.bytes128);
  },
});
export const uuid16 = uuidOf(2);
export const uuid128 = uuidOf(16);

/** A UUID of 2 or 16 octets to the end of the value, as ATT carries it. */
export const uuid: Codec<Uuid> = {
  form: { text: "UUID of 16 or 128 bits" },
  decode: (reader) => {
    if (reader.remaining !== 2 && reader.remaining < 16) reader.fail(`UUID of ${reader.remaining} octets: expected 2 or 16`, "short");
    return Uuid.fromBytes(reader.take(reader.remaining === 2 ? 2 : 16));
  },
  encode: (writer, value) => writer.bytes(Uuid.from(value).attBytes),
};
