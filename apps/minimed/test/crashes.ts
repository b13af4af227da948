import { createHash } from "node:crypto";
import fs, { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Files that make a database. */
const ENDS = ["", "-wal", "-journal"];

/** The bytes of a database at moments at which its process could have died; each content once. */
export class Deaths {
  readonly folders: string[] = [];
  readonly #path: string;
  readonly #into: string;
  readonly #seen = new Set<string>();
  /** Moments, also those at which nothing was other than at one before. */
  moments = 0;

  constructor(path: string, into: string) {
    this.#path = path;
    this.#into = into;
  }

  /**
   * @param hasChanged since the last moment
   * @param contents in place of what is on the disk, by ending
   */
  take(hasChanged = true, contents: Readonly<Record<string, Uint8Array | undefined>> = {}): void {
    this.moments++;
    if (!hasChanged) return;
    const files = ENDS.flatMap((end) => {
      const bytes = contents[end] ?? (existsSync(`${this.#path}${end}`) ? readFileSync(`${this.#path}${end}`) : undefined);
      return bytes ? [{ end, bytes }] : [];
    });
    const hash = createHash("sha1");
    for (const { end, bytes } of files) hash.update(`${end}:${bytes.length}:`).update(bytes);
    const content = hash.digest("hex");
    if (this.#seen.has(content)) return;
    this.#seen.add(content);
    const folder = join(this.#into, String(this.folders.length));
    mkdirSync(folder);
    for (const { end, bytes } of files) writeFileSync(join(folder, `${basename(this.#path)}${end}`), bytes);
    mkdirSync(join(folder, `${basename(this.#path)}.lock`)); // a killed process leaves it
    this.folders.push(join(folder, basename(this.#path)));
  }
}

/** What a write would change, told before and after each change of a file below a folder. */
export interface FileChange {
  readonly kind: "write" | "truncate" | "unlink" | "sync";
  readonly path: string;
  /** Of a write. */
  readonly bytes?: Uint8Array;
  readonly at?: number;
}

type Write = (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) => number;

/**
 * Has a look at every change that SQLite makes to files in a folder, until it is disposed of. The library takes these functions from Node's
 * module at each call.
 *
 * @param before may throw what the system would
 */
export function watchFiles(folder: string, before: (change: FileChange) => void): Disposable {
  const original = {
    openSync: fs.openSync,
    writeSync: fs.writeSync,
    ftruncateSync: fs.ftruncateSync,
    unlinkSync: fs.unlinkSync,
    fsyncSync: fs.fsyncSync,
  };
  const paths = new Map<number, string>();
  const isOurs = (path: string | undefined): path is string => path !== undefined && dirname(path) === folder;
  const tell = (kind: FileChange["kind"], path: string | undefined, more: Partial<FileChange> = {}): void => {
    if (isOurs(path)) before({ kind, path, ...more });
  };
  const watched = fs as unknown as Record<string, unknown>;
  watched.openSync = (path: string, ...rest: [number]) => {
    const fd = original.openSync(path, ...rest);
    paths.set(fd, path);
    return fd;
  };
  watched.writeSync = ((fd, buffer, offset, length, position) => {
    tell("write", paths.get(fd), { bytes: buffer.slice(offset, offset + length), at: position });
    return original.writeSync(fd, buffer, offset, length, position);
  }) satisfies Write;
  watched.ftruncateSync = (fd: number, size: number) => {
    tell("truncate", paths.get(fd));
    original.ftruncateSync(fd, size);
  };
  watched.unlinkSync = (path: string) => {
    tell("unlink", path);
    original.unlinkSync(path);
  };
  watched.fsyncSync = (fd: number) => {
    tell("sync", paths.get(fd));
    original.fsyncSync(fd);
  };
  return { [Symbol.dispose]: () => void Object.assign(fs, original) };
}
