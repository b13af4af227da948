import { randomBytes } from "node:crypto";
import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Claim, claimStore } from "./claim.ts";
import { fileError, PumpStoreError } from "./error.ts";
import {
  backUp,
  clearAway,
  ensureFolder,
  flush,
  realPath,
  refuseForeignJournal,
  takeSnapshot,
  unfinishedPrefix,
  whatIsThere,
} from "./files.ts";
import { APPLICATION_ID, type Migration } from "./schema.ts";
import { loadSqlite, type OnStatement, SqlDatabase } from "./sqlite.ts";

/** An open database, and what has to be done when it is done with. */
export interface OpenDatabase {
  readonly db: SqlDatabase;
  /** Copy that was made before the schema was changed. */
  readonly backup: string | undefined;
  close(): void;
}

export interface OpenDatabaseOptions {
  readonly migrations: readonly Migration[];
  readonly readOnly: boolean;
  readonly nowMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onStatement?: OnStatement | undefined;
}

/**
 * The write-ahead log is the one journal that this build of SQLite recovers after a kill: with a rollback journal its own lock looks to it like
 * that of a living process. Without shared memory the log wants exclusive use.
 */
const SETTINGS = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";

/** @throws {PumpStoreError} nothing has been changed · `signal.reason` */
export async function openDatabase(given: string, options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const sqlite = await loadSqlite(given);
  options.signal?.throwIfAborted();
  return options.readOnly ? openCopy(sqlite, realPath(given), options) : openForWriting(sqlite, given, options);
}

type Sqlite = Awaited<ReturnType<typeof loadSqlite>>;

async function openForWriting(sqlite: Sqlite, given: string, options: OpenDatabaseOptions): Promise<OpenDatabase> {
  whatIsThere(given); // before a folder is made for what is in the way of it
  ensureFolder(given);
  const path = realPath(given);
  checkWritable(path);
  const claim = await claimStore(path);
  let db: SqlDatabase | undefined;
  try {
    options.signal?.throwIfAborted();
    clearAway(path);
    refuseForeignJournal(path);
    if (whatIsThere(path) === "nothing") createDatabase(sqlite, path, options);
    makePrivate(path);
    db = new SqlDatabase(sqlite, path, options.onStatement);
    db.exec(SETTINGS);
    const version = versionOf(db, path, options.migrations);
    makePrivate(`${path}-wal`);
    const backup = version < newest(options.migrations) ? migrate(db, path, version, options) : undefined;
    const opened = db;
    return { db, backup, close: () => closeAll(opened, claim) };
  } catch (error) {
    closeQuietly(db);
    claim[Symbol.dispose]();
    throw fileError(path, "open it", error);
  }
}

/** Whoever writes the file meanwhile: what is read is a copy of this moment. */
function openCopy(sqlite: Sqlite, path: string, options: OpenDatabaseOptions): OpenDatabase {
  if (whatIsThere(path) === "nothing")
    throw new PumpStoreError("ERR_PUMP_STORE_MISSING", path, `${path}: there is no history database yet`);
  refuseForeignJournal(path);
  const snapshot = takeSnapshot(path);
  let db: SqlDatabase | undefined;
  try {
    db = new SqlDatabase(sqlite, snapshot.path, options.onStatement);
    db.exec(SETTINGS);
    const version = versionOf(db, path, options.migrations);
    // The copy, not the file.
    for (const { sql } of stepsAfter(version, options.migrations)) db.exec(sql);
    db.exec("PRAGMA query_only = ON");
    const opened = db;
    return {
      db,
      backup: undefined,
      close: () => {
        try {
          opened.close();
        } finally {
          snapshot.remove();
        }
      },
    };
  } catch (error) {
    closeQuietly(db);
    snapshot.remove();
    throw fileError(path, "read it", error);
  }
}

function checkWritable(path: string): void {
  try {
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
    accessSync(dirname(path), constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw fileError(path, "write it and in its folder", error);
  }
}

/** Whole or not at all: made under another name. */
function createDatabase(sqlite: Sqlite, path: string, { migrations, onStatement }: OpenDatabaseOptions): void {
  const unfinished = join(dirname(path), `${unfinishedPrefix(path)}${randomBytes(6).toString("hex")}`);
  let db: SqlDatabase | undefined;
  try {
    closeSync(openSync(unfinished, "wx", 0o600));
    db = new SqlDatabase(sqlite, unfinished, onStatement);
    db.exec(SETTINGS);
    const made = db;
    made.transaction(() => {
      made.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      for (const { sql } of migrations) made.exec(sql);
      made.exec(`PRAGMA user_version = ${newest(migrations)}`);
      made.run("INSERT INTO meta (key, value) VALUES ('schema', ?)", String(newest(migrations)));
      made.run("INSERT INTO meta (key, value) VALUES ('salt', ?)", randomBytes(16).toString("hex"));
    });
    made.close();
    flush(unfinished);
    renameSync(unfinished, path);
    flush(path);
  } catch (error) {
    closeQuietly(db);
    for (const end of ["", "-wal", "-journal"]) rmSync(`${unfinished}${end}`, { force: true });
    throw fileError(path, "make the database", error);
  }
}

function versionOf(db: SqlDatabase, path: string, migrations: readonly Migration[]): number {
  const version = Number(db.get("PRAGMA user_version")?.user_version ?? 0);
  const known = newest(migrations);
  if (version > known)
    throw new PumpStoreError(
      "ERR_PUMP_STORE_NEWER",
      path,
      `${path}: a newer version of this program made it (schema ${version}, known is ${known}); it has been left as it is`,
    );
  return version;
}

function newest(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

function stepsAfter(version: number, migrations: readonly Migration[]): readonly Migration[] {
  return migrations.filter((step) => step.version > version);
}

/** All steps, or none. */
function migrate(db: SqlDatabase, path: string, version: number, { migrations, nowMs }: OpenDatabaseOptions): string {
  db.all("PRAGMA wal_checkpoint(TRUNCATE)"); // the copy is of one file
  const backup = backUp(path, version, nowMs);
  db.transaction(() => {
    for (const { sql } of stepsAfter(version, migrations)) db.exec(sql);
    db.exec(`PRAGMA user_version = ${newest(migrations)}`);
    db.run("UPDATE meta SET value = ? WHERE key = 'schema'", String(newest(migrations)));
  });
  return backup;
}

function makePrivate(path: string): void {
  if (process.platform !== "win32" && existsSync(path) && statSync(path).mode & 0o077) chmodSync(path, 0o600);
}

function closeAll(db: SqlDatabase, claim: Claim): void {
  try {
    db.close();
  } finally {
    claim[Symbol.dispose]();
  }
}

function closeQuietly(db: SqlDatabase | undefined): void {
  try {
    db?.close();
  } catch {
    // what is told is why it is closed
  }
}
