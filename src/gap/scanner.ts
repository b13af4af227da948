import { LeSetScanEnable, LeSetScanParameters } from "../hci/commands/le-scanning.ts";
import { Advertisement, AdvertisingEventType, addressKeyAt, type ResolveAddress } from "./advertisement.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort, Radio, RadioActivity } from "./radio.ts";
import { checkScanOptions, type OnAdvertisement, Scan, type ScanOptions, type ScanParameters } from "./scan.ts";
import { ScanReports } from "./scan-reports.ts";
import { isDisallowed, Switch, type SwitchState } from "./switch.ts";

/** Advertisers remembered by an active scan, so that a scan response can be shown together with its advertisement. */
const MERGE_CAPACITY = 1024;

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
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
  #running: ScanParameters | undefined;
  readonly #switch = new Switch();
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
  get state(): SwitchState {
    return this.#switch.state;
  }
  get stale(): boolean {
    const running = this.#running;
    if (!running || this.#switch.state === "off" || this.#scans.length === 0) return false;
    const union = this.#union();
    return (Object.keys(union) as (keyof ScanParameters)[]).some((key) => union[key] !== running[key]);
  }
  get ownAddress(): OwnAddressKind {
    return this.#scans.length === 0 ? "public" : this.#union().ownAddress;
  }

  /**
   * Adds a scan; resolves when the controller scans for it.
   *
   * @param isLossy reports may be lost behind `onAdvertisement`, which then calls `forget` of the scan
   * @throws {ArgumentError} parameters out of range
   * @throws {HciError} the controller refuses; scans that were accepted before go on
   * @throws {TimeoutError} the controller does not answer
   */
  async scan(options: ScanOptions & SignalOption, onAdvertisement: OnAdvertisement, isLossy = false): Promise<Scan> {
    checkScanOptions(options);
    const { signal } = options;
    signal?.throwIfAborted();
    const scan = new Scan(options, this.#radio.own.defaultKind, onAdvertisement, isLossy);
    this.#radio.own.current(scan.parameters.ownAddress); // an address the device does not have is an error of the caller
    this.#scans = [...this.#scans, scan];
    try {
      await this.#radio.updateFor(signal);
      signal?.throwIfAborted();
    } catch (reason) {
      this.abandon(scan);
      throw reason;
    }
    if (scan.ended?.error !== undefined) throw scan.ended.error;
    this.#limit(scan, options.durationMs);
    return scan;
  }

  #limit(scan: Scan, durationMs = Number.POSITIVE_INFINITY): void {
    if (scan.ended || durationMs === Number.POSITIVE_INFINITY) return;
    const timer = this.#radio.clock.setTimer(durationMs, "end of a scan", () => {
      scan.flush();
      this.abandon(scan);
    });
    scan.endBy(timer);
  }

  /**
   * Ends a scan; resolves when the controller does what the others need. No report follows, from the call on.
   *
   * @throws {HciError} the controller refuses to stop · {TimeoutError} it does not answer
   */
  async stop(scan: Scan): Promise<void> {
    this.#scans = this.#scans.filter((other) => other !== scan);
    scan.end();
    await this.#radio.updateOff(this);
  }

  /** As `stop`, for who does not wait. */
  abandon(scan: Scan): void {
    this.stop(scan).catch(() => undefined); // Radio tries again, and tells in the end
  }

  /**
   * Advertisements as a loop. See ScanReports.
   *
   * @param check called before the scan begins; what it throws is thrown at the loop's first turn
   */
  reports(options: ScanOptions & SignalOption, check: () => void = () => undefined): ScanReports {
    return new ScanReports({
      check: () => {
        check();
        checkScanOptions(options);
      },
      start: (onAdvertisement, leave) => this.scan({ ...options, signal: leave }, onAdvertisement, true),
      stop: (scan) => this.abandon(scan),
      signal: options?.signal,
    });
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
      if (!scan.takesAll && scan.knows(packet, offset, end)) continue;
      advertisement ??= this.#merge(packet, offset, end);
      if (scan.takesAll) scan.deliver(advertisement);
      else scan.offer(advertisement);
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
  #union(): ScanParameters {
    const [first] = this.#scans;
    let { leScanType, leScanInterval, leScanWindow, ownAddress, filterDuplicates } = first!.parameters;
    let isAddressChosen = first!.isAddressChosen;
    for (const { parameters, isAddressChosen: isChosen } of this.#scans) {
      // The address of an active scan is the one that shows; among equals, that of who chose it.
      if (parameters.leScanType > leScanType || (parameters.leScanType === leScanType && isChosen && !isAddressChosen)) {
        ({ leScanType, ownAddress } = parameters);
        isAddressChosen = isChosen;
      }
      if (parameters.leScanWindow / parameters.leScanInterval > leScanWindow / leScanInterval)
        ({ leScanInterval, leScanWindow } = parameters);
      filterDuplicates &&= parameters.filterDuplicates;
    }
    return { leScanType, leScanInterval, leScanWindow, ownAddress, filterDuplicates };
  }

  async turnOn(): Promise<void> {
    const scans = this.#scans;
    const union = this.#union();
    const { leScanType, leScanInterval, leScanWindow, ownAddress, filterDuplicates } = union;
    const ownAddressType = ownAddress === "public" ? 0 : 1;
    try {
      await this.#port.send(LeSetScanParameters, { leScanType, leScanInterval, leScanWindow, ownAddressType, scanningFilterPolicy: 0 });
    } catch (error) {
      if (isDisallowed(error)) this.#switch.distrust(); // refused while scanning is on (7.8.10)
      throw error;
    }
    this.#recent.clear();
    this.#running = union; // reports may come before the command's own answer
    await this.#switch.on(() => this.#port.send(LeSetScanEnable, { leScanEnable: true, filterDuplicates }));
    this.#running = union; // again, where a reset came between
    for (const scan of scans) scan.isAccepted = true;
  }

  async turnOff(): Promise<void> {
    if (this.#switch.state === "off") return;
    await this.#switch.off(() => this.#port.send(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false }));
    this.#recent.clear();
    this.#running = undefined;
  }

  distrust(): void {
    this.#switch.distrust();
  }

  reset(): void {
    this.#running = undefined;
    this.#switch.reset();
  }

  gone(error: unknown): void {
    this.close(error);
    this.#switch.ended();
  }

  /** Ends every scan; the next `update` of the radio stops the controller's. */
  close(error?: unknown): void {
    const scans = this.#scans;
    this.#scans = [];
    for (const scan of scans) scan.end(error);
  }

  /** The scan that was asked for last ends; those that the controller has served go on, unless there is nothing else to blame. */
  failed(error: unknown): void {
    const newest = this.#scans.findLast((scan) => !scan.isAccepted);
    if (!newest || !this.#scans.some((scan) => scan.isAccepted)) {
      this.close(error);
      return;
    }
    this.#scans = this.#scans.filter((scan) => scan !== newest);
    newest.end(error);
    void this.#radio.update();
  }
}
