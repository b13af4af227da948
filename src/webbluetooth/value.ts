import { domError } from "./dom-error.ts";
import { copyOf } from "./filters.ts";

/** No attribute is longer, Vol 3 Part F 3.2.9. */
const LONGEST_VALUE = 512;

/** A view whose buffer holds the value and nothing else: pages look at `value.buffer`. */
export function viewOf(octets: Uint8Array): DataView<ArrayBuffer> {
  const { buffer } = octets;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === octets.length;
  return new DataView(isWhole ? buffer : (octets.slice().buffer as ArrayBuffer));
}

/** What is to be written, copied. @throws {TypeError} no BufferSource · {DOMException} InvalidModificationError: longer than an attribute */
export function octetsToWrite(value: unknown): Uint8Array<ArrayBuffer> {
  const octets = copyOf("value", value);
  if (octets.length > LONGEST_VALUE)
    throw domError("InvalidModificationError", `value of ${octets.length} octets: an attribute holds ${LONGEST_VALUE}`);
  return octets;
}

/** The specification's null, which the types have as undefined. */
export const NULL = null as unknown as undefined;
