import { uuidName } from "../assigned/names.ts";
import { HEX_OCTETS } from "../bytes/hex.ts";
import type { Uuid } from "../core/uuid.ts";

/** Printable ASCII without quotes and backslashes, as most text is: shown as it stands. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Text of a stranger made safe to print: control, format and unassigned characters become escapes, quotes are escaped. */
export function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** "180d (Heart Rate)". */
export function uuidText(uuid: Uuid): string {
  const name = uuidName(uuid);
  return name ? `${uuid.text} (${name})` : uuid.text;
}

/** Octets that become text at once. */
const PIECE = 64;

/**
 * `toHex` for octets of any number: two digits at a time make a text of as many pieces as there are octets, put together when it is printed,
 * which takes 20 µs for 244 octets where this takes 3.
 */
export function hexText(octets: Uint8Array): string {
  let text = "";
  for (let from = 0; from < octets.length; from += PIECE) {
    const codes: number[] = [];
    for (let i = 0; i < 2 * Math.min(PIECE, octets.length - from); i++) codes[i] = HEX_OCTETS[octets[from + (i >> 1)]!]!.charCodeAt(i & 1);
    text += String.fromCharCode(...codes);
  }
  return text;
}
