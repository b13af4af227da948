import { kindOf } from "../core/arguments.ts";
import { BleArgumentError } from "./errors.ts";

/** What MicroPython calls a buffer: octets of any kind, a string (its UTF-8 octets), or a UUID (its little-endian octets). */
export type Bytes = Uint8Array | ArrayBufferLike | ArrayBufferView | string | { toLittleEndian(): Uint8Array };

/**
 * The octets of a buffer, the caller's own no longer.
 *
 * @throws {BleArgumentError} TypeError: no buffer, or one whose memory was transferred away
 */
export function toOctets(what: string, value: Bytes): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  const memory = memoryOf(what, value) ?? littleEndianOf(what, value);
  if (memory) return memory.slice();
  throw new BleArgumentError("TypeError", `${what}: expected octets, text or a UUID, got ${kindOf(value)}`);
}

/**
 * The memory of a buffer, to write to.
 *
 * @throws {BleArgumentError} TypeError: nothing that can be written to, or memory that was transferred away
 */
export function toWritable(what: string, value: ArrayBufferLike | ArrayBufferView): Uint8Array {
  const memory = memoryOf(what, value);
  if (memory) return memory;
  throw new BleArgumentError("TypeError", `${what}: expected octets to write to, got ${kindOf(value)}`);
}

/** What a view or an ArrayBuffer stands for, as a plain Uint8Array: `slice` of a Buffer would be no copy. */
function memoryOf(what: string, value: unknown): Uint8Array | undefined {
  try {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer))
      return new Uint8Array(value);
    return undefined;
  } catch (error) {
    // The platform refuses memory that was transferred to somebody else.
    throw new BleArgumentError("TypeError", `${what}: ${kindOf(value)} whose memory was transferred away`, { cause: error });
  }
}

/** The octets of a UUID, or of what says that it is one. */
function littleEndianOf(what: string, value: unknown): Uint8Array | undefined {
  let octets: unknown;
  try {
    const uuid = value as { toLittleEndian?: unknown } | null | undefined;
    if (typeof uuid?.toLittleEndian !== "function") return undefined;
    octets = (value as { toLittleEndian(): unknown }).toLittleEndian();
  } catch (error) {
    throw new BleArgumentError("TypeError", `${what}: toLittleEndian of ${kindOf(value)} failed`, { cause: error });
  }
  if (octets instanceof Uint8Array) return memoryOf(what, octets);
  throw new BleArgumentError("TypeError", `${what}: expected a Uint8Array of toLittleEndian, got ${kindOf(octets)}`);
}
