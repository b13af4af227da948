import { fromHex } from "../../bytes/hex.ts";
import { checkInteger, checkOptions, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import type { GattDescription } from "../describe/description.ts";
import { parseGattDescription } from "../describe/parse.ts";

/** What the link was worth on which a database was learned: nothing (0), a bond (1), a bond that was authenticated (2). */
export type CacheTrust = 0 | 1 | 2;

/** The database of a peer, as a client learned it. Data alone: what JSON can hold. */
export interface CachedDatabase {
  /** The structure, without values. */
  readonly description: GattDescription;
  /** Database Hash in hexadecimal digits, as on air, where the peer has one that fits its database. */
  readonly hash?: string | undefined;
  readonly trust: CacheTrust;
  /** Of a bonded peer: which bond it was, as far as can be told without its keys. */
  readonly bond?: string | undefined;
  /** In that bond the peer was asked to say when its services change: until it does, this is its database. */
  readonly watched?: boolean | undefined;
}

/**
 * Keeps databases of peers, by keys that are text: "peer:" with an identity, "hash:" with a Database Hash. It may forget anything at any time.
 * Whatever it gives is checked before it is used, and whatever it throws is logged: then the peer is asked, as without a cache.
 */
export interface GattCache {
  load(key: string): Promise<CachedDatabase | undefined>;
  save(key: string, database: CachedDatabase): Promise<void>;
  delete(key: string): Promise<void>;
}

/** Databases that are kept unless something else is said. */
export const DEFAULT_CACHED = 64;

const OPTIONS = optionNames<{ maxEntries?: number }>({ maxEntries: true });

/** A cache in memory, gone with the process. */
export class MemoryGattCache implements GattCache {
  readonly #entries = new Map<string, CachedDatabase>();
  readonly #maxEntries: number;

  /** @param options.maxEntries of more the oldest are forgotten; 64 by default */
  constructor(options: { maxEntries?: number } = {}) {
    checkOptions("MemoryGattCache", options, OPTIONS);
    this.#maxEntries = checkInteger("MemoryGattCache: maxEntries", options.maxEntries ?? DEFAULT_CACHED, 1, Number.MAX_SAFE_INTEGER);
  }

  get size(): number {
    return this.#entries.size;
  }

  load(key: string): Promise<CachedDatabase | undefined> {
    return Promise.resolve(this.#entries.get(key));
  }

  save(key: string, database: CachedDatabase): Promise<void> {
    putNewest(this.#entries, key, database, this.#maxEntries);
    return Promise.resolve();
  }

  delete(key: string): Promise<void> {
    this.#entries.delete(key);
    return Promise.resolve();
  }
}

/** The newest stand last. @internal */
export function putNewest<T>(entries: Map<string, T>, key: string, value: T, most: number): void {
  entries.delete(key);
  entries.set(key, value);
  for (const oldest of entries.keys()) {
    if (entries.size <= most) return;
    entries.delete(oldest);
  }
}

const NAMES = optionNames<CachedDatabase>({ description: true, hash: true, trust: true, bond: true, watched: true });

/** Checks what a store gives. @throws {ArgumentError} or {GattDescriptionError}: it is no database */
export function parseCachedDatabase(value: unknown): CachedDatabase {
  if (value === undefined) throw new ArgumentError("cached database: expected an object, got undefined");
  checkOptions("cached database", value, NAMES);
  const { description, hash, trust, bond, watched } = value as CachedDatabase;
  if (hash !== undefined && (typeof hash !== "string" || fromHex(hash).length !== 16))
    throw new ArgumentError("cached database: hash: expected 16 octets in hexadecimal digits");
  if (bond !== undefined && typeof bond !== "string") throw new ArgumentError("cached database: bond: expected text");
  if (watched !== undefined && typeof watched !== "boolean") throw new ArgumentError("cached database: watched: expected true or false");
  checkInteger("cached database: trust", trust, 0, 2);
  return {
    description: parseGattDescription(description),
    trust,
    ...(hash !== undefined && { hash }),
    ...(bond !== undefined && { bond }),
    ...(watched !== undefined && { watched }),
  };
}
