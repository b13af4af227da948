import { Broadcast } from "../async/broadcast.ts";
import { callOut } from "../async/call-out.ts";
import { ArgumentError } from "../core/error.ts";
import { Uuid, type UuidLike } from "../core/uuid.ts";
import { LeSetScanEnable, LeSetScanParameters } from "../hci/commands/le-scanning.ts";
import { Advertisement, AdvertisingEventType, addressKeyAt, type ResolveAddress } from "./advertisement.ts";
import { DuplicateFilter } from "./duplicate-filter.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort, Radio, RadioActivity } from "./radio.ts";

export interface ScanOptions {
  /** Ask scannable devices for their scan response. True by default. */
  readonly active?: boolean | undefined;
  /** 2.5 to 10,240 ms in steps of 0.625 ms; 60 by default. */
  readonly intervalMs?: number | undefined;
  /** 2.5 ms to `intervalMs`; by default half of the interval. */
  readonly windowMs?: number | undefined;
  /**
   * "filter" (default) reports each advertisement of a device again only when its data changes; "once" reports each kind of advertisement
   * of a device once, and leaves the filtering to the controller where every scan agrees; "report" reports all.
   */
  readonly duplicates?: "filter" | "once" | "report" | undefined;
  /** Only devices that list one of these services. */
  readonly services?: readonly UuidLike[] | undefined;
  /** Only devices of exactly this name, in advertisement or scan response. */
  readonly name?: string | undefined;
  /** Only advertisements for which this is true. */
  readonly filter?: ((advertisement: Advertisement) => boolean) | undefined;
  /** Own address in scan requests; where the random address is in use for advertising, that one is shown. By default the identity. */
  readonly ownAddress?: OwnAddressKind | undefined;
}

/** Receives each report synchronously, while the packet that brought it is handled. */
export type OnAdvertisement = (advertisement: Advertisement) => void;

const DEFAULT_INTERVAL_MS = 60;
/** Advertisers remembered by an active scan, so that a scan response can be shown together with its advertisement. */
const MERGE_CAPACITY = 1024;

interface Parameters {
  readonly leScanType: 0 | 1;
  readonly leScanInterval: number; // units of 0.625 ms
  readonly leScanWindow: number; // units of 0.625 ms
  readonly ownAddress: OwnAddressKind;
  readonly filterDuplicates: boolean;
}

function units(what: string, ms: number): number {
  if (!(ms >= 2.5 && ms <= 10_240)) throw new ArgumentError(`${what} ${ms} ms: expected 2.5 to 10240 ms`);
  return Math.round(ms / 0.625);
}

/** One scan of an application; several share the controller. */
export class Scan {
  readonly parameters: Parameters;
  /** Called once when the scan ends; with the error when it was not the application that ended it. */
  onEnd: ((error: unknown) => void) | undefined;
  ended: { readonly error: unknown } | undefined;
  readonly #onAdvertisement: OnAdvertisement;
  readonly #duplicates: DuplicateFilter | undefined;
  readonly #byData: boolean;
  readonly #services: readonly string[] | undefined;
  readonly #name: string | undefined;
  readonly #filter: ((advertisement: Advertisement) => boolean) | undefined;
  /** Nothing to check: every report goes straight to the application. */
  readonly takesAll: boolean;

  /** @throws {ArgumentError} an interval or window out of range */
  constructor(options: ScanOptions, defaultAddress: OwnAddressKind, onAdvertisement: OnAdvertisement) {
    const { active = true, intervalMs = DEFAULT_INTERVAL_MS, duplicates = "filter", ownAddress = defaultAddress } = options;
    const { windowMs = Math.max(2.5, intervalMs / 2) } = options;
    const leScanInterval = units("scan interval", intervalMs);
    const leScanWindow = units("scan window", windowMs);
    if (leScanWindow > leScanInterval)
      throw new ArgumentError(`scan window ${windowMs} ms: expected at most the interval of ${intervalMs} ms`);
    const leScanType = active ? 1 : 0;
    // A passive scan sends nothing, so no address of it is ever seen.
    this.parameters = {
      leScanType,
      leScanInterval,
      leScanWindow,
      ownAddress: active ? ownAddress : "public",
      filterDuplicates: duplicates === "once",
    };
    this.#onAdvertisement = onAdvertisement;
    this.#duplicates = duplicates === "report" ? undefined : new DuplicateFilter();
    this.#byData = duplicates === "filter";
    this.#services = options.services?.map((uuid) => Uuid.from(uuid).text);
    this.#name = options.name;
    this.#filter = options.filter;
    this.takesAll = !this.#duplicates && !this.#services && this.#name === undefined && !this.#filter;
  }

  /** Whether this scan would pass on the report, before what it says is looked at. */
  isNews(packet: Uint8Array, offset: number, end: number): boolean {
    return !this.#duplicates?.isDuplicate(packet, offset, end, this.#byData);
  }

  matches(advertisement: Advertisement): boolean {
    if (this.#name !== undefined && advertisement.name !== this.#name) return false;
    if (this.#services && !advertisement.serviceUuids.some(({ text }) => this.#services!.includes(text))) return false;
    return this.#filter?.(advertisement) ?? true;
  }

  /** An exception of the application does not stop the stack: it is rethrown in a turn of its own. */
  deliver(advertisement: Advertisement): void {
    callOut(this.#onAdvertisement, advertisement);
  }

  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = { error };
    this.onEnd?.(error);
  }
}

/**
 * Passive and active scanning (Vol 4 Part E 7.8.10, 7.8.11). Several scans share the controller, which then scans actively if one of them
 * does, with the interval and window of the one that listens most.
 */
export class Scanner implements RadioActivity {
  readonly name = "scanning";
  readonly takesAnyRandomAddress = true;
  readonly #port: CommandPort;
  readonly #radio: Radio;
  readonly #resolve: ResolveAddress;
  #scans: readonly Scan[] = [];
  /** What the controller was told. */
  #running: Parameters | undefined;
  /** Last advertisement and scan response of each advertiser, while a scan is active. */
  readonly #recent = new Map<number, { advertisement: Advertisement | undefined; scanResponse: Advertisement | undefined }>();

  constructor({ port, radio, resolve }: { port: CommandPort; radio: Radio; resolve: ResolveAddress }) {
    this.#port = port;
    this.#radio = radio;
    this.#resolve = resolve;
  }

  get scanCount(): number {
    return this.#scans.length;
  }
  get wanted(): boolean {
    return this.#scans.length > 0;
  }
  get running(): boolean {
    return this.#running !== undefined;
  }
  get stale(): boolean {
    if (!this.#running || this.#scans.length === 0) return false;
    const union = this.#union();
    return (Object.keys(union) as (keyof Parameters)[]).some((key) => union[key] !== this.#running![key]);
  }
  get ownAddress(): OwnAddressKind {
    return this.#scans.length === 0 ? "public" : this.#union().ownAddress;
  }

  /**
   * Adds a scan; resolves when the controller scans for it.
   *
   * @throws {ArgumentError} parameters out of range
   * @throws {HciError} the controller refuses
   */
  async scan(options: ScanOptions & { signal?: AbortSignal | undefined }, onAdvertisement: OnAdvertisement): Promise<Scan> {
    options.signal?.throwIfAborted();
    const kind = options.ownAddress ?? this.#radio.own.defaultKind;
    this.#radio.own.current(kind);
    const scan = new Scan(options, kind, onAdvertisement);
    this.#scans = [...this.#scans, scan];
    try {
      await this.#radio.updateFor(options.signal);
      options.signal?.throwIfAborted();
    } catch (reason) {
      void this.stop(scan);
      throw reason;
    }
    if (scan.ended?.error !== undefined) throw scan.ended.error;
    return scan;
  }

  /** Ends a scan; resolves when the controller does what the others need. No report follows, from the call on. */
  async stop(scan: Scan): Promise<void> {
    this.#scans = this.#scans.filter((other) => other !== scan);
    scan.end();
    await this.#radio.update();
  }

  /**
   * Advertisements as a loop. Scanning runs from the first `next()` until the loop is left by `break`, an error or `signal`. A loop 256
   * reports behind loses the oldest.
   */
  async *reports({ signal, ...options }: ScanOptions & { signal?: AbortSignal | undefined }): AsyncGenerator<Advertisement, void> {
    signal?.throwIfAborted();
    const broadcast = new Broadcast<Advertisement>();
    using queue = broadcast.subscribe({ capacity: 256, signal });
    const scan = await this.scan({ ...options, signal }, (advertisement) => broadcast.publish(advertisement.keep()));
    scan.onEnd = (error) => broadcast.close(error);
    if (scan.ended) broadcast.close(scan.ended.error);
    try {
      yield* queue;
    } finally {
      await this.stop(scan);
    }
  }

  /** One legacy report in place, `offset` at Event_Type and `end` behind RSSI: the hot path. */
  readonly onReport = (packet: Uint8Array, offset: number, end: number): void => {
    const scans = this.#scans;
    if (scans.length === 1 && scans[0]!.takesAll && this.#running?.leScanType === 0) {
      scans[0]!.deliver(new Advertisement(packet, offset, end, this.#resolve));
      return;
    }
    let advertisement: Advertisement | undefined;
    for (const scan of scans) {
      if (scan.takesAll || scan.isNews(packet, offset, end)) {
        advertisement ??= this.#merge(packet, offset, end);
        if (scan.matches(advertisement)) scan.deliver(advertisement);
      }
    }
  };

  #merge(packet: Uint8Array, offset: number, end: number): Advertisement {
    const report = new Advertisement(packet, offset, end, this.#resolve);
    if (this.#running?.leScanType !== 1) return report;
    const key = addressKeyAt(packet, offset + 1);
    let recent = this.#recent.get(key);
    if (!recent) {
      if (!report.scannable) return report; // no scan response will follow
      if (this.#recent.size >= MERGE_CAPACITY) this.#recent.delete(this.#recent.keys().next().value!);
      recent = { advertisement: undefined, scanResponse: undefined };
      this.#recent.set(key, recent);
    }
    if (packet[offset] === AdvertisingEventType.ScanResponse) {
      if (!recent.scanResponse?.isSameAs(packet, offset, end)) recent.scanResponse = report.keep();
      return recent.advertisement ? report.with(recent.advertisement) : report;
    }
    if (!recent.advertisement?.isSameAs(packet, offset, end)) recent.advertisement = report.keep();
    return recent.scanResponse ? report.with(recent.scanResponse) : report;
  }

  /** What serves every scan. */
  #union(): Parameters {
    let { leScanType, leScanInterval, leScanWindow, ownAddress, filterDuplicates } = this.#scans[0]!.parameters;
    for (const { parameters } of this.#scans) {
      // The address of an active scan is the one that shows.
      if (parameters.leScanType > leScanType) ({ leScanType, ownAddress } = parameters);
      if (parameters.leScanWindow / parameters.leScanInterval > leScanWindow / leScanInterval)
        ({ leScanInterval, leScanWindow } = parameters);
      filterDuplicates &&= parameters.filterDuplicates;
    }
    return { leScanType, leScanInterval, leScanWindow, ownAddress, filterDuplicates };
  }

  async turnOn(): Promise<void> {
    const union = this.#union();
    const { leScanType, leScanInterval, leScanWindow, ownAddress, filterDuplicates } = union;
    const ownAddressType = ownAddress === "public" ? 0 : 1;
    await this.#port.send(LeSetScanParameters, { leScanType, leScanInterval, leScanWindow, ownAddressType, scanningFilterPolicy: 0 });
    this.#recent.clear();
    this.#running = union; // reports may come before the command's own answer
    try {
      await this.#port.send(LeSetScanEnable, { leScanEnable: true, filterDuplicates });
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
  }

  async turnOff(): Promise<void> {
    this.#recent.clear();
    try {
      await this.#port.send(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
    } finally {
      this.#running = undefined;
    }
  }

  /** Ends every scan; the next `update` of the radio stops the controller's. */
  close(error?: unknown): void {
    const scans = this.#scans;
    this.#scans = [];
    for (const scan of scans) scan.end(error);
  }

  failed(error: unknown): void {
    this.#running = undefined;
    this.close(error);
  }
}
