/** Attribute opcodes, Vol 3 Part F 3.4.8. A peer may send any other value. */
export const AttOpcode = Object.freeze({
  ErrorRsp: 0x01,
  ExchangeMtuReq: 0x02,
  ExchangeMtuRsp: 0x03,
  FindInformationReq: 0x04,
  FindInformationRsp: 0x05,
  FindByTypeValueReq: 0x06,
  FindByTypeValueRsp: 0x07,
  ReadByTypeReq: 0x08,
  ReadByTypeRsp: 0x09,
  ReadReq: 0x0a,
  ReadRsp: 0x0b,
  ReadBlobReq: 0x0c,
  ReadBlobRsp: 0x0d,
  ReadMultipleReq: 0x0e,
  ReadMultipleRsp: 0x0f,
  ReadByGroupTypeReq: 0x10,
  ReadByGroupTypeRsp: 0x11,
  WriteReq: 0x12,
  WriteRsp: 0x13,
  PrepareWriteReq: 0x16,
  PrepareWriteRsp: 0x17,
  ExecuteWriteReq: 0x18,
  ExecuteWriteRsp: 0x19,
  HandleValueNtf: 0x1b,
  HandleValueInd: 0x1d,
  HandleValueCfm: 0x1e,
  ReadMultipleVariableReq: 0x20,
  ReadMultipleVariableRsp: 0x21,
  MultipleHandleValueNtf: 0x23,
  WriteCmd: 0x52,
  SignedWriteCmd: 0xd2,
});
export type AttOpcode = (typeof AttOpcode)[keyof typeof AttOpcode];

const names = new Map<number, string>(Object.entries(AttOpcode).map(([name, opcode]) => [opcode, `Att${name}`]));

/** The specification has a PDU with this opcode. */
export function isAttOpcode(opcode: number): boolean {
  return names.has(opcode);
}

/** "AttReadReq", or "ATT opcode 0x7f". */
export function attOpcodeName(opcode: number): string {
  return names.get(opcode) ?? `ATT opcode 0x${opcode.toString(16).padStart(2, "0")}`;
}

/** Bit 6 of an opcode: no answer is expected, and an unknown one is ignored (Vol 3 Part F 3.3.1). */
export const COMMAND_FLAG = 0x40;

/** ATT_MTU before any exchange on an LE link, Vol 3 Part G 5.2.1. */
export const DEFAULT_ATT_MTU = 23;

/** The longest attribute value, Vol 3 Part F 3.2.9. */
export const MAX_VALUE_LENGTH = 512;

/** A transaction not completed within 30 s fails and ends the bearer, Vol 3 Part F 3.3.3. */
export const TRANSACTION_TIMEOUT_MS = 30_000;
