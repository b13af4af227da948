import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { makePrivateFolder } from "jelling/node";
import { UsageError } from "./errors.ts";

/** Names the file in a system's error that does not: what a descriptor is asked for knows no name. */
function named(error: unknown, path: string): unknown {
  return error instanceof Error ? Object.assign(error, { path }) : error;
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

/** Where a path leads to, and whether a file is there that can be replaced as a whole; a device or a pipe can not. */
async function targetOf(path: string): Promise<{ path: string; isReplaced: boolean }> {
  try {
    const real = await realpath(path); // what a link points to is replaced, not the link
    const stats = await stat(real);
    // /dev/stdout leads to a file that somebody else writes to.
    return { path: real, isReplaced: stats.isFile() && !/^\/(dev|proc)\//.test(resolve(path)) };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { path, isReplaced: true };
    throw error;
  }
}

/** Writes a file as a whole, or leaves it as it was. @throws the system's error, which names `path` */
export async function writeWhole(path: string, octets: Uint8Array | string): Promise<void> {
  try {
    const { path: real, isReplaced } = await targetOf(path);
    const temporary = isReplaced ? join(dirname(real), `.${basename(real)}.${randomBytes(6).toString("hex")}`) : real;
    const file = await open(temporary, isReplaced ? "wx" : "w");
    try {
      try {
        await file.writeFile(octets);
        if (isReplaced) await file.sync();
      } finally {
        await file.close();
      }
      if (isReplaced) await rename(temporary, real);
    } catch (error) {
      if (isReplaced) await unlink(temporary).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw named(error, path);
  }
}

/** As `writeWhole`; folders that are missing are made. */
export async function writeState(path: string, octets: Uint8Array | string): Promise<void> {
  makePrivateFolder(dirname(path));
  await writeWhole(path, octets);
}

/** Longest part that is read back. */
const PART_LIMIT = 64 << 20;

/**
 * A file that comes in pieces. It grows as `NAME.part` beside its place, and gets its name when it is whole. What is there of it from an
 * earlier time is offered; whether it belongs to the same file is for the caller to prove.
 */
export class PartialFile {
  /** Where it will be, as it was given. */
  readonly path: string;
  /** The same, where links lead. */
  readonly #place: string;
  readonly #part: string;
  readonly #isReplaced: boolean;
  #fd: number | undefined;
  #length = 0;

  private constructor(path: string, real: string, isReplaced: boolean) {
    this.path = path;
    this.#place = real;
    this.#isReplaced = isReplaced;
    this.#part = isReplaced ? `${real}.part` : real;
    try {
      this.#fd = openSync(this.#part, isReplaced ? "a+" : "w");
      // Appending would put every piece at the end, wherever it belongs.
      if (isReplaced) {
        closeSync(this.#fd);
        this.#fd = openSync(this.#part, "r+");
        const stats = fstatSync(this.#fd);
        if (!stats.isFile()) throw new UsageError(`${this.#part} is no file`);
        this.#length = stats.size;
      }
    } catch (error) {
      this.close();
      throw named(error, this.#part);
    }
  }

  /** @param path a folder takes it by `name` @throws {UsageError} `name` is none for a file · the system's error */
  static async open(path: string | undefined, name: string): Promise<PartialFile> {
    const base = basename(name);
    const isFolder = path !== undefined && (await stat(path).catch(() => undefined))?.isDirectory();
    if ((path === undefined || isFolder) && (base === "" || base === "." || base === ".."))
      throw new UsageError(`"${name}" says no name for the file here: give one`);
    const place = path === undefined ? base : isFolder ? join(path, base) : path;
    const target = await targetOf(place).catch((error: unknown) => {
      throw named(error, place);
    });
    return new PartialFile(place, target.path, target.isReplaced);
  }

  /** The part that is there. */
  read(): Uint8Array {
    if (this.#fd === undefined || !this.#isReplaced) return new Uint8Array();
    const size = this.#length;
    if (size > PART_LIMIT) return new Uint8Array();
    const octets = new Uint8Array(size);
    let length = 0;
    for (let count = 1; count > 0 && length < size; length += count) count = readSync(this.#fd, octets, length, size - length, length);
    return octets.subarray(0, length);
  }

  /** Puts a piece in its place; whatever stood behind it goes. @throws the system's error */
  write(octets: Uint8Array, offset: number): void {
    if (this.#fd === undefined) return;
    try {
      if (this.#isReplaced && this.#length > offset) ftruncateSync(this.#fd, offset);
      this.#length = offset + octets.length;
      for (let at = 0; at < octets.length; )
        at += writeSync(this.#fd, octets, at, octets.length - at, this.#isReplaced ? offset + at : null);
    } catch (error) {
      throw named(error, this.path);
    }
  }

  /** It is whole, and so long. @throws the system's error */
  finish(length: number): void {
    if (this.#fd === undefined) return;
    try {
      if (this.#isReplaced) {
        ftruncateSync(this.#fd, length);
        fsyncSync(this.#fd);
      }
      this.close();
      if (this.#isReplaced) renameSync(this.#part, this.#place);
    } catch (error) {
      throw named(error, this.path);
    }
  }

  /** Leaves the part for another time; an empty one is taken away. @returns octets of it */
  keep(): number {
    if (this.#fd === undefined) return 0;
    const size = this.#isReplaced ? fstatSync(this.#fd).size : 0;
    if (size === 0) this.discard();
    this.close();
    return size;
  }

  /** Takes the part away. */
  discard(): void {
    this.close();
    if (!this.#isReplaced) return;
    try {
      unlinkSync(this.#part);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw named(error, this.#part);
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
