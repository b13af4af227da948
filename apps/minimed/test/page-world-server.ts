import type { PumpState } from "../src/live/state.ts";
import { type PumpPage, servePumpPage } from "../src/web/index.ts";
import type { PumpPageOptions } from "../src/web/options.ts";
import { type PageWorld, type PageWorldOptions, pageWorld } from "./page-world.ts";

export const WORLD_MS = Date.UTC(2031, 2, 9, 15, 20);
export const WORLD_TOKEN = "a-token-of-no-secret-value";

/** A page of an invented world, which can be made another one while it is looked at. */
export class WorldServer implements AsyncDisposable {
  world: PageWorld;
  page!: PumpPage;
  readonly #listeners = new Set<(state: PumpState) => void>();
  readonly #startedMs = performance.now();
  readonly #utcMs: number;

  constructor(options: Partial<PageWorldOptions> = {}) {
    this.#utcMs = options.utcMs ?? WORLD_MS;
    this.world = pageWorld({ ...options, utcMs: this.#utcMs });
  }

  static async open(options: Partial<PageWorldOptions> = {}, served: Partial<PumpPageOptions> = {}): Promise<WorldServer> {
    const server = new WorldServer(options);
    await server.serve(served);
    return server;
  }

  now = (): number => this.#utcMs + performance.now() - this.#startedMs;

  async serve(options: Partial<PumpPageOptions> = {}): Promise<void> {
    const listeners = this.#listeners;
    this.page = await servePumpPage({
      view: () => this.world.view,
      state: {
        get state() {
          return current();
        },
        on: (listener) => {
          listeners.add(listener);
          return { [Symbol.dispose]: () => listeners.delete(listener) };
        },
      },
      port: 0,
      token: WORLD_TOKEN,
      wallClock: this.now,
      ...options,
    });
    const current = (): PumpState => this.world.state;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  change(options: Partial<PageWorldOptions>): void {
    this.world = pageWorld({ ...options, utcMs: this.now() });
    this.changed();
  }

  changed(): void {
    for (const listener of this.#listeners) listener(this.world.state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.page.close();
  }
}
