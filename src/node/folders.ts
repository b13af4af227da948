import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** A folder of the XDG Base Directory Specification; a relative path in the variable is ignored, as the specification says. */
function folder(variable: string, fallback: string[], environment: Environment): string {
  const set = environment[variable];
  return join(set && isAbsolute(set) ? set : join(homedir(), ...fallback), "jelling");
}

/** What must outlive a restart: bonds, the own identity. `$XDG_STATE_HOME/jelling`, by default `~/.local/state/jelling`. */
export function stateFolder(environment: Environment = process.env): string {
  return folder("XDG_STATE_HOME", [".local", "state"], environment);
}

/** What the user wrote: `$XDG_CONFIG_HOME/jelling`, by default `~/.config/jelling`. */
export function configFolder(environment: Environment = process.env): string {
  return folder("XDG_CONFIG_HOME", [".config"], environment);
}

/** What the user collected: `$XDG_DATA_HOME/jelling`, by default `~/.local/share/jelling`. */
export function dataFolder(environment: Environment = process.env): string {
  return folder("XDG_DATA_HOME", [".local", "share"], environment);
}

/** What can be made again: `$XDG_CACHE_HOME/jelling`, by default `~/.cache/jelling`. */
export function cacheFolder(environment: Environment = process.env): string {
  return folder("XDG_CACHE_HOME", [".cache"], environment);
}
