import { createHash } from "node:crypto";
import type { RecordRef } from "../../store/view.ts";

/** Jelling's own namespace of identifiers (RFC 4122 4.3). It never changes: with another one everything would be sent again as new. */
const NAMESPACE = Uint8Array.of(0x4a, 0x6d, 0x7b, 0x1e, 0x0c, 0x52, 0x4f, 0x0b, 0x9d, 0x31, 0x7a, 0x84, 0x25, 0xe6, 0x13, 0xc8);

/** UUID version 5 (RFC 4122 4.3): the same name gives the same identifier, for ever. */
export function uuidV5(name: string, namespace: Uint8Array = NAMESPACE): string {
  const octets = createHash("sha1").update(namespace).update(name, "utf8").digest().subarray(0, 16);
  octets[6] = (octets[6]! & 0x0f) | 0x50;
  octets[8] = (octets[8]! & 0x3f) | 0x80;
  const hex = octets.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Of a document that comes from a record: what it is does not change with how often, or when, the record is read. */
export function identifierOfRecord({ pump, segment, sequenceNumber }: RecordRef, kind: string): string {
  return uuidV5(`${pump}/${segment}/${sequenceNumber}/${kind}`);
}

/** Of a document that comes from a live value, which no record names. */
export function identifierOfTime(pump: string, time: string, kind: string): string {
  return uuidV5(`${pump}/live/${time}/${kind}`);
}

/** 32 hexadecimal digits that tell whether a document is what was sent. */
export function contentHash(document: object): string {
  return createHash("sha256").update(JSON.stringify(document)).digest("hex").slice(0, 32);
}

export function sha1Hex(text: string): string {
  return createHash("sha1").update(text, "utf8").digest("hex");
}
