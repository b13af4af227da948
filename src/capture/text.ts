import { uuidName } from "../assigned/names.ts";
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
