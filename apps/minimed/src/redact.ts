import type { Address } from "jelling/core";

/** An address that lets two devices be told apart without naming one: its first and last octet. */
export function redactAddress(address: Address): string {
  const octets = address.toHex().split(":");
  return `${octets[0]}:··:··:··:··:${octets[5]}`;
}

/** A name or serial number with its digits hidden but the last one: "Pump 1234567H" becomes "Pump ······7H". */
export function redactName(text: string): string {
  const last = text.search(/\d(?=\D*$)/);
  return Array.from(text, (character, at) => (/\d/.test(character) && at !== last ? "·" : character)).join("");
}
