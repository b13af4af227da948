import { type Codec, encode, type Infer, Reader, rest, struct, u8, u16, u32, Writer } from "../bytes/index.ts";
import { Address, ArgumentError } from "../core/index.ts";
import { MonitorOpcode, type MonitorRecord } from "./record.ts";

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

function untilNul(octets: Uint8Array): string {
  const end = octets.indexOf(0);
  return fromUtf8.decode(end < 0 ? octets : octets.subarray(0, end));
}

function withoutNul(text: string): Uint8Array {
  const octets = utf8.encode(text);
  if (octets.includes(0)) throw new ArgumentError("a NUL inside the text");
  return octets;
}

/** Text in a slot of `length` octets, ended by a NUL where it is shorter. */
const text = (length: number): Codec<string> => ({
  decode: (reader) => untilNul(reader.take(length)),
  encode: (writer, value) => {
    const octets = withoutNul(value);
    if (octets.length > length) throw new ArgumentError(`text of ${octets.length} octets: expected at most ${length}`);
    writer.bytes(octets);
    writer.bytes(new Uint8Array(length - octets.length));
  },
});

/** Text behind its length in one octet. */
const sizedText = ({ slot, nul }: { slot?: number; nul: boolean }): Codec<string> => ({
  decode: (reader) => untilNul(reader.take(reader.u8())),
  encode: (writer, value) => {
    const length = slot ?? withoutNul(value).length + (nul ? 1 : 0);
    writer.u8(length);
    text(length).encode(writer, value);
  },
});

/** Text to the end of the record, ended by a NUL. */
const restText: Codec<string> = {
  decode: (reader) => untilNul(reader.rest()),
  encode: (writer, value) => {
    writer.bytes(withoutNul(value));
    writer.u8(0);
  },
};

/** Six octets as text, most significant first. */
const deviceAddress: Codec<string> = {
  decode: (reader) => new Address(reader.take(6), 0).toHex(),
  encode: (writer, value) => writer.bytes(Address.from(value).bytes),
};

const COMM_OCTETS = 16;
const nothing = struct({ payload: rest });
const packet = struct({ payload: rest });
const control = struct({ cookie: u32, code: u16, parameters: rest });

/** What is in the payload, by the kind of record. Octets behind the last field are passed over. */
const PAYLOADS = {
  NewIndex: struct({ type: u8, bus: u8, address: deviceAddress, name: text(8) }),
  DelIndex: nothing,
  OpenIndex: nothing,
  CloseIndex: nothing,
  IndexInfo: struct({ address: deviceAddress, manufacturer: u16 }),
  CommandPacket: packet,
  EventPacket: packet,
  AclTx: packet,
  AclRx: packet,
  ScoTx: packet,
  ScoRx: packet,
  IsoTx: packet,
  IsoRx: packet,
  VendorDiag: packet,
  SystemNote: struct({ text: restText }),
  UserLogging: struct({ priority: u8, identifier: sizedText({ nul: true }), message: restText }),
  // format: 0 raw, 1 user channel, 2 management; flags: bit 0 the program is privileged; command: the program's name
  ControlOpen: struct({
    cookie: u32,
    format: u16,
    version: u8,
    revision: u16,
    flags: u32,
    command: sizedText({ slot: COMM_OCTETS, nul: false }),
  }),
  ControlClose: struct({ cookie: u32 }),
  ControlCommand: control,
  ControlEvent: control,
} as const satisfies Record<keyof typeof MonitorOpcode, Codec<unknown>>;

export type MonitorRecordName = keyof typeof MonitorOpcode;
/** The fields of one kind of record. */
export type MonitorFields<N extends MonitorRecordName> = Infer<(typeof PAYLOADS)[N]>;

/** What a record says: the kind of record and its fields; `undefined` and the octets where the kind is not known. */
export type MonitorPayload =
  | { readonly [N in MonitorRecordName]: { readonly name: N; readonly fields: Readonly<MonitorFields<N>> } }[MonitorRecordName]
  | { readonly name: undefined; readonly fields: { readonly payload: Uint8Array } };

const NAMES: ReadonlyMap<number, MonitorRecordName> = new Map(
  Object.entries(MonitorOpcode).map(([name, opcode]) => [opcode, name as MonitorRecordName]),
);

/** Opcode, adapter, length: three 16-bit numbers. */
const HEADER_OCTETS = 6;

/**
 * One packet as it is read from the monitor channel: header and payload.
 *
 * @param timeMs when it arrived, milliseconds since 1970-01-01 UTC
 * @throws {DecodeError} shorter than its header, or of another length than that says
 */
export function decodeMonitorRecord(octets: Uint8Array, timeMs: number): MonitorRecord {
  const reader = new Reader(octets, { name: "MonitorRecord" });
  const [opcode, index, length] = (["opcode", "index", "length"] as const).map((name) => reader.field(name, u16)) as [
    number,
    number,
    number,
  ];
  if (length !== reader.remaining) reader.fail(`length ${length}, has ${reader.remaining} octets`);
  return { opcode, index, payload: reader.rest(), timeMs };
}

/** The packet as the kernel delivers it. @throws {ArgumentError} a payload of more than 65,535 octets */
export function encodeMonitorRecord({ opcode, index, payload }: Pick<MonitorRecord, "opcode" | "index" | "payload">): Uint8Array {
  const writer = new Writer(HEADER_OCTETS + payload.length);
  writer.u16(opcode);
  writer.u16(index);
  writer.u16(payload.length);
  writer.bytes(payload);
  return writer.finish();
}

/** The record's fields. @throws {DecodeError} the payload is too short */
export function decodeMonitorPayload({ opcode, payload }: Pick<MonitorRecord, "opcode" | "payload">): MonitorPayload {
  const name = NAMES.get(opcode);
  if (name === undefined) return { name, fields: { payload: payload.slice() } };
  const fields = PAYLOADS[name].decode(new Reader(payload, { name }));
  return { name, fields } as MonitorPayload;
}

/** A record of a kind that is known. @throws {ArgumentError} a value its field cannot hold */
export function createMonitorRecord<N extends MonitorRecordName>(
  name: N,
  { index, timeMs, fields }: { index: number; timeMs: number; fields: MonitorFields<N> },
): MonitorRecord {
  return { opcode: MonitorOpcode[name], index, payload: encode(PAYLOADS[name] as unknown as Codec<MonitorFields<N>>, fields), timeMs };
}

/** One write to the logging channel, which becomes a UserLogging record: the same fields behind a header with opcode 0. */
export function encodeUserLogging(index: number, fields: MonitorFields<"UserLogging">): Uint8Array {
  if (fields.priority > 7) throw new ArgumentError(`priority ${fields.priority}: expected 0 (emergency) to 7 (debug)`);
  return encodeMonitorRecord({ opcode: 0, index, payload: encode(PAYLOADS.UserLogging, fields) });
}
