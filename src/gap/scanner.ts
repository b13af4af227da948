import type { Address } from "../core/address.ts";
import { Advertisement, type ResolveAddress } from "./advertisement.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import { type CommandPort, type Radio, type RadioActivity, RadioRank } from "./radio.ts";
import { ReportAssembler } from "./report-assembler.ts";
import { asExtendedReport, type DirectedReport, EXTENDED_REPORT, LEGACY_REPORT, type ReportLayout } from "./report-layout.ts";
import { ReportMerger } from "./report-merger.ts";
import { checkScanOptions, type OnAdvertisement, Scan, type ScanOptions } from "./scan.ts";
import { ExtendedScanCommands, LegacyScanCommands, type ScanCommands } from "./scan-commands.ts";
import { isActiveScan, isSameScan, type ScanParameters, unionOfScans } from "./scan-parameters.ts";
import { ScanReports } from "./scan-reports.ts";
import { isDisallowed, Switch, type SwitchState } from "./switch.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Passive and active scanning, by the legacy commands (Vol 4 Part E 7.8.10, 7.8.11) or the extended ones (7.8.64, 7.8.65). Several scans share the controller, which then scans actively if one of them
 * does, with the interval and window of the one that listens most.
 */
export class Scanner implements RadioActivity {
  readonly name = "scanning";
  readonly rank = RadioRank.Scanning;
  readonly takesAnyRandomAddress = true;
  readonly hasOwnRandomAddress = false;
  /** Each scan looks itself at who it hears. */
  readonly goesWithoutAcceptList = true;
  readonly #commands: ScanCommands;
  readonly #radio: Radio;
  readonly #resolve: ResolveAddress;
  #scans: readonly Scan[] = [];
  /** What the controller was told. */
  #running: ScanParameters | undefined;
  #isFiltered = false;
  /** The controller asks for scan responses: they are merged with their advertisements. */
  #isActive = false;
  readonly #switch = new Switch();
  readonly #merger: ReportMerger;
  readonly #assembler: ReportAssembler;
  readonly #isPrivate: (identity: Address) => boolean;

  /** @param at.isPrivate whether a device of this identity is on the air under other addresses, which no list of the controller's has */
  constructor(at: { port: CommandPort; radio: Radio; resolve: ResolveAddress; isPrivate?: ((identity: Address) => boolean) | undefined }) {
    const { port, radio, resolve, isPrivate = () => false } = at;
    this.#isPrivate = isPrivate;
    this.#commands = radio.abilities.isExtended ? new ExtendedScanCommands(port) : new LegacyScanCommands(port);
    this.#radio = radio;
    this.#resolve = resolve;
    this.#merger = new ReportMerger(resolve);
    this.#assembler = new ReportAssembler((packet, offset, end) => this.#report(packet, offset, end, EXTENDED_REPORT));
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
    return !isSameScan(unionOfScans(this.#scans), running);
  }
  get ownAddress(): OwnAddressKind {
    return this.#scans.length === 0 ? "public" : unionOfScans(this.#scans).ownAddress;
  }
  /** Who every scan looks for, and no other device; as far as the controller can hold that. */
  get acceptList(): readonly Address[] | undefined {
    if (!this.#scans.some(({ parameters }) => parameters.acceptList)) return undefined;
    const { acceptList } = unionOfScans(this.#scans);
    if (!acceptList || acceptList.length > this.#radio.abilities.acceptListSize) return undefined;
    return acceptList.some((address) => this.#isPrivate(address)) ? undefined : acceptList;
  }
  get isFiltered(): boolean {
    return this.#switch.state !== "off" && this.#isFiltered;
  }

  /**
   * Adds a scan; resolves when the controller scans for it.
   *
   * @param isLossy reports may be lost behind `onAdvertisement`, which then calls `forget` of the scan
   * @throws {ArgumentError} parameters out of range
   * @throws {UnsupportedError} the controller has none of the PHYs
   * @throws {HciError} the controller refuses; scans that were accepted before go on
   * @throws {TimeoutError} the controller does not answer
   */
  async scan(options: ScanOptions & SignalOption, onAdvertisement: OnAdvertisement, isLossy = false): Promise<Scan> {
    checkScanOptions(options);
    const { signal } = options;
    signal?.throwIfAborted();
    const scan = new Scan(options, this.#radio.own.defaultKind, onAdvertisement, isLossy, this.#radio.abilities);
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
  readonly onReport = (packet: Uint8Array, offset: number, end: number): void => this.#report(packet, offset, end, LEGACY_REPORT);

  /** One extended report in place, `offset` at Event_Type and `end` behind its data. */
  readonly onExtendedReport = (packet: Uint8Array, offset: number, end: number): void => {
    if (this.#scans.length > 0) this.#assembler.add(packet, offset, end);
  };

  /** Directed advertising whose target the controller cannot resolve, of a legacy controller. */
  readonly onDirectedReport = (report: DirectedReport): void => {
    const octets = asExtendedReport(report);
    this.#report(octets, 0, octets.length, EXTENDED_REPORT);
  };

  #report(packet: Uint8Array, offset: number, end: number, layout: ReportLayout): void {
    const scans = this.#scans;
    let advertisement: Advertisement | undefined;
    const first = scans[0];
    // By itself: what several scans are asked took a quarter of the time.
    if (scans.length === 1 && first!.takesAll) {
      advertisement = this.#advertisement(packet, offset, end, layout);
      if (!advertisement.isTargetUnresolved || first!.parameters.unresolvedTargets) first!.deliver(advertisement);
      return;
    }
    for (const scan of scans) {
      if (!scan.takesAll && scan.knows(packet, offset, end, layout)) continue;
      advertisement ??= this.#advertisement(packet, offset, end, layout);
      if (advertisement.isTargetUnresolved && !scan.parameters.unresolvedTargets) continue; // another scan has asked for it
      if (scan.takesAll) scan.deliver(advertisement);
      else scan.offer(advertisement);
    }
  }

  #advertisement(packet: Uint8Array, offset: number, end: number, layout: ReportLayout): Advertisement {
    if (this.#isActive) return this.#merger.merge(packet, offset, end, layout);
    return new Advertisement(packet, offset, end, this.#resolve, undefined, layout);
  }

  /** The controller has stopped by itself (LE Scan Timeout), which nobody here has asked for: it goes on. */
  readonly timedOut = (): void => {
    if (this.#switch.state === "off") return;
    this.#switch.ended();
    void this.#radio.update();
  };

  async turnOn(): Promise<void> {
    const scans = this.#scans;
    const union = unionOfScans(scans);
    const isFiltered = union.acceptList !== undefined && this.#radio.holdsAcceptList(union.acceptList);
    try {
      await this.#commands.configure(union, { isFiltered, ownAddressType: this.#radio.ownAddressType(union.ownAddress) });
    } catch (error) {
      if (isDisallowed(error)) this.#switch.distrust(); // refused while scanning is on (7.8.10, 7.8.64)
      throw error;
    }
    this.#forget();
    this.#isActive = isActiveScan(union);
    this.#isFiltered = isFiltered;
    this.#running = union; // reports may come before the command's own answer
    await this.#switch.on(() => this.#commands.enable(union));
    this.#running = union; // again, where a reset came between
    for (const scan of scans) scan.isAccepted = true;
  }

  async turnOff(): Promise<void> {
    if (this.#switch.state === "off") return;
    await this.#switch.off(() => this.#commands.disable());
    this.#forget();
    this.#running = undefined;
  }

  #forget(): void {
    this.#merger.clear();
    this.#assembler.clear();
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
