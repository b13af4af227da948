import { mixKey } from "../core/index.ts";
import { AdvertisingProcess } from "./advertising-process.ts";
import type { Advertiser, AdvertisingAir, AdvertisingEvents, ExtendedAdvertiser, Listener, Tuned } from "./advertising-roles.ts";
import { Audiences } from "./audiences.ts";
import { ExtendedAdvertisingProcess } from "./extended-advertising-process.ts";
import { Interference } from "./interference.ts";
import type { Medium } from "./medium.ts";
import { PeriodicTrains } from "./periodic-trains.ts";
import type { Radio } from "./radio.ts";
import { Transmissions } from "./transmissions.ts";
import { TunedListeners } from "./tuned-listeners.ts";

/** Three primary channels and 37 secondary ones. */
const CHANNELS = 40;
const PRIMARY_CHANNELS = 3;

/** The advertising channels of an air, primary and secondary: who sends, who listens, and what is on the air there. */
export class AdvertisingChannels implements AdvertisingAir {
  readonly #medium: Medium;
  readonly #processes = new Map<Advertiser | ExtendedAdvertiser, AdvertisingEvents>();
  readonly #byRadio = new Map<Radio, Set<AdvertisingEvents>>();
  readonly listeners = new Set<Listener>();
  readonly trains: PeriodicTrains;
  readonly #audiences: Audiences;
  readonly #interference: Interference;
  readonly #tuned = new TunedListeners(this.listeners);
  readonly #transmissions = Array.from({ length: CHANNELS }, () => new Transmissions());

  constructor(medium: Medium) {
    this.#medium = medium;
    this.#audiences = new Audiences(medium);
    this.#interference = new Interference(medium);
    this.trains = new PeriodicTrains(medium, this);
    medium.onPathChange({ after: (radios) => this.#onPathChange(radios) });
  }

  /** Transmissions looked at so far for what collides with what: the greatest part of what a crowd costs. */
  get examined(): number {
    return this.#transmissions.reduce((sum, { examined }) => sum + examined, 0);
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
    const ofRadio = this.#byRadio.get(radio) ?? new Set();
    this.#byRadio.set(radio, ofRadio.add(process));
    this.#wake([radio], [radio]); // this one, and those that it would not hear through
    return {
      [Symbol.dispose]: () => {
        this.#processes.delete(advertiser);
        process.stop();
        const nowUs = this.#medium.scheduler.nowUs;
        for (const transmissions of this.#transmissions) transmissions.cancel(radio, nowUs);
        ofRadio.delete(process);
        if (ofRadio.size > 0 || this.#byRadio.get(radio) !== ofRadio) return;
        this.#byRadio.delete(radio);
        this.#audiences.forget(radio);
      },
    };
  }

  listen(listener: Listener): Disposable {
    this.listeners.add(listener);
    listener.radio.addListener(listener);
    this.#tuned.forget();
    this.#wake([listener.radio], this.#audiences.join(listener));
    if (this.#medium.mode === "instant") for (const process of this.#processes.values()) process.showTo(listener);
    return {
      [Symbol.dispose]: () => {
        this.listeners.delete(listener);
        this.#audiences.leave(listener);
        listener.radio.removeListener(listener);
        this.#tuned.forget();
      },
    };
  }

  #onPathChange(radios: readonly Radio[]): void {
    const first = radios.flatMap((radio) => this.#audiences.changed(radio));
    this.#wake(radios, [...first, ...radios]);
  }

  /**
   * Wakes the processes that matter to somebody from now on: of a radio in `changed`, heard by somebody, or in the way of an advertiser among
   * `met`, who are heard for the first time or are somewhere else.
   */
  #wake(changed: readonly Radio[], met: readonly Radio[]): void {
    const disturbed = met.filter((radio) => this.#isAnswerable(radio) && this.isHeard(radio));
    for (const process of this.#processes.values())
      if (process.isDormant) process.wake(changed.includes(process.radio) || this.#isNearAny(process.radio, disturbed));
  }

  #isNearAny(radio: Radio, others: readonly Radio[]): boolean {
    for (const other of others) if (other !== radio && this.#medium.isInRange(radio, other)) return true;
    return false;
  }

  #isAnswerable(radio: Radio): boolean {
    for (const { isAnswerable } of this.#byRadio.get(radio) ?? []) if (isAnswerable) return true;
    return false;
  }

  audience(radio: Radio): readonly Listener[] {
    return this.#audiences.of(radio);
  }

  tuned(channel: number, startUs: number, endUs: number): Tuned {
    return this.#tuned.on(channel, startUs, endUs, this.#medium.scheduler.nowUs);
  }

  get audienceVersion(): number {
    return this.#audiences.version;
  }

  isHeard(radio: Radio): boolean {
    return this.#audiences.of(radio).length > 0;
  }

  isInTheWay(radio: Radio): boolean {
    if (this.listeners.size === 0) return false;
    for (const { radio: other, isAnswerable } of this.#processes.values())
      if (other !== radio && isAnswerable && this.#medium.isInRange(radio, other) && this.isHeard(other)) return true;
    return false;
  }

  record(channel: number, startUs: number, endUs: number, radio: Radio): void {
    this.#transmissions[channel]!.note(startUs, endUs, radio, this.#medium.scheduler.nowUs);
  }

  interference(channel: number, startUs: number, endUs: number, from: Radio): Interference {
    const found = this.#interference;
    found.begin(from);
    this.#transmissions[channel]!.find(startUs, endUs, from, found);
    if (channel >= PRIMARY_CHANNELS) this.trains.find(channel, startUs, endUs, from, found);
    return found;
  }
}
