import { type ClientCache, createClientCache } from "./client-cache.ts";
import { type CachedPeer, DatabaseCache } from "./database-cache.ts";

/** The `cache` option of a client: what it learns of its peer is kept in a store. */
export function clientCache(peer: CachedPeer): ClientCache {
  return createClientCache((context) => new DatabaseCache(context, peer));
}
