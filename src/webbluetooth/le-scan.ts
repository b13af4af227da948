import type { Advertisement } from "../gap/index.ts";
import { type Advertised, type Filter, matchesFilter, shownFilter } from "./filters.ts";
import type { BluetoothLEScan, BluetoothLEScanFilter } from "./types.ts";

/** Devices a scan remembers to have told of; of more the oldest may be told of again. */
const REMEMBERED = 4096;

/** `BluetoothLEScan`. */
export class WebScan implements BluetoothLEScan {
  readonly filters: BluetoothLEScanFilter[];
  readonly keepRepeatedDevices: boolean;
  readonly acceptAllAdvertisements: boolean;
  active = true;
  readonly #filters: readonly Filter[];
  readonly #told = new Set<string>();
  readonly #onStop: (scan: WebScan) => void;

  constructor(
    filters: readonly Filter[],
    options: { keepRepeatedDevices: boolean; acceptAllAdvertisements: boolean },
    onStop: (scan: WebScan) => void,
  ) {
    this.#filters = filters;
    this.filters = Object.freeze(filters.map(shownFilter)) as BluetoothLEScanFilter[];
    this.keepRepeatedDevices = options.keepRepeatedDevices;
    this.acceptAllAdvertisements = options.acceptAllAdvertisements;
    this.#onStop = onStop;
  }

  /** Whether the program is to be told. A device that repeats itself is told of once, and once of its scan response. */
  takes(key: string, advertisement: Advertisement, advertised: Advertised): boolean {
    if (!this.active) return false;
    if (!this.acceptAllAdvertisements && !this.#filters.some((filter) => matchesFilter(advertised, filter))) return false;
    if (this.keepRepeatedDevices) return true;
    const told = `${key} ${advertisement.isScanResponse}`;
    if (this.#told.has(told)) return false;
    if (this.#told.size >= REMEMBERED) this.#told.delete(this.#told.values().next().value!);
    this.#told.add(told);
    return true;
  }

  stop(): void {
    if (!this.active) return;
    this.active = false;
    this.#onStop(this);
  }

  get [Symbol.toStringTag](): string {
    return "BluetoothLEScan";
  }
}
