import { Writer } from "jelling/bytes";
import { HistoryOperator } from "../../history/record-access.ts";

const RESPONSE = 0x0f;
const NUMBER_OF_RECORDS = 0x66;

/** Codes of the answer of the history's record access control point. */
export const HistoryAccessCode = Object.freeze({
  Success: 0xf0,
  OpcodeNotSupported: 0x02,
  InvalidOperator: 0x03,
  OperatorNotSupported: 0x04,
  InvalidOperand: 0x05,
  NoRecordsFound: 0x06,
  AbortUnsuccessful: 0x07,
  NotCompleted: 0x08,
  OperandNotSupported: 0x09,
});

export function encodeHistoryAccessResponse(requestOpcode: number, code: number): Uint8Array {
  return Uint8Array.of(RESPONSE, HistoryOperator.Null, requestOpcode, code);
}

export function encodeNumberOfHistoryRecords(count: number): Uint8Array {
  const writer = new Writer(8);
  writer.u8(NUMBER_OF_RECORDS);
  writer.u8(HistoryOperator.Null);
  writer.u32(count);
  return writer.finish();
}
