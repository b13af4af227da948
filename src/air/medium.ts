import type { Clock } from "../async/index.ts";
import { mixKey } from "../core/index.ts";
import { draw, pairKey } from "./draw.ts";
import { Levels } from "./levels.ts";
import { Mailbox } from "./mailbox.ts";
import { Phy } from "./phy.ts";
import { type Position, Propagation, type PropagationOptions } from "./propagation.ts";
import type { Path, PathWatch, Radio } from "./radio.ts";
import { Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** A packet about to be received, as fault hooks see it. */
export interface AirPacket {
  /** Counts the packets that hooks were asked about, from 0. */
  readonly index: number;
  /** Start of the packet, microseconds since the air was made. */
  readonly timeUs: number;
  readonly from: string;
  /** The peer on a link; absent on advertising channels, where everybody may listen. */
  readonly to: string | undefined;
  readonly channel: number;
  readonly phy: Phy;
  readonly accessAddress: number;
  /** Not to be changed: answer with `deliver` instead. */
  readonly pdu: Uint8Array;
}

/**
 * What happens to a packet. `"lose"`: not received at all. `"corrupt"`: its CRC fails, so that it is sent again. `deliver`: these octets
 * arrive with a CRC that fits. `delayMs`: on a link, the receiver takes neither this packet nor those behind it before that time has
 * passed; on an advertising channel it is lost.
 */
export type AirFault = "lose" | "corrupt" | { readonly deliver: Uint8Array } | { readonly delayMs: number };
export type AirHook = (packet: AirPacket) => AirFault | undefined;

export interface MediumOptions extends PropagationOptions {
  clock: Clock;
  seed: number;
  mode: "radio" | "instant";
  traceCapacity: number;
  idle: "skip" | "simulate";
}

/** What is drawn for the strength of a packet is not what is drawn for its loss. */
const FADING = 1;

/** To or from a radio that was taken out of the air. */
const NO_PATH: Path = { key: 0, pairLossDb: 0, lossDb: 0, moves: 0, cuts: 1 };

/** What lies between radios: time, attenuation, chance, faults and the trace. */
export class Medium {
  readonly scheduler: Scheduler;
  readonly mailbox: Mailbox;
  readonly propagation: Propagation;
  readonly trace: Trace;
  readonly seed: number;
  readonly mode: "radio" | "instant";
  /** Whether events that provably change nothing are passed over. */
  readonly skipsIdle: boolean;
  readonly #radios: (Radio | undefined)[] = [];
  /** Found out so far; `meanDbm` finds out the others. */
  readonly levels = new Levels();
  readonly #hooks = new Set<AirHook>();
  readonly #onPathChange = new Set<PathWatch>();
  #packets = 0;

  constructor(options: MediumOptions) {
    this.scheduler = new Scheduler(options.clock);
    this.mailbox = new Mailbox(this.scheduler);
    this.propagation = new Propagation(options);
    this.trace = new Trace(options.traceCapacity, () => this.scheduler.wake());
    this.seed = options.seed;
    this.mode = options.mode;
    this.skipsIdle = options.idle === "skip";
  }

  /** Gives the radio its place. */
  admit(radio: Radio): void {
    const free = this.#radios.indexOf(undefined);
    radio.index = free < 0 ? this.#radios.length : free;
    this.#radios[radio.index] = radio;
  }

  forget(radio: Radio): void {
    this.#radios[radio.index] = undefined;
    for (const other of this.#radios) if (other) other.paths[radio.index] = undefined;
    radio.paths.length = 0;
    this.levels.remove(radio);
    radio.index = -1;
  }

  #path(from: Radio, to: Radio): Path {
    const moves = from.moves + to.moves;
    const known = from.paths[to.index];
    if (known) {
      if (known.moves !== moves) {
        known.moves = moves;
        known.lossDb = this.#distanceLossDb(from, to) + known.pairLossDb;
      }
      return known;
    }
    if (to.index < 0) return NO_PATH;
    const [first, second] = from.name < to.name ? [from.name, to.name] : [to.name, from.name];
    const key = mixKey(this.seed, first, second, "path");
    const pairLossDb = grid(this.propagation.pairLossDb(key));
    const path: Path = { key, pairLossDb, lossDb: this.#distanceLossDb(from, to) + pairLossDb, moves, cuts: 0 };
    // What a radio has sent before it was taken out is on the air still.
    if (from.index < 0) return path;
    from.paths[to.index] = path;
    to.paths[from.index] = path;
    return path;
  }

  #distanceLossDb(a: Radio, b: Radio): number {
    return grid(this.propagation.distanceLossDb(a.position, b.position));
  }

  /** Mean strength in dBm at which `to` receives `from`; minus infinity while the path is cut. */
  meanDbm(from: Radio, to: Radio): number {
    const dbm = this.levels.at(from.row, to);
    return dbm >= Number.NEGATIVE_INFINITY ? dbm : this.#findMeanDbm(from, to);
  }

  #findMeanDbm(from: Radio, to: Radio): number {
    const { key, lossDb, cuts } = this.#path(from, to);
    const dbm = cuts > 0 ? Number.NEGATIVE_INFINITY : from.txPowerDbm - lossDb;
    return from.index < 0 || to.index < 0 ? dbm : this.levels.set(from, to, dbm, key);
  }

  #pathKey(from: Radio, to: Radio): number {
    return this.levels.at(from.row, to) >= Number.NEGATIVE_INFINITY ? this.levels.key(from, to) : this.#path(from, to).key;
  }

  /** @param gainDb what is sent beside the radio's power: negative for less */
  isInRange(from: Radio, to: Radio, phy: Phy = Phy.Le1M, gainDb = 0): boolean {
    return this.propagation.isInRange(this.meanDbm(from, to) + gainDb, phy);
  }

  /** Strength of packet `b` of event `a` of the sender with this key, the same whenever it is asked for. */
  rssiDbm(from: Radio, to: Radio, key: number, a: number, b: number, meanDbm: number = this.meanDbm(from, to)): number {
    return this.propagation.rssiDbm(meanDbm, draw(pairKey(key, this.#pathKey(from, to) + FADING), a, b));
  }

  /** Whether chance and distance let one packet through. */
  isReceived(from: Radio, to: Radio, phy: Phy, key: number, a: number, b: number, gainDb = 0): boolean {
    const meanDbm = this.meanDbm(from, to) + gainDb;
    if (this.propagation.isLossless(meanDbm, phy)) return true;
    // Where no packet is too weak the strength of this one need not be drawn.
    const rssiDbm = this.propagation.isStrong(meanDbm, phy) ? meanDbm : this.rssiDbm(from, to, key, a, b, meanDbm);
    const probability = this.propagation.lossProbability(rssiDbm, phy);
    return probability < 1 && draw(pairKey(key, this.#pathKey(from, to)), a, b) >= probability;
  }

  isLossless(from: Radio, to: Radio, phy: Phy, gainDb = 0): boolean {
    return this.propagation.isLossless(this.meanDbm(from, to) + gainDb, phy);
  }

  /** Attenuates the path out of existence until the result is disposed. */
  cut(a: Radio, b: Radio): Disposable {
    const path = this.#path(a, b);
    this.#change([a, b], () => path.cuts++);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#change([a, b], () => path.cuts--);
      },
    };
  }

  /** Puts the radio somewhere else. */
  move(radio: Radio, position: Position | undefined): void {
    this.#change([radio], () => {
      radio.position = position;
      radio.moves++;
    });
  }

  /** Tells of every change, or with `radio` of those that concern this one. */
  onPathChange(watch: PathWatch, radio?: Radio): Disposable {
    const watches = radio ? radio.pathWatches : this.#onPathChange;
    watches.add(watch);
    return { [Symbol.dispose]: () => void watches.delete(watch) };
  }

  #change(radios: readonly Radio[], act: () => void): void {
    // A link between the two is told twice, which makes no difference to it.
    const told = [this.#onPathChange, ...radios.map(({ pathWatches }) => pathWatches)];
    for (const watches of told) for (const watch of watches) watch.before?.();
    act();
    for (const radio of radios) this.levels.forget(radio);
    for (const watches of told) for (const watch of watches) watch.after(radios);
  }

  get hasHooks(): boolean {
    return this.#hooks.size > 0;
  }

  addHook(hook: AirHook): Disposable {
    const entry: AirHook = (packet) => hook(packet);
    this.#hooks.add(entry);
    return { [Symbol.dispose]: () => void this.#hooks.delete(entry) };
  }

  /** Asks the hooks about a packet; the first that wants something has it. */
  fate(packet: Omit<AirPacket, "index">): AirFault | undefined {
    if (this.#hooks.size === 0) return undefined;
    this.scheduler.wake(); // a hook may settle what a program waits for
    const counted: AirPacket = { index: this.#packets++, ...packet };
    for (const hook of this.#hooks) {
      const fault = hook(counted);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
}

/** Steps of 1/4096 dB, which numbers of 32 bits hold: two that differ by whole decibels do so in the table of levels too. */
function grid(db: number): number {
  return Math.round(db * 4096) / 4096;
}
