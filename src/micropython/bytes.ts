import { kindOf } from "../core/arguments.ts";
import { BleArgumentError } from "./errors.ts";

/** What MicroPython calls a buffer: octets of any kind, a string (its UTF-8 octets), or a UUID (its little-endian octets). */
export type Bytes = Uint8Array | ArrayBufferLike | ArrayBufferView | string | { toLittleEndian(): Uint8Array };

/** The octets of a buffer, the caller's own no longer. @throws {BleArgumentError} TypeError: no buffer */
export function toOctets(what: string, value: Bytes): Uint8Array {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  if (value instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer))
    return new Uint8Array(value).slice();
  if (typeof (value as { toLittleEndian?: unknown } | null | undefined)?.toLittleEndian === "function")
    return (value as { toLittleEndian(): Uint8Array }).toLittleEndian();
  throw new BleArgumentError("TypeError", `${what}: expected octets, text or a UUID, got ${kindOf(value)}`);
}

/** The memory of a buffer, to write to. @throws {BleArgumentError} TypeError: nothing that can be written to */
export function toWritable(what: string, value: ArrayBufferLike | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer))
    return new Uint8Array(value);
  throw new BleArgumentError("TypeError", `${what}: expected octets to write to, got ${kindOf(value)}`);
}
