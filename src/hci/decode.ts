import { DecodeError, decode } from "../bytes/index.ts";
import { checkOctets } from "../core/arguments.ts";
import { type CommandDeclaration, EventCode, type EventDeclaration, eventKey, isCommandFailure, opcodeText } from "./declare.ts";
import type { CommandComplete } from "./events/generic.ts";
import { commands, events } from "./registry.ts";
import { PacketType } from "./transport.ts";

export interface DecodedCommand {
  /** Absent for a command that is not declared; `parameters` are then the raw octets. */
  readonly declaration: CommandDeclaration | undefined;
  readonly name: string;
  readonly opcode: number;
  readonly parameters: unknown;
}

export interface DecodedEvent {
  /** Absent for an event that is not declared; `parameters` are then the raw octets after the event or subevent code. */
  readonly declaration: EventDeclaration | undefined;
  readonly name: string;
  readonly eventCode: number;
  readonly subeventCode: number | undefined;
  readonly parameters: unknown;
  /**
   * For Command Complete: the command it answers, with its return parameters decoded; after an error status `{ status }` alone where the
   * rest is missing or cut. Raw octets where the command is not declared, or is one that Command Status answers.
   */
  readonly answers: { readonly declaration: CommandDeclaration | undefined; readonly name: string; readonly returns: unknown } | undefined;
}

function checkFrame(packet: Uint8Array, type: number, lengthAt: number, path: string): void {
  checkOctets(path, packet);
  const fail = (problem: string, offset: number): never => {
    throw new DecodeError({ path, problem, offset, length: packet.length, packet });
  };
  if (packet.length <= lengthAt) fail(`needs ${lengthAt + 1} bytes, has ${packet.length}`, packet.length);
  if (packet[0] !== type) fail(`packet type ${packet[0]}, expected ${type}`, 0);
  if (packet[lengthAt] !== packet.length - lengthAt - 1)
    fail(`length ${packet[lengthAt]}, has ${packet.length - lengthAt - 1} octets of parameters`, lengthAt);
}

/** Decodes a whole H4 command packet. An undeclared command passes through raw. @throws {DecodeError} short, lying or over-long */
export function decodeCommand(packet: Uint8Array): DecodedCommand {
  checkFrame(packet, PacketType.Command, 3, "command");
  const opcode = packet[1]! | (packet[2]! << 8);
  const declaration = commands.get(opcode);
  if (!declaration) return { declaration, name: `Command ${opcodeText(opcode)}`, opcode, parameters: packet.slice(4) };
  return {
    declaration,
    name: declaration.name,
    opcode,
    parameters: decode(declaration.parameters, packet, { name: declaration.name, offset: 4 }),
  };
}

/** Decodes a whole H4 event packet. An undeclared event passes through raw. @throws {DecodeError} short, lying or over-long */
export function decodeEvent(packet: Uint8Array): DecodedEvent {
  if (!(packet instanceof Uint8Array) || !isCommandFailure(packet)) checkFrame(packet, PacketType.Event, 2, "event");
  const eventCode = packet[1]!;
  const isLeMeta = eventCode === EventCode.LeMeta;
  if (isLeMeta && packet.length < 4)
    throw new DecodeError({ path: "LeMeta", problem: "no subevent code", offset: 3, length: packet.length, packet });
  const subeventCode = isLeMeta ? packet[3] : undefined;
  const offset = isLeMeta ? 4 : 3;
  const declaration = events.get(eventKey(eventCode, subeventCode));
  if (!declaration) {
    const hex = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;
    const name = subeventCode === undefined ? `Event ${hex(eventCode)}` : `LeMeta ${hex(subeventCode)}`;
    return { declaration, name, eventCode, subeventCode, parameters: packet.slice(offset), answers: undefined };
  }
  const parameters = decode(declaration.parameters, packet, { name: declaration.name, offset });
  const answers = eventCode === EventCode.CommandComplete ? decodeAnswer(parameters as CommandComplete) : undefined;
  return { declaration, name: declaration.name, eventCode, subeventCode, parameters, answers };
}

function decodeAnswer({ commandOpcode, returnParameters }: CommandComplete): DecodedEvent["answers"] {
  const declaration = commands.get(commandOpcode);
  const name = declaration?.name ?? `Command ${opcodeText(commandOpcode)}`;
  if (!declaration?.returns) return { declaration, name, returns: returnParameters };
  try {
    return { declaration, name, returns: decode(declaration.returns, returnParameters, { name }) };
  } catch (error) {
    const status = returnParameters[0];
    if (status === undefined || status === 0) throw error;
    return { declaration, name, returns: { status } };
  }
}
