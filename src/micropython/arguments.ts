import { checkOptions, kindOf } from "../core/arguments.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { BleArgumentError } from "./errors.ts";

/** A number of a program that MicroPython would take for an int. @throws {BleArgumentError} TypeError or ValueError */
export function checkInt(what: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new BleArgumentError("TypeError", `${what}: expected a whole number, got ${kindOf(value)}`);
  if (value < min || value > max) throw new BleArgumentError("ValueError", `${what} ${value}: expected ${min} to ${max}`);
  return value;
}

/** What Python takes for true or false. @throws {BleArgumentError} TypeError */
export function checkTruth(what: string, value: unknown): boolean {
  if (typeof value !== "boolean" && typeof value !== "number")
    throw new BleArgumentError("TypeError", `${what}: expected true or false, got ${kindOf(value)}`);
  return Boolean(value);
}

/** A connection handle. Whether there is such a connection is another question. @throws {BleArgumentError} */
export function checkConnHandle(value: unknown): number {
  return checkInt("connHandle", value, 0, 0xffff);
}

/** An own channel identifier. Whether there is such a channel is another question. @throws {BleArgumentError} */
export function checkCid(value: unknown): number {
  return checkInt("cid", value, 0, 0xffff);
}

/** Octets, or nothing. @throws {BleArgumentError} */
export function optionalOctets(what: string, data: Bytes | null | undefined): Uint8Array | undefined {
  return data === null || data === undefined ? undefined : toOctets(what, data);
}

/** Named arguments. @throws {BleArgumentError} TypeError: an unknown one */
export function checkNamed(what: string, options: unknown, names: ReadonlySet<string>): void {
  try {
    checkOptions(what, options ?? null, names);
  } catch (error) {
    throw new BleArgumentError("TypeError", (error as Error).message, { cause: error });
  }
}
