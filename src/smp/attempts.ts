import type { Clock } from "../async/clock.ts";

export interface PairingAttemptsOptions {
  clock: Clock;
  /** Failures that cost no wait, so that a mistyped passkey may be typed again at once; and as many pairings that succeed. */
  freeFailures?: number;
  /** The wait after the first failure past those; every further one doubles it. */
  firstWaitMs?: number;
  maxWaitMs?: number;
  /** Without a failure for this long one failure is forgotten, which halves the next wait. */
  forgetMs?: number;
  /** Peers remembered. When it is full the one with the shortest wait is forgotten. */
  capacity?: number;
}

/**
 * Repeated attempts, Vol 3 Part H 2.3.6: after a failed pairing the next one with the same peer has to wait, longer each time. Shared by all
 * links of a device, so that disconnecting does not start the count anew. A peer that changes its address counts as another one: a passkey
 * is drawn anew for every pairing, so guessing does not get better by it. Pairings that succeed are counted too: each costs a write to the
 * store, and a peer that pairs again and again must not wear it out.
 */
export class PairingAttempts {
  readonly #failures: Backoff;
  readonly #successes: Backoff;

  constructor(options: PairingAttemptsOptions) {
    this.#failures = new Backoff(options);
    this.#successes = new Backoff(options);
  }

  /** Peers with a failure that is not forgotten. */
  get size(): number {
    return this.#failures.size;
  }

  /** Milliseconds until another pairing with `peer` may begin, after those that failed; 0 is now. */
  waitMs(peer: string): number {
    return this.#failures.waitMs(peer);
  }

  /** Milliseconds until `peer` may begin another pairing, after those that succeeded as well. */
  waitForPeerMs(peer: string): number {
    return Math.max(this.#failures.waitMs(peer), this.#successes.waitMs(peer));
  }

  failed(peer: string): void {
    this.#failures.count(peer);
  }

  succeeded(peer: string): void {
    this.#failures.forget(peer);
    this.#successes.count(peer);
  }
}

interface Entry {
  times: number;
  lastMs: number;
}

/** What happened how often, by peer, and how long to wait before it may happen again. */
class Backoff {
  readonly #clock: Clock;
  readonly #free: number;
  readonly #firstWaitMs: number;
  readonly #maxWaitMs: number;
  readonly #forgetMs: number;
  readonly #capacity: number;
  readonly #entries = new Map<string, Entry>();

  constructor({
    clock,
    freeFailures = 3,
    firstWaitMs = 1000,
    maxWaitMs = 300_000,
    forgetMs = 300_000,
    capacity = 64,
  }: PairingAttemptsOptions) {
    this.#clock = clock;
    this.#free = freeFailures;
    this.#firstWaitMs = firstWaitMs;
    this.#maxWaitMs = maxWaitMs;
    this.#forgetMs = forgetMs;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  waitMs(peer: string): number {
    const entry = this.#entries.get(peer);
    if (!entry || !this.#refresh(peer, entry)) return 0;
    return Math.max(0, this.#untilMs(entry) - this.#clock.now());
  }

  count(peer: string): void {
    const known = this.#entries.get(peer);
    const entry = known && this.#refresh(peer, known) ? known : { times: 0, lastMs: 0 };
    entry.times++;
    entry.lastMs = this.#clock.now();
    this.#entries.delete(peer); // the map keeps the order of the last time
    if (this.#entries.size >= this.#capacity) this.#evict();
    this.#entries.set(peer, entry);
  }

  forget(peer: string): void {
    this.#entries.delete(peer);
  }

  #untilMs({ times, lastMs }: Entry): number {
    if (times <= this.#free) return lastMs;
    return lastMs + Math.min(this.#maxWaitMs, this.#firstWaitMs * 2 ** (times - this.#free - 1));
  }

  /** Takes off what time has forgiven; false once nothing is left. */
  #refresh(peer: string, entry: Entry): boolean {
    const forgotten = Math.floor((this.#clock.now() - entry.lastMs) / this.#forgetMs);
    if (forgotten > 0) {
      entry.times -= forgotten;
      entry.lastMs += forgotten * this.#forgetMs;
    }
    if (entry.times > 0) return true;
    this.#entries.delete(peer);
    return false;
  }

  #evict(): void {
    let victim: string | undefined;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const [peer, entry] of this.#entries) {
      const untilMs = this.#untilMs(entry);
      if (untilMs < earliestMs) {
        earliestMs = untilMs;
        victim = peer;
      }
    }
    if (victim !== undefined) this.#entries.delete(victim);
  }
}
