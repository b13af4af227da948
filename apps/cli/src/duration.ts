import { UsageError } from "./errors.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A timer of the system goes no further: 2^31 - 1 ms. */
const LONGEST_DAYS = 24;
const LONGEST_MS = LONGEST_DAYS * 24 * 3_600_000;

/** Reads "10", "10s", "500ms", "2m", "1h", "2d" as milliseconds; a plain number is seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?$/.exec(text.trim());
  const ms = match ? Number(match[1]) * UNITS[match[2] ?? "s"]! : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`"${text}" is no duration: expected for example 10s, 500ms or 2m`);
  if (ms === 0) throw new UsageError(`"${text}" leaves no time: expected more than that, for example 10s, 500ms or 2m`);
  if (ms > LONGEST_MS) throw new UsageError(`"${text}" is too long: expected ${LONGEST_DAYS} days at most`);
  return ms;
}

/** The six digits that a device shows, zeros in front included. */
export function parsePasskey(text: string): number {
  if (!/^\d{6}$/.test(text))
    throw new UsageError(`passkey "${text}": expected the six digits that the device shows, zeros in front included`);
  return Number(text);
}

/** A whole number from `min` to `max`. */
export function parseWhole(what: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^(0x[0-9a-f]+|-?\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new UsageError(`${what} "${text}": expected a whole number from ${min} to ${max}`);
    return value;
  };
}
