import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { makePrivateFolder } from "jelling/node";
import { fileError, PumpStoreError, systemCode } from "./error.ts";
import { APPLICATION_ID } from "./schema.ts";

const MAGIC = "SQLite format 3\0";
/** Of a database file, and where in it the application is named. */
const HEADER = 100;
const APPLICATION_ID_AT = 68;
/** Of the write-ahead log: magic, version, page size, sequence, two salts, checksum. */
const WAL_HEADER = 32;
const SNAPSHOT_ATTEMPTS = 20;
/** As much as a transaction adds to the log. */
const TRIAL_OCTETS = 256 * 1024;

/** One name for a database, however it is called. @throws {PumpStoreError} */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw fileError(path, "open it", error);
    const folder = dirname(resolve(path));
    return existsSync(folder) ? join(realpathSync(folder), basename(path)) : resolve(path);
  }
}

export function ensureFolder(path: string): void {
  try {
    makePrivateFolder(dirname(path));
  } catch (error) {
    throw fileError(path, "make its folder", error);
  }
}

/** What is at the path. @throws {PumpStoreError} "ERR_PUMP_STORE_FORMAT" something else than a database; "…PERMISSION" it cannot be read */
export function whatIsThere(path: string): "nothing" | "database" {
  let descriptor: number;
  try {
    if (statSync(path).isDirectory()) throw new PumpStoreError("ERR_PUMP_STORE_FORMAT", path, `${path}: it is a folder`);
    descriptor = openSync(path, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "nothing";
    throw fileError(path, "read it", error);
  }
  try {
    const head = Buffer.alloc(HEADER);
    const length = readSync(descriptor, head, 0, head.length, 0);
    if (length === 0) return "nothing"; // made by who then had no room, or by a program that opened it and left
    if (head.toString("latin1", 0, MAGIC.length) !== MAGIC)
      throw new PumpStoreError("ERR_PUMP_STORE_FORMAT", path, `${path}: it is no database`);
    // Before SQLite opens it, which may change a file's journal mode.
    if (head.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID)
      throw new PumpStoreError("ERR_PUMP_STORE_FORMAT", path, `${path}: it is another program's database`);
    return "database";
  } catch (error) {
    throw fileError(path, "read it", error);
  } finally {
    closeSync(descriptor);
  }
}

/** A journal that another program has left cannot be played back here, and without it the file may be half of a change. */
export function refuseForeignJournal(path: string): void {
  const journal = `${path}-journal`;
  if (!existsSync(journal) || statSync(journal).size === 0) return;
  throw new PumpStoreError(
    "ERR_PUMP_STORE_DAMAGED",
    path,
    `${path}: another program was stopped while it changed the database; open it once with sqlite3, which puts it right from ${journal}`,
  );
}

/** What processes that were killed have left. Only the owner of the claim may: nobody else has any of it. */
export function clearAway(path: string): void {
  try {
    rmdirSync(`${path}.lock`);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw fileError(path, "remove the lock that a killed process has left", error);
  }
  const unfinished = unfinishedPrefix(path);
  for (const name of readdirSync(dirname(path)))
    if (name.startsWith(unfinished)) rmSync(join(dirname(path), name), { force: true, recursive: true });
}

/** A database that is being made has such a name until it is whole. */
export function unfinishedPrefix(path: string): string {
  return `.${basename(path)}.new-`;
}

/** Writes, and removes, some octets beside a database. @throws the system's error */
export function tryToWrite(path: string): void {
  const file = join(dirname(path), `${unfinishedPrefix(path)}${process.pid}`);
  try {
    writeFileSync(file, new Uint8Array(TRIAL_OCTETS), { mode: 0o600, flush: true });
  } finally {
    rmSync(file, { force: true });
  }
}

/** Makes what stands in the file survive a power failure, its name included. */
export function flush(path: string): void {
  for (const each of [path, dirname(path)]) {
    try {
      const descriptor = openSync(each, "r");
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    } catch (error) {
      if (!["EINVAL", "EISDIR", "EPERM", "ENOTSUP", "EACCES", "EBADF"].includes(systemCode(error) ?? "")) throw error;
    }
  }
}

/** A copy beside the database, named by version and time; never in place of another. Its path. */
export function backUp(path: string, version: number, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  for (let number = 1; ; number++) {
    const backup = `${path}.v${version}-${stamp}${number === 1 ? "" : `-${number}`}.backup`;
    try {
      copyFileSync(path, backup, constants.COPYFILE_EXCL); // with the mode of what is copied
      flush(backup);
      return backup;
    } catch (error) {
      if (systemCode(error) === "EEXIST") continue;
      rmSync(backup, { force: true });
      throw fileError(path, "make a backup beside it", error);
    }
  }
}

/** A copy of a database as it was at one moment, whoever writes it meanwhile; in a folder of its own, for nobody but its user. */
export interface Snapshot {
  readonly path: string;
  remove(): void;
}

/**
 * The main file first, then the write-ahead log: what a writer puts into the main file meanwhile is in the log as well, as long as the log has
 * not been begun anew, which its header tells. A transaction that is half in the log does not count.
 *
 * @throws {PumpStoreError}
 */
export function takeSnapshot(path: string, environment: Readonly<Record<string, string | undefined>> = process.env): Snapshot {
  const runtime = environment.XDG_RUNTIME_DIR;
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(runtime && isAbsolute(runtime) && existsSync(runtime) ? runtime : tmpdir(), "jelling-"));
    const copy = join(folder, "pump.sqlite");
    for (let attempt = 0; attempt < SNAPSHOT_ATTEMPTS; attempt++) {
      const before = logHeader(path);
      copyFileSync(path, copy);
      rmSync(`${copy}-wal`, { force: true });
      if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
      if (before !== logHeader(path)) continue;
      const made = folder;
      return { path: copy, remove: () => rmSync(made, { recursive: true, force: true }) };
    }
    throw new PumpStoreError("ERR_PUMP_STORE_IN_USE", path, `${path}: it is written too fast to be copied; try again`);
  } catch (error) {
    if (folder) rmSync(folder, { recursive: true, force: true });
    throw fileError(path, "copy it for reading", error);
  }
}

function logHeader(path: string): string {
  try {
    const descriptor = openSync(`${path}-wal`, "r");
    try {
      const header = Buffer.alloc(WAL_HEADER);
      return header.toString("hex", 0, readSync(descriptor, header, 0, WAL_HEADER, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "none";
    throw error;
  }
}
