import { mixKey } from "../core/index.ts";
import { AdvertisingProcess } from "./advertising-process.ts";
import type { Advertiser, AdvertisingAir, Listener } from "./advertising-roles.ts";
import type { Medium } from "./medium.ts";
import type { Radio } from "./radio.ts";

/** An interferer this much weaker does no harm: the stronger packet is received all the same. */
const CAPTURE_DB = 8;
/** No packet on an advertising channel lasts so long. */
const LONGEST_US = 1000;

interface Transmission {
  readonly startUs: number;
  readonly endUs: number;
  readonly radio: Radio;
}

/** The three advertising channels of an air: who sends, who listens, and what is on the air there. */
export class AdvertisingChannels implements AdvertisingAir {
  readonly #medium: Medium;
  readonly #processes = new Map<Advertiser, AdvertisingProcess>();
  readonly listeners = new Set<Listener>();
  #transmissions: Transmission[][] = [[], [], []];

  constructor(medium: Medium) {
    this.#medium = medium;
    medium.onPathChange({ after: () => this.#wakeAll() });
  }

  /** The first event comes after a random delay of its own. */
  advertise(advertiser: Advertiser): Disposable {
    const { radio } = advertiser;
    const key = mixKey(this.#medium.seed, radio.name, ++radio.advertisingCount, "advertising");
    const process = new AdvertisingProcess(this.#medium, this, advertiser, key);
    this.#processes.set(advertiser, process);
    this.#wakeAll(); // this one, and those that it would not hear through
    return {
      [Symbol.dispose]: () => {
        this.#processes.delete(advertiser);
        process.stop();
        const nowUs = this.#medium.scheduler.nowUs;
        this.#transmissions = this.#transmissions.map((channel) =>
          channel.filter((transmission) => transmission.radio !== radio || transmission.startUs <= nowUs),
        );
      },
    };
  }

  listen(listener: Listener): Disposable {
    this.listeners.add(listener);
    listener.radio.addListener(listener);
    this.#wakeAll();
    if (this.#medium.mode === "instant") for (const process of this.#processes.values()) process.showTo(listener);
    return {
      [Symbol.dispose]: () => {
        this.listeners.delete(listener);
        listener.radio.removeListener(listener);
      },
    };
  }

  #wakeAll(): void {
    for (const process of this.#processes.values()) process.wake();
  }

  /** Whether somebody listens in range of this radio. */
  isHeard(radio: Radio): boolean {
    for (const listener of this.listeners) if (listener.radio !== radio && this.#medium.isInRange(radio, listener.radio)) return true;
    return false;
  }

  /** Whether somebody in range of this radio waits for answers from listeners, which its transmissions would drown. */
  isInTheWay(radio: Radio): boolean {
    if (this.listeners.size === 0) return false;
    for (const { radio: other, isAnswerable } of this.#processes.keys())
      if (other !== radio && isAnswerable && this.#medium.isInRange(radio, other) && this.isHeard(other)) return true;
    return false;
  }

  record(channel: number, startUs: number, endUs: number, radio: Radio): void {
    const transmissions = this.#transmissions[channel]!;
    transmissions.push({ startUs, endUs, radio });
    if (transmissions.length >= 64 && transmissions.length % 64 === 0) {
      // Events are recorded ahead, up to the length of one; what ended before that can no longer overlap.
      const oldUs = this.#medium.scheduler.nowUs - 20 * LONGEST_US;
      this.#transmissions[channel] = transmissions.filter(({ endUs: end }) => end > oldUs);
    }
  }

  interferers(channel: number, startUs: number, endUs: number, from: Radio): readonly Radio[] {
    const radios: Radio[] = [];
    for (const other of this.#transmissions[channel]!)
      if (other.endUs > startUs && other.startUs < endUs && other.radio !== from) radios.push(other.radio);
    return radios;
  }

  isCollided(interferers: readonly Radio[], from: Radio, to: Radio): boolean {
    const medium = this.#medium;
    for (const other of interferers)
      if (other !== to && medium.isInRange(other, to) && medium.meanDbm(other, to) > medium.meanDbm(from, to) - CAPTURE_DB) return true;
    return false;
  }
}
