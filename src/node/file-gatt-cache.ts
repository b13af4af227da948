import { join } from "node:path";
import { type Clock, SystemClock } from "../async/clock.ts";
import { checkInteger } from "../core/arguments.ts";
import { BleError } from "../core/error.ts";
import { DEFAULT_CACHED, parseCachedDatabase, putNewest } from "../gatt/client/cache.ts";
import type { CachedDatabase, GattCache } from "../gatt/index.ts";
import { cacheFolder } from "./folders.ts";
import { readPrivateFile, removePrivateFile, withLock, writePrivateFile } from "./private-file.ts";

const VERSION = 1;

/** Where peers' databases are kept when nothing else is said: `gatt-cache.json` in the cache folder. */
export function defaultGattCachePath(): string {
  return join(cacheFolder(), "gatt-cache.json");
}

/**
 * Databases of peers in a JSON file that only its owner can read (mode 0600), since it says which devices there are. Every change is one step
 * under a lock: the file is read, changed, written beside it and renamed. What is in it can be learned again: a file, or an entry, that cannot be
 * understood is taken for none, and written over.
 */
export class FileGattCache implements GattCache {
  readonly path: string;
  readonly #clock: Clock;
  readonly #maxEntries: number;

  /**
   * @param options.clock measures the wait for another process's lock; real time by default
   * @param options.maxEntries of more the oldest are forgotten; 64 by default
   */
  constructor(
    path: string = defaultGattCachePath(),
    { clock = new SystemClock(), maxEntries = DEFAULT_CACHED }: { clock?: Clock; maxEntries?: number } = {},
  ) {
    this.path = path;
    this.#clock = clock;
    this.#maxEntries = checkInteger("FileGattCache: maxEntries", maxEntries, 1, 10_000);
  }

  /** @throws {FileError} the file is there and cannot be read */
  async load(key: string): Promise<CachedDatabase | undefined> {
    return (await this.#read()).get(key);
  }

  /** @throws {ArgumentError} or {GattDescriptionError} not a database · {FileError} the file cannot be written; what was there still is */
  async save(key: string, database: CachedDatabase): Promise<void> {
    const checked = parseCachedDatabase(database);
    await this.#change((entries) => putNewest(entries, key, checked, this.#maxEntries));
  }

  /** @throws {FileError} it cannot be taken out, nor the whole file away */
  async delete(key: string): Promise<void> {
    try {
      await this.#change((entries) => entries.delete(key));
    } catch (error) {
      // What must not be believed any more goes where the disk is full as well.
      if (!(await removePrivateFile(this.path))) throw error;
    }
  }

  #change(act: (entries: Map<string, CachedDatabase>) => unknown): Promise<void> {
    const change = async (): Promise<void> => {
      const entries = await this.#read();
      act(entries);
      const content = { version: VERSION, entries: Array.from(entries, ([key, database]) => ({ key, database })) };
      await writePrivateFile(this.path, `${JSON.stringify(content)}\n`);
    };
    return withLock(this.path, change, this.#clock);
  }

  async #read(): Promise<Map<string, CachedDatabase>> {
    const text = await readPrivateFile(this.path);
    const entries = new Map<string, CachedDatabase>();
    for (const entry of listOf(text)) {
      const { key, database } = (entry ?? {}) as { key?: unknown; database?: unknown };
      if (typeof key !== "string") continue;
      try {
        putNewest(entries, key, parseCachedDatabase(database), this.#maxEntries);
      } catch (error) {
        if (!(error instanceof BleError)) throw error; // one that cannot be understood is none
      }
    }
    return entries;
  }
}

function listOf(text: string | undefined): unknown[] {
  if (text === undefined) return [];
  try {
    const { version, entries } = (JSON.parse(text) ?? {}) as { version?: unknown; entries?: unknown };
    return version === VERSION && Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}
