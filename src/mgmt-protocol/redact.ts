import { DecodeError } from "../bytes/index.ts";
import { CommandComplete } from "./events/reply.ts";
import { type AnyStruct, decodeFields, type FieldDescription } from "./fields.ts";
import { HEADER_OCTETS, RETURNS_OFFSET } from "./packet.ts";
import { commandsByOpcode, eventsByCode } from "./registry.ts";

/** What a packet holds from `offset` on, by its declaration. */
export interface DeclaredPart {
  readonly name: string;
  readonly fields: AnyStruct;
  readonly offset: number;
}

/** The parameters of a command; undefined where it is not declared. */
export function partOfCommand(packet: Uint8Array): DeclaredPart | undefined {
  const declaration = commandsByOpcode.get(codeOf(packet));
  return declaration && { name: declaration.name, fields: declaration.parameters, offset: HEADER_OCTETS };
}

/** As partOfCommand, for what the kernel sends: of Command Complete the command's return parameters. */
export function partOfEvent(packet: Uint8Array): DeclaredPart | undefined {
  const declaration = eventsByCode.get(codeOf(packet));
  if (declaration !== CommandComplete)
    return declaration && { name: declaration.name, fields: declaration.parameters, offset: HEADER_OCTETS };
  const command = commandsByOpcode.get((packet[HEADER_OCTETS] ?? 0) | ((packet[HEADER_OCTETS + 1] ?? 0) << 8));
  if (!command || packet.length <= RETURNS_OFFSET) return undefined;
  return { name: command.name, fields: command.returns, offset: RETURNS_OFFSET };
}

/** Zeros in place of keys, passkeys and what keys are made of. The packet itself, when it has none. */
export function redactCommand(packet: Uint8Array): Uint8Array {
  return redact(packet, partOfCommand(packet));
}

/** As redactCommand, for what the kernel sends. */
export function redactPacket(packet: Uint8Array): Uint8Array {
  return redact(packet, partOfEvent(packet));
}

function codeOf(packet: Uint8Array): number {
  return packet.length < HEADER_OCTETS ? -1 : packet[0]! | (packet[1]! << 8);
}

/**
 * A packet that should hold secrets and cannot be read keeps nothing behind `offset`. Nor do octets behind its fields stay, which are keys
 * where a list has more of them than it says.
 */
function redact(packet: Uint8Array, part: DeclaredPart | undefined): Uint8Array {
  if (!part || !holdsSecrets(part.fields)) return packet;
  const { name, fields, offset } = part;
  const redacted = packet.slice();
  try {
    const { secrets, surplus } = decodeFields(fields, packet, { name, offset });
    for (const [start, end] of secrets) redacted.fill(0, start, end);
    redacted.fill(0, packet.length - surplus.length);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    redacted.fill(0, offset);
  }
  return redacted;
}

const known = new WeakMap<object, boolean>();

/** Whether a field or anything inside it is secret. */
export function holdsSecrets(field: { readonly description: FieldDescription }): boolean {
  let holds = known.get(field);
  if (holds === undefined) {
    const { secret, of, fields } = field.description;
    holds = secret === true || (of !== undefined && holdsSecrets(of)) || Object.values(fields ?? {}).some(holdsSecrets);
    known.set(field, holds);
  }
  return holds;
}
