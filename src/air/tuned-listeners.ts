import type { Listener, Tuned } from "./advertising-roles.ts";
import { Phy } from "./phy.ts";

/** What is found out once serves so long: longer than an advertising event, short beside most windows. */
const KEPT_US = 4000;

interface Found extends Tuned {
  readonly listeners: Listener[];
  readonly isSure: boolean[];
  areSure: boolean;
  latestUs: number;
}

/**
 * Who may hear something on each primary channel at about the present time, wherever they are. In a crowd that hears each other every packet
 * would else ask all listeners of the air, of which a third at most is on its channel.
 */
export class TunedListeners {
  readonly #listeners: ReadonlySet<Listener>;
  #fromUs = Number.POSITIVE_INFINITY;
  #untilUs = Number.NEGATIVE_INFINITY;
  #tuned: readonly Found[] = [];

  /** @param listeners in the order in which they began to listen */
  constructor(listeners: ReadonlySet<Listener>) {
    this.#listeners = listeners;
  }

  /** Those that may hear a packet between these times, and perhaps some more. `nowUs`: not behind `startUs`. */
  on(channel: number, startUs: number, endUs: number, nowUs: number): Tuned {
    if (startUs < this.#fromUs || endUs > this.#untilUs) this.#find(nowUs, Math.max(nowUs + KEPT_US, endUs));
    return this.#tuned[channel]!;
  }

  /** Somebody listens from now on, or does not any more. */
  forget(): void {
    this.#untilUs = Number.NEGATIVE_INFINITY;
  }

  #find(fromUs: number, untilUs: number): void {
    this.#fromUs = fromUs;
    this.#untilUs = untilUs;
    this.#tuned = Array.from({ length: 3 }, () => ({ listeners: [], isSure: [], areSure: true, latestUs: Number.NEGATIVE_INFINITY }));
    for (const listener of this.#listeners) {
      if (listener.phy !== Phy.Le1M) continue;
      // Where several listen with one radio, the first of them whose window is open says on which channel it is.
      const isShared = listener.radio.listeners.length > 1;
      const channels = isShared ? 0b111 : listener.window.channelsDuring(fromUs, untilUs);
      for (let channel = 0; channel < 3; channel++) {
        if (!((channels >> channel) & 1)) continue;
        const found = this.#tuned[channel]!;
        const isSure = !isShared && listener.window.hears(channel, fromUs, untilUs);
        found.listeners.push(listener);
        found.isSure.push(isSure);
        found.areSure &&= isSure;
        found.latestUs = Math.max(found.latestUs, listener.window.startUs);
      }
    }
  }
}
