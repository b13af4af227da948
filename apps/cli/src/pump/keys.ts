import { parseKeyDatabaseFile, type SakeKeyDatabase } from "@jelling/minimed";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { readInput } from "../input-file.ts";
import { quoted } from "../text.ts";

/** 87 octets in the usual case, several times as many where they are written as text. */
const LONGEST_KEY_FILE = 1024 * 1024;
/** A key database file. @throws one sentence with what to do */
export async function readKeys(context: Context, path: string): Promise<SakeKeyDatabase> {
  return parseKeyDatabaseFile(await readPrivate(context, path, "key database"));
}

/** A token or secret in a file of its own; blanks and line ends around it are none of it. @throws one sentence with what to do */
export async function readSecret(context: Context, path: string, what: string): Promise<string> {
  return new TextDecoder().decode(await readPrivate(context, path, what)).trim();
}

async function readPrivate({ signal }: Context, path: string, what: string): Promise<Uint8Array> {
  try {
    return await readInput(path, {
      signal,
      maxOctets: LONGEST_KEY_FILE,
      check: (stats) => {
        // As ssh does it: keys that others can read are no secret, and who goes on using them does not learn of it. Windows has no such modes.
        if (process.platform === "win32" || !stats.isFile() || (stats.mode & 0o077) === 0) return;
        throw new CommandError(
          `the ${what} ${path} is open to other users (mode 0${(stats.mode & 0o777).toString(8)}): chmod 600 ${quoted(path)}`,
        );
      },
    });
  } catch (error) {
    if (error instanceof RangeError)
      throw new CommandError(`the ${what} ${path} is ${error.message}: it is another file`, { cause: error });
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EISDIR") throw new CommandError(`the ${what} ${path} is a folder: name the file`, { cause: error });
    if (code !== "ENOENT") throw error;
    throw new CommandError(`the ${what} ${path} is missing: no such file`, { cause: error });
  }
}
