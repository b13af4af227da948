import type { ClientContext } from "./context.ts";
import type { DatabaseCache } from "./database-cache.ts";

type Open = (context: ClientContext) => DatabaseCache;

/** Made by `clientCache`, and by nobody else. */
export let createClientCache: (open: Open) => ClientCache;
/** For one client. */
export let openClientCache: (cache: ClientCache, context: ClientContext) => DatabaseCache;

/**
 * Keeps what a client learns of its peer beyond the link; `clientCache` makes one. It is handed to the client and not made there, so that a page
 * whose clients have none does not carry along what keeps databases.
 */
export class ClientCache {
  readonly #open: Open;

  static {
    createClientCache = (open) => new ClientCache(open);
    openClientCache = (cache, context) => cache.#open(context);
  }

  private constructor(open: Open) {
    this.#open = open;
  }
}
