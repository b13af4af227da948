import { Writer } from "jelling/bytes";
import { checkChoice, checkInteger } from "jelling/core";
import { decodeValue, PumpDataError } from "../data/error.ts";
import { type Named, named } from "../data/named.ts";

/** Operation codes of the history's record access control point. They are not those of the CGM service. 0x3C deletes, and has no name here. */
export const HistoryAccessOpcode = Object.freeze({ Report: 0x33, Abort: 0x55, Count: 0x5a });
export const HistoryOperator = Object.freeze({
  Null: 0x0f,
  All: 0x33,
  LessOrEqual: 0x3c,
  GreaterOrEqual: 0x55,
  Range: 0x5a,
  First: 0x66,
  Last: 0x69,
});
/** Which numbers an operator is about. The pump wants one with every operator, where the SIG leaves it out with some. */
export const HistoryFilter = Object.freeze({ SequenceNumber: 0x0f, ReferenceTime: 0x33, OtherEvents: 0x3c });

const LARGEST_NUMBER = 0xffff_ffff;
const RESPONSE = 0x0f;
const NUMBER_OF_RECORDS = 0x66;
const RESULTS = {
  240: "success",
  2: "opcode_not_supported",
  3: "invalid_operator",
  4: "operator_not_supported",
  5: "invalid_operand",
  6: "no_records_found",
  7: "abort_unsuccessful",
  8: "procedure_not_completed",
  9: "operand_not_supported",
} as const;
export type HistoryAccessResult = (typeof RESULTS)[keyof typeof RESULTS];

export type HistoryAccessResponse =
  | { readonly kind: "response_code"; readonly requestOpcode: number; readonly code: Named<HistoryAccessResult> }
  | { readonly kind: "number_of_records"; readonly count: number };

/** An indication of the control point, which is plain. @throws {PumpDataError} */
export function decodeHistoryAccessResponse(bytes: Uint8Array): HistoryAccessResponse {
  const name = "History Record Access Control Point";
  return decodeValue(name, bytes, (reader): HistoryAccessResponse => {
    const opcode = reader.u8();
    reader.u8(); // operator null
    if (opcode === NUMBER_OF_RECORDS) return { kind: "number_of_records", count: reader.u32() };
    if (opcode === RESPONSE) return { kind: "response_code", requestOpcode: reader.u8(), code: named(RESULTS, reader.u8()) };
    throw new PumpDataError("opcode", `${name}: unexpected response 0x${opcode.toString(16).padStart(2, "0")}`);
  });
}

/** Operand of a request about all records, the first, or the last. @throws {ArgumentError} another operator or filter */
export function recordsOperand(operator: "All" | "First" | "Last", filter: number = HistoryFilter.SequenceNumber): Uint8Array {
  checkChoice("recordsOperand: operator", operator, ["All", "First", "Last"]);
  checkInteger("recordsOperand: filter", filter, 0, 0xff);
  return Uint8Array.of(HistoryOperator[operator], filter);
}

/** Operand of a request about sequence numbers from `first` on, or up to `last`, both included. @throws {ArgumentError} not 0 to 2^32 − 1, or none */
export function rangeOperand(first: number, last?: number): Uint8Array {
  if (last !== undefined) checkInteger("rangeOperand: last", last, 0, LARGEST_NUMBER);
  checkInteger("rangeOperand: first", first, 0, last ?? LARGEST_NUMBER);
  const writer = new Writer();
  writer.u8(last === undefined ? HistoryOperator.GreaterOrEqual : HistoryOperator.Range);
  writer.u8(HistoryFilter.SequenceNumber);
  writer.u32(first);
  if (last !== undefined) writer.u32(last);
  return writer.finish();
}
