import { toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { Uuid } from "../core/uuid.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import { REDACTED } from "../mgmt-protocol/index.ts";
import type { DecodedPacket } from "./decoded-packet.ts";
import { declaredJson, declaredText } from "./mgmt-format.ts";
import { isSecretField, maskText, numberText } from "./names.ts";
import { RecentOctets } from "./recent-octets.ts";
import { NO_INDEX } from "./record.ts";
import { quoted, uuidText } from "./text.ts";

function valueText(packet: string, field: string, value: unknown): string {
  if (value instanceof Uint8Array) {
    if (isSecretField(packet, field) && value.every((octet) => octet === 0)) return REDACTED;
    return value.length > 0 ? toHex(value) : '""';
  }
  if (value instanceof Uuid) return uuidText(value);
  if (value instanceof Address) return value.toString();
  if (value instanceof AdvertisingData) return textsOfData.get(value.bytes) ?? textsOfData.keep(value.bytes, dataText(value));
  if (Array.isArray(value)) return `[${value.map((item) => valueText(packet, field, item)).join(", ")}]`;
  switch (typeof value) {
    case "number":
      return numberText(packet, field, value);
    case "bigint":
      return maskText(field, value);
    case "string":
      return quoted(value);
    case "object":
      return value === null ? "null" : `{${fieldsText(packet, value as Record<string, unknown>)}}`;
    default:
      return String(value);
  }
}

/** Of advertising data that was told lately. */
const textsOfData = new RecentOctets<string>();

/** Its fields mean the same in every packet. */
const dataText = ({ bytes, fields }: AdvertisingData): string =>
  bytes.length > 0 ? `{${fieldsText("", fields as Record<string, unknown>)}}` : "{}";

function fieldsText(packet: string, fields: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined) text += `${text === "" ? "" : " "}${name}=${valueText(packet, name, value)}`;
  }
  return text;
}

/** The packet whose fields an answer's are: the command. */
const COMMAND_COMPLETE = "CommandComplete ";
const withoutAnswer = (name: string): string => (name.startsWith(COMMAND_COMPLETE) ? name.slice(COMMAND_COMPLETE.length) : name);

/** What goes in front of a packet's name: the link or the socket that it went through. */
function placeText({ layer, connectionHandle, cookie, program }: DecodedPacket): string {
  if (cookie !== undefined) {
    const shown = program === undefined || /^[\w.:@/+-]+$/.test(program) ? program : quoted(program);
    return `0x${cookie.toString(16).padStart(4, "0")}${shown ? ` (${shown})` : ""}`;
  }
  return layer !== "hci" && connectionHandle !== undefined ? numberText("", "connectionHandle", connectionHandle) : "";
}

const advertisingText = (data: AdvertisingData): string => valueText("", "", data);

/** What a packet says, without its time and place: name, then `field=value`. */
export function packetText(packet: DecodedPacket): string {
  const { name, fields, declared, redacted = false, attributeType, malformed, comment } = packet;
  const place = placeText(packet);
  const values = declared
    ? declaredText(declared, fields, { redacted, advertisingData: advertisingText })
    : fieldsText(withoutAnswer(name), fields);
  let text = place ? `${place} ${name}` : name;
  if (attributeType) text += ` <${uuidText(attributeType)}>`;
  if (values) text += ` ${values}`;
  if (malformed !== undefined) text += ` [malformed: ${malformed}]`;
  if (comment) text += ` # ${quoted(comment).slice(1, -1)}`;
  return text;
}

const ARROWS: Readonly<Record<NonNullable<DecodedPacket["direction"]>, string>> = {
  "host-to-controller": ">",
  "controller-to-host": "<",
  "program-to-kernel": ">",
  "kernel-to-program": "<",
};

/** "hci0", blanks for a record of no adapter, nothing where the capture does not tell adapters apart. */
function adapterText(index: number | undefined): string {
  if (index === undefined) return "";
  return ` ${(index === NO_INDEX ? "" : `hci${index}`).padEnd(5)}`;
}

/**
 * One line: number, seconds since `startMs`, the adapter where there may be several, direction (`>` from the host or a program, `<` to it,
 * `=` where nothing was sent), layer, and what the packet says.
 *
 * @param startMs time of the first packet
 */
export function packetLine(packet: DecodedPacket, startMs: number): string {
  const seconds = ((packet.timeMs - startMs) / 1000).toFixed(6);
  const arrow = packet.direction === undefined ? "=" : ARROWS[packet.direction];
  const head = `${String(packet.number).padStart(6)} ${seconds.padStart(12)}${adapterText(packet.index)}`;
  return `${head} ${arrow} ${packet.layer.padEnd(5)} ${packetText(packet)}`;
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
  const plainValues: Record<string, unknown> = {};
  for (const name in fields) if (fields[name] !== undefined) plainValues[name] = plain(packet, name, fields[name]);
  return plainValues;
}

function jsonFields({ name, fields, declared, redacted = false }: DecodedPacket): Record<string, unknown> {
  if (!declared) return plainFields(withoutAnswer(name), fields);
  return declaredJson(declared, fields, { redacted, advertisingData: (data) => plain("", "", data) });
}

/** Later than this, and as much before 1970, there is no date; a damaged capture may have one nevertheless. */
const LAST_DATE_MS = 8.64e15;

/**
 * A packet as a plain object for JSON: octets in hexadecimal, addresses and UUIDs as text, numbers as they are on the wire; in management
 * packets the names of numbers that have some.
 */
export function packetJson(packet: DecodedPacket): Record<string, unknown> {
  const { timeMs, direction, index, connectionHandle, peer, cookie, program, attributeType, malformed, comment } = packet;
  return {
    number: packet.number,
    time: Math.abs(timeMs) <= LAST_DATE_MS ? new Date(timeMs).toISOString() : null,
    timeMs,
    ...(index === undefined || index === NO_INDEX ? {} : { index }),
    ...(direction === undefined ? {} : { direction }),
    layer: packet.layer,
    name: packet.name,
    ...(connectionHandle === undefined ? {} : { connectionHandle }),
    ...(peer ? { peer: peer.toString() } : {}),
    ...(cookie === undefined ? {} : { cookie }),
    ...(program === undefined ? {} : { program }),
    ...(attributeType ? { attributeType: attributeType.toString() } : {}),
    fields: jsonFields(packet),
    ...(malformed === undefined ? {} : { malformed }),
    ...(comment === undefined ? {} : { comment }),
  };
}
