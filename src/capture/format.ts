import { Address } from "../core/address.ts";
import { Uuid } from "../core/uuid.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import { REDACTED } from "../mgmt-protocol/index.ts";
import type { DecodedPacket } from "./decoded-packet.ts";
import { declaredJson, declaredText } from "./mgmt-format.ts";
import { isSecretField, maskText, numberText } from "./names.ts";
import { RecentOctets } from "./recent-octets.ts";
import { NO_INDEX } from "./record.ts";
import { hexText, quoted, uuidText } from "./text.ts";

/**
 * A text that is being put together. Pieces joined at the end take a third of the time of a text that grows, whose pieces the engine keeps
 * until it is printed.
 */
type Pieces = string[];

function addValue(to: Pieces, packet: string, field: string, value: unknown): void {
  if (typeof value === "object" && value !== null) addObject(to, packet, field, value);
  else to.push(primitiveText(packet, field, value));
}

function primitiveText(packet: string, field: string, value: unknown): string {
  switch (typeof value) {
    case "number":
      return numberText(packet, field, value);
    case "bigint":
      return maskText(field, value);
    case "string":
      return quoted(value);
    default:
      return String(value);
  }
}

function addObject(to: Pieces, packet: string, field: string, value: object): void {
  if (value instanceof Uint8Array) to.push(octetsText(packet, field, value));
  else if (value instanceof Uuid) to.push(uuidText(value));
  else if (value instanceof Address) to.push(value.toString());
  else if (value instanceof AdvertisingData) to.push(textsOfData.get(value.bytes) ?? textsOfData.keep(value.bytes, advertisingText(value)));
  else if (Array.isArray(value)) {
    to.push("[");
    for (let i = 0; i < value.length; i++) {
      if (i > 0) to.push(", ");
      addValue(to, packet, field, value[i]);
    }
    to.push("]");
  } else {
    to.push("{");
    addFields(to, packet, value as Record<string, unknown>);
    to.push("}");
  }
}

function octetsText(packet: string, field: string, octets: Uint8Array): string {
  if (isSecretField(packet, field) && octets.every((octet) => octet === 0)) return REDACTED;
  return octets.length > 0 ? hexText(octets) : '""';
}

/** Of advertising data that was told lately. */
const textsOfData = new RecentOctets<string>();

/** Its fields mean the same in every packet. */
function advertisingText({ bytes, fields }: AdvertisingData): string {
  const pieces: Pieces = ["{"];
  if (bytes.length > 0) addFields(pieces, "", fields as Record<string, unknown>);
  pieces.push("}");
  return pieces.join("");
}

function addFields(to: Pieces, packet: string, fields: Readonly<Record<string, unknown>>): void {
  let between = "";
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    to.push(between, name, "=");
    addValue(to, packet, name, value);
    between = " ";
  }
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

/** What a packet says, without its time and place: name, then `field=value`. */
export function packetText(packet: DecodedPacket): string {
  const pieces: Pieces = [];
  addPacket(pieces, packet);
  return pieces.join("");
}

function addPacket(to: Pieces, packet: DecodedPacket): void {
  const { name, fields, declared, redacted = false, attributeType, malformed, comment } = packet;
  const place = placeText(packet);
  if (place) to.push(place, " ");
  to.push(name);
  if (attributeType) to.push(" <", uuidText(attributeType), ">");
  to.push(" ");
  const before = to.length;
  if (declared) {
    const text = declaredText(declared, fields, { redacted, advertisingData: advertisingText });
    if (text) to.push(text);
  } else addFields(to, withoutAnswer(name), fields);
  if (to.length === before) to.pop(); // the blank
  if (malformed !== undefined) to.push(" [malformed: ", malformed, "]");
  if (comment) to.push(" # ", quoted(comment).slice(1, -1));
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
  const number = String(packet.number).padStart(6);
  const pieces: Pieces = [number, " ", seconds.padStart(12), adapterText(packet.index), " ", arrow, " ", packet.layer.padEnd(5), " "];
  addPacket(pieces, packet);
  return pieces.join("");
}

function plain(packet: string, field: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return isSecretField(packet, field) && value.every((octet) => octet === 0) ? REDACTED : hexText(value);
  if (value instanceof Uuid || value instanceof Address) return value.toString();
  if (value instanceof AdvertisingData)
    return { raw: hexText(value.bytes), ...plainFields(packet, value.fields as Record<string, unknown>) };
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
