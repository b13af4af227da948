import type { ListenWindow } from "./listen-window.ts";
import type { Phy } from "./phy.ts";
import type { Position } from "./propagation.ts";

/** Who keeps a radio busy: a link with its connection events. */
export interface RadioUse {
  /** Whether this use needs the radio at some time within [startUs, endUs]. */
  occupies(startUs: number, endUs: number): boolean;
  readonly nextAnchorUs: number;
  readonly intervalUs: number;
  /** When its connection event in progress, or its last one, ends. */
  readonly busyUntilUs: number;
  /** Start of the last connection event that took place; whoever waited longest goes first. */
  readonly lastServedUs: number;
  /** The radio has another use from now on: no sleeping through events. */
  onShared(): void;
}

/** A periodic advertising train that a radio sends or follows. */
export interface RadioTrain {
  /** Whether it needs the radio at some time within [startUs, endUs]. */
  occupies(startUs: number, endUs: number): boolean;
}

/** What lies between two radios, the same both ways. */
export interface Path {
  readonly key: number;
  /** What lies between this pair of radios wherever they are. */
  readonly pairLossDb: number;
  /** All of it, as of the places that the two had after so many moves. */
  lossDb: number;
  moves: number;
  /** Walls that came down in between. */
  cuts: number;
}

/** Told around each change of what lies between radios, with the one that moves or the two whose path changes. */
export interface PathWatch {
  readonly before?: () => void;
  readonly after: (radios: readonly Radio[]) => void;
}

/** Who listens on advertising channels with a radio. */
export interface RadioListener {
  readonly window: ListenWindow;
  /** Of several listeners of one radio it says where the radio is, and its answers go first: who initiates, before who scans. */
  readonly goesFirst: boolean;
  /** On which primary advertising PHY: LE 1M, or LE Coded of either coding. */
  readonly phy: Phy;
}

export interface RadioOptions {
  readonly name: string;
  readonly position: Position | undefined;
  readonly txPowerDbm: number;
  readonly sleepClockAccuracyPpm: number;
  readonly driftPpm: number;
  readonly exchangesPerEvent: number;
}

/** The transceiver of one device. It does one thing at a time. */
export class Radio {
  /** Unique in its air. */
  readonly name: string;
  readonly txPowerDbm: number;
  /** What the device claims: windows widen by it. 0 to 500. */
  readonly sleepClockAccuracyPpm: number;
  /** What its clock really does; positive runs slow, so that its intervals come out longer. */
  readonly driftPpm: number;
  /** Exchanges in a connection event at most. */
  readonly exchangesPerEvent: number;
  position: Position | undefined;
  /** How often it was put somewhere else. */
  moves = 0;
  /** Place among the radios of its air, and the paths to others by their places; the medium's. */
  index = -1;
  readonly paths: (Path | undefined)[] = [];
  /** Where it stands in the table of levels as a sender, and as a receiver; the table's. 0 until it is one. */
  row = 0;
  column = 0;
  /** Told when it moves, or a path of its changes; the medium's. */
  readonly pathWatches = new Set<PathWatch>();
  readonly uses: RadioUse[] = [];
  /** Periodic advertising trains that it sends or follows. Links come before them, all else behind. */
  readonly trains: RadioTrain[] = [];
  /** Its packet of a train in progress, or the last one. */
  #trainFromUs = -1;
  #trainUntilUs = -1;
  /** Who listens on advertising channels with it; the first whose window is open says on which one it is. */
  readonly listeners: RadioListener[] = [];
  /** Its advertising event in progress, or the last one; infinite while its end is open. */
  advertisingFromUs = -1;
  advertisingUntilUs = -1;
  /** How often it began to advertise: each time it draws other delays. */
  advertisingCount = 0;
  /** Until then the radio is inside an exchange on an advertising channel. */
  lockedUntilUs = -1;
  /** Whose advertising event is in progress, and which others of this radio wait for its end, in order. */
  #advertising: object | undefined;
  #waiting: Map<object, (atUs: number) => void> | undefined;
  /** Times in which it is on secondary advertising channels for packets that others announced to it. */
  #followed: { startUs: number; endUs: number }[] = [];

  constructor(options: RadioOptions) {
    this.name = options.name;
    this.position = options.position;
    this.txPowerDbm = options.txPowerDbm;
    this.sleepClockAccuracyPpm = options.sleepClockAccuracyPpm;
    this.driftPpm = options.driftPpm;
    this.exchangesPerEvent = options.exchangesPerEvent;
  }

  /** Whether connection events or trains take the radio within this time: they come before advertising and scanning. */
  isBusy(startUs: number, endUs: number): boolean {
    if (this.isLinked(startUs, endUs)) return true;
    if (this.trains.length === 0) return false;
    if (this.#trainFromUs < endUs && this.#trainUntilUs > startUs) return true;
    for (const train of this.trains) if (train.occupies(startUs, endUs)) return true;
    return false;
  }

  /** Whether connection events take the radio within this time. */
  isLinked(startUs: number, endUs: number): boolean {
    for (const use of this.uses) if (use.occupies(startUs, endUs)) return true;
    return false;
  }

  /** Takes the radio for a packet of a train, or for one that is awaited. False where it is with another one. */
  claimForTrain(startUs: number, endUs: number): boolean {
    if (this.#trainUntilUs > startUs) return false;
    this.#trainFromUs = startUs;
    this.#trainUntilUs = endUs;
    return true;
  }

  removeTrain(train: RadioTrain): void {
    const at = this.trains.indexOf(train);
    if (at >= 0) this.trains.splice(at, 1);
  }

  /** Whether it is inside an advertising event of its own within this time. */
  isAdvertising(startUs: number, endUs: number): boolean {
    return this.advertisingFromUs < endUs && this.advertisingUntilUs > startUs;
  }

  /**
   * Begins an advertising event of `process`. False where the one of another set is in progress: `begin` is called with the time from which
   * the radio is free.
   */
  claimAdvertising(process: object, begin: (atUs: number) => void): boolean {
    if (this.#advertising !== undefined && this.#advertising !== process) {
      this.#waiting ??= new Map();
      this.#waiting.set(process, begin);
      return false;
    }
    this.#advertising = process;
    return true;
  }

  /** Its advertising event is over, or will never take place. */
  releaseAdvertising(process: object): void {
    this.#waiting?.delete(process);
    if (this.#advertising !== process) return;
    this.#advertising = undefined;
    if (!this.#waiting) return;
    for (const [next, begin] of this.#waiting) {
      this.#waiting.delete(next);
      this.#advertising = next;
      begin(this.advertisingUntilUs);
      return;
    }
  }

  /** Whether it is on a secondary advertising channel within this time. */
  isFollowing(startUs: number, endUs: number): boolean {
    for (const time of this.#followed) if (time.startUs < endUs && time.endUs > startUs) return true;
    return false;
  }

  /** It will be on secondary advertising channels then. `nowUs`: what ended before is forgotten. */
  follow(startUs: number, endUs: number, nowUs: number): void {
    if (this.#followed.length > 0) this.#followed = this.#followed.filter((time) => time.endUs > nowUs);
    this.#followed.push({ startUs, endUs });
  }

  /** Whether it is on an advertising channel (0 to 2) for the whole of a packet, in a window of this listener. */
  isTunedFor(listener: RadioListener, channel: number, startUs: number, endUs: number): boolean {
    if (this.listeners.length === 1) return this.listeners[0] === listener && listener.window.hears(channel, startUs, endUs);
    for (const leading of this.listeners) {
      if (leading === listener) return listener.window.hears(channel, startUs, endUs);
      if (leading.window.overlaps(startUs, endUs))
        return leading.phy === listener.phy && leading.window.hears(channel, startUs, endUs) && listener.window.isOpen(startUs, endUs);
    }
    return false;
  }

  addListener(listener: RadioListener): void {
    if (listener.goesFirst) this.listeners.unshift(listener);
    else this.listeners.push(listener);
  }

  removeListener(listener: RadioListener): void {
    const at = this.listeners.indexOf(listener);
    if (at >= 0) this.listeners.splice(at, 1);
  }

  addUse(use: RadioUse): void {
    this.uses.push(use);
    if (this.uses.length > 1) for (const other of this.uses) if (other !== use) other.onShared();
  }

  removeUse(use: RadioUse): void {
    const at = this.uses.indexOf(use);
    if (at >= 0) this.uses.splice(at, 1);
  }

  /**
   * Where to put the anchors of a new link: 0 to `slots` - 1 steps of 1.25 ms after `earliestUs`. The first place that keeps 5 ms from the
   * anchors of the other links, otherwise the one farthest from them.
   */
  bestSlot(earliestUs: number, intervalUs: number, slots: number): number {
    let best = 0;
    let bestDistanceUs = -1;
    for (let slot = 0; slot < slots; slot++) {
      let distanceUs = Number.POSITIVE_INFINITY;
      for (const use of this.uses) {
        const period = greatestCommonDivisor(intervalUs, Math.round(use.intervalUs));
        const phase = (((earliestUs + slot * 1250 - use.nextAnchorUs) % period) + period) % period;
        distanceUs = Math.min(distanceUs, phase, period - phase);
      }
      if (distanceUs > bestDistanceUs) {
        best = slot;
        bestDistanceUs = distanceUs;
      }
      if (distanceUs >= 5000) break;
    }
    return best;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
