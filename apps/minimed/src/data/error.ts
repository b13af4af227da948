import { DecodeError, Reader } from "jelling/bytes";
import { BleError, checkOctets } from "jelling/core";

/**
 * What is wrong with a value of the pump: its checksum, the counter before it, too few octets, too many, another operation code, a type of alarm
 * that is none of the pump's, or a field that cannot be.
 */
export type PumpDataProblem = "crc" | "counter" | "length" | "trailing" | "opcode" | "annunciation_type" | "value";

/** A value of the pump that is not what its format says. Holds no octet of it. */
export class PumpDataError extends BleError {
  readonly code = "ERR_PUMP_DATA";
  readonly problem: PumpDataProblem;
  constructor(problem: PumpDataProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** Decodes all of `bytes`. @throws {ArgumentError} they are none · {PumpDataError} "length" when it is short, "trailing" when octets are left over */
export function decodeValue<T>(name: string, bytes: Uint8Array, read: (reader: Reader) => T): T {
  checkOctets(name, bytes);
  const reader = new Reader(bytes, { name });
  let value: T;
  try {
    value = read(reader);
  } catch (error) {
    if (error instanceof DecodeError) throw new PumpDataError("length", error.message, { cause: error });
    throw error;
  }
  if (reader.remaining > 0) throw new PumpDataError("trailing", `${name}: ${reader.remaining} unread octets of ${bytes.length}`);
  return value;
}
