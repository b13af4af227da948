import type { Clock } from "../async/clock.ts";

export interface PairingAttemptsOptions {
  clock: Clock;
  /** Failures that cost no wait, so that a mistyped passkey may be typed again at once. */
  freeFailures?: number;
  /** The wait after the first failure past those; every further one doubles it. */
  firstWaitMs?: number;
  maxWaitMs?: number;
  /** Without a failure for this long one failure is forgotten, which halves the next wait. */
  forgetMs?: number;
  /** Peers remembered. When it is full the one with the shortest wait is forgotten. */
  capacity?: number;
}

interface Entry {
  failures: number;
  lastMs: number;
}

/**
 * Repeated attempts, Vol 3 Part H 2.3.6: after a failed pairing the next one with the same peer has to wait, longer each time. Shared by all
 * links of a device, so that disconnecting does not start the count anew. A peer that changes its address counts as another one: a passkey
 * is drawn anew for every pairing, so guessing does not get better by it.
 */
export class PairingAttempts {
  readonly #clock: Clock;
  readonly #freeFailures: number;
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
    this.#freeFailures = freeFailures;
    this.#firstWaitMs = firstWaitMs;
    this.#maxWaitMs = maxWaitMs;
    this.#forgetMs = forgetMs;
    this.#capacity = capacity;
  }

  /** Peers with a failure that is not forgotten. */
  get size(): number {
    return this.#entries.size;
  }

  /** Milliseconds until `peer` may pair again; 0 is now. */
  waitMs(peer: string): number {
    const entry = this.#entries.get(peer);
    if (!entry || !this.#refresh(peer, entry)) return 0;
    return Math.max(0, this.#untilMs(entry) - this.#clock.now());
  }

  failed(peer: string): void {
    const known = this.#entries.get(peer);
    const entry = known && this.#refresh(peer, known) ? known : { failures: 0, lastMs: 0 };
    entry.failures++;
    entry.lastMs = this.#clock.now();
    this.#entries.delete(peer); // the map keeps the order of the last failure
    if (this.#entries.size >= this.#capacity) this.#evict();
    this.#entries.set(peer, entry);
  }

  succeeded(peer: string): void {
    this.#entries.delete(peer);
  }

  #untilMs({ failures, lastMs }: Entry): number {
    if (failures <= this.#freeFailures) return lastMs;
    return lastMs + Math.min(this.#maxWaitMs, this.#firstWaitMs * 2 ** (failures - this.#freeFailures - 1));
  }

  /** Takes off what time has forgiven; false once nothing is left. */
  #refresh(peer: string, entry: Entry): boolean {
    const forgotten = Math.floor((this.#clock.now() - entry.lastMs) / this.#forgetMs);
    if (forgotten > 0) {
      entry.failures -= forgotten;
      entry.lastMs += forgotten * this.#forgetMs;
    }
    if (entry.failures > 0) return true;
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
