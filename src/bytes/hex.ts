import { ArgumentError } from "../core/error.ts";

/** Two lower-case digits for each octet. */
export const HEX_OCTETS: readonly string[] = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** Lower-case, no separators. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX_OCTETS[bytes[i]!]!;
  return text;
}

/** Reads hexadecimal octets; blanks, colons and dashes between them are allowed. @throws {ArgumentError} anything else */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/^0x/i, "").replace(/[\s:-]/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new ArgumentError(`"${text}": expected pairs of hexadecimal digits`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Not constant time: for secrets use `constantTimeEqual` of `crypto`. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
