import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { equalBytes } from "../../bytes/hex.ts";
import { Uuid } from "../../core/uuid.ts";
import type { PduChannel } from "../../l2cap/channel.ts";
import { FrameWriter } from "../frame-writer.ts";
import { GattUuid } from "../uuids.ts";
import type { Attribute } from "./attribute.ts";
import type { AttributeDatabase } from "./database.ts";

/** Where an answer goes and how long it may be. */
export interface ResponseRoom {
  readonly channel: PduChannel;
  readonly limit: number;
}

/** ATT_FIND_INFORMATION_RSP with as many attributes as fit, all UUIDs of one size; `undefined` without any (Vol 3 Part F 3.4.3.2). */
export function findInformation(
  database: AttributeDatabase,
  start: number,
  end: number,
  { channel, limit }: ResponseRoom,
): Uint8Array | undefined {
  const first = database.indexFrom(start);
  const { attributes } = database;
  const size = attributes[first]?.type.attBytes.length ?? 0;
  let last = first;
  for (let length = 2; last < attributes.length; last++) {
    const attribute = attributes[last]!;
    length += 2 + size;
    if (attribute.handle > end || length > limit || attribute.type.attBytes.length !== size) break;
  }
  if (last === first) return undefined;
  const writer = new FrameWriter(channel.allocate(2 + (last - first) * (2 + size)), AttOpcode.FindInformationRsp);
  writer.u8(size === 2 ? 1 : 2);
  for (let i = first; i < last; i++) {
    writer.u16(attributes[i]!.handle);
    writer.bytes(attributes[i]!.type.attBytes);
  }
  return writer.frame;
}

/** Octets before the UUID that ends a declaration, Vol 3 Part G 3.1 to 3.3. */
const BEFORE_UUID: Readonly<Record<number, number>> = {
  [GattUuid.PrimaryService]: 0,
  [GattUuid.SecondaryService]: 0,
  [GattUuid.Include]: 4,
  [GattUuid.Characteristic]: 3,
};

/** Whether a value is what is looked for. A UUID in a declaration is the same in 2 and in 16 octets (Vol 3 Part B 2.5.1). */
function isSameValue({ kind, type, value }: Attribute, wanted: Uint8Array): boolean {
  if (equalBytes(value, wanted)) return true;
  const at = kind === "declaration" ? BEFORE_UUID[type.short ?? 0] : undefined;
  if (at === undefined || !hasUuidAt(value, at) || !hasUuidAt(wanted, at)) return false;
  if (!equalBytes(value.subarray(0, at), wanted.subarray(0, at))) return false;
  return Uuid.fromBytes(value.subarray(at)).text === Uuid.fromBytes(wanted.subarray(at)).text;
}

const hasUuidAt = ({ length }: Uint8Array, at: number): boolean => length === at + 2 || length === at + 16;

/** ATT_FIND_BY_TYPE_VALUE_RSP over attributes that `isReadable` and whose value is the same for every client (Vol 3 Part F 3.4.3.4). */
export function findByTypeValue(
  database: AttributeDatabase,
  { start, end, type, value }: { start: number; end: number; type: number; value: Uint8Array },
  isReadable: (attribute: Attribute) => boolean,
  { channel, limit }: ResponseRoom,
): Uint8Array | undefined {
  const found: Attribute[] = [];
  const { attributes } = database;
  for (let i = database.indexFrom(start); i < attributes.length; i++) {
    const attribute = attributes[i]!;
    if (attribute.handle > end || 1 + 4 * (found.length + 1) > limit) break;
    if (attribute.type.short === type && attribute.isStatic && isSameValue(attribute, value) && isReadable(attribute))
      found.push(attribute);
  }
  if (found.length === 0) return undefined;
  const writer = new FrameWriter(channel.allocate(1 + 4 * found.length), AttOpcode.FindByTypeValueRsp);
  for (const attribute of found) {
    writer.u16(attribute.handle);
    writer.u16(attribute.groupEndHandle);
  }
  return writer.frame;
}

/**
 * ATT_READ_BY_GROUP_TYPE_RSP with as many services as fit, all UUIDs of one size (Vol 3 Part F 3.4.4.10), or an error code. Only services
 * are groups here (Vol 3 Part G 2.5.3).
 */
export function readByGroupType(
  database: AttributeDatabase,
  { start, end, type }: { start: number; end: number; type: Uuid },
  { channel, limit }: ResponseRoom,
): Uint8Array | number {
  if (type.short !== GattUuid.PrimaryService && type.short !== GattUuid.SecondaryService) return AttErrorCode.UnsupportedGroupType;
  const found: Attribute[] = [];
  const { attributes } = database;
  let size = 0;
  for (let i = database.indexFrom(start); i < attributes.length; i++) {
    const attribute = attributes[i]!;
    if (attribute.handle > end) break;
    if (attribute.type.short !== type.short) continue;
    if (found.length === 0) size = attribute.value.length;
    else if (attribute.value.length !== size || 2 + (found.length + 1) * (4 + size) > limit) break;
    found.push(attribute);
  }
  if (found.length === 0) return AttErrorCode.AttributeNotFound;
  const writer = new FrameWriter(channel.allocate(2 + found.length * (4 + size)), AttOpcode.ReadByGroupTypeRsp);
  writer.u8(4 + size);
  for (const attribute of found) {
    writer.u16(attribute.handle);
    writer.u16(attribute.groupEndHandle);
    writer.bytes(attribute.value);
  }
  return writer.frame;
}

/** The longest value in ATT_READ_BY_TYPE_RSP: its length field is one octet (Vol 3 Part F 3.4.4.2). */
const LONGEST_BY_TYPE = 253;

/** ATT_READ_BY_TYPE_RSP: the first value as far as it fits, then those of `more` that are exactly as long. */
export function readByTypeResponse(
  first: { handle: number; value: Uint8Array },
  more: Iterable<{ handle: number; value: Uint8Array }>,
  { channel, limit }: ResponseRoom,
): Uint8Array {
  const room = Math.min(limit - 4, LONGEST_BY_TYPE);
  const size = Math.min(first.value.length, room);
  const entries = [{ handle: first.handle, value: first.value.subarray(0, size) }];
  for (const entry of more) {
    if (entry.value.length !== first.value.length || 2 + (entries.length + 1) * (2 + size) > limit) break;
    entries.push({ handle: entry.handle, value: entry.value.subarray(0, size) });
  }
  const writer = new FrameWriter(channel.allocate(2 + entries.length * (2 + size)), AttOpcode.ReadByTypeRsp);
  writer.u8(2 + size);
  for (const { handle, value } of entries) {
    writer.u16(handle);
    writer.bytes(value);
  }
  return writer.frame;
}

/** ATT_READ_MULTIPLE_RSP or its variable form, cut to what fits (Vol 3 Part F 3.4.4.8 and 3.4.4.12). */
export function readMultipleResponse(values: readonly Uint8Array[], variable: boolean, { channel, limit }: ResponseRoom): Uint8Array {
  const opcode = variable ? AttOpcode.ReadMultipleVariableRsp : AttOpcode.ReadMultipleRsp;
  const parts: { length: number; value: Uint8Array }[] = [];
  let room = limit - 1;
  for (const value of values) {
    if (variable && room < 2) break; // never cut within a length field
    if (variable) room -= 2;
    const part = value.subarray(0, room);
    parts.push({ length: value.length, value: part });
    room -= part.length;
  }
  const writer = new FrameWriter(channel.allocate(limit - room), opcode);
  for (const { length, value } of parts) {
    if (variable) writer.u16(length);
    writer.bytes(value);
  }
  return writer.frame;
}
