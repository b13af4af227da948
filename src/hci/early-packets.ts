import type { Clock } from "../async/clock.ts";

/** How long data may come before the event of its connection, in milliseconds. In the field 10 ms were seen. */
const EARLY_MS = 100;
/** How long data may come after the event that its connection is gone, in milliseconds. */
const LATE_MS = 20;
/** What is kept for connections that are not known: the first requests of a few. More is dropped, the newest first. */
const MOST_PACKETS = 32;
const MOST_OCTETS = 8192;

interface EarlyPacket {
  readonly handle: number;
  readonly packet: Uint8Array;
  readonly atMs: number;
}

/**
 * ACL data for connections that are not known yet. Events and data come by two ways, over which HCI promises no order (on USB by two
 * endpoints, Vol 4 Part B 2.1), so the first request of a peer may be here before the event that tells of its connection.
 *
 * Right after a disconnection such data is rather what is left of the old connection, and must not reach a new one of the same handle.
 */
export class EarlyPackets {
  readonly #clock: Clock;
  #packets: EarlyPacket[] = [];
  #octets = 0;
  /** When a handle was freed. */
  readonly #freedMs = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#packets.length;
  }

  has(handle: number): boolean {
    return this.#packets.some((early) => early.handle === handle);
  }

  /** @returns false: there is no room, or the packet is a late one */
  keep(handle: number, packet: Uint8Array): boolean {
    this.#forgetOld();
    if (this.#freedMs.has(handle)) return false;
    if (this.#packets.length >= MOST_PACKETS || this.#octets + packet.length > MOST_OCTETS) return false;
    // Copied: a view of a transport's buffer would keep all of that.
    this.#packets.push({ handle, packet: new Uint8Array(packet), atMs: this.#clock.now() });
    this.#octets += packet.length;
    return true;
  }

  /** Gives out what is kept for a connection that is known now, in its order. */
  take(handle: number): Uint8Array[] {
    this.#forgetOld();
    const taken = this.#packets.filter((early) => early.handle === handle).map(({ packet }) => packet);
    this.#leave((early) => early.handle !== handle);
    return taken;
  }

  /** The connection is gone: so is what is kept for it, and what comes for it right after. */
  disconnected(handle: number): void {
    this.take(handle);
    this.#freedMs.set(handle, this.#clock.now());
  }

  clear(): void {
    this.#leave(() => false);
    this.#freedMs.clear();
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    this.#leave(({ atMs }) => now - atMs <= EARLY_MS);
    for (const [handle, freedMs] of this.#freedMs) if (now - freedMs > LATE_MS) this.#freedMs.delete(handle);
  }

  #leave(stays: (early: EarlyPacket) => boolean): void {
    this.#packets = this.#packets.filter(stays);
    this.#octets = this.#packets.reduce((sum, { packet }) => sum + packet.length, 0);
  }
}
