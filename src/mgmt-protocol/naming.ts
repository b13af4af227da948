import type { AnyMgmtCommand } from "./declare.ts";
import type { MgmtCommandPacket } from "./packet.ts";
import { Status } from "./values.ts";

/** Fields by which return parameters tell what they are about; where a command has them among its own parameters, the kernel repeats them. */
const NAMING = ["address", "addressType", "addressTypes", "instance", "monitorHandle", "uuid"] as const;

const namesOf = new WeakMap<AnyMgmtCommand, readonly string[]>();

function namingFields(command: AnyMgmtCommand): readonly string[] {
  let names = namesOf.get(command);
  if (!names) {
    names = NAMING.filter((name) => name in command.parameters.fields && name in command.returns.fields);
    namesOf.set(command, names);
  }
  return names;
}

/** Whether replies to a command repeat what it is about. */
export function saysWhatItIsAbout(command: AnyMgmtCommand): boolean {
  return namingFields(command).length > 0;
}

/**
 * Whether a reply speaks of the device, the instance or the handle that a command was about. "nothing": it does not say, as every Command
 * Status, and failures that leave zeros in that place.
 *
 * @param command the command as it was sent, decoded
 */
export function namedBy(
  reply: { readonly status: number; readonly returns: Readonly<Record<string, unknown>> | Uint8Array | undefined },
  command: Pick<MgmtCommandPacket, "declaration" | "parameters">,
): "same" | "other" | "nothing" {
  const { returns, status } = reply;
  const { declaration, parameters } = command;
  if (!returns || returns instanceof Uint8Array || !declaration || parameters instanceof Uint8Array) return "nothing";
  const names = namingFields(declaration);
  if (names.length === 0) return "nothing";
  if (names.every((name) => text(returns[name]) === text(parameters[name]))) return "same";
  return status !== Status.Success && names.every((name) => isZero(returns[name])) ? "nothing" : "other";
}

const text = (value: unknown): string => String(value);
const isZero = (value: unknown): boolean => !/[1-9a-f]/i.test(text(value));
