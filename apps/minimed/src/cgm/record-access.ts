import { decodeValue, PumpDataError } from "../data/error.ts";

/** Operation codes of the record access control point of the CGM service. Other services of the pump use another set on the same UUID. */
export const RecordAccessOpcode = Object.freeze({
  Report: 0x01,
  Delete: 0x02,
  Abort: 0x03,
  Count: 0x04,
  NumberOfRecords: 0x05,
  Response: 0x06,
});
export const RecordAccessOperator = Object.freeze({ Null: 0, All: 1, LessOrEqual: 2, GreaterOrEqual: 3, Range: 4, First: 5, Last: 6 });
/** Filter type: minutes since the session began. */
export const FILTER_TIME_OFFSET = 0x01;

const RESPONSE_CODES = {
  1: "success",
  2: "opcode_not_supported",
  3: "invalid_operator",
  4: "operator_not_supported",
  5: "invalid_operand",
  6: "no_records_found",
  7: "abort_unsuccessful",
  8: "procedure_not_completed",
  9: "operand_not_supported",
  10: "server_busy",
} as const;
export const RecordAccessCode = Object.freeze({
  Success: 1,
  OpcodeNotSupported: 2,
  OperatorNotSupported: 4,
  InvalidOperand: 5,
  NoRecordsFound: 6,
  NotCompleted: 8,
  OperandNotSupported: 9,
});
export type RecordAccessResult = (typeof RESPONSE_CODES)[keyof typeof RESPONSE_CODES] | `code_0x${string}`;

export type RecordAccessResponse =
  | { readonly kind: "response_code"; readonly requestOpcode: number; readonly code: RecordAccessResult }
  | { readonly kind: "number_of_records"; readonly count: number };

/** An indication of the control point. @throws {PumpDataError} "opcode" when it is no response */
export function decodeRecordAccessResponse(bytes: Uint8Array): RecordAccessResponse {
  const name = "Record Access Control Point";
  return decodeValue(name, bytes, (reader) => {
    const opcode = reader.u8();
    const operator = reader.u8();
    if ((opcode !== RecordAccessOpcode.Response && opcode !== RecordAccessOpcode.NumberOfRecords) || operator !== RecordAccessOperator.Null)
      throw new PumpDataError("opcode", `${name}: 0x${opcode.toString(16)} with operator ${operator} is no response`);
    if (opcode === RecordAccessOpcode.NumberOfRecords) return { kind: "number_of_records", count: reader.u16() };
    return { kind: "response_code", requestOpcode: reader.u8(), code: resultName(reader.u8()) };
  });
}

export function encodeRecordAccessResponse(requestOpcode: number, code: number): Uint8Array {
  return Uint8Array.of(RecordAccessOpcode.Response, RecordAccessOperator.Null, requestOpcode, code);
}

export function encodeNumberOfRecords(count: number): Uint8Array {
  return Uint8Array.of(RecordAccessOpcode.NumberOfRecords, RecordAccessOperator.Null, count & 0xff, (count >> 8) & 0xff);
}

function resultName(code: number): RecordAccessResult {
  return (RESPONSE_CODES as Partial<Record<number, RecordAccessResult>>)[code] ?? `code_0x${code.toString(16).padStart(2, "0")}`;
}
