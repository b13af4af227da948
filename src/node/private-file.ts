import { randomBytes } from "node:crypto";
import { chmod, link, open, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Clock, delay, SystemClock } from "../async/clock.ts";
import { BleError } from "../core/error.ts";
import { makePrivateFolder } from "../transport/linux/private-folder.ts";

/** A file of ours cannot be used: unreadable, damaged or locked. It has not been changed. */
export class FileError extends BleError {
  readonly code = "ERR_FILE";
  readonly path: string;
  readonly reason: "io" | "damaged" | "locked";
  constructor(path: string, reason: FileError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.reason = reason;
  }
}

const LOCK_RETRY_MS = 20;
const LOCK_TIMEOUT_MS = 5000;

function errorCode(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}

function failed(path: string, what: string, error: unknown): FileError {
  return new FileError(path, "io", `${path} cannot be ${what} (${errorCode(error) ?? String(error)})`, { cause: error });
}

/**
 * The content of a file that holds secrets; `undefined` when there is none. Takes group and others their access if they have any.
 *
 * @throws {FileError} it is there and cannot be read
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    const stats = await stat(path);
    // A pipe would be waited for, and a device (/dev/null) is not ours to close to others, nor to replace.
    if (!stats.isFile()) throw new FileError(path, "io", `${path} cannot be read: it is no file`);
    if (stats.mode & 0o077) await chmod(path, 0o600);
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error instanceof FileError ? error : failed(path, "read", error);
  }
}

/** Takes a file away; what is no file stays. @returns whether it is gone */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) return false;
    await unlink(path);
    return true;
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
}

/**
 * Replaces a file as a whole, or leaves it as it was: written beside it (mode 0600), flushed to the disk, then renamed. Its folder is made
 * with mode 0700 where it is missing.
 *
 * @throws {FileError} it cannot be written; the old content is still there
 */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(6).toString("hex")}`);
  try {
    makePrivateFolder(folder);
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(content, "utf8");
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined); // it may not have come into being
      throw error;
    }
    await flushFolder(folder);
  } catch (error) {
    throw failed(path, "written", error);
  }
}

/** Makes the rename itself survive a power failure. Some file systems do not flush folders; the content is safe all the same. */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!["EINVAL", "EISDIR", "EPERM", "ENOTSUP", "EACCES"].includes(errorCode(error) ?? "")) throw error;
  }
}

/**
 * Runs `act` while no other process that asks the same way does: reading, changing and writing a file is then one step. The lock is a file
 * beside it; one left behind by a process that died is taken over.
 *
 * @throws {FileError} the lock is held by somebody else for 5 s
 */
export async function withLock<T>(path: string, act: () => Promise<T>, clock: Clock = new SystemClock()): Promise<T> {
  const lock = `${path}.lock`;
  const untilMs = clock.now() + LOCK_TIMEOUT_MS;
  try {
    makePrivateFolder(dirname(path));
    while (!(await tryLock(lock))) {
      if (clock.now() > untilMs) throw new FileError(path, "locked", `${path} is being written by another process; ${lock} is its lock`);
      if (!(await breakStaleLock(lock))) await delay(clock, LOCK_RETRY_MS, { name: "lock" });
    }
  } catch (error) {
    throw error instanceof FileError ? error : failed(path, "locked", error);
  }
  try {
    return await act();
  } finally {
    await unlink(lock).catch(() => undefined); // gone already: somebody took it for stale
  }
}

/** The lock appears with its holder's process id in it: an empty one could not be told from one left by a crash. */
async function tryLock(lock: string): Promise<boolean> {
  const temporary = `${lock}.${process.pid}.${randomBytes(4).toString("hex")}`;
  await writeFile(temporary, String(process.pid), { flag: "wx", mode: 0o600 });
  try {
    await link(temporary, lock);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

/** Removes the lock of a dead process. True: worth trying again at once. */
async function breakStaleLock(lock: string): Promise<boolean> {
  try {
    const holder = await readFile(lock, "utf8");
    if (isAlive(Number(holder))) return false;
    // Moved aside rather than removed, so that of two who saw the same stale lock only one removes it; the other puts back what it got.
    const aside = `${lock}.${process.pid}.${randomBytes(4).toString("hex")}`;
    await rename(lock, aside);
    if ((await readFile(aside, "utf8")) !== holder) await link(aside, lock).catch(() => undefined); // a new lock is there already
    await unlink(aside);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return true;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM"; // somebody else's process
  }
}
