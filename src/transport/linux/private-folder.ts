import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder, and those above it that are missing, for nobody but their owner (mode 0700). Node's own recursive form never returns where a
 * file system refuses new folders with ENOENT, as /proc does.
 *
 * @throws the system's error
 */
export function makePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || existsSync(parent)) throw error;
    makePrivateFolder(parent);
    makePrivateFolder(path);
  }
}
