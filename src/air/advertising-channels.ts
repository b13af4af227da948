import { mixKey } from "../core/index.ts";
import { AdvertisingProcess } from "./advertising-process.ts";
import type { Advertiser, AdvertisingAir, AdvertisingEvents, ExtendedAdvertiser, Listener } from "./advertising-roles.ts";
import { ExtendedAdvertisingProcess } from "./extended-advertising-process.ts";
import type { Medium } from "./medium.ts";
import { PeriodicTrains } from "./periodic-trains.ts";
import type { Radio } from "./radio.ts";

/** An interferer this much weaker does no harm: the stronger packet is received all the same. */
const CAPTURE_DB = 8;
/** Events are recorded ahead, up to the length of one on a primary channel, and of the longest packet on a secondary one. */
const LONGEST_EVENT_US = 20_000;
/** Three primary channels and 37 secondary ones. */
const CHANNELS = 40;
const PRIMARY_CHANNELS = 3;

interface Transmission {
  readonly startUs: number;
  readonly endUs: number;
  readonly radio: Radio;
}

/** The advertising channels of an air, primary and secondary: who sends, who listens, and what is on the air there. */
export class AdvertisingChannels implements AdvertisingAir {
  readonly #medium: Medium;
  readonly #processes = new Map<Advertiser | ExtendedAdvertiser, AdvertisingEvents>();
  readonly listeners = new Set<Listener>();
  readonly trains: PeriodicTrains;
  readonly #transmissions: Transmission[][] = Array.from({ length: CHANNELS }, () => []);

  constructor(medium: Medium) {
    this.#medium = medium;
    this.trains = new PeriodicTrains(medium, this);
    medium.onPathChange({ after: () => this.#wakeAll() });
  }

  /** The first event comes after a random delay of its own. */
  advertise(advertiser: Advertiser): Disposable {
    return this.#begin(advertiser, new AdvertisingProcess(this.#medium, this, advertiser, this.#key(advertiser.radio)));
  }

  /** As `advertise`, with extended advertising events. */
  advertiseExtended(advertiser: ExtendedAdvertiser): Disposable {
    return this.#begin(advertiser, new ExtendedAdvertisingProcess(this.#medium, this, advertiser, this.#key(advertiser.radio)));
  }

  #key(radio: Radio): number {
    return mixKey(this.#medium.seed, radio.name, ++radio.advertisingCount, "advertising");
  }

  #begin(advertiser: Advertiser | ExtendedAdvertiser, process: AdvertisingEvents): Disposable {
    const { radio } = advertiser;
    this.#processes.set(advertiser, process);
    this.#wakeAll(); // this one, and those that it would not hear through
    return {
      [Symbol.dispose]: () => {
        this.#processes.delete(advertiser);
        process.stop();
        const nowUs = this.#medium.scheduler.nowUs;
        for (const [channel, transmissions] of this.#transmissions.entries())
          if (transmissions.length > 0)
            this.#transmissions[channel] = transmissions.filter(({ radio: from, startUs }) => from !== radio || startUs <= nowUs);
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
    for (const listener of this.listeners)
      if (listener.radio !== radio && this.#medium.isInRange(radio, listener.radio, listener.phy)) return true;
    return false;
  }

  /** Whether somebody in range of this radio waits for answers from listeners, which its transmissions would drown. */
  isInTheWay(radio: Radio): boolean {
    if (this.listeners.size === 0) return false;
    for (const { radio: other, isAnswerable } of this.#processes.values())
      if (other !== radio && isAnswerable && this.#medium.isInRange(radio, other) && this.isHeard(other)) return true;
    return false;
  }

  record(channel: number, startUs: number, endUs: number, radio: Radio): void {
    const transmissions = this.#transmissions[channel]!;
    transmissions.push({ startUs, endUs, radio });
    if (transmissions.length >= 64 && transmissions.length % 64 === 0) {
      // What ended before the longest event began can no longer overlap.
      const oldUs = this.#medium.scheduler.nowUs - LONGEST_EVENT_US;
      this.#transmissions[channel] = transmissions.filter(({ endUs: end }) => end > oldUs);
    }
  }

  interferers(channel: number, startUs: number, endUs: number, from: Radio): readonly Radio[] {
    const radios: Radio[] = [];
    for (const other of this.#transmissions[channel]!)
      if (other.endUs > startUs && other.startUs < endUs && other.radio !== from) radios.push(other.radio);
    if (channel >= PRIMARY_CHANNELS) radios.push(...this.trains.interferers(channel, startUs, endUs, from));
    return radios;
  }

  isCollided(interferers: readonly Radio[], from: Radio, to: Radio): boolean {
    const medium = this.#medium;
    for (const other of interferers)
      if (other !== to && medium.isInRange(other, to) && medium.meanDbm(other, to) > medium.meanDbm(from, to) - CAPTURE_DB) return true;
    return false;
  }
}
