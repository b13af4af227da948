import { toHex } from "../bytes/index.ts";
import { ArgumentError, Uuid } from "../core/index.ts";
import type { FieldDescription, Fields, Names } from "./fields.ts";
import { Status } from "./values.ts";

/** The name of a value; undefined when it has none. */
export function nameOf(names: Names, value: number): string | undefined {
  for (const [name, number] of Object.entries(names)) if (number === value) return name;
  return undefined;
}

/** The names of the bits that are set; those without a name as "0x00100000". */
export function bitNames(names: Names, value: number): string[] {
  const set: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const mask = (1 << bit) >>> 0;
    if ((value & mask) === 0) continue;
    set.push(nameOf(names, bit) ?? `0x${mask.toString(16).padStart(8, "0")}`);
  }
  return set;
}

/** Whether the bit of that name is set. @throws {ArgumentError} no bit has that name */
export function hasBit<const N extends Names>(names: N, value: number, name: keyof N): boolean {
  const bit = names[name];
  if (bit === undefined) throw new ArgumentError(`bit "${String(name)}": expected one of ${Object.keys(names).join(", ")}`);
  return ((value >>> bit) & 1) === 1;
}

/** "Busy"; "0x15" for a status that has no name. */
export function statusName(status: number): string {
  return nameOf(Status, status) ?? `0x${status.toString(16).padStart(2, "0")}`;
}

export interface PresentOptions {
  /** Show keys and passkeys. */
  readonly secrets?: boolean | undefined;
}

/** What is shown in place of a secret. */
export const REDACTED = "(redacted)";

/**
 * Decoded values as JSON can carry them and people read them: names where there are any, "LERandom", ["Powered", "LowEnergy"], numbers where
 * not; octets and 64-bit numbers in hexadecimal; secrets as "(redacted)" unless asked for.
 */
export function present(fields: Fields, values: Readonly<Record<string, unknown>>, options: PresentOptions = {}): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    if (values[name] !== undefined) shown[name] = presentValue(field.description, values[name], options);
  }
  return shown;
}

function presentValue(description: FieldDescription, value: unknown, options: PresentOptions): unknown {
  const { secret, enumeration, bits, of, fields, invalid } = description;
  if (secret && !options.secrets) return REDACTED;
  if (typeof value === "number") {
    if (invalid === value) return null;
    if (enumeration) return nameOf(enumeration, value) ?? value;
    return bits ? bitNames(bits, value) : value;
  }
  if (typeof value === "bigint") return `0x${value.toString(16).padStart(16, "0")}`;
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Uuid) return value.text;
  if (Array.isArray(value)) return value.map((entry) => (of ? presentValue(of.description, entry, options) : entry));
  if (fields) return present(fields, value as Record<string, unknown>, options);
  if (description.type === "tlv16") {
    const { type, value: octets } = value as { type: number; value: Uint8Array };
    return { type, value: toHex(octets) };
  }
  return value;
}
