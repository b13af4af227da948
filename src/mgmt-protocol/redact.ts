import { DecodeError } from "../bytes/index.ts";
import { CommandComplete, CommandStatus } from "./events/reply.ts";
import { type AnyStruct, decodeFields, type FieldDescription } from "./fields.ts";
import { HEADER_OCTETS, RETURNS_OFFSET } from "./packet.ts";
import { commandsByOpcode, eventsByCode } from "./registry.ts";

/** Zeros in place of keys, passkeys and what keys are made of. The packet itself, when it has none. */
export function redactCommand(packet: Uint8Array): Uint8Array {
  const declaration = commandsByOpcode.get(codeOf(packet));
  return declaration ? redact(packet, declaration.name, declaration.parameters, HEADER_OCTETS) : packet;
}

/** As redactCommand, for what the kernel sends. */
export function redactPacket(packet: Uint8Array): Uint8Array {
  const declaration = eventsByCode.get(codeOf(packet));
  if (!declaration || declaration === CommandStatus) return packet;
  if (declaration !== CommandComplete) return redact(packet, declaration.name, declaration.parameters, HEADER_OCTETS);
  const command = commandsByOpcode.get((packet[HEADER_OCTETS] ?? 0) | ((packet[HEADER_OCTETS + 1] ?? 0) << 8));
  if (!command || packet.length <= RETURNS_OFFSET) return packet;
  return redact(packet, command.name, command.returns, RETURNS_OFFSET);
}

function codeOf(packet: Uint8Array): number {
  return packet.length < HEADER_OCTETS ? -1 : packet[0]! | (packet[1]! << 8);
}

/**
 * A packet that should hold secrets and cannot be read keeps nothing behind `offset`. Nor do octets behind its fields stay, which are keys
 * where a list has more of them than it says.
 */
function redact(packet: Uint8Array, name: string, fields: AnyStruct, offset: number): Uint8Array {
  if (!holdsSecrets(fields)) return packet;
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
