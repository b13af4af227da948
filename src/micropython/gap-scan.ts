import type { RunningScan } from "../device/index.ts";
import type { Advertisement } from "../gap/index.ts";
import type { Activation } from "./activation.ts";
import { addressFields } from "./addresses.ts";
import { AddrType } from "./constants.ts";
import { createEvent } from "./events.ts";

/** Scan intervals and windows in units of 0.625 ms, Vol 4 Part E 7.8.10. */
const LEAST_UNITS = 0x0004;
const MOST_UNITS = 0x4000;
const UNIT_MS = 0.625;
/** What stands in a report for an RSSI that is not known, Vol 4 Part E 7.7.65.2. */
const NO_RSSI = 127;

export interface ScanArguments {
  /** 0: until it is stopped. */
  readonly durationMs: number;
  readonly intervalUs: number;
  readonly windowUs: number;
  readonly active: boolean;
}

interface Run {
  /** Settles when the controller scans, or has refused to. */
  readonly started: Promise<RunningScan | undefined>;
  timer: Disposable | undefined;
  isOver: boolean;
}

/** `gap_scan`: one scan at a time, and a `scanDone` at the end of each. */
export class GapScan {
  readonly #activation: Activation;
  readonly #isConnecting: () => boolean;
  #run: Run | undefined;

  constructor(activation: Activation, { isConnecting }: { isConnecting: () => boolean }) {
    this.#activation = activation;
    this.#isConnecting = isConnecting;
  }

  /** @throws {BleOsError} EALREADY: scanning · EBUSY: connecting · EINVAL: a window longer than the interval · what the controller refuses */
  async start({ durationMs, intervalUs, windowUs, active }: ScanArguments): Promise<void> {
    const { errors, clock } = this.#activation;
    if (this.#run) throw errors.create("EALREADY", "gapScan: scanning already");
    if (this.#isConnecting()) throw errors.create("EBUSY", "gapScan: a connection is being made");
    const [interval, window] = [units(intervalUs), units(windowUs)];
    if (window > interval)
      throw errors.create("EINVAL", `gapScan: windowUs ${windowUs}: expected at most the interval of ${intervalUs} us`);
    const starting = this.#begin(interval * UNIT_MS, window * UNIT_MS, active);
    const run: Run = { started: starting.catch(() => undefined), timer: undefined, isOver: false };
    this.#run = run;
    let scan: RunningScan;
    try {
      scan = await starting;
    } catch (error) {
      if (this.#run === run) this.#run = undefined;
      throw errors.of("gapScan", error);
    }
    // A controller that gives up scanning ends it, too.
    void scan.closed.then(() => this.#over(run));
    if (durationMs > 0 && !run.isOver)
      run.timer = clock.setTimer(durationMs, "gapScan", () => {
        this.#end(run).catch((error: unknown) => this.#activation.logger.warn(() => `scanning could not be ended: ${String(error)}`));
      });
  }

  /** Ends a scan, where there is one; `scanDone` has been raised when this resolves. @throws {BleOsError} the controller goes on */
  async stop(): Promise<void> {
    if (this.#run) await this.#end(this.#run);
  }

  async #begin(intervalMs: number, windowMs: number, active: boolean): Promise<RunningScan> {
    const { device, settings } = this.#activation;
    const options = { intervalMs, windowMs, active, duplicates: "report", ownAddress: settings.ownAddress } as const;
    return await device.startScan(options, (advertisement) => this.#report(advertisement));
  }

  async #end(run: Run): Promise<void> {
    run.timer?.[Symbol.dispose]();
    const scan = await run.started;
    try {
      await scan?.[Symbol.asyncDispose]();
    } catch (error) {
      throw this.#activation.errors.of("gapScan", error);
    } finally {
      if (scan) this.#over(run); // no report comes any more, even where the controller goes on
    }
  }

  #over(run: Run): void {
    if (run.isOver) return;
    run.isOver = true;
    run.timer?.[Symbol.dispose]();
    if (this.#run === run) this.#run = undefined;
    this.#activation.dispatcher.raise(createEvent("scanDone", {}));
  }

  #report(advertisement: Advertisement): void {
    const { address, identity, eventType: advType, rssiDbm: rssi = NO_RSSI, data } = advertisement;
    const isHidden = identity !== undefined && !address.isIdentity;
    const sender = isHidden ? { ...addressFields(identity), addrType: identity.type + AddrType.PublicIdentity } : addressFields(address);
    this.#activation.dispatcher.raise(createEvent("scanResult", { ...sender, advType, rssi, advData: Uint8Array.from(data) }));
  }
}

function units(us: number): number {
  return Math.min(MOST_UNITS, Math.max(LEAST_UNITS, Math.trunc(us / 625)));
}
