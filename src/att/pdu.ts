import { type Codec, decode, repeated, rest, struct, u8, u16 } from "../bytes/codec.ts";
import { Writer } from "../bytes/writer.ts";
import { ArgumentError } from "../core/error.ts";
import { Uuid } from "../core/uuid.ts";
import { AttOpcode, attOpcodeName } from "./opcode.ts";

/** An Attribute PDU: its name, its opcode, and what follows the opcode. */
export interface AttPduDeclaration<P = unknown> {
  readonly name: string;
  readonly opcode: number;
  readonly parameters: Codec<P>;
}

/** An attribute type as ATT carries it: the 2 or 16 octets that remain (Vol 3 Part F 3.2.1). */
const uuidRest: Codec<Uuid> = {
  decode: (reader) => {
    if (reader.remaining !== 2 && reader.remaining !== 16) reader.fail(`UUID of ${reader.remaining} bytes, must be 2 or 16`);
    return Uuid.fromBytes(reader.rest());
  },
  encode: (writer, uuid) => writer.bytes(uuid.attBytes),
};

/** Handles until the end, two or more (Vol 3 Part F 3.4.4.7). */
const handleSet: Codec<number[]> = {
  decode: (reader) => {
    if (reader.remaining < 4) reader.fail(`set of ${reader.remaining} bytes, must hold two handles`);
    return repeated(u16).decode(reader);
  },
  encode: (writer, handles) => repeated(u16).encode(writer, handles),
};

const nothing: Codec<Record<string, never>> = { decode: () => ({}), encode: () => {} };
const handleRange = { startingHandle: u16, endingHandle: u16 } as const;
const handleAndValue = struct({ attributeHandle: u16, attributeValue: rest });
const handleOffsetAndValue = struct({ attributeHandle: u16, valueOffset: u16, partAttributeValue: rest });

/** Pairs of handle and type, all types of one size (Vol 3 Part F 3.4.3.2). */
const informationData: Codec<{ handle: number; uuid: Uuid }[]> = {
  decode: (reader) => {
    const format = reader.u8();
    if (format !== 1 && format !== 2) reader.fail(`format ${format}, must be 1 or 2`);
    if (reader.remaining === 0) reader.fail("no pair of handle and UUID");
    const pairs: { handle: number; uuid: Uuid }[] = [];
    while (reader.remaining > 0) pairs.push({ handle: reader.u16(), uuid: Uuid.fromBytes(reader.take(format === 1 ? 2 : 16)) });
    return pairs;
  },
  encode: (writer, pairs) => {
    const short = pairs[0]?.uuid.short !== undefined;
    writer.u8(short ? 1 : 2);
    for (const { handle, uuid } of pairs) {
      writer.u16(handle);
      writer.bytes(short ? uuid.attBytes : uuid.bytes128);
    }
  },
};

/** Entries of one length, named once before them (Vol 3 Part F 3.4.4.2 and 3.4.4.10). */
/* @__NO_SIDE_EFFECTS__ */ function equalEntries<T>(
  head: number,
  codec: (valueLength: number) => Codec<T>,
  contentOf: (entry: T) => Uint8Array,
): Codec<T[]> {
  return {
    decode: (reader) => {
      const length = reader.u8();
      if (length < head) reader.fail(`entry length ${length}, must be at least ${head}`);
      if (reader.remaining === 0) reader.fail("no entry");
      const entry = codec(length - head);
      const entries: T[] = [];
      while (reader.remaining > 0) entries.push(reader.field(entries.length, entry));
      return entries;
    },
    encode: (writer, entries) => {
      const length = entries[0] === undefined ? 0 : contentOf(entries[0]).length;
      writer.u8(head + length);
      const entry = codec(length);
      for (const value of entries) entry.encode(writer, value);
    },
  };
}

const octets = (length: number): Codec<Uint8Array> => ({
  decode: (reader) => reader.take(length),
  encode: (writer, value) => {
    if (value.length !== length) throw new ArgumentError(`${value.length} octets: expected ${length}`);
    writer.bytes(value);
  },
});

/** Length and value until the end; the last value may be cut short (Vol 3 Part F 3.4.4.12). */
const lengthValueTuples: Codec<{ valueLength: number; attributeValue: Uint8Array }[]> = {
  decode: (reader) => {
    const tuples: { valueLength: number; attributeValue: Uint8Array }[] = [];
    while (reader.remaining > 0) {
      const valueLength = reader.u16();
      tuples.push({ valueLength, attributeValue: reader.take(Math.min(valueLength, reader.remaining)) });
    }
    return tuples;
  },
  encode: (writer, tuples) => {
    for (const { valueLength, attributeValue } of tuples) {
      writer.u16(valueLength);
      writer.bytes(attributeValue);
    }
  },
};

const handleLengthValue: Codec<{ attributeHandle: number; attributeValue: Uint8Array }> = {
  decode: (reader) => ({ attributeHandle: reader.u16(), attributeValue: reader.take(reader.u16()) }),
  encode: (writer, { attributeHandle, attributeValue }) => {
    writer.u16(attributeHandle);
    writer.u16(attributeValue.length);
    writer.bytes(attributeValue);
  },
};

/** Value, then the twelve octets of the signature at the end (Vol 3 Part F 3.4.5.4). */
const signedValue: Codec<{ attributeHandle: number; attributeValue: Uint8Array; authenticationSignature: Uint8Array }> = {
  decode: (reader) => {
    const attributeHandle = reader.u16();
    if (reader.remaining < 12) reader.fail(`needs 12 bytes of signature, has ${reader.remaining}`);
    return { attributeHandle, attributeValue: reader.take(reader.remaining - 12), authenticationSignature: reader.rest() };
  },
  encode: (writer, { attributeHandle, attributeValue, authenticationSignature }) => {
    writer.u16(attributeHandle);
    writer.bytes(attributeValue);
    octets(12).encode(writer, authenticationSignature);
  },
};

/** Items until the end, at least one. */
/* @__NO_SIDE_EFFECTS__ */ function nonEmpty<T>(item: Codec<T>): Codec<T[]> {
  const items = repeated(item);
  return {
    decode: (reader) => (reader.remaining === 0 ? reader.fail("an empty list") : items.decode(reader)),
    encode: (writer, value) => items.encode(writer, value),
  };
}

/* @__NO_SIDE_EFFECTS__ */ function pdu<P>(name: string, opcode: number, parameters: Codec<P>): AttPduDeclaration<P> {
  return { name, opcode, parameters };
}

export const AttErrorRsp = pdu(
  "AttErrorRsp",
  AttOpcode.ErrorRsp,
  struct({ requestOpcodeInError: u8, attributeHandleInError: u16, errorCode: u8 }),
);
export const AttExchangeMtuReq = pdu("AttExchangeMtuReq", AttOpcode.ExchangeMtuReq, struct({ clientRxMtu: u16 }));
export const AttExchangeMtuRsp = pdu("AttExchangeMtuRsp", AttOpcode.ExchangeMtuRsp, struct({ serverRxMtu: u16 }));
export const AttFindInformationReq = pdu("AttFindInformationReq", AttOpcode.FindInformationReq, struct(handleRange));
export const AttFindInformationRsp = pdu("AttFindInformationRsp", AttOpcode.FindInformationRsp, struct({ informationData }));
export const AttFindByTypeValueReq = pdu(
  "AttFindByTypeValueReq",
  AttOpcode.FindByTypeValueReq,
  struct({ ...handleRange, attributeType: u16, attributeValue: rest }),
);
export const AttFindByTypeValueRsp = pdu(
  "AttFindByTypeValueRsp",
  AttOpcode.FindByTypeValueRsp,
  struct({ handlesInformationList: nonEmpty(struct({ foundAttributeHandle: u16, groupEndHandle: u16 })) }),
);
export const AttReadByTypeReq = pdu("AttReadByTypeReq", AttOpcode.ReadByTypeReq, struct({ ...handleRange, attributeType: uuidRest }));
export const AttReadByTypeRsp = pdu(
  "AttReadByTypeRsp",
  AttOpcode.ReadByTypeRsp,
  struct({
    attributeDataList: equalEntries(
      2,
      (length) => struct({ attributeHandle: u16, attributeValue: octets(length) }),
      (entry) => entry.attributeValue,
    ),
  }),
);
export const AttReadReq = pdu("AttReadReq", AttOpcode.ReadReq, struct({ attributeHandle: u16 }));
export const AttReadRsp = pdu("AttReadRsp", AttOpcode.ReadRsp, struct({ attributeValue: rest }));
export const AttReadBlobReq = pdu("AttReadBlobReq", AttOpcode.ReadBlobReq, struct({ attributeHandle: u16, valueOffset: u16 }));
export const AttReadBlobRsp = pdu("AttReadBlobRsp", AttOpcode.ReadBlobRsp, struct({ partAttributeValue: rest }));
export const AttReadMultipleReq = pdu("AttReadMultipleReq", AttOpcode.ReadMultipleReq, struct({ setOfHandles: handleSet }));
export const AttReadMultipleRsp = pdu("AttReadMultipleRsp", AttOpcode.ReadMultipleRsp, struct({ setOfValues: rest }));
export const AttReadByGroupTypeReq = pdu(
  "AttReadByGroupTypeReq",
  AttOpcode.ReadByGroupTypeReq,
  struct({ ...handleRange, attributeGroupType: uuidRest }),
);
export const AttReadByGroupTypeRsp = pdu(
  "AttReadByGroupTypeRsp",
  AttOpcode.ReadByGroupTypeRsp,
  struct({
    attributeDataList: equalEntries(
      4,
      (length) => struct({ attributeHandle: u16, endGroupHandle: u16, attributeValue: octets(length) }),
      (entry) => entry.attributeValue,
    ),
  }),
);
export const AttWriteReq = pdu("AttWriteReq", AttOpcode.WriteReq, handleAndValue);
export const AttWriteRsp = pdu("AttWriteRsp", AttOpcode.WriteRsp, nothing);
export const AttPrepareWriteReq = pdu("AttPrepareWriteReq", AttOpcode.PrepareWriteReq, handleOffsetAndValue);
export const AttPrepareWriteRsp = pdu("AttPrepareWriteRsp", AttOpcode.PrepareWriteRsp, handleOffsetAndValue);
export const AttExecuteWriteReq = pdu("AttExecuteWriteReq", AttOpcode.ExecuteWriteReq, struct({ flags: u8 })); // 0 cancel, 1 write
export const AttExecuteWriteRsp = pdu("AttExecuteWriteRsp", AttOpcode.ExecuteWriteRsp, nothing);
export const AttHandleValueNtf = pdu("AttHandleValueNtf", AttOpcode.HandleValueNtf, handleAndValue);
export const AttHandleValueInd = pdu("AttHandleValueInd", AttOpcode.HandleValueInd, handleAndValue);
export const AttHandleValueCfm = pdu("AttHandleValueCfm", AttOpcode.HandleValueCfm, nothing);
export const AttReadMultipleVariableReq = pdu(
  "AttReadMultipleVariableReq",
  AttOpcode.ReadMultipleVariableReq,
  struct({ setOfHandles: handleSet }),
);
export const AttReadMultipleVariableRsp = pdu(
  "AttReadMultipleVariableRsp",
  AttOpcode.ReadMultipleVariableRsp,
  struct({ lengthValueTupleList: lengthValueTuples }),
);
export const AttMultipleHandleValueNtf = pdu(
  "AttMultipleHandleValueNtf",
  AttOpcode.MultipleHandleValueNtf,
  struct({ handleLengthValueTupleList: nonEmpty(handleLengthValue) }),
);
export const AttWriteCmd = pdu("AttWriteCmd", AttOpcode.WriteCmd, handleAndValue);
export const AttSignedWriteCmd = pdu("AttSignedWriteCmd", AttOpcode.SignedWriteCmd, signedValue);

/** Every PDU of Vol 3 Part F 3.4.8. */
export const attPdus: readonly AttPduDeclaration[] = [
  AttErrorRsp,
  AttExchangeMtuReq,
  AttExchangeMtuRsp,
  AttFindInformationReq,
  AttFindInformationRsp,
  AttFindByTypeValueReq,
  AttFindByTypeValueRsp,
  AttReadByTypeReq,
  AttReadByTypeRsp,
  AttReadReq,
  AttReadRsp,
  AttReadBlobReq,
  AttReadBlobRsp,
  AttReadMultipleReq,
  AttReadMultipleRsp,
  AttReadByGroupTypeReq,
  AttReadByGroupTypeRsp,
  AttWriteReq,
  AttWriteRsp,
  AttPrepareWriteReq,
  AttPrepareWriteRsp,
  AttExecuteWriteReq,
  AttExecuteWriteRsp,
  AttHandleValueNtf,
  AttHandleValueInd,
  AttHandleValueCfm,
  AttReadMultipleVariableReq,
  AttReadMultipleVariableRsp,
  AttMultipleHandleValueNtf,
  AttWriteCmd,
  AttSignedWriteCmd,
] as AttPduDeclaration[];

const byOpcode = /* @__PURE__ */ tableOf(attPdus);

/* @__NO_SIDE_EFFECTS__ */ function tableOf(pdus: readonly AttPduDeclaration[]): ReadonlyMap<number, AttPduDeclaration> {
  return new Map(pdus.map((declaration) => [declaration.opcode, declaration]));
}

/** The declaration of `opcode`, `undefined` where the specification has none. */
export function attPdu(opcode: number): AttPduDeclaration | undefined {
  return byOpcode.get(opcode);
}

/** The PDU with its opcode. @throws {ArgumentError} a value its field cannot hold */
export function encodeAttPdu<P>(declaration: AttPduDeclaration<P>, parameters: P): Uint8Array {
  const writer = new Writer();
  writer.u8(declaration.opcode);
  declaration.parameters.encode(writer, parameters);
  return writer.finish();
}

/** What a PDU says. Without a declaration `parameters` are the octets after the opcode. */
export interface DecodedAttPdu {
  readonly name: string;
  readonly opcode: number;
  readonly declaration: AttPduDeclaration | undefined;
  readonly parameters: unknown;
}

/** @throws {DecodeError} empty, short, lying or over-long; an unknown opcode is no error */
export function decodeAttPdu(bytes: Uint8Array, offset = 0, end = bytes.length): DecodedAttPdu {
  if (end <= offset) decode(u8, bytes, { name: "ATT", offset, end });
  const opcode = bytes[offset]!;
  const declaration = byOpcode.get(opcode);
  const name = attOpcodeName(opcode);
  const parameters = declaration ? decode(declaration.parameters, bytes, { name, offset: offset + 1, end }) : bytes.slice(offset + 1, end);
  return { name, opcode, declaration, parameters };
}
