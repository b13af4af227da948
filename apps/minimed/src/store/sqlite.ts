import { ClosedError } from "jelling/core";
import { fileError, PumpStoreError } from "./error.ts";
import { tryToWrite } from "./files.ts";

export type SqlValue = number | bigint | string | Uint8Array | null;
export type SqlRow = Record<string, SqlValue>;

interface Statement {
  run(values: SqlValue[]): { changes: number };
  all(values: SqlValue[]): SqlRow[];
  finalize(): void;
}
interface Connection {
  readonly inTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
interface SqliteModule {
  readonly Database: new (path: string, options?: { fileMustExist?: boolean; readOnly?: boolean }) => Connection;
}

/** Told of every statement before it runs. */
export type OnStatement = (sql: string) => void;

/** @throws {PumpStoreError} "ERR_PUMP_STORE_PACKAGE" */
export async function loadSqlite(path: string, load: () => Promise<unknown> = () => import("node-sqlite3-wasm")): Promise<SqliteModule> {
  try {
    const module = (await load()) as { default?: SqliteModule } & SqliteModule;
    return module.default ?? module;
  } catch (error) {
    const message = `${path}: the history database needs the package node-sqlite3-wasm; install it with "npm install node-sqlite3-wasm"`;
    throw new PumpStoreError("ERR_PUMP_STORE_PACKAGE", path, message, { cause: error });
  }
}

/** A connection whose statements are prepared once, and whose errors are ours. */
export class SqlDatabase {
  readonly path: string;
  readonly #connection: Connection;
  readonly #statements = new Map<string, Statement>();
  readonly #onStatement: OnStatement | undefined;
  #isClosed = false;

  constructor(module: SqliteModule, path: string, onStatement?: OnStatement) {
    this.path = path;
    this.#onStatement = onStatement;
    try {
      this.#connection = new module.Database(path);
    } catch (error) {
      throw databaseError(path, error);
    }
  }

  exec(sql: string): void {
    this.#guarded(sql, () => this.#connection.exec(sql));
  }

  /** Rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return this.#guarded(sql, () => this.#prepared(sql).run(values).changes);
  }

  all<Row = SqlRow>(sql: string, ...values: SqlValue[]): Row[] {
    return this.#guarded(sql, () => this.#prepared(sql).all(values) as Row[]);
  }

  /** The first row. All are read: a statement that is left in its middle would hold what it reads for ever. */
  get<Row = SqlRow>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0];
  }

  /** All of it, or nothing: what `act` throws takes it back. */
  transaction<T>(act: () => T): T {
    this.exec("BEGIN IMMEDIATE");
    try {
      const result = act();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forgetStatements();
    try {
      this.#connection.close();
    } catch (error) {
      throw databaseError(this.path, error);
    }
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guarded<T>(sql: string, act: () => T): T {
    if (this.#isClosed) throw new ClosedError(`${this.path}: the history database is closed`);
    this.#onStatement?.(sql);
    try {
      return act();
    } catch (error) {
      // A statement that failed fails once more when it is used again: each is made anew.
      this.#forgetStatements();
      throw databaseError(this.path, error);
    }
  }

  #rollBack(): void {
    this.#forgetStatements();
    try {
      if (this.#connection.inTransaction) this.#connection.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself
    }
  }

  #forgetStatements(): void {
    for (const statement of this.#statements.values())
      try {
        statement.finalize();
      } catch {
        // it says once more what it said when it failed
      }
    this.#statements.clear();
  }
}

/** The library gives SQLite's words and no number. */
const CODES: readonly (readonly [RegExp, PumpStoreError["code"], string])[] = [
  [/full/, "ERR_PUMP_STORE_FULL", "there is no room on the disk"],
  [/readonly/, "ERR_PUMP_STORE_PERMISSION", "this user may not write it"],
  [/locked/, "ERR_PUMP_STORE_IN_USE", "another program has it open"],
  [/not a database/, "ERR_PUMP_STORE_FORMAT", "it is no database"],
  [/malformed|corrupt/, "ERR_PUMP_STORE_DAMAGED", "the database is damaged"],
  [/open/, "ERR_PUMP_STORE_PERMISSION", "this user may not open it"],
];

function databaseError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "SQLite3Error") return error; // no error of the database
  const [, code, text] = CODES.find(([words]) => words.test(error.message)) ?? [];
  if (code && text) return new PumpStoreError(code, path, `${path}: ${text}`, { cause: error });
  return /I\/O error/.test(error.message) ? diskError(path, error) : error; // else a fault of this program
}

/** The library keeps the system's error to itself: a write of our own shows it. */
function diskError(path: string, error: Error): PumpStoreError {
  try {
    tryToWrite(path);
  } catch (cause) {
    return fileError(path, "write to the disk", cause);
  }
  return new PumpStoreError("ERR_PUMP_STORE_IO", path, `${path}: the disk cannot be read or written`, { cause: error });
}
