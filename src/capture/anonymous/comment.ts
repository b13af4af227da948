import { Address } from "../../core/address.ts";
import type { Pseudonyms } from "./pseudonyms.ts";

const ADDRESS = /\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b/g;
/** Calls of the stack with addresses, UUIDs and handles, and its other sentences: what Jelling itself writes. */
const OWN =
  /^(?:Device|device|connection|gatt|gattServer)(?:\.[a-zA-Z]+(?:\([^()]*\)| 0x[0-9a-f]{4})?|: (?:discovery|the peer's request))$/;
const ARGUMENT = /^(?:(?:[0-9A-F]{2}:){5}[0-9A-F]{2}(?:\/[a-z]+)?|0x[0-9a-f]+|[0-9a-f]{4}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** A call keeps its name, its handles and UUIDs; its addresses become those of the packets. Whatever others have written becomes as many "x". */
export function anonymizeComment(comment: string, pseudonyms: Pseudonyms): string {
  const args = /\((.+)\)$/.exec(comment)?.[1]?.split(", ") ?? [];
  if (!OWN.test(comment) || !args.every((argument) => ARGUMENT.test(argument))) return "x".repeat(comment.length);
  return comment.replace(ADDRESS, (text) => {
    const octets = Address.from(text).bytes.slice();
    pseudonyms.overwrite(octets, 0);
    return new Address(octets, 0).toHex();
  });
}
