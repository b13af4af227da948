import { uuidName } from "../assigned/names.ts";
import { toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { Uuid } from "../core/uuid.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import type { DecodedPacket } from "./decoder.ts";
import { isSecretField, numberText } from "./names.ts";

const REDACTED = "(redacted)";

/** Text of a stranger made safe to print: control, format and unassigned characters become escapes, quotes are escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** "180d (Heart Rate)". */
export function uuidText(uuid: Uuid): string {
  const name = uuidName(uuid);
  return name ? `${uuid.text} (${name})` : uuid.text;
}

function valueText(packet: string, field: string, value: unknown): string {
  if (value instanceof Uint8Array) {
    if (isSecretField(packet, field) && value.every((octet) => octet === 0)) return REDACTED;
    return value.length > 0 ? toHex(value) : '""';
  }
  if (value instanceof Uuid) return uuidText(value);
  if (value instanceof Address) return value.toString();
  if (value instanceof AdvertisingData)
    return value.bytes.length > 0 ? `{${fieldsText(packet, value.fields as Record<string, unknown>)}}` : "{}";
  if (Array.isArray(value)) return `[${value.map((item) => valueText(packet, field, item)).join(", ")}]`;
  switch (typeof value) {
    case "number":
      return numberText(packet, field, value);
    case "bigint":
      return `0x${value.toString(16)}`;
    case "string":
      return quoted(value);
    case "object":
      return value === null ? "null" : `{${fieldsText(packet, value as Record<string, unknown>)}}`;
    default:
      return String(value);
  }
}

function fieldsText(packet: string, fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${valueText(packet, name, value)}`)
    .join(" ");
}

/** What a packet says, without its time and place: name, then `field=value`. */
export function packetText(packet: DecodedPacket): string {
  const { name, fields, attributeType, malformed } = packet;
  const about = attributeType ? ` <${uuidText(attributeType)}>` : "";
  const link =
    packet.layer !== "hci" && packet.connectionHandle !== undefined ? numberText("", "connectionHandle", packet.connectionHandle) : "";
  const text = fieldsText(name.replace(/^CommandComplete /, ""), fields);
  return [link, name + about, text, malformed === undefined ? "" : `[malformed: ${malformed}]`].filter(Boolean).join(" ");
}

/**
 * One line: number, seconds since `startMs`, direction (`>` from the host, `<` to it), layer, and what the packet says.
 *
 * @param startMs time of the first packet
 */
export function packetLine(packet: DecodedPacket, startMs: number): string {
  const seconds = ((packet.timeMs - startMs) / 1000).toFixed(6);
  const arrow = packet.direction === "host-to-controller" ? ">" : "<";
  return `${String(packet.number).padStart(6)} ${seconds.padStart(12)} ${arrow} ${packet.layer.padEnd(5)} ${packetText(packet)}`;
}

function plain(packet: string, field: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return isSecretField(packet, field) && value.every((octet) => octet === 0) ? REDACTED : toHex(value);
  if (value instanceof Uuid || value instanceof Address) return value.toString();
  if (value instanceof AdvertisingData) return { raw: toHex(value.bytes), ...plainFields(packet, value.fields as Record<string, unknown>) };
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (Array.isArray(value)) return value.map((item) => plain(packet, field, item));
  if (typeof value === "object" && value !== null) return plainFields(packet, value as Record<string, unknown>);
  return value;
}

function plainFields(packet: string, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, plain(packet, name, value)]),
  );
}

/** A packet as a plain object for JSON: octets in hexadecimal, addresses and UUIDs as text, numbers as they are on the wire. */
export function packetJson(packet: DecodedPacket): Record<string, unknown> {
  return {
    number: packet.number,
    time: new Date(packet.timeMs).toISOString(),
    timeMs: packet.timeMs,
    direction: packet.direction,
    layer: packet.layer,
    name: packet.name,
    ...(packet.connectionHandle === undefined ? {} : { connectionHandle: packet.connectionHandle }),
    ...(packet.peer ? { peer: packet.peer.toString() } : {}),
    ...(packet.attributeType ? { attributeType: packet.attributeType.toString() } : {}),
    fields: plainFields(packet.name.replace(/^CommandComplete /, ""), packet.fields),
    ...(packet.malformed === undefined ? {} : { malformed: packet.malformed }),
  };
}
