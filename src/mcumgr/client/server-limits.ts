import type { McumgrLink, ServerBuffers } from "../links/link.ts";
import { LONGEST_MESSAGE } from "../links/link-base.ts";
import type { McumgrFallback, McumgrLimits } from "../transfer/host.ts";
import { windowOf } from "./limits.ts";

const SERVERS_REMEMBERED = 16;
/** So often may a link be lost in the midst of a trial: then the trial is taken for the reason. */
const LOSSES = 2;

export interface ServerLimitsOptions {
  /** The caller's own, which take the place of what is found out. */
  readonly window: number | undefined;
  readonly messageLimit: number | undefined;
  /** `window` may be another. */
  readonly onWindow: () => void;
  readonly onChange: (limits: McumgrLimits) => void;
  readonly tell: (fallback: McumgrFallback) => void;
}

/** How much the server takes: what it says, what the link proves, what was tried, and what the caller knows better. */
export class ServerLimits {
  readonly #options: ServerLimitsOptions;
  #known: McumgrLimits = { messageLimit: 0, window: 1, buffers: undefined, why: "there is no link yet" };
  /** A longer message than has been tried, which the server should take; 0 where there is none. */
  #goal = 0;
  /** What was found out about servers: whether a message of so many octets gets through. */
  readonly #tried = new Map<string, boolean>();
  /** Links that were lost meanwhile. */
  readonly #losses = new Map<string, number>();
  /** Windows that callers have asked for. */
  readonly #widened: number[] = [];

  constructor(options: ServerLimitsOptions) {
    this.#options = options;
  }

  get known(): McumgrLimits {
    return this.#known;
  }
  /** Octets of the message that is still to be tried; undefined where nothing is. */
  get goal(): number | undefined {
    return this.#goal > this.#known.messageLimit ? this.#goal : undefined;
  }
  /** Longest message that works over this link, whatever the server is like; nothing is known of its buffers. */
  proven(link: McumgrLink | undefined): number {
    if (!link) return 0;
    const untold = Math.min(link.messageLimit(undefined), link.provenLimit);
    return Math.min(untold, this.#options.messageLimit ?? Number.POSITIVE_INFINITY);
  }

  /** There is a new link, and nothing is known of what is behind it. */
  begin(link: McumgrLink): void {
    this.#goal = 0;
    this.#set({ messageLimit: this.proven(link), window: 1, buffers: undefined, why: "the server has not been asked" });
  }

  /** The server was asked. */
  learn(link: McumgrLink, buffers: ServerBuffers | undefined, why: string): void {
    const { messageLimit, window = windowOf(buffers) } = this.#options;
    // Whatever the server claims.
    const goal = buffers ? Math.min(LONGEST_MESSAGE, link.messageLimit(buffers)) : this.proven(link);
    const tried = this.#tried.get(keyOf(link, goal));
    this.#goal = messageLimit === undefined ? goal : 0;
    this.#set({ messageLimit: messageLimit ?? Math.min(goal, link.provenLimit), window, buffers, why });
    if (tried !== undefined && this.goal !== undefined) this.#settle(tried);
  }

  /** A message of `goal` octets was tried over this link. @param isStanding it is still the one that is used */
  found(link: McumgrLink, goal: number, getsThrough: boolean, isStanding: boolean): void {
    this.#tried.set(keyOf(link, goal), getsThrough);
    if (this.#tried.size > SERVERS_REMEMBERED) this.#tried.delete(this.#tried.keys().next().value!);
    if (isStanding && this.goal === goal) this.#settle(getsThrough);
  }

  /** The link was lost while a message of `goal` octets was tried over it. It may be chance, or what the server makes of such a message. */
  lost(link: McumgrLink, goal: number): void {
    const key = keyOf(link, goal);
    const losses = (this.#losses.get(key) ?? 0) + 1;
    if (losses >= LOSSES) {
      this.#losses.delete(key);
      this.found(link, goal, false, false);
    } else {
      this.#losses.set(key, losses);
      if (this.#losses.size > SERVERS_REMEMBERED) this.#losses.delete(this.#losses.keys().next().value!);
    }
  }

  /** A caller knows better than the server's buffers how many requests may be outstanding; until it is disposed. */
  widen(window: number | undefined): Disposable {
    if (window === undefined) return { [Symbol.dispose]: () => undefined };
    this.#widened.push(window);
    this.#options.onWindow();
    return {
      [Symbol.dispose]: () => {
        this.#widened.splice(this.#widened.indexOf(window), 1);
        this.#options.onWindow();
      },
    };
  }

  /** Requests that may be outstanding now. */
  get window(): number {
    return Math.max(this.#known.window, ...this.#widened);
  }

  #settle(getsThrough: boolean): void {
    const goal = this.#goal;
    this.#goal = 0;
    if (getsThrough) {
      this.#set({ ...this.#known, messageLimit: goal });
      return;
    }
    const why = `a message of ${goal} octets did not get through`;
    this.#options.tell({ what: "messageLimit", from: goal, to: this.#known.messageLimit, why });
    this.#set({ ...this.#known, why });
  }

  #set(limits: McumgrLimits): void {
    this.#known = limits;
    this.#options.onWindow();
    this.#options.onChange(limits);
  }
}

/** Another MTU, or other buffers, and it has to be tried again. */
function keyOf(link: McumgrLink, goal: number): string {
  return `${link.info.kind} ${link.provenLimit} ${goal}`;
}
