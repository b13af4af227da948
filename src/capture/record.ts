import type { HciDirection } from "../hci/redaction/redactor.ts";
import { PacketType } from "../hci/transport.ts";

export type CaptureDirection = HciDirection;

export function opposite(direction: CaptureDirection): CaptureDirection {
  return direction === "host-to-controller" ? "controller-to-host" : "host-to-controller";
}

/** What every record of a capture has, whatever it holds. */
interface Stamped {
  /** Milliseconds since 1970-01-01 UTC; files keep microseconds. */
  readonly timeMs: number;
  /** What somebody says about it: Jelling the call that it comes from, others what they like. pcapng alone keeps it. */
  readonly comment?: string | undefined;
}

/** One HCI packet of a capture. */
export interface CaptureRecord extends Stamped {
  readonly direction: CaptureDirection;
  /** H4 packet type, then the packet. */
  readonly packet: Uint8Array;
  /** Number of the adapter, where the capture tells adapters apart. */
  readonly index?: number | undefined;
  /** Octets of the packet on the wire, the H4 type included; more than `packet.length` where the capture was cut short. */
  readonly originalLength: number;
  /** Packets lost by the capturing program since it began, as far as the capture has said by now. */
  readonly drops: number;
}

/** A packet to be written: what is not said is that nothing is missing. */
export type WrittenRecord = Omit<CaptureRecord, "originalLength" | "drops"> & Partial<Pick<CaptureRecord, "originalLength" | "drops">>;

/** One record of the Linux monitor channel. */
export interface MonitorRecord extends Stamped {
  /** Usually one of `MonitorOpcode`. */
  readonly opcode: number;
  /** Number of the adapter; `NO_INDEX` where the record is about none. */
  readonly index: number;
  readonly payload: Uint8Array;
  /** In a file: octets of the payload when it was captured; more than `payload.length` where the capture was cut short. */
  readonly originalLength?: number | undefined;
  /** In a file: as that of a packet. */
  readonly drops?: number | undefined;
}

/** What a capture holds: HCI packets, and from the Linux monitor also what is said beside them. */
export type AnyCaptureRecord = CaptureRecord | MonitorRecord;

/** The year 2000: simulated time has no date, and the same run must give the same file. Milliseconds since 1970-01-01 UTC. */
export const SIMULATED_EPOCH_MS = 946_684_800_000;

/** The adapter's number of records that are about no adapter. */
export const NO_INDEX = 0xffff;

/** The kinds of record of the Linux monitor channel. */
export const MonitorOpcode = Object.freeze({
  NewIndex: 0,
  DelIndex: 1,
  CommandPacket: 2,
  EventPacket: 3,
  AclTx: 4,
  AclRx: 5,
  ScoTx: 6,
  ScoRx: 7,
  OpenIndex: 8,
  CloseIndex: 9,
  IndexInfo: 10,
  VendorDiag: 11,
  SystemNote: 12,
  UserLogging: 13,
  ControlOpen: 14,
  ControlClose: 15,
  ControlCommand: 16,
  ControlEvent: 17,
  IsoTx: 18,
  IsoRx: 19,
});

export function isMonitorRecord(record: AnyCaptureRecord): record is MonitorRecord {
  return "opcode" in record;
}

const TO = "host-to-controller";
const FROM = "controller-to-host";
/** Records of the monitor that carry an HCI packet. */
export const HCI_RECORDS: ReadonlyMap<number, readonly [type: number, direction: CaptureDirection]> = new Map([
  [MonitorOpcode.CommandPacket, [PacketType.Command, TO]],
  [MonitorOpcode.EventPacket, [PacketType.Event, FROM]],
  [MonitorOpcode.AclTx, [PacketType.AclData, TO]],
  [MonitorOpcode.AclRx, [PacketType.AclData, FROM]],
  [MonitorOpcode.ScoTx, [PacketType.SynchronousData, TO]],
  [MonitorOpcode.ScoRx, [PacketType.SynchronousData, FROM]],
  [MonitorOpcode.IsoTx, [PacketType.IsoData, TO]],
  [MonitorOpcode.IsoRx, [PacketType.IsoData, FROM]],
]);
/** The other way round, by type and direction; either direction of a command and an event is the one there is. */
const OPCODES: ReadonlyMap<number, Readonly<Record<CaptureDirection, number>>> = new Map([
  [PacketType.Command, { [TO]: MonitorOpcode.CommandPacket, [FROM]: MonitorOpcode.CommandPacket }],
  [PacketType.Event, { [TO]: MonitorOpcode.EventPacket, [FROM]: MonitorOpcode.EventPacket }],
  [PacketType.AclData, { [TO]: MonitorOpcode.AclTx, [FROM]: MonitorOpcode.AclRx }],
  [PacketType.SynchronousData, { [TO]: MonitorOpcode.ScoTx, [FROM]: MonitorOpcode.ScoRx }],
  [PacketType.IsoData, { [TO]: MonitorOpcode.IsoTx, [FROM]: MonitorOpcode.IsoRx }],
]);

/** The HCI packet that a record of the monitor carries, if it carries one. */
export function hciPacketOf(record: MonitorRecord): CaptureRecord | undefined {
  const { payload, index, timeMs, originalLength = payload.length, drops = 0, comment } = record;
  const known = HCI_RECORDS.get(record.opcode);
  if (!known) return undefined;
  const [type, direction] = known;
  return { direction, packet: withType(type, payload), index, timeMs, originalLength: originalLength + 1, drops, ...commented(comment) };
}

/** The monitor's record of an HCI packet; of adapter 0 where the packet does not name one. `undefined` for what is no HCI packet. */
export function monitorRecordOf(record: WrittenRecord): MonitorRecord | undefined {
  const { direction, packet, index = 0, timeMs, originalLength = packet.length, comment } = record;
  const opcodes = OPCODES.get(packet[0] ?? 0);
  const about = { index, timeMs, originalLength: originalLength - 1, ...commented(comment) };
  return opcodes && { opcode: opcodes[direction], payload: packet.subarray(1), ...about };
}

/** The comment of a record, where there is one. */
export const commented = (comment: string | undefined): { comment?: string } => (comment === undefined ? {} : { comment });

/** H4: the packet behind its type. */
export function withType(type: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(1 + payload.length);
  packet[0] = type;
  packet.set(payload, 1);
  return packet;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Microseconds of a time in milliseconds. */
export function microseconds(timeMs: number): bigint {
  return BigInt(Math.round(timeMs * 1000));
}
