import { type AnyField, type DeclaredPart, HEADER_OCTETS } from "../../mgmt-protocol/index.ts";
import { anonymizeAdvertisingData, UNNAMED } from "./advertising-data.ts";
import type { Pseudonyms } from "./pseudonyms.ts";
import { type TracedField, traceFields } from "./traced-fields.ts";

/** Takes names, addresses and values out of a management packet, in place. Of packets that are not declared, or not as declared, no parameters stay. */
export function anonymizeManagementPacket(packet: Uint8Array, part: DeclaredPart | undefined, pseudonyms: Pseudonyms): void {
  const traced = part && traceFields({ decode: (reader) => part.fields.decode(reader, { derived: {}, secrets: [] }) }, packet, part.offset);
  if (!traced) {
    packet.fill(0, part?.offset ?? HEADER_OCTETS);
    return;
  }
  for (const field of traced.fields) anonymizeField(field, descriptionOf(part.fields, field.path), packet, pseudonyms);
  packet.fill(0, traced.end);
}

function descriptionOf(field: AnyField, path: readonly string[]): AnyField["description"] {
  const { description } = field;
  const [name, ...inner] = path;
  if (name === undefined) return description;
  const next = name.startsWith("[") ? description.of : description.fields?.[name];
  return next ? descriptionOf(next, inner) : description;
}

function anonymizeField({ start, end }: TracedField, { type }: AnyField["description"], packet: Uint8Array, pseudonyms: Pseudonyms): void {
  switch (type) {
    case "bdaddr":
      pseudonyms.overwrite(packet, start);
      break;
    case "eir":
      anonymizeAdvertisingData(packet, start, end, pseudonyms);
      break;
    case "cstring": {
      const nul = packet.subarray(start, end).indexOf(0);
      const textEnd = nul < 0 ? end : start + nul;
      packet.fill(UNNAMED, start, textEnd);
      packet.fill(0, textEnd, end); // behind the NUL there may be anything
      break;
    }
    case "bytes":
    case "tlv16":
    case "list": // of entries that have no fields
    case "struct":
      packet.fill(0, start, end);
      break;
    default: // numbers, and UUIDs of services
  }
}
