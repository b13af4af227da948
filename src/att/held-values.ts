import type { Clock } from "../async/clock.ts";

/**
 * How long before the link met the demand a value may have arrived and still be believed: on USB, data and events come by different endpoints,
 * with up to 10 ms between them. A value sent in the clear arrives earlier: no data passes from LL_ENC_RSP until the link is encrypted
 * (Vol 6 Part B 5.1.3.1), and that takes two connection events at least.
 */
const HOLD_MS = 30;
const CAPACITY = 32;

interface HeldValue {
  readonly handle: number;
  readonly value: Uint8Array;
  readonly indication: boolean;
  readonly arrivedMs: number;
}

/** Notifications and indications that arrived before the link was worth what the client demands. Of more than 32 the oldest are dropped. */
export class HeldValues {
  readonly #clock: Clock;
  #values: HeldValue[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hold(handle: number, value: Uint8Array, indication: boolean): void {
    const arrivedMs = this.#clock.now();
    this.#values = this.#values.filter((held) => arrivedMs - held.arrivedMs <= HOLD_MS).slice(-(CAPACITY - 1));
    this.#values.push({ handle, value, indication, arrivedMs });
  }

  /** Hands out, in order, what may have been sent after the link met the demand; forgets the rest. */
  release(deliver: (handle: number, value: Uint8Array, indication: boolean) => void): void {
    const values = this.#values;
    this.#values = [];
    const nowMs = this.#clock.now();
    for (const { handle, value, indication, arrivedMs } of values) if (nowMs - arrivedMs <= HOLD_MS) deliver(handle, value, indication);
  }

  clear(): void {
    this.#values = [];
  }
}
