import type { OperationOptions } from "../../async/index.ts";
import { ArgumentError, checkChoice, checkInteger, kindOf, optionNames, Uuid, type UuidLike } from "../../core/index.ts";
import { AdFlag } from "../../gap/index.ts";
import { DiscoveryTypes, hasBit, NameKnown, Settings, Status } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { MgmtError } from "../error.ts";
import type { MgmtEventOf } from "../types.ts";
import { checkSequence } from "./edge.ts";
import { Feed, MOST_CAPACITY, type Sink } from "./feed.ts";
import { type FoundDevice, FoundDevices } from "./found-device.ts";
import { endWithClient, onAdapterGone } from "./gone.ts";
import { PUT_AWAY_MS, putAway, putAwaySoon } from "./put-away.ts";

/** Devices that wait for a reader. */
const QUEUE_CAPACITY = 256;
/** Devices whose data are remembered. */
const KNOWN_CAPACITY = 4096;
/** A discovery that ended sooner is not started again before: a controller that ends each at once would keep the machine busy. */
const LEAST_DISCOVERY_MS = 1_000;
/** Between two attempts while the kernel says Busy: another program's discovery tells when it ends, a suspended controller does not. */
const BUSY_RETRY_MS = 5_000;
const NO_THRESHOLD = 127;

export interface ScanOptions extends OperationOptions {
  /** What to look for. Default: what is switched on, `all` with both transports. */
  readonly types?: "le" | "bredr" | "all" | undefined;
  /** Only devices whose data name one of these services; the kernel does the filtering. */
  readonly services?: readonly UuidLike[] | undefined;
  /** Only reports at least this strong, -127 to 20 dBm; the kernel does the filtering. */
  readonly rssiThreshold?: number | undefined;
  /** Only devices that are discoverable for a limited time. Not together with `services` or `rssiThreshold`. */
  readonly limited?: boolean | undefined;
  /**
   * "once" yields each device once, "changes" also when it says something new, "all" at every report. Default "changes". Of devices heard
   * before the 4096 last ones nothing is remembered.
   */
  readonly duplicates?: "all" | "changes" | "once" | undefined;
  /** Ends the loop quietly after so long. Default: never. */
  readonly durationMs?: number | undefined;
  /** Whether names of BR/EDR devices are asked for. Default true. */
  readonly resolveNames?: boolean | undefined;
  /** When another program discovers with this controller: "share" what it finds until its discovery ends, or "fail". Default "share". */
  readonly whenBusy?: "share" | "fail" | undefined;
  /** Devices that may wait for the reader; one further behind loses the oldest, counted by `dropped`. Default 256. */
  readonly capacity?: number | undefined;
}

const scanOptions = optionNames<ScanOptions>({
  types: true,
  services: true,
  rssiThreshold: true,
  limited: true,
  duplicates: true,
  durationMs: true,
  resolveNames: true,
  whenBusy: true,
  capacity: true,
  signal: true,
  timeoutMs: true,
});

/** Devices as they are found; `dropped` counts those that the loop was too slow for. */
export type DeviceScan = Feed<FoundDevice>;

/**
 * Looks for devices, for as long as the loop runs: `for await (const device of scan(mgmt, 0))`. The kernel ends each discovery after
 * some ten seconds; it is started again every time. Leaving the loop, by whatever way, stops it; a kernel that does not answer is waited for half a second, and
 * the rest happens behind the loop's back.
 *
 * The kernel has one discovery for each controller, and all programs that may administer it receive what it finds. While another program
 * discovers, this one listens to that discovery, applies its own filters to it, and starts its own when the other has ended. It stops
 * only its own. What the other does not look for is not found meanwhile.
 *
 * @param options.timeoutMs of each command, not of the scan: see `durationMs`
 * @throws {MgmtError} from the loop: NotPowered, NotSupported or Rejected for a transport that is not there or off, PermissionDenied,
 *   InvalidIndex; Busy with `whenBusy: "fail"`
 * @throws {ClosedError} from the loop: the adapter was unplugged, or taken by another program
 * @throws `signal.reason` once `signal` aborts
 */
export function scan(mgmt: Mgmt, index: number, options: ScanOptions = {}): DeviceScan {
  checkSequence("scan", mgmt, index, options, scanOptions);
  if (options.types !== undefined) checkChoice("scan: types", options.types, ["le", "bredr", "all"]);
  if (options.duplicates !== undefined) checkChoice("scan: duplicates", options.duplicates, ["all", "changes", "once"]);
  if (options.whenBusy !== undefined) checkChoice("scan: whenBusy", options.whenBusy, ["share", "fail"]);
  if (options.rssiThreshold !== undefined) checkInteger("scan: rssiThreshold", options.rssiThreshold, -127, NO_THRESHOLD);
  if (options.services !== undefined && !Array.isArray(options.services))
    throw new ArgumentError(`scan: services: expected a list, got ${kindOf(options.services)}`);
  const { limited, services, rssiThreshold, capacity = QUEUE_CAPACITY, signal } = options;
  checkInteger("scan: capacity", capacity, 1, MOST_CAPACITY);
  if (limited && (services || rssiThreshold !== undefined))
    throw new ArgumentError("a limited discovery has no filters: expected no services and no RSSI threshold");
  return new Feed<FoundDevice>({ capacity, signal }, (sink) => {
    const discovery = new Discovery(mgmt, index, options, sink);
    void discovery.start();
    return () => putAwaySoon(mgmt.clock, discovery.leave());
  });
}

/** One scan: keeps a discovery running and hands on what it finds. */
class Discovery {
  readonly #mgmt: Mgmt;
  readonly #index: number;
  readonly #options: ScanOptions;
  readonly #sink: Sink<FoundDevice>;
  readonly #services: ReadonlySet<string>;
  readonly #devices = new FoundDevices(KNOWN_CAPACITY);
  readonly #listeners: Disposable[];
  #types: number | undefined;
  /** The kernel does not apply the filters. */
  #filtersItself = false;
  /** "shared" while another program's is listened to; "unknown" when our command was not answered. */
  #running: "none" | "own" | "shared" | "unknown" = "none";
  /** While our command is on its way, what Discovering has said since: the event may be handled before whoever awaits the reply. */
  #inFlight: { began: boolean; ended: boolean } | undefined;
  #startedMs = 0;
  #starting: Promise<void> | undefined;
  #again: Disposable | undefined;
  #left = false;

  constructor(mgmt: Mgmt, index: number, options: ScanOptions, sink: Sink<FoundDevice>) {
    this.#mgmt = mgmt;
    this.#index = index;
    this.#options = options;
    this.#sink = sink;
    this.#services = new Set((options.services ?? []).map((uuid) => Uuid.from(uuid).text));
    const ofThis = (event: { readonly index: number }): boolean => event.index === index;
    this.#listeners = [
      mgmt.on("deviceFound", (event) => ofThis(event) && this.#found(event)),
      mgmt.on("discovering", (event) => ofThis(event) && this.#discovering(event.discovering === 1)),
      ...onAdapterGone(mgmt, index, (reason) => sink.end(reason)),
      endWithClient(mgmt, sink),
    ];
    const { durationMs } = options;
    if (durationMs !== undefined && durationMs !== Number.POSITIVE_INFINITY)
      this.#listeners.push(mgmt.clock.setTimer(durationMs, "end of the scan", () => sink.end()));
  }

  /** Starts a discovery, or joins the one that runs. Never fails: the loop is told. */
  start(): Promise<void> {
    this.#again = undefined;
    this.#starting = this.#start().catch((error: unknown) => this.#sink.end(error));
    return this.#starting;
  }

  async #start(): Promise<void> {
    this.#types ??= await this.#chooseTypes();
    if (this.#left) return;
    this.#startedMs = this.#mgmt.clock.now();
    this.#inFlight = { began: false, ended: false };
    const { ended } = await this.#tryStart(this.#types, this.#inFlight).finally(() => {
      this.#inFlight = undefined;
    });
    if (ended) this.#ended();
  }

  async #tryStart<T>(types: number, seen: T): Promise<T> {
    try {
      await this.#startDiscovery(types);
      this.#running = "own";
    } catch (error) {
      const answered = error instanceof MgmtError;
      const busy = answered && error.status === Status.Busy;
      this.#running = busy ? "shared" : answered ? "none" : "unknown";
      if (!busy || this.#options.whenBusy === "fail") throw error;
      this.#startAgainIn(BUSY_RETRY_MS);
    }
    return seen;
  }

  async #chooseTypes(): Promise<number> {
    const { types, timeoutMs } = this.#options;
    if (types === "le") return DiscoveryTypes.LE;
    if (types === "bredr") return DiscoveryTypes.BREDR;
    if (types === "all") return DiscoveryTypes.Interleaved;
    const { currentSettings } = await this.#mgmt.readControllerInformation(this.#index, { timeoutMs });
    if (!hasBit(Settings, currentSettings, "BREDR")) return DiscoveryTypes.LE;
    return hasBit(Settings, currentSettings, "LowEnergy") ? DiscoveryTypes.Interleaved : DiscoveryTypes.BREDR;
  }

  /** Without the scan's signal: a command that was given up may still start a discovery, which then has to be stopped. */
  async #startDiscovery(addressTypes: number): Promise<void> {
    const { limited, services, rssiThreshold, timeoutMs } = this.#options;
    const isFiltered = limited === true || services !== undefined || rssiThreshold !== undefined;
    if (!isFiltered || this.#filtersItself) {
      await this.#mgmt.startDiscovery(this.#index, addressTypes, { timeoutMs });
      return;
    }
    try {
      if (limited) await this.#mgmt.startLimitedDiscovery(this.#index, addressTypes, { timeoutMs });
      else {
        const filter = { addressTypes, rssiThreshold: rssiThreshold ?? NO_THRESHOLD, uuids: services ?? [] };
        await this.#mgmt.startServiceDiscovery(this.#index, filter, { timeoutMs });
      }
    } catch (error) {
      if (!(error instanceof MgmtError && error.status === Status.UnknownCommand)) throw error;
      this.#filtersItself = true; // the kernel is too old to do it
      await this.#mgmt.startDiscovery(this.#index, addressTypes, { timeoutMs });
    }
  }

  #discovering(on: boolean): void {
    const seen = this.#inFlight;
    if (!seen) {
      if (!on) this.#ended();
    } else if (on) seen.began = true;
    else if (seen.began) seen.ended = true; // else it is the end of an earlier one
  }

  /** Discovering 0: by itself, by another program's Stop Discovery, or with the power. */
  #ended(): void {
    if (this.#left || this.#running === "none") return;
    const shared = this.#running === "shared";
    this.#running = "none";
    const ranMs = this.#mgmt.clock.now() - this.#startedMs;
    this.#startAgainIn(shared ? 0 : Math.max(0, LEAST_DISCOVERY_MS - ranMs));
  }

  #startAgainIn(ms: number): void {
    this.#again?.[Symbol.dispose]();
    if (!this.#left) this.#again = this.#mgmt.clock.setTimer(ms, "next discovery", () => void this.start());
  }

  #found(event: MgmtEventOf<"deviceFound">): void {
    const { device, news } = this.#devices.add(
      event,
      (found) => (this.#running !== "shared" && !this.#filtersItself) || this.#isWanted(found),
    );
    if (this.#running === "own" && device.has("ConfirmName")) this.#confirmName(device);
    const { duplicates = "changes" } = this.#options;
    if ((duplicates === "all" && news !== "unwanted") || news === "device" || (news === "change" && duplicates === "changes"))
      this.#sink.push(device);
  }

  /** The filters that the kernel does not apply, because the discovery is another program's, or because it is too old. */
  #isWanted(device: FoundDevice): boolean {
    const { limited, rssiThreshold, services } = this.#options;
    if (limited && (device.data.flags & AdFlag.LeLimitedDiscoverable) === 0) return false;
    if (rssiThreshold !== undefined && (device.rssi ?? NO_THRESHOLD) < rssiThreshold) return false;
    return !services?.length || device.serviceUuids.some(({ text }) => this.#services.has(text));
  }

  /** Without an answer the kernel never asks the device for its name. Too late an answer fails, and then does not matter. */
  #confirmName({ address, addressType, name }: FoundDevice): void {
    const wanted = name === undefined && this.#options.resolveNames !== false;
    const nameKnown = wanted ? NameKnown.NeedsResolving : NameKnown.Known;
    void putAway(this.#mgmt.confirmName(this.#index, { address, addressType, nameKnown }));
  }

  /** Stops what was started. A discovery that cannot be stopped ends by itself after ten seconds. */
  async leave(): Promise<void> {
    this.#left = true;
    this.#again?.[Symbol.dispose]();
    await this.#starting; // whether there is anything to stop is known then
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    if (this.#types === undefined || this.#running === "none" || this.#running === "shared") return;
    const limits = { timeoutMs: PUT_AWAY_MS };
    await putAway(this.#mgmt.stopDiscovery(this.#index, this.#types, limits));
    if (!this.#options.limited || this.#filtersItself) return;
    // The filter of a limited discovery stays in force, for other listeners too, until another discovery is started.
    await putAway(this.#mgmt.startDiscovery(this.#index, this.#types, limits));
    await putAway(this.#mgmt.stopDiscovery(this.#index, this.#types, limits));
  }
}
