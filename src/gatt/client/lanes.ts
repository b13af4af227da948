import type { AttBearer } from "../../att/bearer.ts";
import { BearerPool } from "../../att/bearer-pool.ts";
import { AttUnsentError } from "../../att/error.ts";
import { Discovery } from "./discovery.ts";
import { type Elevate, Elevation } from "./elevation.ts";
import { Requester } from "./requester.ts";
import { ValueAccess } from "./values.ts";

/** What asks on one bearer. */
interface Lane {
  readonly bearer: AttBearer;
  readonly requester: Requester;
  readonly values: ValueAccess;
  readonly discovery: Discovery;
  /** Operations under way. */
  busy: number;
}

/** An operation: what it is about, and what may become of it. */
interface Work {
  /** Handles of the attributes that it is about. */
  readonly handles: readonly number[];
  /** Octets of its longest PDU, where it is better not cut. */
  readonly length?: number;
  /** It can be made again where its bearer was lost in the midst of it: it changes nothing. */
  readonly repeats: boolean;
}

/**
 * The bearers that a client asks on. Each operation stays on one of them with all of its requests: a long read is of one value, and prepared
 * writes are queued for each bearer (Vol 3 Part F 3.4.6). Operations about one attribute follow each other on one bearer while one is under
 * way; others go where least is to be done, the unenhanced bearer first.
 */
export class Lanes {
  /** The unenhanced bearer's. */
  readonly first: Lane;
  readonly #elevation: Elevation | undefined;
  readonly #onOutOfSync: () => void;
  readonly #lanes = new Map<AttBearer, Lane>();
  /** While there are several. */
  #pool: BearerPool<number> | undefined;

  constructor(bearer: AttBearer, elevate: Elevate | undefined, onOutOfSync: () => void) {
    this.#elevation = elevate && new Elevation(bearer, elevate);
    this.#onOutOfSync = onOutOfSync;
    this.first = this.#create(bearer);
  }

  #create(bearer: AttBearer): Lane {
    const requester = new Requester(bearer, this.#elevation);
    // At once: what is asked for in the meantime rests on what was known before.
    bearer.on("outOfSync", this.#onOutOfSync);
    const lane = { bearer, requester, values: new ValueAccess(requester), discovery: new Discovery(requester), busy: 0 };
    this.#lanes.set(bearer, lane);
    return lane;
  }

  /** Asks on an enhanced bearer too, until it is closed. */
  add(bearer: AttBearer): void {
    if (bearer.refusal || this.#lanes.has(bearer)) return;
    this.#create(bearer);
    this.#pool ??= new BearerPool(this.first.bearer);
    this.#pool.add(bearer);
    bearer.on("failed", () => this.#remove(bearer));
    bearer.on("closed", () => this.#remove(bearer));
  }

  #remove(bearer: AttBearer): void {
    this.#lanes.delete(bearer);
    this.#pool?.remove(bearer);
    if (this.#lanes.size === 1) this.#pool = undefined;
  }

  run<T>(work: Work, act: (lane: Lane) => Promise<T>): Promise<T> {
    return this.#pool === undefined ? act(this.first) : this.#spread(work, act);
  }

  async #spread<T>(work: Work, act: (lane: Lane) => Promise<T>): Promise<T> {
    for (;;) {
      const pool = this.#pool;
      const lane = pool ? this.#choose(pool, work) : this.first;
      const { bearer } = lane;
      for (const handle of work.handles) pool?.begin(handle, bearer);
      lane.busy++;
      try {
        return await act(lane);
      } catch (error) {
        const isUnsent = error instanceof AttUnsentError;
        const { refusal } = this.first.bearer;
        if (isUnsent && refusal) throw refusal;
        if (!isUnsent && !(work.repeats && bearer.isEnhanced && error === bearer.ended && !refusal)) throw error;
        // It is made again on another bearer: this one is none of them any more.
      } finally {
        lane.busy--;
        for (const handle of work.handles) pool?.end(handle, bearer);
      }
    }
  }

  #choose(pool: BearerPool<number>, { handles, length = 0 }: Work): Lane {
    const { first } = this;
    for (const handle of handles) {
      const known = pool.bearerOf(handle);
      if (known) return this.#lanes.get(known) ?? first;
    }
    const busy = (bearer: AttBearer): number => Math.max(bearer.pending, this.#lanes.get(bearer)!.busy);
    return this.#lanes.get(pool.leastBusy(busy, (bearer) => bearer.txLimit >= length)) ?? first;
  }

  /** Where a write without response goes: behind requests about the same attribute, else on the unenhanced bearer, so that they keep their order. */
  forCommand(handle: number, length: number): Lane {
    const bearer = this.#pool?.bearerOf(handle);
    const lane = bearer && bearer.txLimit >= length ? this.#lanes.get(bearer) : undefined;
    return lane ?? this.first;
  }
}
