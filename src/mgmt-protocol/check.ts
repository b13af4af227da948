import { ArgumentError } from "../core/index.ts";
import { bitsOf, type FieldDescription, type Fields } from "./fields.ts";

/**
 * Whether values are inside the limits that the kernel or the description states. Encoding checks only what fits the field, so that a test
 * can send what a kernel must refuse.
 *
 * @throws {ArgumentError} the first value that is not, by name
 */
export function checkLimits(fields: Fields, values: Readonly<Record<string, unknown>>, path = ""): void {
  for (const [name, { description }] of Object.entries(fields)) {
    if (description.countsWith && !isOn(fields, values, description.countsWith)) continue;
    const measured = description.lengthOf ?? description.countOf;
    checkValue(
      description,
      measured === undefined ? values[name] : lengthOf(values[measured]),
      path + (measured ?? name),
      measured !== undefined,
    );
  }
}

/** Whether a bit of another field is on, which is given as a number or by names. */
function isOn(fields: Fields, values: Readonly<Record<string, unknown>>, { field, bit }: { field: string; bit: string }): boolean {
  const names = fields[field]!.description.bits!;
  const given = values[field] ?? fields[field]!.description.fallback;
  const word = typeof given === "number" ? given : Array.isArray(given) ? bitsOf(names, given as string[]) : 0;
  return (word & bitsOf(names, [bit])) !== 0;
}

function lengthOf(value: unknown): number | undefined {
  return (value as { length?: number } | undefined)?.length;
}

function checkValue({ range, invalid, also, of, fields, secret }: FieldDescription, value: unknown, path: string, isLength: boolean): void {
  if (range && typeof value === "number" && value !== invalid && value !== also && (value < range[0] || value > range[1]))
    throw new ArgumentError(`${path}: ${secret ? "" : `${value}${isLength ? " octets" : ""}: `}expected ${range[0]} to ${range[1]}`);
  if (of && Array.isArray(value)) for (const [i, entry] of value.entries()) checkValue(of.description, entry, `${path}[${i}]`, false);
  if (fields && typeof value === "object" && value !== null) checkLimits(fields, value as Record<string, unknown>, `${path}.`);
}
