import type { Clock } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import { checkBoolean, checkInteger, checkMilliseconds, checkOptions, optionNames } from "../core/arguments.ts";
import type { RandomSource } from "../core/random.ts";
import { createOutOfBandData, LocalOutOfBand, type OutOfBandData, OutOfBandRole } from "../smp/index.ts";

export interface OutOfBandOptions {
  /** Makes a temporary key too, for peers that have legacy pairing alone. False by default. */
  readonly temporaryKey?: boolean | undefined;
  /** What the data say of the roles that this device takes; by default both, peripheral preferred. */
  readonly role?: OutOfBandRole | undefined;
  /** How long they are good, 1 s to 24 h; ten minutes by default. */
  readonly lifetimeMs?: number | undefined;
}

const NAMES = optionNames<OutOfBandOptions>({ temporaryKey: true, role: true, lifetimeMs: true });
const DEFAULT_LIFETIME_MS = 600_000;
const LIFETIME_MS = [1000, 86_400_000] as const;

/** What a device gave out of band last: a peer does not say which data it has, so that there are one at a time. */
export class DeviceOutOfBand {
  readonly #clock: Clock;
  readonly #random: RandomSource;
  #current: LocalOutOfBand | undefined;

  constructor(clock: Clock, random: RandomSource) {
    this.#clock = clock;
    this.#random = random;
  }

  get current(): LocalOutOfBand | undefined {
    return this.#current;
  }

  /** @throws {ArgumentError} */
  create(address: Address, options: OutOfBandOptions): OutOfBandData {
    checkOptions("createOutOfBandData", options, NAMES);
    const { temporaryKey = false, role = OutOfBandRole.PeripheralPreferred, lifetimeMs = DEFAULT_LIFETIME_MS } = options;
    checkBoolean("createOutOfBandData: temporaryKey", temporaryKey);
    checkInteger("createOutOfBandData: role", role, 0, 3);
    checkMilliseconds("createOutOfBandData: lifetimeMs", lifetimeMs, ...LIFETIME_MS);
    this.#current = new LocalOutOfBand({ clock: this.#clock, random: this.#random, lifetimeMs, temporaryKey });
    const { random, confirm, temporaryKey: key } = this.#current;
    return createOutOfBandData({ address, role, random, confirm, temporaryKey: key });
  }
}
