import { type Clock, SystemClock } from "../async/index.ts";
import { ArgumentError, SeededRandom, systemRandom } from "../core/index.ts";
import { AdvertisingChannels } from "./advertising-channels.ts";
import { InstantLink } from "./instant-link.ts";
import type { Link, LinkSetup } from "./link.ts";
import { type AirHook, Medium } from "./medium.ts";
import type { Position, PropagationOptions } from "./propagation.ts";
import { Radio } from "./radio.ts";
import { RadioLink } from "./radio-link.ts";
import type { Trace } from "./trace.ts";

export interface AirOptions extends PropagationOptions {
  clock: Clock;
  /** Equal seeds and equal scenarios give equal packets. Default 0. */
  seed?: number;
  /** `"radio"` models radio time; `"instant"` delivers everything at once, in order. Default `"radio"`. */
  mode?: "radio" | "instant";
  /** How many packets `trace` keeps; 0 keeps none. Default 10,000. */
  traceCapacity?: number;
  /**
   * `"skip"` passes over connection events without data and advertising without a listener in range, whose outcome is certain; `"simulate"`
   * runs and traces them too. What hosts see is the same. Default `"skip"`.
   */
  idle?: "skip" | "simulate";
}

export interface AddRadioOptions {
  name: string;
  position?: Position | undefined;
  txPowerDbm?: number;
  sleepClockAccuracyPpm?: number;
  driftPpm?: number;
  /** Exchanges in a connection event at most, as many controllers limit them. Default: as many as fit. */
  exchangesPerEvent?: number;
}

/** Something in an air: a controller, or its radio. */
export type InAir = Radio | { readonly radio: Radio };

/** The medium that virtual controllers share: radio time, attenuation, loss and faults, and a trace of every packet. */
export class Air implements Disposable {
  readonly clock: Clock;
  readonly seed: number;
  readonly mode: "radio" | "instant";
  /** Time, chance and paths, for those that live in this air. */
  readonly medium: Medium;
  readonly channels: AdvertisingChannels;
  readonly #radios = new Map<string, Radio>();
  readonly #onDispose = new Set<() => void>();
  #presence: Disposable | undefined;

  constructor(options: AirOptions) {
    const { clock, seed = 0, mode = "radio", traceCapacity = 10_000, idle = "skip", loss = 0 } = options;
    if (!(loss >= 0 && loss <= 1)) throw new ArgumentError(`loss ${loss}: expected a probability from 0 to 1`);
    this.clock = clock;
    this.seed = seed;
    this.mode = mode;
    this.medium = new Medium({ ...options, seed, mode, traceCapacity, idle });
    this.channels = new AdvertisingChannels(this.medium);
  }

  /** Every packet on air and every HCI packet of the controllers in it. */
  get trace(): Trace {
    return this.medium.trace;
  }

  /** Microseconds since the air was made. */
  get nowUs(): number {
    return this.medium.scheduler.nowUs;
  }

  /** Calls `hook` for every packet on air that somebody listens for (empty ones only with `idle: "simulate"`); its answer is the packet's fate. */
  onPacket(hook: AirHook): Disposable {
    return this.medium.addHook(hook);
  }

  /** Lets nothing through between two controllers, as if a wall came down; links end by supervision timeout. Dispose the result to lift it. */
  cut(a: InAir, b: InAir): Disposable {
    return this.medium.cut(radioOf(a), radioOf(b));
  }

  /** Makes the transceiver of a controller. A name that is taken gets a number behind it. */
  addRadio(options: AddRadioOptions): Radio {
    const { position, txPowerDbm = 0, sleepClockAccuracyPpm = 50, driftPpm = 0, exchangesPerEvent = Number.POSITIVE_INFINITY } = options;
    let { name } = options;
    for (let i = 2; this.#radios.has(name); i++) name = `${options.name}-${i}`;
    const radio = new Radio({ name, position, txPowerDbm, sleepClockAccuracyPpm, driftPpm, exchangesPerEvent });
    this.#radios.set(name, radio);
    this.medium.admit(radio);
    // In real time a radio keeps the program up, as an open adapter does; simulated time ends when nothing is left to happen.
    if (this.clock instanceof SystemClock) this.#presence ??= this.clock.setTimer(Number.MAX_SAFE_INTEGER, "radios in the air", () => {});
    return radio;
  }

  removeRadio(radio: Radio): void {
    this.#radios.delete(radio.name);
    this.medium.forget(radio);
    if (this.#radios.size === 0) this.#leave();
  }

  /** Puts a radio somewhere else; signals change with its next packet. */
  move(who: InAir, position: Position | undefined): void {
    this.medium.move(radioOf(who), position);
  }

  connect(setup: LinkSetup): Link {
    return this.mode === "instant" ? new InstantLink(this.medium, setup) : new RadioLink(this.medium, setup);
  }

  /** Calls `listener` when the air ends. */
  onDispose(listener: () => void): Disposable {
    this.#onDispose.add(listener);
    return { [Symbol.dispose]: () => void this.#onDispose.delete(listener) };
  }

  /** Ends the air: its controllers vanish, no event fires any more. */
  [Symbol.dispose](): void {
    for (const listener of this.#onDispose) listener();
    this.medium.scheduler.stop();
    this.#leave();
  }

  #leave(): void {
    this.#presence?.[Symbol.dispose]();
    this.#presence = undefined;
  }
}

function radioOf(who: InAir): Radio {
  return who instanceof Radio ? who : who.radio;
}

const defaultAirs = new WeakMap<Clock, Air>();
let systemClock: Clock | undefined;

/** The air that all `sim:` transports of one process share, one for each clock; without a clock the one in real time. */
export function defaultAir(clock?: Clock): Air {
  systemClock ??= new SystemClock();
  const key = clock ?? systemClock;
  let air = defaultAirs.get(key);
  if (!air) {
    const seed = new Uint8Array(4);
    if (clock === undefined || clock instanceof SystemClock) systemRandom.fill(seed);
    else new SeededRandom(0, "default air").fill(seed);
    air = new Air({ clock: key, seed: new DataView(seed.buffer).getUint32(0), traceCapacity: 0 });
    defaultAirs.set(key, air);
  }
  return air;
}
