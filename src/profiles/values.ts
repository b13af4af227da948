import { MAX_VALUE_LENGTH } from "../att/index.ts";
import { type Codec, decode, encode } from "../bytes/index.ts";
import { ArgumentError } from "../core/index.ts";

/** @throws {ArgumentError} what is wrong with the value, behind the name of what it is for */
export function encodeValue<T>(name: string, codec: Codec<T>, value: T): Uint8Array {
  let octets: Uint8Array;
  try {
    octets = encode(codec, value);
  } catch (error) {
    if (error instanceof ArgumentError) throw new ArgumentError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
  if (octets.length > MAX_VALUE_LENGTH)
    throw new ArgumentError(`${name}: value of ${octets.length} octets: an attribute holds at most ${MAX_VALUE_LENGTH}`);
  return octets;
}

/** @throws {DecodeError} */
export function decodeValue<T>(name: string, codec: Codec<T>, octets: Uint8Array, trailing: "refuse" | "ignore" = "refuse"): T {
  return decode(codec, octets, { name, trailing });
}
