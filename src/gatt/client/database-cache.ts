import type { AttBearer } from "../../att/bearer.ts";
import { AttError, AttProtocolError } from "../../att/error.ts";
import { toHex } from "../../bytes/hex.ts";
import { Uuid } from "../../core/uuid.ts";
import { GattUuid } from "../uuids.ts";
import { type CachedDatabase, type CacheTrust, type GattCache, parseCachedDatabase } from "./cache.ts";
import { descriptionOf, structureOf } from "./cached-structure.ts";
import type { ClientContext } from "./context.ts";
import { WHOLE } from "./discovery.ts";
import type { GattOperationOptions } from "./options.ts";
import { hashOfStructure, type KnownService, readStructure } from "./structure.ts";

/** What a client needs to keep what it learns of its peer. */
export interface CachedPeer {
  readonly store: GattCache;
  /** The bond that the link has proved, `undefined` without one: who the peer is, and which bond it is. */
  readonly peer: () => { readonly identity: string; readonly bond: string } | undefined;
}

/** A longer database is not kept: nobody's peer fills memory or disk. */
const MOST_ATTRIBUTES = 2000;

const attributesOf = (services: readonly KnownService[]): number =>
  services.reduce(
    (sum, { includes, characteristics }) =>
      characteristics.reduce((own, { descriptors }) => own + 2 + descriptors.length, sum + 1 + includes.length),
    0,
  );

/** The database of the peer, and what is known of it. */
export interface Learned {
  readonly services: readonly KnownService[];
  /** What the link was worth when it was learned. */
  readonly trust: CacheTrust;
  /** That of the peer, where it is the hash of these services. */
  readonly hash: string | undefined;
}

/**
 * What of a cache is believed on one link.
 *
 * A Database Hash proves nothing of its peer: it is made without a key, and another database with the same hash can be made up. So what one
 * peer tells is not believed of a peer that is trusted more: what was learned on a link without a bond holds for links without a bond only,
 * and what was learned with a bond that is not authenticated not for an authenticated one. What a bonded peer has told of itself holds while
 * the bond is the same, it has promised to tell of changes, and it has told of none.
 */
export class DatabaseCache {
  readonly #context: ClientContext;
  readonly #cache: CachedPeer;
  /** Goes up with each change: what was being saved then is not saved. */
  #version = 0;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(context: ClientContext, cache: CachedPeer) {
    this.#context = context;
    this.#cache = cache;
  }

  get #bearer(): AttBearer {
    return this.#context.requester.bearer;
  }

  /** What is learned now can be trusted so far. */
  get trust(): CacheTrust {
    const { encrypted, bonded, authenticated } = this.#bearer.security;
    return encrypted && bonded ? (authenticated ? 2 : 1) : 0;
  }

  /**
   * The peer's database, from the cache or from the peer; `undefined` where it is to be asked piece by piece, since it contradicts itself.
   *
   * @throws what requests throw, refusals excepted
   */
  async open(options: GattOperationOptions): Promise<(Learned & { readonly watched: boolean }) | undefined> {
    const { requester } = this.#context;
    if (!requester.isReady(options)) await requester.prepare(options); // who the peer is, is known when the link is what it should be
    await this.#writing; // what is being forgotten is not believed
    const { trust } = this;
    const peer = this.#cache.peer();
    const own = peer && (await this.#load(`peer:${peer.identity}`));
    if (own && own.bond === peer.bond && own.watched)
      return { services: structureOf(own.description), hash: own.hash, trust, watched: true };
    const hash = await this.readHash(options);
    if (hash !== undefined)
      for (const known of [own, await this.#load(`hash:${hash}`)])
        if (known && known.hash === hash && known.trust >= trust) {
          const services = structureOf(known.description);
          if (toHex(hashOfStructure(services)) !== hash) continue;
          return { services, hash, trust, watched: false };
        }
    try {
      const services = await readStructure(this.#context, WHOLE, options);
      return { ...this.judged(services, hash, trust), watched: false };
    } catch (error) {
      if (!(error instanceof AttError || error instanceof AttProtocolError)) throw error;
      this.#bearer.logger.info(() => `the peer's database is not cached: ${error.message}`);
      return undefined;
    }
  }

  /** Whether that is the peer's database: by its hash, or by a discovery of all of it that finds the same. @throws what requests throw, refusals excepted */
  async isStill({ services, hash }: Learned, options: GattOperationOptions): Promise<boolean> {
    if (hash !== undefined) return (await this.readHash(options)) === hash;
    try {
      const now = await readStructure(this.#context, WHOLE, options);
      return JSON.stringify(descriptionOf(now)) === JSON.stringify(descriptionOf(services));
    } catch (error) {
      if (error instanceof AttError || error instanceof AttProtocolError) return false;
      throw error;
    }
  }

  /** With the hash that the peer gave, where it fits: services that changed meanwhile, or a mistake of the peer, are not kept under it. */
  judged(services: readonly KnownService[], hash: string | undefined, trust: CacheTrust): Learned {
    const isRight = hash !== undefined && toHex(hashOfStructure(services)) === hash;
    if (hash !== undefined && !isRight) this.#bearer.logger.info("the peer's Database Hash is not that of its database");
    return { services, trust, hash: isRight ? hash : undefined };
  }

  /** The peer's Database Hash; `undefined` where it has none, or does not give it. */
  async readHash(options: GattOperationOptions): Promise<string | undefined> {
    try {
      const found = await this.#context.discovery.firstValueByType(Uuid.from(GattUuid.DatabaseHash), options);
      return found?.value.length === 16 ? toHex(found.value) : undefined;
    } catch (error) {
      if (error instanceof AttError) return undefined;
      throw error;
    }
  }

  /** Keeps what was learned, behind the program's back. @param watched the peer was asked to tell of changes */
  save({ services, hash, trust }: Learned, { watched }: { readonly watched: boolean }): void {
    if (attributesOf(services) > MOST_ATTRIBUTES) return;
    // What somebody in between may have told before the link was what it is now is not taken for the peer's.
    const peer = trust < this.trust ? undefined : this.#cache.peer();
    const database: CachedDatabase = { description: descriptionOf(services), trust, ...(hash !== undefined && { hash }) };
    const version = this.#version;
    this.#do("kept", async () => {
      if (version !== this.#version) return;
      if (peer) await this.#cache.store.save(`peer:${peer.identity}`, { ...database, bond: peer.bond, watched });
      if (hash !== undefined) await this.#saveByHash(hash, database);
    });
  }

  /** What was learned of somebody more trusted stays. Of two different ones with the same hash one is a lie, and neither is kept. */
  async #saveByHash(hash: string, database: CachedDatabase): Promise<void> {
    const { store } = this.#cache;
    const key = `hash:${hash}`;
    const known = await this.#load(key);
    if (known && known.trust > database.trust) return;
    const isOther = known?.trust === database.trust && JSON.stringify(known.description) !== JSON.stringify(database.description);
    if (isOther) await store.delete(key);
    else await store.save(key, database);
  }

  /** The peer's database is another one now: nothing of it is to be believed by the next link. */
  forget(): void {
    this.#version++;
    const peer = this.#cache.peer();
    if (peer) this.#do("forgotten", () => this.#cache.store.delete(`peer:${peer.identity}`));
  }

  /** One after the other, so that what is forgotten is not kept after that. */
  #do(what: string, act: () => Promise<void>): void {
    this.#writing = this.#writing.then(act).catch((error: unknown) => {
      this.#bearer.logger.warn(() => `the peer's database could not be ${what}: ${String(error)}`);
    });
  }

  async #load(key: string): Promise<CachedDatabase | undefined> {
    try {
      const found: unknown = await this.#cache.store.load(key);
      return found === undefined ? undefined : parseCachedDatabase(found);
    } catch (error) {
      this.#bearer.logger.warn(() => `the cache of peers' databases is not used: ${String(error)}`);
      return undefined;
    }
  }
}
