import { Semaphore } from "../async/index.ts";
import type { Advertising } from "../device/index.ts";
import { LEGACY_ADVERTISING_DATA_OCTETS } from "../gap/index.ts";
import { HciError, HciErrorCode } from "../hci/index.ts";
import type { Activation } from "./activation.ts";
import type { OsErrors } from "./errors.ts";

/** Advertising intervals in units of 0.625 ms, Vol 4 Part E 7.8.5. */
const LEAST_UNITS = 0x20;
const MOST_UNITS = 0x4000;
const UNIT_MS = 0.625;
/** What stands for 0: TGAP(adv_fast_interval1), Vol 3 Part C Appendix A. */
const DEFAULT_INTERVAL_MS = [30, 60] as const;
/** How NimBLE says that data are too long. */
const HOST_DATA_TOO_LONG = 18;
/** How a controller says that it has no room for the connection that could come of it. */
const FULL: readonly number[] = [
  HciErrorCode.CommandDisallowed,
  HciErrorCode.ConnectionLimitExceeded,
  HciErrorCode.ConnectionRejectedDueToLimitedResources,
];

export interface AdvertiseArguments {
  readonly intervalUs: number;
  /** Nothing: what was given before. */
  readonly data: Uint8Array | undefined;
  readonly respData: Uint8Array | undefined;
  readonly connectable: boolean;
}

/** What can be refused without asking a controller. @throws {BleOsError} EINVAL */
export function checkAdvertising({ intervalUs, data, respData }: AdvertiseArguments, errors: OsErrors): void {
  for (const octets of [data, respData])
    if (octets && octets.length > LEGACY_ADVERTISING_DATA_OCTETS)
      throw errors.create("EINVAL", `gapAdvertise: ${octets.length} octets of data: at most ${LEGACY_ADVERTISING_DATA_OCTETS} fit`, {
        hostCode: HOST_DATA_TOO_LONG,
      });
  const units = Math.trunc(intervalUs / 625);
  if (units !== 0 && (units < LEAST_UNITS || units > MOST_UNITS))
    throw errors.ofStatus(HciErrorCode.InvalidHciCommandParameters, `gapAdvertise: intervalUs ${intervalUs}: expected 20 ms to 10.24 s`);
}

/** `gap_advertise`: one advertisement at a time; its data outlive it. */
export class GapAdvertise {
  readonly #activation: Activation;
  readonly #turns: Semaphore;
  #data = new Uint8Array(0);
  #respData = new Uint8Array(0);
  #current: Advertising | undefined;

  constructor(activation: Activation) {
    this.#activation = activation;
    this.#turns = new Semaphore(activation.clock);
  }

  /** Starts, or starts anew with what is given. @throws {BleOsError} ENOMEM: no connection could come of it · what the controller refuses */
  async start({ intervalUs, data, respData, connectable }: AdvertiseArguments): Promise<void> {
    using _turn = await this.#turns.acquire();
    const { device, settings } = this.#activation;
    await this.#stop();
    this.#data = new Uint8Array(data ?? this.#data);
    this.#respData = new Uint8Array(respData ?? this.#respData);
    const units = Math.trunc(intervalUs / 625);
    try {
      this.#current = await device.advertise({
        data: this.#data,
        scanResponse: this.#respData, // given, even if empty: what cannot be connected to can be scanned
        intervalMs: units === 0 ? DEFAULT_INTERVAL_MS : units * UNIT_MS,
        connectable,
        ownAddress: settings.ownAddress,
        policy: this.#activation.policy(),
      });
    } catch (error) {
      const { errors } = this.#activation;
      if (connectable && error instanceof HciError && FULL.includes(error.status) && device.links.length > 0)
        throw errors.ofStatus(error.status, "gapAdvertise: no room for another connection", { code: "ENOMEM", cause: error });
      throw errors.of("gapAdvertise", error);
    }
  }

  /** @throws {BleOsError} the controller goes on */
  async stop(): Promise<void> {
    using _turn = await this.#turns.acquire();
    await this.#stop();
  }

  async #stop(): Promise<void> {
    try {
      await this.#current?.stop();
      this.#current = undefined;
    } catch (error) {
      throw this.#activation.errors.of("gapAdvertise", error);
    }
  }
}
