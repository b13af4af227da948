import { isKeyDatabaseForm, KeyDatabaseError, parseKeyDatabase, type SakeKeyDatabase } from "./key-database.ts";

const WANTED = "wanted are its octets, as a binary file or as hexadecimal text";
/** What stands between octets in hexadecimal text, and what a program's source has around it. */
const SEPARATORS = /[\s:,;\-_"'()[\]{}]+/;

/**
 * Reads the content of a file that holds a key database: its octets; hexadecimal text, with or without `0x` or `\x` before each octet, with
 * blanks, colons, commas or hyphens between; base64; a JSON string of either, or a JSON array of octets.
 *
 * @throws {KeyDatabaseError} as `parseKeyDatabase` · ERR_KEY_DATABASE_FORM: text of another form, which the message names; nothing of it is
 *   shown
 */
export function parseKeyDatabaseFile(content: Uint8Array | undefined): SakeKeyDatabase {
  const text = content && textOf(content);
  return parseKeyDatabase(text === undefined ? content : octetsOf(text));
}

/** The content as text, `undefined` where it is binary: no database is all text, since device types and counts are control characters. */
function textOf(content: Uint8Array): string | undefined {
  if (content.length === 0) return undefined;
  const mark = (content[0]! << 8) | (content[1] ?? 0);
  // As a Windows shell writes it.
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(content);
    return /^[^\p{C}]*$/u.test(text.replace(/[\t\r\n\f\v]/g, "")) ? text.trim() : undefined;
  } catch {
    return undefined; // no text in this encoding
  }
}

/** @throws {KeyDatabaseError} ERR_KEY_DATABASE_FORM */
function octetsOf(text: string): Uint8Array {
  if (text === "") throw new KeyDatabaseError("ERR_KEY_DATABASE_MISSING", "The key database is missing: the file is blank.");
  if (text.startsWith("-----BEGIN")) throw unknownForm("looks like PEM");
  if (/^[{["]/.test(text)) {
    const octets = ofJson(text);
    if (octets) return octets;
  }
  const hex = ofHex(text);
  if (hex) return hex;
  if (/^[A-Za-z0-9+/_=\s-]+$/.test(text)) return ofBase64(text);
  throw unknownForm("is text of an unknown form");
}

/** Octets in hexadecimal; `undefined` where the text has anything else in it. @throws {KeyDatabaseError} half an octet */
function ofHex(text: string): Uint8Array | undefined {
  const words = text.split(SEPARATORS).flatMap((word) => word.split(/0x|\\x/i));
  const digits = words.filter((word) => word !== "");
  if (digits.length === 0 || !digits.every((word) => /^[0-9a-f]+$/i.test(word))) return undefined;
  // Octets that stand alone may lack their leading zero; longer runs are cut by twos.
  const isSingle = digits.length > 1 && digits.every((word) => word.length <= 2);
  const joined = digits.map((word) => (isSingle ? word.padStart(2, "0") : word)).join("");
  if (joined.length % 2 === 1)
    throw unknownForm(`is hexadecimal text with an odd number of digits (${joined.length}), so that one is missing or too many`);
  return Uint8Array.from({ length: joined.length / 2 }, (_, i) => Number.parseInt(joined.slice(2 * i, 2 * i + 2), 16));
}

/** @throws {KeyDatabaseError} it does not decode, or what it decodes to has not the form of a key database */
function ofBase64(text: string): Uint8Array {
  const compact = text.replace(/\s/g, "").replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  if (compact.length % 4 === 1 || !/^[A-Za-z0-9+/]+$/.test(compact)) throw unknownForm("is text of an unknown form");
  const octets = Uint8Array.from(atob(compact), (character) => character.charCodeAt(0));
  // Many a text could be base64: only what has the length of a key database is taken for one.
  if (!isKeyDatabaseForm(octets)) throw unknownForm(`looks like base64, but its ${octets.length} octets are none`);
  return octets;
}

/** A JSON string, an array of octets, or what `JSON.stringify` makes of a Buffer; `undefined` where it is no JSON. */
function ofJson(text: string): Uint8Array | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // braces of a program's source, maybe
  }
  if (typeof value === "object" && value !== null && "data" in value) value = value.data;
  if (typeof value === "string" && value.trim() !== "") return octetsOf(value.trim());
  if (Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 0 && item <= 255))
    return Uint8Array.from(value as number[]);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return octetsOf(value.join(" "));
  throw unknownForm("is JSON of an unknown form");
}

function unknownForm(seen: string): KeyDatabaseError {
  return new KeyDatabaseError("ERR_KEY_DATABASE_FORM", `The key database ${seen}: ${WANTED}.`);
}
