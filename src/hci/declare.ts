import { type Codec, Reader, Writer } from "../bytes/index.ts";
import { ArgumentError } from "../core/error.ts";
import { PacketType } from "./transport.ts";

/** Opcode Group Fields, Vol 4 Part E 7. */
export const Ogf = Object.freeze({
  LinkControl: 0x01,
  LinkPolicy: 0x02,
  ControllerBaseband: 0x03,
  InformationalParameters: 0x04,
  StatusParameters: 0x05,
  Testing: 0x06,
  LeController: 0x08,
  VendorSpecific: 0x3f,
});

/** Event codes that frame other things, Vol 4 Part E 7.7. */
export const EventCode = Object.freeze({
  DisconnectionComplete: 0x05,
  EncryptionChange: 0x08,
  CommandComplete: 0x0e,
  CommandStatus: 0x0f,
  HardwareError: 0x10,
  NumberOfCompletedPackets: 0x13,
  DataBufferOverflow: 0x1a,
  LeMeta: 0x3e,
  VendorSpecific: 0xff,
});

/** A command as the specification's table declares it. `P` are its parameters, `R` its return parameters. */
export interface CommandDeclaration<P = unknown, R = unknown> {
  readonly name: string;
  readonly ogf: number;
  readonly ocf: number;
  readonly opcode: number;
  readonly parameters: Codec<P>;
  /** Return parameters of Command Complete, `status` first. Absent: the command is answered by Command Status. */
  readonly returns: Codec<R> | undefined;
  /** Octet and bit in Supported_Commands, Vol 4 Part E 6.27. Absent: every controller has it. */
  readonly supported: readonly [octet: number, bit: number] | undefined;
  /** True for the one command that no event answers and that needs no credit (Host Number Of Completed Packets). */
  readonly unanswered: boolean;
  /** Nothing is known of how it is answered: Command Status and Command Complete both do. */
  readonly anyAnswer: boolean;
}

/** An event as the specification's table declares it. */
export interface EventDeclaration<P = unknown> {
  readonly name: string;
  readonly eventCode: number;
  readonly subeventCode: number | undefined;
  readonly parameters: Codec<P>;
}

interface CommandTable<P> {
  ogf: number;
  ocf: number;
  parameters: Codec<P>;
  supported?: readonly [octet: number, bit: number];
  unanswered?: boolean;
  anyAnswer?: boolean;
}

/** Declares a command. Without `returns` it is answered by Command Status, and its outcome comes in an event of its own. */
export function command<P, R>(name: string, table: CommandTable<P> & { returns: Codec<R> }): CommandDeclaration<P, R>;
export function command<P>(name: string, table: CommandTable<P>): CommandDeclaration<P, void>;
/* @__NO_SIDE_EFFECTS__ */ export function command<P, R>(
  name: string,
  table: CommandTable<P> & { returns?: Codec<R> },
): CommandDeclaration<P, R> {
  const { ogf, ocf, parameters, returns, supported, unanswered = false, anyAnswer = false } = table;
  return Object.freeze({ name, ogf, ocf, opcode: (ogf << 10) | ocf, parameters, returns, supported, unanswered, anyAnswer });
}

/** Declares an event; with `subeventCode` one inside an LE Meta event. */
/* @__NO_SIDE_EFFECTS__ */ export function event<P>(
  name: string,
  { eventCode, subeventCode, parameters }: { eventCode: number; subeventCode?: number; parameters: Codec<P> },
): EventDeclaration<P> {
  return Object.freeze({ name, eventCode, subeventCode, parameters });
}

/** The key of an event in the registry: the event code, for LE Meta events 0x3E00 plus the subevent code. */
export function eventKey(eventCode: number, subeventCode?: number): number {
  return subeventCode === undefined ? eventCode : (eventCode << 8) | subeventCode;
}

/** "0x200c". */
export function opcodeText(opcode: number): string {
  return `0x${opcode.toString(16).padStart(4, "0")}`;
}

/**
 * Whether a whole event packet is a Command Complete with an error status. What follows the status is then of no meaning, and controllers
 * send all of it, part of it or nothing; some do not even count it in the event's length.
 */
export function isCommandFailure(packet: Uint8Array): boolean {
  return packet.length >= 7 && packet[0] === PacketType.Event && packet[1] === EventCode.CommandComplete && packet[6] !== 0;
}

const NOTHING = new Uint8Array(0);

function finish(name: string, writer: Writer, lengthAt: number): Uint8Array {
  const packet = writer.finish();
  const length = packet.length - lengthAt - 1;
  if (length > 255) throw new ArgumentError(`${name}: ${length} octets of parameters, a packet holds 255`);
  packet[lengthAt] = length;
  return packet;
}

/** The whole H4 packet of a command. @throws {ArgumentError} a value its field cannot hold */
export function encodeCommand<P>(declaration: CommandDeclaration<P, unknown>, parameters: P): Uint8Array {
  const writer = new Writer();
  writer.u8(PacketType.Command);
  writer.u16(declaration.opcode);
  writer.u8(0);
  declaration.parameters.encode(writer, parameters);
  return finish(declaration.name, writer, 3);
}

/** The whole H4 packet of an event. @throws {ArgumentError} a value its field cannot hold */
export function encodeEvent<P>(declaration: EventDeclaration<P>, parameters: P): Uint8Array {
  const writer = new Writer();
  writer.u8(PacketType.Event);
  writer.u8(declaration.eventCode);
  writer.u8(0);
  if (declaration.subeventCode !== undefined) writer.u8(declaration.subeventCode);
  declaration.parameters.encode(writer, parameters);
  return finish(declaration.name, writer, 2);
}

/**
 * The whole H4 packet of a Command Complete event.
 *
 * With nothing but a `status` other than 0x00 the remaining return parameters are sent as zeros, so that hosts that insist on the
 * length of the table are content.
 *
 * @param command a declaration, or an opcode with raw return parameters
 */
export function encodeCommandComplete<R>(
  declaration: CommandDeclaration<unknown, R>,
  returns: R | { status: number },
  numHciCommandPackets?: number,
): Uint8Array;
export function encodeCommandComplete(opcode: number, returns: Uint8Array, numHciCommandPackets?: number): Uint8Array;
export function encodeCommandComplete<R>(
  command: CommandDeclaration<unknown, R> | number,
  returns: R | { status: number } | Uint8Array,
  numHciCommandPackets = 1,
): Uint8Array {
  const writer = new Writer();
  writer.u8(PacketType.Event);
  writer.u8(EventCode.CommandComplete);
  writer.u8(0);
  writer.u8(numHciCommandPackets);
  if (typeof command === "number") {
    writer.u16(command);
    writer.bytes(returns as Uint8Array);
    return finish("CommandComplete", writer, 2);
  }
  writer.u16(command.opcode);
  const { status } = returns as { status?: number };
  if (status !== undefined && status !== 0 && Object.keys(returns as object).length === 1) {
    const size = command.returns ? fixedSize(command.returns) : 1;
    writer.u8(status);
    writer.bytes(size > 1 ? new Uint8Array(size - 1) : NOTHING);
  } else command.returns?.encode(writer, returns as R);
  return finish("CommandComplete", writer, 2);
}

const sizes = new WeakMap<object, number>();

/** Octets that a codec of constant size takes, counts being 0; 1 where it takes all there is. */
function fixedSize(codec: Codec<unknown>): number {
  let size = sizes.get(codec);
  if (size === undefined) {
    const reader = new Reader(new Uint8Array(256));
    codec.decode(reader);
    size = reader.remaining === 0 ? 1 : reader.offset;
    sizes.set(codec, size);
  }
  return size;
}

/** The whole H4 packet of a Command Status event. */
export function encodeCommandStatus(opcode: number, status: number, numHciCommandPackets = 1): Uint8Array {
  return Uint8Array.of(PacketType.Event, EventCode.CommandStatus, 4, status, numHciCommandPackets, opcode & 0xff, opcode >> 8);
}
