import { kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";

/** Origins as a browser sends them: scheme, host, port where it is not the usual one. @throws {ArgumentError} anything else but "*" */
export function checkOrigins(what: string, origins: readonly string[] | undefined): void {
  if (origins === undefined) return;
  if (!Array.isArray(origins)) throw new ArgumentError(`${what}: expected a list of origins, got ${kindOf(origins)}`);
  for (const origin of origins as readonly unknown[])
    if (typeof origin !== "string" || !(origin === "*" || /^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/.test(origin)))
      throw new ArgumentError(
        `${what}: expected an origin like "https://example.org", got ${typeof origin === "string" ? `"${origin}"` : kindOf(origin)}`,
      );
}
