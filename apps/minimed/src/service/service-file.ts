import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { PumpServiceError } from "./error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a file that a service begins with. A pipe or a device would hold the start up, or be read for ever: it is refused.
 *
 * @param what "key database", for the message
 * @param isPrivate it must be its owner's alone
 * @throws {PumpServiceError} "ERR_PUMP_SERVICE_FILE"
 */
export async function readServiceFile(
  path: string,
  what: string,
  { isPrivate, largest, environment }: { readonly isPrivate: boolean; readonly largest: number; readonly environment: Environment },
): Promise<Uint8Array> {
  const refused = (why: string, cause?: unknown): PumpServiceError =>
    new PumpServiceError("ERR_PUMP_SERVICE_FILE", [`${path}: the ${what} ${why}.`], { cause });
  try {
    await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = await file.stat();
    if (!stat.isFile()) throw refused("is no file");
    const open_ = stat.mode & (isHandedOver(path, environment) ? 0o007 : 0o077);
    if (isPrivate && open_ !== 0 && process.platform !== "win32") throw refused(`is open to other users: chmod 600 ${path}`);
    if (stat.size > largest) throw refused(`is larger than ${largest / 1024} kB, which is too much for one`);
    return new Uint8Array(await file.readFile());
  } catch (error) {
    if (error instanceof PumpServiceError) throw error;
    const { code } = error as { code?: string };
    throw refused(code === "ENOENT" ? "is not there" : `cannot be read (${code ?? "unknown"})`, error);
  }
}

/** systemd lets the service's user read by an access list, whose mask shows as the group's rights. */
function isHandedOver(path: string, environment: Environment): boolean {
  const folder = environment["CREDENTIALS_DIRECTORY"];
  return folder !== undefined && folder !== "" && resolve(path).startsWith(`${resolve(folder)}/`);
}
