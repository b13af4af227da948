import { ArgumentError } from "./error.ts";

// What the public edge asks of its arguments: their kind, their range, and that no name is unknown. In TypeScript the compiler has asked
// before; in JavaScript, and behind a cast, nobody has.

/**
 * Octets that a caller gives, checked to be a Uint8Array of a permitted length.
 *
 * @param what names the argument in the error
 * @throws {ArgumentError}
 */
export function checkOctets(
  what: string,
  value: unknown,
  { minLength = 0, maxLength = Number.POSITIVE_INFINITY }: { minLength?: number; maxLength?: number } = {},
): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new ArgumentError(`${what}: expected a Uint8Array, got ${kindOf(value)}`);
  if (value.length < minLength || value.length > maxLength) {
    const range =
      minLength === maxLength
        ? `${minLength}`
        : maxLength === Number.POSITIVE_INFINITY
          ? `at least ${minLength}`
          : `${minLength} to ${maxLength}`;
    throw new ArgumentError(`${what}: expected ${range} octets, got ${value.length}`);
  }
  return value;
}

/** A whole number from `min` to `max`. @throws {ArgumentError} */
export function checkInteger(what: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ArgumentError(`${what}: expected a whole number from ${min} to ${max}, got ${kindOf(value)}`);
}

/** True, false or nothing. @throws {ArgumentError} */
export function checkBoolean(what: string, value: unknown): void {
  if (value !== undefined && typeof value !== "boolean") throw new ArgumentError(`${what}: expected true or false, got ${kindOf(value)}`);
}

/** Text. @throws {ArgumentError} */
export function checkText(what: string, value: unknown): string {
  if (typeof value !== "string") throw new ArgumentError(`${what}: expected text, got ${kindOf(value)}`);
  return value;
}

/** Milliseconds from `min` to `max`, fractions included. @throws {ArgumentError} */
export function checkMilliseconds(what: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !(value >= min && value <= max))
    throw new ArgumentError(`${what} ${kindOf(value)} ms: expected ${min} to ${max} ms`);
  return value;
}

/** An AbortSignal, or nothing. @throws {ArgumentError} */
export function checkSignal(what: string, value: unknown): void {
  // By its parts: a signal of another realm (a frame, a test environment) is one too.
  const signal = value as Partial<AbortSignal> | null | undefined;
  if (signal !== undefined && (typeof signal?.aborted !== "boolean" || typeof signal.addEventListener !== "function"))
    throw new ArgumentError(`${what}: expected an AbortSignal, got ${kindOf(value)}`);
}

/** A time limit in milliseconds from 0, Infinity for none, or nothing. @throws {ArgumentError} */
export function checkTimeout(what: string, value: unknown): void {
  if (value !== undefined && (typeof value !== "number" || !(value >= 0)))
    throw new ArgumentError(`${what}: expected milliseconds from 0, got ${kindOf(value)}`);
}

const OPERATION_NAMES: OptionNames = new Set(["signal", "timeoutMs"]);
/** Options of an operation: names, `signal` and `timeoutMs`. @param names where there are others than these two @throws {ArgumentError} */
export function checkOperation(what: string, options: unknown, names: OptionNames = OPERATION_NAMES): void {
  checkOptions(what, options, names);
  const { signal, timeoutMs } = (options ?? {}) as { signal?: unknown; timeoutMs?: unknown };
  checkSignal(`${what}: signal`, signal);
  checkTimeout(`${what}: timeoutMs`, timeoutMs);
}

/** A function, or nothing. @throws {ArgumentError} */
export function checkFunction(what: string, value: unknown): void {
  if (value !== undefined) requireFunction(what, value);
}

/** A function that has to be there. @throws {ArgumentError} */
export function requireFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw new ArgumentError(`${what}: expected a function, got ${kindOf(value)}`);
}

/** One of a few words. @throws {ArgumentError} */
export function checkChoice<T extends string>(what: string, value: unknown, choices: readonly T[]): T {
  if ((choices as readonly unknown[]).includes(value)) return value as T;
  throw new ArgumentError(`${what}: expected ${choices.map((choice) => `"${choice}"`).join(", ")}, got ${kindOf(value)}`);
}

/** The names that an options object may have. The compiler holds the list to the type: none is forgotten, none is left over. */
export type OptionNames = ReadonlySet<string>;
export function optionNames<T>(names: Record<keyof Required<T> & string, true>): OptionNames {
  return new Set(Object.keys(names));
}

/**
 * Options that a caller gives: an object, or nothing, with known names only; a mistyped name would otherwise be an option that was not given.
 *
 * @param what names the operation in the error
 * @throws {ArgumentError} the unknown name, and the nearest known one
 */
export function checkOptions(what: string, options: unknown, names: OptionNames): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new ArgumentError(`${what}: expected an object of options, got ${kindOf(options)}`);
  for (const name of Object.keys(options))
    if (!names.has(name)) throw new ArgumentError(`${what}: unknown option "${name}"${suggestion(name, names)}`);
}

/** What a value is, for a message: its type, and the value where it is short. Never the content of octets or objects, which may be secret. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  if (typeof value === "string") return "a string";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return `an object${value.constructor?.name ? ` (${value.constructor.name})` : ""}`;
  return `a ${typeof value}`;
}

function suggestion(name: string, names: OptionNames): string {
  const nearest = nearestName(name, names);
  return nearest === undefined ? `; the options are ${[...names].sort().join(", ")}` : `, did you mean "${nearest}"?`;
}

/** The known name that another one is most like, for a message; undefined where it is like none. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const known of names) {
    const distance = editDistance(name.toLowerCase(), known.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = known;
    }
  }
  return nearest;
}

/** Levenshtein's distance. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[to.length]!;
}
