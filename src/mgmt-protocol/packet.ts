import { DecodeError, Reader, u8, u16, Writer } from "../bytes/index.ts";
import { ArgumentError } from "../core/index.ts";
import type { AnyMgmtCommand, AnyMgmtEvent } from "./declare.ts";
import { CommandComplete, CommandStatus } from "./events/reply.ts";
import { decodeFields, encodeFields, type GivenTo } from "./fields.ts";
import { commandsByOpcode, eventsByCode } from "./registry.ts";
import { Status } from "./values.ts";

/** Code, controller index, length of the parameters: three 16-bit numbers. */
export const HEADER_OCTETS = 6;
/** Where the return parameters of a Command Complete begin: behind opcode and status. */
export const RETURNS_OFFSET = HEADER_OCTETS + 3;
/** A packet's parameters have a 16-bit length. */
export const MOST_PARAMETER_OCTETS = 0xffff;

const NOTHING = new Uint8Array(0);

/** A command as a program sends it. */
export interface MgmtCommandPacket {
  readonly opcode: number;
  /** NO_CONTROLLER where it belongs to none. */
  readonly index: number;
  /** Absent when the opcode is not known; `parameters` are then the raw octets. */
  readonly declaration: AnyMgmtCommand | undefined;
  readonly parameters: Readonly<Record<string, unknown>> | Uint8Array;
  /** Octets behind the parameters that are known. */
  readonly surplus: Uint8Array;
}

/** A reply: Command Complete or Command Status. */
export interface MgmtReplyPacket {
  readonly kind: "complete" | "status";
  readonly opcode: number;
  readonly index: number;
  /** Absent when the opcode is not known; `returns` are then the raw octets. */
  readonly declaration: AnyMgmtCommand | undefined;
  /** One of Status, or a number that has no name. */
  readonly status: number;
  /** Absent where there are none, as in every Command Status and with many failures. */
  readonly returns: Readonly<Record<string, unknown>> | Uint8Array | undefined;
  readonly surplus: Uint8Array;
}

/** Any other event. */
export interface MgmtEventPacket {
  readonly kind: "event";
  readonly code: number;
  readonly index: number;
  /** Absent when the code is not known; `parameters` are then the raw octets. */
  readonly declaration: AnyMgmtEvent | undefined;
  readonly parameters: Readonly<Record<string, unknown>> | Uint8Array;
  readonly surplus: Uint8Array;
}

/** What the kernel sends. */
export type MgmtPacket = MgmtReplyPacket | MgmtEventPacket;

function frame(name: string, code: number, index: number, parameters: Uint8Array): Uint8Array {
  if (parameters.length > MOST_PARAMETER_OCTETS)
    throw new ArgumentError(`${name}: ${parameters.length} octets of parameters, a packet holds ${MOST_PARAMETER_OCTETS}`);
  const writer = new Writer(HEADER_OCTETS + parameters.length);
  writer.u16(code);
  writer.u16(index);
  writer.u16(parameters.length);
  writer.bytes(parameters);
  return writer.finish();
}

function within<T>(name: string, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    if (error instanceof ArgumentError) throw new ArgumentError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The whole packet of a command. @throws {ArgumentError} a value its field cannot hold */
export function encodeCommand<C extends AnyMgmtCommand>(declaration: C, index: number, parameters: GivenTo<C["parameters"]>): Uint8Array {
  const { name, opcode } = declaration;
  return frame(
    name,
    opcode,
    index,
    within(name, () => encodeFields<C["parameters"]>(declaration.parameters, parameters)),
  );
}

/** The whole packet of an event, as the kernel sends it. @throws {ArgumentError} a value its field cannot hold */
export function encodeEvent<E extends AnyMgmtEvent>(declaration: E, index: number, parameters: GivenTo<E["parameters"]>): Uint8Array {
  const { name, code } = declaration;
  return frame(
    name,
    code,
    index,
    within(name, () => encodeFields<E["parameters"]>(declaration.parameters, parameters)),
  );
}

/**
 * The whole packet of a Command Complete event.
 *
 * @param returns values of the declaration's return parameters, or raw octets; `undefined` for none at all
 */
export function encodeCommandComplete<C extends AnyMgmtCommand>(
  command: C,
  index: number,
  status: number,
  returns: GivenTo<C["returns"]> | Uint8Array | undefined,
): Uint8Array {
  const returnParameters =
    returns === undefined
      ? NOTHING
      : returns instanceof Uint8Array
        ? returns
        : within(command.name, () => encodeFields<C["returns"]>(command.returns, returns));
  return encodeEvent(CommandComplete, index, { commandOpcode: command.opcode, status, returnParameters });
}

/** The whole packet of a Command Status event. */
export function encodeCommandStatus(opcode: number, index: number, status: number): Uint8Array {
  return encodeEvent(CommandStatus, index, { commandOpcode: opcode, status });
}

/** The header's fields. @throws {DecodeError} fewer octets than a header, or a length that is not that of the packet */
function readHeader(packet: Uint8Array): { code: number; index: number } {
  const reader = new Reader(packet, { name: "header" });
  const header = { code: reader.u16(), index: reader.u16() };
  const length = reader.u16();
  if (length !== reader.remaining) reader.fail(`parameter length ${length}, ${reader.remaining} octets present`);
  return header;
}

/** @throws {DecodeError} a header or parameters that are too short; the error names field and offset */
export function decodeCommand(packet: Uint8Array): MgmtCommandPacket {
  const { code: opcode, index } = readHeader(packet);
  const declaration = commandsByOpcode.get(opcode);
  if (!declaration) return { opcode, index, declaration, parameters: packet.slice(HEADER_OCTETS), surplus: NOTHING };
  const { value, surplus } = decodeFields(declaration.parameters, packet, { name: declaration.name, offset: HEADER_OCTETS });
  return { opcode, index, declaration, parameters: value, surplus };
}

/**
 * What the kernel sent. Events, opcodes and values that are not known pass through as numbers and octets, and octets behind what is known
 * are kept: kernels grow.
 *
 * @throws {DecodeError} a header or parameters that are too short; the error names field and offset
 */
export function decodePacket(packet: Uint8Array): MgmtPacket {
  const { code, index } = readHeader(packet);
  const declaration = eventsByCode.get(code);
  if (declaration === CommandComplete || declaration === CommandStatus) return decodeReply(packet, index);
  if (!declaration) return { kind: "event", code, index, declaration, parameters: packet.slice(HEADER_OCTETS), surplus: NOTHING };
  const { value, surplus } = decodeFields(declaration.parameters, packet, { name: declaration.name, offset: HEADER_OCTETS });
  return { kind: "event", code, index, declaration, parameters: value, surplus };
}

function decodeReply(packet: Uint8Array, index: number): MgmtReplyPacket {
  const { kind, opcode, status } = peekReply(packet)!;
  const declaration = commandsByOpcode.get(opcode);
  const [returns, surplus] = kind === "status" ? [undefined, behindStatus(packet)] : readReturns(packet, status, declaration);
  return { kind, opcode, index, declaration, status, returns, surplus };
}

function behindStatus(packet: Uint8Array): Uint8Array {
  return packet.length > RETURNS_OFFSET ? packet.slice(RETURNS_OFFSET) : NOTHING;
}

/** What a Command Complete returns, and the octets behind it. */
function readReturns(
  packet: Uint8Array,
  status: number,
  declaration: AnyMgmtCommand | undefined,
): [returns: MgmtReplyPacket["returns"], surplus: Uint8Array] {
  const isEmpty = packet.length === RETURNS_OFFSET;
  if (!declaration) return [isEmpty ? undefined : behindStatus(packet), NOTHING];
  if (isEmpty && status !== Status.Success) return [undefined, NOTHING];
  try {
    const { value, surplus } = decodeFields(declaration.returns, packet, { name: declaration.name, offset: RETURNS_OFFSET });
    return [value, surplus];
  } catch (error) {
    // What a failed command returns is a courtesy.
    if (error instanceof DecodeError && status !== Status.Success) return [undefined, behindStatus(packet)];
    throw error;
  }
}

/**
 * Which request a packet answers, found without looking at the return parameters; undefined when it is no reply.
 *
 * @throws {DecodeError} a reply without opcode or status
 */
export function peekReply(packet: Uint8Array): { kind: "complete" | "status"; opcode: number; index: number; status: number } | undefined {
  const { code, index } = readHeader(packet);
  if (code !== CommandComplete.code && code !== CommandStatus.code) return undefined;
  const complete = code === CommandComplete.code;
  const reader = new Reader(packet, { name: complete ? CommandComplete.name : CommandStatus.name, offset: HEADER_OCTETS });
  const opcode = reader.field("commandOpcode", u16);
  const status = reader.field("status", u8);
  return { kind: complete ? "complete" : "status", opcode, index, status };
}
