import type { Device, RunningScan } from "../device/index.ts";
import type { OnAdvertisement } from "../gap/index.ts";
import { domError } from "./dom-error.ts";

/** One scan of the own host for everything that a program watches, as long as it watches anything. */
export class AdvertisementFeed {
  readonly #host: Device;
  readonly #isWanted: () => boolean;
  readonly #onAdvertisement: OnAdvertisement;
  readonly #onLost: () => void;
  #starting: Promise<void> | undefined;
  #scan: RunningScan | undefined;

  /** @param onLost the scan ended by itself, and with it everything that rested on it */
  constructor(host: Device, isWanted: () => boolean, onAdvertisement: OnAdvertisement, onLost: () => void) {
    this.#host = host;
    this.#isWanted = isWanted;
    this.#onAdvertisement = onAdvertisement;
    this.#onLost = onLost;
  }

  /** Resolves when advertisements are heard. @throws {DOMException} InvalidStateError: no controller · UnknownError: it refuses */
  async start(): Promise<void> {
    if (this.#scan) return;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  async #start(): Promise<void> {
    let scan: RunningScan;
    try {
      scan = await this.#host.startScan({ duplicates: "report" }, this.#onAdvertisement);
    } catch (error) {
      throw domError(this.#host.ended ? "InvalidStateError" : "UnknownError", `scanning failed: ${String(error)}`, error);
    }
    this.#scan = scan;
    void scan.closed.then(() => {
      if (this.#scan !== scan) return;
      this.#scan = undefined;
      this.#onLost();
    });
    this.refresh(); // it may be wanted no more
  }

  /** Ends the scan where nothing is watched. */
  refresh(): void {
    const scan = this.#scan;
    if (!scan || this.#isWanted()) return;
    this.#scan = undefined;
    scan[Symbol.asyncDispose]().then(undefined, () => undefined); // the host tries again by itself
  }
}
