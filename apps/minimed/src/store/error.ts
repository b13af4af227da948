import { BleError } from "jelling/core";

export type PumpStoreErrorCode =
  /** The package `node-sqlite3-wasm`, which the history database stands on, is not installed. */
  | "ERR_PUMP_STORE_PACKAGE"
  /** Read-only opening was asked for, and there is no such file. */
  | "ERR_PUMP_STORE_MISSING"
  /** Another process, or another part of this one, has the database open for writing. */
  | "ERR_PUMP_STORE_IN_USE"
  /** The file is no history database: another kind of file, a folder, or another program's database. */
  | "ERR_PUMP_STORE_FORMAT"
  /** A newer version of this program has made the database. */
  | "ERR_PUMP_STORE_NEWER"
  /** The database is damaged, or another program has left it in the middle of a change. */
  | "ERR_PUMP_STORE_DAMAGED"
  /** File or folder cannot be read or written by this user. */
  | "ERR_PUMP_STORE_PERMISSION"
  /** The disk, or the user's share of it, is full. */
  | "ERR_PUMP_STORE_FULL"
  /** The system refused to read or write for another reason; `cause` has its words. */
  | "ERR_PUMP_STORE_IO"
  /** The same pump's history is being synchronized already. */
  | "ERR_PUMP_STORE_SYNCING"
  /** The database was opened to be read only. */
  | "ERR_PUMP_STORE_READ_ONLY";

/** The history database cannot be used, or did not take what it was given. What it held before it still holds. */
export class PumpStoreError extends BleError {
  readonly code: PumpStoreErrorCode;
  readonly path: string;
  constructor(code: PumpStoreErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

export function systemCode(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}

/** An error of the file system, as ours. */
export function fileError(path: string, what: string, error: unknown): PumpStoreError {
  if (error instanceof PumpStoreError) return error;
  const code = systemCode(error);
  const said = (problem: PumpStoreErrorCode, text: string): PumpStoreError => new PumpStoreError(problem, path, text, { cause: error });
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return said("ERR_PUMP_STORE_PERMISSION", `${path}: this user may not ${what} (${code})`);
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return said("ERR_PUMP_STORE_FULL", `${path}: there is no room on the disk to ${what} (${code})`);
    case "ENOENT":
      return said("ERR_PUMP_STORE_MISSING", `${path}: there is no such file or folder`);
    case "EISDIR":
    case "ENOTDIR":
      return said("ERR_PUMP_STORE_FORMAT", `${path}: it is in the way of the database, being a folder or standing below a file (${code})`);
    default:
      return said("ERR_PUMP_STORE_IO", `${path}: the system would not ${what} (${code ?? String(error)})`);
  }
}
