import { kindOf, nearestName } from "../core/arguments.ts";
import type { OwnAddressKind } from "../gap/index.ts";
import { checkTruth } from "./arguments.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { AddrMode, IoCapability } from "./constants.ts";
import { BleArgumentError, type OsErrors } from "./errors.ts";

/** What `config` reads. */
export interface BleConfig {
  /** The own address now in use; the identity while resolvable private addresses are. Six octets, most significant first. */
  mac: { addrType: number; addr: Uint8Array };
  addrMode: AddrMode;
  /** Device Name of the GAP service. */
  gapName: Uint8Array;
  /** Octets of scan results that may wait for a handler which is busy. */
  rxbuf: number;
  /** What an exchange of the ATT_MTU asks for, and answers with. */
  mtu: number;
  bond: boolean;
  mitm: boolean;
  /** A value of IoCapability. */
  io: number;
  leSecure: boolean;
}

/** What `config` sets. */
export type BleConfigSettable = Omit<BleConfig, "mac" | "gapName" | "addrMode" | "bond" | "mitm" | "leSecure"> & {
  addrMode: number;
  gapName: Bytes;
  /** Truth: 0 and 1 do as well. */
  bond: boolean | number;
  mitm: boolean | number;
  leSecure: boolean | number;
};

const NAMES: ReadonlySet<string> = new Set<keyof BleConfig>([
  "mac",
  "addrMode",
  "gapName",
  "rxbuf",
  "mtu",
  "bond",
  "mitm",
  "io",
  "leSecure",
]);

/** @throws {BleArgumentError} ValueError: no such name */
export function checkConfigName(name: string): asserts name is keyof BleConfig {
  if (NAMES.has(name)) return;
  const nearest = nearestName(name, NAMES);
  throw new BleArgumentError("ValueError", `unknown config param "${name}"${nearest === undefined ? "" : `, did you mean "${nearest}"?`}`);
}

const DEFAULT_NAME = new TextEncoder().encode("MPY JELLING");
const DEFAULT_RXBUF = 128;
/** The limits of MicroPython's NimBLE, of which it prefers this. */
const DEFAULT_MTU = 256;
const MOST_MTU = 527;
const LEAST_MTU = 23;
const MOST_NAME_OCTETS = 31;

/** Which own address the host shows for a mode. */
export const ADDRESS_KINDS: Readonly<Record<AddrMode, OwnAddressKind>> = Object.freeze({
  [AddrMode.Public]: "public",
  [AddrMode.Random]: "random",
  [AddrMode.Rpa]: "resolvable",
  [AddrMode.Nrpa]: "non-resolvable",
});

/** What a program has configured. All but `mtu` and `addrMode` outlives `active(false)`. */
export class Settings {
  gapName: Uint8Array = DEFAULT_NAME;
  rxbuf = DEFAULT_RXBUF;
  bond = false;
  mitm = false;
  io: number = IoCapability.NoInputNoOutput;
  leSecure: boolean;
  mtu = DEFAULT_MTU;
  addrMode: AddrMode = AddrMode.Public;
  readonly #errors: OsErrors;

  constructor(errors: OsErrors) {
    this.#errors = errors;
    // As documented; NimBLE's own default is the opposite.
    this.leSecure = errors.isStrict;
  }

  /** The own address for what is started from now on. */
  get ownAddress(): OwnAddressKind {
    return ADDRESS_KINDS[this.addrMode];
  }

  /** What lasts for one `active(true)` goes back to its default. */
  renew(hasPublicAddress: boolean): void {
    this.mtu = DEFAULT_MTU;
    this.addrMode = hasPublicAddress ? AddrMode.Public : AddrMode.Random;
  }

  /**
   * Kinds and ranges of all that is to be set; nothing is set yet.
   *
   * @throws {BleArgumentError} · {BleOsError} EINVAL
   */
  check(values: Partial<BleConfigSettable>): Partial<BleConfig> {
    const checked: Partial<BleConfig> = {};
    for (const name of Object.keys(values)) {
      checkConfigName(name);
      if (name === "mac") throw new BleArgumentError("ValueError", 'config: "mac" can only be read: choose it by "addrMode"');
      const value: unknown = values[name];
      if (value !== undefined) Object.assign(checked, { [name]: this.#checkOne(name, value) });
    }
    return checked;
  }

  #checkOne(name: Exclude<keyof BleConfig, "mac">, value: unknown): unknown {
    switch (name) {
      case "gapName":
        return this.#checkName(toOctets("config: gapName", value as Bytes));
      case "rxbuf":
        if (number(name, value) < 16 || number(name, value) > 0xffff)
          throw new BleArgumentError("ValueError", `config: rxbuf ${kindOf(value)}: expected 16 to 65535 octets`);
        return value;
      case "mtu":
        return this.#inRange(name, value, LEAST_MTU, MOST_MTU);
      case "addrMode":
        return this.#inRange(name, value, AddrMode.Public, AddrMode.Nrpa);
      case "io":
        return this.#inRange(name, value, IoCapability.DisplayOnly, IoCapability.KeyboardDisplay);
      case "bond":
      case "mitm":
      case "leSecure":
        return checkTruth(`config: ${name}`, value);
    }
  }

  /** A NUL ends it, as on NimBLE. */
  #checkName(octets: Uint8Array): Uint8Array {
    const end = octets.indexOf(0);
    const name = end < 0 ? octets : octets.slice(0, end);
    if (name.length > MOST_NAME_OCTETS)
      throw this.#errors.create("EINVAL", `config: gapName of ${name.length} octets: expected at most ${MOST_NAME_OCTETS}`);
    return name;
  }

  #inRange(name: string, value: unknown, least: number, most: number): number {
    const given = number(name, value);
    if (given < least || given > most) throw this.#errors.create("EINVAL", `config: ${name} ${given}: expected ${least} to ${most}`);
    return given;
  }
}

function number(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new BleArgumentError("TypeError", `config: ${name}: expected a whole number, got ${kindOf(value)}`);
  return value;
}
