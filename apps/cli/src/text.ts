/** Text of a stranger made safe to print: control, format and unassigned characters become escapes; quotes around it. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escapeOf);
}

/** As `quoted`, without the quotes. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escapeOf);
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function escapeOf(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** The text that octets are, `undefined` where they are none. */
export function asText(value: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    return value.length > 1 && !/\p{C}/u.test(text) ? text : undefined;
  } catch {
    return undefined; // not UTF-8
  }
}
