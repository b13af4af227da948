import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { dataFolder } from "jelling/node";

/** What the location depends on; the system's own by default. */
export interface StoreSurroundings {
  /** As Node names it. */
  readonly platform?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Where a user's history database is by default: `$XDG_DATA_HOME/jelling/pump.sqlite`, else below `~/.local/share`; on macOS
 * `~/Library/Application Support`, on Windows `%LOCALAPPDATA%`.
 */
export function defaultStorePath({ platform = process.platform, environment = process.env }: StoreSurroundings = {}): string {
  const isSet = isAbsolute(environment.XDG_DATA_HOME ?? "");
  if (platform === "darwin" && !isSet) return join(homedir(), "Library", "Application Support", "jelling", "pump.sqlite");
  if (platform === "win32" && !isSet)
    return join(environment.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "jelling", "pump.sqlite");
  return join(dataFolder(environment), "pump.sqlite");
}
