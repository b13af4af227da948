import { Pending } from "jelling/async";
import { TimeoutError } from "jelling/core";
import { decodeNextCalibration, decodeSensorExpiration, type NextCalibration } from "../../cgm/vendor.ts";
import type { PumpChannel } from "../pump-channel.ts";
import type { PumpValueName } from "../pump-handles.ts";
import type { AskedForName } from "../requests.ts";

/** How long a value is waited for that the pump only sends. */
const SENT_WITHIN_MS = 5000;

/** Values of which little is known: nothing in this program depends on one of them. */
const VENDOR_VALUES = {
  measurementExtension: "cgmMeasurementExtension",
  sensorConnected: "cgmSensorConnected",
  sensorExpiration: "cgmSensorExpiration",
  sensorCalibrationTime: "cgmSensorCalibrationTime",
  nextCalibration: "cgmNextCalibration",
  algorithmData: "cgmAlgorithmData",
  networkState: "networkState",
} as const satisfies Record<string, PumpValueName>;
export type VendorValueName = keyof typeof VENDOR_VALUES;
export const VENDOR_VALUE_NAMES = Object.freeze(Object.keys(VENDOR_VALUES)) as readonly VendorValueName[];

/** Octets that nobody has explained. */
export interface VendorValue {
  /** As they came. */
  readonly octets: Uint8Array;
  /** What is in them where they are a frame of the session, as the pump's other values are. */
  readonly opened: Uint8Array | undefined;
}

/** Reads what is hardly known, when somebody asks for it. Within an operation of the channel. */
export class VendorReader {
  readonly #channel: PumpChannel;
  /** What the pump sent last of what it only sends. */
  readonly #sent = new Map<AskedForName, Uint8Array>();
  readonly #asked = new Set<AskedForName>();
  #onSent: ((name: AskedForName) => void) | undefined;

  constructor(channel: PumpChannel) {
    this.#channel = channel;
    channel.onAskedFor = (name, value) => {
      this.#sent.set(name, value);
      this.#onSent?.(name);
    };
  }

  async value(name: VendorValueName): Promise<VendorValue | undefined> {
    const octets = await this.#octets(VENDOR_VALUES[name]);
    if (!octets) return undefined;
    const opened = this.#channel.tryOpen(octets);
    this.#channel.logger.info(() => `${name}: ${octets.length} octets${opened ? `, ${opened.length} in a frame` : ""}`);
    return { octets, opened };
  }

  /** Minutes. */
  sensorExpirationMin(): Promise<number | undefined> {
    return this.#decoded("cgmSensorExpiration", decodeSensorExpiration);
  }

  nextCalibration(): Promise<NextCalibration | undefined> {
    return this.#decoded("cgmNextCalibration", decodeNextCalibration);
  }

  #decoded<T>(name: PumpValueName, decode: (octets: Uint8Array) => T): Promise<T | undefined> {
    return this.#channel.optional(name, async () => {
      const octets = await this.#octets(name);
      return octets && decode(octets);
    });
  }

  #octets(name: PumpValueName): Promise<Uint8Array | undefined> {
    if (name === "cgmSensorExpiration" || name === "cgmSensorCalibrationTime") return this.#sentValue(name);
    return this.#channel.optional(name, () => this.#channel.readPlain(name));
  }

  /** The last that the pump sent, or the first that it sends within a few seconds of being asked to. */
  async #sentValue(name: AskedForName): Promise<Uint8Array | undefined> {
    const { clock, signal } = this.#channel;
    const came = new Pending<void>({ clock, operation: `waiting for ${name}`, timeoutMs: SENT_WITHIN_MS, signal });
    came.promise.catch(() => undefined); // awaited below, unless it cannot be sent
    this.#onSent = (sent) => {
      if (sent === name) came.resolve();
    };
    try {
      if (!this.#asked.has(name) && !(await this.#channel.askFor(name))) return undefined;
      this.#asked.add(name);
      if (!this.#sent.has(name)) await came.promise;
      return this.#sent.get(name)?.slice();
    } catch (error) {
      if (error instanceof TimeoutError && !this.#sent.has(name) && !this.#channel.ended) return undefined; // nothing to tell is no fault
      throw error;
    } finally {
      this.#onSent = undefined;
      came.resolve();
    }
  }
}
